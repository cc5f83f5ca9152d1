//! The one function that moves a proposal, and the one that opens it.

use super::parts::response_text;
use super::{
    Binding, Clock, Event, EventName, PartName, Proposal, Record, RefusedCode, Revision, State, StateName,
    Step, StoredParts,
};
use crate::approval::{Approval, Standing};
use crate::audit::{Actor, Entry, EventData, data};
use crate::decision::{Answer, Decision};
use crate::id::AttemptId;
use crate::outcome::{Outcome, Response};
use crate::preview::Preview;
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
    let needs = if decision.gates().is_empty() { Vec::new() } else { standing.clone() };
    let data = Box::new(opened(&proposal, &binding, &decision, needs));
    let (state, data) = match &decision.answer {
        Answer::Deny { code } => (State::Denied { code: *code }, EventData::Denied(data)),
        Answer::NeedsApproval { .. } => (State::Pending { standing, decide_by }, EventData::Pending(data)),
        Answer::Allow => (State::Ready { use_by }, EventData::Allowed(data)),
    };
    let entry = Entry::new(proposal.created_at, agent(&proposal), data).about(proposal.id, 1);
    // Nobody will decide on what is denied: the log's commitment to what was attached is enough, and an agent that is
    // always refused cannot fill the database with it.
    let evidence = if state.name() == StateName::Denied { Vec::new() } else { proposal.evidence };
    let proposal = Proposal { evidence, ..proposal };
    let (approvals, parts) = (Vec::new(), StoredParts::default());
    let record = Record { proposal, binding, decision, approvals, state, response: None, version: 1, parts };
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
            let (reason, channel) = (reason.clone(), channel.clone());
            let data = data::Rejected { reason, channel, intent: record.binding.intent };
            Ok(step(record, state, Actor::Person { id: person.clone() }, data, now))
        }
        (State::Pending { decide_by, .. }, Event::Confirm { person, revision }) => {
            in_time(*decide_by, now, event.name())?;
            confirm(record, person, revision, now)
        }
        (State::Pending { .. } | State::Ready { .. }, Event::Cancel { by }) => {
            let state = State::Cancelled { by: by.clone(), at: now };
            let data = EventData::Cancelled(Box::default());
            Ok(step(record, state, by.clone(), data, now))
        }
        (State::Pending { decide_by: due, .. } | State::Ready { use_by: due }, Event::Expire) => {
            if now < *due {
                return denied();
            }
            let clock = if record.state.name() == StateName::Ready { Clock::UseBy } else { Clock::DecideBy };
            let data = data::Expired { clock };
            Ok(step(record, State::Expired { at: now, clock }, Actor::Gate, data, now))
        }
        (State::Pending { .. } | State::Ready { .. }, Event::Supersede { by }) => {
            let state = State::Superseded { by: *by, at: now };
            Ok(step(record, state, Actor::Gate, data::Superseded { by: *by }, now))
        }
        (State::Pending { decide_by: due, .. } | State::Ready { use_by: due }, Event::Revise { .. }) => {
            // A revision brings new deadlines, so a late one would revive what has expired.
            in_time(*due, now, event.name())?;
            revise(record, event, now)
        }
        (State::Pending { .. } | State::Ready { .. }, Event::Refuse { code, detail }) => {
            let state = State::Refused { code: *code, detail: detail.clone(), at: now };
            let data = data::Refused { code: *code, detail: detail.clone(), decided: None };
            Ok(step(record, state, Actor::Gate, data, now))
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
    let (approval, needs) = (approval.clone(), standing.to_vec());
    let data = data::Approved { approval: approval.clone(), complete, eligible, needs };
    let actor = Actor::Person { id: approval.person.clone() };
    let mut step = step(record, state, actor, data, now);
    step.record.approvals.push(approval);
    Ok(step)
}

