//! What a schema may say. JSON Schema is open by default; this linter turns every silent hole into a
//! finding at load: unknown keywords, open objects, references, combinators, unbounded text (T54-T56).

use serde_json::{Map, Value};

use super::{InputSchema, build, forms, properties, type_of};
use crate::limits::{JSON_STRING_BYTES_MAX, SCHEMA_BYTES_MAX, SCHEMA_DEPTH_MAX, SCHEMA_FORMS_MAX};

/// One finding about a schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::action) struct LintFinding {
    /// The fields on the way to it, e.g. `["changes", "email"]`.
    pub(in crate::action) path: Vec<String>,
    /// Whether the action can still be used.
    pub(in crate::action) warning: bool,
    /// A lower-case fragment.
    pub(in crate::action) message: String,
    /// A sentence.
    pub(in crate::action) remedy: String,
}

const ANY: [&str; 10] = [
    "type",
    "title",
    "description",
    "default",
    "enum",
    "const",
    "format",
    "deprecated",
    "examples",
    "$comment",
];
const FORMATS: [&str; 9] = ["date-time", "date", "time", "email", "hostname", "ipv4", "ipv6", "uri", "uuid"];
/// Formats whose texts cannot be long.
const SHORT_FORMATS: [&str; 7] = ["date-time", "date", "time", "email", "ipv4", "ipv6", "uuid"];

/// Checks the closed schema of an input. Nothing found, or only warnings: it can be compiled.
pub(in crate::action) fn lint(schema: &Value) -> Vec<LintFinding> {
    check(schema, false)
}

/// Checks the schema of an upstream's answer. It may be open, and its texts need no bounds of their own.
pub(in crate::action) fn lint_output(schema: &Value) -> Vec<LintFinding> {
    let mut found = check(schema, true);
    found.retain(|finding| !finding.warning);
    found
}

fn check(schema: &Value, output: bool) -> Vec<LintFinding> {
    let mut linter = Linter { path: Vec::new(), found: Vec::new(), output, in_form: false };
    if schema.to_string().len() > SCHEMA_BYTES_MAX {
        linter.error(
            format!("the schema is larger than {SCHEMA_BYTES_MAX} bytes"),
            "Split the action: a person has to review this.",
        );
    } else if type_of(schema) == Some(("object", false)) {
        linter.schema(schema, 1);
    } else {
        linter.error("the schema's type is not `object`", "An input is always a JSON object.");
    }
    linter.found
}

struct Linter {
    path: Vec<String>,
    found: Vec<LintFinding>,
    /// Of an answer and not of an input.
    output: bool,
    /// Inside one of several forms.
    in_form: bool,
}

impl Linter {
    fn push(&mut self, warning: bool, message: String, remedy: &str) {
        let finding = LintFinding { path: self.path.clone(), warning, message, remedy: remedy.to_owned() };
        self.found.push(finding);
    }

    fn error(&mut self, message: impl Into<String>, remedy: &str) {
        self.push(false, message.into(), remedy);
    }

    fn warn(&mut self, message: impl Into<String>, remedy: &str) {
        self.push(true, message.into(), remedy);
    }

    fn schema(&mut self, schema: &Value, depth: usize) {
        let Some(map) = schema.as_object() else {
            return self.error("a schema must be a table", "Write `{ type = \"string\", maxLength = 100 }`.");
        };
        if depth > SCHEMA_DEPTH_MAX {
            return self.error(
                format!("the schema is deeper than {SCHEMA_DEPTH_MAX} levels"),
                "Make the input flatter.",
            );
        }
        if let Some(found) = forms(schema) {
            return self.forms(map, found, depth);
        }
        let Some((kind, _)) = type_of(schema) else {
            return self.error(
                "`type` is missing or is not one name",
                "Name exactly one type, and `nullable = true` where null is a value. An object of several forms has \
                 `oneOf` instead.",
            );
        };
        let own: &[&str] = match kind {
            "string" => &["pattern", "minLength", "maxLength"],
            "integer" | "number" => {
                &["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"]
            }
            "array" => &["items", "minItems", "maxItems", "uniqueItems"],
            "object" => &["properties", "required", "additionalProperties", "minProperties", "maxProperties"],
            "boolean" => &[],
            _ => {
                return self.error(
                    format!("the type `{kind}` is not known"),
                    "Use string, integer, number, boolean, array or object.",
                );
            }
        };
        self.keywords(map, kind, own);
        match kind {
            "string" => self.string(map),
            "array" => self.array(map, depth),
            "object" => self.object(schema, map, depth),
            _ => {}
        }
        self.default(schema);
    }

