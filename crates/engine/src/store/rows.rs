//! What one step writes, as plain values. Made in the caller's time, so that the writer only writes.
//!
//! Nothing is stored twice: a proposal's own fields go into `body` once and again only when the person in its
//! chain confirms it, what moves goes into `moving`. The authentication code (`mac`) covers every column that means
//! something.

use countersign_core::approval::Approval;
use countersign_core::audit::{Entry, EventCode};
use countersign_core::decision::Decision;
use countersign_core::digest::Digest;
use countersign_core::id::ProposalId;
use countersign_core::limits::IDEMPOTENCY_KEPT;
use countersign_core::proposal::{Record, State, StateName, Step, StoredParts};
use countersign_core::time::Timestamp;
use serde::Serialize;

use super::admit::Admission;
use super::header::{Header, part};
use super::{Change, IdempotencyKey, Joining, Placed};
use crate::fault::Fault;
use crate::seal::SealKeys;

/// One thing to write.
#[derive(Debug)]
pub(super) enum Write {
    /// A new proposal.
    Open(Box<OpenRow>),
    /// A move of an existing one.
    Move(Box<MoveRow>),
    /// A request that gets a proposal which is there.
    Join(Box<JoinRow>),
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

/// A row of the idempotency table.
#[derive(Debug)]
pub(super) struct KeyRow {
    pub(super) agent: String,
    pub(super) key: String,
    pub(super) request: String,
    /// When to look whether its proposal is settled.
    pub(super) look_at: i64,
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
    /// The intent, when an equal request is to get this proposal.
    pub(super) join_key: Option<String>,
    pub(super) attempt: Option<String>,
    pub(super) moving: String,
    pub(super) body: String,
    pub(super) binding: String,
    pub(super) mac: Vec<u8>,
    pub(super) key: Option<KeyRow>,
    pub(super) entries: Vec<EntryRow>,
    pub(super) admission: Option<Admission>,
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
    pub(super) mac: Vec<u8>,
    pub(super) entries: Vec<EntryRow>,
    pub(super) admission: Option<Admission>,
}

/// A request that gets a proposal which is there.
#[derive(Debug)]
pub(super) struct JoinRow {
    pub(super) agent: String,
    pub(super) intent: String,
    pub(super) key: Option<KeyRow>,
    pub(super) entry: Entry,
}

/// The part of a record that moves.
#[derive(Serialize)]
struct MovingOut<'a> {
    decision: &'a Decision,
    approvals: &'a [Approval],
    state: &'a State,
}

impl Write {
    /// The rows of one step, and the record as it is then stored. Refuses a step that contradicts itself: it
    /// must have one entry for each version that it makes, all about this proposal (I9).
    pub(super) fn of(mut step: Step, placed: Placed, keys: &SealKeys) -> Result<(Self, Record), Fault> {
        let record = &step.record;
        let versions = step.from_version.saturating_add(1)..=record.version;
        let whole = step.entries.iter().map(|e| e.version).eq(versions)
            && !step.entries.is_empty()
            && step.entries.iter().all(|e| e.proposal == Some(record.proposal.id));
        if !whole {
            return Err(bad("its entries are not about the versions that it makes"));
        }
        let write = match (step.from, step.from_version) {
            (None, 0) => Self::Open(Box::new(OpenRow::of(&mut step, placed, keys)?)),
            (Some(from), 1..) if placed.key.is_none() => {
                Self::Move(Box::new(MoveRow::of(&mut step, from, placed.admission, keys)?))
            }
            (Some(_), 1..) => return Err(bad("only a new proposal has an idempotency key")),
            (None, 1..) | (Some(_), 0) => return Err(bad("it does not say where it comes from")),
        };
        Ok((write, step.record))
    }

    /// The row of an entry that moves nothing.
    pub(super) fn note(entry: &Entry) -> Self {
        Self::Note(EntryRow::note(entry))
    }

    /// The row of a request that gets another's proposal.
    pub(super) fn join(joining: Joining) -> Self {
        let Joining { agent, intent, key, entry } = joining;
        let key = key.map(|key| KeyRow::of(&agent, key, entry.at));
        Self::Join(Box::new(JoinRow { agent, intent: intent.to_string(), key, entry }))
    }

    /// The entries that go with it, in order. Those of a join are known only when it is written.
    pub(super) fn entries(&self) -> &[EntryRow] {
        match self {
            Self::Open(opening) => &opening.entries,
            Self::Move(moving) => &moving.entries,
            Self::Join(_) => &[],
            Self::Note(entry) => std::slice::from_ref(entry),
        }
    }

    /// What changed once it is committed.
    pub(super) fn change(&self) -> Option<Change> {
        match self {
            Self::Open(opening) => Some(opening.change),
            Self::Move(moving) => Some(moving.change),
            Self::Join(_) | Self::Note(_) => None,
        }
    }

    /// What its dispatch rests on, when it is one.
    pub(super) fn admission(&self) -> Option<&Admission> {
        match self {
            Self::Open(opening) => opening.admission.as_ref(),
            Self::Move(moving) => moving.admission.as_ref(),
            Self::Join(_) | Self::Note(_) => None,
        }
    }

