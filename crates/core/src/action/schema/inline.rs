//! References of a whole schema, written out where they are used: every other part of the gate then reads a schema
//! without them. Only within the document: nothing is ever fetched (T55). What they unfold to is bounded (T56).

use serde_json::{Map, Value};

use crate::limits::{SCHEMA_DEPTH_MAX, SCHEMA_NODES_MAX};

/// Keywords that may stand beside a reference, because they say nothing about values.
const BESIDE: [&str; 5] = ["title", "description", "deprecated", "examples", "$comment"];
/// Keywords of the whole document that are not part of its schema.
const ROOT_ONLY: [&str; 4] = ["$schema", "$id", "$defs", "definitions"];

/// A schema of a document, or the document itself, without references; or what is wrong with one.
pub(in crate::action) fn inline<'a>(document: &'a Value, schema: &'a Value) -> Result<Value, String> {
    let mut inliner = Inliner { document, nodes: 0, open: Vec::new() };
    let mut schema = inliner.schema(schema)?;
    if let Some(map) = schema.as_object_mut() {
        map.retain(|key, _| !ROOT_ONLY.contains(&key.as_str()));
    }
    Ok(schema)
}

struct Inliner<'a> {
    document: &'a Value,
    nodes: usize,
    /// The references that are being written out.
    open: Vec<&'a str>,
}

impl<'a> Inliner<'a> {
    fn schema(&mut self, schema: &'a Value) -> Result<Value, String> {
        self.nodes = self.nodes.saturating_add(1);
        if self.nodes > SCHEMA_NODES_MAX {
            return Err(format!("its references unfold to more than {SCHEMA_NODES_MAX} schemas"));
        }
        let Some(map) = schema.as_object() else { return Ok(schema.clone()) };
        if let Some(Value::String(reference)) = map.get("$ref") {
            return self.reference(map, reference);
        }
        let mut written = Map::new();
        for (key, value) in map {
            let value = match (key.as_str(), value) {
                ("properties" | "patternProperties" | "dependentSchemas", Value::Object(schemas)) => {
                    let each = schemas.iter().map(|(name, inner)| Ok((name.clone(), self.schema(inner)?)));
                    Value::Object(each.collect::<Result<_, String>>()?)
                }
                ("oneOf" | "anyOf" | "allOf" | "prefixItems", Value::Array(schemas)) => {
                    Value::Array(schemas.iter().map(|inner| self.schema(inner)).collect::<Result<_, _>>()?)
                }
                ("items" | "additionalProperties" | "not", inner) => self.schema(inner)?,
                // A value, such as a default; `$ref` has no meaning there.
                (_, value) => value.clone(),
            };
            written.insert(key.clone(), value);
        }
        Ok(Value::Object(written))
    }

    fn reference(&mut self, map: &'a Map<String, Value>, reference: &'a str) -> Result<Value, String> {
        if let Some(key) = map.keys().find(|key| *key != "$ref" && !BESIDE.contains(&key.as_str())) {
            return Err(format!("`{key}` beside the reference `{reference}`"));
        }
        let pointer = reference.strip_prefix('#').filter(|pointer| pointer.starts_with('/'));
        let target = pointer.and_then(|pointer| self.document.pointer(pointer));
        let Some(target) = target.filter(|target| target.is_object()) else {
            return Err(format!("the reference `{reference}` is to no schema in this document"));
        };
        if self.open.contains(&reference) {
            return Err(format!("the reference `{reference}` leads back to itself"));
        }
        if self.open.len() >= SCHEMA_DEPTH_MAX {
            return Err(format!("more than {SCHEMA_DEPTH_MAX} references in each other, at `{reference}`"));
        }
        self.open.push(reference);
        let mut written = self.schema(target)?;
        self.open.pop();
        for (key, value) in map.iter().filter(|(key, _)| *key != "$ref") {
            if let Some(schema) = written.as_object_mut() {
                schema.insert(key.clone(), value.clone());
            }
        }
        Ok(written)
    }
}
