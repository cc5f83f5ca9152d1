//! Every error code of the HTTP surface with its status, for `docs/reference/errors.md`. Statuses are asked of
//! the mapping itself, so the document cannot say anything else than what is answered.

use countersign_core::digest::Digest;
use countersign_core::id::ProposalId;
use countersign_core::proposal::StateName;
use countersign_core::refusal::{CODES, Refusal};

use super::problem::{ended, status};

/// One row of the reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ErrorCode {
    /// The stable code.
    pub(crate) code: &'static str,
    /// The HTTP status it comes with.
    pub(crate) status: u16,
    /// One sentence.
    pub(crate) meaning: &'static str,
}

/// The codes that only HTTP has. What a proposal came to is added by [`of_outcomes`].
const OWN: &[ErrorCode] = &[
    ErrorCode {
        code: "wrong_host",
        status: 421,
        meaning: "The `Host` header does not name this gate; see `hosts` in `countersign.toml`.",
    },
    ErrorCode {
        code: "wrong_origin",
        status: 403,
        meaning: "A page of another origin sent the request; nothing was read of it.",
    },
    ErrorCode {
        code: "route_not_found",
        status: 404,
        meaning: "There is no such route on this listener; agents and people have a listener each.",
    },
    ErrorCode {
        code: "method_not_allowed",
        status: 405,
        meaning: "The route does not answer to that method.",
    },
    ErrorCode {
        code: "internal",
        status: 500,
        meaning: "Something broke inside the gate; the answer says that nothing was recorded, or that nobody knows; the operator's log has the incident's id.",
    },
];

/// The gate's refusals, in the order of [`CODES`].
pub(crate) fn of_refusals() -> Vec<ErrorCode> {
    let samples = samples();
    let status_of = |code| samples.iter().find(|r| r.code() == code).map(status);
    let row = |doc: &countersign_core::refusal::CodeDoc| {
        status_of(doc.code).map(|status| ErrorCode { code: doc.code, status, meaning: doc.meaning })
    };
    CODES.iter().filter_map(row).collect()
}

/// What a proposal came to, when the answer to `POST /v1/proposals` is a problem.
pub(crate) fn of_outcomes() -> Vec<ErrorCode> {
    StateName::ALL
        .into_iter()
        .filter_map(|state| {
            let (status, meaning) = ended(state)?;
            Some(ErrorCode { code: state.as_str(), status, meaning })
        })
        .collect()
}

/// The codes of the surface itself.
pub(crate) const fn of_surface() -> &'static [ErrorCode] {
    OWN
}

/// One refusal of each kind.
pub(super) fn samples() -> Vec<Refusal> {
    let (detail, id, digest) = (String::new, ProposalId::from_parts(0, [0; 10]), Digest::from_bytes([0; 32]));
    vec![
        Refusal::Unauthenticated,
        Refusal::InvalidToken { detail: detail() },
        Refusal::NotPermitted { detail: detail() },
        Refusal::DelegationNotAllowed { agent: detail(), person: detail() },
        Refusal::IdentityNotValid { detail: detail() },
        Refusal::MalformedRequest { pointer: detail(), detail: detail() },
        Refusal::BodyTooLarge { limit_bytes: 0 },
        Refusal::UnsupportedMediaType { detail: detail() },
        Refusal::UnknownAction { action: detail() },
        Refusal::InvalidInput { errors: Vec::new() },
        Refusal::NotRenderable { detail: detail() },
        Refusal::PreviewFailed { detail: detail() },
        Refusal::NoSuchResource { resource: detail() },
        Refusal::Quarantined { id },
        Refusal::InDoubt { id },
        Refusal::Unavailable { detail: detail(), retry_after_s: 0 },
        Refusal::ProposalNotFound { id: detail() },
        Refusal::IdempotencyKeyReused,
        Refusal::IdempotencyKeyInProgress,
        Refusal::Stale { intent: digest, decision: digest },
        Refusal::NotEligible { detail: detail() },
        Refusal::AlreadyDecided,
        Refusal::WrongState { state: "", verb: "" },
        Refusal::Conflict { id },
        Refusal::TooManyPending { agent: detail(), limit: 0 },
        Refusal::LimitReached { agent: detail(), limit: "", detail: detail(), retry_after_s: 0 },
        Refusal::Busy { retry_after_s: 0 },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_has_a_row_and_every_row_is_an_error() {
        let refusals = of_refusals();
        assert_eq!(refusals.len(), CODES.len());
        let rows = [refusals, of_outcomes(), of_surface().to_vec()].concat();
        for row in &rows {
            assert!((400..600).contains(&row.status), "{row:?}");
            assert_eq!(rows.iter().filter(|r| r.code == row.code).count(), 1, "{row:?}");
        }
    }
}
