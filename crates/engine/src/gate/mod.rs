//! The verbs, one file each. Surfaces call these and nothing else; nothing here knows a surface.
//!
//! The data goes one way: authenticate, validate, preview, decide, commit. What policy allows is committed as
//! dispatched; what people approved is taken by the driver, checked again, and committed as dispatched. Only then
//! is a credential resolved and a call made.

mod approve;
mod attended;
mod cancel;
mod confirm;
mod decide;
mod doubt;
mod driver;
mod execute;
mod expire;
mod find;
mod find_log;
mod gauges;
mod limits;
mod log;
mod orphans;
mod propose;
mod quota;
mod read;
mod ready;
mod recheck;
mod reload;
mod restore;
mod sign_in;
mod slots;
mod supervisor;
mod watch;

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use countersign_core::action::ActionName;
use countersign_core::audit::{Entry, LogKey};
use countersign_core::proposal::{Record, StateName};
use countersign_core::refusal::Refusal;
use countersign_core::ruleset::Ruleset;

use crate::connector::HttpConnector;
use crate::credential::Credentials;
use crate::fault::Stop;
use crate::metrics::Metrics;
use crate::store::{Change, Store, Witness, WriteCounters};
use crate::world::World;
use tokio::sync::broadcast;

pub use approve::Verdict;
pub use find_log::{FoundEntries, LogFilter, LogOrder};
pub use gauges::{Gauges, RuleBacklog};
pub use limits::{Limit, Limits, Rate};
pub use log::export;
pub use propose::{Previewed, Proposal, Proposed, RequestKey};
pub use read::{InboxCount, Page, Viewer};
pub use ready::{Condition, Readiness, ReadinessPart};
pub use restore::{Restored, restore};
pub use supervisor::Supervisor;
pub use watch::{Following, StreamPlace, Until};

/// What a gate is made of.
#[derive(Debug)]
pub struct Parts {
    /// Clock and randomness.
    pub world: World,
    /// The open store.
    pub store: Store,
    /// What decides.
    pub ruleset: Ruleset,
    /// Names to secrets.
    pub credentials: Credentials,
    /// Makes calls.
    pub connector: HttpConnector,
    /// Signs checkpoints.
    pub log_key: LogKey,
    /// Remembers which database was served last.
    pub witness: Witness,
    /// What one agent may take.
    pub limits: Limits,
}

/// The gate. Cheap to clone; all clones are one gate.
#[derive(Debug, Clone)]
pub struct Gate(Arc<GateInner>);

/// What is in force: rules and credentials change together or not at all.
#[derive(Debug, Clone)]
struct Active {
    ruleset: Arc<Ruleset>,
    credentials: Credentials,
}

/// What a process has read and written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Activity {
    /// What it wrote.
    pub writes: WriteCounters,
    /// Statements that it read with.
    pub reads: u64,
    /// Sign-in rows that were found altered.
    pub altered_sign_in_rows: u64,
}

#[derive(Debug)]
struct GateInner {
    world: World,
    store: Store,
    active: RwLock<Active>,
    connector: HttpConnector,
    log_key: LogKey,
    witness: Witness,
    /// Names this process in dispatches.
    owner: String,
    quota: quota::Quota,
    limits: limits::AgentLimits,
    streams: watch::Streams,
    ready: ready::LastAnswer,
    gauges: gauges::LastGauges,
    slots: slots::Slots,
    driven: driver::Driven,
    doubts: doubt::Doubts,
    refused_sign_ins: sign_in::RefusedSignIns,
    work: supervisor::Work,
}

impl Gate {
    /// Closes the store, once everything else has ended.
    pub async fn close(&self) -> Result<(), Stop> {
        Ok(self.0.store.clone().close().await?)
    }

    /// How many proposals are in each state.
    pub async fn counts(&self) -> Result<BTreeMap<StateName, u64>, Stop> {
        Ok(self.0.store.counts().await?)
    }

    /// What this process has read and written since it started.
    pub fn activity(&self) -> Activity {
        let store = &self.0.store;
        Activity {
            writes: store.counters(),
            reads: store.reads(),
            altered_sign_in_rows: store.altered_sign_in_rows(),
        }
    }

    /// What this process has counted since it started.
    pub fn metrics(&self) -> &Metrics {
        self.0.store.metrics()
    }

    /// Every change of a proposal that this process makes, from here on.
    pub fn changes(&self) -> broadcast::Receiver<Change> {
        self.0.store.changes()
    }

    /// Clock and randomness.
    pub fn world(&self) -> &World {
        &self.0.world
    }

    /// The log's key: its origin and public half are no secret.
    pub fn log_key(&self) -> &LogKey {
        &self.0.log_key
    }

    /// What decides right now.
    pub fn ruleset(&self) -> Arc<Ruleset> {
        Arc::clone(&self.0.active.read().unwrap_or_else(PoisonError::into_inner).ruleset)
    }

    /// Who answers for the system of this action, as its manifest says now; none when it is no longer registered.
    pub fn owner_of(&self, action: &ActionName) -> Option<String> {
        let rules = self.ruleset();
        rules.registry.get(&action.to_string()).map(|action| action.system.owner.clone())
    }

    /// The credentials right now.
    fn credentials(&self) -> Credentials {
        self.0.active.read().unwrap_or_else(PoisonError::into_inner).credentials.clone()
    }

    /// Appends an entry that moves no proposal.
    pub async fn note(&self, entry: Entry) -> Result<(), Stop> {
        self.0.store.note(entry).await
    }

    async fn load(&self, id: countersign_core::id::ProposalId) -> Result<Record, Stop> {
        let found = self.0.store.proposal(id).await?;
        found.ok_or_else(|| Refusal::ProposalNotFound { id: id.to_string() }.into())
    }
}
