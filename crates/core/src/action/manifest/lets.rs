//! `preview.let`: named values. They may refer to each other in any order, but not in a circle; each is
//! evaluated after those that it refers to, and by name where nothing else decides.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::source::Report;
use crate::action::expr::{Template, Vocabulary};

/// Names that mean something else in an expression.
const TAKEN: [&str; 10] =
    ["input", "before", "proposal", "found", "true", "false", "null", "in", "has", "size"];

/// Compiles the table and puts it in order of evaluation.
pub(super) fn compile(
    table: Option<&Value>,
    words: &Vocabulary<'_>,
    report: &mut Report<'_>,
) -> Vec<(String, Template)> {
    let mut open = BTreeMap::new();
    for (name, tree) in table.and_then(Value::as_object).into_iter().flatten() {
        let at = ["preview", "let", name.as_str()];
        if !is_identifier(name) {
            report.error(
                &at,
                format!("`{name}` cannot be the name of a value"),
                "Use lower-case letters, digits and `_`, and no word of the language.",
            );
        }
        let compiled = Template::compile(&format!("preview.let.{name}"), tree, words);
        if let Some(template) = report.keep(&at, compiled) {
            open.insert(name.clone(), template);
        }
    }
    in_order(open, report)
}

fn in_order(mut open: BTreeMap<String, Template>, report: &mut Report<'_>) -> Vec<(String, Template)> {
    let mut done = Vec::new();
    while !open.is_empty() {
        let ready = open.iter().find(|(_, t)| t.lets().iter().all(|l| !open.contains_key(*l)));
        let Some(name) = ready.map(|(name, _)| name.clone()) else {
            let names: BTreeSet<&str> = open.keys().map(String::as_str).collect();
            let list = names.into_iter().collect::<Vec<_>>().join("`, `");
            report.error(
                &["preview", "let"],
                format!("the values `{list}` refer to each other in a circle"),
                "Let one of them not refer to the others.",
            );
            return done;
        };
        if let Some(template) = open.remove(&name) {
            done.push((name, template));
        }
    }
    done
}

fn is_identifier(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        && !TAKEN.contains(&name)
}
