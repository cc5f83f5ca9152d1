//! Bodies: read whole and bounded before anything is decided, then by the strict reader, then into their shape.

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use countersign_core::json::{self, JsonError};
use countersign_core::limits;
use countersign_core::refusal::Refusal;
use countersign_core::text::visible;
use countersign_engine::fault::Stop;
use countersign_engine::gate::{Proposal, RequestKey, Verdict};
use futures_util::StreamExt as _;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, DeserializeSeed, IntoDeserializer as _, MapAccess};
use serde_json::Value;

use super::auth::KnownAgent;
use super::only;
use crate::wire::{ProposeBody, VerdictBody};

/// Time for a whole body; a client that drips is not waited for (T111).
const BODY_WITHIN: std::time::Duration = std::time::Duration::from_secs(20);

fn cut(detail: &str) -> Stop {
    Refusal::MalformedRequest { pointer: String::new(), detail: detail.to_owned() }.into()
}

/// Reads a JSON body whole: exactly `application/json`, not compressed, bounded by what arrives and not by
/// what the headers claim (T59, T60).
pub(crate) async fn read_limited(headers: &HeaderMap, body: Body) -> Result<Vec<u8>, Stop> {
    let unsupported = |detail: &str| Refusal::UnsupportedMediaType { detail: detail.to_owned() };
    let Ok(Some(value)) = only(headers, CONTENT_TYPE) else {
        return Err(unsupported("send exactly one `Content-Type: application/json`").into());
    };
    if !is_plain_json(value.to_str().unwrap_or_default()) {
        return Err(unsupported("send `Content-Type: application/json` in UTF-8").into());
    }
    if headers.contains_key(CONTENT_ENCODING) {
        return Err(unsupported("send the body without `Content-Encoding`").into());
    }
    read_whole(body, limits::BODY_BYTES_MAX).await
}

/// Reads a body of at most so many bytes within its time. Every body is read here.
pub(crate) async fn read_whole(body: Body, limit_bytes: usize) -> Result<Vec<u8>, Stop> {
    tokio::time::timeout(BODY_WITHIN, read_all(body, limit_bytes))
        .await
        .map_err(|_| cut("the body did not arrive in time"))?
}

async fn read_all(body: Body, limit_bytes: usize) -> Result<Vec<u8>, Stop> {
    let mut pieces = body.into_data_stream();
    let mut bytes = Vec::new();
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|_| cut("the body ended before the end that its headers promised"))?;
        if bytes.len().saturating_add(piece.len()) > limit_bytes {
            return Err(Refusal::BodyTooLarge { limit_bytes }.into());
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

/// `application/json`, alone or with `charset=utf-8`: no other parameter, no blanks inside a word.
fn is_plain_json(content_type: &str) -> bool {
    let mut parts = content_type.split(';').map(str::trim);
    let json = parts.next().is_some_and(|p| p.eq_ignore_ascii_case("application/json"));
    let charset = parts.next().is_none_or(|p| p.eq_ignore_ascii_case("charset=utf-8"));
    json && charset && parts.next().is_none()
}

/// Reads a body with the strict reader, then into its shape. Unknown fields are refused (T14).
pub(crate) fn read_body<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refusal> {
    let value = json::read(bytes).map_err(|e: JsonError| Refusal::MalformedRequest {
        detail: format!("{} at byte {}", e.detail, e.offset),
        pointer: e.pointer,
    })?;
    shape(value)
}

/// A value of the strict reader in its shape; what is wrong has its place.
pub(crate) fn shape<T: DeserializeOwned>(value: Value) -> Result<T, Refusal> {
    let mut at = String::new();
    let shaped = if let Value::Object(map) = value {
        let members = Members { rest: map.into_iter(), value: Value::Null, at: &mut at };
        T::deserialize(MapAccessDeserializer::new(members))
    } else {
        serde_json::from_value(value)
    };
    shaped.map_err(|e| Refusal::MalformedRequest { pointer: at, detail: visible(&e.to_string()).text })
}

/// The members of a body, which remember the one being read, so that a mistake has a place.
struct Members<'a> {
    rest: serde_json::map::IntoIter,
    value: Value,
    /// Pointer to the member; empty before the first and after the last.
    at: &'a mut String,
}

impl<'de> MapAccess<'de> for Members<'_> {
    type Error = serde_json::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Self::Error> {
        let Some((key, value)) = self.rest.next() else {
            self.at.clear();
            return Ok(None);
        };
        *self.at = format!("/{}", json::escape_token(&key));
        self.value = value;
        seed.deserialize(key.into_deserializer()).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Self::Error> {
        seed.deserialize(std::mem::take(&mut self.value))
    }
}

/// What the engine is asked, by the agent that was authenticated.
pub(crate) fn proposal(
    body: ProposeBody,
    agent: &KnownAgent,
    key: Option<RequestKey>,
) -> Result<Proposal, Refusal> {
    let too_long = |pointer: &str, limit: usize| Refusal::MalformedRequest {
        pointer: pointer.to_owned(),
        detail: format!("longer than {limit} bytes"),
    };
    let over = |text: &Option<String>, limit: usize| text.as_ref().is_some_and(|t| t.len() > limit);
    if over(&body.reason, limits::REASON_BYTES_MAX) {
        return Err(too_long("/reason", limits::REASON_BYTES_MAX));
    }
    if over(&body.run, limits::LABEL_BYTES_MAX) {
        return Err(too_long("/run", limits::LABEL_BYTES_MAX));
    }
    if body.evidence.len() > limits::EVIDENCE_ITEMS_MAX {
        let detail = format!("more than {} pieces", limits::EVIDENCE_ITEMS_MAX);
        return Err(Refusal::MalformedRequest { pointer: "/evidence".to_owned(), detail });
    }
    Ok(Proposal {
        agent: agent.name.clone(),
        proof: agent.proof(),
        on_behalf_of: body.on_behalf_of,
        action: body.action,
        input: body.input,
        reason: body.reason,
        run: body.run,
        evidence: body.evidence,
        key,
        patience: None,
    })
}

/// What the engine is asked, by the person who was authenticated, through this surface.
pub(crate) fn verdict(body: VerdictBody, person: &str, channel: &'static str) -> Result<Verdict, Refusal> {
    let VerdictBody { intent, decision, view, comment } = body;
    if comment.len() > limits::COMMENT_BYTES_MAX {
        let detail = format!("longer than {} bytes", limits::COMMENT_BYTES_MAX);
        return Err(Refusal::MalformedRequest { pointer: "/comment".to_owned(), detail });
    }
    Ok(Verdict { person: person.to_owned(), intent, decision, view, words: comment, channel })
}
