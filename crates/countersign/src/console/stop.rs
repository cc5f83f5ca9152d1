//! The pages that say why something was not done.

use axum::http::StatusCode;
use axum::response::Response;
use countersign_core::id::ProposalId;
use countersign_engine::fault::Stop;

use super::html;
use super::show::text::Eye;
use super::show::{Chrome, Message, NextStep, PagePerson};
use crate::surface::{App, ProblemText, problem};

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
    let text = ProblemText::from(&problem);
    let about = about.filter(|_| text.status != 404);
    let link = about.map_or_else(inbox, |id| NextStep {
        href: format!("/proposals/{id}"),
        label: "Back to the proposal",
    });
    let mut response = page(me, &text, link);
    if let Some(code) = problem.refused() {
        response.extensions_mut().insert(code);
    }
    response
}

/// The way to what waits.
pub(super) fn inbox() -> NextStep {
    NextStep { href: "/".to_owned(), label: "Back to the inbox" }
}

/// A problem as a page: what happened, why, and what to do.
pub(super) fn page(me: Option<PagePerson>, text: &ProblemText, link: NextStep) -> Response {
    let status = StatusCode::from_u16(text.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let heading = heading(text);
    let why = capitalised(&format!("{}.", quoted(&text.detail)));
    let lines = [Some(why.as_str()), advice(text)];
    let page = Message {
        chrome: Chrome { title: heading.to_owned(), me, here: "" },
        kicker: format!("{} {}", text.status, text.code),
        heading,
        lines: lines.into_iter().flatten().map(|line| Eye::default().text(line)).collect(),
        command: None,
        link: Some(link),
    };
    html(status, &page)
}

fn heading(text: &ProblemText) -> &'static str {
    match (text.code.as_str(), text.status) {
        ("route_not_found", _) => "There is no such page",
        ("method_not_allowed", _) => "This address does not answer to that",
        ("wrong_host" | "wrong_origin", _) => "This is not an address of this gate",
        (_, 400 | 422) => "The gate cannot read that",
        (_, 401) => "This address is for programs",
        (_, 403) => "This is not yours to do",
        (_, 404) => "There is no such proposal",
        (_, 409) => "It is too late for that",
        (_, 413 | 415) => "This form cannot be read",
        (_, 429 | 503) => "The gate is busy",
        _ => "Something broke inside the gate",
    }
}

/// What to do, where the problem itself does not say it.
fn advice(text: &ProblemText) -> Option<&'static str> {
    match (text.code.as_str(), text.status) {
        ("route_not_found", _) => Some("Check the address. Everything is found from the inbox."),
        ("method_not_allowed", _) => Some("Open the page with the form that sends it."),
        ("wrong_host" | "wrong_origin", _) => None,
        (_, 401) => Some(
            "Programs send a session's token in the Authorization header. People find the same in the console.",
        ),
        (_, 404) => Some(
            "Check its id. It may belong to another gate, or be one that you may not see: people see what was done \
             for them, what they may decide on, and what they have decided on.",
        ),
        (_, 429 | 503) => Some("Try again in a moment."),
        _ => None,
    }
}

/// Messages put values between backticks, as terminals do; pages have quotation marks.
fn quoted(text: &str) -> String {
    let mut parts = text.split('`');
    let mut quoted = parts.next().unwrap_or_default().to_owned();
    for (part, mark) in parts.zip(['“', '”'].into_iter().cycle()) {
        quoted.push(mark);
        quoted.push_str(part);
    }
    quoted
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |c| c.to_uppercase().collect::<String>() + chars.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stand_in_quotation_marks_on_pages() {
        assert_eq!(quoted("there is no proposal `prp_1`"), "there is no proposal “prp_1”");
        assert_eq!(quoted("`a` and `b`"), "“a” and “b”");
        assert_eq!(quoted("plain"), "plain");
    }
}