fn revise(record: &Record, event: &Event, now: Timestamp) -> Result<Step, Refusal> {
    let Event::Revise { binding, decision, standing, decide_by, use_by, because } = event else {
        return Err(Refusal::WrongState { state: record.state.name().as_str(), verb: event.name().past() });
    };
    let state = decided(decision, standing, (*decide_by, *use_by), because, now);
    let data = Box::new(revised(record, &state, (binding, standing), decision, because));
    let data = refused(&state, data).unwrap_or_else(EventData::Revised);
    let mut step = step(record, state, Actor::Gate, data, now);
    bind(&mut step.record, binding, decision);
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
    let intent = proposal.intent(&binding.rendering, binding.version);
    if binding.rendering != record.binding.rendering || intent != Ok(binding.intent) {
        return Err(Refusal::Stale { intent: record.binding.intent, decision: record.decision.digest });
    }
    let mut because = format!("`{person}` confirmed that this is for them");
    if let (Answer::Deny { .. }, Some(detail)) = (&decision.answer, &decision.detail) {
        because = format!("{because}, but {detail}");
    }
    let state = decided(decision, standing, (*decide_by, *use_by), &because, now);
    let data = Box::new(revised(record, &state, (binding, standing), decision, &because));
    let data = refused(&state, data).unwrap_or_else(EventData::Confirmed);
    let mut step = step(record, state, Actor::Person { id: person.to_owned() }, data, now);
    step.record.proposal = proposal;
    bind(&mut step.record, binding, decision);
    Ok(step)
}

/// Binds anew. What is shown now is a part that is not stored yet.
fn bind(record: &mut Record, binding: &Binding, decision: &Decision) {
    record.binding = binding.clone();
    record.decision = decision.clone();
    record.parts.preview = None;
}

/// The entry of a proposal that was decided again and will never run. Gives the data back when it may.
fn refused(state: &State, decided: Box<data::Revised>) -> Result<EventData, Box<data::Revised>> {
    match state {
        State::Refused { code, detail, .. } => {
            let (code, detail) = (*code, detail.clone());
            Ok(data::Refused { code, detail, decided: Some(decided) }.into())
        }
        State::Denied { .. }
        | State::Pending { .. }
        | State::Ready { .. }
        | State::Dispatched { .. }
        | State::Succeeded { .. }
        | State::Failed { .. }
        | State::Unknown { .. }
        | State::Rejected { .. }
        | State::Expired { .. }
        | State::Cancelled { .. }
        | State::Superseded { .. } => Err(decided),
    }
}

/// The state of a proposal that was decided again.
fn decided(
    decision: &Decision,
    standing: &[Standing],
    (decide_by, use_by): (Timestamp, Timestamp),
    because: &str,
    now: Timestamp,
) -> State {
    match &decision.answer {
        Answer::Deny { .. } => {
            State::Refused { code: RefusedCode::PolicyDenies, detail: because.to_owned(), at: now }
        }
        Answer::Allow => State::Ready { use_by },
        Answer::NeedsApproval { .. } if !standing.is_empty() && standing.iter().all(Standing::is_met) => {
            State::Ready { use_by }
        }
        Answer::NeedsApproval { .. } => State::Pending { standing: standing.to_vec(), decide_by },
    }
}

/// The fields of an entry of a proposal that was decided again.
fn revised(
    record: &Record,
    state: &State,
    (binding, standing): (&Binding, &[Standing]),
    decision: &Decision,
    because: &str,
) -> data::Revised {
    data::Revised {
        because: because.to_owned(),
        from: record.state.name(),
        to: state.name(),
        intent: binding.intent,
        previous_intent: record.binding.intent,
        resource: binding.rendering.resource.clone(),
        risk: binding.rendering.risk.clone(),
        decision: decision.clone(),
        needs: if decision.gates().is_empty() { Vec::new() } else { standing.to_vec() },
        preview: seen(binding),
    }
}

fn dispatch(record: &Record, event: &Event, now: Timestamp) -> Result<Step, Refusal> {
    let Event::Dispatch { attempt, owner, decision, intent } = event else {
        return Err(Refusal::WrongState { state: record.state.name().as_str(), verb: event.name().past() });
    };
    // INVARIANT I6: what runs is what was bound; policy's last word is a plain allow. The call that is sent is
    // the stored one, so the stored parts themselves must have this digest, and not only what was rendered again.
    if *intent != record.binding.intent || !record.is_intact() || decision.answer != Answer::Allow {
        return Err(Refusal::Stale { intent: record.binding.intent, decision: record.decision.digest });
    }
    let state = State::Dispatched { attempt: *attempt, owner: owner.clone(), at: now };
    let call = &record.binding.rendering.call;
    let data = data::Dispatched {
        attempt: *attempt,
        owner: owner.clone(),
        intent: *intent,
        decision: decision.clone(),
        approved_by: record.standing_approvals().iter().map(|a| a.person.clone()).collect(),
        connector: call.kind().to_owned(),
        credential: call.credential().map(ToOwned::to_owned),
        precondition: record.binding.rendering.precondition.clone(),
        effect: call.effect(),
    };
    Ok(step(record, state, Actor::Gate, data, now))
}

