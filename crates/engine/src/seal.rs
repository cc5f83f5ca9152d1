//! Message authentication codes over what is stored, so that a writer of the database cannot make a record, an
//! approval or a session that the gate believes (HMAC-SHA-256, RFC 2104).
//!
//! A code covers its purpose, the log's origin, the key's id and every field with its length, so a code of one
//! thing never fits another. The key is a secret of its own; replicas share it. Old keys only verify.

use std::fmt;
use std::sync::Arc;

use countersign_core::digest::{Digest, domain};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

/// Bytes of a key.
pub const KEY_BYTES: usize = 32;
/// Bytes of a key's id.
const ID_BYTES: usize = 4;

/// What a code is for. A code for one purpose is none for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A stored proposal.
    Proposal,
    /// A stored proposal of version 1.
    ProposalV1,
    /// A person's session.
    Session,
    /// A token for the log.
    LogToken,
    /// A one-time sign-in link.
    Link,
    /// The row that says which rules are in force.
    ActiveRules,
}

impl Purpose {
    const fn name(self) -> &'static str {
        match self {
            Self::Proposal => "countersign/mac/proposal/v2",
            Self::ProposalV1 => "countersign/mac/proposal/v1",
            Self::Session => "countersign/mac/session/v1",
            Self::LogToken => "countersign/mac/log-token/v1",
            Self::Link => "countersign/mac/link/v1",
            Self::ActiveRules => "countersign/mac/active-rules/v1",
        }
    }
}

/// The key that seals, and older ones that only verify. Cheap to clone.
#[derive(Clone)]
pub struct SealKeys(Arc<SealInner>);

struct SealInner {
    origin: String,
    current: SealKey,
    old: Vec<SealKey>,
}

struct SealKey {
    id: [u8; ID_BYTES],
    secret: Zeroizing<[u8; KEY_BYTES]>,
}

impl SealKey {
    fn new(secret: Zeroizing<[u8; KEY_BYTES]>) -> Self {
        let digest = Digest::of(domain::SEAL_KEY, &*secret);
        let mut id = [0; ID_BYTES];
        id.copy_from_slice(digest.as_bytes().first_chunk::<ID_BYTES>().unwrap_or(&[0; ID_BYTES]));
        Self { id, secret }
    }
}

impl SealKeys {
    /// The keys of one log: `current` seals and verifies, `old` ones only verify.
    pub fn new(
        origin: &str,
        current: Zeroizing<[u8; KEY_BYTES]>,
        old: Vec<Zeroizing<[u8; KEY_BYTES]>>,
    ) -> Self {
        let old = old.into_iter().map(SealKey::new).collect();
        Self(Arc::new(SealInner { origin: origin.to_owned(), current: SealKey::new(current), old }))
    }

    /// The id of the key that seals, as text.
    pub fn current_id(&self) -> String {
        hex(&self.0.current.id)
    }

    /// The id of the key of a code, as text, when none of these keys has it.
    pub(crate) fn unknown_key(&self, sealed: &[u8]) -> Option<String> {
        let id = sealed.first_chunk::<ID_BYTES>()?;
        let known = std::iter::once(&self.0.current).chain(&self.0.old).any(|key| key.id == *id);
        (!known).then(|| hex(id))
    }

    /// The code of these fields: the key's id, then the HMAC.
    pub(crate) fn seal(&self, purpose: Purpose, fields: &[&[u8]]) -> Vec<u8> {
        let mut sealed = self.0.current.id.to_vec();
        if let Some(mac) = self.mac(&self.0.current, purpose, fields) {
            sealed.extend_from_slice(&mac.finalize().into_bytes());
        }
        sealed
    }

    /// Whether `sealed` is the code of exactly these fields under a key that is known. Compares in constant time.
    pub(crate) fn fits(&self, purpose: Purpose, fields: &[&[u8]], sealed: &[u8]) -> bool {
        let Some((id, code)) = sealed.split_first_chunk::<ID_BYTES>() else { return false };
        let key = std::iter::once(&self.0.current).chain(&self.0.old).find(|key| key.id == *id);
        let mac = key.and_then(|key| self.mac(key, purpose, fields));
        mac.is_some_and(|mac| mac.verify_slice(code).is_ok())
    }

    fn mac(&self, key: &SealKey, purpose: Purpose, fields: &[&[u8]]) -> Option<Hmac<Sha256>> {
        // A key of any length is accepted, so this never fails; were it to, nothing would fit.
        let mut mac = Hmac::<Sha256>::new_from_slice(&*key.secret).ok()?;
        for field in [purpose.name().as_bytes(), self.0.origin.as_bytes(), &key.id].iter().chain(fields) {
            mac.update(&u64::try_from(field.len()).unwrap_or(u64::MAX).to_be_bytes());
            mac.update(field);
        }
        Some(mac)
    }
}

fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

impl fmt::Debug for SealKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealKeys({})", self.current_id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(origin: &str, current: u8, old: &[u8]) -> SealKeys {
        let old = old.iter().map(|n| Zeroizing::new([*n; KEY_BYTES])).collect();
        SealKeys::new(origin, Zeroizing::new([current; KEY_BYTES]), old)
    }

    #[test]
    fn a_code_fits_its_own_fields_purpose_origin_and_key_and_nothing_else() {
        let ours = keys("gate.example", 1, &[]);
        let fields: [&[u8]; 2] = [b"ab", b"c"];
        let sealed = ours.seal(Purpose::Session, &fields);
        assert_eq!(sealed.len(), ID_BYTES + 32);
        assert!(ours.fits(Purpose::Session, &fields, &sealed));
        assert!(
            keys("gate.example", 2, &[1]).fits(Purpose::Session, &fields, &sealed),
            "an old key verifies"
        );
        assert!(!keys("gate.example", 2, &[]).fits(Purpose::Session, &fields, &sealed));
        assert_eq!(ours.unknown_key(&sealed), None);
        assert_eq!(keys("gate.example", 2, &[1]).unknown_key(&sealed), None);
        assert_eq!(keys("gate.example", 2, &[]).unknown_key(&sealed), Some(ours.current_id()));
        assert!(!keys("other.example", 1, &[]).fits(Purpose::Session, &fields, &sealed));
        assert!(!ours.fits(Purpose::Link, &fields, &sealed));
        assert!(!ours.fits(Purpose::Session, &[b"a", b"bc"], &sealed), "lengths are part of it");
        assert!(!ours.fits(Purpose::Session, &[b"ab", b"c", b""], &sealed));
        for at in 0..sealed.len() {
            let mut other = sealed.clone();
            other[at] ^= 1;
            assert!(!ours.fits(Purpose::Session, &fields, &other), "byte {at}");
        }
        assert!(!ours.fits(Purpose::Session, &fields, &sealed[..sealed.len() - 1]));
        assert!(!ours.fits(Purpose::Session, &fields, &[]));
    }

    #[test]
    fn the_code_is_the_documented_one() {
        // HMAC-SHA-256 by another implementation (Python's hmac) over the documented layout.
        let sealed = keys("gate.example", 1, &[]).seal(Purpose::Session, &[b"ab"]);
        assert_eq!(hex(&sealed), "5d187f0ccaf34a5881b61ed948dd28b43c8f517fb97154b58ba6834fa77dd463751e254d");
    }

    #[test]
    fn nothing_printed_shows_the_key() {
        let text = format!("{:?}", keys("gate.example", 0xab, &[]));
        assert!(!text.contains("abab"), "{text}");
    }
}
