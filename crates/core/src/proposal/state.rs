//! Where a proposal can be. Each variant carries exactly what is known there.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::approval::Standing;
use crate::audit::Actor;
use crate::decision::DenyCode;
use crate::id::{AttemptId, ProposalId};
use crate::outcome::Cause;
use crate::time::Timestamp;

/// Which clock ran out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Clock {
    /// Nobody decided in time.
    DecideBy,
    /// It was allowed or approved, but not used in time.
    UseBy,
}

/// Why what was open will never run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RefusedCode {
    /// A link of the identity chain is gone.
    IdentityGone,
    /// The action was changed or removed since it was proposed.
    ActionChanged,
    /// Policy now refuses.
    PolicyDenies,
    /// The record could not be read again.
    PreviewFailed,
    /// What is stored is not what its digest says: somebody altered it beside the gate.
    Altered,
}

/// The state of a proposal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "state", rename_all = "snake_case", deny_unknown_fields)]
pub enum State {
    /// Policy refused. Final.
    Denied {
        /// Why.
        code: DenyCode,
    },
    /// Waits for people.
    Pending {
        /// How far each rule has come.
        standing: Vec<Standing>,
        /// Undecided by then, it expires.
        decide_by: Timestamp,
    },
    /// May run.
    Ready {
        /// Unused by then, it expires.
        use_by: Timestamp,
    },
    /// On its way: the point of no return is recorded.
    Dispatched {
        /// Which attempt. There is only ever one.
        attempt: AttemptId,
        /// The process that sends it.
        owner: String,
        /// Since when.
        at: Timestamp,
    },
    /// The upstream says it is done. Final.
    Succeeded {
        /// Which attempt.
        attempt: AttemptId,
        /// When.
        at: Timestamp,
    },
    /// Certainly no effect, or the upstream says it failed. Final.
    Failed {
        /// Which attempt.
        attempt: AttemptId,
        /// When.
        at: Timestamp,
        /// Why.
        cause: Cause,
    },
    /// Nobody knows. Never sent again by itself; a late answer to this attempt settles it.
    Unknown {
        /// Which attempt.
        attempt: AttemptId,
        /// Since when.
        at: Timestamp,
        /// Why.
        cause: Cause,
    },
    /// A person said no. Final.
    Rejected {
        /// Who.
        by: String,
        /// What they wrote, for the agent to read.
        reason: String,
        /// When.
        at: Timestamp,
    },
    /// Too late. Final.
    Expired {
        /// When.
        at: Timestamp,
        /// Which clock.
        clock: Clock,
    },
    /// Withdrawn. Final.
    Cancelled {
        /// Who.
        by: Actor,
        /// When.
        at: Timestamp,
    },
    /// An edited proposal took its place. Final.
    Superseded {
        /// Which one.
        by: ProposalId,
        /// When.
        at: Timestamp,
    },
    /// What would allow it is gone for good. Final.
    Refused {
        /// Why.
        code: RefusedCode,
        /// In words.
        detail: String,
        /// When.
        at: Timestamp,
    },
}

/// The name of a state, without what it carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StateName {
    /// Policy refused. Final.
    Denied,
    /// Waits for people.
    Pending,
    /// May run.
    Ready,
    /// On its way to the upstream.
    Dispatched,
    /// The upstream says it is done. Final.
    Succeeded,
    /// Certainly no effect, or the upstream says it failed. Final.
    Failed,
    /// Nobody knows whether it was done. A late answer may still tell.
    Unknown,
    /// A person said no. Final.
    Rejected,
    /// Too late. Final.
    Expired,
    /// Withdrawn. Final.
    Cancelled,
    /// An edited proposal took its place. Final.
    Superseded,
    /// It can no longer be allowed. Final.
    Refused,
}

impl StateName {
    /// Every state, in the order of a proposal's life.
    pub const ALL: [Self; 12] = [
        Self::Denied,
        Self::Pending,
        Self::Ready,
        Self::Dispatched,
        Self::Succeeded,
        Self::Failed,
        Self::Unknown,
        Self::Rejected,
        Self::Expired,
        Self::Cancelled,
        Self::Superseded,
        Self::Refused,
    ];

    /// The name in the API, the store and the console.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::Pending => "pending",
            Self::Ready => "ready",
            Self::Dispatched => "dispatched",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
            Self::Superseded => "superseded",
            Self::Refused => "refused",
        }
    }

    /// The state of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.as_str() == name)
    }

    /// Whether nothing can happen any more without a person.
    pub const fn is_settled(self) -> bool {
        match self {
            Self::Pending | Self::Ready | Self::Dispatched => false,
            Self::Denied
            | Self::Succeeded
            | Self::Failed
            | Self::Unknown
            | Self::Rejected
            | Self::Expired
            | Self::Cancelled
            | Self::Superseded
            | Self::Refused => true,
        }
    }
}

impl State {
    /// The name of this state.
    pub const fn name(&self) -> StateName {
        match self {
            Self::Denied { .. } => StateName::Denied,
            Self::Pending { .. } => StateName::Pending,
            Self::Ready { .. } => StateName::Ready,
            Self::Dispatched { .. } => StateName::Dispatched,
            Self::Succeeded { .. } => StateName::Succeeded,
            Self::Failed { .. } => StateName::Failed,
            Self::Unknown { .. } => StateName::Unknown,
            Self::Rejected { .. } => StateName::Rejected,
            Self::Expired { .. } => StateName::Expired,
            Self::Cancelled { .. } => StateName::Cancelled,
            Self::Superseded { .. } => StateName::Superseded,
            Self::Refused { .. } => StateName::Refused,
        }
    }
}
