//! The card in a terminal: the same facts as in the console and in the same order, the agent's own words last.

use countersign_core::action::Call;
use countersign_core::preview::{Change, Preview};
use countersign_core::proposal::State;
use countersign_core::text::is_suspicious;

use crate::shell::{Output, Tone};
use crate::surface::{IRREVERSIBLE, OUTSIDE, if_sent_twice, is_irreversible, label, meaning, touched};
use crate::wire::PersonProposal;

/// Prints everything that a person decides on.
pub(super) fn card(shown: &PersonProposal, output: &mut Output) {
    head(shown, output);
    asks(shown, output);
    changes(shown, output);
    call(shown, output);
    prints(shown, output);
    words(shown, output);
    output.line(&format!("  {}", shown.message));
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
    if serde_json::to_string(card).is_ok_and(|text| is_suspicious(&text)) {
        output.toned(
            Tone::Caution,
            "  Letters of another alphabet pass for Latin ones; each is followed by its code.",
        );
    }
    field(output, "state", label(shown.state.name()));
    field(output, "action", &format!("{}: {}, in {}", card.action, card.title, card.environment));
    let who: Vec<String> =
        card.who.iter().map(|who| format!("{} ({}, {})", who.name, who.id, who.known)).collect();
    field(output, "who", &who.join(" → "));
}

fn asks(shown: &PersonProposal, output: &mut Output) {
    let card = &shown.card;
    if card.gates.is_empty() {
        field(output, "asks", &format!("No rule asks for people. The policy's answer is {}.", card.answer));
    }
    for gate in &card.gates {
        let policy = &gate.policy;
        field(output, "asks", &format!("{} ({}, {})", policy.reason, policy.id, gate.rules.join(", ")));
    }
    if let Some(first) = &card.asks {
        field(output, "first", first);
    }
    match &shown.state {
        State::Pending { standing, decide_by } => {
            for rule in standing {
                let able = shown.deciders.iter().find(|able| able.rule == rule.rule);
                let able = able.map(|able| format!(": {}", able.to_text())).unwrap_or_default();
                field(
                    output,
                    "approvals",
                    &format!("{} of {} from {}{able}", rule.have, rule.want, rule.rule),
                );
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
    for given in &shown.approvals {
        let counts = given.answers_to(&card.intent, &card.decision);
        let void = if counts { "" } else { ", no longer counts" };
        let comment = if given.comment.is_empty() { String::new() } else { format!(": {}", given.comment) };
        field(output, "approved", &format!("{} at {}{void}{comment}", given.person, given.at.to_rfc3339()));
    }
}

fn changes(shown: &PersonProposal, output: &mut Output) {
    let card = &shown.card;
    let preview = &card.preview;
    let source = preview.source.as_ref().map(|source| format!(" Read with {source}")).unwrap_or_default();
    let how = format!("{}: {}{source}", preview.fidelity.name(), meaning(preview.fidelity));
    field(output, "preview", &format!("{how} at {}", preview.at.to_rfc3339()));
    for change in preview.changes() {
        let (before, after) = (value(preview, &change, Side::Before), value(preview, &change, Side::After));
        output.line(&format!("    {} {}: {before} → {after}", change.op, change.path));
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

#[derive(Clone, Copy)]
enum Side {
    Before,
    After,
}

/// A value of the record, as money first when the manifest says that it is.
fn value(preview: &Preview, change: &Change<'_>, side: Side) -> String {
    let (value, record) = match side {
        Side::Before => (change.before, preview.before.as_ref()),
        Side::After => (change.after, preview.after.as_ref()),
    };
    let Some(value) = value else { return "not there".to_owned() };
    match record.and_then(|record| preview.money_at(change.path, record)) {
        Some(money) => format!("{money} ({value})"),
        None => value.to_string(),
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
        field(output, "body", &format!("{kind}: {text}"));
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
    field(output, "proposal", &format!("{}, proposed {}", card.id, shown.created_at));
}

fn words(shown: &PersonProposal, output: &mut Output) {
    let words = &shown.written_by_the_agent;
    if words.reason.is_none() && words.run.is_none() && words.evidence.is_empty() {
        return;
    }
    output.line("  written by the agent, not verified:");
    let mut block = |name: &str, text: &str| {
        output.line(&format!("    {name}:"));
        text.lines().for_each(|line| output.line(&format!("      {line}")));
    };
    if let Some(reason) = &words.reason {
        block("its reason", reason);
    }
    if let Some(run) = &words.run {
        block("its run", run);
    }
    for piece in &words.evidence {
        let pretty = || serde_json::to_string_pretty(&piece.body).unwrap_or_default();
        let body = piece.body.as_str().map_or_else(pretty, ToOwned::to_owned);
        block(&format!("attached, {}", piece.title), &body);
    }
}

/// One part of the card: its name, then what it is.
fn field(output: &mut Output, name: &str, text: &str) {
    output.row(&[("", 0), (name, 10), (text, 0)]);
}
