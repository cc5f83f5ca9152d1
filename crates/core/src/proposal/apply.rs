//! The one function that moves a proposal, and the one that opens it.

use serde_json::{Value, json};

use super::{
    Binding, Clock, Event, EventName, Proposal, Record, RefusedCode, Revision, State, StateName, Step,
    StoredParts,
};
use crate::approval::{Approval, Standing};
use crate::audit::{Actor, Entry, EventCode};
use crate::decision::{Decision, Verdict};
use crate::id::AttemptId;
use crate::outcome::{Outcome, Response};
use crate::refusal::Refusal;
use crate::time::Timestamp;

/// Opens a proposal in the state that policy's decision leads to.
pub fn open(
    proposal: Proposal,
    binding: Binding,
    decision: Decision,
    standing: Vec<Standing>,
    deadlines: (Timestamp, Timestamp),
) -> Step {
    let (decide_by, use_by) = deadlines;
    let (state, event) = match &decision.verdict {
        Verdict::Deny { code } => (State::Denied { code: *code }, EventCode::Denied),
        Verdict::NeedsApproval { .. } => (State::Pending { standing, decide_by }, EventCode::Pending),
        Verdict::Allow => (State::Ready { use_by }, EventCode::Allowed),
    };
    let data = opened(&proposal, &binding, &decision, needs(&state));
    let entry = Entry::new(proposal.created_at, event, agent(&proposal), data).about(proposal.id, 1);
    // Nobody will decide on what is denied: the log's commitment to what was attached is enough, and an agent that is
    // always refused cannot fill the database with it.
    let evidence = if state.name() == StateName::Denied { Vec::new() } else { proposal.evidence };
    let proposal = Proposal { evidence, ..proposal };
    let (approvals, parts) = (Vec::new(), StoredParts::default());
    let record = Record { proposal, binding, decision, approvals, state, version: 1, parts };
    Step { record, from_version: 0, from: None, entries: vec![entry] }
}

