//! Refusals and faults as RFC 9457 problem details. The one place that maps a refusal to a status.

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use countersign_core::id::IncidentId;
use countersign_core::proposal::StateName;
use countersign_core::refusal::{InputError, Refusal};
use countersign_engine::fault::{Stop, chain_text};
use countersign_engine::gate::Limit;

use super::App;
use crate::wire::{Advice, AgentProposal, NowBound, ProblemBody};

/// A problem: status, body, and the headers that go with it.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    body: Box<ProblemBody>,
    headers: Vec<(HeaderName, String)>,
    refused: Option<RefusalCode>,
    /// The request certainly left no proposal behind.
    made_nothing: bool,
}

/// Goes with an answer that refuses a request, for who counts refusals: its code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RefusalCode(pub(crate) &'static str);

impl Problem {
    /// A problem with a code and a sentence.
    pub(crate) fn plain(status: u16, code: &'static str, detail: &str) -> Self {
        let title = StatusCode::from_u16(status).ok().and_then(|s| s.canonical_reason()).unwrap_or("Problem");
        let body = ProblemBody {
            kind: format!("https://countersign.dev/errors#{code}"),
            title: title.to_owned(),
            status,
            detail: detail.to_owned(),
            message: sentence(detail),
            next: Advice::Stop,
            code: code.to_owned(),
            errors: None,
            now: None,
            id: None,
            limit: None,
            incident: None,
            policies: None,
            proposal: None,
        };
        Self {
            body: Box::new(body),
            headers: Vec::new(),
            refused: Some(RefusalCode(code)),
            made_nothing: true,
        }
    }

    /// A proposal that ended without being done, as the answer to the request that made it.
    pub(crate) fn ended(status: u16, proposal: AgentProposal) -> Self {
        let mut problem = Self::plain(status, proposal.state.as_str(), &proposal.message);
        // It was recorded and is counted as a proposal, not as a refused request.
        problem.refused = None;
        problem.made_nothing = false;
        problem.body.policies = Some(proposal.policies.clone());
        problem.body.message.clone_from(&proposal.message);
        problem.body.next = proposal.next.unwrap_or(Advice::Stop);
        problem.body.proposal = Some(Box::new(proposal));
        problem
    }

    /// What is said.
    pub(crate) const fn body(&self) -> &ProblemBody {
        &self.body
    }

    /// What of it is counted as a refused request.
    pub(crate) const fn refused(&self) -> Option<RefusalCode> {
        self.refused
    }

    /// The same as the answer to a new proposal: its message says that nothing was done, where that is certain.
    pub(crate) fn of_a_proposal(mut self) -> Self {
        if self.made_nothing {
            self.body.message = format!("NOT DONE: {}.", self.body.detail.trim_end_matches('.'));
        }
        self
    }

    fn with(mut self, fill: impl FnOnce(&mut ProblemBody)) -> Self {
        fill(&mut self.body);
        self
    }

