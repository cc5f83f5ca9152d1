//! The last question before a dispatch is recorded, asked inside the transaction that records it: is everything
//! it was decided on still so? A pure function, so that limits and freezes only add fields.

use std::time::Duration;

use countersign_core::digest::Digest;
use countersign_core::limits::PREVIEW_AGE_MAX;
use countersign_core::time::Timestamp;

/// What a dispatch rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admission {
    /// Digest of the rules under which it was decided.
    pub rules: Digest,
    /// When it was read and decided, by the monotonic clock of this process.
    pub decided_at: Duration,
    /// Until when it may be used.
    pub use_by: Timestamp,
    /// The process that will make the call.
    pub owner: String,
}

/// What is true while the transaction runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Moment {
    /// The database's time.
    pub(super) now: Timestamp,
    /// The monotonic clock of this process.
    pub(super) ticks: Duration,
    /// The digest of the rules in force; none when the row is missing or is not what the gate wrote.
    pub(super) rules: Option<String>,
    /// Until when this process counts as alive.
    pub(super) alive_until: Option<i64>,
    /// Why the log cannot take more, if so.
    pub(super) log: Option<String>,
}

/// Why a dispatch was not recorded. Nothing of it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAdmitted {
    /// Too long ago: read and decide again.
    #[error("what it was decided on is too old")]
    TooOld,
    /// Other rules are in force: decide again.
    #[error("the rules changed while it was decided")]
    RulesChanged,
    /// Nobody knows which rules are in force.
    #[error(
        "the database does not say which rules are in force: its row is missing or is not what the gate wrote; an \
         operator must reload the gate"
    )]
    RulesUnknown,
    /// Its deadline has passed.
    #[error("its deadline has passed")]
    Late,
    /// This process does not count as alive, so others may treat its calls as abandoned.
    #[error("this process's row in the database is missing or has lapsed")]
    NotAlive,
    /// The log is not being written.
    #[error("{0}")]
    Log(String),
}

/// Whether a dispatch may be recorded.
pub(super) fn admit(ask: &Admission, moment: &Moment) -> Result<(), NotAdmitted> {
    if let Some(why) = &moment.log {
        return Err(NotAdmitted::Log(why.clone()));
    }
    if moment.alive_until.is_none_or(|until| until <= moment.now.as_micros()) {
        return Err(NotAdmitted::NotAlive);
    }
    match moment.rules.as_deref() {
        None => return Err(NotAdmitted::RulesUnknown),
        Some(rules) if rules != ask.rules.to_string() => return Err(NotAdmitted::RulesChanged),
        Some(_) => {}
    }
    if moment.now >= ask.use_by {
        return Err(NotAdmitted::Late);
    }
    // A monotonic clock never goes back; were it to, the age is unknown and therefore too old.
    match moment.ticks.checked_sub(ask.decided_at) {
        Some(age) if age <= PREVIEW_AGE_MAX => Ok(()),
        Some(_) | None => Err(NotAdmitted::TooOld),
    }
}

#[cfg(test)]
mod tests {
    use countersign_core::digest::domain;

    use super::*;

    #[test]
    fn a_dispatch_is_admitted_only_while_everything_holds() {
        let digest = |text: &str| Digest::of(domain::POLICY, text.as_bytes());
        let ask = Admission {
            rules: digest("rules"),
            decided_at: Duration::from_secs(10),
            use_by: Timestamp::from_micros(2_000),
            owner: "gate-1".to_owned(),
        };
        let fine = Moment {
            now: Timestamp::from_micros(1_000),
            ticks: Duration::from_secs(11),
            rules: Some(digest("rules").to_string()),
            alive_until: Some(1_001),
            log: None,
        };
        let at = |micros| Timestamp::from_micros(micros);
        let table: [(&str, Moment, Result<(), NotAdmitted>); 10] = [
            ("all holds", fine.clone(), Ok(())),
            ("two seconds old", Moment { ticks: Duration::from_secs(12), ..fine.clone() }, Ok(())),
            (
                "older",
                Moment { ticks: Duration::from_millis(12_001), ..fine.clone() },
                Err(NotAdmitted::TooOld),
            ),
            (
                "from the future",
                Moment { ticks: Duration::from_secs(9), ..fine.clone() },
                Err(NotAdmitted::TooOld),
            ),
            (
                "other rules",
                Moment { rules: Some(digest("other").to_string()), ..fine.clone() },
                Err(NotAdmitted::RulesChanged),
            ),
            ("no rules", Moment { rules: None, ..fine.clone() }, Err(NotAdmitted::RulesUnknown)),
            ("lapsed", Moment { alive_until: Some(1_000), ..fine.clone() }, Err(NotAdmitted::NotAlive)),
            ("unknown owner", Moment { alive_until: None, ..fine.clone() }, Err(NotAdmitted::NotAlive)),
            (
                "at its deadline",
                Moment { now: at(2_000), alive_until: Some(9_000), ..fine.clone() },
                Err(NotAdmitted::Late),
            ),
            (
                "no log",
                Moment { log: Some("the log is damaged".into()), ..fine.clone() },
                Err(NotAdmitted::Log("the log is damaged".into())),
            ),
        ];
        for (case, moment, expect) in table {
            assert_eq!(admit(&ask, &moment), expect, "{case}");
        }
    }
}
