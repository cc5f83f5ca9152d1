//! What an answer over MCP says: as a model reads it, by its texts and `isError`, and as a program does, by `_meta`.
//! This is the contract of docs/guide/mcp.md written a second time, as the checker must not learn it from the gate.

use serde_json::{Value, json};

use crate::Result;
use crate::ledger::text;

/// How much of a text is kept for a message.
const TEXT_CHARS_MAX: usize = 160;

/// What a model takes an answer to mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    /// It was done by this call.
    Done,
    /// The same call was made before, and that was done.
    AlreadyDone,
    /// It was not done, or not yet.
    NotDone,
    /// Nothing is said about that.
    Unclear,
    /// The text says that it was not done, and the result says that it was.
    Both,
}

impl Reading {
    /// As it is written to the ledger.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::AlreadyDone => "already done",
            Self::NotDone => "not done",
            Self::Unclear => "unclear",
            Self::Both => "both",
        }
    }
}

/// An answer. A text is empty where the answer does not have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Heard {
    pub(crate) reading: Reading,
    /// The proposal that stands for the call.
    pub(crate) id: String,
    pub(crate) state: String,
    pub(crate) cause: String,
    /// Why the call was refused.
    pub(crate) code: String,
    /// The call goes on as a task.
    pub(crate) task: bool,
    /// What a model reads.
    pub(crate) text: String,
}

impl Heard {
    /// The members that answers have in the agents' ledger.
    pub(crate) fn line(&self, status: u16) -> Value {
        json!({
            "via": "mcp", "status": status, "code": self.code, "id": self.id, "state": self.state,
            "cause": self.cause, "said": self.reading.name(),
            "message": self.text.chars().take(TEXT_CHARS_MAX).collect::<String>(),
        })
    }
}

/// The JSON-RPC message in the body of an answer: the body itself, or the last event of a stream that is an answer.
pub(crate) fn message(body: &Value, request: u64) -> Result<Value> {
    let found = body.as_str().map_or_else(|| body.clone(), |stream| events(stream).pop().unwrap_or_default());
    let of_another = |id: &Value| !id.is_null() && *id != json!(request);
    // A problem of the listener is no message; its `id` is a proposal's.
    if found.get("jsonrpc").is_some() && found.get("id").is_some_and(of_another) {
        return Err(
            format!("request {request} was answered with what belongs to another one: {found}").into()
        );
    }
    Ok(found)
}

/// The messages with a result or an error in a stream of server-sent events.
fn events(stream: &str) -> Vec<Value> {
    let stream = stream.replace("\r\n", "\n");
    let data = |event: &str| {
        let lines = event.lines().filter_map(|line| line.strip_prefix("data:"));
        lines.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect::<Vec<_>>().join("\n")
    };
    let read = |event: &str| serde_json::from_str::<Value>(&data(event)).ok();
    let answers = |message: &Value| message.get("result").is_some() || message.get("error").is_some();
    stream.split("\n\n").filter_map(read).filter(answers).collect()
}

/// What the answer to a call of an action's tool says.
pub(crate) fn of_call(message: &Value) -> Heard {
    match message.get("result") {
        Some(result) if text(result, "/resultType") == "task" => of_task(result),
        Some(result) => of_result(result),
        // A problem of the listener, or an error of the protocol.
        None => of_error(message),
    }
}

/// The result of a tool that proposes: only what was done is no error.
fn of_result(result: &Value) -> Heard {
    let said = texts(result);
    let error = result.get("isError") == Some(&Value::Bool(true));
    let reading = match (by_text(&said), error) {
        (Reading::NotDone, false) | (Reading::AlreadyDone, true) => Reading::Both,
        (Reading::Unclear | Reading::Done, false) => Reading::Done,
        (reading, _) => reading,
    };
    told(reading, said, result)
}

/// What `gate_status` and `gate_cancel` answer. The question was answered, so `isError` says nothing of the proposal.
pub(crate) fn of_status(message: &Value) -> Heard {
    match message.get("result") {
        Some(result) => {
            let said = texts(result);
            told(by_text(&said), said, result)
        }
        None => of_error(message),
    }
}

/// A task as it was created, or as `tasks/get` finds it. Its id is the proposal's.
pub(crate) fn of_task(task: &Value) -> Heard {
    let id = text(task, "/taskId").to_owned();
    let said = text(task, "/statusMessage").to_owned();
    let (state, reading) = match text(task, "/status") {
        "completed" => {
            let inner = of_result(task.get("result").unwrap_or(&Value::Null));
            return Heard { id, ..inner };
        }
        // Nobody knows its outcome, and it must not be repeated.
        "failed" => ("unknown", Reading::Unclear),
        "cancelled" => ("cancelled", by_text(&said)),
        _ => ("", by_text(&said)),
    };
    let (cause, code, task) = (String::new(), String::new(), state.is_empty());
    Heard { reading, id, state: state.to_owned(), cause, code, task, text: said }
}

fn of_error(message: &Value) -> Heard {
    // A listener's problem has its members at the top, an error of the protocol below `error`.
    let said = [text(message, "/message"), text(message, "/detail"), text(message, "/error/message")];
    let said = said.into_iter().find(|text| !text.is_empty()).unwrap_or_default().to_owned();
    let code = match (text(message, "/code"), message.pointer("/error/code")) {
        ("", Some(code)) => code.to_string(),
        (code, _) => code.to_owned(),
    };
    let id = text(message, "/id").to_owned();
    let reading = by_text(&said);
    Heard { reading, id, state: String::new(), cause: String::new(), code, task: false, text: said }
}

