//! SHA-256 with domain separation and length prefixes. The only place that hashes anything we sign or store.
//!
//! Every hash starts with a versioned domain line, and every field is preceded by its length, so no two
//! different sequences of fields give the same bytes.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

/// The domains in use. A changed format is a new version beside the old one.
pub mod domain {
    /// What people sign and the executor checks.
    pub const INTENT: &str = "countersign/intent/v2";
    /// The same of version 1, which is still checked.
    pub const INTENT_V1: &str = "countersign/intent/v1";
    /// What approvals are needed, and why.
    pub const DECISION: &str = "countersign/decision/v1";
    /// One revision of an action's manifest.
    pub const ACTION: &str = "countersign/action/v2";
    /// The same of version 1: open proposals were made under it.
    pub const ACTION_V1: &str = "countersign/action/v1";
    /// The whole set of policies.
    pub const POLICY_SET: &str = "countersign/policy-set/v1";
    /// A whole gate directory.
    pub const RULESET: &str = "countersign/ruleset/v1";
    /// One policy's text.
    pub const POLICY: &str = "countersign/policy/v1";
    /// One approval rule.
    pub const RULE: &str = "countersign/approval-rule/v1";
    /// The view an approver was shown.
    pub const VIEW: &str = "countersign/view/v3";
    /// An API key, session or link token at rest.
    pub const TOKEN: &str = "countersign/token/v1";
    /// The key that seals stored records: its first bytes are the key's id.
    pub const SEAL_KEY: &str = "countersign/seal-key/v1";
    /// One stored part of a record: its name, its salt, its text.
    pub const PART: &str = "countersign/part/v2";
    /// One stored part of a record of version 1.
    pub const PART_V1: &str = "countersign/part/v1";
    /// What an idempotency key stands for: a parsed request and its identity chain.
    pub const REQUEST: &str = "countersign/request/v3";
    /// The same of version 2: a key that was sent before an upgrade may be sent again after it.
    pub const REQUEST_V2: &str = "countersign/request/v2";
}

/// A SHA-256 value. Text form: `sha256:` and 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// From the raw 32 bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The raw 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// One domain, one field: the common case.
    pub fn of(domain: &'static str, bytes: &[u8]) -> Self {
        Hasher::new(domain).field(bytes).finish()
    }

    /// The 64 hexadecimal digits alone.
    pub fn to_hex(&self) -> String {
        self.digits().iter().map(|digit| char::from(*digit)).collect()
    }

    /// Each byte as two digits. By hand: every stored row and entry holds several, and the formatter takes
    /// longer for one than SHA-256 takes to make it.
    fn digits(&self) -> [u8; 64] {
        let digit = |nibble: u8| {
            if nibble < 10 { b'0'.wrapping_add(nibble) } else { b'a'.wrapping_sub(10).wrapping_add(nibble) }
        };
        let mut text = [0_u8; 64];
        for ([high, low], byte) in text.as_chunks_mut::<2>().0.iter_mut().zip(self.0) {
            (*high, *low) = (digit(byte >> 4), digit(byte & 0xf));
        }
        text
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        // INVARIANT: the digits are ASCII.
        f.write_str(std::str::from_utf8(&self.digits()).unwrap_or_default())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not `sha256:` and 64 lower-case hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a digest of the form `sha256:` and 64 lower-case hexadecimal digits")]
pub struct ParseDigestError;

impl FromStr for Digest {
    type Err = ParseDigestError;

    fn from_str(text: &str) -> Result<Self, ParseDigestError> {
        let hex = text.strip_prefix("sha256:").ok_or(ParseDigestError)?.as_bytes();
        if hex.len() != 64 {
            return Err(ParseDigestError);
        }
        let mut bytes = [0_u8; 32];
        for (slot, pair) in bytes.iter_mut().zip(hex.chunks_exact(2)) {
            let [high, low] = pair else { return Err(ParseDigestError) };
            *slot = (nibble(*high)? << 4) | nibble(*low)?;
        }
        Ok(Self(bytes))
    }
}

fn nibble(byte: u8) -> Result<u8, ParseDigestError> {
    match byte {
        b'0'..=b'9' => Ok(byte.wrapping_sub(b'0')),
        b'a'..=b'f' => Ok(byte.wrapping_sub(b'a').wrapping_add(10)),
        _ => Err(ParseDigestError),
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Digest {
    fn schema_name() -> Cow<'static, str> {
        "Digest".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^sha256:[0-9a-f]{64}$",
            "description": "A SHA-256 value.",
        })
    }
}

/// Collects length-prefixed fields under one domain.
#[derive(Debug, Clone)]
pub struct Hasher(Sha256);

impl Hasher {
    /// Starts with the domain and a line feed.
    pub fn new(domain: &'static str) -> Self {
        let mut inner = Sha256::new();
        inner.update(domain.as_bytes());
        inner.update(b"\n");
        Self(inner)
    }

    /// Adds one field: its length as eight big-endian bytes, then its bytes.
    #[must_use]
    pub fn field(mut self, bytes: &[u8]) -> Self {
        self.0.update(u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes());
        self.0.update(bytes);
        self
    }

    /// Adds a list: its length, then each item as a field.
    #[must_use]
    pub fn list<'a>(self, items: impl ExactSizeIterator<Item = &'a [u8]>) -> Self {
        let count = u64::try_from(items.len()).unwrap_or(u64::MAX).to_be_bytes();
        items.fold(self.field(&count), Self::field)
    }

    /// The digest of everything added.
    pub fn finish(self) -> Digest {
        Digest(self.0.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moving_a_byte_between_fields_changes_the_digest() {
        let a = Hasher::new(domain::INTENT).field(b"ab").field(b"c").finish();
        let b = Hasher::new(domain::INTENT).field(b"a").field(b"bc").finish();
        assert_ne!(a, b);
    }

    #[test]
    fn a_digest_survives_its_text_and_nothing_else_parses() {
        let digest = Digest::of(domain::INTENT, b"x");
        assert_eq!(digest.to_string().parse::<Digest>(), Ok(digest));
        assert!(digest.to_string().to_uppercase().parse::<Digest>().is_err());
        assert!("sha256:00".parse::<Digest>().is_err());
    }

    #[test]
    fn the_bytes_that_are_hashed_are_the_documented_ones() {
        let by_hand = Sha256::digest(b"countersign/intent/v2\n\0\0\0\0\0\0\0\x01x");
        assert_eq!(Digest::of(domain::INTENT, b"x").as_bytes().as_slice(), by_hand.as_slice());
    }
}
