//! JSON that means one thing: a strict reader, one canonical form, and the input that everybody shares.
//!
//! Wire bytes are read once, here. Validator, policy, renderer and digest all take the same
//! [`CanonicalInput`]; nobody parses again (T50-T53).

mod canonical;
mod pointer;
mod reader;
mod serializer;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

pub use canonical::{canonical, canonical_of, canonical_v1, number, number_text};
pub use pointer::{escape_token, unescape_token};
pub use reader::{JsonError, read, read_file};
pub use serializer::NotCanonical;

/// An input that was validated against its action's schema, with the bytes that are hashed.
#[derive(Debug, Clone, PartialEq)]
pub struct CanonicalInput {
    value: Value,
    bytes: Vec<u8>,
}

impl CanonicalInput {
    /// Wraps a value that the strict reader produced and the action's schema accepted.
    pub(crate) fn new(value: Value) -> Self {
        let bytes = canonical(&value);
        Self { value, bytes }
    }

    /// The value.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// Its canonical bytes (RFC 8785).
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl Serialize for CanonicalInput {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for CanonicalInput {
    /// Reads a stored input back. Only the store does this, and the digest is checked before anything is sent.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer).map(Self::new)
    }
}
