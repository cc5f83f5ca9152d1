//! The clock. The only file that asks the system for the time.

use std::time::{Duration, Instant};

/// Now, by a clock that never jumps.
#[expect(clippy::disallowed_methods, reason = "this is the clock of the benchmark")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// `at` and `by` later.
pub(crate) fn after(at: Instant, by: Duration) -> Instant {
    at.checked_add(by).unwrap_or(at)
}

/// Waits until then; returns at once when it has passed.
pub(crate) fn sleep_until(at: Instant) {
    let left = at.saturating_duration_since(now());
    if !left.is_zero() {
        std::thread::sleep(left);
    }
}
