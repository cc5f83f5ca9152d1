//! `schema = "file.json"`: a whole JSON Schema beside the manifest, or one of several in a file (`file.json#/name`).

use std::collections::BTreeMap;

use serde_json::Value;

use crate::action::schema;
use crate::json;
use crate::problem::SourceFile;

/// The schemas of a gate directory: by path, each read once, because a file may hold those of a thousand actions.
pub(super) struct Schemas(BTreeMap<String, Result<Value, String>>);

impl Schemas {
    /// Reads the JSON files among these.
    pub(super) fn read(files: &[SourceFile]) -> Self {
        let read = |file: &SourceFile| {
            let found = json::read_file(file.text.as_bytes());
            found.map_err(|error| format!("is not JSON: {} at byte {}", error.detail, error.offset))
        };
        let schemas = files.iter().filter(|file| super::is_schema(file));
        Self(schemas.map(|file| (file.path.clone(), read(file))).collect())
    }

    /// The schema of this name, beside the manifest, with its references written out: what else is in its file is no part
    /// of it. Only what was read with the gate directory is looked at, so no name leads out of it.
    pub(super) fn find(&self, manifest: &SourceFile, name: &str) -> Result<Value, String> {
        let (file, pointer) = name.split_once('#').unwrap_or((name, ""));
        let folder = manifest.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let path = if folder.is_empty() { file.to_owned() } else { format!("{folder}/{file}") };
        let Some(found) = self.0.get(&path) else {
            return Err(format!("there is no schema `{file}` beside this file"));
        };
        let document = found.as_ref().map_err(|error| format!("`{file}` {error}"))?;
        let Some(schema) = document.pointer(pointer) else {
            return Err(format!("`{file}` has nothing at `{pointer}`"));
        };
        schema::inline(document, schema).map_err(|message| format!("`{name}`: {message}"))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::action::Registry;

    const STRIPE: &str = include_str!("../../../testdata/actions/stripe.toml");

    fn file(path: &str, text: &str) -> SourceFile {
        SourceFile { path: path.to_owned(), text: text.to_owned() }
    }

    /// The Stripe manifest whose refund takes its input from a file.
    fn with_schema_file(name: &str) -> String {
        let (before, rest) = STRIPE.split_once("[action.\"refund.create\".input]").unwrap();
        let (_, after) = rest.split_once("[action.\"refund.create\".resource]").unwrap();
        let table = "[action.\"refund.create\"]\n";
        format!("{before}[action.\"refund.create\".resource]{after}").replacen(
            table,
            &format!("{table}schema = \"{name}\"\n"),
            1,
        )
    }

    const REFUND: &str = r##"{
  "type": "object",
  "required": ["charge"],
  "properties": {
    "charge": { "$ref": "#/$defs/charge" },
    "amount": { "type": "integer", "minimum": 1, "maximum": 99999999 },
    "reason": { "type": "string", "enum": ["duplicate", "requested_by_customer"], "default": "duplicate" }
  },
  "$defs": { "charge": { "type": "string", "pattern": "^ch_[A-Za-z0-9]{8,64}$" } }
}"##;

    #[test]
    fn a_schema_may_stand_in_a_file_beside_the_manifest() {
        let both = |name: &str, schema: &str| {
            let files =
                [file("actions/refund.json", schema), file("actions/stripe.toml", &with_schema_file(name))];
            Registry::load(&files, &["support".to_owned(), "staging".to_owned()])
        };
        let action = |schema: &str| {
            let (registry, warnings) = both("refund.json", schema).unwrap_or_else(|p| panic!("{p:?}"));
            assert_eq!(warnings, Vec::new());
            Arc::clone(registry.get("stripe.refund.create").unwrap())
        };
        let refund = action(REFUND);
        let input = serde_json::json!({ "charge": "ch_12345678" });
        let input = refund.validate(input).unwrap();
        assert_eq!(input.value()["reason"], "duplicate");
        assert_eq!(refund.schema["properties"]["charge"]["pattern"], "^ch_[A-Za-z0-9]{8,64}$");
        // What the file says belongs to the action's revision.
        assert_ne!(action(&REFUND.replace("99999999", "500")).revision, refund.revision);
        // One of several schemas in a file: what else is there is no part of it.
        let several = |other: &str| {
            let properties = serde_json::json!({
                "charge": { "$ref": "#/charge" },
                "amount": { "type": "integer", "minimum": 1 },
                "reason": { "type": "string", "maxLength": 40 },
            });
            let file_text = serde_json::json!({
                "refund": { "type": "object", "properties": properties, "required": ["charge"] },
                "charge": { "type": "string", "maxLength": 20 },
                "other": other,
            });
            let (registry, _) =
                both("refund.json#/refund", &file_text.to_string()).unwrap_or_else(|p| panic!("{p:?}"));
            Arc::clone(registry.get("stripe.refund.create").unwrap())
        };
        assert_eq!(several("1").schema["properties"]["charge"]["maxLength"], 20);
        assert_eq!(several("1").revision, several("2").revision);
        for (name, schema, said) in [
            ("refunds.json", REFUND, "there is no schema `refunds.json` beside this file"),
            ("../stripe.toml", REFUND, "there is no schema"),
            ("stripe.toml", REFUND, "there is no schema"),
            ("/etc/passwd", REFUND, "there is no schema"),
            ("refund.json", "{", "`refund.json` is not JSON"),
            ("refund.json", r#"{"type": "object", "type": "object"}"#, "`refund.json` is not JSON"),
            ("refund.json", "7", "`schema` is no table"),
            ("refund.json#/none", REFUND, "`refund.json` has nothing at `/none`"),
            (
                "refund.json",
                r#"{"type": "object", "properties": {"charge": {"type": "text"}}}"#,
                "`refund.json` at /properties/charge: the type `text` is not known",
            ),
            (
                "refund.json",
                r##"{"type": "object", "properties": {"charge": {"$ref": "#/$defs/x"}}}"##,
                "`refund.json`: the reference `#/$defs/x` is to no schema",
            ),
        ] {
            let problems = both(name, schema).unwrap_err();
            let found = problems
                .iter()
                .find(|p| p.message.contains(said))
                .unwrap_or_else(|| panic!("{said}: {problems:?}"));
            assert_eq!(found.file, "actions/stripe.toml");
            let line = with_schema_file(name).lines().position(|l| l.starts_with("schema =")).unwrap() + 1;
            assert_eq!(found.line, line, "{found}");
        }
    }
}
