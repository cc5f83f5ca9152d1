//! An OpenAPI document (3.0, 3.1, 3.2) as a tree of JSON. It is walked and never read into types: one odd object must not
//! lose a document of a thousand operations.

use serde_json::{Map, Value};

/// References that may follow each other before they lead to something.
const HOPS_MAX: usize = 16;
/// The methods of operations that a gate can send.
const METHODS: [&str; 6] = ["get", "head", "post", "put", "patch", "delete"];

/// A document.
#[derive(Debug, Clone, Copy)]
pub(super) struct ApiDocument<'a>(&'a Value);

/// One operation, where it stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct ApiOperation<'a> {
    /// In upper case.
    pub(super) method: &'static str,
    pub(super) path: &'a str,
    /// The path item that it is in.
    pub(super) item: &'a Value,
    pub(super) value: &'a Value,
}

impl<'a> ApiDocument<'a> {
    /// Why it is no OpenAPI document.
    pub(super) fn new(value: &'a Value) -> Result<Self, String> {
        match value.get("openapi").and_then(Value::as_str) {
            Some(version) if version.starts_with("3.") => {}
            Some(version) => return Err(format!("OpenAPI {version} is not read; 3.0 and later are")),
            None if value.get("swagger").is_some() => {
                return Err("Swagger 2.0 is not read; convert it to OpenAPI 3 first".to_owned());
            }
            None => return Err("it is no OpenAPI document: `openapi` is missing".to_owned()),
        }
        if !value.get("paths").is_some_and(Value::is_object) {
            return Err("it has no `paths`".to_owned());
        }
        Ok(Self(value))
    }

    /// Every operation, in the order of paths and methods.
    pub(super) fn operations(self) -> Vec<ApiOperation<'a>> {
        let paths = self.0.get("paths").and_then(Value::as_object);
        let mut found = Vec::new();
        for (path, item) in paths.into_iter().flatten() {
            let Ok(item) = self.resolved(item) else { continue };
            for (method, upper) in METHODS.into_iter().zip(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])
            {
                if let Some(value) = item.get(method) {
                    found.push(ApiOperation { method: upper, path, item, value });
                }
            }
        }
        found
    }

    /// The operation of this method at this path.
    pub(super) fn operation(self, method: &str, path: &str) -> Option<ApiOperation<'a>> {
        self.operations().into_iter().find(|found| found.method == method && found.path == path)
    }

    /// What a reference leads to, or the value itself. Only within the document.
    pub(super) fn resolved(self, value: &'a Value) -> Result<&'a Value, String> {
        let mut value = value;
        for _ in 0..HOPS_MAX {
            let Some(reference) = reference_of(value) else { return Ok(value) };
            value = self.target(reference)?;
        }
        Err("references that lead to each other".to_owned())
    }

    /// What one reference leads to.
    pub(super) fn target(self, reference: &str) -> Result<&'a Value, String> {
        let pointer = reference.strip_prefix('#').filter(|pointer| pointer.starts_with('/'));
        let found = pointer.and_then(|pointer| self.0.pointer(pointer));
        found.ok_or_else(|| format!("the reference `{reference}` is to nothing in this document"))
    }

    /// Where the API is: the first server, if it is one address without variables.
    pub(super) fn server(self) -> Result<String, String> {
        let server = self.0.pointer("/servers/0").ok_or("the document names no server")?;
        let url = server.get("url").and_then(Value::as_str).unwrap_or_default();
        if url.contains('{') {
            return Err(format!("the server's address `{url}` has variables"));
        }
        if !url.starts_with("https://") && !url.starts_with("http://") {
            return Err(format!("the server's address `{url}` is no whole address"));
        }
        Ok(url.trim_end_matches('/').to_owned())
    }
}

impl<'a> ApiOperation<'a> {
    /// `PATCH /issues/{number}`.
    pub(super) fn place(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// A text member.
    pub(super) fn text(&self, name: &str) -> Option<&'a str> {
        self.value.get(name).and_then(Value::as_str)
    }

    /// Its tags.
    pub(super) fn tags(&self) -> impl Iterator<Item = &'a str> {
        self.value.get("tags").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
    }

    /// The parameters of the operation and of its path, an operation's own before its path's of the same name.
    pub(super) fn parameters(
        &self,
        document: ApiDocument<'a>,
    ) -> Result<Vec<&'a Map<String, Value>>, String> {
        let mut found: Vec<&Map<String, Value>> = Vec::new();
        for from in [self.value, self.item] {
            let list = from.get("parameters").and_then(Value::as_array).into_iter().flatten();
            for parameter in list {
                let parameter = document.resolved(parameter)?;
                let parameter = parameter.as_object().ok_or("a parameter is no object")?;
                let same = |other: &&Map<String, Value>| {
                    other.get("name") == parameter.get("name") && other.get("in") == parameter.get("in")
                };
                if !found.iter().any(same) {
                    found.push(parameter);
                }
            }
        }
        Ok(found)
    }
}

/// Where a value refers to.
pub(super) fn reference_of(value: &Value) -> Option<&str> {
    value.get("$ref").and_then(Value::as_str)
}
