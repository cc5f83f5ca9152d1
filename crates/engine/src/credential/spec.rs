//! What the operator says of a credential: values and their check, no secret.

use std::path::PathBuf;

use countersign_core::header;
use reqwest::header::HeaderName;
use url::Url;

use crate::net::is_confidential;

/// What a credential may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// Preview reads and actions of class `read`.
    Read,
    /// Everything else.
    Write,
}

impl Use {
    /// `read` or `write`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }
}

/// Where a secret comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// An environment variable.
    Env {
        /// Its name.
        var: String,
    },
    /// A file that only its owner may read.
    File {
        /// Its path.
        path: PathBuf,
    },
    /// OAuth 2.0 client credentials (RFC 6749 section 4.4).
    OAuth {
        /// Token endpoint: https, or http on loopback.
        token_url: String,
        /// Client id.
        client_id: String,
        /// Where the client secret comes from: [`Kind::Env`] or [`Kind::File`].
        client_secret: Box<Kind>,
        /// Scopes to ask for.
        scopes: Vec<String>,
        /// RFC 8707 resource, if the server wants one.
        resource: Option<String>,
    },
}

/// How the secret is put on a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Placement {
    /// `Authorization: Bearer …`
    Bearer,
    /// `Authorization: Basic base64(secret:)`: the secret as the user name, as Stripe wants it.
    Basic,
    /// A header of this name.
    Header(String),
}

/// One credential of `countersign.toml`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialSpec {
    /// The only origin it is ever sent to: `https://api.stripe.com`.
    pub origin: String,
    /// What it may be used for.
    pub usage: Use,
    /// Where it comes from.
    pub kind: Kind,
    /// Where it goes.
    pub placement: Placement,
}

/// The secret could not be resolved. Never says anything of the secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("credential `{name}`: {detail}")]
pub struct CredentialError {
    /// Which one.
    pub name: String,
    /// Why.
    pub detail: String,
}

impl CredentialSpec {
    /// Checks everything that can be checked without reading the secret.
    pub fn check(&self, name: &str) -> Result<(), CredentialError> {
        self.find_fault().map_or(Ok(()), |detail| Err(CredentialError { name: name.to_owned(), detail }))
    }

    fn find_fault(&self) -> Option<String> {
        if let Err(detail) = origin_of(&self.origin) {
            return Some(detail);
        }
        if let Placement::Header(header) = &self.placement
            && let Err(detail) = header_name(header)
        {
            return Some(detail);
        }
        let Kind::OAuth { token_url, client_secret, scopes, .. } = &self.kind else { return None };
        if matches!(**client_secret, Kind::OAuth { .. }) {
            return Some("a client secret comes from `env:` or `file:`".into());
        }
        // RFC 6749 section 3.3: a scope token is visible ASCII without `"` and `\`.
        let is_scope =
            |s: &String| !s.is_empty() && s.bytes().all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\');
        if let Some(scope) = scopes.iter().find(|s| !is_scope(s)) {
            return Some(format!("`{}` is not an OAuth scope", scope.escape_debug()));
        }
        token_endpoint(token_url).err()
    }
}

/// The header's name in lower case, if a secret may go there.
pub(super) fn header_name(name: &str) -> Result<HeaderName, String> {
    HeaderName::from_bytes(name.as_bytes())
        .ok()
        .filter(|header| header::may_carry_secret(header.as_str()))
        .ok_or_else(|| format!("`{}` is not a header that can carry a secret", name.escape_debug()))
}

/// The origin in its one spelling. Refuses anything that is more than an origin.
pub(super) fn origin_of(text: &str) -> Result<String, String> {
    let wrong = || format!("origin `{}` must look like `https://api.example.com`", text.escape_debug());
    let url = Url::parse(text).map_err(|_| wrong())?;
    let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none() && !has_user(&url);
    if !bare || !matches!(url.scheme(), "https" | "http") || url.host().is_none() {
        return Err(wrong());
    }
    Ok(url.origin().ascii_serialization())
}

/// A token endpoint, to which the client secret goes: TLS, unless it never leaves this machine.
pub(super) fn token_endpoint(text: &str) -> Result<Url, String> {
    let wrong = |why| format!("token endpoint `{}` {why}", text.escape_debug());
    let url = Url::parse(text).map_err(|_| wrong("is not a URL"))?;
    if has_user(&url) || url.fragment().is_some() {
        return Err(wrong("must hold neither a user nor a fragment"));
    }
    if is_confidential(&url) { Ok(url) } else { Err(wrong("must use https")) }
}

fn has_user(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}
