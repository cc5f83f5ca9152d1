//! From a grant's call to the request that is sent: the same method, URL, headers and bytes, and the secret.
//!
//! Refuses what would not arrive as it was approved: a URL that the parser writes differently, a header that
//! steers the message, a value with more than visible ASCII (T69).

use countersign_core::action::{HttpCall, Method, ReadCall};
use countersign_core::header;
use countersign_core::outcome::Cause;
use reqwest::Request;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use url::Url;

use crate::credential::{Misplaced, Secret, Use, usage_of};

/// The request of a recorded dispatch.
pub(super) fn of_call(call: &HttpCall, secret: Option<&Secret>) -> Result<Request, Cause> {
    if usage(secret).is_some_and(|usage| usage != usage_of(call.effect)) {
        return Err(Cause::CredentialUnavailable);
    }
    let url = exact(&call.url).ok_or(Cause::IntentMismatch)?;
    let mut headers = headers(call).ok_or(Cause::IntentMismatch)?;
    put(secret, call.credential.as_deref(), &url, &mut headers)?;
    let mut request = Request::new(method(call.method), url);
    *request.headers_mut() = headers;
    *request.body_mut() = call.body.as_ref().map(|(_, text)| text.clone().into());
    Ok(request)
}

/// The request of a preview read.
pub(super) fn of_look(call: &ReadCall, secret: Option<&Secret>) -> Result<Request, &'static str> {
    // `Look` cannot be made otherwise; asked again because a preview must have no effect (T31).
    if !call.method.is_safe() {
        return Err("a preview uses GET or HEAD only");
    }
    if usage(secret).is_some_and(|usage| usage != Use::Read) {
        return Err("a preview never uses a write credential");
    }
    let url = exact(&call.url).ok_or("the preview's address is not one exact http or https URL")?;
    let mut headers = HeaderMap::new();
    put(secret, call.credential.as_deref(), &url, &mut headers)
        .map_err(|_| "the credential cannot be sent to this address")?;
    let mut request = Request::new(method(call.method), url);
    *request.headers_mut() = headers;
    Ok(request)
}

fn usage(secret: Option<&Secret>) -> Option<Use> {
    secret.map(Secret::usage)
}

/// The URL, if the parser's reading of it is the approved text itself: no dropped control characters, no
/// resolved path steps, no other spelling of the host (T65). It holds no user and no fragment.
fn exact(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let is_plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    let is_web = matches!(url.scheme(), "https" | "http") && url.host().is_some();
    (is_plain && is_web && url.as_str() == text).then_some(url)
}

fn headers(call: &HttpCall) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    for (name, value) in &call.headers {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        if !header::may_be_in_call(name.as_str()) || headers.insert(name, field_value(value)?).is_some() {
            return None;
        }
    }
    if let Some((content_type, _)) = &call.body {
        headers.insert(CONTENT_TYPE, field_value(content_type)?);
    }
    Some(headers)
}

/// Visible ASCII and single inner blanks; stricter than RFC 9110, which also lets opaque bytes and tabs pass.
fn field_value(text: &str) -> Option<HeaderValue> {
    let clean = text.trim() == text && text.bytes().all(|b| b == b' ' || b.is_ascii_graphic());
    clean.then(|| HeaderValue::from_str(text).ok()).flatten()
}

/// Adds the secret that was asked for, to nothing but its own origin (T89).
fn put(
    secret: Option<&Secret>,
    wanted: Option<&str>,
    url: &Url,
    headers: &mut HeaderMap,
) -> Result<(), Cause> {
    match (secret, wanted) {
        (None, None) => Ok(()),
        (Some(secret), Some(name)) if secret.name() == name => {
            secret.apply(url, headers).map_err(|misplaced| match misplaced {
                Misplaced::Origin => Cause::CredentialUnavailable,
                Misplaced::Header => Cause::IntentMismatch,
            })
        }
        (None | Some(_), Some(_)) => Err(Cause::CredentialUnavailable),
        // A call that was approved without a credential must not be sent with one.
        (Some(_), None) => Err(Cause::IntentMismatch),
    }
}

fn method(method: Method) -> reqwest::Method {
    match method {
        Method::Get => reqwest::Method::GET,
        Method::Head => reqwest::Method::HEAD,
        Method::Post => reqwest::Method::POST,
        Method::Put => reqwest::Method::PUT,
        Method::Patch => reqwest::Method::PATCH,
        Method::Delete => reqwest::Method::DELETE,
    }
}
