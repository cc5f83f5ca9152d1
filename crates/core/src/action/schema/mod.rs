//! Input schemas (closed JSON Schema 2020-12, linted and compiled at load, applied to every input) and output schemas.
//!
//! Nothing outside the schema text is ever read: references are refused, patterns run on the linear-time
//! engine. What passes is what policy, people and the call see, with defaults already in place.

mod explain;
mod lint;
mod output;
mod short;
mod strict;

use jsonschema::{Draft, PatternOptions, Validator};
use serde_json::{Map, Value};

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
    has_defaults: bool,
}

impl InputSchema {
    /// Compiles a closed and linted schema.
    pub(super) fn compile(schema: &Value) -> Result<Self, String> {
        let validator = build(schema)?;
        Ok(Self { validator, has_defaults: mentions_default(schema) })
    }

    /// Applies defaults, then validates. All mistakes are listed, sorted by place, at most fifty.
    pub(super) fn validate(
        &self,
        schema: &Value,
        mut input: Value,
    ) -> Result<CanonicalInput, Vec<InputError>> {
        if self.has_defaults {
            apply_defaults(schema, &mut input);
        }
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

fn mentions_default(schema: &Value) -> bool {
    schema.get("default").is_some()
        || properties(schema).is_some_and(|p| p.values().any(mentions_default))
        || schema.get("items").is_some_and(mentions_default)
}

/// Puts the default of every absent property in place, also inside objects that are there. Policy and people
/// then always see the value that will be sent.
fn apply_defaults(schema: &Value, value: &mut Value) {
    match value {
        Value::Object(map) => {
            for (name, property) in properties(schema).into_iter().flatten() {
                if let Some(found) = map.get_mut(name) {
                    apply_defaults(property, found);
                } else if let Some(default) = property.get("default") {
                    let mut filled = default.clone();
                    apply_defaults(property, &mut filled);
                    map.insert(name.clone(), filled);
                }
            }
        }
        Value::Array(items) => {
            if let Some(schema) = schema.get("items") {
                for item in items {
                    apply_defaults(schema, item);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests;
