//! One audit record. Codes and fields are stable: auditors build on them.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::directory::Chain;
use crate::id::ProposalId;
use crate::json;
use crate::time::Timestamp;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum EventCode {
    /// The gate started, under this gate directory.
    #[serde(rename = "gate.started")]
    GateStarted,
    /// The gate directory was loaded again.
    #[serde(rename = "gate.reloaded")]
    GateReloaded,
    /// A proposal that could not be opened: unknown action, bad input, no preview.
    #[serde(rename = "proposal.invalid")]
    Invalid,
    /// A dry run: decided and shown, never executable.
    #[serde(rename = "proposal.previewed")]
    Previewed,
    /// Policy refused.
    #[serde(rename = "proposal.denied")]
    Denied,
    /// Policy asks for people.
    #[serde(rename = "proposal.pending")]
    Pending,
    /// Policy allows it as it is.
    #[serde(rename = "proposal.allowed")]
    Allowed,
    /// A person approved.
    #[serde(rename = "proposal.approved")]
    Approved,
    /// A person rejected.
    #[serde(rename = "proposal.rejected")]
    Rejected,
    /// The proposer or an operator withdrew it.
    #[serde(rename = "proposal.cancelled")]
    Cancelled,
    /// Too few people decided in time, or what was approved could not be sent in time.
    #[serde(rename = "proposal.expired")]
    Expired,
    /// An edited proposal took its place.
    #[serde(rename = "proposal.superseded")]
    Superseded,
    /// The record or the policy changed, so it was decided again.
    #[serde(rename = "proposal.revised")]
    Revised,
    /// What would allow it is gone for good.
    #[serde(rename = "proposal.refused")]
    Refused,
    /// The point of no return, recorded before the first byte.
    #[serde(rename = "proposal.dispatched")]
    Dispatched,
    /// The upstream says it is done.
    #[serde(rename = "proposal.succeeded")]
    Succeeded,
    /// Certainly no effect, or the upstream says it failed.
    #[serde(rename = "proposal.failed")]
    Failed,
    /// Nobody knows what became of it.
    #[serde(rename = "proposal.unknown")]
    Unknown,
    /// A result that came after its attempt had been given up, kept as evidence.
    #[serde(rename = "proposal.late_result")]
    LateResult,
    /// Another request for the same effect joined it: people are asked once.
    #[serde(rename = "proposal.joined")]
    Joined,
    /// The person whom the agent named said that it acts for them.
    #[serde(rename = "proposal.confirmed")]
    Confirmed,
    /// What is stored is not what the gate wrote: it is set aside until an operator has looked.
    #[serde(rename = "proposal.quarantined")]
    Quarantined,
    /// An operator had it checked again, and it was sound.
    #[serde(rename = "proposal.repaired")]
    Repaired,
    /// A gate directory could not be loaded; the one in force stays.
    #[serde(rename = "gate.reload_refused")]
    ReloadRefused,
    /// The loss of an older or another database was accepted; what was open in it was closed.
    #[serde(rename = "gate.restored")]
    GateRestored,
    /// How often an agent reached its limits lately; what was refused for it left no entry of its own.
    #[serde(rename = "agent.limited")]
    AgentLimited,
    /// A one-time sign-in link was made.
    #[serde(rename = "person.link_made")]
    LinkMade,
    /// A sign-in link was refused: unknown, used or too old.
    #[serde(rename = "person.sign_in_refused")]
    SignInRefused,
    /// A person ended their session.
    #[serde(rename = "person.signed_out")]
    SignedOut,
    /// A person signed in.
    #[serde(rename = "person.signed_in")]
    SignedIn,
    /// A person exported the log.
    #[serde(rename = "log.exported")]
    LogExported,
}

