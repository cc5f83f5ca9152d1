//! From an input and what was read to facts and one exact call.

use serde_json::Value;

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
    /// What went wrong.
    pub detail: String,
}
