//! Input schemas (closed JSON Schema 2020-12, linted and compiled at load, applied to every input) and output schemas.
//!
//! Nothing outside the schema text is ever read: references are refused, patterns run on the linear-time
//! engine. What passes is what policy, people and the call see, with defaults already in place.

mod explain;
mod inline;
mod lint;
mod output;
mod short;
mod strict;

use jsonschema::{Draft, PatternOptions, Validator};
use serde_json::{Map, Value};

pub(super) use inline::inline;
pub(super) use lint::{LintFinding, lint, lint_output};
pub use output::OutputSchema;
pub(super) use short::{close, close_long, open};

use crate::address;
use crate::json::{self, CanonicalInput};
use crate::refusal::InputError;

/// Mistakes of one input that are listed; more would only hide the first.
const ERRORS_MAX: usize = 50;
/// Bytes that one compiled pattern may take.
const PATTERN_BYTES_MAX: usize = 1024 * 1024;

/// A compiled input schema.
#[derive(Debug)]
pub(super) struct InputSchema {
    validator: Validator,
}

impl InputSchema {
    /// Compiles a closed and linted schema.
    pub(super) fn compile(schema: &Value) -> Result<Self, String> {
        Ok(Self { validator: build(schema)? })
    }

    /// Takes a null for absent where the schema knows no null, applies defaults, then validates. All mistakes are listed, sorted by place, at most fifty.
    pub(super) fn validate(
        &self,
        schema: &Value,
        mut input: Value,
    ) -> Result<CanonicalInput, Vec<InputError>> {
        complete(schema, &mut input);
        let mut errors = Vec::new();
        strict::check(schema, &input, &mut errors);
        if errors.is_empty() && self.validator.is_valid(&input) {
            return Ok(CanonicalInput::new(input));
        }
        for error in self.validator.iter_errors(&input) {
            explain::explain(&error, schema, &mut errors);
        }
        if errors.is_empty() {
            errors.push(InputError { pointer: String::new(), detail: "does not fit the schema".to_owned() });
        }
        errors.sort_by(|a, b| (&a.pointer, &a.detail).cmp(&(&b.pointer, &b.detail)));
        errors.dedup();
        errors.truncate(ERRORS_MAX);
        Err(errors)
    }
}

/// Builds a validator that asserts formats, of which `email` is narrower than the standard's, and uses the linear-time pattern engine.
fn build(schema: &Value) -> Result<Validator, String> {
    jsonschema::options()
        .with_draft(Draft::Draft202012)
        .offline()
        .should_validate_formats(true)
        .should_ignore_unknown_formats(false)
        .with_format("email", address::is_email)
        .with_pattern_options(PatternOptions::regex().size_limit(PATTERN_BYTES_MAX))
        .build(schema)
        .map_err(|e| e.to_string().split_whitespace().collect::<Vec<_>>().join(" "))
}

/// One token appended to a JSON pointer (RFC 6901).
fn child(pointer: &str, token: &str) -> String {
    format!("{pointer}/{}", json::escape_token(token))
}

fn properties(schema: &Value) -> Option<&Map<String, Value>> {
    schema.get("properties").and_then(Value::as_object)
}

/// The one type that a schema names, and whether null is a value as well: `"string"`, or `["string", "null"]`.
pub(crate) fn type_of(schema: &Value) -> Option<(&str, bool)> {
    match schema.get("type")? {
        Value::String(name) => Some((name, false)),
        Value::Array(names) => match names.as_slice() {
            [Value::String(null), Value::String(name)] | [Value::String(name), Value::String(null)]
                if null == "null" && name != "null" =>
            {
                Some((name, true))
            }
            _ => None,
        },
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => None,
    }
}

/// The forms that a value may have, if it may have several.
fn forms(schema: &Value) -> Option<&Vec<Value>> {
    schema.get("oneOf").and_then(Value::as_array)
}

/// The schema of one member of an object: a named property, or what the schema says of all others.
fn member<'a>(schema: &'a Value, name: &str) -> Option<&'a Value> {
    let named = properties(schema).and_then(|properties| properties.get(name));
    named.or_else(|| schema.get("additionalProperties").filter(|others| others.is_object()))
}

fn is_required(schema: &Value, name: &str) -> bool {
    let names = schema.get("required").and_then(Value::as_array);
    names.is_some_and(|names| names.iter().any(|required| required == name))
}

/// Takes null for absent where a property may be absent and knows no null, and puts the default of every absent
/// property in place, also inside objects that are there. Policy and people then always see the value that will be
/// sent. Inside a value of several forms nothing is done: which one it has is not known before it is valid.
fn complete(schema: &Value, value: &mut Value) {
    match value {
        Value::Object(map) => {
            for (name, property) in properties(schema).into_iter().flatten() {
                let knows_null = type_of(property).is_none_or(|(_, nullable)| nullable);
                if map.get(name).is_some_and(Value::is_null) && !knows_null && !is_required(schema, name) {
                    map.remove(name);
                }
                if !map.contains_key(name)
                    && let Some(default) = property.get("default")
                {
                    map.insert(name.clone(), default.clone());
                }
            }
            for (name, found) in map.iter_mut() {
                if let Some(schema) = member(schema, name) {
                    complete(schema, found);
                }
            }
        }
        Value::Array(items) => {
            if let Some(schema) = schema.get("items") {
                for item in items {
                    complete(schema, item);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests;
