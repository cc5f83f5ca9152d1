//! The clock and the dice. The only file that asks the system for either, so that a test can own both.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use countersign_core::id::{Id, IdKind};
use countersign_core::time::Timestamp;

/// Time and randomness, from the system or from a test.
#[derive(Clone)]
pub struct World(Arc<Source>);

enum Source {
    System { start: std::time::Instant },
    Manual(Mutex<Manual>),
}

struct Manual {
    now: Timestamp,
    ticks: Duration,
    seed: u64,
}

impl World {
    /// The real clock and the operating system's randomness.
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    pub fn system() -> Self {
        Self(Arc::new(Source::System { start: std::time::Instant::now() }))
    }

    /// A clock that only moves when told, and randomness from a seed: the same seed gives the same ids.
    pub fn manual(seed: u64, now: Timestamp) -> Self {
        Self(Arc::new(Source::Manual(Mutex::new(Manual { now, ticks: Duration::ZERO, seed }))))
    }

    /// Now, as it is recorded.
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    pub fn now(&self) -> Timestamp {
        match &*self.0 {
            Source::System { .. } => {
                let since =
                    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
                Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
            }
            Source::Manual(manual) => manual.lock().unwrap_or_else(PoisonError::into_inner).now,
        }
    }

    /// Time since this world began, by a clock that never jumps.
    pub fn ticks(&self) -> Duration {
        match &*self.0 {
            Source::System { start } => start.elapsed(),
            Source::Manual(manual) => manual.lock().unwrap_or_else(PoisonError::into_inner).ticks,
        }
    }

    /// Moves a manual clock forward; the system's clock cannot be moved.
    pub fn advance(&self, by: Duration) {
        if let Source::Manual(manual) = &*self.0 {
            let mut manual = manual.lock().unwrap_or_else(PoisonError::into_inner);
            manual.now = manual.now.plus(by);
            manual.ticks = manual.ticks.saturating_add(by);
        }
    }

    /// Sets a manual clock, also to a time that has passed, as an operator or NTP sets a real one. Ticks do not
    /// notice.
    pub fn set(&self, now: Timestamp) {
        if let Source::Manual(manual) = &*self.0 {
            manual.lock().unwrap_or_else(PoisonError::into_inner).now = now;
        }
    }

    /// Unpredictable bytes.
    ///
    /// # Panics
    /// When the operating system gives no randomness: no secret and no id may be made then.
    #[expect(
        clippy::expect_used,
        reason = "without randomness no token may be made; stopping is the safe answer"
    )]
    pub fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0_u8; N];
        match &*self.0 {
            Source::System { .. } => {
                getrandom::fill(&mut bytes).expect("the operating system gives randomness");
            }
            Source::Manual(manual) => {
                let mut manual = manual.lock().unwrap_or_else(PoisonError::into_inner);
                for byte in &mut bytes {
                    // SplitMix64 (Steele, Lea, Flood 2014): enough for tests, never used outside them.
                    manual.seed = manual.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
                    let mut z = manual.seed;
                    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
                    *byte = (z ^ (z >> 31)).to_le_bytes().first().copied().unwrap_or_default();
                }
            }
        }
        bytes
    }

    /// A new id.
    pub fn id<K: IdKind>(&self) -> Id<K> {
        let millis = u64::try_from(self.now().as_micros() / 1_000).unwrap_or(0);
        Id::from_parts(millis, self.random())
    }

    /// `N` random bytes as lower-case hexadecimal digits.
    pub fn random_hex<const N: usize>(&self) -> String {
        use fmt::Write as _;
        self.random::<N>().iter().fold(String::new(), |mut text, byte| {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &*self.0 {
            Source::System { .. } => "World(system)",
            Source::Manual(_) => "World(manual)",
        })
    }
}
