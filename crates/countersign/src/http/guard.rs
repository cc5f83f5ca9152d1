//! What stands before every handler: the `Host` must be ours, the caller must be somebody, and a body is
//! read whole and bounded before anything is decided.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, HOST, ORIGIN, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use countersign_core::refusal::Refusal;

use super::openapi::Listener;
use super::resource;
use crate::surface::auth::KnownAgent;
use crate::surface::{App, Problem, RefusalCode, auth, only, problem};

/// The `Host` values a listener answers to: what a rebound name sends is not among them (T131).
#[derive(Debug, Clone)]
pub(crate) struct Hosts(Arc<BTreeSet<String>>);

impl Hosts {
    /// The listener's own address under its usual names, and what the operator adds.
    pub(crate) fn new(address: std::net::SocketAddr, extra: &[String]) -> Self {
        let port = address.port();
        let mut names: BTreeSet<String> = [
            format!("{address}"),
            format!("localhost:{port}"),
            format!("127.0.0.1:{port}"),
            format!("[::1]:{port}"),
        ]
        .into();
        names.extend(extra.iter().map(|h| h.to_ascii_lowercase()));
        Self(Arc::new(names))
    }

    /// Whether a browser that sends an `Origin` sends one of ours. Programs send none.
    fn allows_origin(&self, headers: &HeaderMap) -> bool {
        let origin = match only(headers, ORIGIN) {
            Ok(None) => return true,
            Ok(Some(origin)) => origin.to_str().unwrap_or_default().to_ascii_lowercase(),
            Err(_) => return false,
        };
        let host = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        host.is_some_and(|host| self.0.contains(host))
    }

    fn allows(&self, headers: &HeaderMap) -> bool {
        let host = only(headers, HOST).ok().flatten().and_then(|value| value.to_str().ok());
        host.is_some_and(|host| self.0.contains(&host.to_ascii_lowercase()))
    }
}

/// Refuses a foreign `Host`, and a page of another site by its `Origin` (T131).
pub(super) async fn host(State(hosts): State<Hosts>, request: Request, next: Next) -> Response {
    if !hosts.allows(request.headers()) {
        let detail = "the Host header does not name this gate; add it to `hosts` in countersign.toml";
        return Problem::plain(421, "wrong_host", detail).into_response();
    }
    if !hosts.allows_origin(request.headers()) {
        let detail = "the Origin header names another site, and no other site may call this gate";
        return Problem::plain(403, "wrong_origin", detail).into_response();
    }
    next.run(request).await
}

/// Says NOT DONE in the refusal of a new proposal. Not of a repeated one, which may have been done before, nor of a
/// question about one.
pub(super) async fn not_done(request: Request, next: Next) -> Response {
    let proposes = request.method() == Method::POST
        && request.uri().path() == PROPOSE
        && !request.headers().contains_key("idempotency-key");
    let mut response = next.run(request).await;
    match response.extensions_mut().remove::<Problem>() {
        Some(problem) if proposes => problem.of_a_proposal().into_response(),
        Some(_) | None => response,
    }
}

/// Where agents propose.
const PROPOSE: &str = "/v1/proposals";

/// Headers of every answer.
pub(super) async fn headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let fixed = [
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("x-frame-options", "DENY"),
    ];
    for (name, value) in fixed {
        headers.entry(HeaderName::from_static(name)).or_insert(HeaderValue::from_static(value));
    }
    headers.entry(HeaderName::from_static("content-security-policy")).or_insert(HeaderValue::from_static(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
         form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ));
    response
}

/// Counts the answers that refuse, whichever part of a listener gave them.
pub(super) async fn count(
    State((app, listener)): State<(App, Listener)>,
    request: Request,
    next: Next,
) -> Response {
    let response = next.run(request).await;
    if let Some(RefusalCode(code)) = response.extensions().get::<RefusalCode>() {
        let listener = match listener {
            Listener::Agents => "agents",
            Listener::People => "people",
        };
        app.gate.metrics().refused(listener, code);
    }
    response
}

/// Lets only an agent through, and its reads only as often as it may. An error here is the end of the request (T40).
pub(super) async fn agent(State(app): State<App>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    match admit(&app, &parts).await {
        Ok(known) => {
            // Nothing behind this needs what was presented, so nothing can pass it on (T37).
            parts.headers.remove(AUTHORIZATION);
            parts.extensions.insert(known);
            next.run(Request::from_parts(parts, body)).await
        }
        Err(refusal) => Problem::from(refusal).into_response(),
    }
}

async fn admit(app: &App, parts: &Parts) -> Result<KnownAgent, Refusal> {
    let known = auth::agent(app, bearer(&parts.headers)?).await?;
    if parts.method == Method::GET {
        app.gate.charge_read(&known.name)?;
    }
    Ok(known)
}

/// Says in a 401 of the agents' listener where its metadata are (RFC 9728 section 5.1), when there are any.
pub(super) async fn challenge(
    State((app, listener)): State<(App, Listener)>,
    request: Request,
    next: Next,
) -> Response {
    let mut response = next.run(request).await;
    if listener == Listener::Agents
        && response.status() == StatusCode::UNAUTHORIZED
        && let Some(place) = resource::place(&app)
        && let Some(said) = response.headers().get(WWW_AUTHENTICATE).and_then(|v| v.to_str().ok())
    {
        let comma = if said.contains('=') { "," } else { "" };
        if let Ok(more) = HeaderValue::from_str(&format!("{said}{comma} resource_metadata=\"{place}\"")) {
            response.headers_mut().insert(WWW_AUTHENTICATE, more);
        }
    }
    response
}

/// The person behind a request, for its handler.
#[derive(Debug, Clone)]
pub(super) struct Person {
    pub(super) id: String,
    pub(super) token: String,
}

/// Lets only a person through, by bearer token. Cookies are the console's and are not read here, so no
/// other site can make a browser call this API (T129).
pub(super) async fn person(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let token = match bearer(request.headers()) {
        Ok(token) => token.to_owned(),
        Err(refusal) => return Problem::from(refusal).into_response(),
    };
    match auth::person(&app.gate, &token).await {
        Ok(signed_in) => {
            request.extensions_mut().insert(Person { id: signed_in.person, token });
            next.run(request).await
        }
        Err(stop) => problem(&app, &stop).into_response(),
    }
}

/// Lets a person through, and a program that has a token for the log. Whether they may read it is the verb's to say.
pub(super) async fn log_reader(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let token = match bearer(request.headers()) {
        Ok(token) => token.to_owned(),
        Err(refusal) => return Problem::from(refusal).into_response(),
    };
    match auth::log_reader(&app.gate, &token).await {
        Ok(id) => {
            request.extensions_mut().insert(Person { id, token });
            next.run(request).await
        }
        Err(stop) => problem(&app, &stop).into_response(),
    }
}

fn bearer(headers: &HeaderMap) -> Result<&str, Refusal> {
    let Ok(Some(value)) = only(headers, AUTHORIZATION) else { return Err(Refusal::Unauthenticated) };
    let text = value.to_str().map_err(|_| Refusal::Unauthenticated)?;
    let (scheme, token) = text.split_once(' ').ok_or(Refusal::Unauthenticated)?;
    if scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() {
        Ok(token)
    } else {
        Err(Refusal::Unauthenticated)
    }
}
