//! Signing in and out, and the visit of a signed-in person.
//!
//! A one-time link's page only offers a button: opening it redeems nothing, so whatever follows links in
//! mail and chat uses none up (T34).

use axum::body::Body;
use axum::http::header::{COOKIE, LOCATION, SET_COOKIE, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use countersign_core::proposal::StateName;
use countersign_core::refusal::Refusal;
use countersign_engine::fault::Stop;
use countersign_engine::gate::Viewer;

use super::form::Form;
use super::show::text::Eye;
use super::show::{Chrome, Message, NextStep, PagePerson, SignIn};
use super::{Ask, html, stop};
use crate::surface::App;
use crate::surface::auth::{self, SignedIn};

/// The session's cookie. The prefix makes browsers insist on `Secure`, `Path=/` and no `Domain`, so no
/// other host can plant one (T47). Browsers accept it over plain http from loopback, and only from there.
const COOKIE_NAME: &str = "__Host-countersign";
const COOKIE_FLAGS: &str = "Secure; HttpOnly; SameSite=Strict; Path=/";

/// A request of a person with a live session. Only [`Visit::open`] makes one.
#[derive(Debug)]
pub(crate) struct Visit {
    pub(super) app: App,
    pub(super) ask: Ask,
    pub(super) who: SignedIn,
    token: String,
}

impl Visit {
    /// The visit, or the page that says how to sign in.
    pub(super) async fn open(app: App, ask: Ask) -> Result<Self, Response> {
        let Some(token) = cookie(&ask.headers) else { return Err(signed_out(&ask)) };
        match auth::person(&app.gate, &token).await {
            Ok(who) => Ok(Self { app, ask, who, token }),
            Err(Stop::Refused(Refusal::Unauthenticated)) => Err(signed_out(&ask)),
            Err(stop) => Err(stop::stopped(&app, None, &stop)),
        }
    }

    /// The form that was posted, if it came from a page of this session.
    pub(super) async fn form(&self, body: Body) -> Result<Form, Stop> {
        let form = Form::read(&self.app, &self.ask.headers, body).await?;
        if form.carries(&self.who.csrf) {
            Ok(form)
        } else {
            let detail = "this form belongs to an earlier session; open the page again".to_owned();
            Err(Refusal::NotPermitted { detail }.into())
        }
    }

    /// Who looks, for the engine.
    pub(super) fn viewer(&self) -> Viewer {
        Viewer::Person { id: self.who.person.clone() }
    }

    /// Whether the whole log is theirs to read.
    pub(super) fn reads_log(&self) -> bool {
        self.app.gate.may_read_log(&self.who.person)
    }

    /// What the top of the page says about them.
    pub(super) async fn me(&self) -> Result<PagePerson, Stop> {
        let counts = self.app.gate.counts().await?;
        let rules = self.app.gate.ruleset();
        let name = rules.directory.person(&self.who.person).map_or("", |p| p.name.as_str());
        Ok(PagePerson {
            name: countersign_core::text::visible(name).text,
            csrf: self.who.csrf.clone(),
            pending: counts.get(&StateName::Pending).copied().unwrap_or(0),
            reads_log: self.reads_log(),
        })
    }

    /// The page that says why something was not done.
    pub(super) async fn stopped(&self, stop: &Stop) -> Response {
        stop::stopped_at(&self.app, self.me().await.ok(), stop, self.ask.id().ok())
    }
}

/// The session's token, if exactly one was sent.
fn cookie(headers: &HeaderMap) -> Option<String> {
    let mut found = headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(name, _)| *name == COOKIE_NAME)
        .map(|(_, value)| value.to_owned());
    found.next().filter(|_| found.next().is_none())
}

