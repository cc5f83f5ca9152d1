use serde_json::{Value, json};

use super::*;

/// A schema as a gate takes it, and the notes.
fn narrowed(schema: &Value) -> Result<(Value, Vec<String>), String> {
    let part = json!({ "type": "object", "properties": { "a": { "type": "boolean" } } });
    let circle =
        json!({ "type": "object", "properties": { "x": { "$ref": "#/components/schemas/circle" } } });
    let value = json!({ "openapi": "3.1.0", "paths": {}, "schema": schema,
                            "components": { "schemas": { "part": part, "circle": circle } } });
    let document = ApiDocument::new(&value).unwrap();
    let mut narrowing = Narrowing::new(document, true);
    let found = narrowing.schema(&value["schema"], "f")?;
    Ok((found, narrowing.notes))
}

#[test]
fn what_can_be_said_is_kept_and_never_wider() {
    for (schema, expect) in [
        (
            json!({ "type": "string", "format": "uuid", "default": "x", "example": "y", "x-a": 1 }),
            json!({ "type": "string", "format": "uuid" }),
        ),
        (
            json!({ "type": "string", "format": "int64", "description": "A <b>b</b>.\n" }),
            json!({ "type": "string", "description": "A b." }),
        ),
        (
            json!({ "type": "integer", "minimum": 1, "exclusiveMinimum": true, "maximum": 9 }),
            json!({ "type": "integer", "exclusiveMinimum": 1, "maximum": 9 }),
        ),
        (
            json!({ "type": "integer", "exclusiveMaximum": 9 }),
            json!({ "type": "integer", "exclusiveMaximum": 9 }),
        ),
        (json!({ "type": "string", "nullable": true }), json!({ "type": "string", "nullable": true })),
        (json!({ "type": ["string", "null"] }), json!({ "type": "string", "nullable": true })),
        (json!({ "enum": ["a", 7, null] }), json!({ "type": "string", "enum": ["a"] })),
        (
            json!({ "type": "array", "items": { "type": "boolean" }, "maxItems": 3 }),
            json!({ "type": "array", "items": { "type": "boolean" }, "maxItems": 3 }),
        ),
        // Without named fields: any, but not without end.
        (
            json!({ "type": "object" }),
            json!({ "type": "object", "additionalProperties": true, "maxProperties": 100, "properties": {} }),
        ),
        (
            json!({ "type": "object", "additionalProperties": { "type": "string" } }),
            json!({ "type": "object", "additionalProperties": { "type": "string" }, "maxProperties": 100, "properties": {} }),
        ),
        // With named fields: these.
        (
            json!({ "properties": { "a": { "type": "boolean" } }, "additionalProperties": true, "required": ["a", "b"] }),
            json!({ "type": "object", "properties": { "a": { "type": "boolean" } }, "required": ["a"] }),
        ),
        (
            json!({ "allOf": [{ "$ref": "#/components/schemas/part" },
                               { "type": "object", "required": ["b"], "properties": { "b": { "type": "string" } } }] }),
            json!({ "type": "object", "required": ["b"],
                     "properties": { "a": { "type": "boolean" }, "b": { "type": "string" } } }),
        ),
        (
            json!({ "oneOf": [{ "$ref": "#/components/schemas/part" }, { "type": "object", "properties": { "b": { "type": "string" } } }] }),
            json!({ "oneOf": [{ "type": "object", "properties": { "a": { "type": "boolean" } } },
                               { "type": "object", "properties": { "b": { "type": "string" } } }] }),
        ),
        (
            json!({ "anyOf": [{ "type": "null" }, { "type": "boolean" }] }),
            json!({ "type": "boolean", "nullable": true }),
        ),
    ] {
        assert_eq!(narrowed(&schema), Ok((expect, Vec::new())), "{schema}");
    }
}

#[test]
fn what_is_left_out_is_noted_and_what_is_needed_is_refused() {
    let object = |property: Value, required: Value| json!({ "type": "object", "properties": { "p": property, "q": { "type": "boolean" } }, "required": required });
    for (schema, note) in [
        (json!({ "type": ["string", "integer"] }), "f: only as string, of string, integer"),
        (
            json!({ "anyOf": [{ "type": "integer" }, { "type": "string" }] }),
            "f: only the alternative of type \"integer\", of 2",
        ),
        (
            json!({ "anyOf": [{ "type": "string" }, { "type": "string", "enum": [""] }] }),
            "f: not as the empty text",
        ),
        (object(json!({}), json!([])), "f.p: left out, because `f.p` may be anything"),
        (
            object(json!({ "type": "string", "format": "binary" }), json!([])),
            "f.p: left out, because `f.p` is a file",
        ),
        (
            object(json!({ "type": "array" }), json!([])),
            "f.p: left out, because `f.p` is an array of anything",
        ),
        (
            json!({ "$ref": "#/components/schemas/circle" }),
            "f.x: left out, because `f.x` leads back to itself by `#/components/schemas/circle`",
        ),
        (
            json!({ "type": "object", "properties": { "q": { "type": "boolean" } }, "anyOf": [{ "required": ["q"] }] }),
            "f: not checked that it has one of several sets of fields",
        ),
    ] {
        let (_, notes) = narrowed(&schema).unwrap();
        assert_eq!(notes, [note], "{schema}");
    }
    for (schema, why) in [
        (object(json!({}), json!(["p"])), "`f.p` may be anything"),
        (
            json!({ "$ref": "#/components/schemas/none" }),
            "the reference `#/components/schemas/none` is to nothing in this document",
        ),
        (
            json!({ "$ref": "http://example.com/x" }),
            "the reference `http://example.com/x` is to nothing in this document",
        ),
        (json!({ "type": "string", "enum": [7] }), "`f` lists no value of the type string"),
        (
            json!({ "allOf": [{ "type": "string" }, { "type": "boolean" }] }),
            "`f` combines what cannot be combined",
        ),
        (json!(true), "`f` is no schema"),
    ] {
        assert_eq!(narrowed(&schema), Err(why.to_owned()), "{schema}");
    }
    let mut deep = json!({ "type": "boolean" });
    for _ in 0..SCHEMA_DEPTH_MAX {
        deep = json!({ "type": "array", "items": deep });
    }
    assert!(narrowed(&deep).unwrap_err().contains("is deeper than 12 levels"));
}