    fn keywords(&mut self, map: &Map<String, Value>, kind: &str, own: &[&str]) {
        for keyword in map.keys().map(String::as_str) {
            if ANY.contains(&keyword) || own.contains(&keyword) {
                continue;
            }
            let remedy = match keyword {
                "$ref" | "$defs" | "$dynamicRef" | "$id" | "$anchor" | "definitions" => {
                    "Only `schema` may have references, of the form `#/$defs/Name`: here, write the schema out."
                }
                "nullable" => "Write `nullable = true` beside one `type`.",
                "oneOf" => "Name the forms and nothing else.",
                "anyOf"
                | "allOf"
                | "not"
                | "if"
                | "then"
                | "else"
                | "dependentSchemas"
                | "patternProperties"
                | "unevaluatedProperties"
                | "unevaluatedItems" => {
                    "Use one type for each field, or `oneOf` for an object of several forms."
                }
                _ => "Remove it, or correct its name: an unknown keyword would be ignored silently.",
            };
            self.error(format!("the keyword `{keyword}` is not supported for the type `{kind}`"), remedy);
        }
        if let Some(format) = map.get("format").filter(|f| !f.as_str().is_some_and(|f| FORMATS.contains(&f)))
        {
            self.error(
                format!("the format {format} is not known"),
                "Use date-time, date, time, email, hostname, ipv4, ipv6, uri or uuid.",
            );
        }
        if map.get("enum").is_some_and(|e| e.as_array().is_none_or(Vec::is_empty)) {
            self.error("`enum` is not a list of values", "List at least one value.");
        }
    }

    fn string(&mut self, map: &Map<String, Value>) {
        let pattern = map.get("pattern").and_then(Value::as_str);
        if let Some(pattern) = pattern
            && build(&serde_json::json!({ "pattern": pattern })).is_err()
        {
            self.error(
                format!("the pattern `{pattern}` does not compile"),
                "Look-around and back references are not supported: patterns run in linear time.",
            );
        }
        if pattern.is_some_and(|p| !p.starts_with('^') || !p.ends_with('$')) {
            self.warn(
                "the pattern is not anchored, so it only has to match somewhere in the text",
                "Write it as `^...$`.",
            );
        }
        let format = map.get("format").and_then(Value::as_str).unwrap_or_default();
        let bounded = ["maxLength", "enum", "const"].iter().any(|k| map.contains_key(*k))
            || SHORT_FORMATS.contains(&format)
            || pattern.is_some_and(is_bounded_pattern);
        if !bounded {
            self.warn(
                format!("nothing bounds this text, so it may have {JSON_STRING_BYTES_MAX} bytes"),
                "Add `maxLength`, `enum` or a pattern of the form `^...{1,64}$`.",
            );
        }
    }

    fn array(&mut self, map: &Map<String, Value>, depth: usize) {
        let Some(items) = map.get("items") else {
            return self.error("an array without `items`", "Say what its elements are.");
        };
        if !map.contains_key("maxItems") {
            self.warn("nothing bounds the length of this array", "Add `maxItems`.");
        }
        self.path.push("items".to_owned());
        self.schema(items, depth.saturating_add(1));
        self.path.pop();
    }

    /// Several forms of one object. People see a value whole; policy does not see it.
    fn forms(&mut self, map: &Map<String, Value>, found: &[Value], depth: usize) {
        for keyword in map.keys().filter(|key| !["oneOf", "title", "description"].contains(&key.as_str())) {
            self.error(format!("`{keyword}` beside `oneOf`"), "Write it into each form.");
        }
        if !(2..=SCHEMA_FORMS_MAX).contains(&found.len()) {
            return self.error(
                format!("`oneOf` has {} forms", found.len()),
                &format!("Write 2 to {SCHEMA_FORMS_MAX} forms."),
            );
        }
        self.warn(
            "policies do not see this field, because it has several forms",
            "Split the action for them to see it.",
        );
        let outer = std::mem::replace(&mut self.in_form, true);
        for (at, form) in found.iter().enumerate() {
            let before = self.found.len();
            if type_of(form) == Some(("object", false)) {
                self.schema(form, depth.saturating_add(1));
            } else {
                self.error("its type is not `object`", "Only objects have several forms.");
            }
            for finding in self.found.iter_mut().skip(before) {
                finding.message = format!("form {}: {}", at.saturating_add(1), finding.message);
            }
        }
        self.in_form = outer;
    }

