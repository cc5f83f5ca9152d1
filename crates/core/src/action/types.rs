//! The plain values that an action produces. All of them are stored with the proposal and shown to people.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::money;

/// The full name of an action: the system, a dot, the name in the manifest, e.g. `stripe.refund.create`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct ActionName(String);

impl ActionName {
    /// Joins a system's name and an action's name. The manifest loader has checked both.
    pub(crate) fn new(system: &str, action: &str) -> Self {
        Self(format!("{system}.{action}"))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::borrow::Borrow<str> for ActionName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ActionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Groups of actions by risk. Policies name them: `action in Action::"financial"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Group {
    /// Changes nothing.
    Read,
    /// Changes something.
    Write,
    /// Removes or overwrites something.
    Destructive,
    /// Moves money.
    Financial,
    /// Reaches somebody outside the organisation.
    External,
    /// Changes who may do what.
    Admin,
    /// Reads what should not spread.
    Sensitive,
}

impl Group {
    /// Every group.
    pub const ALL: [Self; 7] = [
        Self::Read,
        Self::Write,
        Self::Destructive,
        Self::Financial,
        Self::External,
        Self::Admin,
        Self::Sensitive,
    ];

    /// The name used in manifests and policies.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Destructive => "destructive",
            Self::Financial => "financial",
            Self::External => "external",
            Self::Admin => "admin",
            Self::Sensitive => "sensitive",
        }
    }
}

/// What the upstream does with a repeated call. Declared in the manifest, shown to approvers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EffectClass {
    /// No effect at all.
    Read,
    /// The upstream drops a repeat with the same key.
    Keyed,
    /// A precondition makes a second application fail.
    Conditional,
    /// Absolute and idempotent by nature, such as PUT.
    Natural,
    /// Nothing is known: never sent again.
    Opaque,
}

/// The HTTP method of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// GET.
    Get,
    /// HEAD.
    Head,
    /// POST.
    Post,
    /// PUT.
    Put,
    /// PATCH.
    Patch,
    /// DELETE.
    Delete,
}

impl Method {
    /// Upper-case name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }

    /// Safe in the sense of RFC 9110 section 9.2.1. A preview uses no other (T31).
    pub const fn is_safe(self) -> bool {
        match self {
            Self::Get | Self::Head => true,
            Self::Post | Self::Put | Self::Patch | Self::Delete => false,
        }
    }
}

/// The exact thing touched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Resource {
    /// Its type, e.g. `Charge`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its id in its system.
    pub id: String,
    /// The system, e.g. `stripe`.
    pub system: String,
}

impl Resource {
    /// `stripe Charge ch_…`, for people.
    pub fn to_text(&self) -> String {
        format!("{} {} {}", self.system, self.kind, self.id)
    }
}

/// The same typed values for every action. Policies should read these rather than the raw input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[expect(clippy::struct_excessive_bools, reason = "four independent values, each with its name in policies")]
#[serde(deny_unknown_fields)]
pub struct Risk {
    /// Whether anything changes.
    pub mutating: bool,
    /// Whether the manifest knows a way back.
    pub reversible: bool,
    /// In the group `external`.
    pub external: bool,
    /// In the group `financial`.
    pub financial: bool,
    /// Money in whole units, rounded up, never negative; 0 when no money moves.
    pub amount: i64,
    /// The same exactly, as decimal text with at most four decimals.
    pub exact: String,
    /// ISO 4217 code in lower case, or empty.
    pub currency: String,
    /// How many things are touched; at least 1.
    pub count: i64,
}

impl Risk {
    /// The money that moves, as people read it: `12,500.00 USD`. None when none moves.
    pub fn money(&self) -> Option<String> {
        (!self.exact.is_empty() && !self.currency.is_empty())
            .then(|| money::shown(&self.exact, &self.currency))
    }
}

/// What must still be true right before the write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Precondition {
    /// The manifest binds nothing: the approver is told "not guarded" (T07).
    None,
    /// The upstream's entity tag, sent as `If-Match`.
    Etag {
        /// As it was received.
        etag: String,
    },
    /// Values that people saw, by JSON pointer into the record; read again right before the write.
    Watched {
        /// Pointer to value; one that the manifest calls optional is `null` when it is absent.
        values: BTreeMap<String, Value>,
        /// Pointers that are absent though the manifest does not call them optional. No proposal opens with
        /// one; a record may lose its field later, which is a change like any other.
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        gone: BTreeSet<String>,
    },
}

impl Precondition {
    /// What the record lacks though it is watched, for people: "`/a`, `/b`".
    pub fn gone(&self) -> Option<String> {
        match self {
            Self::Watched { gone, .. } if !gone.is_empty() => {
                let names: Vec<String> = gone.iter().map(|pointer| format!("`{pointer}`")).collect();
                Some(names.join(", "))
            }
            Self::None | Self::Etag { .. } | Self::Watched { .. } => None,
        }
    }
}

/// Whether there is a way back, as the manifest declares it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Reversible {
    /// Nothing takes it back, and approvers are warned.
    Never,
    /// The manifest has an undo.
    WithUndo,
    /// Nothing is declared: no undo is planned.
    #[default]
    Unknown,
}

impl Reversible {
    /// The name in manifests and in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::WithUndo => "with-undo",
            Self::Unknown => "unknown",
        }
    }

    /// Whether nothing is declared; such a value is not stored.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the shape that serde asks for")]
    const fn is_unknown(&self) -> bool {
        match self {
            Self::Unknown => true,
            Self::Never | Self::WithUndo => false,
        }
    }
}

/// A field of the record that is an amount of money, so that people read it as one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MoneyField {
    /// JSON pointer to the amount in the record.
    pub amount: String,
    /// JSON pointer to the currency's code in the record.
    pub currency: String,
    /// What the amount counts.
    pub unit: MoneyUnit,
}

/// What an amount of money counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MoneyUnit {
    /// The smallest unit, such as cents.
    #[default]
    Minor,
    /// The currency's own unit, such as dollars.
    Major,
}

impl MoneyField {
    /// The amount as people read it: `12,500.00 USD`. None when the value is not one or its currency is not known.
    pub fn shown(&self, value: &Value, record: &Value) -> Option<String> {
        let code = record.pointer(&self.currency)?.as_str()?;
        let decimal = match (self.unit, value) {
            (MoneyUnit::Minor, Value::Number(number)) => money::decimal(number.as_i64()?, code)?,
            (MoneyUnit::Major, Value::Number(number)) => number.to_string(),
            (MoneyUnit::Major, Value::String(text)) => text.clone(),
            _ => return None,
        };
        // Text that is no number is shown as it is, and not called money.
        decimal.parse::<f64>().ok()?;
        money::digits(code)?;
        Some(money::shown(&decimal, code))
    }
}

/// What the manifest says about going back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Undo {
    /// Why not, or how, in a sentence for the approver.
    pub why: String,
    /// Whether there is a way back.
    #[serde(default, skip_serializing_if = "Reversible::is_unknown")]
    pub reversible: Reversible,
}

impl Undo {
    /// Whether the manifest has an undo: `context.risk.reversible` in policies.
    pub const fn is_possible(&self) -> bool {
        match self.reversible {
            Reversible::WithUndo => true,
            Reversible::Never | Reversible::Unknown => false,
        }
    }
}

/// Names of the credentials of a system. Names only: values exist after a dispatch.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CredentialRefs {
    /// For preview reads and actions of the class `read`.
    pub read: Option<String>,
    /// For everything else; resolved after the dispatch is recorded, never before.
    pub write: Option<String>,
}

/// Everything computed from the input and the record that was read. All of it is bound by the intent digest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rendering {
    /// The exact thing touched.
    pub resource: Resource,
    /// `staging`, `support`, …
    pub environment: String,
    /// Typed risk.
    pub risk: Risk,
    /// Sentences that say what will happen.
    pub effects: Vec<String>,
    /// What must still hold at dispatch.
    pub precondition: Precondition,
    /// The exact call, without any credential.
    pub call: Call,
    /// The record as it would be afterwards, if the manifest can tell.
    pub after: Option<Value>,
}

/// One exact call without its credential, by the connector that makes it. Stored, hashed and shown as it is here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Call {
    /// An HTTP request.
    Http(HttpCall),
}

impl Call {
    /// The name of the connector: the `kind` of the stored call.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Http(_) => "http",
        }
    }

    /// The call with the proposal's own id replaced by a fixed word. The id is the only late-bound text
    /// (T79), it is random, so nothing else in the bytes can be equal to it; what remains is what was approved.
    #[must_use]
    pub fn masked(&self, proposal_id: &str) -> Self {
        match self {
            Self::Http(call) => Self::Http(call.masked(proposal_id)),
        }
    }

    /// The name of the credential that will be added.
    pub fn credential(&self) -> Option<&str> {
        match self {
            Self::Http(call) => call.credential.as_deref(),
        }
    }

    /// The declared effect class.
    pub const fn effect(&self) -> EffectClass {
        match self {
            Self::Http(call) => call.effect,
        }
    }

    /// The address that it goes to, whose origin its credential must be for.
    pub fn address(&self) -> &str {
        match self {
            Self::Http(call) => &call.url,
        }
    }

    /// What is called, in one line: `POST https://…`.
    pub fn line(&self) -> String {
        match self {
            Self::Http(call) => format!("{} {}", call.method.as_str(), call.url),
        }
    }
}

/// One exact HTTP request without its credential.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HttpCall {
    /// The method.
    pub method: Method,
    /// The whole URL; its origin is the system's.
    pub url: String,
    /// Headers in order, names in lower case. Never an `authorization`.
    #[schemars(with = "Vec<Vec<String>>")]
    pub headers: Vec<(String, String)>,
    /// Content type and body text.
    #[schemars(with = "Option<Vec<String>>")]
    pub body: Option<(String, String)>,
    /// The name of the credential that will be added.
    pub credential: Option<String>,
    /// Statuses that mean success.
    pub ok: BTreeSet<u16>,
    /// Milliseconds for the whole call.
    pub timeout_ms: u64,
    /// The declared effect class.
    pub effect: EffectClass,
}

impl HttpCall {
    fn masked(&self, proposal_id: &str) -> Self {
        let mask = |text: &str| text.replace(proposal_id, "{proposal.id}");
        Self {
            url: mask(&self.url),
            headers: self.headers.iter().map(|(n, v)| (n.clone(), mask(v))).collect(),
            body: self.body.as_ref().map(|(t, b)| (t.clone(), mask(b))),
            ..self.clone()
        }
    }
}

/// A safe request that reads the record before the change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadCall {
    /// GET or HEAD.
    pub method: Method,
    /// The whole URL; its origin is the system's.
    pub url: String,
    /// The name of the read credential.
    pub credential: Option<String>,
}
