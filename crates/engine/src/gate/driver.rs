//! The driver: the one place where what is ready is sent. Ready is what people approved, what was decided again, and
//! what could not be looked at for a while.
//!
//! Verbs only make rows. The driver of each process takes them by lease, woken by its own commits and by a look
//! every second. It holds no promise: the guard of the statement that records a dispatch makes it single.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use countersign_core::id::ProposalId;
use countersign_core::limits::RETRY_PAUSE_MAX;
use countersign_core::proposal::{Event, Record, State, StateName, apply};
use countersign_core::refusal::Refusal;
use tokio::sync::Notify;
use tracing::instrument;

use super::Gate;
use super::recheck::Recheck;
use crate::fault::{Stop, chain_text};
use crate::party::Party;
use crate::store::{Admission, NotAdmitted, Offered, Placed};

/// Proposals under way in the driver at once.
const DRIVEN_MAX: usize = 256;
/// Of one agent, so that its slow calls leave room for others.
const DRIVEN_PER_AGENT_MAX: usize = 64;
/// Between two looks for what is ready, when nothing wakes the driver.
const LOOK: Duration = Duration::from_secs(1);
/// The first pause before what could not be sent is tried again; it doubles with every try.
const PAUSE: Duration = Duration::from_secs(1);

/// What the driver has in hand.
#[derive(Debug, Default)]
pub(super) struct Driven {
    under_way: Mutex<HashSet<ProposalId>>,
    tries: Mutex<HashMap<ProposalId, u32>>,
    agents: Arc<Mutex<HashMap<String, usize>>>,
    wake: Notify,
}

/// One of an agent's places in the driver, until it is dropped.
struct DriverPlace {
    agents: Arc<Mutex<HashMap<String, usize>>>,
    agent: String,
}

impl Drop for DriverPlace {
    fn drop(&mut self) {
        let mut agents = self.agents.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(n) = agents.get_mut(&self.agent) {
            *n = n.saturating_sub(1);
            if *n == 0 {
                agents.remove(&self.agent);
            }
        }
    }
}

impl Driven {
    /// There may be something ready.
    pub(super) fn wake(&self) {
        self.wake.notify_one();
    }

    fn begin(&self, id: ProposalId) -> bool {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner).insert(id)
    }

    fn end(&self, id: ProposalId) {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }

    fn room(&self) -> u32 {
        let busy = self.under_way.lock().unwrap_or_else(PoisonError::into_inner).len();
        u32::try_from(DRIVEN_MAX.saturating_sub(busy)).unwrap_or(0)
    }

    /// A place for one more proposal of this agent, if it has one left.
    fn place_of(&self, agent: &str) -> Option<DriverPlace> {
        let mut agents = self.agents.lock().unwrap_or_else(PoisonError::into_inner);
        let n = agents.entry(agent.to_owned()).or_insert(0);
        if *n >= DRIVEN_PER_AGENT_MAX {
            return None;
        }
        *n = n.saturating_add(1);
        Some(DriverPlace { agents: Arc::clone(&self.agents), agent: agent.to_owned() })
    }

    /// The pause after one more try.
    fn pause(&self, id: ProposalId) -> Duration {
        let mut tries = self.tries.lock().unwrap_or_else(PoisonError::into_inner);
        if tries.len() > DRIVEN_MAX.saturating_mul(16) {
            tries.clear();
        }
        let n = tries.entry(id).or_insert(0);
        let pause = PAUSE.saturating_mul(2_u32.saturating_pow(*n)).min(RETRY_PAUSE_MAX);
        *n = n.saturating_add(1);
        pause
    }

    fn forget(&self, id: ProposalId) {
        self.tries.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }
}

/// What became of one try.
enum Driving {
    /// It moved on, by this or by somebody else.
    Moved,
    /// It stays ready; why.
    Stays(String),
}

