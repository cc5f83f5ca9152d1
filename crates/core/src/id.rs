//! Typed ids: `prp_01k…`. The kind is in the type and in the text, so one id cannot stand for another.
//!
//! The text form is a `TypeID` (<https://github.com/jetify-com/typeid>, spec 0.3): a prefix and a `UUIDv7` in
//! Crockford base32, so ids sort by time and carry 74 random bits.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const TEXT_LENGTH: usize = 26;

/// What an id is an id of.
pub trait IdKind {
    /// The text before the underscore.
    const PREFIX: &'static str;
}

/// The kinds of ids.
pub mod kind {
    /// A proposal: `prp_…`.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum ProposalKind {}
    impl super::IdKind for ProposalKind {
        const PREFIX: &'static str = "prp";
    }

    /// A dispatch attempt: `att_…`.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum AttemptKind {}
    impl super::IdKind for AttemptKind {
        const PREFIX: &'static str = "att";
    }

    /// An answer that went wrong, so that a person can find the cause in the operator's log: `err_…`.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum IncidentKind {}
    impl super::IdKind for IncidentKind {
        const PREFIX: &'static str = "err";
    }
}

/// An id of kind `K`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id<K> {
    uuid: u128,
    kind: PhantomData<fn() -> K>,
}

/// The id of a proposal.
pub type ProposalId = Id<kind::ProposalKind>;
/// The id of a dispatch attempt.
pub type AttemptId = Id<kind::AttemptKind>;
/// The id of an internal error, shown instead of its cause.
pub type IncidentId = Id<kind::IncidentKind>;

/// The text is not an id of the expected kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an id of the form `{prefix}_` and 26 letters and digits")]
pub struct ParseIdError {
    prefix: &'static str,
}

impl<K: IdKind> Id<K> {
    /// A `UUIDv7` (RFC 9562 section 5.7) from milliseconds since the epoch and 80 random bits, of which 74 are used.
    pub fn from_parts(millis: u64, random: [u8; 10]) -> Self {
        let mut tail = [0_u8; 16];
        tail[6..].copy_from_slice(&random);
        let random = u128::from_be_bytes(tail);
        let time = (u128::from(millis) & 0xffff_ffff_ffff) << 80;
        let keep = !(0xf000_u128 << 64) & !(0xc000_u128 << 48);
        Self { uuid: time | (random & keep) | (0x7000_u128 << 64) | (0x8000_u128 << 48), kind: PhantomData }
    }

    /// The smallest id of this millisecond since the epoch: what sorts before it was made earlier.
    pub fn first_of(millis: u64) -> Self {
        Self::from_parts(millis, [0; 10])
    }

    /// When it was made, in milliseconds since the epoch.
    pub fn millis(self) -> u64 {
        u64::try_from(self.uuid >> 80).unwrap_or(u64::MAX)
    }

    /// The regular expression of exactly the texts that are ids of this kind.
    pub fn pattern() -> String {
        format!("^{}_[0-7][0-9abcdefghjkmnpqrstvwxyz]{{25}}$", K::PREFIX)
    }
}

impl<K: IdKind> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0_u8; TEXT_LENGTH];
        let mut rest = self.uuid;
        for slot in text.iter_mut().rev() {
            let index = usize::try_from(rest & 31).unwrap_or(0);
            *slot = ALPHABET.get(index).copied().unwrap_or(b'0');
            rest >>= 5;
        }
        write!(f, "{}_{}", K::PREFIX, String::from_utf8_lossy(&text))
    }
}

impl<K: IdKind> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<K: IdKind> FromStr for Id<K> {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let error = ParseIdError { prefix: K::PREFIX };
        let rest =
            text.strip_prefix(K::PREFIX).and_then(|r| r.strip_prefix('_')).ok_or_else(|| error.clone())?;
        // The first character holds three bits: 26 * 5 is two more than 128.
        if rest.len() != TEXT_LENGTH || !matches!(rest.as_bytes().first(), Some(b'0'..=b'7')) {
            return Err(error);
        }
        let mut uuid = 0_u128;
        for byte in rest.bytes() {
            let value = ALPHABET.iter().position(|c| *c == byte).ok_or_else(|| error.clone())?;
            uuid = (uuid << 5) | u128::try_from(value).map_err(|_| error.clone())?;
        }
        Ok(Self { uuid, kind: PhantomData })
    }
}

impl<K: IdKind> JsonSchema for Id<K> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Id_{}", K::PREFIX).into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": Self::pattern() })
    }
}

impl<K: IdKind> Serialize for Id<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de, K: IdKind> Deserialize<'de> for Id<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_id_of_another_kind_is_refused() {
        let id = AttemptId::from_parts(1_763_900_000_000, [7; 10]);
        assert!(id.to_string().parse::<ProposalId>().is_err());
    }

    #[test]
    fn the_pattern_fits_exactly_what_is_read() {
        let pattern = regex::Regex::new(&ProposalId::pattern()).unwrap();
        let tail = "0".repeat(25);
        for first in '0'..='z' {
            for text in [format!("prp_{first}{tail}"), format!("prp_{tail}{first}")] {
                assert_eq!(pattern.is_match(&text), text.parse::<ProposalId>().is_ok(), "{text}");
            }
        }
    }

    #[test]
    fn text_that_is_not_an_id_is_refused() {
        for text in
            ["", "prp_", "prp_zzzzzzzzzzzzzzzzzzzzzzzzzz", "prp_01JD9", "PRP_00000000000000000000000000"]
        {
            assert!(text.parse::<ProposalId>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn an_id_survives_its_text_and_sorts_by_time(a in 0_u64..1 << 47, b in 0_u64..1 << 47, r: [u8; 10]) {
            let (first, second) = (ProposalId::from_parts(a, r), ProposalId::from_parts(b, r));
            prop_assert_eq!(first.to_string().parse::<ProposalId>(), Ok(first));
            prop_assert_eq!(a.cmp(&b), first.to_string().cmp(&second.to_string()));
            prop_assert_eq!(first.millis(), a);
            prop_assert!(ProposalId::first_of(a) <= first && ProposalId::first_of(a.saturating_add(1)) > first);
        }
    }
}
