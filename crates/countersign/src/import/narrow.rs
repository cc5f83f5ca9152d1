//! A schema of a document as one that a gate takes.
//!
//! The result is never wider than the original where both say something: what cannot be said is left out of the input,
//! and of several alternatives the first that can be said is kept. Each is noted, so that whoever reviews the manifest
//! knows what an agent cannot send.

mod keywords;

use countersign_core::limits::{SCHEMA_DEPTH_MAX, SCHEMA_FORMS_MAX, SCHEMA_NODES_MAX};
use serde_json::{Map, Value, json};

use super::document::{ApiDocument, reference_of};
use keywords::{
    copy, deeper, described, is_null, joined, kinds, listed, numeric, only_requires, required_of,
};

/// Fields that an object of any fields may have.
const FREE_FIELDS_MAX: u64 = 100;
/// The formats that a gate asserts.
const FORMATS: [&str; 9] = ["date-time", "date", "time", "email", "hostname", "ipv4", "ipv6", "uri", "uuid"];

/// Walks schemas and notes what it leaves out.
#[derive(Debug)]
pub(super) struct Narrowing<'a> {
    document: ApiDocument<'a>,
    /// Whether patterns are kept: some do not run in linear time.
    patterns: bool,
    /// The references that are being followed.
    open: Vec<&'a str>,
    nodes: usize,
    /// What was left out, each with its place.
    pub(super) notes: Vec<String>,
}

impl<'a> Narrowing<'a> {
    pub(super) const fn new(document: ApiDocument<'a>, patterns: bool) -> Self {
        Self { document, patterns, open: Vec::new(), nodes: 0, notes: Vec::new() }
    }

    /// The schema at a place, or why a gate cannot take it.
    pub(super) fn schema(&mut self, schema: &'a Value, place: &str) -> Result<Value, String> {
        self.at_depth(schema, place, 1)
    }

    fn at_depth(&mut self, schema: &'a Value, place: &str, depth: usize) -> Result<Value, String> {
        self.nodes = self.nodes.saturating_add(1);
        if self.nodes > SCHEMA_NODES_MAX {
            return Err(format!("the schema unfolds to more than {SCHEMA_NODES_MAX} parts"));
        }
        if depth >= SCHEMA_DEPTH_MAX {
            return Err(format!("`{place}` is deeper than {SCHEMA_DEPTH_MAX} levels"));
        }
        let Some(reference) = reference_of(schema) else { return self.written(schema, place, depth) };
        if self.open.contains(&reference) {
            return Err(format!("`{place}` leads back to itself by `{reference}`"));
        }
        if self.open.len() >= SCHEMA_DEPTH_MAX {
            return Err(format!("more than {SCHEMA_DEPTH_MAX} references in each other, at `{reference}`"));
        }
        let target = self.document.target(reference)?;
        self.open.push(reference);
        let found = self.at_depth(target, place, depth);
        self.open.pop();
        found
    }

    fn written(&mut self, schema: &'a Value, place: &str, depth: usize) -> Result<Value, String> {
        let Some(map) = schema.as_object() else { return Err(format!("`{place}` is no schema")) };
        for keyword in ["oneOf", "anyOf"] {
            let Some(list) = map.get(keyword).and_then(Value::as_array) else { continue };
            if map.get("properties").is_some() && list.iter().all(only_requires) {
                self.notes.push(format!("{place}: not checked that it has one of several sets of fields"));
                continue;
            }
            return self.alternatives(map, list, place, depth);
        }
        if let Some(parts) = map.get("allOf").and_then(Value::as_array) {
            return self.all_of(map, parts, place, depth);
        }
        let (kinds, nullable) = kinds(map);
        let mut tried = Vec::new();
        for kind in &kinds {
            match self.of_kind(kind, map, place, depth) {
                Ok(found) => {
                    if kinds.len() > 1 {
                        self.notes.push(format!("{place}: only as {kind}, of {}", kinds.join(", ")));
                    }
                    return Ok(described(found, map, nullable));
                }
                Err(why) => tried.push(why),
            }
        }
        Err(tried.pop().unwrap_or_else(|| format!("`{place}` may be anything")))
    }

    fn of_kind(
        &mut self,
        kind: &str,
        map: &'a Map<String, Value>,
        place: &str,
        depth: usize,
    ) -> Result<Value, String> {
        let mut out = Map::from_iter([("type".to_owned(), Value::from(kind))]);
        match kind {
            "boolean" => {}
            "string" => self.string(map, &mut out, place)?,
            "integer" | "number" => numeric(map, &mut out),
            "array" => {
                let items = map.get("items").ok_or_else(|| format!("`{place}` is an array of anything"))?;
                out.insert("items".to_owned(), self.at_depth(items, &format!("{place}[]"), deeper(depth))?);
                copy(map, &mut out, &["minItems", "maxItems", "uniqueItems"]);
            }
            "object" => self.object(map, &mut out, place, depth)?,
            _ => return Err(format!("`{place}` has the type `{kind}`")),
        }
        listed(kind, map, &mut out).map_err(|why| format!("`{place}` {why}"))?;
        Ok(Value::Object(out))
    }

