//! What all parts of one run share: where the gate answers now, the ledgers, and the phase.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::watch;

use crate::ledger::Ledger;
use crate::{Result, clock};

/// Where the gate answers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) agents: String,
    pub(crate) people: String,
}

/// What the parts may do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Agents propose, people decide, faults happen.
    Load,
    /// No more requests and no faults; people still decide what waits.
    Settle,
    /// Everybody goes home.
    Over,
}

/// One run.
#[derive(Debug)]
pub(crate) struct Arena {
    pub(crate) seed: u64,
    pub(crate) work: PathBuf,
    pub(crate) address: watch::Sender<Address>,
    pub(crate) phase: watch::Sender<Phase>,
    pub(crate) keys: BTreeMap<String, String>,
    pub(crate) agents: Ledger,
    pub(crate) people: Ledger,
    pub(crate) upstream: Ledger,
    pub(crate) proposals: AtomicU64,
    pub(crate) effects: AtomicU64,
    /// All steps of the gate's clock towards the future, in milliseconds.
    forward_ms: AtomicU64,
    numbers: AtomicU64,
}

impl Arena {
    /// A run in this folder, before its gate has started.
    pub(crate) fn new(seed: u64, work: PathBuf) -> Result<Self> {
        Ok(Self {
            seed,
            address: watch::Sender::new(Address::default()),
            phase: watch::Sender::new(Phase::Load),
            keys: BTreeMap::new(),
            agents: Ledger::create(work.join("agents.jsonl"))?,
            people: Ledger::create(work.join("people.jsonl"))?,
            upstream: Ledger::create(work.join("upstream.jsonl"))?,
            proposals: AtomicU64::new(0),
            effects: AtomicU64::new(0),
            forward_ms: AtomicU64::new(0),
            numbers: AtomicU64::new(0),
            work,
        })
    }

    /// A number that no other request of this run has.
    pub(crate) fn number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    /// Notes a step of the gate's clock, before it is made.
    pub(crate) fn steps_clock(&self, by_ms: i64) {
        self.forward_ms.fetch_add(u64::try_from(by_ms).unwrap_or(0), Ordering::Relaxed);
    }

    /// A time in milliseconds that is never slower than the gate's clock: what lies between two of these is at least
    /// what the gate may think has passed. Steps back do not count.
    pub(crate) fn gate_millis(&self) -> u64 {
        clock::millis().saturating_add(self.forward_ms.load(Ordering::Relaxed))
    }

    /// The phase now.
    pub(crate) fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    /// Waits this long, or until the phase is another one.
    pub(crate) async fn pause(&self, phase: Phase, wait: Duration) {
        let mut changes = self.phase.subscribe();
        // At the end of the time as good as at the change; the caller looks at the phase.
        let _ = tokio::time::timeout(wait, changes.wait_for(|now| *now != phase)).await;
    }

    /// The key of an agent.
    pub(crate) fn key_of(&self, agent: &str) -> String {
        self.keys.get(agent).cloned().unwrap_or_default()
    }
}
