//! What the gate says of itself to clients of OAuth.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Metadata of a protected resource (RFC 9728 section 2).
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ProtectedResource {
    /// This gate: what a token must carry as its only audience.
    pub(crate) resource: String,
    /// The issuers that give out tokens for it.
    pub(crate) authorization_servers: Vec<String>,
    /// How a token is presented: in the `Authorization` header.
    pub(crate) bearer_methods_supported: Vec<String>,
    /// For people.
    pub(crate) resource_name: String,
}
