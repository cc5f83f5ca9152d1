//! stub
use std::collections::BTreeMap;

use countersign_core::audit::{Entry, LogKey};
use countersign_core::digest::Digest;
use countersign_core::id::ProposalId;
use countersign_core::proposal::{Record, StateName, Step};
use countersign_core::time::Timestamp;
use tokio::sync::broadcast;

use crate::fault::{Fault, Stop};
use crate::grant::Grant;
use crate::world::World;

/// A committed step.
#[derive(Debug)]
pub struct Committed {
    /// The record as it is stored now.
    pub record: Record,
    /// Present exactly when the step was a dispatch.
    pub grant: Option<Grant>,
}

/// An idempotency key that came with a proposal. Scoped to the agent; unique.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// As the agent sent it.
    pub key: String,
    /// Digest of the request it came with.
    pub request: Digest,
}

/// What was stored under an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replay {
    /// Digest of the request it came with.
    pub request: Digest,
    /// What it made.
    pub proposal: ProposalId,
}

/// Something moved. Sent after the commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// Which proposal.
    pub proposal: ProposalId,
    /// Its version now.
    pub version: u32,
    /// Its state now.
    pub state: StateName,
}

/// What a list shows. Newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only these states; empty for all.
    pub states: Vec<StateName>,
    /// Only of this agent.
    pub agent: Option<String>,
    /// Only on behalf of this person, or of an agent alone.
    pub person: Option<String>,
    /// Only older than this one: the cursor.
    pub before: Option<ProposalId>,
    /// How many at the most.
    pub limit: u32,
}

/// One entry as it stands in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedEntry {
    /// Index in the Merkle log; none until the sequencer has integrated it.
    pub index: Option<u64>,
    /// The canonical bytes.
    pub body: Vec<u8>,
}

/// A person's session at rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Who.
    pub person: String,
    /// Since when.
    pub created: Timestamp,
    /// When it was last used, to the minute.
    pub seen: Timestamp,
    /// When it ends at the latest.
    pub expires: Timestamp,
}

/// Keeps proposals, the log, sessions.
#[derive(Debug, Clone)]
pub struct Store {
    changes: broadcast::Sender<Change>,
}

impl Store {
    /// Creates the database and its tables. Refuses one that exists and is newer.
    pub async fn create(_url: &str) -> Result<(), Fault> {
        todo!()
    }
    /// Opens an existing database and starts the writer. Refuses a missing, older or newer one.
    pub async fn open(_url: &str, _world: &World) -> Result<Self, Fault> {
        todo!()
    }
    /// The one write path: moves the proposal and appends its entry in one transaction. A step that lost
    /// its race is refused with `conflict` and writes nothing.
    pub async fn commit(&self, _step: Step, _key: Option<IdempotencyKey>) -> Result<Committed, Stop> {
        todo!()
    }
    /// Appends an entry that moves no proposal.
    pub async fn note(&self, _entry: Entry) -> Result<(), Stop> {
        todo!()
    }
    /// One proposal.
    pub async fn proposal(&self, _id: ProposalId) -> Result<Option<Record>, Fault> {
        todo!()
    }
    /// A page of proposals.
    pub async fn list(&self, _filter: &Filter) -> Result<Vec<Record>, Fault> {
        todo!()
    }
    /// How many proposals are in each state; maintained, not counted.
    pub async fn counts(&self) -> Result<BTreeMap<StateName, u64>, Fault> {
        todo!()
    }
    /// How many open (pending, ready) proposals an agent has, counted up to `limit`.
    pub async fn open_of(&self, _agent: &str, _limit: u32) -> Result<u32, Fault> {
        todo!()
    }
    /// The open (pending) proposal of this agent with this intent, if any.
    pub async fn pending_with_intent(
        &self,
        _agent: &str,
        _intent: &Digest,
    ) -> Result<Option<ProposalId>, Fault> {
        todo!()
    }
    /// What was stored under this agent's idempotency key.
    pub async fn replay(&self, _agent: &str, _key: &str) -> Result<Option<Replay>, Fault> {
        todo!()
    }
    /// Open proposals whose deadline has passed.
    pub async fn due(&self, _now: Timestamp, _limit: u32) -> Result<Vec<ProposalId>, Fault> {
        todo!()
    }
    /// Proposals in this state, oldest first, after a cursor.
    pub async fn in_state(
        &self,
        _state: StateName,
        _after: Option<ProposalId>,
        _limit: u32,
    ) -> Result<Vec<ProposalId>, Fault> {
        todo!()
    }
    /// Whether no other process can have this database open.
    pub fn is_exclusive(&self) -> bool {
        todo!()
    }
    /// Subscribes to changes made through this process.
    pub fn changes(&self) -> broadcast::Receiver<Change> {
        self.changes.subscribe()
    }
    /// The entries of one proposal, in order.
    pub async fn history(&self, _id: ProposalId) -> Result<Vec<LoggedEntry>, Fault> {
        todo!()
    }
    /// Integrates what waits, in order, and signs a checkpoint. Gives how many entries were integrated.
    pub async fn integrate(&self, _key: &LogKey) -> Result<u64, Fault> {
        todo!()
    }
    /// The last signed checkpoint.
    pub async fn checkpoint(&self) -> Result<Option<String>, Fault> {
        todo!()
    }
    /// Integrated entries from an index on, in order.
    pub async fn entries(&self, _from: u64, _limit: u32) -> Result<Vec<LoggedEntry>, Fault> {
        todo!()
    }
    /// Keeps a one-time sign-in link, by the digest of its token.
    pub async fn add_link(&self, _token: &Digest, _person: &str, _expires: Timestamp) -> Result<(), Fault> {
        todo!()
    }
    /// Uses up a link and opens a session in one transaction. None when it is unknown, used or too old.
    pub async fn redeem_link(
        &self,
        _token: &Digest,
        _session: &Digest,
        _now: Timestamp,
        _expires: Timestamp,
    ) -> Result<Option<String>, Fault> {
        todo!()
    }
    /// A live session, by the digest of its token; marks it seen at most once a minute.
    pub async fn session(&self, _token: &Digest, _now: Timestamp) -> Result<Option<Session>, Fault> {
        todo!()
    }
    /// Takes no more writes and finishes those that wait.
    pub async fn close(self) -> Result<(), Fault> {
        todo!()
    }
    /// Ends a session.
    pub async fn end_session(&self, _token: &Digest) -> Result<(), Fault> {
        todo!()
    }
}
