//! What single keywords of a schema mean to a gate.

use serde_json::{Map, Value, json};

use crate::import::text;

/// Characters of a field's description.
const DESCRIPTION_CHARS_MAX: usize = 300;

pub(super) const fn deeper(depth: usize) -> usize {
    depth.saturating_add(1)
}

/// Whether an alternative says nothing but which fields must be there.
pub(super) fn only_requires(schema: &Value) -> bool {
    schema.as_object().is_some_and(|map| !map.is_empty() && map.keys().all(|key| key == "required"))
}

pub(super) fn is_null(schema: &Value) -> bool {
    schema.get("type") == Some(&json!("null")) || schema.get("enum") == Some(&json!([null]))
}

pub(super) fn required_of(map: &Map<String, Value>) -> Vec<&str> {
    map.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
}

/// The types that a schema names or means, and whether null is a value.
pub(super) fn kinds(map: &Map<String, Value>) -> (Vec<&str>, bool) {
    let named = match map.get("type") {
        Some(Value::String(kind)) => vec![kind.as_str()],
        Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect(),
        Some(_) | None => {
            let has = |key: &str| map.contains_key(key);
            if has("properties") || has("additionalProperties") {
                vec!["object"]
            } else if has("items") {
                vec!["array"]
            } else if has("enum") || has("pattern") || has("maxLength") {
                vec!["string"]
            } else {
                Vec::new()
            }
        }
    };
    let nullable = named.contains(&"null") || map.get("nullable") == Some(&Value::Bool(true));
    (named.into_iter().filter(|kind| *kind != "null").collect(), nullable)
}

/// With its description, and null where that is a value.
pub(super) fn described(mut schema: Value, map: &Map<String, Value>, nullable: bool) -> Value {
    let Some(out) = schema.as_object_mut() else { return schema };
    if let Some(description) = map.get("description").and_then(Value::as_str) {
        let description = text::plain(description, DESCRIPTION_CHARS_MAX);
        if !description.is_empty() {
            out.insert("description".to_owned(), description.into());
        }
    }
    if nullable && out.get("type").is_some_and(Value::is_string) {
        out.insert("nullable".to_owned(), true.into());
    }
    schema
}

pub(super) fn copy(from: &Map<String, Value>, to: &mut Map<String, Value>, keys: &[&str]) {
    for key in keys {
        if let Some(value) = from.get(*key).filter(|value| value.is_number() || value.is_boolean()) {
            to.insert((*key).to_owned(), value.clone());
        }
    }
}

/// Bounds; OpenAPI 3.0 writes exclusive ones as a mark beside the bound.
pub(super) fn numeric(map: &Map<String, Value>, out: &mut Map<String, Value>) {
    for (bound, exclusive) in [("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")] {
        let number = map.get(bound).filter(|value| value.is_number());
        match map.get(exclusive) {
            Some(Value::Bool(true)) => {
                out.extend(number.map(|number| (exclusive.to_owned(), number.clone())));
            }
            Some(value @ Value::Number(_)) => {
                out.insert(exclusive.to_owned(), value.clone());
            }
            Some(_) | None => out.extend(number.map(|number| (bound.to_owned(), number.clone()))),
        }
    }
    copy(map, out, &["multipleOf"]);
}

/// The values that a schema lists, as far as they are of its type.
pub(super) fn listed(
    kind: &str,
    map: &Map<String, Value>,
    out: &mut Map<String, Value>,
) -> Result<(), String> {
    let fits = |value: &Value| match kind {
        "string" => value.is_string(),
        "integer" => value.is_i64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        _ => false,
    };
    if let Some(value) = map.get("const").filter(|value| fits(value)) {
        out.insert("const".to_owned(), value.clone());
    }
    if let Some(values) = map.get("enum").and_then(Value::as_array) {
        let values: Vec<Value> = values.iter().filter(|value| fits(value)).cloned().collect();
        if values.is_empty() {
            return Err(format!("lists no value of the type {kind}"));
        }
        out.insert("enum".to_owned(), Value::Array(values));
    }
    Ok(())
}

/// Both at once: the fields of two closed objects, or one of two equal schemas.
pub(super) fn joined(first: Value, second: Value) -> Option<Value> {
    if first == second {
        return Some(first);
    }
    let (mut first, Value::Object(second)) = (first, second) else { return None };
    let map = first.as_object_mut()?;
    let object = |map: &Map<String, Value>| map.get("type") == Some(&json!("object"));
    if !object(map) || !object(&second) {
        return None;
    }
    for (key, value) in second {
        match (key.as_str(), map.get_mut(&key), value) {
            ("properties", Some(Value::Object(into)), Value::Object(more)) => {
                for (name, property) in more {
                    into.entry(name).or_insert(property);
                }
            }
            ("required", Some(Value::Array(into)), Value::Array(more)) => {
                for name in more {
                    if !into.contains(&name) {
                        into.push(name);
                    }
                }
            }
            (_, Some(_), _) => {}
            (_, None, value) => {
                map.insert(key, value);
            }
        }
    }
    // Named fields of one part close what another leaves open.
    if map.get("properties").and_then(Value::as_object).is_some_and(|properties| !properties.is_empty()) {
        map.remove("additionalProperties");
    }
    Some(first)
}
