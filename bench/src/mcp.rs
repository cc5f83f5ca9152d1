//! M: what MCP costs an agent beside the HTTP API of the same gate, and a long list of tools.

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use crate::client::Client;
use crate::figure::Figure;
use crate::figures::Bench;
use crate::protocol::Bound;
use crate::stats::Spread;
use crate::subject::Gate;
use crate::template::Target;
use crate::{gatedir, policies};

/// What a call may take longer than the same proposal over HTTP, at p50.
const ADDED_US: f64 = 500.0;
/// Actions in the long list.
const TOOLS: usize = 1_000;
/// What that list may take at p50.
const LIST_MS: f64 = 5.0;

impl Bench {
    /// A tool's call beside the same proposal over HTTP, and the list of a thousand tools; one client.
    pub(crate) fn mcp(&self) -> Result<Vec<Figure>> {
        let gate = self.prepare(1)?.serve()?;
        answered(&gate.call_tool(0), |answer| {
            answer.pointer("/result/isError") == Some(&Value::Bool(false))
        })?;
        let (mut start, mut added) = (1_u64, Vec::new());
        let mut p50 = |target: fn(&Gate, u64) -> Target, what: &str| -> Result<f64> {
            let answers = self.closed(target(&gate, start), 1, what)?;
            start = start.saturating_add(answers.sent);
            Ok(answers.latency.p50_us)
        };
        for _ in 0..self.pace.rounds {
            let before = p50(Gate::execute, "the same over HTTP")?;
            let called = p50(Gate::call_tool, "M call")?;
            let after = p50(Gate::execute, "the same over HTTP")?;
            added.push(called - f64::midpoint(before, after));
        }
        let call =
            Figure::value("M", "tools/call added, c=1", Spread::of(&added), "us", Bound::AtMost(ADDED_US));
        Ok(vec![call, self.long_list()?])
    }

    fn long_list(&self) -> Result<Figure> {
        let prepared = self.prepare(1)?;
        for (file, text) in [
            ("actions/other.toml", policies::other_actions(TOOLS)),
            ("policies/other.cedar", policies::other_policies(TOOLS, TOOLS)),
        ] {
            std::fs::write(prepared.folder().join(file), text)?;
        }
        let gate = prepared.serve()?;
        let list = gate.list_tools();
        let long = |answer: &Value| {
            answer.pointer("/result/tools").and_then(Value::as_array).is_some_and(|tools| tools.len() > TOOLS)
        };
        let bytes = answered(&list, long)?;
        let mut took = Vec::new();
        for _ in 0..self.pace.rounds {
            took.push(self.closed(list.clone(), 1, "M list")?.latency.p50_us / 1e3);
        }
        let label = format!("tools/list of {TOOLS} actions, c=1");
        Ok(Figure::value("M", label, Spread::of(&took), "ms", Bound::AtMost(LIST_MS))
            .note(format!("{bytes} bytes")))
    }
}

impl Gate {
    /// W-exec as a tool's call: another text each time, so that none is taken for one that was sent again.
    fn call_tool(&self, start: u64) -> Target {
        let proposal = self.execute(start);
        let input = proposal.body.split_once("\"input\":").map_or("", |(_, rest)| rest);
        let input = input.split_once(",\"on_behalf_of\"").map_or("", |(input, _)| input);
        let tool = gatedir::EXECUTED.replace('.', "_");
        let body = message("tools/call", &format!("\"name\":\"{tool}\",\"arguments\":{input},"));
        let target = headers(Target { path: "/mcp".to_owned(), body, ..proposal }, "tools/call");
        target.header("mcp-name", &tool)
    }

    fn list_tools(&self) -> Target {
        let (agents, _) = self.listeners();
        let target = Target::post(agents, "/mcp", message("tools/list", ""));
        let key = gatedir::agent_key(0);
        headers(target.header("authorization", &format!("Bearer {key}")), "tools/list")
    }
}

/// A request of the revision 2026-07-28.
fn message(method: &str, parameters: &str) -> String {
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    format!(
        "{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"{method}\",\"params\":{{{parameters}\"_meta\":{meta}}}}}"
    )
}

fn headers(target: Target, method: &str) -> Target {
    target
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", method)
        .header("countersign-on-behalf-of", gatedir::REQUESTER)
}

/// Sends it once and looks at the answer: over MCP a refusal has the status of a success. Gives the answer's bytes.
fn answered(target: &Target, fits: impl Fn(&Value) -> bool) -> Result<usize> {
    let body = Client::connect(&target.address)?.call(target)?.body;
    let answer: Value = serde_json::from_slice(&body).context("the answer is no JSON")?;
    if fits(&answer) {
        return Ok(body.len());
    }
    let text: String = answer.to_string().chars().take(400).collect();
    bail!("{} was answered {text}", target.path)
}
