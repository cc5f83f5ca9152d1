//! What a token must say to be good here: RFC 9068 section 4, RFC 8725, and an audience that is this gate alone.

use std::time::Duration;

use countersign_core::time::Timestamp;
use serde_json::{Map, Value};

use super::jws::{Algorithm, SignedToken, TokenError};
use super::keys::KeySet;

/// How far the clock of an issuer may be ahead of ours. It gives no token a longer life: `exp` has none.
const LEEWAY: Duration = Duration::from_mins(1);
/// The longest that a token may live, so that one that was stolen is not good for long.
const LIFE_MAX: Duration = Duration::from_hours(24);

/// What is expected of a token.
#[derive(Debug, Clone, Copy)]
pub struct Expectations<'a> {
    /// The only `iss`, letter for letter.
    pub issuer: &'a str,
    /// The only `aud`, letter for letter.
    pub audience: &'a str,
    /// How it may be signed.
    pub algorithms: &'a [Algorithm],
}

/// What a good token says.
#[derive(Clone)]
pub struct Claims {
    /// When it stops being good.
    pub expires: Timestamp,
    members: Map<String, Value>,
}

impl std::fmt::Debug for Claims {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Claims").field("expires", &self.expires).finish_non_exhaustive()
    }
}

impl Claims {
    /// A claim that is a text with something in it.
    pub fn text(&self, claim: &str) -> Option<&str> {
        self.members.get(claim).and_then(Value::as_str).filter(|text| !text.is_empty())
    }
}

/// Believes a token, or says why not. Signature first: nothing that is not signed is looked at.
pub fn verify(
    token: SignedToken<'_>,
    keys: &KeySet,
    expected: &Expectations<'_>,
    now: Timestamp,
) -> Result<Claims, TokenError> {
    let algorithm = token.algorithm(expected.algorithms)?;
    keys.verify((token.key_id(), algorithm), token.signed, &token.signature)?;
    let members = token.payload;
    if members.get("iss").and_then(Value::as_str) != Some(expected.issuer) {
        return Err(TokenError::Issuer);
    }
    if !is_alone(members.get("aud"), expected.audience) {
        return Err(TokenError::Audience);
    }
    let expires = lives(&members, now)?;
    Ok(Claims { expires, members })
}

/// Whether the audience is this one and no other: whoever else a token is for could present it here (T37).
fn is_alone(audience: Option<&Value>, ours: &str) -> bool {
    match audience {
        Some(Value::String(one)) => one == ours,
        Some(Value::Array(several)) => matches!(several.as_slice(), [Value::String(one)] if one == ours),
        _ => false,
    }
}

/// When the token ends, if it has begun and lives no longer than it may.
fn lives(members: &Map<String, Value>, now: Timestamp) -> Result<Timestamp, TokenError> {
    let expires = time(members, "exp")?.ok_or(TokenError::Claim("exp"))?;
    let issued = time(members, "iat")?.ok_or(TokenError::Claim("iat"))?;
    let begins = time(members, "nbf")?.unwrap_or(issued);
    if now >= expires {
        return Err(TokenError::Expired);
    }
    if issued.max(begins) > now.plus(LEEWAY) {
        return Err(TokenError::NotYetValid);
    }
    if expires > issued.plus(LIFE_MAX) {
        return Err(TokenError::LivesTooLong);
    }
    Ok(expires)
}

/// A `NumericDate` (RFC 7519 section 2) in whole seconds.
fn time(members: &Map<String, Value>, claim: &'static str) -> Result<Option<Timestamp>, TokenError> {
    let Some(value) = members.get(claim) else { return Ok(None) };
    let micros = value.as_u64().and_then(|s| i64::try_from(s).ok()?.checked_mul(1_000_000));
    micros.map(|micros| Some(Timestamp::from_micros(micros))).ok_or(TokenError::Claim(claim))
}
