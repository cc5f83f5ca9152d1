//! Keeps proposals, the log and sessions, in one SQLite file or one PostgreSQL database.
//!
//! There is one way to move a proposal: [`Store::commit`], which writes the move and its log entry in one
//! transaction and answers after the commit. A [`Grant`] comes from nowhere else. The store decides nothing:
//! it only refuses a step whose proposal has moved on. Nothing here is slower for a longer history.

mod admit;
mod batch;
mod changes;
mod columns;
mod connect;
mod db;
mod desk;
mod entry;
mod error;
mod filter;
mod find;
mod find_log;
mod gate_lock;
mod header;
mod header_v1;
mod health;
mod identity;
mod keys;
mod lease;
mod list;
mod log;
mod log_tokens;
mod migrate;
mod moment;
mod people;
mod process;
mod proposals;
mod quarantine;
mod ready;
mod rows;
mod sqlite;
mod value;
mod waiting;
mod witness;
mod writer;

use std::sync::Arc;
use std::time::Duration;

use countersign_core::audit::Entry;
use countersign_core::digest::Digest;
use countersign_core::id::ProposalId;
use countersign_core::proposal::{Record, State, StateName, Step};
use countersign_core::refusal::Refusal;
use countersign_core::time::Timestamp;
use tokio::sync::broadcast;

use self::batch::Batcher;
use self::changes::Changes;
use self::db::Readers;
use self::desk::Desk;
use self::gate_lock::GateLock;
use self::health::LogHealth;
use self::moment::Moments;
use self::rows::Write;
use self::writer::{Done, Writer};
use crate::fault::{Fault, Stop};
use crate::grant::Grant;
use crate::metrics::Metrics;
use crate::seal::SealKeys;
use crate::world::World;

pub use self::admit::{Admission, NotAdmitted};
pub use self::changes::Watch;
pub use self::desk::WriteCounters;
pub use self::filter::Filter;
pub use self::find::FoundPage;
pub use self::find_log::{EntryInSpan, LogWalk};
pub use self::identity::{Identity, Server};
pub use self::list::{InboxPage, Listed};
pub use self::people::LinkRefusal;
pub use self::ready::Standing;
pub use self::waiting::{LogBacklog, PendingSince};
pub use self::witness::{Testimony, Witness, head_of};

/// Rows of the tally for each state on PostgreSQL. Processes pick one at random, so they hardly ever meet.
const TALLY_SHARDS: u8 = 32;

/// A committed step.
#[derive(Debug)]
pub struct Committed {
    /// The record as it is stored now.
    pub record: Record,
    /// Present exactly when the step was a dispatch.
    pub grant: Option<Grant>,
}

/// What goes with a step besides its rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Placed {
    /// The key of the request that opens it.
    pub key: Option<IdempotencyKey>,
    /// Whether an equal request by the same agent is to get this new proposal. At most one such can be there.
    pub joinable: bool,
    /// What its dispatch rests on; needed exactly when it is one.
    pub admission: Option<Admission>,
}

/// What became of a step that was offered.
#[derive(Debug)]
pub enum Offered {
    /// It is durable.
    Committed(Box<Committed>),
    /// Its dispatch may not be recorded, and nothing was.
    NotAdmitted(NotAdmitted),
}

/// A request that is to get an equal proposal of the same agent.
#[derive(Debug, Clone, PartialEq)]
pub struct Joining {
    /// The agent.
    pub agent: String,
    /// The intent that is equal.
    pub intent: Digest,
    /// The key of the request.
    pub key: Option<IdempotencyKey>,
    /// What the log says about it; the proposal is filled in when it is known.
    pub entry: Entry,
}

/// An idempotency key that came with a proposal. Scoped to the agent; unique.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// As the agent sent it.
    pub key: String,
    /// Digest of the request it came with.
    pub request: Digest,
    /// Whether it was made from the request itself: then an equal proposal that runs is the same request.
    pub derived: bool,
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

