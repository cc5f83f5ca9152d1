//! The clock and the dice. The only file of the shop that asks the system for either, so that a test can own
//! the clock.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Time from the system or from a test, and the system's randomness.
#[derive(Debug, Clone)]
pub(crate) struct World(Arc<Clock>);

#[derive(Debug)]
enum Clock {
    System {
        start: Instant,
    },
    #[cfg(test)]
    Manual(std::sync::Mutex<Duration>),
}

impl World {
    /// The real clock.
    #[expect(clippy::disallowed_methods, reason = "this is the shop's clock")]
    pub(crate) fn system() -> Self {
        Self(Arc::new(Clock::System { start: Instant::now() }))
    }

    /// Now, in RFC 3339 with microseconds.
    pub(crate) fn now(&self) -> String {
        let now = match &*self.0 {
            Clock::System { .. } => jiff::Timestamp::now(),
            #[cfg(test)]
            Clock::Manual(ticks) => jiff::Timestamp::UNIX_EPOCH.checked_add(*ticks.lock().unwrap()).unwrap(),
        };
        format!("{now:.6}")
    }

    /// Time since this world began, by a clock that never jumps.
    pub(crate) fn ticks(&self) -> Duration {
        match &*self.0 {
            Clock::System { start } => start.elapsed(),
            #[cfg(test)]
            Clock::Manual(ticks) => *ticks.lock().unwrap(),
        }
    }

    /// `N` unpredictable bytes as lower-case hexadecimal digits.
    ///
    /// # Panics
    /// When the operating system gives no randomness: no token and no id may be made then.
    #[expect(
        clippy::expect_used,
        clippy::unused_self,
        reason = "without randomness stopping is the safe answer; dice are thrown in a world"
    )]
    pub(crate) fn random_hex<const N: usize>(&self) -> String {
        let mut bytes = [0_u8; N];
        getrandom::fill(&mut bytes).expect("the operating system gives randomness");
        hex(&bytes)
    }
}

#[cfg(test)]
impl World {
    /// A clock that only moves when told.
    pub(crate) fn manual() -> Self {
        Self(Arc::new(Clock::Manual(std::sync::Mutex::new(Duration::ZERO))))
    }

    /// Moves a manual clock forward; the system's clock cannot be moved.
    pub(crate) fn advance(&self, by: Duration) {
        if let Clock::Manual(ticks) = &*self.0 {
            let mut ticks = ticks.lock().unwrap();
            *ticks = ticks.saturating_add(by);
        }
    }
}

/// Two lower-case digits for each byte.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_in_utc_with_microseconds() {
        let world = World::manual();
        world.advance(Duration::from_micros(1_000_001));
        assert_eq!(world.now(), "1970-01-01T00:00:01.000001Z");
    }
}
