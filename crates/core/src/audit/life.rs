//! The life of one proposal as the log tells it: one pure function that takes its entries in order and finds
//! the first that the gate may not have written.
//!
//! It mirrors `proposal::apply` and is held equal to it by a test. It knows no directory and no rules: who was
//! eligible, and who was excluded, is what the entries say; it must never believe a sum that it can count.

use super::life_error::{LifeError, require};
use super::life_event::{LifeApproved, LifeDispatched, LifeEntry, LifeEvent, LifeOpened, LifeRevised};
use super::terms::Terms;
use super::{Actor, EventCode};
use crate::decision::Answer;
use crate::directory::Link;
use crate::id::AttemptId;
use crate::proposal::{Clock, StateName};

/// Where a proposal is, after some of its entries.
#[derive(Debug, Clone, PartialEq)]
pub struct LifeState {
    version: u32,
    /// The people in its chain: none of them may approve, except to consent.
    people: Vec<String>,
    stage: Stage,
}

#[derive(Debug, Clone, PartialEq)]
enum Stage {
    Pending(Terms),
    Ready(Terms),
    Dispatched(AttemptId),
    Unknown(AttemptId),
    Final(StateName),
}

impl LifeState {
    /// The name of the state.
    pub fn name(&self) -> StateName {
        match &self.stage {
            Stage::Pending(_) => StateName::Pending,
            Stage::Ready(_) => StateName::Ready,
            Stage::Dispatched(_) => StateName::Dispatched,
            Stage::Unknown(_) => StateName::Unknown,
            Stage::Final(name) => *name,
        }
    }

    /// The version of the last entry.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// Whether no entry may move it any more.
    pub fn is_final(&self) -> bool {
        matches!(self.stage, Stage::Final(_))
    }

    /// The attempt that was dispatched, while its outcome is open or unknown.
    pub fn attempt(&self) -> Option<AttemptId> {
        match self.stage {
            Stage::Dispatched(attempt) | Stage::Unknown(attempt) => Some(attempt),
            Stage::Pending(_) | Stage::Ready(_) | Stage::Final(_) => None,
        }
    }
}

/// The state of a proposal after one more of its entries, or why that entry cannot stand there.
///
/// `rules` counts the gate directories put in force so far (`gate.started`, `gate.reloaded`): with an equal
/// count nobody can have become eligible in the meantime.
pub fn life(state: Option<LifeState>, entry: &LifeEntry, rules: u64) -> Result<LifeState, LifeError> {
    let Some(LifeState { version, people, stage }) = state else {
        return match &entry.data {
            LifeEvent::Opened(opened) => open(entry, opened, rules),
            LifeEvent::Approved(_)
            | LifeEvent::Rejected(_)
            | LifeEvent::Ended(_)
            | LifeEvent::Expired(_)
            | LifeEvent::Revised(_)
            | LifeEvent::Dispatched(_)
            | LifeEvent::Finished(..)
            | LifeEvent::LateResult(_)
            | LifeEvent::Beside => Err(LifeError::NotOpened { event: entry.event }),
        };
    };
    let before = name_of(&stage);
    let impossible = || LifeError::Impossible { event: entry.event, state: before.as_str() };
    if matches!(entry.data, LifeEvent::Opened(_)) {
        return Err(LifeError::OpenedTwice);
    }
    if matches!(stage, Stage::Final(_)) {
        return Err(impossible());
    }
    let expected = version.saturating_add(1);
    if entry.version != expected {
        return Err(LifeError::Version { expected, found: entry.version });
    }
    let moved = match (&entry.data, stage) {
        (LifeEvent::Approved(approved), Stage::Pending(terms)) => {
            approve(terms, approved, (&entry.actor, &people), rules)?
        }
        (LifeEvent::Rejected(rejected), Stage::Pending(terms)) => {
            require(rejected.intent == terms.intent, "what was rejected is not what is decided on")?;
            Stage::Final(StateName::Rejected)
        }
        (LifeEvent::Ended(end), Stage::Pending(_) | Stage::Ready(_)) => Stage::Final(*end),
        (LifeEvent::Expired(expired), Stage::Pending(_)) if expired.clock == Clock::DecideBy => {
            Stage::Final(StateName::Expired)
        }
        (LifeEvent::Expired(expired), Stage::Ready(_)) if expired.clock == Clock::UseBy => {
            Stage::Final(StateName::Expired)
        }
        (LifeEvent::Revised(revised), Stage::Pending(terms) | Stage::Ready(terms)) => {
            require(revised.from.is_none_or(|from| from == before), "it was revised from another state")?;
            revise(terms, revised, &people, rules)?
        }
        (LifeEvent::Dispatched(_), Stage::Pending(terms)) => return Err(terms.unapproved()),
        (LifeEvent::Dispatched(sent), Stage::Ready(terms)) => dispatch(&terms, sent)?,
        (LifeEvent::Finished(end, outcome), Stage::Dispatched(attempt)) => {
            same_attempt(entry.event, attempt, outcome.attempt)?;
            if *end == StateName::Unknown { Stage::Unknown(attempt) } else { Stage::Final(*end) }
        }
        // A definite result that comes late settles it.
        (LifeEvent::Finished(end, outcome), Stage::Unknown(attempt)) if *end != StateName::Unknown => {
            same_attempt(entry.event, attempt, outcome.attempt)?;
            Stage::Final(*end)
        }
        _ => return Err(impossible()),
    };
    Ok(LifeState { version: expected, people, stage: moved })
}

