//! The gate's own "no". Every variant has a stable code that is part of the API.
//!
//! A refusal is an answer, not a fault: the request was understood and will not be done. What broke
//! inside the gate is a fault and lives in the engine. There is no catch-all variant on purpose, so that
//! a new refusal makes every surface say how it looks there.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::id::ProposalId;
use crate::json::NotCanonical;

/// One thing wrong with an input, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InputError {
    /// JSON pointer (RFC 6901) into the input; empty for the whole.
    pub pointer: String,
    /// What is wrong, as a lower-case fragment.
    pub detail: String,
}

/// Why the gate will not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No credential, or one that nobody holds.
    #[error("no valid credential was presented")]
    Unauthenticated,
    /// An access token that is not good here (RFC 6750 section 3.1).
    #[error("the access token is not accepted: {detail}")]
    InvalidToken {
        /// Why, with nothing of the token.
        detail: String,
    },
    /// The caller is known but may not do this.
    #[error("{detail}")]
    NotPermitted {
        /// What is missing.
        detail: String,
    },
    /// The agent may not act for this person.
    #[error("agent `{agent}` may not act on behalf of `{person}`")]
    DelegationNotAllowed {
        /// The agent's name.
        agent: String,
        /// The person it named.
        person: String,
    },
    /// An agent, person or link of the chain is disabled or gone.
    #[error("{detail}")]
    IdentityNotValid {
        /// Which link, and why.
        detail: String,
    },
    /// The bytes are not the JSON that this gate reads.
    #[error("{detail}")]
    MalformedRequest {
        /// JSON pointer to the place.
        pointer: String,
        /// What is wrong there.
        detail: String,
    },
    /// The body is larger than the limit.
    #[error("the body is larger than {limit_bytes} bytes")]
    BodyTooLarge {
        /// The limit.
        limit_bytes: usize,
    },
    /// The content type or encoding is not accepted.
    #[error("{detail}")]
    UnsupportedMediaType {
        /// What to send instead.
        detail: String,
    },
    /// No action of this name is registered.
    #[error("no action named `{action}` is registered")]
    UnknownAction {
        /// The name as it was sent.
        action: String,
    },
    /// The input does not fit the action's schema.
    #[error("the input does not fit the action's schema")]
    InvalidInput {
        /// Each mistake with its place.
        errors: Vec<InputError>,
    },
    /// The action's own expressions cannot be computed for this input.
    #[error("cannot build the call: {detail}")]
    NotRenderable {
        /// Which part, and why.
        detail: String,
    },
    /// The record that would change could not be read first.
    #[error("the preview failed: {detail}")]
    PreviewFailed {
        /// What the upstream said, without its body.
        detail: String,
    },
    /// The upstream has no such record.
    #[error("there is no {resource}")]
    NoSuchResource {
        /// The resource's type and id, e.g. `Invoice inv_1`.
        resource: String,
    },
    /// What is stored under this id is not what the gate wrote.
    #[error("the stored proposal `{id}` is not what the gate wrote; it is set aside and never runs as it is")]
    Quarantined {
        /// Which one.
        id: ProposalId,
    },
    /// The commit did not come back, so nobody knows yet whether it was recorded. This process never sends it.
    #[error(
        "it is not known yet whether `{id}` was recorded; ask for this id, or repeat the request with the \
         same Idempotency-Key"
    )]
    InDoubt {
        /// The id that it has if it was recorded.
        id: ProposalId,
    },
    /// The gate cannot let anything through right now; nothing was recorded.
    #[error("{detail}; nothing was recorded by this request")]
    Unavailable {
        /// Why, e.g. "the log is not being written".
        detail: String,
        /// When to try again, in seconds.
        retry_after_s: u32,
    },
    /// Nothing of this id exists, or it is not the caller's to see.
    #[error("no proposal `{id}`")]
    ProposalNotFound {
        /// The id as it was asked for.
        id: String,
    },
    /// The idempotency key was used for another request.
    #[error("this idempotency key was used for a different request")]
    IdempotencyKeyReused,
    /// The first request with this idempotency key is not finished.
    #[error("a request with this idempotency key is still in progress")]
    IdempotencyKeyInProgress,
    /// What the person saw is not what is bound now.
    #[error("the proposal changed after you opened it")]
    Stale {
        /// The intent digest that is bound now.
        intent: Digest,
        /// The decision digest that holds now.
        decision: Digest,
    },
    /// The person may not decide on this proposal.
    #[error("{detail}")]
    NotEligible {
        /// Which rule excludes them.
        detail: String,
    },
    /// The person has already decided on it.
    #[error("you have already decided on this proposal")]
    AlreadyDecided,
    /// The state does not allow the event.
    #[error("a proposal that is {state} cannot be {verb}")]
    WrongState {
        /// The state's name.
        state: &'static str,
        /// The verb in the past tense.
        verb: &'static str,
    },
    /// Somebody else moved the proposal first.
    #[error("proposal `{id}` was changed by someone else at the same time")]
    Conflict {
        /// Which one.
        id: ProposalId,
    },
    /// The agent has too many open proposals.
    #[error("agent `{agent}` already has {limit} open proposals")]
    TooManyPending {
        /// The agent.
        agent: String,
        /// How many it may have.
        limit: u32,
    },
    /// The agent reached one of its limits. Nothing was recorded but that.
    #[error(
        "agent `{agent}` has reached its limit `{limit}`: {detail}; nothing was recorded by this request"
    )]
    LimitReached {
        /// The agent.
        agent: String,
        /// The key of the limit under `[limits]` in `countersign.toml`.
        limit: &'static str,
        /// What the limit allows.
        detail: String,
        /// When to try again, in seconds.
        retry_after_s: u32,
    },
    /// The gate has more work than it can record.
    #[error("the gate is busy; nothing was recorded by this request")]
    Busy {
        /// When to try again, in seconds.
        retry_after_s: u32,
    },
}