/// One entry as it stands in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedEntry {
    /// Index in the Merkle log; none until the sequencer has integrated it.
    pub index: Option<u64>,
    /// The leaf hash as it was integrated; none until then. It may differ from the body's, if somebody edited that.
    pub leaf: Option<Digest>,
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

/// Keeps proposals, the log, sessions. Clones share one writer; it ends with the last of them.
#[derive(Debug, Clone)]
pub struct Store {
    desk: Arc<Desk>,
    readers: Readers,
    writer: Arc<Writer>,
    changes: Changes,
    keys: SealKeys,
    world: World,
    health: Arc<LogHealth>,
    lock: GateLock,
    altered: Arc<people::AlteredRows>,
    metrics: Metrics,
}

impl Store {
    /// Creates the database and its tables, or brings older tables up to date. Running it again changes
    /// nothing. Refuses a database that is newer than this build.
    ///
    /// `url` is `sqlite:path` or `postgres://user@host/database`.
    pub async fn create(url: &str) -> Result<(), Fault> {
        migrate::create(url).await
    }

    /// Opens an existing database and starts the writer. Refuses a missing, older or newer one (T139), and a
    /// SQLite file that another process has open (T101).
    pub async fn open(url: &str, world: &World, keys: SealKeys) -> Result<Self, Fault> {
        let target = connect::target(url)?;
        migrate::require_current(&target).await?;
        let lock = connect::file(&target).map(connect::lock).transpose()?;
        Self::over(target, lock, world, keys).await
    }

    /// Opens an existing database beside a gate that is running, for one short administrative write such as
    /// a sign-in link. It takes no lock; SQLite itself lets the two take turns.
    pub async fn open_beside(url: &str, world: &World, keys: SealKeys) -> Result<Self, Fault> {
        let target = connect::target(url)?;
        migrate::require_current(&target).await?;
        Self::over(target, None, world, keys).await
    }

    async fn over(
        target: db::Target,
        lock: Option<std::fs::File>,
        world: &World,
        keys: SealKeys,
    ) -> Result<Self, Fault> {
        let [dice] = world.random::<1>();
        let shard = match target {
            db::Target::Sqlite(_) => 0,
            db::Target::Postgres(_) => i64::from(dice.checked_rem(TALLY_SHARDS).unwrap_or_default()),
        };
        let opened = |e| Fault::new("open the database", e);
        let readers = Readers::of(&target).map_err(opened)?;
        let gate_lock = GateLock::prove(&target).await.map_err(opened)?;
        let metrics = Metrics::default();
        let desk = Desk::open(target, lock, metrics.clone()).await.map_err(opened)?;
        let changes = Changes::new();
        let health = Arc::new(LogHealth::new(world.ticks()));
        let moments = Moments::new(world.clone(), keys.clone(), Arc::clone(&health), gate_lock);
        let batcher = Batcher::new(Arc::clone(&desk), moments, shard);
        let writer = Arc::new(Writer::start(&desk, batcher, changes.clone(), metrics.clone()));
        let (world, altered) = (world.clone(), Arc::default());
        Ok(Self { desk, readers, writer, changes, keys, world, health, lock: gate_lock, altered, metrics })
    }

    /// Commits a step that is no dispatch. See [`Store::offer`].
    pub async fn commit(&self, step: Step, placed: Placed) -> Result<Record, Stop> {
        let id = step.record.proposal.id;
        match Box::pin(self.offer(step, placed)).await? {
            Offered::Committed(committed) if committed.grant.is_none() => Ok(committed.record),
            Offered::Committed(_) | Offered::NotAdmitted(_) => {
                // `offer` refuses a dispatch without an admission, and `commit` is given none.
                Err(Refusal::InDoubt { id }.into())
            }
        }
    }

