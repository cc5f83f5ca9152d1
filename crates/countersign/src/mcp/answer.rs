//! What a call is answered with. Only what was done is no error: a model must not read anything else as success.

use std::fmt::Write as _;

use countersign_core::action::OutputSchema;
use countersign_core::proposal::{Record, StateName};
use rmcp::model::{CallToolResult, ContentBlock, MetaObject};
use serde::Serialize;
use serde_json::Value;

use crate::surface::{self, App};
use crate::wire::{Advice, AgentProposal, ProblemBody};

/// The member of `_meta` with the whole proposal, for programs.
const PROPOSAL: &str = "countersign.dev/proposal";
/// The member of `_meta` with the whole problem, for programs.
const PROBLEM: &str = "countersign.dev/problem";

/// A proposal as the answer to the call that made it, or that found it there.
pub(super) fn of_record(app: &App, record: &Record, was_there: bool) -> CallToolResult {
    let proposal = view(app, record);
    let mut result = if record.state.name() == StateName::Succeeded {
        let rules = app.gate.ruleset();
        let output =
            rules.registry.get(record.proposal.action.as_str()).and_then(|action| action.output.as_ref());
        done(&proposal, was_there, output)
    } else {
        CallToolResult::error(vec![ContentBlock::text(standing(&proposal))])
    };
    result.meta = with_member(PROPOSAL, &proposal);
    result
}

/// How a proposal stands, as the answer to who asked for it.
pub(super) fn of_status(app: &App, record: &Record) -> CallToolResult {
    let proposal = view(app, record);
    let mut result = CallToolResult::success(vec![ContentBlock::text(standing(&proposal))]);
    result.meta = with_member(PROPOSAL, &proposal);
    result
}

/// What would happen.
pub(super) fn of_preview(app: &App, record: &Record) -> CallToolResult {
    let proposal = surface::for_dry_run(app, record);
    let mut text = standing(&proposal);
    if let Some(call) = &proposal.call {
        let call = serde_json::to_string(call).unwrap_or_default();
        let _ = write!(text, "\nWhat would be sent: {call}");
    }
    let mut result = CallToolResult::success(vec![ContentBlock::text(text)]);
    result.meta = with_member(PROPOSAL, &proposal);
    result
}

/// A refused call of an action. Its message says NOT DONE where that is certain.
pub(super) fn of_refused_call(problem: &ProblemBody) -> CallToolResult {
    let again = " That is true of this call: if the same call was sent before, it may have been done. Send it again \
                 later, and you get what became of it.";
    refused(problem, if problem.next == Advice::Wait { again } else { "" })
}

/// A refused question.
pub(super) fn of_problem(problem: &ProblemBody) -> CallToolResult {
    refused(problem, "")
}

fn refused(problem: &ProblemBody, more: &str) -> CallToolResult {
    let mut text = format!("{}{more}", problem.message);
    // What has no place is in the message already.
    for error in problem.errors.iter().flatten().filter(|error| !error.pointer.is_empty()) {
        let _ = write!(text, "\n{}: {}", error.pointer, error.detail);
    }
    let mut result = CallToolResult::error(vec![ContentBlock::text(text)]);
    result.meta = with_member(PROBLEM, problem);
    result
}

/// A proposal as its agent sees it, with what to call instead of what to ask for over HTTP.
fn view(app: &App, record: &Record) -> AgentProposal {
    let again = format!("call `gate_status` with {{\"proposal\": \"{}\"}}", record.proposal.id);
    let message = surface::message_for_agent(record, &again);
    AgentProposal { message, url: None, ..surface::for_agent(app, record) }
}

/// The upstream's answer, as the tool's own result. Clients refuse a result that the tool's output schema does not
/// describe, so such an answer is shown as text, and the text says that it was done.
fn done(proposal: &AgentProposal, was_there: bool, output: Option<&OutputSchema>) -> CallToolResult {
    let result = proposal.result.clone().unwrap_or(Value::Null);
    // A text is shown as it is, everything else as JSON.
    let shown = result.as_str().map_or_else(|| result.to_string(), ToOwned::to_owned);
    let mut content = Vec::new();
    if was_there {
        let id = proposal.id.map(|id| id.to_string()).unwrap_or_default();
        content.push(ContentBlock::text(format!(
            "ALREADY DONE. The same call was made before as {id}, and this is its result; nothing was done again."
        )));
    }
    let mistakes = output.map(|output| output.mistakes(&result)).unwrap_or_default();
    if !mistakes.is_empty() {
        let mut text =
            "DONE, and not to be called again. But the upstream's answer is not what the tool's output \
                        schema says:"
                .to_owned();
        for mistake in mistakes {
            let place = if mistake.pointer.is_empty() { "the answer" } else { mistake.pointer.as_str() };
            let _ = write!(text, "\n{place}: {}", mistake.detail);
        }
        content.push(ContentBlock::text(format!("{text}\nThe upstream's answer: {shown}")));
        return CallToolResult::error(content);
    }
    content.push(ContentBlock::text(shown));
    let mut answer = CallToolResult::success(content);
    answer.structured_content = Some(result).filter(Value::is_object);
    answer
}

/// Where it is, what it is about, whom it waits for, and what the upstream said.
fn standing(proposal: &AgentProposal) -> String {
    let mut text = proposal.message.clone();
    let mut line = |name: &str, what: &str| {
        let _ = write!(text, "\n{name}: {what}");
    };
    for effect in &proposal.effects {
        line("What it does", effect);
    }
    for because in proposal.needs.iter().flatten().flat_map(|need| &need.because) {
        line("Why people are asked", &format!("{} ({})", because.reason, because.policy));
    }
    for need in proposal.needs.iter().flatten().filter(|need| need.have < need.want) {
        line("Who can decide", &format!("{}, under the rule {}", need.people, need.rule));
    }
    if let Some(due) = &proposal.decide_by {
        line("Until", due);
    }
    // Where nothing waits for people, nobody has to open it.
    if let Some(url) = proposal.console_url.as_ref().filter(|_| proposal.needs.is_some()) {
        line("Where people see and decide it", url);
    }
    if let Some(result) = &proposal.result {
        line("The upstream's answer", &result.to_string());
    }
    text
}

fn with_member(name: &str, value: &impl Serialize) -> Option<MetaObject> {
    let value = serde_json::to_value(value).ok()?;
    let mut meta = MetaObject::new();
    meta.insert(name.to_owned(), value);
    Some(meta)
}
