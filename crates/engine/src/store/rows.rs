//! What one step writes, as plain values. Made in the caller's time, so that the writer only writes.
//!
//! Nothing is stored twice: a proposal's own fields go into `body` once and again only when the person in its
//! chain confirms it, what moves goes into `moving`.

use countersign_core::approval::Approval;
use countersign_core::audit::{Entry, EventCode};
use countersign_core::decision::Decision;
use countersign_core::id::ProposalId;
use countersign_core::proposal::{Binding, Record, State, StateName, Step};
use countersign_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::db::Row;
use super::error;
use super::{Change, IdempotencyKey};
use crate::fault::Fault;

/// One thing to write.
#[derive(Debug)]
pub(super) enum Write {
    /// A new proposal.
    Open(Box<OpenRow>),
    /// A move of an existing one.
    Move(Box<MoveRow>),
    /// An entry that moves nothing.
    Note(EntryRow),
}

/// A row of the log.
#[derive(Debug)]
pub(super) struct EntryRow {
    pub(super) at: i64,
    pub(super) proposal: Option<String>,
    /// The proposal's version after the move; none when nothing moved.
    pub(super) version: Option<i64>,
    pub(super) body: Vec<u8>,
}

/// The rows of a new proposal.
#[derive(Debug)]
pub(super) struct OpenRow {
    pub(super) change: Change,
    pub(super) id: String,
    pub(super) agent: String,
    pub(super) person: Option<String>,
    pub(super) due: Option<i64>,
    pub(super) intent: String,
    pub(super) attempt: Option<String>,
    pub(super) idem_key: Option<String>,
    pub(super) idem_request: Option<String>,
    pub(super) moving: String,
    pub(super) body: String,
    pub(super) binding: String,
    pub(super) entries: Vec<EntryRow>,
}

/// The new values of a proposal that moves.
#[derive(Debug)]
pub(super) struct MoveRow {
    pub(super) change: Change,
    pub(super) id: String,
    pub(super) from_version: i64,
    pub(super) from: StateName,
    pub(super) due: Option<i64>,
    pub(super) intent: String,
    /// The attempt, when this is its dispatch.
    pub(super) attempt: Option<String>,
    pub(super) moving: String,
    /// What is bound, when that may have changed.
    pub(super) binding: Option<String>,
    /// The proposal itself, when the proof of its chain changed.
    pub(super) body: Option<String>,
    pub(super) entries: Vec<EntryRow>,
}

/// The part of a record that moves.
#[derive(Serialize)]
struct MovingOut<'a> {
    decision: &'a Decision,
    approvals: &'a [Approval],
    state: &'a State,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MovingIn {
    decision: Decision,
    approvals: Vec<Approval>,
    state: State,
}

impl Write {
    /// The rows of one step. Refuses a step that contradicts itself: it must have one entry for each version
    /// that it makes, all about this proposal (I9).
    pub(super) fn of(step: &Step, key: Option<IdempotencyKey>) -> Result<Self, Fault> {
        let record = &step.record;
        let versions = step.from_version.saturating_add(1)..=record.version;
        let whole = step.entries.iter().map(|e| e.version).eq(versions)
            && !step.entries.is_empty()
            && step.entries.iter().all(|e| e.proposal == Some(record.proposal.id));
        if !whole {
            return Err(bad("its entry is not about the version that it makes"));
        }
        match (step.from, step.from_version, key) {
            (None, 0, key) => OpenRow::of(step, key).map(|row| Self::Open(Box::new(row))),
            (Some(from), 1.., None) => MoveRow::of(step, from).map(|row| Self::Move(Box::new(row))),
            (Some(_), 1.., Some(_)) => Err(bad("only a new proposal has an idempotency key")),
            (None, 1.., _) | (Some(_), 0, _) => Err(bad("it does not say where it comes from")),
        }
    }

    /// The row of an entry that moves nothing.
    pub(super) fn note(entry: &Entry) -> Self {
        Self::Note(EntryRow { version: None, ..EntryRow::of(entry) })
    }

    /// The entries that go with it, in order.
    pub(super) fn entries(&self) -> &[EntryRow] {
        match self {
            Self::Open(opening) => &opening.entries,
            Self::Move(moving) => &moving.entries,
            Self::Note(entry) => std::slice::from_ref(entry),
        }
    }

    /// What changed once it is committed.
    pub(super) fn change(&self) -> Option<Change> {
        match self {
            Self::Open(opening) => Some(opening.change),
            Self::Move(moving) => Some(moving.change),
            Self::Note(_) => None,
        }
    }
}

fn bad(detail: &'static str) -> Fault {
    Fault::new("record a step that contradicts itself", detail)
}

