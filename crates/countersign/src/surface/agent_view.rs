//! A record as its agent sees it. The card and the record that was read stay with the people.

use countersign_core::action::{Call, Undo};
use countersign_core::approval::{Deciders, Standing};
use countersign_core::decision::{Answer, DenyCode, PolicyRef};
use countersign_core::preview::RecordUse;
use countersign_core::proposal::{Binding, Record, State, StateName};
use countersign_core::time::Timestamp;

use super::App;
use super::message::{NO_PERMIT, message};
use super::person_view::line;
use crate::wire::{
    Advice, AgentCause, AgentProposal, AgentSummary, AgentUndo, Because, Need, PreviewHead, SentCall,
};

/// A proposal as its agent sees it. What depends on the record is here only when the manifest says so, and never in a
/// denial.
pub(crate) fn for_agent(app: &App, record: &Record) -> AgentProposal {
    let Binding { rendering, preview, intent, .. } = &record.binding;
    let disclosure = &preview.disclosure;
    let whole = sees_record(record);
    let policies: &[PolicyRef] = if hides_why(record) { &[] } else { &record.decision.policies };
    let shown = whole || !is_denied(record);
    let url = format!("/v1/proposals/{}", record.proposal.id);
    let mut body = AgentProposal {
        id: Some(record.proposal.id),
        state: record.state.name(),
        action: record.proposal.action.clone(),
        environment: rendering.environment.clone(),
        effects: if whole { rendering.effects.clone() } else { disclosure.effects.clone() },
        undo: rendering.risk.mutating.then(|| undo(&record.proposal.undo)),
        policies: policies.to_vec(),
        approved_by: record.standing_approvals().iter().map(|a| a.person.clone()).collect(),
        message: message_for_agent(record, &format!("ask for {url}")),
        next: Some(next(record.state.name())),
        url: Some(url),
        console_url: Some(format!("{}/proposals/{}", app.people_url, record.proposal.id)),
        resource: (whole || disclosure.resource).then(|| rendering.resource.clone()),
        // The digest covers values of the record, which could be guessed and compared.
        intent: whole.then_some(*intent),
        preview: shown.then(|| PreviewHead { fidelity: preview.fidelity, at: preview.at.to_rfc3339() }),
        needs: None,
        decide_by: None,
        use_by: None,
        status: None,
        result: None,
        cause: None,
        detail: None,
        rejected_by: None,
        reason: None,
        clock: None,
        superseded_by: None,
        dry_run: None,
        decision: None,
        call: None,
    };
    fill_in(&mut body, app, record);
    body
}

/// The same for a dry run: nothing has an id, and the call is shown.
pub(crate) fn for_dry_run(app: &App, record: &Record) -> AgentProposal {
    AgentProposal {
        id: None,
        next: None,
        url: None,
        console_url: None,
        dry_run: Some(true),
        decision: Some(answer_for_agent(record)),
        call: call_for_agent(record),
        message: "NOT DONE. A dry run: nothing was sent and nothing waits.".to_owned(),
        ..for_agent(app, record)
    }
}

fn undo(undo: &Undo) -> AgentUndo {
    AgentUndo { possible: undo.is_possible(), why: undo.why.clone() }
}

/// What an agent does next with a proposal in this state.
pub(super) const fn next(state: StateName) -> Advice {
    match state {
        StateName::Pending | StateName::Ready | StateName::Dispatched => Advice::Wait,
        // Whether it had an effect, whether it is still wanted: people say so.
        StateName::Failed | StateName::Unknown | StateName::Expired => Advice::Ask,
        StateName::Succeeded
        | StateName::Denied
        | StateName::Rejected
        | StateName::Refused
        | StateName::Cancelled
        | StateName::Superseded => Advice::Stop,
    }
}

/// A proposal in a list, for its agent. What it is in full, and its result, is read by its id.
pub(crate) fn summary_for_agent(record: &Record) -> AgentSummary {
    let Binding { rendering, preview, .. } = &record.binding;
    let effects = if sees_record(record) { &rendering.effects } else { &preview.disclosure.effects };
    AgentSummary {
        id: record.proposal.id,
        state: record.state.name(),
        action: record.proposal.action.clone(),
        environment: rendering.environment.clone(),
        effect: effects.first().map(|effect| line(effect)),
        created_at: record.proposal.created_at.to_rfc3339(),
        due: record.due().map(Timestamp::to_rfc3339),
    }
}