fn told(reading: Reading, said: String, result: &Value) -> Heard {
    let meta = |name: &str| result.get("_meta").and_then(|meta| meta.get(name)).unwrap_or(&Value::Null);
    let (proposal, problem) = (meta("countersign.dev/proposal"), meta("countersign.dev/problem"));
    let id = [text(proposal, "/id"), text(problem, "/id")].into_iter().find(|id| !id.is_empty());
    Heard {
        reading,
        id: id.unwrap_or_default().to_owned(),
        state: text(proposal, "/state").to_owned(),
        cause: text(proposal, "/cause").to_owned(),
        code: text(problem, "/code").to_owned(),
        task: false,
        text: said,
    }
}

fn texts(result: &Value) -> String {
    let blocks = result.get("content").and_then(Value::as_array).into_iter().flatten();
    blocks.map(|block| text(block, "/text")).collect::<Vec<_>>().join("\n")
}

fn by_text(said: &str) -> Reading {
    if said.starts_with("NOT DONE") {
        Reading::NotDone
    } else if said.starts_with("ALREADY DONE") {
        Reading::AlreadyDone
    } else if said.starts_with("Done.") {
        Reading::Done
    } else {
        Reading::Unclear
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(error: bool, says: &str, state: &str) -> Value {
        let proposal = json!({ "countersign.dev/proposal": { "id": "prp_a", "state": state } });
        json!({ "id": 7, "result": { "isError": error, "content": [{ "type": "text", "text": says }],
                "_meta": proposal } })
    }

    fn heard(message: &Value) -> (Reading, String, String, String) {
        let heard = of_call(message);
        (heard.reading, heard.id, heard.state, heard.code)
    }

    #[test]
    fn an_answer_is_read_as_a_model_reads_it() {
        for (error, says, state, reading) in [
            (false, "{\"done\":true}", "succeeded", Reading::Done),
            (
                false,
                "ALREADY DONE. The same call was made before as prp_a",
                "succeeded",
                Reading::AlreadyDone,
            ),
            (true, "NOT DONE. Waiting for approval (0 of 1 from finance).", "pending", Reading::NotDone),
            (true, "Being sent; the result is not recorded yet.", "dispatched", Reading::Unclear),
            (true, "It is not known whether this was done: no answer.", "unknown", Reading::Unclear),
            // What no gate should say.
            (false, "NOT DONE. frank rejected it.", "rejected", Reading::Both),
            (true, "ALREADY DONE.", "succeeded", Reading::Both),
        ] {
            let read = heard(&result(error, says, state));
            assert_eq!(read, (reading, "prp_a".to_owned(), state.to_owned(), String::new()), "{says}");
        }
    }

    #[test]
    fn refusals_and_errors_are_read() {
        let problem = json!({ "countersign.dev/problem": { "code": "in_doubt", "id": "prp_b" } });
        let in_doubt = json!({ "result": { "isError": true, "content": [{ "text": "It is not known" }],
                                           "_meta": problem } });
        let of_listener = json!({ "status": 503, "code": "busy", "message": "NOT DONE: busy." });
        let of_protocol = json!({ "id": 1, "error": { "code": -32603, "message": "Something broke." } });
        for (message, reading, id, code) in [
            (in_doubt, Reading::Unclear, "prp_b", "in_doubt"),
            (of_listener, Reading::NotDone, "", "busy"),
            (of_protocol, Reading::Unclear, "", "-32603"),
        ] {
            let read = heard(&message);
            assert_eq!(read, (reading, id.to_owned(), String::new(), code.to_owned()), "{message}");
        }
    }

    #[test]
    fn tasks_are_read() {
        let working = json!({ "resultType": "task", "taskId": "prp_t", "status": "working",
                              "statusMessage": "NOT DONE. Waiting for approval." });
        let read = of_call(&json!({ "result": working }));
        assert_eq!((read.task, read.reading, read.id.as_str()), (true, Reading::NotDone, "prp_t"));
        assert_eq!(read.state, "");
        let done = result(false, "{}", "succeeded")["result"].clone();
        for (task, state, reading) in [
            (json!({ "status": "completed", "result": done }), "succeeded", Reading::Done),
            (json!({ "status": "failed", "error": {} }), "unknown", Reading::Unclear),
            (json!({ "status": "cancelled", "statusMessage": "NOT DONE." }), "cancelled", Reading::NotDone),
        ] {
            let read = of_task(&task);
            assert_eq!((read.task, read.state.as_str(), read.reading), (false, state, reading), "{task}");
        }
    }

    #[test]
    fn the_message_is_found_in_a_stream_and_belongs_to_its_request() {
        let stream = "event: message\r\ndata: {\"method\":\"notifications/progress\"}\r\n\r\n\
                      id: 1\r\ndata: {\"jsonrpc\":\"2.0\",\"id\":7,\r\ndata: \"result\":{}}\r\n\r\n: over\r\n\r\n";
        let found = message(&Value::String(stream.to_owned()), 7).unwrap();
        assert_eq!(found, json!({ "jsonrpc": "2.0", "id": 7, "result": {} }));
        assert!(message(&json!({ "jsonrpc": "2.0", "id": 8, "result": {} }), 7).is_err());
        assert_eq!(message(&Value::String("gone".to_owned()), 7).unwrap(), Value::Null);
    }
}
