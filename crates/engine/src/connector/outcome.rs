//! What an answer means. `failed` is said only when there was certainly no effect; what is unclear is
//! `unknown`, except for reads, which have no effect to be unclear about.

use countersign_core::action::{EffectClass, HttpCall};
use countersign_core::outcome::{Cause, Outcome, Response};
use serde_json::Value;

use super::{LookError, LookFailure, ReadAnswer};
use crate::credential::Secret;
use crate::net::Trouble;

/// The outcome of a call from what came back.
pub(super) fn of(call: &HttpCall, secret: Option<&Secret>, answer: Result<ReadAnswer, Trouble>) -> Outcome {
    let answer = match answer {
        Ok(answer) => answer,
        Err(trouble) => return without_answer(call.effect, trouble),
    };
    let (body, trouble) = match answer.body {
        Ok(bytes) => (body(&answer.content_type, &bytes), None),
        Err(trouble) => (Value::Null, Some(trouble)),
    };
    let response = Some(scrubbed(answer.status, answer.content_type, body, secret));
    match (meaning(call, answer.status), trouble, response) {
        (Meaning::Done, None, Some(response)) => Outcome::Succeeded { response },
        (Meaning::Done, Some(Trouble::Late), response) => unclear(call.effect, Cause::TimedOut, response),
        (Meaning::Done, _, response) => unclear(call.effect, Cause::UnreadableAnswer, response),
        // The status alone says it, whatever became of the body.
        (Meaning::NotDone(cause), _, response) => Outcome::Failed { cause, response },
        (Meaning::Unclear(cause), _, response) => unclear(call.effect, cause, response),
    }
}

enum Meaning {
    Done,
    NotDone(Cause),
    Unclear(Cause),
}

fn meaning(call: &HttpCall, status: u16) -> Meaning {
    match status {
        _ if call.ok.contains(&status) => Meaning::Done,
        // These two ask for the same request elsewhere, so it was not applied here.
        307 | 308 => Meaning::NotDone(Cause::Redirected),
        // The others do not say. "See other" is how many forms answer a POST that was applied
        // (RFC 9110 section 15.4.4), and 302 is used for the same.
        300..=399 => Meaning::Unclear(Cause::Redirected),
        // The upstream understood and declined. Not here: 408, 409, 425, 429 and all of 5xx, which some
        // upstreams answer after, or while, they apply it.
        400 | 401 | 403 | 404 | 405 | 406 | 410..=415 | 417 | 421 | 422 | 426 | 428 | 431 => {
            Meaning::NotDone(Cause::UpstreamRefused)
        }
        _ => Meaning::Unclear(Cause::UnclearStatus),
    }
}

/// What a status other than 200 says about a preview read.
pub(super) fn of_status(status: u16) -> LookError {
    let kind = match status {
        404 | 410 => LookFailure::NotFound,
        408 | 429 | 500..=599 => LookFailure::Transient,
        _ => LookFailure::Permanent,
    };
    let name = reqwest::StatusCode::from_u16(status).ok().and_then(|s| s.canonical_reason());
    let name = name.map(|name| format!(" ({name})")).unwrap_or_default();
    LookError { kind, detail: format!("the upstream answered {status}{name} instead of 200") }
}

fn without_answer(effect: EffectClass, trouble: Trouble) -> Outcome {
    let failed = |cause| Outcome::Failed { cause, response: None };
    match trouble {
        Trouble::AddressRefused => failed(Cause::AddressRefused),
        Trouble::NotConnected => failed(Cause::NotConnected),
        Trouble::Late => unclear(effect, Cause::TimedOut, None),
        Trouble::Lost => unclear(effect, Cause::ConnectionLost, None),
        Trouble::NotHttp | Trouble::Cut | Trouble::TooLarge | Trouble::Encoded => {
            unclear(effect, Cause::UnreadableAnswer, None)
        }
    }
}

fn unclear(effect: EffectClass, cause: Cause, response: Option<Response>) -> Outcome {
    match effect {
        EffectClass::Read => Outcome::Failed { cause, response },
        EffectClass::Keyed | EffectClass::Conditional | EffectClass::Natural | EffectClass::Opaque => {
            Outcome::Unknown { cause, response }
        }
    }
}

/// JSON when it says so and is; else text; null when there is nothing.
fn body(content_type: &str, bytes: &[u8]) -> Value {
    if bytes.is_empty() {
        return Value::Null;
    }
    let parsed = is_json(content_type).then(|| serde_json::from_slice(bytes).ok()).flatten();
    parsed.unwrap_or_else(|| Value::String(String::from_utf8_lossy(bytes).into_owned()))
}

/// Whether a content type is `application/json` or `…+json` (RFC 6839).
pub(super) fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || essence.ends_with("+json")
}

fn scrubbed(status: u16, content_type: String, body: Value, secret: Option<&Secret>) -> Response {
    let Some(secret) = secret else { return Response { status, body, content_type, scrubbed: false } };
    let mut scrubber = secret.scrubber();
    let (body, content_type) = (scrubber.value(body), scrubber.text(content_type));
    if scrubber.found() {
        warn_of_echo(secret);
    }
    Response { status, body, content_type, scrubbed: scrubber.found() }
}

/// A preview's record and entity tag without the secret. A tag that held it is dropped: half a tag is none.
pub(super) fn without_secret(
    body: Value,
    etag: Option<String>,
    secret: Option<&Secret>,
) -> (Value, Option<String>) {
    let Some(secret) = secret else { return (body, etag) };
    let mut scrubber = secret.scrubber();
    let etag = etag.filter(|tag| scrubber.text(tag.clone()) == *tag);
    let body = scrubber.value(body);
    if scrubber.found() {
        warn_of_echo(secret);
    }
    (body, etag)
}

fn warn_of_echo(secret: &Secret) {
    tracing::warn!(
        credential = secret.name(),
        "the upstream sent the credential back; it was removed, but rotate it and tell the upstream's owner"
    );
}
