//! `POST /oauth/token`: OAuth 2.0 client credentials (RFC 6749 section 4.4), the only way to a token.

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::clients::Scope;
use crate::http::{Answer, Request, single};
use crate::problem::Problem;
use crate::shop::Shop;
use crate::tokens::LIFETIME;

/// An error as RFC 6749 section 5.2 wants it.
pub(crate) struct Refused {
    status: StatusCode,
    error: &'static str,
    description: &'static str,
}

impl Refused {
    const fn new(error: &'static str, description: &'static str) -> Self {
        Self { status: StatusCode::BAD_REQUEST, error, description }
    }

    const fn unknown_client() -> Self {
        let description = "authenticate with the client's id and secret by HTTP Basic";
        Self { status: StatusCode::UNAUTHORIZED, error: "invalid_client", description }
    }
}

impl From<Problem> for Refused {
    fn from(_: Problem) -> Self {
        let description = "something broke in the shop";
        Self { status: StatusCode::INTERNAL_SERVER_ERROR, error: "server_error", description }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let body = json!({ "error": self.error, "error_description": self.description });
        match Answer::json(self.status, &body) {
            Ok(answer) if self.status == StatusCode::UNAUTHORIZED => {
                answer.with(header::WWW_AUTHENTICATE, "Basic realm=\"acme\"".to_owned()).into_response()
            }
            Ok(answer) => answer.into_response(),
            Err(problem) => problem.into_response(),
        }
    }
}

/// Issues a token for exactly the scopes that were asked for, if the client may have all of them.
pub(crate) async fn token(State(shop): State<Shop>, request: Request) -> Result<Answer, Refused> {
    let (client, secret) = basic(&request.headers).ok_or_else(Refused::unknown_client)?;
    let allowed = shop.clients().recognise(&client, &secret).ok_or_else(Refused::unknown_client)?;
    let form = form(&request)?;
    let field = |name: &str| form.get(name).map_or("", String::as_str);
    if field("grant_type") != "client_credentials" {
        return Err(Refused::new("unsupported_grant_type", "only client_credentials is offered"));
    }
    let scopes = scopes(field("scope"), &allowed)
        .ok_or_else(|| Refused::new("invalid_scope", "ask for one or more scopes that the client has"))?;

    let token = format!("acme_{}", shop.world().random_hex::<32>());
    let names: Vec<&str> = scopes.iter().map(|s| s.name()).collect();
    let body = json!({
        "access_token": token,
        "token_type": "Bearer",
        "expires_in": LIFETIME.as_secs(),
        "scope": names.join(" "),
    });
    let now = shop.world().ticks();
    shop.tokens(|tokens| tokens.issue(&token, &client, scopes, now))?;
    Ok(Answer::json(StatusCode::OK, &body)?.with(header::CACHE_CONTROL, "no-store".to_owned()))
}

/// The scopes by name: at least one, all known, all allowed. Nothing is left out in silence.
fn scopes(asked: &str, allowed: &BTreeSet<Scope>) -> Option<BTreeSet<Scope>> {
    let scopes: Option<BTreeSet<Scope>> =
        asked.split_ascii_whitespace().map(|n| Scope::named(n).filter(|s| allowed.contains(s))).collect();
    scopes.filter(|s| !s.is_empty())
}

/// The form's fields; one that is there twice is an error (RFC 6749 section 3.2).
fn form(request: &Request) -> Result<BTreeMap<String, String>, Refused> {
    let given = single(&request.headers, &header::CONTENT_TYPE).ok().flatten().unwrap_or_default();
    let essence = given.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(Refused::new("invalid_request", "send a form"));
    }
    let mut form = BTreeMap::new();
    for (name, value) in url::form_urlencoded::parse(&request.body) {
        if form.insert(name.into_owned(), value.into_owned()).is_some() {
            return Err(Refused::new("invalid_request", "a parameter is there twice"));
        }
    }
    Ok(form)
}

/// Client id and secret from HTTP Basic; both are form-encoded before they are joined (section 2.3.1).
fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let (scheme, encoded) = single(headers, &header::AUTHORIZATION).ok().flatten()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (client, secret) = text.split_once(':')?;
    Some((form_decoded(client)?, form_decoded(secret)?))
}

fn form_decoded(text: &str) -> Option<String> {
    let pair = format!("v={text}");
    let mut pairs = url::form_urlencoded::parse(pair.as_bytes());
    match (pairs.next(), pairs.next()) {
        (Some((_, value)), None) => Some(value.into_owned()),
        _ => None,
    }
}