    fn string(
        &mut self,
        map: &Map<String, Value>,
        out: &mut Map<String, Value>,
        place: &str,
    ) -> Result<(), String> {
        copy(map, out, &["minLength", "maxLength"]);
        match map.get("format").and_then(Value::as_str) {
            Some("binary") => return Err(format!("`{place}` is a file")),
            Some(format) if FORMATS.contains(&format) => {
                out.insert("format".to_owned(), format.into());
            }
            Some(_) | None => {}
        }
        if let Some(pattern) = map.get("pattern").filter(|pattern| pattern.is_string()) {
            if self.patterns {
                out.insert("pattern".to_owned(), pattern.clone());
            } else {
                self.notes.push(format!("{place}: its pattern is not checked"));
            }
        }
        Ok(())
    }

    fn object(
        &mut self,
        map: &'a Map<String, Value>,
        out: &mut Map<String, Value>,
        place: &str,
        depth: usize,
    ) -> Result<(), String> {
        copy(map, out, &["minProperties", "maxProperties"]);
        let required = required_of(map);
        let mut properties = Map::new();
        for (name, property) in map.get("properties").and_then(Value::as_object).into_iter().flatten() {
            let inner = format!("{place}.{name}");
            if property.get("readOnly") == Some(&Value::Bool(true)) {
                continue;
            }
            match self.at_depth(property, &inner, deeper(depth)) {
                Ok(found) => {
                    properties.insert(name.clone(), found);
                }
                Err(why) if required.contains(&name.as_str()) => return Err(why),
                Err(why) => self.notes.push(format!("{inner}: left out, because {why}")),
            }
        }
        let kept: Vec<Value> = required
            .iter()
            .filter(|name| properties.contains_key(**name))
            .map(|name| Value::from(*name))
            .collect();
        if !kept.is_empty() {
            out.insert("required".to_owned(), Value::Array(kept));
        }
        let others = map.get("additionalProperties").or_else(|| map.get("patternProperties"));
        let free = properties.is_empty() && others.is_none_or(|others| *others != Value::Bool(false));
        if free {
            let each = others.filter(|others| others.as_object().is_some_and(|schema| !schema.is_empty()));
            let each =
                each.and_then(|schema| self.at_depth(schema, &format!("{place}.*"), deeper(depth)).ok());
            out.insert("additionalProperties".to_owned(), each.unwrap_or(Value::Bool(true)));
            out.entry("maxProperties").or_insert_with(|| FREE_FIELDS_MAX.into());
        }
        out.insert("properties".to_owned(), Value::Object(properties));
        Ok(())
    }

    /// All objects: their forms. Otherwise the first that can be said.
    fn alternatives(
        &mut self,
        map: &'a Map<String, Value>,
        list: &'a [Value],
        place: &str,
        depth: usize,
    ) -> Result<Value, String> {
        let nullable = map.get("nullable") == Some(&Value::Bool(true)) || list.iter().any(is_null);
        let (mut forms, mut tried) = (Vec::new(), Vec::new());
        for alternative in list.iter().filter(|alternative| !is_null(alternative)) {
            // Some APIs write "or the empty text, which unsets it".
            if alternative.get("enum") == Some(&json!([""])) {
                self.notes.push(format!("{place}: not as the empty text"));
                continue;
            }
            match self.at_depth(alternative, place, deeper(depth)) {
                Ok(form) => forms.push(form),
                Err(why) => tried.push(why),
            }
        }
        let objects = forms.iter().all(|form| form.get("type") == Some(&json!("object")));
        if forms.len() > 1 && objects && forms.len() <= SCHEMA_FORMS_MAX && !nullable {
            return Ok(described(json!({ "oneOf": forms }), map, false));
        }
        let count = forms.len().saturating_add(tried.len());
        let first = forms.into_iter().find(|form| form.get("type").is_some());
        let Some(first) = first else {
            return Err(tried.pop().unwrap_or_else(|| format!("`{place}` has no alternative")));
        };
        if count > 1 {
            let kind = first.get("type").map(ToString::to_string).unwrap_or_default();
            self.notes.push(format!("{place}: only the alternative of type {kind}, of {count}"));
        }
        Ok(described(first, map, nullable))
    }

    /// Objects that all hold: one object with the fields of each.
    fn all_of(
        &mut self,
        map: &'a Map<String, Value>,
        parts: &'a [Value],
        place: &str,
        depth: usize,
    ) -> Result<Value, String> {
        let mut whole: Option<Value> = None;
        let own = map.get("properties").is_some();
        let mut found = Vec::new();
        for part in parts {
            found.push(self.at_depth(part, place, deeper(depth))?);
        }
        if own {
            found.push(self.of_kind("object", map, place, depth)?);
        }
        for part in found {
            whole = Some(match whole {
                None => part,
                Some(before) => joined(before, part)
                    .ok_or_else(|| format!("`{place}` combines what cannot be combined"))?,
            });
        }
        let whole = whole.ok_or_else(|| format!("`{place}` may be anything"))?;
        Ok(described(whole, map, map.get("nullable") == Some(&Value::Bool(true))))
    }
}

#[cfg(test)]
mod tests;