/// One row of the reference: a code and what it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodeDoc {
    /// The stable code.
    pub code: &'static str,
    /// One sentence for the reader of the reference.
    pub meaning: &'static str,
}

/// Every code, in the order of the reference.
pub const CODES: &[CodeDoc] = &[
    CodeDoc { code: "unauthenticated", meaning: "No credential was sent, or nobody holds the one that was." },
    CodeDoc {
        code: "invalid_token",
        meaning: "The access token is not good at this gate, or no longer; `detail` says why. Get another one.",
    },
    CodeDoc { code: "not_permitted", meaning: "The caller is known, but this is not theirs to do." },
    CodeDoc {
        code: "delegation_not_allowed",
        meaning: "The directory does not let this agent act for that person.",
    },
    CodeDoc {
        code: "identity_not_valid",
        meaning: "A link of the identity chain is disabled or no longer exists.",
    },
    CodeDoc { code: "malformed_request", meaning: "The body is not strict JSON, or has an unknown field." },
    CodeDoc { code: "body_too_large", meaning: "The body exceeds the limit; nothing was decided." },
    CodeDoc {
        code: "unsupported_media_type",
        meaning: "Only `application/json` in UTF-8, not compressed, is read.",
    },
    CodeDoc { code: "unknown_action", meaning: "The name is not in the registry." },
    CodeDoc {
        code: "invalid_input",
        meaning: "The input does not fit the action's schema; each error has a JSON pointer.",
    },
    CodeDoc {
        code: "not_renderable",
        meaning: "An expression of the manifest cannot be computed for this input.",
    },
    CodeDoc {
        code: "preview_failed",
        meaning: "The current record could not be read, so nobody could see what would change.",
    },
    CodeDoc { code: "no_such_resource", meaning: "The upstream has no such record." },
    CodeDoc {
        code: "quarantined",
        meaning: "What is stored is not what the gate wrote. It never runs as it is; an operator must look.",
    },
    CodeDoc {
        code: "in_doubt",
        meaning: "The commit did not come back. Ask for the id, or repeat with the same `Idempotency-Key`.",
    },
    CodeDoc {
        code: "unavailable",
        meaning: "The gate cannot let anything through right now; nothing was recorded by this request. Try again later.",
    },
    CodeDoc {
        code: "proposal_not_found",
        meaning: "There is no such proposal, or it is not the caller's to see.",
    },
    CodeDoc {
        code: "idempotency_key_reused",
        meaning: "The same `Idempotency-Key` came with a different request.",
    },
    CodeDoc {
        code: "idempotency_key_in_progress",
        meaning: "The first request with this key is still being worked on.",
    },
    CodeDoc {
        code: "stale",
        meaning: "What was shown is not what is bound now; look again and decide again.",
    },
    CodeDoc { code: "not_eligible", meaning: "The approval rule does not let this person decide." },
    CodeDoc { code: "already_decided", meaning: "One person counts once." },
    CodeDoc { code: "wrong_state", meaning: "The proposal's state does not allow this." },
    CodeDoc { code: "conflict", meaning: "Somebody else moved the proposal first; read it again." },
    CodeDoc { code: "too_many_pending", meaning: "The agent has as many open proposals as it may have." },
    CodeDoc {
        code: "limit_reached",
        meaning: "The agent reached one of its limits, which `limit` names; nothing was recorded but a count. Wait as `Retry-After` says.",
    },
    CodeDoc {
        code: "busy",
        meaning: "More work arrived than can be recorded; nothing was recorded by this request.",
    },
];

impl From<NotCanonical> for Refusal {
    fn from(error: NotCanonical) -> Self {
        Self::NotRenderable { detail: error.to_string() }
    }
}

impl Refusal {
    /// The stable code of this refusal.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unauthenticated => "unauthenticated",
            Self::InvalidToken { .. } => "invalid_token",
            Self::NotPermitted { .. } => "not_permitted",
            Self::DelegationNotAllowed { .. } => "delegation_not_allowed",
            Self::IdentityNotValid { .. } => "identity_not_valid",
            Self::MalformedRequest { .. } => "malformed_request",
            Self::BodyTooLarge { .. } => "body_too_large",
            Self::UnsupportedMediaType { .. } => "unsupported_media_type",
            Self::UnknownAction { .. } => "unknown_action",
            Self::InvalidInput { .. } => "invalid_input",
            Self::NotRenderable { .. } => "not_renderable",
            Self::PreviewFailed { .. } => "preview_failed",
            Self::NoSuchResource { .. } => "no_such_resource",
            Self::Quarantined { .. } => "quarantined",
            Self::InDoubt { .. } => "in_doubt",
            Self::Unavailable { .. } => "unavailable",
            Self::ProposalNotFound { .. } => "proposal_not_found",
            Self::IdempotencyKeyReused => "idempotency_key_reused",
            Self::IdempotencyKeyInProgress => "idempotency_key_in_progress",
            Self::Stale { .. } => "stale",
            Self::NotEligible { .. } => "not_eligible",
            Self::AlreadyDecided => "already_decided",
            Self::WrongState { .. } => "wrong_state",
            Self::Conflict { .. } => "conflict",
            Self::TooManyPending { .. } => "too_many_pending",
            Self::LimitReached { .. } => "limit_reached",
            Self::Busy { .. } => "busy",
        }
    }
}
