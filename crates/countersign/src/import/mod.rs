//! OpenAPI documents as manifests: one action for each operation that was chosen, each tried as the gate would load it.

mod document;
mod narrow;
mod operation;
mod risk;
mod text;
mod write;

use std::collections::BTreeSet;

use countersign_core::action::Registry;
use countersign_core::limits::TOOL_NAME_MAX;
use countersign_core::problem::{Problem, Severity, SourceFile};
use serde::Serialize;
use serde_json::{Map, Value};

use document::{ApiDocument, ApiOperation};
use operation::Draft;

/// What to import, and what the document does not say.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wanted {
    /// The system's name, and that of its files.
    pub(crate) system: String,
    pub(crate) env: String,
    pub(crate) owner: String,
    /// The API's address, where the document's is not to be used.
    pub(crate) base_url: Option<String>,
    pub(crate) read_credential: Option<String>,
    pub(crate) write_credential: Option<String>,
    /// Only operations with one of these tags; all, if there is none.
    pub(crate) tags: Vec<String>,
    /// Only these methods, in upper case.
    pub(crate) methods: Vec<String>,
    /// Only paths that begin with one of these.
    pub(crate) paths: Vec<String>,
}

impl Wanted {
    fn has(&self, operation: &ApiOperation<'_>) -> bool {
        let tagged = self.tags.is_empty() || operation.tags().any(|tag| self.tags.iter().any(|t| t == tag));
        let method = self.methods.is_empty() || self.methods.iter().any(|method| method == operation.method);
        let path = self.paths.is_empty() || self.paths.iter().any(|start| operation.path.starts_with(start));
        tagged && method && path
    }
}

/// An operation that was not imported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Refused {
    /// `PATCH /issues/{number}`.
    pub(crate) operation: String,
    pub(crate) why: String,
}

/// A manifest, and what became of each operation.
#[derive(Debug)]
pub(crate) struct Imported {
    /// Where its calls go.
    pub(crate) base_url: String,
    /// `actions/NAME.toml`.
    pub(crate) manifest: String,
    /// `actions/NAME.json`: the input of each action.
    pub(crate) schemas: String,
    /// The actions' full names.
    pub(crate) actions: Vec<String>,
    /// How many actions cannot be sent everything that the document has, which the manifest says.
    pub(crate) narrowed: usize,
    pub(crate) refused: Vec<Refused>,
    /// Operations of the document that were not asked for.
    pub(crate) left: usize,
}

/// Imports a document. `progress` is told how many of how many operations are done.
///
/// Fails where there is no document to walk; an operation that cannot be an action is listed with its reason.
pub(crate) fn openapi(
    value: &Value,
    source: &str,
    wanted: &Wanted,
    mut progress: impl FnMut(usize, usize),
) -> Result<Imported, String> {
    let document = ApiDocument::new(value)?;
    let base_url = match &wanted.base_url {
        Some(url) => url.trim_end_matches('/').to_owned(),
        None => {
            document.server().map_err(|why| format!("{why}; name the API's address with `--base-url`"))?
        }
    };
    let all = document.operations();
    let chosen: Vec<ApiOperation<'_>> =
        all.iter().filter(|operation| wanted.has(operation)).copied().collect();
    let head = write::head(wanted, &base_url, source);
    let mut import = Import { document, wanted, head, names: BTreeSet::new(), tools: BTreeSet::new() };
    let mut done = Imported {
        base_url,
        manifest: import.head.clone(),
        schemas: String::new(),
        actions: Vec::new(),
        narrowed: 0,
        refused: Vec::new(),
        left: all.len().saturating_sub(chosen.len()),
    };
    let mut schemas = Map::new();
    for (at, operation) in chosen.iter().enumerate() {
        progress(at, chosen.len());
        match import.one(*operation) {
            Ok((draft, text)) => {
                done.manifest.push_str(&text);
                done.narrowed = done.narrowed.saturating_add(usize::from(!draft.notes.is_empty()));
                done.actions.push(format!("{}.{}", wanted.system, draft.name));
                schemas.insert(draft.name, draft.schema);
            }
            Err(why) => done.refused.push(Refused { operation: operation.place(), why }),
        }
    }
    progress(chosen.len(), chosen.len());
    done.schemas =
        serde_json::to_string_pretty(&Value::Object(schemas)).map_err(|error| error.to_string())? + "\n";
    Ok(done)
}