    /// The proposal whose row it writes, and the code of that row.
    pub(super) fn row(&self) -> Option<(&str, &[u8])> {
        match self {
            Self::Open(opening) => Some((&opening.id, &opening.mac)),
            Self::Move(moving) => Some((&moving.id, &moving.mac)),
            Self::Join(_) | Self::Note(_) => None,
        }
    }
}

fn bad(detail: &'static str) -> Fault {
    Fault::new("record a step that contradicts itself", detail)
}

impl EntryRow {
    pub(super) fn of(entry: &Entry) -> Self {
        Self {
            at: entry.at.as_micros(),
            proposal: entry.proposal.map(|id| id.to_string()),
            version: Some(i64::from(entry.version)),
            body: entry.to_bytes(),
        }
    }

    /// Of an entry that moves nothing.
    pub(super) fn note(entry: &Entry) -> Self {
        Self { version: None, ..Self::of(entry) }
    }
}

impl KeyRow {
    fn of(agent: &str, key: IdempotencyKey, now: Timestamp) -> Self {
        let IdempotencyKey { key, request } = key;
        let look_at = now.plus(IDEMPOTENCY_KEPT).as_micros();
        Self { agent: agent.to_owned(), key, request: request.to_string(), look_at }
    }
}

impl OpenRow {
    fn of(step: &mut Step, placed: Placed, keys: &SealKeys) -> Result<Self, Fault> {
        let Placed { key, joinable, admission } = placed;
        let body = json(&step.record.proposal)?;
        let binding = json(&step.record.binding)?;
        step.record.parts = StoredParts { body: Some(part(&body)), binding: Some(part(&binding)) };
        let record = &step.record;
        let chain = &record.proposal.chain;
        let agent = chain.agent().to_owned();
        let moving = moving(record)?;
        let header = Header::of(record, &moving);
        let joins = joinable && matches!(record.state.name(), StateName::Pending | StateName::Dispatched);
        Ok(Self {
            change: change(record),
            id: record.proposal.id.to_string(),
            person: chain.person().map(str::to_owned),
            due: record.due().map(Timestamp::as_micros),
            intent: record.binding.intent.to_string(),
            join_key: joins.then(|| record.binding.intent.to_string()),
            attempt: record.attempt().map(|a| a.to_string()),
            mac: header.seal(keys)?,
            moving,
            body,
            binding,
            key: key.map(|key| KeyRow::of(&agent, key, record.proposal.created_at)),
            agent,
            entries: step.entries.iter().map(EntryRow::of).collect(),
            admission,
        })
    }
}

impl MoveRow {
    fn of(
        step: &mut Step,
        from: StateName,
        admission: Option<Admission>,
        keys: &SealKeys,
    ) -> Result<Self, Fault> {
        // `core::proposal::apply` binds anew only when it decides again, and says so by these.
        let rebound =
            |e: &Entry| matches!(e.event, EventCode::Revised | EventCode::Refused | EventCode::Confirmed);
        let rebound = step.entries.iter().any(rebound);
        let binding = if rebound { Some(json(&step.record.binding)?) } else { None };
        // A confirmation may end as a refusal, so both are decided again with a confirmed chain.
        let confirmed = rebound && step.record.proposal.chain.is_confirmed();
        let body = if confirmed { Some(json(&step.record.proposal)?) } else { None };
        let parts = &mut step.record.parts;
        parts.binding = binding.as_deref().map(part).or(parts.binding);
        parts.body = body.as_deref().map(part).or(parts.body);
        let record = &step.record;
        let moving = moving(record)?;
        let header = Header::of(record, &moving);
        let dispatched = record.state.name() == StateName::Dispatched;
        Ok(Self {
            change: change(record),
            id: record.proposal.id.to_string(),
            from_version: i64::from(step.from_version),
            from,
            due: record.due().map(Timestamp::as_micros),
            intent: record.binding.intent.to_string(),
            attempt: record.attempt().filter(|_| dispatched).map(|a| a.to_string()),
            mac: header.seal(keys)?,
            moving,
            binding,
            body,
            entries: step.entries.iter().map(EntryRow::of).collect(),
            admission,
        })
    }
}

fn change(record: &Record) -> Change {
    Change { proposal: record.proposal.id, version: record.version, state: record.state.name() }
}

fn moving(record: &Record) -> Result<String, Fault> {
    json(&MovingOut { decision: &record.decision, approvals: &record.approvals, state: &record.state })
}

fn json<T: Serialize>(value: &T) -> Result<String, Fault> {
    serde_json::to_string(value).map_err(|e| Fault::new("write a proposal as JSON", e))
}

/// A stored id.
pub(super) fn id(text: &str) -> Result<ProposalId, Fault> {
    text.parse().map_err(|e| Fault::new("read a proposal's id", e))
}

/// A stored digest.
pub(super) fn digest(text: &str) -> Result<Digest, Fault> {
    text.parse().map_err(|e| Fault::new("read a stored digest", e))
}
