//! SHA-256 of what the shop keeps without being able to read it back: secrets, tokens, and repeated requests.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::world::hex;

/// What is hashed. Equal bytes of two kinds have different digests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A client's secret.
    Secret,
    /// A bearer token.
    Token,
    /// Path and body of a request with an `Idempotency-Key`.
    Request,
}

/// 64 lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Digest(String);

impl Digest {
    /// Hashes the fields. Each is preceded by its length, so that no two lists of fields give the same bytes.
    pub(crate) fn of(kind: Kind, fields: &[&[u8]]) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(match kind {
            Kind::Secret => "acme/secret/v1\n",
            Kind::Token => "acme/token/v1\n",
            Kind::Request => "acme/request/v1\n",
        });
        for field in fields {
            hasher.update(u64::try_from(field.len()).unwrap_or(u64::MAX).to_be_bytes());
            hasher.update(field);
        }
        Self(hex(&hasher.finalize()))
    }

    /// Whether both are the same, in a time that says nothing of where they differ.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_fields_or_another_kind_give_another_digest() {
        let digest = Digest::of(Kind::Request, &[b"ab", b"c"]);
        assert!(digest.is(&Digest::of(Kind::Request, &[b"ab", b"c"])));
        for other in [
            Digest::of(Kind::Request, &[b"a", b"bc"]),
            Digest::of(Kind::Request, &[b"abc"]),
            Digest::of(Kind::Token, &[b"ab", b"c"]),
            Digest::of(Kind::Secret, &[b"ab", b"c"]),
        ] {
            assert!(!digest.is(&other));
        }
    }
}
