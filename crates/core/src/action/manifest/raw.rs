//! The shape of a manifest. `IgnoredAny` stands where the value is read from the JSON form of the table, and
//! where a section is recognised only to say that it is not supported yet.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::action::render::Encoding;
use crate::action::types::{Group, Method, MoneyUnit};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSystem {
    pub(super) name: String,
    pub(super) base_url: String,
    #[serde(default)]
    pub(super) credential: RawCredential,
    pub(super) env: String,
    pub(super) owner: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawCredential {
    pub(super) read: Option<String>,
    pub(super) write: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawAction {
    pub(super) title: String,
    pub(super) description: String,
    pub(super) tool: Option<String>,
    #[serde(default)]
    pub(super) groups: BTreeSet<Group>,
    pub(super) reversible: Option<toml::Value>,
    pub(super) input: Option<IgnoredAny>,
    pub(super) schema: Option<IgnoredAny>,
    pub(super) resource: RawResource,
    pub(super) preview: Option<RawPreview>,
    pub(super) risk: Option<RawRisk>,
    pub(super) request: RawRequest,
    pub(super) effect: Option<RawEffect>,
    pub(super) undo: Option<RawUndo>,
    pub(super) limits: Option<RawLimits>,
    pub(super) redact: Option<RawRedact>,
    #[serde(rename = "output")]
    _output: Option<IgnoredAny>,
    pub(super) reconcile: Option<IgnoredAny>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawResource {
    #[serde(rename = "type")]
    pub(super) kind: String,
    #[serde(rename = "id")]
    _id: IgnoredAny,
    pub(super) parents: Option<IgnoredAny>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPreview {
    pub(super) read: Option<RawRead>,
    pub(super) bind: Option<String>,
    #[serde(default)]
    pub(super) watch: Vec<String>,
    #[serde(default, rename = "let")]
    pub(super) lets: toml::Table,
    pub(super) after: Option<IgnoredAny>,
    #[serde(default)]
    pub(super) effects: Vec<String>,
    pub(super) agent: Option<String>,
    #[serde(default)]
    pub(super) optional: Vec<String>,
    #[serde(default)]
    pub(super) fields: BTreeMap<String, RawField>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawField {
    pub(super) format: String,
    pub(super) currency: Option<String>,
    #[serde(default)]
    pub(super) unit: MoneyUnit,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRead {
    #[serde(default = "get")]
    pub(super) method: Method,
    pub(super) path: String,
    #[serde(default)]
    pub(super) query: BTreeMap<String, String>,
}

const fn get() -> Method {
    Method::Get
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRisk {
    pub(super) amount: Option<IgnoredAny>,
    #[serde(rename = "currency")]
    _currency: Option<IgnoredAny>,
    #[serde(rename = "count")]
    _count: Option<IgnoredAny>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRequest {
    pub(super) method: Method,
    pub(super) path: String,
    #[serde(default)]
    pub(super) query: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) headers: BTreeMap<String, String>,
    pub(super) encoding: Option<Encoding>,
    pub(super) body: Option<IgnoredAny>,
    pub(super) ok: Option<BTreeSet<u16>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawEffect {
    pub(super) class: String,
    pub(super) header: Option<String>,
    pub(super) window: Option<IgnoredAny>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawUndo {
    pub(super) kind: String,
    pub(super) why: Option<String>,
    pub(super) action: Option<IgnoredAny>,
    pub(super) input: Option<IgnoredAny>,
    pub(super) request: Option<IgnoredAny>,
    pub(super) window: Option<IgnoredAny>,
    pub(super) only_if: Option<IgnoredAny>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLimits {
    pub(super) timeout: Option<String>,
    pub(super) budgets: Option<IgnoredAny>,
    pub(super) max_targets: Option<IgnoredAny>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRedact {
    #[serde(default)]
    pub(super) approver: Vec<String>,
    pub(super) audit: Option<IgnoredAny>,
}
