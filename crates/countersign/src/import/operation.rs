//! One operation as an action.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::document::{ApiDocument, ApiOperation};
use super::narrow::Narrowing;
use super::risk::{self, Groups};
use super::text;

/// Characters of an action's description.
const DESCRIPTION_CHARS_MAX: usize = 600;
/// What one segment of a path may be.
const SEGMENT: &str = "^[^/]{1,255}$";
/// The field of a body that is no object of named fields.
const BODY: &str = "body";

/// An action as it will be written.
#[derive(Debug)]
pub(super) struct Draft {
    /// `PATCH /issues/{number}`.
    pub(super) place: String,
    /// Without the system's name.
    pub(super) name: String,
    pub(super) title: String,
    pub(super) description: String,
    pub(super) groups: Groups,
    /// The input: a whole schema.
    pub(super) schema: Value,
    pub(super) resource_type: String,
    pub(super) resource_id: String,
    /// The path of the read before the change.
    pub(super) read: Option<String>,
    pub(super) method: &'static str,
    /// With `${input.…}` for its parameters.
    pub(super) path: String,
    /// Names and expressions.
    pub(super) query: Vec<(String, String)>,
    /// What is sent, and how.
    pub(super) body: Option<SentBody>,
    /// The header that makes a repeat harmless.
    pub(super) key_header: Option<String>,
    /// What an agent cannot send, and what else a reviewer should know.
    pub(super) notes: Vec<String>,
}

/// The body of a request.
#[derive(Debug)]
pub(super) struct SentBody {
    /// `json` or `form`.
    pub(super) encoding: &'static str,
    /// Named members, or one expression for all of it.
    pub(super) members: Result<Vec<(String, String)>, String>,
}

/// The input as it grows.
#[derive(Debug, Default)]
struct Input {
    properties: Map<String, Value>,
    required: BTreeSet<String>,
}

impl Input {
    /// Adds a field under a name of its own, and gives the expression that stands for it.
    fn field(&mut self, name: &str, schema: Value, required: bool) -> String {
        let plain = text::field_name(name);
        let mut field = plain.clone();
        for again in 2..100_u8 {
            if !self.properties.contains_key(&field) {
                break;
            }
            field = format!("{plain}_{again}");
        }
        if required {
            self.required.insert(field.clone());
        }
        let expression = format!("${{input.{field}}}");
        self.properties.insert(field, schema);
        expression
    }

    fn into_schema(self) -> Value {
        let required: Vec<String> = self.required.into_iter().collect();
        json!({ "type": "object", "properties": self.properties, "required": required })
    }
}

/// The action of an operation, or why a gate cannot take it. Without `patterns`, none is checked.
pub(super) fn draft<'a>(
    document: ApiDocument<'a>,
    operation: ApiOperation<'a>,
    patterns: bool,
) -> Result<Draft, String> {
    if !operation.value.is_object() {
        return Err("it is no object".to_owned());
    }
    let id = operation.text("operationId");
    let place = operation.place();
    let name = text::action_name(id.unwrap_or(&place)).ok_or("its `operationId` has no letters")?;
    let mut narrowing = Narrowing::new(document, patterns);
    let mut input = Input::default();
    let parameters = Parameters::read(document, operation, &mut narrowing, &mut input)?;
    let body = sent(document, operation, &mut narrowing, &mut input)?;
    let summary = operation.text("summary").or(operation.text("description"));
    let title = text::title(summary.filter(|text| !text.trim().is_empty()).unwrap_or(&place));
    let described = operation.text("description").or(summary).unwrap_or(&place);
    let description = text::plain(described, DESCRIPTION_CHARS_MAX);
    let words: Vec<String> = text::words(id.unwrap_or_default())
        .into_iter()
        .chain(operation.path.split('/').filter(|part| !part.contains('{')).flat_map(text::words))
        .collect();
    let mut notes = std::mem::take(&mut narrowing.notes);
    notes.extend(parameters.notes);
    if operation.value.get("deprecated") == Some(&Value::Bool(true)) {
        notes.push("the document calls it deprecated".to_owned());
    }
    let read = (!is_safe(operation.method)).then(|| record_of(document, operation.path)).flatten();
    Ok(Draft {
        groups: risk::groups(operation.method, &words),
        title: if title.is_empty() { place.clone() } else { title },
        description: if description.is_empty() { place.clone() } else { description },
        place,
        name,
        schema: input.into_schema(),
        resource_type: text::resource_type(operation.path),
        resource_id: resource_id(&parameters.in_path),
        read: read.map(|path| with_expressions(path, &parameters.in_path)),
        method: operation.method,
        path: with_expressions(operation.path, &parameters.in_path),
        query: parameters.query,
        body,
        key_header: parameters.key_header,
        notes,
    })
}