    /// The one write path: moves the proposal and appends its entries in one transaction.
    ///
    /// A step that lost its race is refused with `conflict` and writes nothing, and so is a new proposal that an
    /// equal one keeps out; one whose idempotency key is taken, with `idempotency_key_in_progress`. A full
    /// queue refuses with `busy`, except the outcome of a call that was made: that waits for its turn. A fault
    /// means that nothing was recorded; when nobody knows, the refusal is `in_doubt` and there is no grant.
    #[tracing::instrument(name = "store.commit", skip_all, fields(proposal = %step.record.proposal.id))]
    pub async fn offer(&self, step: Step, placed: Placed) -> Result<Offered, Stop> {
        let dispatches = step.record.state.name() == StateName::Dispatched;
        if dispatches != placed.admission.is_some() {
            return Err(Fault::new(
                "record a step",
                "a dispatch needs an admission, and nothing else has one",
            )
            .into());
        }
        let patient = step.from == Some(StateName::Dispatched);
        let (write, record) = Write::of(step, placed, &self.keys)?;
        match self.writer.submit(write, patient).await? {
            Done::Written(at) => {
                let grant = grant(&record, at);
                Ok(Offered::Committed(Box::new(Committed { record, grant })))
            }
            Done::NotAdmitted(why) => Ok(Offered::NotAdmitted(why)),
            Done::Joined(_) | Done::Gone => Err(Refusal::InDoubt { id: record.proposal.id }.into()),
        }
    }

    /// Gives a request the equal proposal of the same agent that waits, runs, or whose outcome is unknown, and
    /// records that it did. None when there is none any more. With a key of its own a request only joins what
    /// waits for people.
    pub async fn join(&self, joining: Joining) -> Result<Option<ProposalId>, Stop> {
        match self.writer.submit(Write::join(joining), false).await? {
            Done::Joined(id) => Ok(Some(id)),
            Done::Gone | Done::Written(_) | Done::NotAdmitted(_) => Ok(None),
        }
    }

    /// Appends an entry that moves no proposal.
    pub async fn note(&self, entry: Entry) -> Result<(), Stop> {
        self.writer.submit(Write::note(&entry)?, false).await.map(drop)
    }

    /// Why this process cannot write any more, if so.
    pub fn write_problem(&self) -> Option<String> {
        self.desk.is_broken().then(|| "the disk failed; restart the gate".to_owned())
    }

    /// Subscribes to changes made through this process.
    pub fn changes(&self) -> broadcast::Receiver<Change> {
        self.changes.all()
    }

    /// Waits for changes of one proposal that are made through this process.
    pub fn watch(&self, id: ProposalId) -> Watch {
        self.changes.of(id)
    }

    /// How many statements have been read through this process.
    pub fn reads(&self) -> u64 {
        self.readers.reads()
    }

    /// What was counted since the store was opened.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// What this process has written since it opened the store.
    pub fn counters(&self) -> WriteCounters {
        self.desk.counters()
    }

    /// Writes what waits, then closes the database. Every clone is closed with it.
    pub async fn close(self) -> Result<(), Fault> {
        self.writer.close().await;
        // SQLite tidies up when its last connection closes, so the one that may write goes last.
        self.readers.close().await;
        let WriteCounters { commits, statements, rows, bytes } = self.desk.counters();
        tracing::info!(commits, statements, rows, bytes, "the store was closed");
        self.desk.close().await.map_err(|e| Fault::new("close the database", e))
    }
}

/// The grant of a record whose dispatch was committed just now.
///
/// INVARIANT I3: called after the commit and from nowhere else. `apply` leaves `Dispatched` at once, so a
/// record that was just committed in that state was just dispatched.
fn grant(record: &Record, recorded_at: Duration) -> Option<Grant> {
    match &record.state {
        State::Dispatched { attempt, .. } => {
            let call = record.binding.rendering.call.clone();
            Some(Grant::of_recorded_dispatch(record.proposal.id, *attempt, call, recorded_at))
        }
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
