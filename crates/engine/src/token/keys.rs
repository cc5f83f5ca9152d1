//! An issuer's public keys: a JWK set (RFC 7517) of which only what can verify a token is kept.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde::Deserialize;
use serde_json::Value;

use super::jws::{Algorithm, TokenError};

/// Keys of one issuer. Ordinary ones publish two or three.
const KEYS_MAX: usize = 100;

/// The keys of one issuer, by name.
#[derive(Debug, Clone, Default)]
pub struct KeySet(BTreeMap<String, Vec<VerifyingKey>>);

/// RFC 7517 section 5. A key that is not understood is left out, as the section says.
#[derive(Deserialize)]
struct JwkSet {
    keys: Vec<Value>,
}

/// RFC 7517 section 4, RFC 7518 section 6, RFC 8037 section 2.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: String,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
    /// The private part, which nobody publishes on purpose.
    d: Option<Value>,
}

#[derive(Debug, Clone)]
struct VerifyingKey {
    algorithm: Algorithm,
    material: Material,
}

#[derive(Debug, Clone)]
enum Material {
    Rsa {
        modulus: Vec<u8>,
        exponent: Vec<u8>,
    },
    /// A point of P-256, uncompressed (SEC 1 section 2.3.3).
    P256(Vec<u8>),
    Ed25519(Vec<u8>),
}

impl KeySet {
    /// Reads a JWK set. An error when it is none, or has no key that can verify a token.
    pub fn read(bytes: &[u8]) -> Result<Self, &'static str> {
        let set: JwkSet =
            serde_json::from_slice(bytes).map_err(|_| "the answer is not a JWK set of RFC 7517")?;
        if set.keys.len() > KEYS_MAX {
            return Err("the JWK set has more keys than an issuer may have");
        }
        let mut found: BTreeMap<String, Vec<VerifyingKey>> = BTreeMap::new();
        for value in set.keys {
            if let Some((id, key)) = serde_json::from_value(value).ok().and_then(VerifyingKey::of) {
                found.entry(id).or_default().push(key);
            }
        }
        if found.is_empty() { Err("the JWK set has no key that can verify a token") } else { Ok(Self(found)) }
    }

    /// Whether there is a key of this name.
    pub fn has(&self, id: &str) -> bool {
        self.0.contains_key(id)
    }

    /// Whether the key of this name made this signature. A name that several keys of one kind have is nobody's.
    pub(super) fn verify(
        &self,
        (id, algorithm): (Option<&str>, Algorithm),
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), TokenError> {
        let named = id.and_then(|id| self.0.get(id)).into_iter().flatten();
        let mut fitting = named.filter(|key| key.algorithm == algorithm);
        match (fitting.next(), fitting.next()) {
            (Some(key), None) => key.verify(message, signature),
            _ => Err(TokenError::UnknownKey),
        }
    }
}

impl VerifyingKey {
    /// The key and its name. None when it is not for verifying, or not of a kind that is known here.
    fn of(jwk: Jwk) -> Option<(String, Self)> {
        let verifies = jwk.usage.is_none_or(|usage| usage == "sig")
            && jwk.key_ops.is_none_or(|ops| ops.iter().any(|op| op == "verify"))
            && jwk.d.is_none();
        if !verifies || jwk.kid.is_empty() {
            return None;
        }
        let bytes = |text: Option<String>| URL_SAFE_NO_PAD.decode(text?).ok();
        let (algorithm, material) = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
            ("RSA", None) => {
                let (modulus, exponent) = (unsigned(bytes(jwk.n)?), unsigned(bytes(jwk.e)?));
                (Algorithm::Rs256, Material::Rsa { modulus, exponent })
            }
            ("EC", Some("P-256")) => {
                let (x, y) = (bytes(jwk.x)?, bytes(jwk.y)?);
                // RFC 7518 section 6.2.1.2: each coordinate has the whole length of the field.
                let whole = x.len() == 32 && y.len() == 32;
                (Algorithm::Es256, Material::P256(whole.then(|| [&[4], &x[..], &y[..]].concat())?))
            }
            ("OKP", Some("Ed25519")) => {
                (Algorithm::EdDsa, Material::Ed25519(bytes(jwk.x).filter(|x| x.len() == 32)?))
            }
            _ => return None,
        };
        // A key that its issuer keeps for one algorithm is good for no other.
        let kept = jwk.alg.is_none_or(|alg| alg == algorithm.name());
        kept.then_some((jwk.kid, Self { algorithm, material }))
    }

    fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), TokenError> {
        let holds = match &self.material {
            Material::Rsa { modulus, exponent } => RsaPublicKeyComponents { n: modulus, e: exponent }.verify(
                &RSA_PKCS1_2048_8192_SHA256,
                message,
                signature,
            ),
            Material::P256(point) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature)
            }
            Material::Ed25519(point) => UnparsedPublicKey::new(&ED25519, point).verify(message, signature),
        };
        holds.map_err(|_| TokenError::Signature)
    }
}

/// A number without leading zeros, which some issuers write although RFC 7518 section 2 forbids it.
fn unsigned(bytes: Vec<u8>) -> Vec<u8> {
    bytes.into_iter().skip_while(|byte| *byte == 0).collect()
}
