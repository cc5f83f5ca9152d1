//! The strict reader.

use serde_json::Value;

/// Why some bytes are not the JSON that this gate reads.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail} at byte {offset}")]
pub struct JsonError {
    /// JSON pointer to the place, as far as the reader had come.
    pub pointer: String,
    /// Byte offset from the start.
    pub offset: usize,
    /// What is wrong: a lower-case fragment.
    pub detail: String,
}

/// Reads one JSON document.
pub fn read(_bytes: &[u8]) -> Result<Value, JsonError> {
    todo!()
}
