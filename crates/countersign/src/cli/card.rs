//! The card in a terminal: the same facts as in the console, the agent's own words last.

use countersign_core::action::Call;
use countersign_core::approval::Deciders;
use countersign_core::proposal::{State, StateName};
use countersign_core::text::{is_suspicious, visible_lines};
use serde_json::Value;

use crate::shell::{Output, Tone};
use crate::surface::{
    IRREVERSIBLE, OUTSIDE, changes, if_sent_twice, is_irreversible, label, meaning, touched, why,
};
use crate::wire::{GivenApproval, PersonProposal};

/// Prints everything that a person decides on.
pub(super) fn card(shown: &PersonProposal, output: &mut Output) {
    head(shown, output);
    state(shown, output);
    asks(shown, output);
    decision(shown, output);
    difference(shown, output);
    call(shown, output);
    prints(shown, output);
    words(shown, output);
}

fn head(shown: &PersonProposal, output: &mut Output) {
    let card = &shown.card;
    output.toned(Tone::Strong, &card.headline);
    let mut risk: Vec<String> = card.money.iter().cloned().collect();
    risk.push(touched(&card.risk));
    risk.extend(card.risk.external.then(|| OUTSIDE.to_owned()));
    field(output, "risk", &risk.join(", "));
    if is_irreversible(card) {
        output.toned(Tone::Danger, &format!("  {IRREVERSIBLE}"));
    }
    let texts = serde_json::to_value(card).unwrap_or_default();
    if any(&texts, &|text| visible_lines(text).iter().any(|line| line.altered)) {
        output.toned(Tone::Caution, "  Unusual characters are shown as codes such as <U+202E>.");
    }
    if any(&texts, &is_suspicious) {
        output.toned(
            Tone::Caution,
            "  Letters of another alphabet pass for Latin ones; each is followed by its code.",
        );
    }
    field(output, "action", &format!("{}: {}, in {}", card.action, card.title, card.environment));
    let who: Vec<String> =
        card.who.iter().map(|who| format!("{} ({} {}, {})", who.name, who.kind, who.id, who.known)).collect();
    field(output, "who", &who.join(" → "));
}

