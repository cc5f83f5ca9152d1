//! One secret, alive for one call.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use url::Url;
use zeroize::Zeroizing;

use super::scrub::Scrubber;
use super::spec::{self, CredentialSpec, Placement, Use};

/// Longer than any token; servers refuse longer headers anyway.
const VALUE_BYTES_MAX: usize = 16 * 1024;

/// A secret, alive for one call. It can be put on a request to its own origin and looked for in an answer;
/// it cannot be shown, cloned or written anywhere (T81).
///
/// ```compile_fail,E0599
/// fn copy(secret: countersign_engine::credential::Secret) { let _ = secret.clone(); }
/// ```
/// ```compile_fail,E0599
/// fn show(secret: countersign_engine::credential::Secret) { let _ = secret.to_string(); }
/// ```
pub struct Secret {
    name: String,
    origin: String,
    usage: Use,
    placement: Placement,
    value: Zeroizing<String>,
}

/// Why a secret was not put on a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Misplaced {
    /// The request goes to another origin (T89).
    Origin,
    /// The request already has that header, or it cannot be built.
    Header,
}

impl Secret {
    pub(super) fn new(name: &str, origin: String, spec: &CredentialSpec, value: Zeroizing<String>) -> Self {
        let (name, placement) = (name.to_owned(), spec.placement.clone());
        Self { name, origin, usage: spec.usage, placement, value }
    }

    /// The credential's name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// What it may be used for.
    pub(crate) fn usage(&self) -> Use {
        self.usage
    }

    /// Puts it on a request.
    ///
    /// INVARIANT I7: the only way out, and it leads to the registered origin only.
    pub(crate) fn apply(&self, url: &Url, headers: &mut HeaderMap) -> Result<(), Misplaced> {
        if url.origin().ascii_serialization() != self.origin {
            return Err(Misplaced::Origin);
        }
        let (name, text) = self.header()?;
        let mut value = HeaderValue::from_str(&text).map_err(|_| Misplaced::Header)?;
        value.set_sensitive(true);
        if headers.contains_key(&name) {
            return Err(Misplaced::Header);
        }
        headers.insert(name, value);
        Ok(())
    }

    fn header(&self) -> Result<(HeaderName, Zeroizing<String>), Misplaced> {
        let value = self.value.as_str();
        Ok(match &self.placement {
            Placement::Bearer => (AUTHORIZATION, Zeroizing::new(format!("Bearer {value}"))),
            Placement::Basic => (AUTHORIZATION, basic(value, "")),
            Placement::Header(name) => {
                (spec::header_name(name).map_err(|_| Misplaced::Header)?, self.value.clone())
            }
        })
    }

    /// Finds and removes it in what an upstream sent (T82).
    pub(crate) fn scrubber(&self) -> Scrubber {
        Scrubber::new(&self.value)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// `Basic base64(user:password)`, RFC 7617.
pub(super) fn basic(user: &str, password: &str) -> Zeroizing<String> {
    let pair = Zeroizing::new(format!("{user}:{password}"));
    let encoded = Zeroizing::new(STANDARD.encode(pair.as_bytes()));
    Zeroizing::new(format!("Basic {}", encoded.as_str()))
}

/// A secret must be able to stand in a header as it is; anything else is a damaged or wrong one.
pub(super) fn check_value(value: &str) -> Result<(), String> {
    if value.is_empty() {
        return Err("the secret is empty".into());
    }
    if value.len() > VALUE_BYTES_MAX {
        return Err(format!("the secret is longer than {VALUE_BYTES_MAX} bytes"));
    }
    if !value.bytes().all(|b| b.is_ascii_graphic()) {
        return Err("the secret holds a space, a line break or a character outside ASCII".into());
    }
    Ok(())
}
