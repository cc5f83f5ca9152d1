//! The page that says why something was not done.

use axum::http::StatusCode;
use axum::response::Response;
use countersign_core::id::ProposalId;
use countersign_engine::fault::Stop;

use super::html;
use super::show::text::Eye;
use super::show::{Chrome, Message, NextStep, PagePerson};
use crate::surface::{App, problem};

/// The page that says why something was not done, with the status that the API would give.
pub(super) fn stopped(app: &App, me: Option<PagePerson>, stop: &Stop) -> Response {
    stopped_at(app, me, stop, None)
}

/// The same, with the way back to what it was about.
pub(super) fn stopped_at(
    app: &App,
    me: Option<PagePerson>,
    stop: &Stop,
    about: Option<ProposalId>,
) -> Response {
    let problem = problem(app, stop);
    let status = StatusCode::from_u16(problem.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let heading = match status.as_u16() {
        400 => "Something is missing in what was sent",
        401 => "Please sign in",
        403 => "This is not yours to do",
        404 => "There is no such proposal",
        409 => "It is too late for that",
        413 | 415 => "This form cannot be read",
        429 | 503 => "The gate is busy",
        _ => "Something broke inside the gate",
    };
    let mut detail = problem.detail().to_owned();
    detail.push('.');
    let sentence = capitalised(&detail);
    let link = match about.filter(|_| status != StatusCode::NOT_FOUND) {
        Some(id) => NextStep { href: format!("/proposals/{id}"), label: "Back to the proposal" },
        None => NextStep { href: "/".to_owned(), label: "Back to the inbox" },
    };
    let page = Message {
        chrome: Chrome { title: heading.to_owned(), me, here: "" },
        kicker: format!("{} {}", status.as_u16(), problem.code()),
        heading,
        lines: vec![Eye::default().text(&sentence)],
        command: None,
        link: Some(link),
    };
    let mut response = html(status, &page);
    if let Some(code) = problem.refused() {
        response.extensions_mut().insert(code);
    }
    response
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |c| c.to_uppercase().collect::<String>() + chars.as_str())
}