fn set_cookie(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// `GET` of a page without a session. A link from another site does not bring the cookie along
/// (`SameSite=Strict`); following a link on this page does.
fn signed_out(ask: &Ask) -> Response {
    let from_elsewhere = ask.headers.get("sec-fetch-site").is_some_and(|v| v == "cross-site");
    let link = Some(own_path(&ask.path)).filter(|_| from_elsewhere);
    let eye = Eye::default();
    let mut lines = vec![eye.text("Ask an operator of this gate for a one-time link, or make one yourself:")];
    if link.is_some() {
        lines.insert(0, eye.text("You came from another site. If you are signed in here, go on:"));
    }
    let page = Message {
        chrome: Chrome::public("Sign in"),
        kicker: "Not signed in".to_owned(),
        heading: "Sign in to see this page",
        lines,
        command: Some("countersign person link NAME"),
        link: link.map(|href| NextStep { href, label: "Open the page" }),
    };
    let mut response = html(StatusCode::UNAUTHORIZED, &page);
    // RFC 9110 section 15.5.2 asks for a challenge; this scheme is no browser's, so none opens a dialogue.
    response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Session"));
    response
}

/// The same address if it is one of this site's, else the start page: never another site's (`//host`).
fn own_path(path: &str) -> String {
    let proposal = path.strip_prefix("/proposals/").and_then(|id| id.parse().ok());
    match (path, proposal) {
        ("/history" | "/log", _) => path.to_owned(),
        (_, Some(id)) => {
            let id: countersign_core::id::ProposalId = id;
            format!("/proposals/{id}")
        }
        _ => "/".to_owned(),
    }
}

/// `GET /sign-in/{token}`.
pub(super) fn offer(ask: Ask) -> Response {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if !ask.parameter.starts_with(auth::LINK) || !ask.parameter.chars().all(plain) {
        return not_a_link();
    }
    html(StatusCode::OK, &SignIn { chrome: Chrome::public("Sign in"), link: ask.parameter })
}

fn not_a_link() -> Response {
    let eye = Eye::default();
    let page = Message {
        chrome: Chrome::public("Sign in"),
        kicker: "Not signed in".to_owned(),
        heading: "This link does not work",
        lines: vec![eye.text("A link works once, for a quarter of an hour. Ask for a new one:")],
        command: Some("countersign person link NAME"),
        link: None,
    };
    html(StatusCode::UNAUTHORIZED, &page)
}

/// `POST /sign-in`. Every sign-in makes a new session and ends the one that this browser had (T47).
pub(super) async fn sign_in(app: App, ask: Ask, form: Form) -> Response {
    match auth::redeem(&app.gate, form.get("link")).await {
        Ok((token, _)) => {
            if let Some(before) = cookie(&ask.headers)
                && let Err(stop) = auth::sign_out(&app.gate, &before).await
            {
                return stop::stopped(&app, None, &stop);
            }
            let cookie = set_cookie(&format!("{COOKIE_NAME}={token}; {COOKIE_FLAGS}"));
            let home = HeaderValue::from_static("/");
            (StatusCode::SEE_OTHER, [(SET_COOKIE, cookie), (LOCATION, home)]).into_response()
        }
        Err(Stop::Refused(Refusal::Unauthenticated)) => not_a_link(),
        Err(stop) => stop::stopped(&app, None, &stop),
    }
}

/// `POST /sign-out`.
pub(super) async fn sign_out(visit: Visit) -> Response {
    if let Err(stop) = auth::sign_out(&visit.app.gate, &visit.token).await {
        return visit.stopped(&stop).await;
    }
    let cookie = set_cookie(&format!("{COOKIE_NAME}=; Max-Age=0; {COOKIE_FLAGS}"));
    let home = HeaderValue::from_static("/");
    (StatusCode::SEE_OTHER, [(SET_COOKIE, cookie), (LOCATION, home)]).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_cookies(values: &[&'static str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(COOKIE, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn the_session_is_read_from_exactly_one_cookie_t47() {
        let table: &[(&[&str], Option<&str>)] = &[
            (&[], None),
            (&["__Host-countersign=css_1"], Some("css_1")),
            (&["a=b; __Host-countersign=css_1; c=d"], Some("css_1")),
            (&["a=b", "__Host-countersign=css_1"], Some("css_1")),
            (&["__Host-countersign=css_1; __Host-countersign=css_2"], None),
            (&["__Host-countersign=css_1", "__Host-countersign=css_1"], None),
            (&["countersign=css_1"], None),
            (&["__host-countersign=css_1"], None),
        ];
        for (given, expect) in table {
            assert_eq!(cookie(&with_cookies(given)).as_deref(), *expect, "{given:?}");
        }
    }

    #[test]
    fn the_page_of_somebody_unknown_links_only_to_this_site() {
        let id = "prp_01kawkbx1re0003g40r40m30e2";
        for (path, expect) in [
            ("/", "/".to_owned()),
            ("/history", "/history".to_owned()),
            ("//evil.example/history", "/".to_owned()),
            ("/proposals/..//evil.example", "/".to_owned()),
            ("/log/export", "/".to_owned()),
            (&format!("/proposals/{id}"), format!("/proposals/{id}")),
        ] {
            assert_eq!(own_path(path), expect, "{path}");
        }
    }
}