/// Moves a proposal, or says why not. Nothing else changes a state.
///
/// INVARIANT: every pair of state and event is decided here and nowhere else (the matrix snapshot).
#[expect(
    clippy::too_many_lines,
    reason = "one match over every pair; in pieces it could not be checked whole"
)]
pub fn apply(record: &Record, event: &Event, now: Timestamp) -> Result<Step, Refusal> {
    let denied =
        || Err(Refusal::WrongState { state: record.state.name().as_str(), verb: event.name().past() });
    match (&record.state, event) {
        (State::Pending { decide_by, .. }, Event::Approve { approval, standing, use_by }) => {
            in_time(*decide_by, now, event.name())?;
            approve(record, approval, standing, *use_by, now)
        }
        (State::Pending { decide_by, .. }, Event::Reject { person, reason, channel }) => {
            in_time(*decide_by, now, event.name())?;
            let state = State::Rejected { by: person.clone(), reason: reason.clone(), at: now };
            let data = json!({ "reason": reason, "channel": channel, "intent": record.binding.intent });
            Ok(step(record, state, EventCode::Rejected, Actor::Person { id: person.clone() }, data, now))
        }
        (State::Pending { decide_by, .. }, Event::Confirm { person, revision }) => {
            in_time(*decide_by, now, event.name())?;
            confirm(record, person, revision, now)
        }
        (State::Pending { .. } | State::Ready { .. }, Event::Cancel { by }) => {
            let state = State::Cancelled { by: by.clone(), at: now };
            Ok(step(record, state, EventCode::Cancelled, by.clone(), json!({}), now))
        }
        (State::Pending { decide_by: due, .. } | State::Ready { use_by: due }, Event::Expire) => {
            if now < *due {
                return denied();
            }
            let clock = if record.state.name() == StateName::Ready { Clock::UseBy } else { Clock::DecideBy };
            let data = json!({ "clock": clock });
            Ok(step(record, State::Expired { at: now, clock }, EventCode::Expired, Actor::Gate, data, now))
        }
        (State::Pending { .. } | State::Ready { .. }, Event::Supersede { by }) => {
            let state = State::Superseded { by: *by, at: now };
            Ok(step(record, state, EventCode::Superseded, Actor::Gate, json!({ "by": by }), now))
        }
        (State::Pending { decide_by: due, .. } | State::Ready { use_by: due }, Event::Revise { .. }) => {
            // A revision brings new deadlines, so a late one would revive what has expired.
            in_time(*due, now, event.name())?;
            revise(record, event, now)
        }
        (State::Pending { .. } | State::Ready { .. }, Event::Refuse { code, detail }) => {
            let state = State::Refused { code: *code, detail: detail.clone(), at: now };
            let data = json!({ "code": code, "detail": detail });
            Ok(step(record, state, EventCode::Refused, Actor::Gate, data, now))
        }
        (State::Ready { use_by }, Event::Dispatch { .. }) => {
            in_time(*use_by, now, event.name())?;
            dispatch(record, event, now)
        }
        (State::Dispatched { attempt: current, .. }, Event::Finish { attempt, outcome }) => {
            if current == attempt { Ok(finish(record, *attempt, outcome, now)) } else { denied() }
        }
        // A result that comes after its attempt was given up settles it, if it says something.
        (State::Unknown { attempt: current, .. }, Event::Finish { attempt, outcome }) => {
            if current == attempt && outcome.is_definite() {
                Ok(finish(record, *attempt, outcome, now))
            } else {
                denied()
            }
        }
        (State::Dispatched { attempt, .. }, Event::OwnerGone) => {
            let outcome = Outcome::Unknown { cause: crate::outcome::Cause::OwnerGone, response: None };
            Ok(finish(record, *attempt, &outcome, now))
        }
        (State::Pending { .. }, Event::Dispatch { .. } | Event::Finish { .. } | Event::OwnerGone)
        | (
            State::Ready { .. },
            Event::Approve { .. }
            | Event::Reject { .. }
            | Event::Confirm { .. }
            | Event::Finish { .. }
            | Event::OwnerGone,
        )
        | (
            State::Dispatched { .. },
            Event::Approve { .. }
            | Event::Reject { .. }
            | Event::Confirm { .. }
            | Event::Cancel { .. }
            | Event::Expire
            | Event::Supersede { .. }
            | Event::Revise { .. }
            | Event::Refuse { .. }
            | Event::Dispatch { .. },
        )
        | (
            State::Unknown { .. },
            Event::Approve { .. }
            | Event::Reject { .. }
            | Event::Confirm { .. }
            | Event::Cancel { .. }
            | Event::Expire
            | Event::Supersede { .. }
            | Event::Revise { .. }
            | Event::Refuse { .. }
            | Event::Dispatch { .. }
            | Event::OwnerGone,
        )
        | (
            State::Denied { .. }
            | State::Succeeded { .. }
            | State::Failed { .. }
            | State::Rejected { .. }
            | State::Expired { .. }
            | State::Cancelled { .. }
            | State::Superseded { .. }
            | State::Refused { .. },
            Event::Approve { .. }
            | Event::Reject { .. }
            | Event::Confirm { .. }
            | Event::Cancel { .. }
            | Event::Expire
            | Event::Supersede { .. }
            | Event::Revise { .. }
            | Event::Refuse { .. }
            | Event::Dispatch { .. }
            | Event::Finish { .. }
            | Event::OwnerGone,
        ) => denied(),
    }
}

/// Deadlines are compared here as well as by the sweeper, so a late sweeper lets nothing through.
fn in_time(due: Timestamp, now: Timestamp, event: EventName) -> Result<(), Refusal> {
    if now < due {
        Ok(())
    } else {
        Err(Refusal::WrongState { state: StateName::Expired.as_str(), verb: event.past() })
    }
}

fn approve(
    record: &Record,
    approval: &Approval,
    standing: &[Standing],
    use_by: Timestamp,
    now: Timestamp,
) -> Result<Step, Refusal> {
    let (intent, decision) = (record.binding.intent, record.decision.digest);
    if !approval.answers_to(&intent, &decision) {
        return Err(Refusal::Stale { intent, decision });
    }
    if record.standing_approvals().iter().any(|a| a.person == approval.person) {
        return Err(Refusal::AlreadyDecided);
    }
    let complete = !standing.is_empty() && standing.iter().all(Standing::is_met);
    let State::Pending { decide_by, .. } = &record.state else { return Err(Refusal::AlreadyDecided) };
    let state = if complete {
        State::Ready { use_by }
    } else {
        State::Pending { standing: standing.to_vec(), decide_by: *decide_by }
    };
    let eligible = eligible(standing, &approval.person);
    let data = json!({ "approval": approval, "complete": complete, "eligible": eligible, "needs": standing });
    let actor = Actor::Person { id: approval.person.clone() };
    let mut step = step(record, state, EventCode::Approved, actor, data, now);
    step.record.approvals.push(approval.clone());
    Ok(step)
}

