//! How many open proposals each agent has, looked up at most once a second: the limit keeps a flood from
//! people (T29), and a count that is a second old does that as well as an exact one.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use countersign_core::limits;

use super::Gate;
use crate::fault::Fault;

/// How old a count may be.
const AGE_MAX: Duration = Duration::from_secs(1);
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
    at: Duration,
}

impl Quota {
    /// Counts one more for this agent, if the last count is fresh and leaves room. None when it must be looked up.
    fn take(&self, agent: &str, now: Duration) -> Option<bool> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.get_mut(agent).filter(|c| now.saturating_sub(c.at) <= AGE_MAX)?;
        let room = count.open < limits::OPEN_PER_AGENT_MAX;
        if room {
            count.open = count.open.saturating_add(1);
        }
        Some(room)
    }

    fn put(&self, agent: &str, open: u32, now: Duration) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() >= AGENTS_MAX {
            counts.retain(|_, count| now.saturating_sub(count.at) <= AGE_MAX);
        }
        counts.insert(agent.to_owned(), Count { open, at: now });
    }
}

impl Gate {
    /// Whether this agent may have one more open proposal.
    pub(super) async fn has_room(&self, agent: &str) -> Result<bool, Fault> {
        let now = self.0.world.ticks();
        if let Some(room) = self.0.quota.take(agent, now) {
            return Ok(room);
        }
        let open = self.0.store.open_of(agent, limits::OPEN_PER_AGENT_MAX).await?;
        self.0.quota.put(agent, open.saturating_add(1), now);
        Ok(open < limits::OPEN_PER_AGENT_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fresh_count_is_used_up_and_an_old_one_is_looked_up_again() {
        let quota = Quota::default();
        let start = Duration::from_secs(5);
        assert_eq!(quota.take("bot", start), None);
        quota.put("bot", limits::OPEN_PER_AGENT_MAX - 1, start);
        assert_eq!(quota.take("bot", start), Some(true));
        assert_eq!(quota.take("bot", start), Some(false));
        assert_eq!(quota.take("other", start), None);
        assert_eq!(quota.take("bot", start + AGE_MAX + Duration::from_millis(1)), None);
    }
}
