//! What policy needs to know of an action, and which parts of its input policy can see.
//!
//! One `Kind` drives both the generated Cedar schema and the conversion of values, so that the two cannot
//! disagree. What has no exact counterpart in Cedar is not visible: it is absent, never approximated.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::value;
use crate::action::{Action, EffectClass, Group, RecordReads, type_of};
use crate::limits;

/// Visible fields of one action, all levels together: a bound on what nested `$ref`s can unfold to (T56).
const FIELDS_MAX: usize = 2_000;

/// The part of a registered action that policies depend on.
#[derive(Debug, Clone)]
pub(super) struct ActionShape {
    pub(super) name: String,
    pub(super) groups: BTreeSet<Group>,
    pub(super) schema: Value,
    pub(super) resource_type: String,
    pub(super) system: String,
    /// Which parts of its rendering depend on the record that is read first.
    pub(super) record: RecordReads,
}

impl From<&Action> for ActionShape {
    fn from(action: &Action) -> Self {
        Self {
            name: action.name.as_str().to_owned(),
            groups: action.groups.iter().copied().chain([implied_group(action.effect)]).collect(),
            schema: action.schema.clone(),
            resource_type: action.resource_type.clone(),
            system: action.system.name.clone(),
            record: action.record_reads(),
        }
    }
}

/// The group that an action is in by its effect: a forbid on `Action::"write"` has to catch every action that
/// changes something, also one whose manifest lists no group.
pub(super) const fn implied_group(effect: EffectClass) -> Group {
    match effect {
        EffectClass::Read => Group::Read,
        EffectClass::Keyed | EffectClass::Conditional | EffectClass::Natural | EffectClass::Opaque => {
            Group::Write
        }
    }
}

/// A visible type of JSON value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    /// `boolean`.
    Bool,
    /// `integer`, within ±(2^53 - 1).
    Long,
    /// `string`; with the only values it may have, if the schema lists them.
    Text(Option<BTreeSet<String>>),
    /// `number` with a `multipleOf` of at most four decimals.
    Decimal,
    /// A string with `x-cedar: decimal`.
    DecimalText,
    /// A string with `format: date-time`.
    DateTime,
    /// A string with `format: date`.
    Date,
    /// A string with `format: ipv4` or `ipv6`.
    Ip,
    /// A string with `x-cedar: duration`, in Cedar's own form: `1d2h3m4s5ms`.
    Duration,
    /// `array` of one visible type. Order and repeats are lost.
    Set(Box<Self>),
    /// `object` with declared properties.
    Record(Fields),
}

impl Kind {
    /// Whether [`value::fits`] says all there is to say about a value, so that Cedar would not refuse it.
    ///
    /// Not so where Cedar reads a text of its own.
    pub(super) fn is_checked_here(&self) -> bool {
        match self {
            Self::Bool | Self::Long | Self::Text(_) | Self::Decimal | Self::DecimalText => true,
            Self::DateTime | Self::Date | Self::Ip | Self::Duration => false,
            Self::Set(item) => item.is_checked_here(),
            Self::Record(fields) => fields.values().all(|field| field.kind.is_checked_here()),
        }
    }
}

/// The visible properties of an object.
pub(super) type Fields = BTreeMap<String, Field>;

/// One visible property.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Field {
    pub(super) kind: Kind,
    /// Listed in `required`.
    pub(super) required: bool,
    /// What an absent property stands for.
    pub(super) default: Option<Value>,
    /// A string with `format: email`.
    pub(super) is_email: bool,
    /// Null is a value of it; Cedar has none, so a null is absent there.
    pub(super) nullable: bool,
}

impl Field {
    /// Whether policy can rely on it: an absent one is a way around a guarded forbid.
    pub(super) const fn is_always_there(&self) -> bool {
        self.required || self.default.is_some()
    }
}

