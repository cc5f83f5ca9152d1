//! What JSON Schema allows and this gate does not: `1.0` for an integer (T51, T54). Two spellings of one
//! integer would be one value to policy and two to the upstream.

use serde_json::Value;

use super::{child, forms, member, type_of};
use crate::refusal::InputError;

/// Collects every integer that is written with a fraction.
pub(super) fn check(schema: &Value, value: &Value, errors: &mut Vec<InputError>) {
    walk(schema, value, "", errors);
}

fn walk(schema: &Value, value: &Value, pointer: &str, errors: &mut Vec<InputError>) {
    // Where one form has an integer, no form takes one with a fraction: which form it is, is not known yet.
    for form in forms(schema).into_iter().flatten() {
        walk(form, value, pointer, errors);
    }
    match value {
        Value::Number(number) => {
            let integer = type_of(schema).is_some_and(|(kind, _)| kind == "integer");
            if integer && number.is_f64() {
                errors.push(InputError {
                    pointer: pointer.to_owned(),
                    detail: "must be an integer, written without a fraction".to_owned(),
                });
            }
        }
        Value::Object(map) => {
            for (name, found) in map {
                if let Some(schema) = member(schema, name)
                    && (found.is_number() || found.is_object() || found.is_array())
                {
                    walk(schema, found, &child(pointer, name), errors);
                }
            }
        }
        Value::Array(items) => {
            let Some(schema) = schema.get("items") else { return };
            for (at, item) in items.iter().enumerate() {
                if item.is_number() || item.is_object() || item.is_array() {
                    walk(schema, item, &child(pointer, &at.to_string()), errors);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}