impl fmt::Display for EventCode {
    /// The code as it stands in the log: `proposal.approved`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// Every event code with what it means, in the order of the reference.
pub const EVENT_CODES: &[(EventCode, &str)] = &[
    (EventCode::GateStarted, "The gate started, under this gate directory."),
    (EventCode::GateReloaded, "The gate directory was loaded again."),
    (EventCode::Invalid, "A proposal that could not be opened: unknown action, bad input, no preview."),
    (EventCode::Previewed, "A dry run: decided and shown, never executable."),
    (EventCode::Denied, "Policy refused."),
    (EventCode::Pending, "Policy asks for people."),
    (EventCode::Allowed, "Policy allows it as it is."),
    (EventCode::Approved, "A person approved."),
    (EventCode::Rejected, "A person rejected."),
    (EventCode::Cancelled, "The proposer or an operator withdrew it."),
    (EventCode::Expired, "Too few people decided in time, or what was approved could not be sent in time."),
    (EventCode::Superseded, "An edited proposal took its place."),
    (EventCode::Revised, "The record or the policy changed, so it was decided again."),
    (EventCode::Refused, "What would allow it is gone for good."),
    (EventCode::Dispatched, "The point of no return, recorded before the first byte."),
    (EventCode::Succeeded, "The upstream says it is done."),
    (EventCode::Failed, "Certainly no effect, or the upstream says it failed."),
    (EventCode::Unknown, "Nobody knows what became of it."),
    (EventCode::LateResult, "A result that came after its attempt had been given up, kept as evidence."),
    (EventCode::Joined, "Another request for the same effect joined it: people are asked once."),
    (EventCode::Confirmed, "The person whom the agent named said that it acts for them."),
    (
        EventCode::Quarantined,
        "What is stored is not what the gate wrote: it is set aside until an operator has looked.",
    ),
    (EventCode::Repaired, "An operator had it checked again, and it was sound."),
    (EventCode::ReloadRefused, "A gate directory could not be loaded; the one in force stays."),
    (
        EventCode::GateRestored,
        "The loss of an older or another database was accepted; what was open in it was closed.",
    ),
    (
        EventCode::AgentLimited,
        "How often an agent reached its limits lately; what was refused for it left no entry of its own.",
    ),
    (EventCode::LinkMade, "A one-time sign-in link was made."),
    (EventCode::SignInRefused, "A sign-in link was refused: unknown, used or too old."),
    (EventCode::SignedOut, "A person ended their session."),
    (EventCode::SignedIn, "A person signed in."),
    (EventCode::LogExported, "A person exported the log."),
];

/// Who caused an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Actor {
    /// An agent, with its whole identity chain.
    Agent {
        /// Who acts, root first.
        chain: Chain,
    },
    /// A person who proved who they are.
    Person {
        /// Name in the directory.
        id: String,
    },
    /// The gate itself: expiry, dispatch, outcome.
    Gate,
}

/// One audit record. It holds digests and commitments; payloads live beside it and may be erased (T122).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Version of this format: 1.
    pub v: u8,
    /// When, by the gate's clock, in microseconds since the Unix epoch.
    pub at: Timestamp,
    /// What happened.
    pub event: EventCode,
    /// Which proposal, if any.
    pub proposal: Option<ProposalId>,
    /// The proposal's version after the event; 0 when there is none.
    pub version: u32,
    /// Who caused it.
    pub actor: Actor,
    /// The event's own fields.
    pub data: Value,
}

impl Entry {
    /// A record of version 1.
    pub fn new(at: Timestamp, event: EventCode, actor: Actor, data: Value) -> Self {
        Self { v: 1, at, event, proposal: None, version: 0, actor, data }
    }

    /// The same, about one version of a proposal.
    #[must_use]
    pub fn about(mut self, proposal: ProposalId, version: u32) -> Self {
        self.proposal = Some(proposal);
        self.version = version;
        self
    }

    /// The canonical bytes that are stored and hashed.
    pub fn to_bytes(&self) -> Vec<u8> {
        json::canonical_of(self)
    }
}