/// The visible fields of an action's input.
pub(super) fn input_fields(schema: &Value) -> Fields {
    let mut reader = ShapeReader { root: schema, fields: 0 };
    match reader.kind(schema, 0) {
        Some(Kind::Record(fields)) => fields,
        _ => Fields::new(),
    }
}

/// The fields along a path below `context.input`, outermost first; empty unless the whole path is visible.
pub(super) fn fields_along<'a>(fields: &'a Fields, path: &[&str]) -> Vec<&'a Field> {
    let mut found = Vec::new();
    let mut here = Some(fields);
    for name in path {
        let Some(field) = here.and_then(|f| f.get(*name)) else { return Vec::new() };
        here = if let Kind::Record(inner) = &field.kind { Some(inner) } else { None };
        found.push(field);
    }
    found
}

struct ShapeReader<'a> {
    root: &'a Value,
    fields: usize,
}

impl ShapeReader<'_> {
    fn kind(&mut self, schema: &Value, depth: usize) -> Option<Kind> {
        self.fields = self.fields.saturating_add(1);
        if depth > limits::SCHEMA_DEPTH_MAX || self.fields > FIELDS_MAX {
            return None;
        }
        let deeper = depth.saturating_add(1);
        match schema.get("type") {
            // A local reference stands for what it points to; the depth ends a recursive one.
            None => {
                let target = schema.get("$ref")?.as_str()?.strip_prefix('#')?;
                let target = self.root.pointer(target)?.clone();
                self.kind(&target, deeper)
            }
            Some(_) => match type_of(schema)?.0 {
                "boolean" => Some(Kind::Bool),
                "integer" => Some(Kind::Long),
                "number" => value::is_short_decimal(schema.get("multipleOf")?).then_some(Kind::Decimal),
                "string" => text_kind(schema),
                "array" => self.kind(schema.get("items")?, deeper).map(|k| Kind::Set(Box::new(k))),
                "object" => self.record(schema, deeper),
                _ => None,
            },
        }
    }

    fn record(&mut self, schema: &Value, depth: usize) -> Option<Kind> {
        let properties = schema.get("properties")?.as_object()?;
        let closed = schema.get("additionalProperties").is_none_or(|others| *others == Value::Bool(false));
        if properties.is_empty() && !closed {
            return None;
        }
        let required: BTreeSet<&str> = schema
            .get("required")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let mut fields = Fields::new();
        for (name, property) in properties {
            if let Some(kind) = self.kind(property, depth) {
                // What may be null has no default for policy: null does not stand for it.
                let nullable = type_of(property).is_some_and(|(_, nullable)| nullable);
                // A default that does not fit its own type stands for nothing.
                let fits = |default: &&Value| !nullable && value::to_cedar(&kind, default).is_some();
                let default = property.get("default").filter(fits).cloned();
                let required = required.contains(name.as_str()) && !nullable;
                let is_email = property.get("format").and_then(Value::as_str) == Some("email");
                fields.insert(name.clone(), Field { kind, required, default, is_email, nullable });
            }
        }
        Some(Kind::Record(fields))
    }
}

fn text_kind(schema: &Value) -> Option<Kind> {
    let word = |key: &str| schema.get(key).and_then(Value::as_str);
    match (word("x-cedar"), word("format")) {
        (Some("decimal"), _) => Some(Kind::DecimalText),
        (Some("duration"), _) => Some(Kind::Duration),
        (Some(_), _) => None,
        (None, Some("date-time")) => Some(Kind::DateTime),
        (None, Some("date")) => Some(Kind::Date),
        (None, Some("ipv4" | "ipv6")) => Some(Kind::Ip),
        (None, _) => Some(Kind::Text(listed(schema))),
    }
}

fn listed(schema: &Value) -> Option<BTreeSet<String>> {
    let only = schema.get("const").map(std::slice::from_ref);
    let values = schema.get("enum").and_then(Value::as_array).map(Vec::as_slice).or(only)?;
    Some(values.iter().filter_map(Value::as_str).map(str::to_owned).collect())
}