fn is_safe(method: &str) -> bool {
    matches!(method, "GET" | "HEAD")
}

/// A parameter of a path: its name there, its expression, and whether that is a text.
type InPath = Vec<(String, String, bool)>;

#[derive(Debug, Default)]
struct Parameters {
    in_path: InPath,
    query: Vec<(String, String)>,
    key_header: Option<String>,
    notes: Vec<String>,
}

impl Parameters {
    fn read<'a>(
        document: ApiDocument<'a>,
        operation: ApiOperation<'a>,
        narrowing: &mut Narrowing<'a>,
        input: &mut Input,
    ) -> Result<Self, String> {
        let mut found = Self::default();
        for parameter in operation.parameters(document)? {
            let text = |key: &str| parameter.get(key).and_then(Value::as_str).unwrap_or_default();
            let (name, place) = (text("name"), text("in"));
            let required = place == "path" || parameter.get("required") == Some(&Value::Bool(true));
            if place == "header" && name.eq_ignore_ascii_case("idempotency-key") {
                found.key_header = Some(name.to_owned());
                continue;
            }
            match found.one(parameter, (name, place, required), narrowing, input) {
                Ok(()) => {}
                Err(why) if required => return Err(format!("its parameter `{name}` is needed, and {why}")),
                Err(why) => found.notes.push(format!("{place} `{name}`: left out, because {why}")),
            }
        }
        let mut rest = operation.path;
        while let Some((_, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').ok_or("its path has a brace that is not closed")?;
            if !found.in_path.iter().any(|(known, ..)| known == name) {
                return Err(format!("its path parameter `{name}` is not declared"));
            }
            rest = after;
        }
        Ok(found)
    }

    fn one<'a>(
        &mut self,
        parameter: &'a Map<String, Value>,
        (name, place, required): (&str, &str, bool),
        narrowing: &mut Narrowing<'a>,
        input: &mut Input,
    ) -> Result<(), String> {
        if place != "path" && place != "query" {
            return Err(format!("a gate sends no {place} that an agent chose"));
        }
        let content = parameter.get("content").is_some();
        let schema = parameter.get("schema").filter(|_| !content).ok_or("it has no plain schema")?;
        let mut schema = narrowing.schema(schema, name)?;
        let Some(map) = schema.as_object_mut() else { return Err("it has no schema".to_owned()) };
        let kind = map.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
        if !matches!(kind.as_str(), "string" | "integer" | "number" | "boolean") {
            return Err(format!("it is an {kind}, which does not fit into a {place}"));
        }
        // A text in an address cannot be null.
        map.remove("nullable");
        if let Some(Value::String(description)) = parameter.get("description") {
            map.insert("description".to_owned(), text::plain(description, 300).into());
        }
        // One segment of the path, so that what names a thing cannot be read as something else's name.
        if place == "path"
            && kind == "string"
            && !["pattern", "enum", "const"].iter().any(|key| map.contains_key(*key))
        {
            map.insert("pattern".to_owned(), SEGMENT.into());
        }
        let expression = input.field(name, schema, required);
        if place == "path" {
            self.in_path.push((name.to_owned(), expression, kind == "string"));
        } else {
            self.query.push((name.to_owned(), expression));
        }
        Ok(())
    }
}

/// A path with its parameters as expressions.
fn with_expressions(path: &str, parameters: &InPath) -> String {
    parameters
        .iter()
        .fold(path.to_owned(), |path, (name, expression, _)| path.replace(&format!("{{{name}}}"), expression))
}

