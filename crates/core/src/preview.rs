//! What people see before they decide: the record now, the record afterwards, the difference, and how
//! faithful that is.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::action::{Action, Before, MoneyField, Rendering};
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
    /// Which fields of the record are amounts of money.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub money: Vec<MoneyField>,
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
            money: action.money_fields().to_vec(),
            disclosure: action.disclosure(rendering, before.is_some()),
        }
    }
}

impl Preview {
    /// The value at a place of the record, before or after, as money: `12,500.00 USD`. None when the manifest does not
    /// say that it is money.
    pub fn money_at(&self, pointer: &str, record: &Value) -> Option<String> {
        let field = self.money.iter().find(|field| field.amount == pointer)?;
        field.shown(record.pointer(pointer)?, record)
    }
}

/// RFC 6902 operations that turn `before` into `after`.
pub fn difference(before: &Value, after: &Value) -> Vec<Value> {
    match serde_json::to_value(json_patch::diff(before, after)) {
        Ok(Value::Array(operations)) => operations,
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::action::MoneyUnit;

    #[test]
    fn what_the_manifest_calls_money_reads_as_money() {
        let field = |amount: &str, unit| MoneyField {
            amount: amount.to_owned(),
            currency: "/currency".to_owned(),
            unit,
        };
        let preview = Preview {
            fidelity: Fidelity::Computed,
            at: Timestamp::from_micros(0),
            source: None,
            before: None,
            after: None,
            patch: Vec::new(),
            money: vec![field("/cents", MoneyUnit::Minor), field("/total", MoneyUnit::Major)],
            disclosure: Disclosure::default(),
        };
        let record = json!({ "cents": 1_250_000, "total": "980000", "other": 5, "currency": "usd" });
        let table = [
            ("/cents", record.clone(), Some("12,500.00 USD")),
            ("/total", record.clone(), Some("980,000.00 USD")),
            ("/other", record.clone(), None),
            ("/cents", json!({ "cents": 5000, "currency": "jpy" }), Some("5,000 JPY")),
            ("/cents", json!({ "cents": 12.5, "currency": "usd" }), None),
            ("/cents", json!({ "cents": 5, "currency": "points" }), None),
            ("/cents", json!({ "cents": 5 }), None),
            ("/total", json!({ "total": "a lot", "currency": "usd" }), None),
            ("/total", json!({ "total": 5, "currency": "points" }), None),
        ];
        for (pointer, record, expect) in table {
            assert_eq!(preview.money_at(pointer, &record).as_deref(), expect, "{pointer} of {record}");
        }
    }
}
