//! From an input and what was read to one rendering, with the exact call in it.
//!
//! A [`Plan`] is everything of a manifest that has expressions, compiled. Rendering has no IO and is a pure
//! function of its arguments; whatever cannot be computed refuses the proposal, it never becomes empty text.

mod amount;
mod body;
mod record;
mod rendering;
mod url;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

pub(super) use body::Encoding;
pub(super) use record::RecordParts;
pub use record::RecordReads;
pub(super) use url::{Base, UrlTemplate};

use super::expr::{Template, Text};
use super::types::Method;

/// What a preview read brought back.
#[derive(Debug, Clone, PartialEq)]
pub struct Before {
    /// The record.
    pub body: Value,
    /// Its entity tag, if the upstream sent one.
    pub etag: Option<String>,
    /// `GET https://…`, for the label.
    pub source: String,
}

/// A manifest's expression cannot be computed for this input.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {detail}")]
pub struct RenderError {
    /// Which part of the manifest, e.g. `request.path`.
    pub place: String,
    /// What went wrong. Never contains a value of the record: the agent sees it (T77).
    pub detail: String,
}

impl RenderError {
    pub(super) fn new(place: &str, detail: impl Into<String>) -> Self {
        Self { place: place.to_owned(), detail: detail.into() }
    }
}

/// Everything of one action that is computed for each proposal.
#[derive(Debug)]
pub(super) struct Plan {
    /// The id of the resource.
    pub(super) resource_id: Template,
    /// `preview.let`, each after those it refers to.
    pub(super) lets: Vec<(String, Template)>,
    /// How the record is read.
    pub(super) read: Option<(Method, UrlTemplate)>,
    /// What guards the write.
    pub(super) guard: Guard,
    /// `preview.after`.
    pub(super) after: Option<Template>,
    /// The sentences.
    pub(super) effects: Vec<Text>,
    /// `risk.amount` and `risk.currency`.
    pub(super) money: Option<(Template, Template)>,
    /// `risk.count`.
    pub(super) count: Option<Template>,
    /// The call.
    pub(super) request: Request,
    /// What of all this depends on the record that is read.
    pub(super) from_record: RecordParts,
}

/// What must still be true right before the write.
#[derive(Debug)]
pub(super) enum Guard {
    /// Nothing.
    None,
    /// The entity tag that came with the record.
    Etag,
    /// Values in the record, by JSON pointer.
    Watch(BTreeMap<String, Presence>),
}

/// Whether a watched value has to be in the record. A pointer that names nothing guards nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    /// A record without it is not the record that the manifest was written for.
    Required,
    /// The manifest says that a record may lack it.
    Optional,
}

/// The call of an action.
#[derive(Debug)]
pub(super) struct Request {
    /// The method.
    pub(super) method: Method,
    /// The URL.
    pub(super) url: UrlTemplate,
    /// Names in lower case, sorted.
    pub(super) headers: Vec<(String, Text)>,
    /// How the body is written.
    pub(super) encoding: Encoding,
    /// The body.
    pub(super) body: Option<Template>,
    /// Statuses that mean success.
    pub(super) ok: BTreeSet<u16>,
    /// Milliseconds for the whole call.
    pub(super) timeout_ms: u64,
    /// The header that carries the proposal's id as idempotency key.
    pub(super) key_header: Option<String>,
}

#[cfg(test)]
mod tests;
