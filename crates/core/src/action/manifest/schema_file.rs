//! `schema = "file.json"`: a whole JSON Schema beside the manifest.

use serde_json::Value;

use crate::json;
use crate::problem::SourceFile;

/// The files beside a manifest.
pub(super) struct Schemas<'a> {
    pub(super) manifest: &'a SourceFile,
    pub(super) all: &'a [SourceFile],
}

impl Schemas<'_> {
    /// The schema of this name, beside the manifest. Only what was read with the gate directory is looked at, so no name
    /// leads out of it.
    pub(super) fn read(&self, name: &str) -> Result<Value, String> {
        let folder = self.manifest.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let path = if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
        let Some(file) = self.all.iter().find(|file| file.path == path && super::is_schema(file)) else {
            return Err(format!("there is no schema `{name}` beside this file"));
        };
        json::read(file.text.as_bytes())
            .map_err(|error| format!("`{name}` is not JSON: {} at byte {}", error.detail, error.offset))
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
        for (name, schema, said) in [
            ("refunds.json", REFUND, "there is no schema `refunds.json` beside this file"),
            ("../stripe.toml", REFUND, "there is no schema"),
            ("stripe.toml", REFUND, "there is no schema"),
            ("/etc/passwd", REFUND, "there is no schema"),
            ("refund.json", "{", "`refund.json` is not JSON"),
            ("refund.json", r#"{"type": "object", "type": "object"}"#, "`refund.json` is not JSON"),
            ("refund.json", "7", "`schema` is no table"),
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