    fn header(mut self, name: HeaderName, value: String) -> Self {
        self.headers.push((name, value));
        self
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let mut plain = Self::plain(status(&refusal), refusal.code(), &refusal.to_string());
        plain.body.next = next(&refusal);
        // What is said about something recorded earlier does not say that it was not done.
        plain.made_nothing = recorded(&refusal) == NO_PROPOSAL;
        match &refusal {
            Refusal::Unauthenticated => plain.header(WWW_AUTHENTICATE, "Bearer".to_owned()),
            // RFC 6750 section 3. What the detail is made of holds neither `"` nor `\`.
            Refusal::InvalidToken { detail } => plain.header(
                WWW_AUTHENTICATE,
                format!("Bearer error=\"invalid_token\", error_description=\"{detail}\""),
            ),
            Refusal::InvalidInput { errors } => plain.with(|body| body.errors = Some(errors.clone())),
            Refusal::MalformedRequest { pointer, detail } => {
                let error = InputError { pointer: pointer.clone(), detail: detail.clone() };
                plain.with(|body| body.errors = Some(vec![error]))
            }
            Refusal::Stale { intent, decision } => {
                let now = NowBound { intent: *intent, decision: *decision };
                plain.with(|body| body.now = Some(now))
            }
            Refusal::InDoubt { id } => {
                plain.with(|body| body.id = Some(*id)).header(RETRY_AFTER, "1".to_owned())
            }
            Refusal::Busy { retry_after_s } | Refusal::Unavailable { retry_after_s, .. } => {
                plain.header(RETRY_AFTER, retry_after_s.to_string())
            }
            Refusal::IdempotencyKeyInProgress => plain.header(RETRY_AFTER, "1".to_owned()),
            Refusal::LimitReached { limit, retry_after_s, .. } => plain
                .with(|body| body.limit = Some((*limit).to_owned()))
                .header(RETRY_AFTER, retry_after_s.to_string()),
            // Until people have decided on some, or their deadlines have passed.
            Refusal::TooManyPending { .. } => plain
                .with(|body| body.limit = Some(Limit::OpenProposals.key().to_owned()))
                .header(RETRY_AFTER, "60".to_owned()),
            Refusal::NotPermitted { .. }
            | Refusal::DelegationNotAllowed { .. }
            | Refusal::IdentityNotValid { .. }
            | Refusal::BodyTooLarge { .. }
            | Refusal::UnsupportedMediaType { .. }
            | Refusal::UnknownAction { .. }
            | Refusal::NotRenderable { .. }
            | Refusal::PreviewFailed { .. }
            | Refusal::ProposalNotFound { .. }
            | Refusal::NoSuchResource { .. }
            | Refusal::Quarantined { .. }
            | Refusal::IdempotencyKeyReused
            | Refusal::NotEligible { .. }
            | Refusal::AlreadyDecided
            | Refusal::WrongState { .. }
            | Refusal::Conflict { .. } => plain,
        }
    }
}

/// The HTTP status of a refusal.
pub(super) const fn status(refusal: &Refusal) -> u16 {
    match refusal {
        Refusal::Unauthenticated | Refusal::InvalidToken { .. } => 401,
        Refusal::NotPermitted { .. }
        | Refusal::DelegationNotAllowed { .. }
        | Refusal::IdentityNotValid { .. }
        | Refusal::NotEligible { .. } => 403,
        Refusal::MalformedRequest { .. } => 400,
        Refusal::BodyTooLarge { .. } => 413,
        Refusal::UnsupportedMediaType { .. } => 415,
        Refusal::UnknownAction { .. } | Refusal::ProposalNotFound { .. } => 404,
        Refusal::InvalidInput { .. }
        | Refusal::NotRenderable { .. }
        | Refusal::NoSuchResource { .. }
        | Refusal::IdempotencyKeyReused => 422,
        Refusal::PreviewFailed { .. } => 502,
        Refusal::Stale { .. }
        | Refusal::AlreadyDecided
        | Refusal::WrongState { .. }
        | Refusal::Conflict { .. }
        | Refusal::Quarantined { .. }
        | Refusal::IdempotencyKeyInProgress => 409,
        Refusal::TooManyPending { .. } | Refusal::LimitReached { .. } => 429,
        Refusal::Busy { .. } | Refusal::InDoubt { .. } | Refusal::Unavailable { .. } => 503,
    }
}

/// The status and the meaning of a proposal that ended without being done. None when it was done, or may
/// still be.
pub(crate) const fn ended(state: StateName) -> Option<(u16, &'static str)> {
    match state {
        StateName::Denied => Some((403, "Policy refused; no approval would lift it.")),
        StateName::Rejected => Some((403, "A person said no.")),
        StateName::Refused => Some((403, "What would allow it is gone for good.")),
        StateName::Expired => {
            Some((409, "Too few people decided in time, or what was approved could not be sent in time."))
        }
        StateName::Cancelled => Some((409, "It was withdrawn.")),
        StateName::Superseded => Some((409, "An edited proposal took its place.")),
        // Never a 5xx once something was recorded: clients and proxies repeat those by themselves.
        StateName::Failed => Some((424, "It certainly had no effect, or the upstream says that it failed.")),
        StateName::Unknown => Some((424, "It was sent, and nobody knows what became of it.")),
        StateName::Succeeded | StateName::Pending | StateName::Ready | StateName::Dispatched => None,
    }
}

