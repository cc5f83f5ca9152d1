//! Whether the log takes more. A log that cannot be integrated must stop effects, or they would have no proof.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use countersign_core::limits::{LOG_BACKLOG_MAX, LOG_STILL_MAX};

/// What the sequencer of this process last found.
#[derive(Debug)]
pub(super) struct LogHealth(Mutex<Found>);

#[derive(Debug)]
struct Found {
    /// When it last integrated everything it saw, by the monotonic clock.
    last_good: Duration,
    /// What is stored of the tree does not fit together.
    damage: Option<String>,
    /// Entries that wait.
    backlog: u64,
}

impl LogHealth {
    pub(super) fn new(ticks: Duration) -> Self {
        Self(Mutex::new(Found { last_good: ticks, damage: None, backlog: 0 }))
    }

    /// The sequencer came through, with this many entries left.
    pub(super) fn good(&self, ticks: Duration, backlog: u64) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) =
            Found { last_good: ticks, damage: None, backlog };
    }

    /// What is stored of the log does not fit together.
    pub(super) fn damaged(&self, what: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).damage = Some(what.to_owned());
    }

    /// Why nothing may be dispatched now, if so.
    pub(super) fn problem(&self, ticks: Duration) -> Option<String> {
        let found = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(damage) = &found.damage {
            return Some(format!("the log is damaged: {damage}"));
        }
        let still = ticks.saturating_sub(found.last_good);
        if still > LOG_STILL_MAX {
            return Some(format!("the log has not been written for {} seconds", still.as_secs()));
        }
        (found.backlog > LOG_BACKLOG_MAX).then(|| format!("{} entries wait for the log", found.backlog))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_stands_still_is_damaged_or_too_far_behind_stops_dispatches() {
        let at = Duration::from_secs;
        let health = LogHealth::new(at(0));
        assert_eq!(health.problem(at(30)), None);
        assert!(health.problem(at(31)).is_some_and(|p| p.contains("31 seconds")));
        health.good(at(31), LOG_BACKLOG_MAX);
        assert_eq!(health.problem(at(32)), None);
        health.good(at(33), LOG_BACKLOG_MAX + 1);
        assert!(health.problem(at(34)).is_some_and(|p| p.contains("wait for the log")));
        health.good(at(35), 0);
        health.damaged("its size and its roots disagree");
        assert!(health.problem(at(35)).is_some_and(|p| p.contains("damaged")));
        health.good(at(36), 0);
        assert_eq!(health.problem(at(36)), None, "what was repaired counts again");
    }
}
