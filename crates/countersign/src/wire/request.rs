//! The bodies of requests. Unknown members are refused (T14).

use countersign_core::digest::Digest;
use countersign_core::limits;
use countersign_core::proposal::Evidence;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A proposed action.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProposeBody {
    /// For example `crm.add_note_to_customer`.
    pub(crate) action: String,
    /// Fits the action's schema.
    #[serde(default = "empty")]
    #[schemars(with = "Map<String, Value>")]
    pub(crate) input: Value,
    /// The person the agent acts for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) on_behalf_of: Option<String>,
    /// The agent's own words, at most 2000 bytes of UTF-8; shown apart from the card.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::REASON_BYTES_MAX))]
    pub(crate) reason: Option<String>,
    /// An opaque label of the agent's run, at most 255 bytes of UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::LABEL_BYTES_MAX))]
    pub(crate) run: Option<String>,
    /// What shows why, at most 16 pieces.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = limits::EVIDENCE_ITEMS_MAX))]
    pub(crate) evidence: Vec<Evidence>,
    /// Decide and preview only.
    #[serde(default)]
    pub(crate) dry_run: bool,
}

fn empty() -> Value {
    Value::Object(Map::new())
}

/// A person's decision, with the digests of what was shown.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct VerdictBody {
    /// The intent digest on the card.
    pub(crate) intent: Digest,
    /// The decision digest on the card.
    pub(crate) decision: Digest,
    /// The digest of the whole card.
    pub(crate) view: Digest,
    /// Why, for the agent to read; at most 2000 bytes of UTF-8.
    #[serde(default)]
    #[schemars(length(max = limits::COMMENT_BYTES_MAX))]
    pub(crate) comment: String,
}

/// A person's word that a proposal is for them.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConfirmBody {
    /// The intent digest that was shown.
    pub(crate) intent: Digest,
}

/// A one-time link.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignInBody {
    /// Its token, `csl_…`.
    pub(crate) link: String,
}