/// The answer of policy as the agent sees it.
fn answer_for_agent(record: &Record) -> Answer {
    if hides_why(record) {
        return Answer::Deny { code: DenyCode::NoPermit };
    }
    record.decision.answer.clone()
}

/// The call as the agent sees it in a dry run: not of a denial, and not with values of the record.
fn call_for_agent(record: &Record) -> Option<SentCall> {
    let shown = !is_denied(record) && (sees_record(record) || record.binding.preview.disclosure.call);
    let call = &record.binding.rendering.call;
    let kind = call.kind().to_owned();
    let Call::Http(call) = call;
    shown.then(|| SentCall {
        kind,
        method: call.method,
        url: call.url.clone(),
        headers: call.headers.clone(),
        body: call.body.as_ref().map(|(_, text)| text.clone()),
        credential: call.credential.clone(),
    })
}

fn is_denied(record: &Record) -> bool {
    matches!(record.decision.answer, Answer::Deny { .. })
}

/// Whether the agent may see what depends on the record.
fn sees_record(record: &Record) -> bool {
    match record.binding.preview.disclosure.record {
        RecordUse::Unused => true,
        RecordUse::Shared => !is_denied(record),
        RecordUse::Withheld => false,
    }
}

/// Whether the reason of a denial stays with the people: it may depend on the record that was read. The agent
/// is told the same as one whom no policy permits. That nobody is left to decide is told: it says no more than
/// the rules that a waiting proposal names.
fn hides_why(record: &Record) -> bool {
    let nobody = record.decision.answer == (Answer::Deny { code: DenyCode::NobodyMayDecide });
    is_denied(record) && !nobody && record.binding.preview.source.is_some()
}

/// What happened and what to do, for an agent. `again` says how it asks how its proposal stands, after "do not propose
/// this again".
pub(crate) fn message_for_agent(record: &Record, again: &str) -> String {
    if record.state.name() == StateName::Denied && hides_why(record) {
        return NO_PERMIT.to_owned();
    }
    message(record, again)
}

/// The fields that only some states have.
fn fill_in(body: &mut AgentProposal, app: &App, record: &Record) {
    body.status = record.response.as_ref().map(|r| r.status);
    body.result = record.response.as_ref().map(|r| r.body.clone());
    match &record.state {
        State::Pending { standing, decide_by } => {
            let able = app.gate.deciders(record);
            body.needs = Some(standing.iter().map(|rule| need(record, rule, &able)).collect());
            body.decide_by = Some(decide_by.to_rfc3339());
            body.detail.clone_from(&record.decision.detail);
        }
        State::Ready { use_by } => body.use_by = Some(use_by.to_rfc3339()),
        State::Failed { cause, .. } | State::Unknown { cause, .. } => {
            body.cause = Some(AgentCause::Call(*cause));
        }
        State::Rejected { by, reason, .. } => {
            body.rejected_by = Some(by.clone());
            body.reason = Some(reason.clone());
        }
        State::Expired { clock, .. } => body.clock = Some(*clock),
        State::Superseded { by, .. } => body.superseded_by = Some(*by),
        State::Refused { code, detail, .. } => {
            body.cause = Some(AgentCause::Refused(*code));
            body.detail = Some(detail.clone());
        }
        State::Denied { .. } if hides_why(record) => {
            body.cause = Some(AgentCause::Denied(DenyCode::NoPermit));
        }
        State::Denied { code } => {
            body.cause = Some(AgentCause::Denied(*code));
            body.detail.clone_from(&record.decision.detail);
        }
        State::Succeeded { .. } | State::Dispatched { .. } | State::Cancelled { .. } => {}
    }
}

fn need(record: &Record, standing: &Standing, able: &[Deciders]) -> Need {
    let rule = &standing.rule;
    let asking = record.decision.gates().iter().filter(|gate| gate.rules.contains(rule));
    let because =
        asking.map(|g| Because { policy: g.policy.id.clone(), reason: g.policy.reason.clone() }).collect();
    let people = able.iter().find(|deciders| deciders.rule == *rule).map(Deciders::to_text);
    let people = people.unwrap_or_default();
    Need { rule: rule.clone(), have: standing.have, want: standing.want, people, because }
}