impl EntryRow {
    fn of(entry: &Entry) -> Self {
        Self {
            at: entry.at.as_micros(),
            proposal: entry.proposal.map(|id| id.to_string()),
            version: Some(i64::from(entry.version)),
            body: entry.to_bytes(),
        }
    }
}

impl OpenRow {
    fn of(step: &Step, key: Option<IdempotencyKey>) -> Result<Self, Fault> {
        let record = &step.record;
        let chain = &record.proposal.chain;
        let (idem_key, idem_request) = key.map(|k| (k.key, k.request.to_string())).unzip();
        Ok(Self {
            change: change(record),
            id: record.proposal.id.to_string(),
            agent: chain.agent().to_owned(),
            person: chain.person().map(str::to_owned),
            due: record.due().map(Timestamp::as_micros),
            intent: record.binding.intent.to_string(),
            attempt: attempt(record),
            idem_key,
            idem_request,
            moving: moving(record)?,
            body: json(&record.proposal)?,
            binding: json(&record.binding)?,
            entries: step.entries.iter().map(EntryRow::of).collect(),
        })
    }
}

impl MoveRow {
    fn of(step: &Step, from: StateName) -> Result<Self, Fault> {
        let record = &step.record;
        // `core::proposal::apply` binds anew only when it decides again, and says so by these two.
        let rebound =
            |e: &Entry| matches!(e.event, EventCode::Revised | EventCode::Refused | EventCode::Confirmed);
        let rebound = step.entries.iter().any(rebound);
        Ok(Self {
            change: change(record),
            id: record.proposal.id.to_string(),
            from_version: i64::from(step.from_version),
            from,
            due: record.due().map(Timestamp::as_micros),
            intent: record.binding.intent.to_string(),
            attempt: attempt(record),
            moving: moving(record)?,
            binding: if rebound { Some(json(&record.binding)?) } else { None },
            // A confirmation may end as a refusal, so both are decided again with a confirmed chain.
            body: if rebound && record.proposal.chain.is_confirmed() {
                Some(json(&record.proposal)?)
            } else {
                None
            },
            entries: step.entries.iter().map(EntryRow::of).collect(),
        })
    }
}

fn change(record: &Record) -> Change {
    Change { proposal: record.proposal.id, version: record.version, state: record.state.name() }
}

/// The attempt of a record that is being dispatched.
fn attempt(record: &Record) -> Option<String> {
    match &record.state {
        State::Dispatched { attempt, .. } => Some(attempt.to_string()),
        State::Denied { .. }
        | State::Pending { .. }
        | State::Ready { .. }
        | State::Succeeded { .. }
        | State::Failed { .. }
        | State::Unknown { .. }
        | State::Rejected { .. }
        | State::Expired { .. }
        | State::Cancelled { .. }
        | State::Superseded { .. }
        | State::Refused { .. } => None,
    }
}

fn moving(record: &Record) -> Result<String, Fault> {
    json(&MovingOut { decision: &record.decision, approvals: &record.approvals, state: &record.state })
}

fn json<T: Serialize>(value: &T) -> Result<String, Fault> {
    serde_json::to_string(value).map_err(|e| Fault::new("write a proposal as JSON", e))
}

/// The columns that [`record`] reads, of `proposal AS p`.
pub(super) const RECORD_COLUMNS: &str = "p.version, p.state, p.intent, p.moving, p.body, p.binding";

/// Puts a record together again. What does not fit together is a fault and never a record: nothing may be
/// decided on half a proposal.
pub(super) fn record(row: &Row) -> Result<Record, Fault> {
    let column = |result: error::Result<_>| result.map_err(|e| Fault::new("read a proposal", e));
    let version = row.integer(0).map_err(|e| Fault::new("read a proposal", e))?;
    let version = u32::try_from(version).map_err(|e| Fault::new("read a proposal's version", e))?;
    let (state, intent) = (column(row.text(1))?, column(row.text(2))?);
    let moving: MovingIn = parse(column(row.text(3))?)?;
    let binding: Binding = parse(column(row.text(5))?)?;
    let record = Record {
        proposal: parse(column(row.text(4))?)?,
        binding,
        decision: moving.decision,
        approvals: moving.approvals,
        state: moving.state,
        version,
    };
    if record.state.name().as_str() != state || record.binding.intent.to_string() != intent {
        let detail = format!("the parts of `{}` do not belong together", record.proposal.id);
        return Err(Fault::new("read a proposal", detail));
    }
    Ok(record)
}

fn parse<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Fault> {
    serde_json::from_str(text).map_err(|e| Fault::new("read a stored proposal", e))
}

/// A stored id.
pub(super) fn id(row: &Row, column: usize) -> Result<ProposalId, Fault> {
    let text = row.text(column).map_err(|e| Fault::new("read a proposal's id", e))?;
    text.parse().map_err(|e| Fault::new("read a proposal's id", e))
}