fn revise(record: &Record, event: &Event, now: Timestamp) -> Result<Step, Refusal> {
    let Event::Revise { binding, decision, standing, decide_by, use_by, because } = event else {
        return Err(Refusal::WrongState { state: record.state.name().as_str(), verb: event.name().past() });
    };
    let state = decided(decision, standing, (*decide_by, *use_by), because, now);
    let code = if state.name() == StateName::Refused { EventCode::Refused } else { EventCode::Revised };
    let data = revised(record, &state, (binding, standing), decision, because);
    let mut step = step(record, state, code, Actor::Gate, data, now);
    step.record.binding = (**binding).clone();
    step.record.decision = decision.clone();
    Ok(step)
}

/// The person in the chain says that it is for them: the same effect, for a chain that is no longer a claim.
fn confirm(record: &Record, person: &str, revision: &Revision, now: Timestamp) -> Result<Step, Refusal> {
    let Revision { binding, decision, standing, decide_by, use_by } = revision;
    let confirmed = record.proposal.confirmed(now).filter(|p| p.chain.person() == Some(person));
    let Some(proposal) = confirmed else {
        let detail = "only the person whom the agent named may confirm, and once".to_owned();
        return Err(Refusal::NotEligible { detail });
    };
    // What is confirmed is what was shown; only the proof of the chain is new, and the intent says so.
    if binding.facts != record.binding.facts || binding.intent != proposal.intent(&binding.facts) {
        return Err(Refusal::Stale { intent: record.binding.intent, decision: record.decision.digest });
    }
    let mut because = format!("`{person}` confirmed that this is for them");
    if let (Verdict::Deny { .. }, Some(detail)) = (&decision.verdict, &decision.detail) {
        because = format!("{because}, but {detail}");
    }
    let state = decided(decision, standing, (*decide_by, *use_by), &because, now);
    let code = if state.name() == StateName::Refused { EventCode::Refused } else { EventCode::Confirmed };
    let data = revised(record, &state, (binding, standing), decision, &because);
    let mut step = step(record, state, code, Actor::Person { id: person.to_owned() }, data, now);
    step.record.proposal = proposal;
    step.record.binding = binding.clone();
    step.record.decision = decision.clone();
    Ok(step)
}

/// The state of a proposal that was decided again.
fn decided(
    decision: &Decision,
    standing: &[Standing],
    (decide_by, use_by): (Timestamp, Timestamp),
    because: &str,
    now: Timestamp,
) -> State {
    match &decision.verdict {
        Verdict::Deny { .. } => {
            State::Refused { code: RefusedCode::PolicyDenies, detail: because.to_owned(), at: now }
        }
        Verdict::Allow => State::Ready { use_by },
        Verdict::NeedsApproval { .. } if !standing.is_empty() && standing.iter().all(Standing::is_met) => {
            State::Ready { use_by }
        }
        Verdict::NeedsApproval { .. } => State::Pending { standing: standing.to_vec(), decide_by },
    }
}

/// The fields of an entry of a proposal that was decided again.
fn revised(
    record: &Record,
    state: &State,
    (binding, standing): (&Binding, &[Standing]),
    decision: &Decision,
    because: &str,
) -> Value {
    json!({
        "because": because,
        "from": record.state.name(),
        "to": state.name(),
        "intent": binding.intent,
        "previous_intent": record.binding.intent,
        "decision": decision,
        "needs": if decision.gates().is_empty() { &[][..] } else { standing },
        "preview": preview_of(binding),
    })
}

fn dispatch(record: &Record, event: &Event, now: Timestamp) -> Result<Step, Refusal> {
    let Event::Dispatch { attempt, owner, decision, intent } = event else {
        return Err(Refusal::WrongState { state: record.state.name().as_str(), verb: event.name().past() });
    };
    // INVARIANT I6: what runs is what was bound; policy's last word is a plain allow. The call that is sent is
    // the stored one, so the stored parts themselves must have this digest, and not only what was rendered again.
    if *intent != record.binding.intent || !record.is_intact() || decision.verdict != Verdict::Allow {
        return Err(Refusal::Stale { intent: record.binding.intent, decision: record.decision.digest });
    }
    let state = State::Dispatched { attempt: *attempt, owner: owner.clone(), at: now };
    let data = json!({
        "attempt": attempt,
        "owner": owner,
        "intent": intent,
        "policy_set": decision.policy_set,
        "policies": decision.policies,
        "approved_by": record.standing_approvals().iter().map(|a| &a.person).collect::<Vec<_>>(),
        "credential": record.binding.facts.call.credential,
        "precondition": record.binding.facts.precondition,
        "effect": record.binding.facts.call.effect,
    });
    Ok(step(record, state, EventCode::Dispatched, Actor::Gate, data, now))
}

