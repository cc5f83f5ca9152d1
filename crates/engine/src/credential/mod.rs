//! stub
use std::collections::BTreeMap;

use crate::connector::NetworkPolicy;
use crate::grant::{Grant, Look};

/// A secret, alive for one call.
pub struct Secret {}
impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// What a credential may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// Preview reads and actions of class `read`.
    Read,
    /// Everything else.
    Write,
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
        path: std::path::PathBuf,
    },
    /// OAuth 2.0 client credentials (RFC 6749 section 4.4).
    OAuth {
        /// Token endpoint.
        token_url: String,
        /// Client id.
        client_id: String,
        /// Where the client secret comes from: `env:NAME` or `file:PATH`.
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

/// All credentials by name.
#[derive(Debug, Clone)]
pub struct Credentials {}

impl Credentials {
    /// From configuration.
    pub fn new(_specs: BTreeMap<String, CredentialSpec>, _networks: NetworkPolicy) -> Self {
        todo!()
    }
    /// For the call of a recorded dispatch. None when the call names no credential.
    pub async fn for_grant(&self, _grant: &Grant) -> Result<Option<Secret>, CredentialError> {
        todo!()
    }
    /// For a preview read. A write credential is refused.
    pub async fn for_look(&self, _look: &Look) -> Result<Option<Secret>, CredentialError> {
        todo!()
    }
}
