//! The lives of all proposals of an export. What it keeps grows with the proposals that are open; of each that
//! is over it keeps the id, and of each attempt its id, 16 bytes each.

use std::collections::{BTreeMap, BTreeSet};

use super::life::{LifeState, life};
use super::life_error::LifeError;
use super::life_event::{LifeEntry, LifeEvent, Meaning};
use crate::id::{AttemptId, ProposalId};
use crate::proposal::StateName;

/// What was replayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Replayed {
    /// Proposals whose life was checked from its beginning.
    pub proposals: u64,
    /// Their approvals.
    pub approvals: u64,
    /// Their dispatches.
    pub dispatches: u64,
    /// Their outcomes.
    pub outcomes: u64,
    /// Those of them that are pending, ready or dispatched at the end.
    pub open: u64,
    /// Proposals that began before the first entry of a slice. Their lives were not checked.
    pub begun_before: u64,
}

/// All lives so far. A clone goes on from the same place.
#[derive(Debug, Clone)]
pub(super) struct Lives {
    /// Whether entry 0 is in the export, so that every life begins in it.
    whole: bool,
    /// Those that may still move.
    open: BTreeMap<ProposalId, LifeState>,
    over: BTreeSet<ProposalId>,
    begun_before: BTreeSet<ProposalId>,
    attempts: BTreeSet<AttemptId>,
    /// Gate directories put in force so far.
    rules: u64,
    replayed: Replayed,
}

impl Lives {
    pub(super) fn new(whole: bool) -> Self {
        Self {
            whole,
            open: BTreeMap::new(),
            over: BTreeSet::new(),
            begun_before: BTreeSet::new(),
            attempts: BTreeSet::new(),
            rules: 0,
            replayed: Replayed::default(),
        }
    }

    /// Takes the next entry as it is stored. The error is a lower-case fragment.
    pub(super) fn take(&mut self, body: &[u8]) -> Result<(), String> {
        match Meaning::of(body)? {
            Meaning::RulesInForce => {
                self.rules = self.rules.saturating_add(1);
                Ok(())
            }
            Meaning::Life(entry) => {
                self.entry(&entry).map_err(|why| format!("proposal {}: {why}", entry.proposal))
            }
            Meaning::Nothing => Ok(()),
        }
    }

    pub(super) fn replayed(&self) -> Replayed {
        let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        let open = self.open.values().filter(|s| s.name() != StateName::Unknown).count();
        Replayed { open: count(open), begun_before: count(self.begun_before.len()), ..self.replayed }
    }

    fn entry(&mut self, entry: &LifeEntry) -> Result<(), String> {
        let id = entry.proposal;
        match &entry.data {
            LifeEvent::Beside | LifeEvent::LateResult(_) => return self.beside(entry),
            LifeEvent::Opened(_)
            | LifeEvent::Approved(_)
            | LifeEvent::Rejected(_)
            | LifeEvent::Ended(_)
            | LifeEvent::Expired(_)
            | LifeEvent::Revised(_)
            | LifeEvent::Dispatched(_)
            | LifeEvent::Finished(..) => {}
        }
        let begins = matches!(entry.data, LifeEvent::Opened(_));
        let known = self.open.contains_key(&id) || self.over.contains(&id);
        if self.begun_before.contains(&id) || !(self.whole || begins || known) {
            if begins {
                return Err(LifeError::OpenedTwice.to_string());
            }
            self.begun_before.insert(id);
            return self.note_attempt(entry);
        }
        if self.over.contains(&id) {
            return Err(match &entry.data {
                LifeEvent::Opened(_) => LifeError::OpenedTwice.to_string(),
                LifeEvent::Dispatched(_) => "it is dispatched a second time, or after its end".to_owned(),
                LifeEvent::Approved(_)
                | LifeEvent::Rejected(_)
                | LifeEvent::Ended(_)
                | LifeEvent::Expired(_)
                | LifeEvent::Revised(_)
                | LifeEvent::Finished(..)
                | LifeEvent::LateResult(_)
                | LifeEvent::Beside => format!("`{}` comes after its end", entry.event),
            });
        }
        let next = life(self.open.remove(&id), entry, self.rules).map_err(|e| e.to_string())?;
        self.note_attempt(entry)?;
        self.count(&entry.data);
        if next.is_final() {
            self.over.insert(id);
        } else {
            self.open.insert(id, next);
        }
        Ok(())
    }

    /// Evidence beside a life. It moves nothing, so it has no version.
    fn beside(&self, entry: &LifeEntry) -> Result<(), String> {
        if entry.version != 0 {
            return Err(format!("`{}` moves nothing, but has version {}", entry.event, entry.version));
        }
        let LifeEvent::LateResult(late) = &entry.data else { return Ok(()) };
        let current = self.open.get(&entry.proposal).and_then(LifeState::attempt);
        let fits = current.map_or_else(|| self.attempts.contains(&late.attempt), |a| a == late.attempt);
        if fits || !self.whole {
            Ok(())
        } else {
            Err(format!("`{}` is about an attempt that it did not dispatch", entry.event))
        }
    }

    fn note_attempt(&mut self, entry: &LifeEntry) -> Result<(), String> {
        let LifeEvent::Dispatched(sent) = &entry.data else { return Ok(()) };
        if self.attempts.insert(sent.attempt) {
            Ok(())
        } else {
            Err(format!("attempt {} was dispatched before", sent.attempt))
        }
    }

    fn count(&mut self, data: &LifeEvent) {
        let counter = match data {
            LifeEvent::Opened(_) => &mut self.replayed.proposals,
            LifeEvent::Approved(_) => &mut self.replayed.approvals,
            LifeEvent::Dispatched(_) => &mut self.replayed.dispatches,
            LifeEvent::Finished(..) => &mut self.replayed.outcomes,
            LifeEvent::Rejected(_)
            | LifeEvent::Ended(_)
            | LifeEvent::Expired(_)
            | LifeEvent::Revised(_)
            | LifeEvent::LateResult(_)
            | LifeEvent::Beside => return,
        };
        *counter = counter.saturating_add(1);
    }
}
