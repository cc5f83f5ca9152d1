//! Room for calls. A call keeps its slot until its outcome is recorded, so a system that does not answer, or a
//! store that does not write, uses up its own slots and nobody else's.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use countersign_core::limits::CALLS_PER_SYSTEM_MAX;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Calls under way to all systems together.
const CALLS_MAX: usize = 8_192;

/// The slots of all systems.
#[derive(Debug)]
pub(super) struct Slots {
    all: Arc<Semaphore>,
    systems: Mutex<HashMap<String, Arc<Semaphore>>>,
}

/// The right to have one call under way.
#[derive(Debug)]
pub(super) struct Slot {
    _all: OwnedSemaphorePermit,
    _system: OwnedSemaphorePermit,
}

impl Slots {
    pub(super) fn new() -> Self {
        Self { all: Arc::new(Semaphore::new(CALLS_MAX)), systems: Mutex::new(HashMap::new()) }
    }

    /// A slot for a call to this system, if there is one now.
    pub(super) fn take(&self, system: &str) -> Option<Slot> {
        let of_system = {
            let mut systems = self.systems.lock().unwrap_or_else(PoisonError::into_inner);
            let new = || Arc::new(Semaphore::new(CALLS_PER_SYSTEM_MAX));
            Arc::clone(systems.entry(system.to_owned()).or_insert_with(new))
        };
        let system = of_system.try_acquire_owned().ok()?;
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
    fn a_full_system_leaves_the_others_their_slots() {
        let slots = Slots::new();
        let held: Vec<Slot> = (0..CALLS_PER_SYSTEM_MAX).filter_map(|_| slots.take("slow")).collect();
        assert_eq!(held.len(), CALLS_PER_SYSTEM_MAX);
        assert!(slots.take("slow").is_none());
        assert!(slots.take("other").is_some());
        drop(held);
        assert!(slots.take("slow").is_some());
    }
}
