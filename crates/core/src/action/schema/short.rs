//! The short form of a schema, and the closing of both forms.
//!
//! Short: a table of fields, each a JSON Schema with `required = true` on the field and `nullable = true` where null is a
//! value. Both forms come out as JSON Schema 2020-12 in which every object says `additionalProperties: false`, unless
//! it says itself what other fields it may have.

use serde_json::{Map, Value, json};

use super::type_of;

/// The closed schema of a table of fields.
pub(in crate::action) fn close(fields: Map<String, Value>) -> Value {
    let mut schema = object(fields);
    normalise(&mut schema, true);
    sort(schema)
}

/// The schema of a table of fields in which an object may have more fields than are named.
pub(in crate::action) fn open(fields: Map<String, Value>) -> Value {
    let mut schema = object(fields);
    normalise(&mut schema, false);
    sort(schema)
}

fn object(fields: Map<String, Value>) -> Value {
    let mut schema = Map::new();
    schema.insert("type".to_owned(), Value::from("object"));
    schema.insert("properties".to_owned(), Value::Object(fields));
    Value::Object(schema)
}

/// Closes every object of a schema that does not say otherwise; an open one is left for the linter.
pub(in crate::action) fn close_long(mut schema: Value) -> Value {
    normalise(&mut schema, true);
    sort(schema)
}

/// Collects `required` from the fields of every object, and closes the object if it does not say otherwise.
fn normalise(schema: &mut Value, close: bool) {
    let Some(map) = schema.as_object_mut() else { return };
    for inner in ["items", "additionalProperties"] {
        if let Some(inner) = map.get_mut(inner) {
            normalise(inner, close);
        }
    }
    for form in map.get_mut("oneOf").and_then(Value::as_array_mut).into_iter().flatten() {
        normalise(form, close);
    }
    null_as_a_type(map);
    if type_of(schema).is_none_or(|(kind, _)| kind != "object") {
        return;
    }
    let Some(map) = schema.as_object_mut() else { return };
    if close {
        map.entry("additionalProperties").or_insert(Value::Bool(false));
    }
    let mut required: Vec<Value> = match map.remove("required") {
        Some(Value::Array(names)) => names,
        Some(other) => {
            // Not a list: the linter says so, in the place where it was written.
            map.insert("required".to_owned(), other);
            Vec::new()
        }
        None => Vec::new(),
    };
    let properties = map.entry("properties").or_insert_with(|| json!({}));
    for (name, property) in properties.as_object_mut().into_iter().flatten() {
        if let Some(Value::Bool(needed)) = property.get("required").cloned() {
            if let Some(property) = property.as_object_mut() {
                property.remove("required");
            }
            let name = Value::from(name.as_str());
            if needed && !required.contains(&name) {
                required.push(name);
            }
        }
        normalise(property, close);
    }
    if !required.is_empty() && !map.contains_key("required") {
        required.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
        map.insert("required".to_owned(), Value::Array(required));
    }
}

/// `nullable: true` of the short form, and of OpenAPI 3.0, as a second type; the order of two types is always the same.
fn null_as_a_type(map: &mut Map<String, Value>) {
    let nullable = map.get("nullable") == Some(&Value::Bool(true));
    let kind = match map.get("type") {
        Some(Value::String(kind)) if nullable => Some(kind.clone()),
        Some(list @ Value::Array(_)) => type_of(&json!({ "type": list })).map(|(kind, _)| kind.to_owned()),
        Some(_) | None => None,
    };
    if map.get("nullable") == Some(&Value::Bool(false)) || (nullable && kind.is_some()) {
        map.remove("nullable");
    }
    let Some(kind) = kind else { return };
    map.insert("type".to_owned(), json!([kind, "null"]));
    if nullable
        && let Some(values) = map.get_mut("enum").and_then(Value::as_array_mut)
        && !values.contains(&Value::Null)
    {
        values.push(Value::Null);
    }
}

/// The same schema with sorted keys, whatever order the map kept: messages and references must not vary.
fn sort(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut members: Vec<(String, Value)> = map.into_iter().collect();
            members.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(members.into_iter().map(|(k, v)| (k, sort(v))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sort).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value,
    }
}
