//! Time. The only file that asks the system for it.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

static START: OnceLock<Instant> = OnceLock::new();

/// Now, by a clock that never jumps.
#[expect(clippy::disallowed_methods, reason = "this is the clock of the chaos program")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Milliseconds since this program first asked.
pub(crate) fn millis() -> u64 {
    u64::try_from(START.get_or_init(now).elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// Whether this much time has passed since then.
pub(crate) fn passed(since: Instant, limit: Duration) -> bool {
    since.elapsed() >= limit
}