/// A stop as a problem. A fault is logged with its causes and shown as an id only.
pub(crate) fn problem(app: &App, stop: &Stop) -> Problem {
    match stop {
        Stop::Refused(refusal) => refusal.clone().into(),
        Stop::Fault(fault) => {
            let incident: IncidentId = app.gate.world().id();
            tracing::error!(%incident, error = %chain_text(fault), "a request failed inside the gate");
            let so_far = if fault.is_in_doubt() {
                "it is not known whether anything was recorded"
            } else {
                "nothing was recorded by this request"
            };
            let detail =
                format!("something broke inside the gate; {so_far}; the operator's log has {incident}");
            let broken =
                Problem { made_nothing: !fault.is_in_doubt(), ..Problem::plain(500, "internal", &detail) };
            broken.with(|body| {
                body.incident = Some(incident);
                body.next = Advice::Ask;
            })
        }
    }
}

/// A fragment as a sentence.
fn sentence(fragment: &str) -> String {
    let mut chars = fragment.trim_end_matches('.').chars();
    let first = chars.next().map(char::to_uppercase).into_iter().flatten();
    first.chain(chars).chain(['.']).collect()
}

/// What an agent does after a refusal.
const fn next(refusal: &Refusal) -> Advice {
    match refusal {
        Refusal::MalformedRequest { .. }
        | Refusal::BodyTooLarge { .. }
        | Refusal::UnsupportedMediaType { .. }
        | Refusal::UnknownAction { .. }
        | Refusal::InvalidInput { .. }
        | Refusal::NotRenderable { .. }
        | Refusal::NoSuchResource { .. }
        | Refusal::IdempotencyKeyReused
        | Refusal::InvalidToken { .. } => Advice::ChangeInput,
        Refusal::PreviewFailed { .. }
        | Refusal::InDoubt { .. }
        | Refusal::Unavailable { .. }
        | Refusal::IdempotencyKeyInProgress
        | Refusal::TooManyPending { .. }
        | Refusal::LimitReached { .. }
        | Refusal::Busy { .. } => Advice::Wait,
        Refusal::Quarantined { .. } => Advice::Ask,
        Refusal::Unauthenticated
        | Refusal::NotPermitted { .. }
        | Refusal::DelegationNotAllowed { .. }
        | Refusal::IdentityNotValid { .. }
        | Refusal::ProposalNotFound { .. }
        | Refusal::Stale { .. }
        | Refusal::NotEligible { .. }
        | Refusal::AlreadyDecided
        | Refusal::WrongState { .. }
        | Refusal::Conflict { .. } => Advice::Stop,
    }
}

/// No proposal was made, and nothing was done.
const NO_PROPOSAL: &str = "no proposal";