fn name_of(stage: &Stage) -> StateName {
    match stage {
        Stage::Pending(_) => StateName::Pending,
        Stage::Ready(_) => StateName::Ready,
        Stage::Dispatched(_) => StateName::Dispatched,
        Stage::Unknown(_) => StateName::Unknown,
        Stage::Final(name) => *name,
    }
}

fn same_attempt(event: EventCode, expected: AttemptId, found: AttemptId) -> Result<(), LifeError> {
    if expected == found { Ok(()) } else { Err(LifeError::OtherAttempt { event, expected, found }) }
}

fn open(entry: &LifeEntry, opened: &LifeOpened, rules: u64) -> Result<LifeState, LifeError> {
    if entry.version != 1 {
        return Err(LifeError::Version { expected: 1, found: entry.version });
    }
    let Actor::Agent { chain } = &entry.actor else {
        return Err(LifeError::Contradiction("it was opened by somebody who is not an agent"));
    };
    let person = |link: &Link| match link {
        Link::Person { id, .. } => Some(id.clone()),
        Link::Agent { .. } => None,
    };
    let people: Vec<String> = chain.links().iter().filter_map(person).collect();
    let terms = Terms::opened(opened, &people, rules)?;
    let (event, stage) = match &opened.decision.answer {
        Answer::Allow => (EventCode::Allowed, Stage::Ready(terms)),
        Answer::NeedsApproval { .. } => (EventCode::Pending, Stage::Pending(terms)),
        Answer::Deny { .. } => (EventCode::Denied, Stage::Final(StateName::Denied)),
    };
    require(entry.event == event, "it was opened in another state than its decision leads to")?;
    Ok(LifeState { version: 1, people, stage })
}

fn approve(
    mut terms: Terms,
    approved: &LifeApproved,
    (actor, people): (&Actor, &[String]),
    rules: u64,
) -> Result<Stage, LifeError> {
    let by = matches!(actor, Actor::Person { id } if *id == approved.approval.person);
    require(by, "an approval was recorded by somebody else than the person who gave it")?;
    terms.approve(approved, people, rules)?;
    let complete = terms.is_met();
    require(
        complete == approved.complete,
        "whether the approvals are complete is not what counting them again gives",
    )?;
    Ok(if complete { Stage::Ready(terms) } else { Stage::Pending(terms) })
}

fn revise(before: Terms, revised: &LifeRevised, people: &[String], rules: u64) -> Result<Stage, LifeError> {
    let terms = before.revised(revised, people, rules)?;
    let stage = match &revised.decision.answer {
        Answer::Allow => Stage::Ready(terms),
        Answer::NeedsApproval { .. } if terms.is_met() => Stage::Ready(terms),
        Answer::NeedsApproval { .. } => Stage::Pending(terms),
        Answer::Deny { .. } => {
            return Err(LifeError::Contradiction("policy denied it, and it was not refused"));
        }
    };
    let to = name_of(&stage);
    require(
        revised.to.is_none_or(|said| said == to),
        "it was revised to a state that its approvals do not give",
    )?;
    Ok(stage)
}

fn dispatch(terms: &Terms, sent: &LifeDispatched) -> Result<Stage, LifeError> {
    require(
        sent.intent == terms.intent,
        "what was sent is not what was decided on: the intent digests differ",
    )?;
    let (mut said, mut given): (Vec<&str>, Vec<&str>) =
        (sent.approved_by.iter().map(String::as_str).collect(), terms.standing().collect());
    said.sort_unstable();
    given.sort_unstable();
    require(said == given, "the dispatch names other approvers than those who approved")?;
    Ok(Stage::Dispatched(sent.attempt))
}
