//! How a body is written: canonical JSON, a merge patch, or a form.

use serde_json::Value;
use url::form_urlencoded::Serializer;

use crate::action::expr::as_text;
use crate::json::canonical;

/// The encodings that a manifest may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::action) enum Encoding {
    /// `application/json`.
    #[default]
    Json,
    /// `application/x-www-form-urlencoded`, nested keys as `a[b]`.
    Form,
    /// `application/merge-patch+json` (RFC 7396).
    MergePatch,
}

impl Encoding {
    const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Form => "application/x-www-form-urlencoded",
            Self::MergePatch => "application/merge-patch+json",
        }
    }

    /// Content type and text of a body.
    pub(super) fn write(self, body: &Value) -> Result<(String, String), String> {
        let text = match self {
            Self::Json | Self::MergePatch => {
                String::from_utf8(canonical(body)).map_err(|_| "it is not UTF-8".to_owned())?
            }
            Self::Form => form(body)?,
        };
        Ok((self.content_type().to_owned(), text))
    }
}

/// Pairs sorted by key, nested keys in brackets as Stripe and PHP read them.
fn form(body: &Value) -> Result<String, String> {
    if !body.is_object() {
        return Err("a form is an object".to_owned());
    }
    let mut pairs = Vec::new();
    flatten("", body, &mut pairs)?;
    let mut serializer = Serializer::new(String::new());
    for (key, value) in &pairs {
        serializer.append_pair(key, value);
    }
    Ok(serializer.finish())
}

fn flatten(key: &str, value: &Value, pairs: &mut Vec<(String, String)>) -> Result<(), String> {
    let child = |name: &str| if key.is_empty() { name.to_owned() } else { format!("{key}[{name}]") };
    match value {
        Value::Object(map) => {
            let mut names: Vec<&String> = map.keys().collect();
            names.sort();
            for name in names {
                // A key with brackets could be read as another field.
                if name.is_empty() || name.contains(['[', ']']) {
                    return Err("a form key is empty or has brackets".to_owned());
                }
                flatten(&child(name), map.get(name).unwrap_or(&Value::Null), pairs)?;
            }
        }
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                flatten(&child(&at.to_string()), item, pairs)?;
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            let text = as_text(value).ok_or_else(|| format!("`{key}` is null, which a form cannot say"))?;
            pairs.push((key.to_owned(), text));
        }
    }
    Ok(())
}