/// Whether an answer with this refusal leaves something recorded, in the words of ARCHITECTURE.md.
const fn recorded(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::InDoubt { .. } => "nobody knows",
        // These are about something that was recorded earlier; they change nothing.
        Refusal::ProposalNotFound { .. }
        | Refusal::Quarantined { .. }
        | Refusal::IdempotencyKeyReused
        | Refusal::IdempotencyKeyInProgress
        | Refusal::Stale { .. }
        | Refusal::NotEligible { .. }
        | Refusal::AlreadyDecided
        | Refusal::WrongState { .. }
        | Refusal::Conflict { .. } => "nothing new",
        Refusal::Unauthenticated
        | Refusal::InvalidToken { .. }
        | Refusal::NotPermitted { .. }
        | Refusal::DelegationNotAllowed { .. }
        | Refusal::IdentityNotValid { .. }
        | Refusal::MalformedRequest { .. }
        | Refusal::BodyTooLarge { .. }
        | Refusal::UnsupportedMediaType { .. }
        | Refusal::UnknownAction { .. }
        | Refusal::InvalidInput { .. }
        | Refusal::NotRenderable { .. }
        | Refusal::PreviewFailed { .. }
        | Refusal::NoSuchResource { .. }
        | Refusal::TooManyPending { .. }
        | Refusal::LimitReached { .. }
        | Refusal::Busy { .. }
        | Refusal::Unavailable { .. } => NO_PROPOSAL,
    }
}

/// What a problem says to people. It goes along with the answer inside the process, so that a surface for browsers
/// can make a page of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProblemText {
    /// The HTTP status.
    pub(crate) status: u16,
    /// The stable code.
    pub(crate) code: String,
    /// What went wrong, as a fragment.
    pub(crate) detail: String,
}

impl From<&Problem> for ProblemText {
    fn from(problem: &Problem) -> Self {
        let ProblemBody { status, code, detail, .. } = &*problem.body;
        Self { status: *status, code: code.clone(), detail: detail.clone() }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (text, whole) = (ProblemText::from(&self), self.clone());
        let status = StatusCode::from_u16(self.body.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self.body).unwrap_or_default();
        let kind = HeaderValue::from_static("application/problem+json");
        let mut response = (status, [(CONTENT_TYPE, kind)], body).into_response();
        response.extensions_mut().insert(text);
        response.extensions_mut().insert(whole);
        for (name, value) in self.headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.headers_mut().insert(name, value);
            }
        }
        if let Some(code) = self.refused {
            response.extensions_mut().insert(code);
        }
        response
    }
}

/// No such route.
pub(crate) async fn not_found() -> Problem {
    Problem::plain(404, "route_not_found", "there is no such route on this listener")
}

/// The route exists, the method does not.
pub(crate) async fn wrong_method() -> Problem {
    Problem::plain(405, "method_not_allowed", "this route does not answer to that method")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every answer to `POST /v1/proposals`, by what was recorded.
    fn answers() -> String {
        let mut table = "| recorded | answer | status |\n| --- | --- | --- |\n".to_owned();
        for refusal in super::super::codes::samples() {
            let (recorded, code) = (recorded(&refusal), refusal.code());
            table.push_str(&format!("| {recorded} | {code} | {} |\n", status(&refusal)));
        }
        table.push_str("| no proposal | internal, \"nothing was recorded\" | 500 |\n");
        for state in StateName::ALL {
            let status =
                ended(state).map_or(if state == StateName::Succeeded { 200 } else { 202 }, |(s, _)| s);
            table.push_str(&format!("| the proposal | {} | {status} |\n", state.as_str()));
        }
        table
    }

    #[test]
    fn the_answers_in_the_architecture_document_are_those_of_the_code() {
        let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../ARCHITECTURE.md"));
        let text = text.unwrap();
        let block = text
            .split_once("<!-- answers -->\n")
            .and_then(|(_, rest)| rest.split_once("<!-- /answers -->"))
            .map(|(block, _)| block.trim());
        let expect = answers();
        assert_eq!(block, Some(expect.trim()), "between <!-- answers --> and <!-- /answers -->:\n{expect}");
    }

    #[test]
    fn once_something_was_recorded_no_answer_is_a_5xx_a2() {
        for state in StateName::ALL {
            assert!(ended(state).is_none_or(|(status, _)| status < 500), "{}", state.as_str());
        }
        for refusal in super::super::codes::samples() {
            let doubt = matches!(refusal, Refusal::InDoubt { .. });
            assert_eq!(recorded(&refusal) == "nobody knows", doubt, "{}", refusal.code());
        }
    }
}
