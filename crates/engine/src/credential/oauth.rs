//! OAuth 2.0 client credentials: RFC 6749 section 4.4, with the client's secret by HTTP Basic (2.3.1), the
//! scopes of the configuration and, if wanted, an RFC 8707 resource.
//!
//! Never says what a token endpoint answered, except for the error codes that the standards name.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use countersign_core::limits;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Method, Request};
use serde::{Deserialize, Deserializer};
use tokio::time::Instant;
use url::form_urlencoded::{self, byte_serialize};
use zeroize::Zeroizing;

use super::secret::basic;
use super::spec;
use crate::net::{self, Clients, Deadline};

/// A token answer is a few hundred bytes; large JWTs reach some kilobytes.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// The longest that a read token is kept, so that a revocation reaches every preview within a minute (T84).
const KEEP_MAX: Duration = Duration::from_mins(1);
/// A token is not used in its last seconds: it has to survive the call.
const KEEP_MARGIN: Duration = Duration::from_secs(10);

/// What to ask a token endpoint for.
pub(super) struct TokenRequest<'a> {
    pub(super) name: &'a str,
    pub(super) token_url: &'a str,
    pub(super) client_id: &'a str,
    pub(super) client_secret: Zeroizing<String>,
    pub(super) scopes: &'a [String],
    pub(super) resource: Option<&'a str>,
}

/// An access token.
pub(super) struct Token {
    pub(super) value: Zeroizing<String>,
    /// How long it lives, if the server said so.
    lifetime: Option<Duration>,
}

/// RFC 6749 section 5.1.
#[derive(Deserialize)]
struct TokenAnswer {
    #[serde(deserialize_with = "zeroizing")]
    access_token: Zeroizing<String>,
    token_type: String,
    expires_in: Option<u64>,
    scope: Option<String>,
}

/// RFC 6749 section 5.2.
#[derive(Deserialize)]
struct Refusal {
    error: String,
}

/// Read tokens in memory, by credential. Write tokens never come here.
#[derive(Default)]
pub(super) struct Cache(Mutex<HashMap<String, CachedToken>>);

struct CachedToken {
    value: Zeroizing<String>,
    until: Instant,
}

impl Cache {
    pub(super) async fn get_or_fetch(
        &self,
        clients: &Clients,
        request: &TokenRequest<'_>,
    ) -> Result<Zeroizing<String>, String> {
        let asked = Instant::now();
        if let Some(value) = self.get(request.name, asked) {
            return Ok(value);
        }
        let token = fetch(clients, request).await?;
        let keep = token.lifetime.unwrap_or_default().saturating_sub(KEEP_MARGIN).min(KEEP_MAX);
        if let Some(until) = asked.checked_add(keep).filter(|_| !keep.is_zero()) {
            let kept = CachedToken { value: token.value.clone(), until };
            self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(request.name.to_owned(), kept);
        }
        Ok(token.value)
    }

    fn get(&self, name: &str, now: Instant) -> Option<Zeroizing<String>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|_, token| token.until > now);
        kept.get(name).map(|token| token.value.clone())
    }
}

/// Fetches one token.
pub(super) async fn fetch(clients: &Clients, wanted: &TokenRequest<'_>) -> Result<Token, String> {
    let failed = |why: &str| format!("the token endpoint gave no token: {why}");
    let deadline = Deadline::after(limits::PREVIEW_TIMEOUT);
    let request = request(wanted)?;
    // The token endpoint's connections are its own, apart from those to the upstream (T72).
    let pool = format!("oauth:{}", wanted.name);
    let response =
        clients.send(request, Some(&pool), deadline).await.map_err(|trouble| failed(trouble.to_text()))?;
    let status = response.status().as_u16();
    let body = net::read(response, ANSWER_BYTES_MAX, deadline).await.map_err(|t| failed(t.to_text()))?;
    if status != 200 {
        let code = serde_json::from_slice::<Refusal>(&body).ok().and_then(|refusal| known(&refusal.error));
        return Err(failed(&match code {
            Some(code) => format!("status {status}, `{code}`"),
            None => format!("status {status}"),
        }));
    }
    let answer: TokenAnswer =
        serde_json::from_slice(&body).map_err(|_| failed("the answer is not a token answer of RFC 6749"))?;
    if !answer.token_type.eq_ignore_ascii_case("bearer") {
        return Err(failed("its type is not Bearer"));
    }
    let asked_for = |scope: &str| wanted.scopes.iter().any(|s| s == scope);
    if answer.scope.is_some_and(|granted| !granted.split_ascii_whitespace().all(asked_for)) {
        return Err(failed("it may do more than was asked for; narrow what the client may have"));
    }
    Ok(Token { value: answer.access_token, lifetime: answer.expires_in.map(Duration::from_secs) })
}

fn request(wanted: &TokenRequest<'_>) -> Result<Request, String> {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("grant_type", "client_credentials");
    if !wanted.scopes.is_empty() {
        form.append_pair("scope", &wanted.scopes.join(" "));
    }
    if let Some(resource) = wanted.resource {
        form.append_pair("resource", resource);
    }
    let mut request = Request::new(Method::POST, spec::token_endpoint(wanted.token_url)?);
    *request.headers_mut() = headers(wanted)?;
    *request.body_mut() = Some(form.finish().into());
    Ok(request)
}

fn headers(wanted: &TokenRequest<'_>) -> Result<HeaderMap, String> {
    // Section 2.3.1: both parts are form-encoded before they are joined.
    let encode = |text: &str| Zeroizing::new(byte_serialize(text.as_bytes()).collect::<String>());
    let basic = basic(&encode(wanted.client_id), &encode(&wanted.client_secret));
    let mut value =
        HeaderValue::from_str(&basic).map_err(|_| "the client secret cannot stand in a header".to_owned())?;
    value.set_sensitive(true);
    Ok(HeaderMap::from_iter([
        (AUTHORIZATION, value),
        (ACCEPT, HeaderValue::from_static("application/json")),
        (CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded")),
    ]))
}

fn zeroizing<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Zeroizing<String>, D::Error> {
    String::deserialize(deserializer).map(Zeroizing::new)
}

/// The standards' own error codes. Anything else is the server's text and is not repeated.
fn known(code: &str) -> Option<&'static str> {
    const CODES: [&str; 9] = [
        "invalid_request",
        "invalid_client",
        "invalid_grant",
        "unauthorized_client",
        "unsupported_grant_type",
        "invalid_scope",
        "invalid_target",
        "server_error",
        "temporarily_unavailable",
    ];
    CODES.into_iter().find(|known| *known == code)
}
