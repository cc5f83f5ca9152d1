//! Room for calls. A call keeps its slot until its outcome is recorded, so a system that does not answer, or a
//! store that does not write, uses up its own slots and nobody else's. Of a system's slots one agent has a share, and
//! what people approved has a part.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use countersign_core::limits::{CALLS_APPROVED_MAX, CALLS_PER_AGENT_MAX, CALLS_PER_SYSTEM_MAX};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::bulkhead::{Bulkhead, Place, Sizes};
use crate::party::Party;

/// Calls under way to all systems together.
const CALLS_MAX: usize = 8_192;
/// The slots of one system. People call nothing themselves: what they approved is sent by the gate.
const SIZES: Sizes = Sizes {
    agents: CALLS_PER_SYSTEM_MAX - CALLS_APPROVED_MAX,
    one_agent: CALLS_PER_AGENT_MAX,
    people: 0,
    one_person: 0,
    gate: CALLS_APPROVED_MAX,
};

/// The slots of all systems.
#[derive(Debug)]
pub(super) struct Slots {
    all: Arc<Semaphore>,
    systems: Mutex<HashMap<String, Arc<Bulkhead>>>,
}

/// The right to have one call under way.
#[derive(Debug)]
pub(super) struct Slot {
    _all: OwnedSemaphorePermit,
    _system: Place,
}

impl Slots {
    pub(super) fn new() -> Self {
        Self { all: Arc::new(Semaphore::new(CALLS_MAX)), systems: Mutex::new(HashMap::new()) }
    }

    /// A slot for a call to this system, if there is one now.
    pub(super) fn take(&self, system: &str, party: &Party) -> Option<Slot> {
        let of_system = {
            let mut systems = self.systems.lock().unwrap_or_else(PoisonError::into_inner);
            let new = || Arc::new(Bulkhead::new(SIZES));
            Arc::clone(systems.entry(system.to_owned()).or_insert_with(new))
        };
        let system = of_system.try_take(party).ok()?;
        let all = Arc::clone(&self.all).try_acquire_owned().ok()?;
        Some(Slot { _all: all, _system: system })
    }

    /// Waits until no call is under way, or time is up. Gives whether that was so; no new one begins after it.
    pub(super) async fn drain(&self, within: Duration) -> bool {
        let all = u32::try_from(CALLS_MAX).unwrap_or(u32::MAX);
        let drained = tokio::time::timeout(within, self.all.acquire_many(all)).await.is_ok();
        self.all.close();
        drained
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_system_leaves_the_others_their_slots_and_an_agent_leaves_the_others_some_b2() {
        let slots = Slots::new();
        let take = |system: &str, party: &Party| -> Vec<Slot> {
            std::iter::from_fn(|| slots.take(system, party)).collect()
        };
        let bot = take("slow", &Party::agent("bot"));
        assert_eq!(bot.len(), CALLS_PER_AGENT_MAX);
        assert!(slots.take("slow", &Party::agent("other")).is_some());
        let rest: Vec<Vec<Slot>> = ["a", "b", "c"].map(|name| take("slow", &Party::agent(name))).into();
        assert_eq!(bot.len() + rest.iter().map(Vec::len).sum::<usize>(), SIZES.agents);
        assert!(slots.take("slow", &Party::agent("other")).is_none());
        assert_eq!(take("slow", &Party::Gate).len(), CALLS_APPROVED_MAX);
        assert!(slots.take("other", &Party::agent("bot")).is_some());
        drop(bot);
        assert!(slots.take("slow", &Party::agent("other")).is_some());
    }
}