struct Import<'a> {
    document: ApiDocument<'a>,
    wanted: &'a Wanted,
    head: String,
    names: BTreeSet<String>,
    tools: BTreeSet<String>,
}

impl<'a> Import<'a> {
    /// One operation as an action that loads, and its text.
    fn one(&mut self, operation: ApiOperation<'a>) -> Result<(Draft, String), String> {
        let (draft, text, tool) = match self.tried(operation, true) {
            Err(why) if why.contains("pattern") => self.tried(operation, false),
            tried => tried,
        }?;
        self.names.insert(draft.name.clone());
        self.tools.insert(tool);
        Ok((draft, text))
    }

    fn tried(&self, operation: ApiOperation<'a>, patterns: bool) -> Result<(Draft, String, String), String> {
        let mut draft = operation::draft(self.document, operation, patterns)?;
        if self.names.contains(&draft.name) {
            return Err(format!("another operation is called `{}` already", draft.name));
        }
        let usual = format!("{}.{}", self.wanted.system, draft.name).replace('.', "_");
        let tool = self.tool(&usual)?;
        let named = (tool != usual).then_some(tool.as_str());
        let file = format!("{}.json", self.wanted.system);
        let undo = undo_of(self.document, operation);
        let mut text = write::action(&draft, &file, named, undo.as_deref());
        let mut problems = self.loaded(&draft, &text);
        // The policy language has a few types of its own.
        if problems.iter().any(|problem| problem.message.contains("is a word of the policy language")) {
            draft.resource_type =
                format!("{}{}", text::capitalised(&self.wanted.system), draft.resource_type);
            text = write::action(&draft, &file, named, undo.as_deref());
            problems = self.loaded(&draft, &text);
        }
        match problems.first() {
            None => Ok((draft, text, tool)),
            Some(problem) => Err(problem.message.clone()),
        }
    }

    /// A tool's name that nothing has yet and that model APIs take.
    fn tool(&self, usual: &str) -> Result<String, String> {
        let cut: String = usual.chars().take(TOOL_NAME_MAX).collect();
        let shorter: String = usual.chars().take(TOOL_NAME_MAX.saturating_sub(3)).collect();
        let names = std::iter::once(cut).chain((2..100).map(|n: u8| format!("{shorter}_{n}")));
        let free = |name: &String| !self.tools.contains(name);
        names
            .into_iter()
            .find(free)
            .ok_or_else(|| "a hundred operations have the same beginning of a name".to_owned())
    }

    /// What the gate would say of a manifest with this action alone.
    fn loaded(&self, draft: &Draft, text: &str) -> Vec<Problem> {
        let schemas = Map::from_iter([(draft.name.clone(), draft.schema.clone())]);
        let file = |extension: &str, text: String| SourceFile {
            path: format!("actions/{}.{extension}", self.wanted.system),
            text,
        };
        let files =
            [file("json", Value::Object(schemas).to_string()), file("toml", format!("{}{text}", self.head))];
        match Registry::load(&files, std::slice::from_ref(&self.wanted.env)) {
            Ok(_) => Vec::new(),
            Err(problems) => problems.into_iter().filter(|p| p.severity == Severity::Error).collect(),
        }
    }
}

/// The operation that could take this one back: deleting what was made, or setting what was deleted.
fn undo_of<'a>(document: ApiDocument<'a>, operation: ApiOperation<'a>) -> Option<String> {
    let back = match operation.method {
        "POST" => {
            let inside = |found: &ApiOperation<'_>| {
                let rest = found.path.strip_prefix(operation.path).and_then(|rest| rest.strip_prefix("/{"));
                found.method == "DELETE"
                    && rest.is_some_and(|rest| rest.ends_with('}') && !rest.contains('/'))
            };
            document.operations().into_iter().find(inside)?
        }
        "PUT" => document.operation("DELETE", operation.path)?,
        "DELETE" => document.operation("PUT", operation.path)?,
        _ => return None,
    };
    Some(back.place())
}