impl Gate {
    /// Sends what is ready until told to stop.
    pub(super) async fn drive(self, stop: Arc<Notify>) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = self.0.driven.wake.notified() => {}
                () = stop.notified() => return,
            }
            if let Err(stop) = self.drive_ready().await {
                tracing::error!(error = %chain_text(&stop), "what is ready is not being looked at");
            }
        }
    }

    async fn drive_ready(&self) -> Result<(), Stop> {
        let room = self.0.driven.room();
        if room == 0 {
            return Ok(());
        }
        let now = self.0.store.now().await?;
        for id in self.0.store.lease_ready(&self.0.owner, now, room).await? {
            if self.0.driven.begin(id) {
                self.drive_one(id);
            }
        }
        Ok(())
    }

    /// One proposal in a task of its own.
    fn drive_one(&self, id: ProposalId) {
        let gate = self.clone();
        let started = self.in_background(Box::pin(async move {
            let stays = match gate.try_one(id).await {
                // What is quarantined was set aside with an alarm already.
                Ok(Driving::Moved) | Err(Stop::Refused(Refusal::Quarantined { .. })) => None,
                Ok(Driving::Stays(why)) => Some(why),
                Err(stop) => Some(chain_text(&stop)),
            };
            gate.0.driven.end(id);
            match stays {
                None => gate.0.driven.forget(id),
                Some(why) => gate.later(id, &why).await,
            }
        }));
        if !started {
            self.0.driven.end(id);
        }
    }

    /// It stays ready, and is tried again after a while.
    async fn later(&self, id: ProposalId, why: &str) {
        let pause = self.0.driven.pause(id);
        tracing::warn!(proposal = %id, why, ?pause, "not sent yet; it is tried again until its deadline");
        let put_back = match self.0.store.now().await {
            Ok(now) => self.0.store.put_back(id, now.plus(pause)).await,
            Err(fault) => Err(fault),
        };
        if let Err(fault) = put_back {
            // Its lease runs out by itself.
            tracing::warn!(proposal = %id, error = %chain_text(&fault), "its lease was not changed");
        }
    }

    /// Checks one ready proposal again and dispatches it.
    #[instrument(name = "gate.dispatch", skip_all, fields(proposal = %id))]
    async fn try_one(&self, id: ProposalId) -> Result<Driving, Stop> {
        let record = self.load(id).await?;
        let State::Ready { use_by } = record.state else { return Ok(Driving::Moved) };
        let Some(_place) = self.0.driven.place_of(record.proposal.chain.agent()) else {
            return Ok(Driving::Stays("too many of its agent's calls are under way".to_owned()));
        };
        if !self.0.store.is_as_logged(&record).await? {
            return Ok(Driving::Moved);
        }
        let rules = self.ruleset();
        let (event, decided_at) = match self.recheck(&rules, &record).await {
            Recheck::Unchanged(event, at) => (*event, at),
            Recheck::Changed(event) => return self.move_on(&record, &event).await,
            Recheck::Later(why) => return Ok(Driving::Stays(why)),
        };
        let Some(slot) = self.0.slots.take(&record.binding.rendering.resource.system, &Party::Gate) else {
            return Ok(Driving::Stays("too many calls to its system are under way".to_owned()));
        };
        // Too late or moved meanwhile: the deadline watch, or whoever moved it, sees to it.
        let Ok(step) = apply(&record, &event, self.0.world.now()) else { return Ok(Driving::Moved) };
        let admission = Admission { rules: rules.digest(), decided_at, use_by, owner: self.0.owner.clone() };
        let placed = Placed { admission: Some(admission), ..Placed::default() };
        match self.0.store.offer(step, placed).await {
            Ok(Offered::Committed(committed)) => {
                if let Some(grant) = committed.grant {
                    self.execute(committed.record, grant, slot, None).await;
                }
                Ok(Driving::Moved)
            }
            Ok(Offered::NotAdmitted(NotAdmitted::Late)) | Err(Stop::Refused(Refusal::Conflict { .. })) => {
                Ok(Driving::Moved)
            }
            Ok(Offered::NotAdmitted(why)) => Ok(Driving::Stays(why.to_string())),
            Err(Stop::Refused(Refusal::InDoubt { .. })) => {
                if let Event::Dispatch { attempt, .. } = event {
                    self.remember_doubt(id, attempt);
                }
                Ok(Driving::Moved)
            }
            Err(other) => Err(other),
        }
    }

    /// Commits what becomes of a proposal that may not run as it is.
    async fn move_on(&self, record: &Record, event: &Event) -> Result<Driving, Stop> {
        let Ok(step) = apply(record, event, self.0.world.now()) else { return Ok(Driving::Moved) };
        match self.0.store.commit(step, Placed::default()).await {
            // A revision that policy allows outright is ready again, now with what is true.
            Ok(moved) if moved.state.name() == StateName::Ready => {
                self.0.driven.wake();
                Ok(Driving::Moved)
            }
            Ok(_) | Err(Stop::Refused(Refusal::Conflict { .. })) => Ok(Driving::Moved),
            Err(other) => Err(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_doubles_and_ends_at_its_longest_and_is_forgotten_with_success() {
        let (driven, id) = (Driven::default(), ProposalId::from_parts(0, [1; 10]));
        let pauses: Vec<u64> = (0..7).map(|_| driven.pause(id).as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 30, 30]);
        driven.forget(id);
        assert_eq!(driven.pause(id).as_secs(), 1);
        assert!(driven.begin(id) && !driven.begin(id), "one at a time");
        driven.end(id);
        assert!(driven.begin(id));
    }

    #[test]
    fn one_agent_leaves_room_for_others() {
        let driven = Driven::default();
        let places: Vec<DriverPlace> =
            (0..=DRIVEN_PER_AGENT_MAX).filter_map(|_| driven.place_of("a")).collect();
        assert_eq!(places.len(), DRIVEN_PER_AGENT_MAX);
        assert!(driven.place_of("b").is_some());
        drop(places);
        assert!(driven.place_of("a").is_some());
    }
}
