//! One request over MCP 2026-07-28 (<https://modelcontextprotocol.io/specification/2026-07-28>), as a client without an
//! SDK writes it: a POST of one JSON-RPC message, whose headers say again what its body says. Each call is in the
//! ledger before it is sent, and each answer before anything else is done.

use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::{Value, json};

use super::answer::{self, Heard};
use crate::Result;
use crate::arena::Arena;
use crate::http::{Request, send, was_not_sent};
use crate::ledger::text;

const REVISION: &str = "2026-07-28";
/// The extension by which a client says that it follows tasks.
const TASKS: &str = "io.modelcontextprotocol/tasks";
/// The member of `_meta` that makes a call safe to repeat.
const KEY: &str = "countersign.dev/idempotency-key";
const REASON: &str = "countersign.dev/reason";
/// How long a client waits for an answer: longer than the 20 s that the gate waits for an upstream.
const PATIENCE: Duration = Duration::from_secs(40);

/// One call of a tool, as it may be sent again.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) agent: String,
    pub(crate) tool: String,
    pub(crate) arguments: Value,
    pub(crate) key: Option<String>,
    /// Whether the client follows tasks.
    pub(crate) tasks: bool,
    /// When it was sent for the first time, by [`Arena::gate_millis`].
    pub(crate) first: u64,
}

/// How long the stream of a request lives.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Stream {
    /// Until the answer is there.
    Whole,
    /// The client hangs up after this time, answer or not.
    BrokenAfter(Duration),
    /// The client hangs up when the answer has begun.
    BrokenInAnswer,
}

/// What came back.
#[derive(Debug, Clone)]
pub(crate) enum Said {
    /// Nothing was sent: there is no gate now.
    Unsent,
    /// Nothing: the stream broke.
    Lost,
    /// An answer.
    Heard(Heard),
}

/// Calls a tool once, with a request id of its own.
pub(crate) async fn call(arena: &Arena, call: &Call, stream: Stream) -> Result<Said> {
    let number = arena.number();
    arena.agents.write(json!({
        "what": "ask", "n": number, "via": "mcp", "agent": call.agent, "marker": text(&call.arguments, "/marker"),
        "key": call.key, "tool": call.tool, "tasks": call.tasks, "body": call.arguments,
        "first": call.first,
    }))?;
    let mut meta = json!({ REASON: "chaos" });
    if let (Some(key), Some(map)) = (&call.key, meta.as_object_mut()) {
        map.insert(KEY.to_owned(), key.as_str().into());
    }
    let params = json!({ "name": call.tool, "arguments": call.arguments, "_meta": meta });
    match exchange(arena, (&call.agent, call.tasks), (number, "tools/call", params), stream).await? {
        Ok((status, message)) => {
            arena.proposals.fetch_add(1, Ordering::Relaxed);
            let heard = answer::of_call(&message);
            let mut line = heard.line(status);
            if let Some(map) = line.as_object_mut() {
                map.extend([("what".to_owned(), "answer".into()), ("n".to_owned(), number.into())]);
            }
            arena.agents.write(line)?;
            Ok(Said::Heard(heard))
        }
        Err(why) => {
            let unsent = was_not_sent(&why);
            arena
                .agents
                .write(json!({ "what": "lost", "n": number, "via": "mcp", "why": why, "unsent": unsent }))?;
            Ok(if unsent { Said::Unsent } else { Said::Lost })
        }
    }
}

/// How a client asks about a proposal, or withdraws it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Question {
    /// `gate_status`, and for how many seconds it waits.
    Status(u64),
    /// `gate_cancel`.
    Cancel,
    /// `tasks/get`.
    GetTask,
    /// `tasks/cancel`; the answer says only that it came.
    CancelTask,
}

/// Asks about a proposal of this agent.
pub(crate) async fn ask(arena: &Arena, agent: &str, id: &str, question: Question) -> Result<Said> {
    let tool = |name: &str, arguments: Value| json!({ "name": name, "arguments": arguments });
    let (method, params) = match question {
        Question::Status(0) => ("tools/call", tool("gate_status", json!({ "proposal": id }))),
        Question::Status(wait) => {
            ("tools/call", tool("gate_status", json!({ "proposal": id, "wait_seconds": wait })))
        }
        Question::Cancel => ("tools/call", tool("gate_cancel", json!({ "proposal": id }))),
        Question::GetTask => ("tasks/get", json!({ "taskId": id })),
        Question::CancelTask => ("tasks/cancel", json!({ "taskId": id })),
    };
    let asked = crate::clock::millis();
    let tasks = matches!(question, Question::GetTask | Question::CancelTask);
    let number = arena.number();
    let answered = exchange(arena, (agent, tasks), (number, method, params), Stream::Whole).await?;
    let Ok((status, message)) = answered else { return Ok(Said::Lost) };
    let heard = match (question, message.get("result")) {
        (Question::GetTask, Some(task)) => answer::of_task(task),
        _ => answer::of_status(&message),
    };
    let mut line = heard.line(status);
    if let Some(map) = line.as_object_mut() {
        let what = if question == Question::CancelTask { "withdrawal" } else { "read" };
        map.extend([
            ("what".to_owned(), what.into()),
            ("id".to_owned(), id.into()),
            ("asked".to_owned(), asked.into()),
        ]);
    }
    arena.agents.write(line)?;
    Ok(Said::Heard(heard))
}

/// Sends one message. The inner error is why no answer came; the outer one ends the run.
async fn exchange(
    arena: &Arena,
    (agent, tasks): (&str, bool),
    (number, method, mut params): (u64, &'static str, Value),
    stream: Stream,
) -> Result<std::result::Result<(u16, Value), String>> {
    let name = match text(&params, "/name") {
        "" => text(&params, "/taskId").to_owned(),
        name => name.to_owned(),
    };
    let capabilities = if tasks { json!({ "extensions": { TASKS: {} } }) } else { json!({}) };
    let mut meta = params.get("_meta").cloned().unwrap_or_else(|| json!({}));
    if let Some(map) = meta.as_object_mut() {
        map.extend([
            ("io.modelcontextprotocol/protocolVersion".to_owned(), REVISION.into()),
            ("io.modelcontextprotocol/clientCapabilities".to_owned(), capabilities),
            (
                "io.modelcontextprotocol/clientInfo".to_owned(),
                json!({ "name": "countersign-chaos", "version": "1" }),
            ),
        ]);
    }
    if let Some(map) = params.as_object_mut() {
        map.insert("_meta".to_owned(), meta);
    }
    let request = Request {
        method: "POST",
        path: "/mcp".to_owned(),
        bearer: arena.key_of(agent),
        more: vec![
            ("accept", "application/json, text/event-stream".to_owned()),
            ("mcp-protocol-version", REVISION.to_owned()),
            ("mcp-method", method.to_owned()),
            ("mcp-name", name),
            ("countersign-on-behalf-of", "ann".to_owned()),
        ],
        body: Some(json!({ "jsonrpc": "2.0", "id": number, "method": method, "params": params })),
        hang_up_in_answer: matches!(stream, Stream::BrokenInAnswer),
        ..Request::default()
    };
    let patience = if let Stream::BrokenAfter(time) = stream { time } else { PATIENCE };
    let address = arena.address.borrow().agents.clone();
    match send(&address, request, patience).await {
        Ok((status, body)) => Ok(Ok((status, answer::message(&body, number)?))),
        Err(error) => Ok(Err(error.to_string())),
    }
}
