//! How many open proposals each agent has: the limit keeps a flood from people (T29). What this process opens
//! is counted as it is opened; what is closed, or opened by others, is seen when the count is looked up again,
//! and nobody is refused on an old count.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::Gate;
use crate::fault::Fault;

/// How old a count may be that leaves room.
const AGE_MAX: Duration = Duration::from_secs(10);
/// How old a count may be that leaves none.
const FULL_AGE_MAX: Duration = Duration::from_secs(1);
/// Agents remembered; beyond it the oldest counts are forgotten, not the limit.
const AGENTS_MAX: usize = 10_000;

/// The last counts, and what was opened since.
#[derive(Debug, Default)]
pub(super) struct Quota {
    counts: Mutex<HashMap<String, Count>>,
}

#[derive(Debug, Clone, Copy)]
struct Count {
    open: u32,
    /// When it was looked up.
    at: Duration,
    /// Whether it was full already then.
    looked_up_full: bool,
}

impl Quota {
    /// Counts one more for this agent, if the last count is fresh and leaves room. None when it must be looked up.
    fn take(&self, agent: &str, limit: u32, now: Duration) -> Option<bool> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.get_mut(agent)?;
        let age = now.saturating_sub(count.at);
        if count.open < limit {
            count.open = count.open.saturating_add(1);
            return (age <= AGE_MAX).then_some(true);
        }
        (count.looked_up_full && age <= FULL_AGE_MAX).then_some(false)
    }

    /// Keeps what was looked up. Gives whether there is room for one more, and counts that one.
    fn put(&self, agent: &str, open: u32, limit: u32, now: Duration) -> bool {
        let room = open < limit;
        let count = Count { open: open.saturating_add(u32::from(room)), at: now, looked_up_full: !room };
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() >= AGENTS_MAX {
            counts.retain(|_, count| now.saturating_sub(count.at) <= AGE_MAX);
        }
        counts.insert(agent.to_owned(), count);
        room
    }
}

impl Gate {
    /// Whether this agent may have one more open proposal.
    pub(super) async fn has_room(&self, agent: &str) -> Result<bool, Fault> {
        let (now, limit) = (self.0.world.ticks(), self.limits().open_proposals);
        if let Some(room) = self.0.quota.take(agent, limit, now) {
            return Ok(room);
        }
        let open = self.0.store.open_of(agent, limit).await?;
        Ok(self.0.quota.put(agent, open, limit, now))
    }
}

#[cfg(test)]
mod tests {
    use countersign_core::limits::OPEN_PER_AGENT_MAX as MAX;

    use super::*;

    #[test]
    fn a_fresh_count_is_used_up_and_then_looked_up_before_anybody_is_refused() {
        let quota = Quota::default();
        let start = Duration::from_secs(5);
        assert_eq!(quota.take("bot", MAX, start), None);
        assert!(quota.put("bot", MAX - 2, MAX, start));
        assert_eq!(quota.take("bot", MAX, start), Some(true));
        assert_eq!(quota.take("bot", MAX, start), None, "full by its own count: some may be closed by now");
        assert!(!quota.put("bot", MAX, MAX, start));
        assert_eq!(quota.take("bot", MAX, start), Some(false), "full as it was looked up");
        assert_eq!(quota.take("bot", MAX, start + FULL_AGE_MAX + Duration::from_millis(1)), None);
        assert_eq!(quota.take("other", MAX, start), None);
        assert!(quota.put("bot", 0, MAX, start));
        assert_eq!(quota.take("bot", MAX, start + AGE_MAX), Some(true));
        assert_eq!(quota.take("bot", MAX, start + AGE_MAX + Duration::from_millis(1)), None);
    }
}
