//! A JSON Web Signature in its compact form (RFC 7515 section 7.1): three parts, read strictly, nothing believed yet.
//!
//! Header and payload go through the strict reader, so no member stands there twice (RFC 7515 section 4). What a header
//! says about where a key could be had (`jku`, `jwk`, `x5u`, `x5c`) is never looked at.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_core::json;
use serde_json::{Map, Value};

/// Bytes of a token. One of ordinary issuers has one or two kilobytes; lists of groups make it larger.
pub(super) const TOKEN_BYTES_MAX: usize = 16 * 1024;
/// Bytes of a key's name.
const KEY_ID_BYTES_MAX: usize = 255;

/// How a token may be signed. There is no symmetric algorithm and no `none`, so no key of an issuer can be taken for a
/// shared secret (RFC 8725 section 2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256, keys of 2 048 bits or more (RFC 7518 section 3.3).
    Rs256,
    /// ECDSA on P-256 with SHA-256 (RFC 7518 section 3.4).
    Es256,
    /// Ed25519 (RFC 8037 section 3.1).
    EdDsa,
}

impl Algorithm {
    /// Every one there is.
    pub const ALL: [Self; 3] = [Self::Rs256, Self::Es256, Self::EdDsa];

    /// Its name in `alg` and in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }

    /// The one of this name, with exactly its letters.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }
}

/// Why a token is not accepted. Says nothing of what stands in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// More bytes than a token may have.
    #[error("it is longer than {TOKEN_BYTES_MAX} bytes")]
    TooLong,
    /// Not three parts of base64url with JSON objects in the first two.
    #[error("it is not a signed JWT in compact form")]
    Malformed,
    /// `typ` is neither `at+jwt` (RFC 9068) nor `JWT`.
    #[error("its header does not say that it is a JWT")]
    Type,
    /// `crit` is there: the signer demands what this verifier does not do.
    #[error("its header has critical extensions")]
    Critical,
    /// `alg` is not in the list.
    #[error("it is not signed with an algorithm that this gate accepts")]
    Algorithm,
    /// `kid` is missing, or the issuer has no such key for this algorithm.
    #[error("it is not signed with a key that its issuer publishes")]
    UnknownKey,
    /// The signature does not hold.
    #[error("its signature does not hold")]
    Signature,
    /// `iss` is not one that is configured.
    #[error("its issuer is not one that this gate trusts")]
    Issuer,
    /// `aud` is not this gate, and this gate alone.
    #[error("it is not for this gate alone")]
    Audience,
    /// A claim is missing or has another type than the standard says.
    #[error("its claim `{0}` is missing or malformed")]
    Claim(&'static str),
    /// `exp` has come.
    #[error("it has expired")]
    Expired,
    /// `nbf` or `iat` is still to come.
    #[error("it is not valid yet")]
    NotYetValid,
    /// From `iat` to `exp` is longer than a token may live.
    #[error("it lives longer than this gate accepts")]
    LivesTooLong,
    /// What was expected of it when it was checked is no longer what is expected.
    #[error("the settings of its issuer have changed; present it again")]
    Changed,
    /// It is sound, and whom it names is no agent here.
    #[error("it names no agent of this gate")]
    NoAgent,
}

/// A token that was read and not believed.
#[derive(Clone)]
pub struct SignedToken<'a> {
    /// What is signed: both parts as they came.
    pub(super) signed: &'a [u8],
    pub(super) header: Map<String, Value>,
    pub(super) payload: Map<String, Value>,
    pub(super) signature: Vec<u8>,
}

impl std::fmt::Debug for SignedToken<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SignedToken(..)")
    }
}

impl<'a> SignedToken<'a> {
    /// Whether a text has the shape of one: three parts.
    pub fn is_one(text: &str) -> bool {
        text.bytes().filter(|byte| *byte == b'.').count() == 2
    }

    /// Reads the three parts.
    pub fn read(text: &'a str) -> Result<Self, TokenError> {
        if text.len() > TOKEN_BYTES_MAX {
            return Err(TokenError::TooLong);
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(TokenError::Malformed)?;
        Ok(Self {
            signed: signed.as_bytes(),
            header: object(header)?,
            payload: object(payload)?,
            signature: decode(signature)?,
        })
    }

    /// The issuer that it claims, by which its keys are found.
    pub fn claimed_issuer(&self) -> Option<&str> {
        self.payload.get("iss").and_then(Value::as_str)
    }

    /// The name of the key that it claims.
    pub fn key_id(&self) -> Option<&str> {
        let id = self.header.get("kid").and_then(Value::as_str);
        id.filter(|id| !id.is_empty() && id.len() <= KEY_ID_BYTES_MAX)
    }

    /// The algorithm of its header, if the header asks for nothing that is not done here.
    pub(super) fn algorithm(&self, accepted: &[Algorithm]) -> Result<Algorithm, TokenError> {
        if self.header.contains_key("crit") {
            return Err(TokenError::Critical);
        }
        // RFC 7515 section 4.1.9: `application/` may be left out, and letters have no case.
        let kind = self.header.get("typ").and_then(Value::as_str).unwrap_or_default().to_ascii_lowercase();
        if !matches!(kind.strip_prefix("application/").unwrap_or(&kind), "at+jwt" | "jwt") {
            return Err(TokenError::Type);
        }
        let name = self.header.get("alg").and_then(Value::as_str).unwrap_or_default();
        Algorithm::of_name(name).filter(|found| accepted.contains(found)).ok_or(TokenError::Algorithm)
    }
}

/// Base64url without padding, in its one spelling.
fn decode(part: &str) -> Result<Vec<u8>, TokenError> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenError::Malformed)
}

fn object(part: &str) -> Result<Map<String, Value>, TokenError> {
    match json::read(&decode(part)?) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) | Err(_) => Err(TokenError::Malformed),
    }
}