fn finish(record: &Record, attempt: AttemptId, outcome: &Outcome, now: Timestamp) -> Step {
    let finished = |cause| {
        let response = answer_of(outcome).map(|response| answered(record, response));
        Box::new(data::Finished { attempt, cause, response, undo: record.proposal.undo.clone() })
    };
    let (state, data) = match outcome {
        Outcome::Succeeded { .. } => {
            (State::Succeeded { attempt, at: now }, EventData::Succeeded(finished(None)))
        }
        Outcome::Failed { cause, .. } => {
            (State::Failed { attempt, at: now, cause: *cause }, EventData::Failed(finished(Some(*cause))))
        }
        Outcome::Unknown { cause, .. } => {
            (State::Unknown { attempt, at: now, cause: *cause }, EventData::Unknown(finished(Some(*cause))))
        }
    };
    let mut step = step(record, state, Actor::Gate, data, now);
    step.record.response = answer_of(outcome).cloned();
    // An unclear answer may be followed by a clear one.
    step.record.parts.response = None;
    step
}

/// The entry for a result that came after its attempt had been given up: evidence, and no move. Like every
/// entry it holds a digest of the answer and never its body, which could not be erased from the log (T122).
pub fn late_result(record: &Record, attempt: AttemptId, outcome: &Outcome, now: Timestamp) -> Entry {
    let (name, cause) = match outcome {
        Outcome::Succeeded { .. } => (StateName::Succeeded, None),
        Outcome::Failed { cause, .. } => (StateName::Failed, Some(*cause)),
        Outcome::Unknown { cause, .. } => (StateName::Unknown, Some(*cause)),
    };
    let response = answer_of(outcome).map(|response| answered(record, response));
    let data = data::LateResult { attempt, outcome: name, cause, response };
    Entry::new(now, Actor::Gate, data).about(record.proposal.id, 0)
}

fn answer_of(outcome: &Outcome) -> Option<&Response> {
    match outcome {
        Outcome::Succeeded { response } => Some(response),
        Outcome::Failed { response, .. } | Outcome::Unknown { response, .. } => response.as_ref(),
    }
}

/// What the log keeps of an answer: its status and a salted digest. The body lives beside the log and may be erased.
fn answered(record: &Record, response: &Response) -> data::Answered {
    let body = response_text(response);
    data::Answered {
        status: response.status,
        body: record.proposal.salts.digest(PartName::Response, &body),
        bytes: u64::try_from(body.len()).unwrap_or(u64::MAX),
        scrubbed: response.scrubbed,
    }
}

fn seen(binding: &Binding) -> data::Seen {
    let Preview { fidelity, at, source, .. } = &binding.preview;
    data::Seen { fidelity: *fidelity, at: *at, source: source.clone() }
}

fn agent(proposal: &Proposal) -> Actor {
    Actor::Agent { chain: proposal.chain.clone() }
}

/// The rules under which this person approves, and what names them there.
fn eligible(standing: &[Standing], person: &str) -> Vec<data::Eligible> {
    let through = |s: &Standing| Some(s.approvers.iter().find(|a| a.person == person)?.through.clone());
    let eligible = |s: &Standing| Some(data::Eligible { rule: s.rule.clone(), through: through(s)? });
    standing.iter().filter_map(eligible).collect()
}

/// The fields of an opening entry: who asked for what, what was read, what policy said.
fn opened(proposal: &Proposal, binding: &Binding, decision: &Decision, needs: Vec<Standing>) -> data::Opened {
    data::Opened {
        action: proposal.action.clone(),
        revision: proposal.revision,
        input: proposal.commitment(),
        resource: binding.rendering.resource.clone(),
        environment: binding.rendering.environment.clone(),
        risk: binding.rendering.risk.clone(),
        intent: binding.intent,
        decision: decision.clone(),
        needs,
        preview: seen(binding),
        run: proposal.run.clone(),
        words: proposal.words(),
        evidence: proposal.attached(),
        undo: proposal.undo.clone(),
    }
}

/// One move of a record, with its entry.
fn step(record: &Record, state: State, actor: Actor, data: impl Into<EventData>, now: Timestamp) -> Step {
    let version = record.version.saturating_add(1);
    let entry = Entry::new(now, actor, data).about(record.proposal.id, version);
    let moved = Record { state, version, ..record.clone() };
    Step {
        record: moved,
        from_version: record.version,
        from: Some(record.state.name()),
        entries: vec![entry],
    }
}