/// Whether any text of a document is so.
fn any(document: &Value, is_so: &dyn Fn(&str) -> bool) -> bool {
    match document {
        Value::String(text) => is_so(text),
        Value::Array(items) => items.iter().any(|item| any(item, is_so)),
        Value::Object(fields) => fields.iter().any(|(name, value)| is_so(name) || any(value, is_so)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

fn state(shown: &PersonProposal, output: &mut Output) {
    field(output, "state", &format!("{}. {}", label(shown.state.name()), shown.message));
    if let Some(answer) = &shown.response {
        field(output, "answer", &format!("{} {}: {}", answer.status, answer.content_type, answer.body));
        if answer.scrubbed {
            output.toned(Tone::Caution, "  A secret was found in the answer and removed.");
        }
    }
}

fn asks(shown: &PersonProposal, output: &mut Output) {
    let card = &shown.card;
    if card.gates.is_empty() {
        field(output, "asks", &format!("No rule asks for people. The policy's answer is {}.", card.answer));
    }
    for gate in &card.gates {
        let policy = &gate.policy;
        field(output, "asks", &format!("{} ({}, {})", why(policy), policy.id, gate.rules.join(", ")));
    }
    if let Some(first) = &card.asks {
        field(output, "first", first);
    }
    match &shown.state {
        State::Pending { standing, decide_by } => {
            for rule in standing {
                let able = shown.deciders.iter().find(|able| able.rule == rule.rule);
                let able = able.map(Deciders::to_text).unwrap_or_default();
                approvals(output, (&rule.rule, rule.have, rule.want), &able);
            }
            field(output, "decide by", &decide_by.to_rfc3339());
        }
        State::Ready { use_by } => field(output, "used by", &use_by.to_rfc3339()),
        State::Denied { .. }
        | State::Dispatched { .. }
        | State::Succeeded { .. }
        | State::Failed { .. }
        | State::Unknown { .. }
        | State::Rejected { .. }
        | State::Expired { .. }
        | State::Cancelled { .. }
        | State::Superseded { .. }
        | State::Refused { .. } => {}
    }
}

/// How far a rule has come, and who can decide under it.
fn approvals(output: &mut Output, (rule, have, want): (&str, u32, u32), able: &str) {
    let able = if able.is_empty() { String::new() } else { format!(": {able}") };
    field(output, "approvals", &format!("{have} of {want} from {rule}{able}"));
}

/// What people have decided, and what is this person's to do.
fn decision(shown: &PersonProposal, output: &mut Output) {
    for GivenApproval { name, counts, approval } in &shown.approvals {
        let void = if *counts { "" } else { ", no longer counts" };
        let comment = &approval.comment;
        let comment = if comment.is_empty() { String::new() } else { format!(": {comment}") };
        let (person, at) = (&approval.person, approval.at.to_rfc3339());
        block(output, "approved", &format!("{name} ({person}) at {at}{void}{comment}"));
    }
    if shown.yours {
        field(output, "yours", "You can approve or reject it.");
    } else if shown.state.name() == StateName::Pending {
        shown.why_not.iter().for_each(|reason| field(output, "not yours", reason));
    }
    if shown.confirm {
        field(output, "for you", "The agent says that it acts for you. Confirm it if you asked for this.");
    }
}

fn difference(shown: &PersonProposal, output: &mut Output) {
    let (card, preview) = (&shown.card, &shown.card.preview);
    field(output, "preview", &format!("{}: {}", preview.fidelity.name(), meaning(preview.fidelity)));
    let changes = changes(preview);
    for change in &changes.changed {
        field(output, change.kind, &change.to_text());
    }
    if let Some(note) = changes.note {
        field(output, "note", note);
    }
    let same = if preview.after.is_some() { "unchanged" } else { "now" };
    for (name, value) in &changes.same {
        field(output, same, &format!("{name}: {}", value.to_text()));
    }
    let at = preview.at.to_rfc3339();
    match &preview.source {
        Some(source) => field(output, "read with", &format!("{source} at {at}")),
        None => field(output, "made at", &at),
    }
    if card.effects.is_empty() {
        output.toned(Tone::Caution, "  The action does not say what will happen.");
    }
    for effect in card.effects.iter().skip(1) {
        field(output, "also", effect);
    }
    if card.risk.mutating {
        field(output, "way back", &card.undo);
        field(
            output,
            "owner",
            shown.owner.as_deref().unwrap_or("nobody: the action is no longer registered"),
        );
        field(output, "guard", &card.guard);
    }
}

fn call(shown: &PersonProposal, output: &mut Output) {
    let card = &shown.card;
    let Call::Http(call) = &card.call;
    field(output, "call", &card.call.line());
    for (name, value) in &call.headers {
        field(output, "header", &format!("{name}: {value}"));
    }
    if let Some((kind, text)) = &call.body {
        field(output, "header", &format!("content-type: {kind}"));
        block(output, "body", text);
    }
    match card.call.credential() {
        Some(name) => field(output, "credential", &format!("{name}, added when it is sent")),
        None => field(output, "credential", "none"),
    }
    field(output, "sent twice", if_sent_twice(call.effect));
    field(output, "input", &card.input.to_string());
}

fn prints(shown: &PersonProposal, output: &mut Output) {
    let card = &shown.card;
    field(output, "intent", &card.intent.to_string());
    field(output, "decision", &card.decision.to_string());
    field(output, "card", &shown.view.map(|view| view.to_string()).unwrap_or_default());
    field(output, "policies", &card.policy_set.to_string());
    field(output, "proposal", &card.id);
    field(output, "proposed", &shown.created_at);
}

fn words(shown: &PersonProposal, output: &mut Output) {
    let words = &shown.written_by_the_agent;
    if words.reason.is_none() && words.run.is_none() && words.evidence.is_empty() {
        return;
    }
    output.line("  written by the agent, not verified:");
    if let Some(reason) = &words.reason {
        paragraph(output, "its reason", reason);
    }
    if let Some(run) = &words.run {
        paragraph(output, "its run", run);
    }
    for piece in &words.evidence {
        let name = format!("attached, {}", piece.title);
        if let Some(text) = piece.body.as_str() {
            paragraph(output, &name, text);
            continue;
        }
        paragraph(output, &name, "");
        // The indentation is ours.
        let pretty = serde_json::to_string_pretty(&piece.body).unwrap_or_default();
        pretty.lines().for_each(|line| output.line(&format!("      {line}")));
    }
}

/// What the agent wrote, below its name.
fn paragraph(output: &mut Output, name: &str, text: &str) {
    output.line(&format!("    {name}:"));
    if !text.is_empty() {
        visible_lines(text).iter().for_each(|line| output.row(&[("", 4), (&line.text, 0)]));
    }
}

/// One part of the card: its name, then what it is.
fn field(output: &mut Output, name: &str, text: &str) {
    output.row(&[("", 0), (name, 10), (text, 0)]);
}

/// The same for text of several lines: the others stand below the first.
fn block(output: &mut Output, name: &str, text: &str) {
    for (number, line) in visible_lines(text).iter().enumerate() {
        field(output, if number == 0 { name } else { "" }, &line.text);
    }
}
