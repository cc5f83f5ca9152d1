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
mod source;
mod system;

use std::sync::Arc;

use super::registry::{Action, System};
use crate::problem::{Problem, SourceFile};
use source::{Report, Source};

/// Loads one file: the line of its `[system]`, the system and its actions. Findings go to `problems`;
/// `None` means that the file defines no usable system.
pub(super) fn load(
    file: &SourceFile,
    environments: &[String],
    problems: &mut Vec<Problem>,
) -> Option<(usize, Arc<System>, Vec<Action>)> {
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
    let owner = build::SystemTable { system: Arc::new(system), base, table: source.json(&["system"]).ok()? };
    let mut actions = Vec::new();
    for name in source.keys(&["action"]) {
        let mut report = Report::new(&source, &["action", name]);
        actions.extend(build::action(&source, &owner, name, &mut report));
        problems.append(&mut report.take());
    }
    Some((source.line(&["system"]), owner.system, actions))
}

#[cfg(test)]
mod tests;
