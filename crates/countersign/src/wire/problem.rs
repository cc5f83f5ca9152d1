//! Problem details (RFC 9457).

use countersign_core::decision::PolicyRef;
use countersign_core::digest::Digest;
use countersign_core::id::{IncidentId, ProposalId};
use countersign_core::refusal::InputError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Advice, AgentProposal};

/// Why something was not done, or nobody knows.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ProblemBody {
    /// A URI of the code's documentation.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// The status in words.
    pub(crate) title: String,
    /// The status.
    pub(crate) status: u16,
    /// What went wrong, for people.
    pub(crate) detail: String,
    /// What happened, in one sentence. Begins with NOT DONE when nothing was done.
    pub(crate) message: String,
    /// What an agent does next.
    pub(crate) next: Advice,
    /// The stable code: a refusal, or the state that a proposal ended in.
    pub(crate) code: String,
    /// What is wrong with the request, each with its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) errors: Option<Vec<InputError>>,
    /// `stale`: what is bound now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) now: Option<NowBound>,
    /// `in_doubt`: the proposal to ask for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<ProposalId>,
    /// `limit_reached`: which one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) limit: Option<String>,
    /// `internal`: what to look for in the operator's log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) incident: Option<IncidentId>,
    /// Of a proposal that was not done: the policies that determined it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) policies: Option<Vec<PolicyRef>>,
    /// The proposal that was not done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) proposal: Option<Box<AgentProposal>>,
}

/// What is bound now.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct NowBound {
    /// The intent digest.
    pub(crate) intent: Digest,
    /// The decision digest.
    pub(crate) decision: Digest,
}