/// The parameters of the path, which name what is touched, as one expression.
fn resource_id(parameters: &InPath) -> String {
    let part = |(_, expression, is_text): &(String, String, bool)| {
        let inner = expression.trim_start_matches("${").trim_end_matches('}');
        if *is_text { inner.to_owned() } else { format!("string({inner})") }
    };
    let parts: Vec<String> = parameters.iter().map(part).collect();
    if parts.is_empty() { "all".to_owned() } else { format!("${{{}}}", parts.join(" + '/' + ")) }
}

/// The path of the record that a change is about: the longest beginning of its path that names one thing and can be read.
fn record_of<'a>(document: ApiDocument<'a>, path: &'a str) -> Option<&'a str> {
    let mut at = path;
    loop {
        let last = at.rsplit('/').next()?;
        if last.starts_with('{') && last.ends_with('}') {
            let read = document.operation("GET", at);
            if let Some(read) = read.filter(|read| reads_alone(document, *read)) {
                return Some(read.path);
            }
        }
        at = at.rsplit_once('/').map(|(before, _)| before).filter(|before| !before.is_empty())?;
    }
}

/// Whether an operation needs nothing but its path, and answers JSON.
fn reads_alone<'a>(document: ApiDocument<'a>, read: ApiOperation<'a>) -> bool {
    let needs = |parameter: &&Map<String, Value>| {
        parameter.get("in") != Some(&json!("path")) && parameter.get("required") == Some(&Value::Bool(true))
    };
    let answer = read.value.pointer("/responses/200").and_then(|answer| document.resolved(answer).ok());
    let json = answer.is_some_and(|answer| answer.pointer("/content/application~1json").is_some());
    json && read.parameters(document).is_ok_and(|parameters| !parameters.iter().any(needs))
}

fn sent<'a>(
    document: ApiDocument<'a>,
    operation: ApiOperation<'a>,
    narrowing: &mut Narrowing<'a>,
    input: &mut Input,
) -> Result<Option<SentBody>, String> {
    let Some(body) = operation.value.get("requestBody").filter(|_| !is_safe(operation.method)) else {
        return Ok(None);
    };
    let body = document.resolved(body)?;
    let required = body.get("required") == Some(&Value::Bool(true));
    let contents = body.get("content").and_then(Value::as_object).ok_or("its body has no content")?;
    let of =
        |kind: &str| contents.iter().find(|(name, _)| name.split(';').next() == Some(kind)).map(|(_, v)| v);
    let json = of("application/json").map(|content| ("json", content));
    let found = json.or_else(|| of("application/x-www-form-urlencoded").map(|content| ("form", content)));
    let Some((encoding, content)) = found else {
        let kinds: Vec<&str> = contents.keys().map(String::as_str).collect();
        return if required {
            Err(format!("its body is {}; a gate writes JSON and forms", kinds.join(", ")))
        } else {
            Ok(None)
        };
    };
    let Some(schema) = content.get("schema") else { return Err("its body has no schema".to_owned()) };
    let narrowed = match narrowing.schema(schema, BODY) {
        Ok(narrowed) => narrowed,
        Err(why) if required => return Err(why),
        Err(why) => {
            narrowing.notes.push(format!("the body is left out, because {why}"));
            return Ok(None);
        }
    };
    let named = narrowed.get("properties").and_then(Value::as_object).filter(|named| !named.is_empty());
    let Some(named) = named else {
        let free = narrowed.get("additionalProperties").is_some();
        if narrowed.get("type") == Some(&json!("object")) && !free {
            // An object without fields: nothing is sent.
            return Ok(None);
        }
        if encoding == "form" && narrowed.get("type") != Some(&json!("object")) {
            return Err("its body is no table of fields".to_owned());
        }
        let expression = input.field(BODY, narrowed, required);
        return Ok(Some(SentBody { encoding, members: Err(expression) }));
    };
    let needed: Vec<&str> = narrowed
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let mut members = Vec::new();
    for (name, schema) in named {
        let expression = input.field(name, schema.clone(), required && needed.contains(&name.as_str()));
        members.push((name.clone(), expression));
    }
    Ok(Some(SentBody { encoding, members: Ok(members) }))
}
