//! Points in time as plain integers, because they are stored, compared and hashed.

use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Microseconds since the Unix epoch, UTC. Stored as an integer on both engines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From microseconds since the epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since the epoch.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// This moment moved forward; saturates at the end of time rather than wrapping into the past.
    #[must_use]
    pub fn plus(self, by: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(by.as_micros()).unwrap_or(i64::MAX)))
    }

    /// How old this is at `now`; `None` when it is in the future, because a clock stepped back or two clocks
    /// differ. Whoever asks has to say what an unknown age means: it is not an age of zero.
    pub fn age_at(self, now: Self) -> Option<Duration> {
        u64::try_from(now.0.saturating_sub(self.0)).ok().map(Duration::from_micros)
    }

    /// RFC 3339 in UTC with microseconds, e.g. `2026-11-23T12:00:00.000000Z`.
    pub fn to_rfc3339(self) -> String {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(t) => format!("{t:.6}"),
            Err(_) => format!("{}us", self.0),
        }
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_rfc3339())
    }
}

/// A length of time as people write it in configuration: `30s`, `10m`, `4h`, `7d`.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let unit = text.chars().last()?;
    let number = text.strip_suffix(unit)?;
    if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let n: u64 = number.parse().ok()?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return None,
    };
    n.checked_mul(seconds).map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_as_rfc_3339_in_utc() {
        assert_eq!(Timestamp::from_micros(1_000_001).to_rfc3339(), "1970-01-01T00:00:01.000001Z");
    }

    #[test]
    fn time_never_wraps() {
        let end = Timestamp::from_micros(i64::MAX);
        assert_eq!(end.plus(Duration::from_secs(1)), end);
        let start = Timestamp::from_micros(i64::MIN);
        assert_eq!(start.age_at(end), Some(Duration::from_micros(i64::MAX.unsigned_abs())));
        assert_eq!(end.age_at(start), None);
    }

    #[test]
    fn what_is_in_the_future_has_no_age_a6() {
        let at = Timestamp::from_micros;
        assert_eq!(at(5).age_at(at(7)), Some(Duration::from_micros(2)));
        assert_eq!(at(5).age_at(at(5)), Some(Duration::ZERO));
        assert_eq!(at(6).age_at(at(5)), None);
    }

    #[test]
    fn durations_are_read_as_people_write_them() {
        for (text, expect) in [
            ("30s", Some(30)),
            ("10m", Some(600)),
            ("4h", Some(14_400)),
            ("7d", Some(604_800)),
            ("", None),
            ("s", None),
            ("-1s", None),
            ("1.5h", None),
            ("10", None),
            ("1 h", None),
            ("99999999999999999999d", None),
        ] {
            assert_eq!(parse_duration(text), expect.map(Duration::from_secs), "{text}");
        }
    }
}
