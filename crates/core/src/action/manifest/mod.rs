//! Reading manifests: one TOML file for each system, checked completely before anything runs.
//!
//! Every mistake is a [`Problem`] with its line. What is not understood, or not built yet, is refused; it is
//! never ignored, because an ignored limit is a limit that does not hold.

mod build;
mod effect;
mod lets;
mod preview;
mod raw;
mod request;
mod schema_file;
mod source;
mod system;
mod tree;

use std::path::Path;
use std::sync::Arc;

use super::registry::{Action, Registry, System};
use crate::problem::{Problem, Severity, SourceFile};
use schema_file::Schemas;
use source::{Report, Source};

impl Registry {
    /// Loads manifests (`*.toml`), one system a file; schemas that they name (`*.json`) are among the files. With any error nothing loads and every finding is returned,
    /// warnings included; without, the warnings come beside the registry.
    pub fn load(files: &[SourceFile], environments: &[String]) -> Result<(Self, Vec<Problem>), Vec<Problem>> {
        let mut registry = Self::default();
        let mut problems = Vec::new();
        let schemas = Schemas::read(files);
        for file in files.iter().filter(|file| !is_schema(file)) {
            let Some((line, system, actions)) = load(file, &schemas, environments, &mut problems) else {
                continue;
            };
            let name = system.name.clone();
            if registry.systems.insert(name.clone(), system).is_some() {
                problems.push(Problem::error(
                    &file.path,
                    line,
                    format!("the system `{name}` is already defined in another file"),
                    "Keep one file for each system.",
                ));
                continue;
            }
            for (line, action) in actions {
                if let Some(other) = registry.tools.insert(action.tool.clone(), action.name.clone()) {
                    problems.push(Problem::error(
                        &file.path,
                        line,
                        format!("the tool name `{}` is already that of `{other}`", action.tool),
                        "Write `tool = \"…\"` with another name in one of them.",
                    ));
                }
                registry.actions.insert(action.name.clone(), Arc::new(action));
            }
        }
        problems.sort_by(|a, b| (&a.file, a.line, &a.message).cmp(&(&b.file, b.line, &b.message)));
        if problems.iter().any(|p| p.severity == Severity::Error) {
            return Err(problems);
        }
        Ok((registry, problems))
    }
}

/// Whether a file is a schema that manifests may name, and no manifest.
fn is_schema(file: &SourceFile) -> bool {
    Path::new(&file.path).extension().is_some_and(|extension| extension == "json")
}

/// Actions with the lines of their tables.
type Lined = Vec<(usize, Action)>;

/// Loads one file: the line of its `[system]`, the system and its actions, each with its line. Findings go to `problems`;
/// `None` means that the file defines no usable system.
fn load(
    file: &SourceFile,
    schemas: &Schemas,
    environments: &[String],
    problems: &mut Vec<Problem>,
) -> Option<(usize, Arc<System>, Lined)> {
    let source = Source::parse(file, problems)?;
    let mut report = Report::new(&source, &[]);
    for key in source.keys(&[]) {
        if key != "system" && key != "action" {
            report.error(
                &[key],
                format!("the table `{key}` is not known"),
                "A manifest has `[system]` and `[action.\"name\"]`.",
            );
        }
    }
    let loaded = system::load(&source, environments, &mut report);
    problems.append(&mut report.take());
    let (system, base) = loaded?;
    let owner = build::SystemTable {
        system: Arc::new(system),
        base,
        table: source.json(&["system"]).ok()?,
        manifest: file,
        schemas,
    };
    let mut actions = Vec::new();
    for name in source.keys(&["action"]) {
        let mut report = Report::new(&source, &["action", name]);
        let action = build::action(&source, &owner, name, &mut report);
        actions.extend(action.map(|action| (source.line(&["action", name]), action)));
        problems.append(&mut report.take());
    }
    Some((source.line(&["system"]), owner.system, actions))
}

#[cfg(test)]
mod tests;
