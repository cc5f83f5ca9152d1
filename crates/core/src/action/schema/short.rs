//! The short form of a schema, and the closing of both forms.
//!
//! Short: a table of fields, each a JSON Schema with `required = true` on the field. Both forms come out as
//! JSON Schema 2020-12 in which every object says `additionalProperties: false`.

use serde_json::{Map, Value, json};

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
    if let Some(items) = map.get_mut("items") {
        normalise(items, close);
    }
    if map.get("type").and_then(Value::as_str) != Some("object") {
        return;
    }
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
