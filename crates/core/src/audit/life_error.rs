//! What can be wrong with an entry in the life of a proposal.

use super::EventCode;
use crate::id::AttemptId;

/// Why an entry cannot stand where it does. The texts continue "proposal prp_…: ".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LifeError {
    /// Nothing opened it.
    #[error("`{event}` comes before any entry that opens it")]
    NotOpened {
        /// The event's code.
        event: EventCode,
    },
    /// It was opened before.
    #[error("it is opened a second time")]
    OpenedTwice,
    /// A version is missing, doubled or out of order.
    #[error("version {found} stands where version {expected} belongs: an entry is missing, doubled or moved")]
    Version {
        /// What belongs there.
        expected: u32,
        /// What is there.
        found: u32,
    },
    /// The state does not allow the event.
    #[error("`{event}` cannot happen while it is {state}")]
    Impossible {
        /// The event's code.
        event: EventCode,
        /// The state.
        state: &'static str,
    },
    /// It was sent without the approvals that it needed.
    #[error("it was dispatched, but rule `{rule}` has {have} of the {want} approvals that it asks for")]
    Unapproved {
        /// The first rule that is not met.
        rule: String,
        /// Approvals that count.
        have: u32,
        /// Approvals asked for.
        want: u32,
    },
    /// Somebody approved who may not.
    #[error("`{person}` approved but may not: {why}")]
    NotEligible {
        /// Who.
        person: String,
        /// Why: a lower-case fragment.
        why: String,
    },
    /// One person, two approvals of the same.
    #[error("`{person}` approved twice")]
    ApprovedTwice {
        /// Who.
        person: String,
    },
    /// An approval of something else.
    #[error("`{person}` approved another intent or another decision than the one in force")]
    Stale {
        /// Who.
        person: String,
    },
    /// An approval is counted that nobody gave.
    #[error("an approval by `{person}` is counted, but no entry gives it for what is decided on")]
    NotGiven {
        /// Who.
        person: String,
    },
    /// The entry contradicts itself or what came before.
    #[error("{0}")]
    Contradiction(&'static str),
    /// An outcome of another attempt.
    #[error("`{event}` is about attempt {found}, but {expected} was dispatched")]
    OtherAttempt {
        /// The event's code.
        event: EventCode,
        /// The attempt that was dispatched.
        expected: AttemptId,
        /// The attempt that the entry names.
        found: AttemptId,
    },
}

/// An error unless this holds.
pub(super) fn require(holds: bool, otherwise: &'static str) -> Result<(), LifeError> {
    if holds { Ok(()) } else { Err(LifeError::Contradiction(otherwise)) }
}