fn finish(record: &Record, attempt: AttemptId, outcome: &Outcome, now: Timestamp) -> Step {
    let (state, code, cause) = match outcome.clone() {
        Outcome::Succeeded { response } => {
            (State::Succeeded { attempt, at: now, response }, EventCode::Succeeded, None)
        }
        Outcome::Failed { cause, response } => {
            (State::Failed { attempt, at: now, cause, response }, EventCode::Failed, Some(cause))
        }
        Outcome::Unknown { cause, response } => {
            (State::Unknown { attempt, at: now, cause, response }, EventCode::Unknown, Some(cause))
        }
    };
    let answer = answer_of(outcome).map(response_of);
    let data =
        json!({ "attempt": attempt, "cause": cause, "response": answer, "undo": record.proposal.undo });
    step(record, state, code, Actor::Gate, data, now)
}

/// The entry for a result that came after its attempt had been given up: evidence, and no move. Like every
/// entry it holds a digest of the answer and never its body, which could not be erased from the log (T122).
pub fn late_result(record: &Record, attempt: AttemptId, outcome: &Outcome, now: Timestamp) -> Entry {
    let (name, cause) = match outcome {
        Outcome::Succeeded { .. } => (StateName::Succeeded, None),
        Outcome::Failed { cause, .. } => (StateName::Failed, Some(cause)),
        Outcome::Unknown { cause, .. } => (StateName::Unknown, Some(cause)),
    };
    let answer = answer_of(outcome).map(response_of);
    let data = json!({ "attempt": attempt, "outcome": name, "cause": cause, "response": answer });
    Entry::new(now, EventCode::LateResult, Actor::Gate, data).about(record.proposal.id, 0)
}

fn answer_of(outcome: &Outcome) -> Option<&Response> {
    match outcome {
        Outcome::Succeeded { response } => Some(response),
        Outcome::Failed { response, .. } | Outcome::Unknown { response, .. } => response.as_ref(),
    }
}

/// What the log keeps of an answer: its status and a digest. The body lives beside the log and may be erased.
fn response_of(response: &Response) -> Value {
    let body = crate::json::canonical(&response.body);
    json!({
        "status": response.status,
        "body": crate::digest::Digest::of(crate::digest::domain::PAYLOAD, &body),
        "bytes": body.len(),
        "scrubbed": response.scrubbed,
    })
}

fn preview_of(binding: &Binding) -> Value {
    json!({ "fidelity": binding.preview.fidelity, "at": binding.preview.at, "source": binding.preview.source })
}

fn agent(proposal: &Proposal) -> Actor {
    Actor::Agent { chain: proposal.chain.clone() }
}

/// What people must still add, for the log: empty unless people are asked.
fn needs(state: &State) -> &[Standing] {
    if let State::Pending { standing, .. } = state { standing } else { &[] }
}

/// The rules under which this person approves, and what names them there.
fn eligible(standing: &[Standing], person: &str) -> Vec<Value> {
    let through = |s: &Standing| Some(s.approvers.iter().find(|a| a.person == person)?.through.clone());
    standing.iter().filter_map(|s| Some(json!({ "rule": s.rule, "through": through(s)? }))).collect()
}

/// The fields of an opening entry: who asked for what, what was read, what policy said.
fn opened(proposal: &Proposal, binding: &Binding, decision: &Decision, needs: &[Standing]) -> Value {
    json!({
        "action": proposal.action,
        "revision": proposal.revision,
        "input": proposal.commitment(),
        "resource": binding.facts.resource,
        "environment": binding.facts.environment,
        "risk": binding.facts.risk,
        "intent": binding.intent,
        "decision": decision,
        "needs": needs,
        "preview": preview_of(binding),
        "run": proposal.run,
        "words": proposal.words(),
        "undo": proposal.undo,
    })
}

#[expect(
    clippy::too_many_arguments,
    reason = "the parts of one move; a struct for them would be `Step` again"
)]
fn step(record: &Record, state: State, event: EventCode, actor: Actor, data: Value, now: Timestamp) -> Step {
    let version = record.version.saturating_add(1);
    let entry = Entry::new(now, event, actor, data).about(record.proposal.id, version);
    let moved = Record { state, version, ..record.clone() };
    Step {
        record: moved,
        from_version: record.version,
        from: Some(record.state.name()),
        entries: vec![entry],
    }
}
