//! stub
use countersign_core::action::Before;
use countersign_core::outcome::Outcome;

use crate::credential::Secret;
use crate::grant::{Grant, Look};

/// Which addresses may be called.
#[derive(Debug, Clone, Default)]
pub struct NetworkPolicy {
    /// Networks that are allowed although they are loopback, private or otherwise special: `127.0.0.1/32`.
    pub allow: Vec<ipnet::IpNet>,
    /// The gate's own listeners: never a target, whatever is allowed (T22).
    pub own: Vec<std::net::SocketAddr>,
}

/// A preview read that brought nothing back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct LookError {
    /// Without the upstream's body.
    pub detail: String,
}

/// Calls HTTP upstreams.
#[derive(Debug, Clone)]
pub struct HttpConnector {}

impl HttpConnector {
    /// With these networks.
    pub fn new(_networks: NetworkPolicy) -> Self {
        todo!()
    }
    /// Makes the call of a grant, once. Everything unclear is `unknown`.
    pub async fn call(&self, _grant: &Grant, _secret: Option<&Secret>) -> Outcome {
        todo!()
    }
    /// Reads a record for a preview.
    pub async fn look(&self, _look: &Look, _secret: Option<&Secret>) -> Result<Before, LookError> {
        todo!()
    }
}

/// Installs the TLS provider of this process, once.
pub fn install_tls_provider() {
    todo!()
}
