//! The `${…}` values at one path of an action.

use serde_json::Value;

use super::source::Report;
use crate::action::expr::{Template, Vocabulary};

/// Compiles the tree that stands at a path of the action, if there is one.
pub(super) fn tree(
    table: &Value,
    path: &[&str],
    words: &Vocabulary<'_>,
    report: &mut Report<'_>,
) -> Option<Template> {
    let tree = path.iter().try_fold(table, |at, key| at.get(key))?;
    let compiled = Template::compile(&path.join("."), tree, words);
    report.keep(path, compiled)
}
