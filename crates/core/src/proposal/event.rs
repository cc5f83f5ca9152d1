//! What can happen to a proposal.

use crate::approval::{Approval, Standing};
use crate::audit::Actor;
use crate::decision::Decision;
use crate::digest::Digest;
use crate::id::{AttemptId, ProposalId};
use crate::outcome::Outcome;
use crate::time::Timestamp;

use super::{Binding, RefusedCode};

/// One event. Whoever makes it has checked who may cause it; `apply` checks whether it may happen now.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// An eligible person approves what is bound.
    Approve {
        /// Their statement.
        approval: Approval,
        /// How far each rule is, this approval included.
        standing: Vec<Standing>,
        /// The deadline if this was the last one.
        use_by: Timestamp,
    },
    /// An eligible person says no.
    Reject {
        /// Who.
        person: String,
        /// Why, for the agent to read.
        reason: String,
        /// Through which surface.
        channel: String,
    },
    /// The person in the chain says that it is for them. It is decided again for the confirmed chain.
    Confirm {
        /// Who.
        person: String,
        /// What changes and what is decided then.
        revision: Box<Revision>,
    },
    /// The proposer or an operator withdraws it.
    Cancel {
        /// Who.
        by: Actor,
    },
    /// Its deadline has passed.
    Expire,
    /// An edited proposal takes its place.
    Supersede {
        /// Which one.
        by: ProposalId,
    },
    /// It was decided again, because the policy or the record changed.
    Revise {
        /// What is bound now.
        binding: Box<Binding>,
        /// What policy says now.
        decision: Decision,
        /// How far each rule is, with the approvals that still answer.
        standing: Vec<Standing>,
        /// Deadline if people must decide.
        decide_by: Timestamp,
        /// Deadline if it may run.
        use_by: Timestamp,
        /// What changed, in words.
        because: String,
    },
    /// What would allow it is gone for good.
    Refuse {
        /// Why.
        code: RefusedCode,
        /// In words.
        detail: String,
    },
    /// The point of no return.
    Dispatch {
        /// The attempt.
        attempt: AttemptId,
        /// The process that will send it.
        owner: String,
        /// What policy says at this moment, with the real approvals. Must be a plain allow.
        decision: Decision,
        /// The intent digest recomputed from what is about to be sent.
        intent: Digest,
    },
    /// The connector has come back.
    Finish {
        /// The attempt.
        attempt: AttemptId,
        /// What became of it.
        outcome: Outcome,
    },
    /// The process that owned the attempt is gone.
    OwnerGone,
}

/// What is bound and decided for the confirmed chain. The fields mean what they mean in [`Event::Revise`].
#[derive(Debug, Clone, PartialEq)]
pub struct Revision {
    /// What is bound now.
    pub binding: Binding,
    /// What policy says now.
    pub decision: Decision,
    /// How far each rule is, with the approvals that still answer.
    pub standing: Vec<Standing>,
    /// Deadline if people must decide.
    pub decide_by: Timestamp,
    /// Deadline if it may run.
    pub use_by: Timestamp,
}

/// The name of an event, without what it carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum EventName {
    /// See [`Event::Approve`].
    Approve,
    /// See [`Event::Reject`].
    Reject,
    /// See [`Event::Confirm`].
    Confirm,
    /// See [`Event::Cancel`].
    Cancel,
    /// See [`Event::Expire`].
    Expire,
    /// See [`Event::Supersede`].
    Supersede,
    /// See [`Event::Revise`].
    Revise,
    /// See [`Event::Refuse`].
    Refuse,
    /// See [`Event::Dispatch`].
    Dispatch,
    /// See [`Event::Finish`].
    Finish,
    /// See [`Event::OwnerGone`].
    OwnerGone,
}

impl Event {
    /// The name of this event.
    pub const fn name(&self) -> EventName {
        match self {
            Self::Approve { .. } => EventName::Approve,
            Self::Reject { .. } => EventName::Reject,
            Self::Confirm { .. } => EventName::Confirm,
            Self::Cancel { .. } => EventName::Cancel,
            Self::Expire => EventName::Expire,
            Self::Supersede { .. } => EventName::Supersede,
            Self::Revise { .. } => EventName::Revise,
            Self::Refuse { .. } => EventName::Refuse,
            Self::Dispatch { .. } => EventName::Dispatch,
            Self::Finish { .. } => EventName::Finish,
            Self::OwnerGone => EventName::OwnerGone,
        }
    }
}

impl EventName {
    /// Every event, in the order of a proposal's life.
    pub const ALL: [Self; 11] = [
        Self::Approve,
        Self::Reject,
        Self::Confirm,
        Self::Cancel,
        Self::Expire,
        Self::Supersede,
        Self::Revise,
        Self::Refuse,
        Self::Dispatch,
        Self::Finish,
        Self::OwnerGone,
    ];

    /// The name in documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Reject => "reject",
            Self::Confirm => "confirm",
            Self::Cancel => "cancel",
            Self::Expire => "expire",
            Self::Supersede => "supersede",
            Self::Revise => "revise",
            Self::Refuse => "refuse",
            Self::Dispatch => "dispatch",
            Self::Finish => "finish",
            Self::OwnerGone => "owner_gone",
        }
    }

    /// The verb in the past tense, for "cannot be …".
    pub const fn past(self) -> &'static str {
        match self {
            Self::Approve => "approved",
            Self::Reject => "rejected",
            Self::Confirm => "confirmed",
            Self::Cancel => "cancelled",
            Self::Expire => "expired",
            Self::Supersede => "superseded",
            Self::Revise => "revised",
            Self::Refuse => "refused",
            Self::Dispatch => "dispatched",
            Self::Finish => "finished",
            Self::OwnerGone => "given up",
        }
    }
}
