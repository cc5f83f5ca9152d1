//! Rewrites the schemas of enums so that client generators make enums and named classes of them. The values that fit a
//! schema stay the same.

use serde_json::{Map, Value};

/// Rewrites every enum among these definitions: one whose variants are words becomes `enum`, and each variant of any
/// other gets a title of its own, such as `StatePending`.
pub(super) fn for_generators(mut definitions: Map<String, Value>) -> Map<String, Value> {
    for (name, schema) in &mut definitions {
        let Some(schema) = schema.as_object_mut() else { continue };
        let Some(Value::Array(mut variants)) = schema.remove("oneOf") else { continue };
        if let Some(words) = variants.iter().map(word).collect::<Option<Vec<_>>>() {
            let about = schema.get("description").and_then(Value::as_str).unwrap_or_default();
            let rows = words.iter().map(|(word, about)| format!("- `{word}`: {about}"));
            let about = format!("{about}\n\n{}", rows.collect::<Vec<_>>().join("\n"));
            let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            schema.extend([
                ("description".to_owned(), Value::from(about)),
                ("type".to_owned(), Value::from("string")),
                ("enum".to_owned(), Value::from(words)),
            ]);
        } else {
            variants.iter_mut().for_each(|variant| set_title(name, variant));
            schema.insert("oneOf".to_owned(), Value::Array(variants));
        }
    }
    definitions
}

/// A variant that is a word, and what it means.
fn word(variant: &Value) -> Option<(&str, &str)> {
    let about = variant.get("description").and_then(Value::as_str).unwrap_or_default();
    Some((variant.get("const")?.as_str()?, about))
}

fn set_title(of: &str, variant: &mut Value) {
    let Some(variant) = variant.as_object_mut() else { return };
    let tag =
        variant.get("properties").and_then(Value::as_object).into_iter().flatten().find_map(|(_, p)| word(p));
    let Some((tag, _)) = tag else { return };
    let title = tag.split('_').fold(of.to_owned(), |mut title, part| {
        let mut letters = part.chars();
        title.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        title.push_str(letters.as_str());
        title
    });
    variant.insert("title".to_owned(), Value::from(title));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn words_become_an_enum_and_other_variants_get_titles() {
        let given = json!({
            "Color": { "description": "A color.", "oneOf": [
                { "type": "string", "const": "red", "description": "Like blood." },
                { "type": "string", "const": "blue" },
            ] },
            "State": { "oneOf": [
                { "type": "object", "properties": { "n": {}, "state": { "const": "not_sent" } } },
                { "type": "null" },
            ] },
            "Plain": { "type": "string" },
        });
        let Value::Object(given) = given else { panic!("an object was written above") };
        let expected = json!({
            "Color": {
                "description": "A color.\n\n- `red`: Like blood.\n- `blue`: ",
                "type": "string",
                "enum": ["red", "blue"],
            },
            "State": { "oneOf": [
                {
                    "type": "object",
                    "properties": { "n": {}, "state": { "const": "not_sent" } },
                    "title": "StateNotSent",
                },
                { "type": "null" },
            ] },
            "Plain": { "type": "string" },
        });
        assert_eq!(Value::Object(for_generators(given)), expected);
    }
}
