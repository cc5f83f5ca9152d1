//! Decisions: a form becomes a verdict on the digests that were on the page. The engine decides whether
//! it counts.

use axum::http::header::LOCATION;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use countersign_core::digest::Digest;
use countersign_core::id::ProposalId;
use countersign_core::proposal::Record;
use countersign_core::refusal::Refusal;
use countersign_engine::fault::Stop;
use countersign_engine::gate::Verdict;

use super::form::Form;
use super::proposal::{self, Sent};
use super::session::Visit;
use super::show::card;
use crate::surface;
use crate::wire::VerdictBody;

/// `POST /proposals/{id}/approve`.
pub(super) async fn approve(visit: Visit, form: Form) -> Response {
    let work = async {
        let id = visit.ask.id()?;
        opened_what_was_hidden(&visit, id, &form).await?;
        visit.app.gate.approve(id, verdict(&visit, &form)?).await
    };
    let done = work.await;
    settle(&visit, &form, done).await
}

/// `POST /proposals/{id}/reject`.
pub(super) async fn reject(visit: Visit, form: Form) -> Response {
    let work = async {
        if form.get("comment").trim().is_empty() {
            return Err(malformed("say why you reject it: the agent reads the reason").into());
        }
        visit.app.gate.reject(visit.ask.id()?, verdict(&visit, &form)?).await
    };
    let done = work.await;
    settle(&visit, &form, done).await
}

/// `POST /proposals/{id}/confirm`: the person whom the agent named says that it is for them.
pub(super) async fn confirm(visit: Visit, form: Form) -> Response {
    let work = async {
        let id = visit.ask.id()?;
        visit.app.gate.confirm(id, visit.who.person.clone(), digest(&form, "intent")?).await
    };
    let done = work.await;
    settle(&visit, &form, done).await
}

/// `POST /proposals/{id}/cancel`.
pub(super) async fn cancel(visit: Visit) -> Response {
    let work = async { visit.app.gate.cancel(visit.ask.id()?, &visit.viewer()).await };
    match work.await {
        Ok(record) => back_to(&record),
        Err(stop) => visit.stopped(&stop).await,
    }
}

fn malformed(detail: &str) -> Refusal {
    Refusal::MalformedRequest { pointer: String::new(), detail: detail.to_owned() }
}

fn digest(form: &Form, field: &str) -> Result<Digest, Refusal> {
    form.get(field).parse().map_err(|_| unknown_page())
}

fn unknown_page() -> Refusal {
    malformed("the form does not say which proposal was on the page; open it again")
}

fn verdict(visit: &Visit, form: &Form) -> Result<Verdict, Refusal> {
    let (intent, decision) = (digest(form, "intent")?, digest(form, "decision")?);
    let body = VerdictBody {
        intent,
        decision,
        view: digest(form, "view")?,
        comment: form.get("comment").to_owned(),
    };
    surface::verdict(body, &visit.who.person, "console")
}

/// What was shortened on the page must have been opened before it is approved (T25). The count is a
/// function of the card, so a page with another count is a page of another card, and that is refused as stale.
async fn opened_what_was_hidden(visit: &Visit, id: ProposalId, form: &Form) -> Result<(), Stop> {
    let found = visit.app.gate.read(id, &visit.viewer()).await?;
    let record = found.ok_or_else(|| Refusal::ProposalNotFound { id: id.to_string() })?;
    let precondition = &record.binding.rendering.precondition;
    let shown = card::shown(&visit.app.gate.card(&record), precondition, visit.app.gate.world().now());
    let same_page = form.get("intent") == record.binding.intent.to_string();
    if same_page && shown.shortened > 0 && form.get("seen") != shown.shortened.to_string() {
        return Err(malformed("open what is hidden on the page, and say that you have read it").into());
    }
    Ok(())
}

/// Back to the proposal; when it moved under the page, the page as it is now with what changed (T19).
async fn settle(visit: &Visit, form: &Form, done: Result<Record, Stop>) -> Response {
    match done {
        Ok(record) => back_to(&record),
        Err(Stop::Refused(Refusal::Stale { .. })) => {
            let sent = Sent { intent: form.get("intent"), decision: form.get("decision") };
            Box::pin(proposal::stale(visit, &sent)).await
        }
        Err(stop) => visit.stopped(&stop).await,
    }
}

fn back_to(record: &Record) -> Response {
    let location = HeaderValue::from_str(&format!("/proposals/{}", record.proposal.id));
    let location = location.unwrap_or_else(|_| HeaderValue::from_static("/"));
    (StatusCode::SEE_OTHER, [(LOCATION, location)]).into_response()
}
