//! What people see before they decide: the record now, the record afterwards, the difference, and how
//! faithful that is.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::action::{Action, Before, Rendering};
use crate::time::Timestamp;

/// How a preview was made. Always shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Fidelity {
    /// The upstream itself computed it.
    Exact,
    /// The gate read the record and applied the change.
    Computed,
    /// Only the manifest's sentences.
    Declared,
    /// Nothing is known.
    None,
}

impl Fidelity {
    /// The name used in policies, the API and on the card.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Computed => "computed",
            Self::Declared => "declared",
            Self::None => "none",
        }
    }
}

/// How a proposal uses the record that its action reads first, as far as its agent is concerned.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RecordUse {
    /// The agent sees nothing that depends on it.
    #[default]
    Withheld,
    /// The manifest says `agent = "effects"`.
    Shared,
    /// The action reads no record.
    Unused,
}

/// What of a proposal its agent may see. The default is nothing that could depend on a record.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Disclosure {
    /// Whether a record is read, and whether the agent may see what depends on it.
    pub record: RecordUse,
    /// The sentences over the input alone.
    pub effects: Vec<String>,
    /// The resource's id depends on the input alone.
    pub resource: bool,
    /// The call depends on the input alone.
    pub call: bool,
}

/// The difference that people see. Not hashed as such: it is a pure function of what is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Preview {
    /// How it was made.
    pub fidelity: Fidelity,
    /// When the record was read, or when this was computed.
    pub at: Timestamp,
    /// Where `before` came from, e.g. `GET https://api.stripe.com/v1/charges/ch_1`.
    pub source: Option<String>,
    /// The record as it was read, with what the manifest redacts removed.
    pub before: Option<Value>,
    /// The record as it would be.
    pub after: Option<Value>,
    /// RFC 6902 operations from `before` to `after`.
    #[schemars(with = "Vec<Map<String, Value>>")]
    pub patch: Vec<Value>,
    /// What of the proposal its agent may see.
    #[serde(default)]
    pub disclosure: Disclosure,
}

impl Preview {
    /// Builds the preview of one action from what was read and what the manifest computed.
    pub fn new(action: &Action, rendering: &Rendering, before: Option<&Before>, at: Timestamp) -> Self {
        let hide = |value: &Value| action.redact(value);
        let (shown_before, shown_after) = (before.map(|b| hide(&b.body)), rendering.after.as_ref().map(hide));
        let patch = match (&shown_before, &shown_after) {
            (Some(b), Some(a)) => difference(b, a),
            _ => Vec::new(),
        };
        let fidelity = match (&shown_before, &shown_after) {
            (Some(_), Some(_)) => Fidelity::Computed,
            _ if rendering.effects.is_empty() => Fidelity::None,
            _ => Fidelity::Declared,
        };
        Self {
            fidelity,
            at,
            source: before.map(|b| b.source.clone()),
            before: shown_before,
            after: shown_after,
            patch,
            disclosure: action.disclosure(rendering, before.is_some()),
        }
    }
}

/// One difference between the record and what it would be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Change<'a> {
    /// `add`, `remove`, `replace`, …
    pub op: &'a str,
    /// JSON pointer to the place.
    pub path: &'a str,
    /// What is there; none when nothing is.
    pub before: Option<&'a Value>,
    /// What would be there; none when nothing would.
    pub after: Option<&'a Value>,
}

impl Preview {
    /// The differences, in the order of the patch.
    pub fn changes(&self) -> impl Iterator<Item = Change<'_>> {
        self.patch.iter().filter_map(|operation| {
            let text = |name: &str| operation.get(name).and_then(Value::as_str);
            let path = text("path")?;
            let before = self.before.as_ref().and_then(|record| record.pointer(path));
            Some(Change { op: text("op")?, path, before, after: operation.get("value") })
        })
    }
}

/// RFC 6902 operations that turn `before` into `after`.
pub fn difference(before: &Value, after: &Value) -> Vec<Value> {
    match serde_json::to_value(json_patch::diff(before, after)) {
        Ok(Value::Array(operations)) => operations,
        _ => Vec::new(),
    }
}
