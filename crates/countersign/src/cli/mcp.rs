//! MCP over standard input and output, for clients that start a server as a process: each line goes to a running gate,
//! and each answer of it to a line. It knows no tools and keeps nothing.

use std::io::BufRead as _;
use std::sync::{Arc, OnceLock};

use clap::Args;
use rmcp::ErrorData;
use rmcp::model::{RequestId, ServerJsonRpcMessage};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::agent::AgentArgs;
use crate::shell::{Client, DONE, Output, Reply};

/// Lines that wait for their turn.
const LINES_MAX: usize = 64;
/// Requests under way at once.
const CALLS_MAX: usize = 64;

/// Arguments of `mcp`.
#[derive(Debug, Args)]
pub(super) struct McpArgs {
    #[command(flatten)]
    agent: AgentArgs,
    /// The person the agent acts for.
    #[arg(long, env = "COUNTERSIGN_ON_BEHALF_OF", hide_env_values = true, value_name = "PERSON")]
    on_behalf_of: Option<String>,
}

/// What every line needs.
#[derive(Debug)]
struct Bridge {
    client: Client,
    on_behalf_of: Option<String>,
    /// The revision that `initialize` agreed on; later ones name theirs in every message.
    agreed: OnceLock<String>,
}

/// Relays until standard input ends and what was asked is answered.
pub(super) async fn run(args: &McpArgs, output: &mut Output) -> anyhow::Result<u8> {
    let bridge = Arc::new(Bridge {
        client: args.agent.client()?,
        on_behalf_of: args.on_behalf_of.clone(),
        agreed: OnceLock::new(),
    });
    let (send, mut lines) = mpsc::channel(LINES_MAX);
    // Standard input has no readiness to wait for, so it has a thread of its own, which ends with the process.
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            if send.blocking_send(line).is_err() {
                break;
            }
        }
    });
    let mut calls = JoinSet::new();
    let mut open = true;
    while open || !calls.is_empty() {
        tokio::select! {
            line = lines.recv(), if open && calls.len() < CALLS_MAX => match line.transpose()? {
                Some(line) if line.trim().is_empty() => {}
                Some(line) => {
                    let bridge = Arc::clone(&bridge);
                    calls.spawn(async move { bridge.relay(&line).await });
                }
                None => open = false,
            },
            Some(answer) = calls.join_next() => {
                if let Some(answer) = answer? {
                    output.raw(&format!("{answer}\n"));
                }
            }
        }
    }
    Ok(DONE)
}

impl Bridge {
    /// The line that answers a line; none for what has no answer.
    async fn relay(&self, line: &str) -> Option<String> {
        let Ok(message) = serde_json::from_str::<Value>(line) else {
            return Some(error(ErrorData::parse_error("this line is not JSON", None), None));
        };
        let id: Option<RequestId> = message.get("id").and_then(|id| serde_json::from_value(id.clone()).ok());
        let sent = self.client.post_with("/mcp", line.to_owned(), &self.headers(&message)).await;
        let answer = match sent {
            Ok(reply) => self.answer(&message, &reply),
            // The gate drops a repeat, so the client may send it again.
            Err(fault) => Err(format!(
                "{fault:#}. It is not known whether this request arrived; send it again, and it is not done twice."
            )),
        };
        match (answer, id) {
            (Ok(answer), _) => answer,
            (Err(said), Some(id)) => Some(error(ErrorData::internal_error(said, None), Some(id))),
            (Err(said), None) => {
                tracing::warn!("a notification did not reach the gate: {said}");
                None
            }
        }
    }

    /// What the transport over HTTP says in headers, from the message.
    fn headers(&self, message: &Value) -> Vec<(&'static str, String)> {
        let text = |pointer: &str| message.pointer(pointer).and_then(Value::as_str).map(ToOwned::to_owned);
        let mut headers = vec![("accept", "application/json, text/event-stream".to_owned())];
        headers.extend(self.on_behalf_of.clone().map(|person| ("countersign-on-behalf-of", person)));
        let own = text("/params/_meta/io.modelcontextprotocol~1protocolVersion");
        if own.is_some() {
            headers.extend(text("/method").map(|method| ("mcp-method", method)));
            let name =
                text("/params/name").or_else(|| text("/params/uri")).or_else(|| text("/params/taskId"));
            headers.extend(name.map(|name| ("mcp-name", name)));
        }
        headers.extend(
            own.or_else(|| self.agreed.get().cloned()).map(|revision| ("mcp-protocol-version", revision)),
        );
        headers
    }

    /// The gate's answer as a line. A problem of the listener becomes an error of the protocol.
    fn answer(&self, message: &Value, reply: &Reply) -> Result<Option<String>, String> {
        if reply.status == 202 {
            return Ok(None);
        }
        let Ok(body) = reply.json() else { return Err(reply.problem()) };
        if body.get("jsonrpc").is_none() {
            return Err(reply.problem());
        }
        if message.get("method").and_then(Value::as_str) == Some("initialize")
            && let Some(revision) = body.pointer("/result/protocolVersion").and_then(Value::as_str)
        {
            // A client initializes once.
            let _ = self.agreed.set(revision.to_owned());
        }
        Ok(Some(body.to_string()))
    }
}

fn error(error: ErrorData, id: Option<RequestId>) -> String {
    serde_json::to_string(&ServerJsonRpcMessage::error(error, id)).unwrap_or_default()
}
