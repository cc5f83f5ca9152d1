//! Signing in and out, and the visit of a signed-in person.
//!
//! A one-time link's page only offers a button: opening it redeems nothing, so whatever follows links in
//! mail and chat uses none up (T34).

use axum::body::Body;
use axum::http::header::{LOCATION, SET_COOKIE, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use countersign_core::refusal::Refusal;
use countersign_engine::fault::Stop;
use countersign_engine::gate::Viewer;
use countersign_engine::store::LinkRefusal;

use super::cookie::cookie_named;
use super::form::Form;
use super::next::LocalPath;
use super::show::text::Eye;
use super::show::{Chrome, Message, NextStep, PagePerson, SignIn, WaitingCount};
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
        let Some(token) = cookie(&ask.headers) else { return Err(signed_out(&ask, Before::Nothing)) };
        match auth::person(&app.gate, &token).await {
            Ok(who) => Ok(Self { app, ask, who, token }),
            Err(Stop::Refused(Refusal::Unauthenticated)) => Err(signed_out(&ask, Before::Session)),
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
        let waiting = self.app.gate.waiting(&self.viewer()).await?;
        Ok(self.me_with(WaitingCount { count: waiting.count, more: waiting.more }))
    }

    /// The same for a page that knows what waits in their inbox.
    pub(super) fn me_with(&self, waiting: WaitingCount) -> PagePerson {
        let rules = self.app.gate.ruleset();
        let name = rules.directory.person(&self.who.person).map_or("", |p| p.name.as_str());
        PagePerson {
            name: countersign_core::text::visible(name).text,
            csrf: self.who.csrf.clone(),
            waiting,
            reads_log: self.reads_log(),
        }
    }

    /// The page that says why something was not done.
    pub(super) async fn stopped(&self, stop: &Stop) -> Response {
        stop::stopped_at(&self.app, self.me().await.ok(), stop, self.ask.id().ok())
    }
}

/// The session's token, if exactly one was sent.
fn cookie(headers: &HeaderMap) -> Option<String> {
    cookie_named(headers, COOKIE_NAME)
}

fn set_cookie(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// What a browser without a live session had before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    /// It sent no session.
    Nothing,
    /// It sent one that is over.
    Session,
}

/// `GET` of a page without a session. A link from another site does not bring the cookie along
/// (`SameSite=Strict`); following a link on this page does. The page is opened after signing in.
fn signed_out(ask: &Ask, before: Before) -> Response {
    let next = LocalPath::of(ask);
    let from_elsewhere = ask.headers.get("sec-fetch-site").is_some_and(|v| v == "cross-site");
    let home = || "/".to_owned();
    let link = from_elsewhere.then(|| next.as_ref().map_or_else(home, |next| next.as_str().to_owned()));
    let (heading, mut lines) = match before {
        Before::Nothing => ("Sign in to see this page", Vec::new()),
        Before::Session => (
            "Your session is over",
            vec![
                "A session ends an hour after it was last used, 12 hours after it began, when you sign out, and \
                 when an operator takes you out of the directory.",
            ],
        ),
    };
    if link.is_some() {
        lines.push("You came from another site. If you are signed in here, go on:");
    }
    lines.push("Ask an operator of this gate for a one-time link, or make one yourself:");
    if next.is_some() {
        lines.push("After you have signed in with this browser, the page that you asked for opens.");
    }
    let eye = Eye::default();
    let page = Message {
        chrome: Chrome::public("Sign in"),
        kicker: "Not signed in".to_owned(),
        heading,
        lines: lines.into_iter().map(|line| eye.text(line)).collect(),
        command: Some("countersign person link NAME"),
        link: link.map(|href| NextStep { href, label: "Open the page" }),
    };
    let mut response = html(StatusCode::UNAUTHORIZED, &page);
    // RFC 9110 section 15.5.2 asks for a challenge; this scheme is no browser's, so none opens a dialogue.
    response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Session"));
    // The inbox opens anyway.
    if let Some(next) = next.filter(|next| next.as_str() != "/") {
        response.headers_mut().append(SET_COOKIE, set_cookie(&next.cookie()));
    }
    response
}

/// `GET /sign-in/{token}`.
pub(super) fn offer(ask: Ask) -> Response {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if !ask.parameter.starts_with(auth::LINK) || !ask.parameter.chars().all(plain) {
        return not_a_link(None);
    }
    let next = ask.query("next").and_then(|next| LocalPath::read(&next));
    let next = next.map_or_else(String::new, |next| next.as_str().to_owned());
    html(StatusCode::OK, &SignIn { chrome: Chrome::public("Sign in"), link: ask.parameter, next })
}

/// The page of a link that signs nobody in, with the reason if there was such a link.
fn not_a_link(why: Option<LinkRefusal>) -> Response {
    let eye = Eye::default();
    let why = match why {
        Some(LinkRefusal::Used) => "It was used already, and a link works once.",
        Some(LinkRefusal::TooOld) => "It is older than a quarter of an hour, and then a link stops working.",
        None => {
            "The gate does not know it: it was typed wrongly, belongs to another gate, or is older than a \
             quarter of an hour."
        }
    };
    let lines = [why, "Ask an operator of this gate for a new one, or make one yourself:"];
    let page = Message {
        chrome: Chrome::public("Sign in"),
        kicker: "Not signed in".to_owned(),
        heading: "This link does not work",
        lines: lines.map(|line| eye.text(line)).into(),
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
            let next = LocalPath::read(form.get("next")).or_else(|| LocalPath::remembered(&ask.headers));
            signed_in(&token, next.as_ref())
        }
        Err(Stop::Refused(Refusal::Unauthenticated)) => {
            match auth::why_refused(&app.gate, form.get("link")).await {
                Ok(why) => not_a_link(why),
                Err(stop) => stop::stopped(&app, None, &stop),
            }
        }
        Err(stop) => stop::stopped(&app, None, &stop),
    }
}

/// Gives the browser its session and sends it to the page that the person wanted, else to the inbox.
fn signed_in(token: &str, next: Option<&LocalPath>) -> Response {
    let home = next.map_or("/", LocalPath::as_str);
    let location = HeaderValue::from_str(home).unwrap_or_else(|_| HeaderValue::from_static("/"));
    let mut response = (StatusCode::SEE_OTHER, [(LOCATION, location)]).into_response();
    for cookie in [format!("{COOKIE_NAME}={token}; {COOKIE_FLAGS}"), LocalPath::forgotten()] {
        response.headers_mut().append(SET_COOKIE, set_cookie(&cookie));
    }
    response
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
    use axum::http::header::COOKIE;

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
}
