//! What the manifest says of an upstream's answer: JSON Schema 2020-12 by the rules of an input, but open, because an
//! upstream may add a field whenever it likes.

use jsonschema::Validator;
use serde_json::Value;

use super::{ERRORS_MAX, build, explain};
use crate::refusal::InputError;

/// A compiled output schema.
#[derive(Debug)]
pub struct OutputSchema {
    schema: Value,
    validator: Validator,
}

impl OutputSchema {
    /// Compiles a linted schema.
    pub(in crate::action) fn compile(schema: Value) -> Result<Self, String> {
        let validator = build(&schema)?;
        Ok(Self { schema, validator })
    }

    /// JSON Schema 2020-12 of the answer, which is an object; keys sorted.
    pub const fn schema(&self) -> &Value {
        &self.schema
    }

    /// Where an answer is not what the manifest says of it: JSON pointers, sorted, at most fifty. Empty when it fits.
    pub fn mistakes(&self, answer: &Value) -> Vec<InputError> {
        let mut found = Vec::new();
        for error in self.validator.iter_errors(answer) {
            explain::explain(&error, &self.schema, &mut found);
        }
        found.sort_by(|a, b| (&a.pointer, &a.detail).cmp(&(&b.pointer, &b.detail)));
        found.dedup();
        found.truncate(ERRORS_MAX);
        found
    }
}
