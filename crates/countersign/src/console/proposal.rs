//! The page of one proposal, and the same page after it moved under somebody.

use axum::http::StatusCode;
use axum::response::Response;
use countersign_core::proposal::{Record, StateName};
use countersign_core::refusal::Refusal;
use countersign_engine::fault::Stop;
use countersign_engine::store::LoggedEntry;

use super::html;
use super::session::Visit;
use super::show::card::{self, Notice, ProposalPage};
use super::show::text::{Eye, Time};
use super::show::{Chrome, events, status};
use crate::surface;

/// The digests that a form carried.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sent<'a> {
    pub(super) intent: &'a str,
    pub(super) decision: &'a str,
}

/// `GET /proposals/{id}`.
pub(super) async fn proposal(visit: Visit) -> Response {
    respond(&visit, StatusCode::OK, None).await
}

/// The answer to a decision on what is no longer bound: what changed, and the page as it is now (T19).
pub(super) async fn stale(visit: &Visit, sent: &Sent<'_>) -> Response {
    respond(visit, StatusCode::CONFLICT, Some(sent)).await
}

async fn respond(visit: &Visit, code: StatusCode, sent: Option<&Sent<'_>>) -> Response {
    match page(visit, sent).await {
        Ok(page) => html(code, &page),
        Err(stop) => visit.stopped(&stop).await,
    }
}

async fn page(visit: &Visit, sent: Option<&Sent<'_>>) -> Result<ProposalPage, Stop> {
    let gate = &visit.app.gate;
    let id = visit.ask.id()?;
    let found = gate.read(id, &visit.viewer()).await?;
    let record = found.ok_or_else(|| Refusal::ProposalNotFound { id: id.to_string() })?;
    let logged = gate.history(id, &visit.viewer()).await?;
    let me = visit.me().await?;
    let (rules, now) = (gate.ruleset(), gate.world().now());
    let (card, person) = (gate.card(&record), visit.who.person.as_str());
    let yours = gate.may_decide(&record, person);
    Ok(ProposalPage {
        chrome: Chrome::of(&countersign_core::text::visible(&card.action).text, me, ""),
        notice: sent.map(|sent| what_changed(sent, &record, &logged)),
        version: record.version,
        shown: card::shown(&card, &record.binding.rendering.precondition, now),
        asks: card::asks(&card, &record.state, &gate.deciders(&record)),
        approvals: card::given(&record, &rules.directory, now),
        created: Time::new(record.proposal.created_at, now),
        owner: gate.owner_of(&record.proposal.action).map(|owner| Eye::default().text(&owner)),
        words: card::words(&record.proposal),
        status: status::status(&record, &rules.directory, now),
        events: events::events(&logged, &rules.directory, now),
        decide: yours.then(|| card::decide(&card, &visit.who.csrf)),
        confirm: gate.may_confirm(&record, person).then(|| card::decide(&card, &visit.who.csrf)),
        why_not: if record.state.name() == StateName::Pending {
            let lines = surface::why_not(gate, &record, person);
            lines.iter().map(|line| Eye::default().text(line)).collect()
        } else {
            Vec::new()
        },
        cancel: may_cancel(visit, &record).then(|| visit.who.csrf.clone()),
    })
}

/// Whether the button is shown. The engine asks again when it is pressed.
fn may_cancel(visit: &Visit, record: &Record) -> bool {
    let open = matches!(record.state.name(), StateName::Pending | StateName::Ready);
    open && visit.app.gate.may_cancel(record, &visit.viewer()).is_ok()
}

/// What is different from what the person saw.
pub(super) fn what_changed(sent: &Sent<'_>, record: &Record, logged: &[LoggedEntry]) -> Notice {
    let eye = Eye::default();
    let mut lines = Vec::new();
    if sent.intent != record.binding.intent.to_string() {
        lines.push(
            eye.text("What would be done is different now: the request, its effects or what is checked."),
        );
    }
    if sent.decision != record.decision.digest.to_string() {
        lines.push(eye.text("Who must approve, or why, is different now."));
    }
    if lines.is_empty() {
        lines.push(eye.text("The card is different now: the record that was read, a name or a policy."));
    }
    if let Some(because) = events::last_revision(logged) {
        lines.push(eye.text(&format!("The gate noted: {because}")));
    }
    lines.push(eye.text("Nothing was recorded as your decision. Look again, and decide again."));
    Notice { heading: "The proposal changed after you opened it", lines }
}
