//! What one step writes, as plain values. Made in the caller's time, so that the writer only writes.
//!
//! A record is a header, rewritten with each move, and parts, each written once. The authentication code (`mac`)
//! covers every column that means something; the header holds the digests of the parts.

use countersign_core::audit::{Entry, entry_hash};
use countersign_core::digest::Digest;
use countersign_core::id::ProposalId;
use countersign_core::limits::IDEMPOTENCY_KEPT;
use countersign_core::proposal::{NewPart, PartRef, Record, StateName, Step};
use countersign_core::time::Timestamp;

use super::admit::Admission;
use super::columns::Columns;
use super::header;
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
    pub(super) leaf: Digest,
}

/// A part of a record that is written now.
#[derive(Debug)]
pub(super) struct PartRow {
    pub(super) proposal: String,
    pub(super) name: &'static str,
    pub(super) version: i64,
    pub(super) body: String,
}

/// A row of the idempotency table.
#[derive(Debug)]
pub(super) struct KeyRow {
    pub(super) agent: String,
    pub(super) key: String,
    pub(super) request: String,
    /// When to look whether its proposal is settled.
    pub(super) look_at: i64,
    /// Whether it was made from the request itself. Not stored: the key says it.
    pub(super) derived: bool,
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
    pub(super) action: String,
    pub(super) environment: String,
    pub(super) header: String,
    pub(super) mac: Vec<u8>,
    pub(super) parts: Vec<PartRow>,
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
    /// It may be another one after the record was read again.
    pub(super) environment: String,
    pub(super) header: String,
    pub(super) mac: Vec<u8>,
    pub(super) parts: Vec<PartRow>,
    /// The row had a header of version 1, whose parts these ones replace.
    pub(super) was_v1: bool,
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
    pub(super) fn note(entry: &Entry) -> Result<Self, Fault> {
        EntryRow::note(entry).map(Self::Note)
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

    /// The parts that go with it.
    pub(super) fn parts(&self) -> &[PartRow] {
        match self {
            Self::Open(opening) => &opening.parts,
            Self::Move(moving) => &moving.parts,
            Self::Join(_) | Self::Note(_) => &[],
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
    /// The entry's bytes and its leaf hash, made here and not by the one task that all writes wait for.
    pub(super) fn of(entry: &Entry) -> Result<Self, Fault> {
        let body = entry.to_bytes().map_err(|e| Fault::new("write an entry as JSON", e))?;
        Ok(Self {
            at: entry.at.as_micros(),
            proposal: entry.proposal.map(|id| id.to_string()),
            version: Some(i64::from(entry.version)),
            leaf: entry_hash(entry.at, &body),
            body,
        })
    }

    /// Of an entry that moves nothing.
    pub(super) fn note(entry: &Entry) -> Result<Self, Fault> {
        Ok(Self { version: None, ..Self::of(entry)? })
    }
}

impl KeyRow {
    fn of(agent: &str, key: IdempotencyKey, now: Timestamp) -> Self {
        let IdempotencyKey { key, request, derived } = key;
        let look_at = now.plus(IDEMPOTENCY_KEPT).as_micros();
        Self { agent: agent.to_owned(), key, request: request.to_string(), look_at, derived }
    }
}

impl OpenRow {
    fn of(step: &mut Step, placed: Placed, keys: &SealKeys) -> Result<Self, Fault> {
        let Placed { key, joinable, admission } = placed;
        let parts = new_parts(&mut step.record)?;
        let record = &step.record;
        let chain = &record.proposal.chain;
        let agent = chain.agent().to_owned();
        let header = header::text(record)?;
        let joins = joinable && matches!(record.state.name(), StateName::Pending | StateName::Dispatched);
        Ok(Self {
            change: change(record),
            id: record.proposal.id.to_string(),
            person: chain.person().map(str::to_owned),
            due: record.due().map(Timestamp::as_micros),
            intent: record.binding.intent.to_string(),
            join_key: joins.then(|| record.binding.intent.to_string()),
            attempt: record.attempt().map(|a| a.to_string()),
            action: record.proposal.action.to_string(),
            environment: record.binding.rendering.environment.clone(),
            mac: Columns::of(record, &header).seal(keys),
            header,
            parts,
            key: key.map(|key| KeyRow::of(&agent, key, record.proposal.created_at)),
            agent,
            entries: step.entries.iter().map(EntryRow::of).collect::<Result<_, _>>()?,
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
        let was_v1 = step.record.parts.input.is_none();
        let parts = new_parts(&mut step.record)?;
        let record = &step.record;
        let header = header::text(record)?;
        let dispatched = record.state.name() == StateName::Dispatched;
        Ok(Self {
            change: change(record),
            id: record.proposal.id.to_string(),
            from_version: i64::from(step.from_version),
            from,
            due: record.due().map(Timestamp::as_micros),
            intent: record.binding.intent.to_string(),
            attempt: record.attempt().filter(|_| dispatched).map(|a| a.to_string()),
            environment: record.binding.rendering.environment.clone(),
            mac: Columns::of(record, &header).seal(keys),
            header,
            parts,
            was_v1,
            entries: step.entries.iter().map(EntryRow::of).collect::<Result<_, _>>()?,
            admission,
        })
    }
}

fn change(record: &Record) -> Change {
    Change { proposal: record.proposal.id, version: record.version, state: record.state.name() }
}

/// The parts that are not stored yet, noted in the record as stored by this version.
fn new_parts(record: &mut Record) -> Result<Vec<PartRow>, Fault> {
    let new = record.unstored().map_err(|e| Fault::new("write a proposal as JSON", e))?;
    let (version, proposal) = (record.version, record.proposal.id.to_string());
    let row = |NewPart { name, text }| {
        let digest = record.proposal.salts.digest(name, text.as_bytes());
        record.parts.set(name, PartRef { version, digest });
        PartRow { proposal: proposal.clone(), name: name.as_str(), version: i64::from(version), body: text }
    };
    Ok(new.into_iter().map(row).collect())
}

/// A stored id.
pub(super) fn id(text: &str) -> Result<ProposalId, Fault> {
    text.parse().map_err(|e| Fault::new("read a proposal's id", e))
}

/// A stored digest.
pub(super) fn digest(text: &str) -> Result<Digest, Fault> {
    text.parse().map_err(|e| Fault::new("read a stored digest", e))
}