    /// What an object may have besides the fields that are named.
    fn others(&mut self, map: &Map<String, Value>, depth: usize) {
        let others = match map.get("additionalProperties") {
            Some(Value::Bool(false)) => return,
            None if self.output => return,
            Some(Value::Bool(true)) => None,
            Some(schema @ Value::Object(_)) => Some(schema),
            Some(_) | None => {
                return self.error(
                    "`additionalProperties` is neither true, false nor a schema",
                    "Leave it out for an object that has the named fields alone.",
                );
            }
        };
        self.warn(
            "policies do not see the fields of this object that are not named here",
            "Name what a policy should see; people see all of it.",
        );
        if !map.contains_key("maxProperties") {
            self.warn("nothing bounds how many fields this object may have", "Add `maxProperties`.");
        }
        if let Some(schema) = others {
            self.path.push("additionalProperties".to_owned());
            self.schema(schema, depth.saturating_add(1));
            self.path.pop();
        }
    }

    fn object(&mut self, schema: &Value, map: &Map<String, Value>, depth: usize) {
        self.others(map, depth);
        let known = properties(schema);
        if known.is_none() {
            return self.error("`properties` is not a table", "Name the fields of the object.");
        }
        match map.get("required") {
            None => {}
            Some(Value::Array(names)) => {
                for name in names {
                    let listed = name.as_str().is_some_and(|n| known.is_some_and(|k| k.contains_key(n)));
                    if !listed {
                        self.error(
                            format!("`required` names {name}, which is no field"),
                            "Correct the name.",
                        );
                    }
                }
            }
            Some(_) => self.error(
                "`required` is neither true, false nor a list of fields",
                "Write `required = true` on the field itself.",
            ),
        }
        for (name, property) in known.into_iter().flatten() {
            self.path.push(name.clone());
            self.schema(property, depth.saturating_add(1));
            self.path.pop();
        }
    }

    /// A default must fit its own schema: it is applied before validation, and policy relies on it.
    fn default(&mut self, schema: &Value) {
        let Some(default) = schema.get("default") else { return };
        if self.output {
            return self
                .error("an answer has no defaults", "Remove `default`: an answer is shown as it came.");
        }
        if self.in_form {
            let remedy = "Remove `default`: which form a value has is not known before it is valid.";
            return self.error("a default inside one of several forms", remedy);
        }
        if self.found.iter().any(|f| !f.warning) {
            return;
        }
        let mut wrapped = serde_json::json!({"type": "object", "properties": {"value": schema}});
        if let Some(inner) = wrapped.pointer_mut("/properties/value").and_then(Value::as_object_mut) {
            inner.remove("default");
        }
        let fits = InputSchema::compile(&wrapped)
            .is_ok_and(|s| s.validate(&wrapped, serde_json::json!({ "value": default })).is_ok());
        if !fits {
            self.error("the default does not fit its own schema", "Correct the default or the schema.");
        }
    }
}

/// Whether a pattern is anchored at both ends and repeats nothing without a bound. Conservative: what is not
/// understood counts as unbounded, which is only a warning.
fn is_bounded_pattern(pattern: &str) -> bool {
    let Some(inner) = pattern.strip_prefix('^').and_then(|p| p.strip_suffix('$')) else { return false };
    let mut chars = inner.chars().peekable();
    let mut in_class = false;
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                chars.next();
            }
            '[' => in_class = true,
            ']' => in_class = false,
            _ if in_class => {}
            '*' | '+' | '|' => return false,
            '{' => {
                let bound: String = chars.by_ref().take_while(|c| *c != '}').collect();
                if bound.ends_with(',') {
                    return false;
                }
            }
            _ => {}
        }
    }
    true
}
