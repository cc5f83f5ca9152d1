//! Reads `policies/*.cedar`: what an author may write, and where each mistake stands.
//!
//! Nothing is skipped and nothing is guessed: an unknown annotation, a template or a policy without an id
//! refuses the whole set.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use cedar_policy::{Effect, Policy, PolicyId, PolicySet};
use miette::Diagnostic;
use serde_json::Value;

use super::est::{self, ContextMisuse};
use super::schema::fragment;
use crate::digest::{Digest, domain};
use crate::limits::LABEL_BYTES_MAX;
use crate::problem::{Problem, SourceFile, line_of};

/// One policy as its author wrote it.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) id: String,
    pub(super) reason: String,
    /// For a gate: the approval rules it asks for, sorted.
    pub(super) rules: Option<Vec<String>>,
    pub(super) policy: Policy,
    /// Its JSON form.
    pub(super) est: Value,
    pub(super) place: Place,
}

/// Where a policy stands.
#[derive(Debug)]
pub(super) struct Place {
    path: String,
    line: usize,
    text: String,
}

impl Place {
    /// An error at the first line of the policy that contains `needle`, or at its beginning.
    pub(super) fn error(
        &self,
        needle: &str,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Problem {
        Problem::error(&self.path, self.line_of(needle), message, remedy)
    }

    /// The same as a warning.
    pub(super) fn warning(
        &self,
        needle: &str,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Problem {
        Problem::warning(&self.path, self.line_of(needle), message, remedy)
    }

    /// Digest of the policy's own text, as it was written.
    pub(super) fn digest(&self) -> Digest {
        Digest::of(domain::POLICY, self.text.as_bytes())
    }

    /// The file.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// The policy's own text, as it was written.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The line on which the policy begins.
    pub(super) const fn line(&self) -> usize {
        self.line
    }

    fn line_of(&self, needle: &str) -> usize {
        let offset = self.text.find(needle).unwrap_or(0);
        self.line.saturating_add(line_of(&self.text, offset)).saturating_sub(1)
    }
}

impl Written {
    /// Whether it forbids; a gate does too.
    pub(super) fn forbids(&self) -> bool {
        self.policy.effect() == Effect::Forbid
    }
}

/// A file as Cedar, or where it is none.
pub(super) fn parse(file: &SourceFile) -> Result<PolicySet, Vec<Problem>> {
    let errors = match file.text.parse() {
        Ok(set) => return Ok(set),
        Err(errors) => errors,
    };
    Err(cedar_policy::ParseErrors::iter(&errors).map(|error| diagnosed(file, 0, error)).collect())
}

/// The policies that can be used, and everything that is wrong with the others.
pub(super) fn read_all(
    files: &[SourceFile],
    rules: &BTreeMap<String, Digest>,
) -> (Vec<Written>, Vec<Problem>) {
    let mut written = Vec::new();
    let mut problems = Vec::new();
    let mut seen: BTreeMap<String, String> = BTreeMap::new();
    for file in files {
        let set = match parse(file) {
            Ok(set) => set,
            Err(found) => {
                problems.extend(found);
                continue;
            }
        };
        for template in set.templates() {
            let place = place(file, 0, &template.to_cedar()).1;
            let remedy = "Write one policy for each case; `?principal` and `?resource` are not used.";
            problems.push(place.error("?", "a template is not a policy", remedy));
        }
        let mut from = 0;
        for policy in in_order(&set) {
            let (end, place) = place(file, from, &policy.to_cedar().unwrap_or_default());
            from = end;
            match read_one(policy, place, rules) {
                Ok(one) => {
                    if let Some(other) = seen.insert(one.id.clone(), file.path.clone()) {
                        let message = format!("the id `{}` is used twice, first in {other}", one.id);
                        problems.push(one.place.error("@id", message, "Give every policy an id of its own."));
                    } else {
                        written.push(one);
                    }
                }
                Err(found) => problems.extend(found),
            }
        }
    }
    (written, problems)
}

/// A parser's or validator's finding with its line. `default_line` is used when it names no place.
pub(super) fn diagnosed<E: Diagnostic>(file: &SourceFile, default_line: usize, error: &E) -> Problem {
    let label = error.labels().and_then(|mut labels| labels.next());
    let line = label.as_ref().map_or(default_line, |l| line_of(&file.text, l.offset()));
    let mut message = fragment(&error.to_string());
    if let Some(expected) = label.as_ref().and_then(|l| l.label()) {
        message = format!("{message}: {}", fragment(expected));
    }
    let remedy = error.help().map_or_else(|| "Correct the policy.".to_owned(), |h| sentence(&h));
    Problem::error(&file.path, line, message, remedy)
}

/// Cedar's hints are fragments; a remedy is a sentence.
fn sentence(hint: &dyn fmt::Display) -> String {
    let text = fragment(&hint.to_string());
    let mut rest = text.chars();
    let end = if text.ends_with(['.', '?', '!']) { "" } else { "." };
    rest.next().map_or_else(
        || "Correct the policy.".to_owned(),
        |c| format!("{}{}{end}", c.to_uppercase(), rest.as_str()),
    )
}

/// The policies in the order of the file: the parser names them `policy0`, `policy1`, …
fn in_order(set: &PolicySet) -> Vec<&Policy> {
    let number = |p: &&Policy| {
        let id: &str = p.id().as_ref();
        id.trim_start_matches("policy").parse::<usize>().unwrap_or(usize::MAX)
    };
    let mut policies: Vec<&Policy> = set.policies().collect();
    policies.sort_by_key(number);
    policies
}

/// Finds a policy's text, which is a piece of the file, at or after `from`. Gives the end of it too.
fn place(file: &SourceFile, from: usize, text: &str) -> (usize, Place) {
    let rest = file.text.get(from..).unwrap_or_default();
    let mut found = rest.match_indices(text).map(|(at, _)| from.saturating_add(at));
    let first = found.next().unwrap_or(from);
    // The same text may stand in a comment above.
    let in_comment = |at: &usize| {
        let before = file.text.get(..*at).unwrap_or_default();
        before.rsplit('\n').next().is_some_and(|line| line.contains("//"))
    };
    let start = if in_comment(&first) { found.find(|at| !in_comment(at)).unwrap_or(first) } else { first };
    let place = Place { path: file.path.clone(), line: line_of(&file.text, start), text: text.to_owned() };
    (start.saturating_add(text.len()), place)
}

fn read_one(
    policy: &Policy,
    place: Place,
    known: &BTreeMap<String, Digest>,
) -> Result<Written, Vec<Problem>> {
    let mut problems = Vec::new();
    let annotations: BTreeMap<&str, &str> = policy.annotations().collect();
    for name in annotations.keys() {
        let needle = format!("@{name}");
        let accepted = "Use `@id`, `@approval`, `@reason`, `@owner` and `@description` only.";
        match *name {
            "id" | "approval" | "reason" | "owner" | "description" => {}
            "shadow" => problems.push(place.error(&needle, "`@shadow` is not supported yet", accepted)),
            _ => problems.push(place.error(&needle, format!("unknown annotation `@{name}`"), accepted)),
        }
    }
    let id = annotations.get("id").copied().unwrap_or_default();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if id.is_empty() {
        problems.push(place.error("@id", "a policy without an id", "Start it with `@id(\"a-name\")`."));
    } else if id.len() > LABEL_BYTES_MAX || !id.chars().all(plain) {
        let message = format!("the id `{id}` has other characters than it may, or is too long");
        problems.push(place.error("@id", message, "Use letters, digits, and `-`, `_`, `.`."));
    }
    let rules = annotations.get("approval").map(|text| read_rules(text));
    if let Some(rules) = &rules {
        problems.extend(check_rules(policy, rules, &place, known));
    }
    let est = policy.to_json().unwrap_or_default();
    problems.extend(est::context_misuse(&est).map(|misuse| refuse_misuse(misuse, &place)));
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(Written {
        id: id.to_owned(),
        reason: annotations.get("reason").copied().unwrap_or_default().to_owned(),
        rules: rules.map(|r| r.into_iter().map(str::to_owned).collect()),
        policy: policy.new_id(PolicyId::new(id)),
        est,
        place,
    })
}

fn read_rules(text: &str) -> BTreeSet<&str> {
    text.split(',').map(str::trim).collect()
}

fn check_rules(
    policy: &Policy,
    rules: &BTreeSet<&str>,
    place: &Place,
    known: &BTreeMap<String, Digest>,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    if policy.effect() != Effect::Forbid {
        let remedy = "Permit without it, and add a `forbid` with `@approval` for what needs a person.";
        problems.push(place.error("@approval", "`@approval` on a permit", remedy));
    }
    for rule in rules.iter().filter(|r| !known.contains_key(**r)) {
        let message = format!("the approval rule `{rule}` is not defined");
        problems.push(place.error(
            "@approval",
            message,
            "Name rules of approvals.toml: `@approval(\"a, b\")`.",
        ));
    }
    problems
}

fn refuse_misuse(misuse: ContextMisuse, place: &Place) -> Problem {
    match misuse {
        ContextMisuse::Approvals => place.error(
            "approvals",
            "a policy may not read `context.approvals`",
            "Write `@approval(\"rule\")` on the forbid; the gate adds the condition itself.",
        ),
        ContextMisuse::Alias => place.error(
            "context",
            "`context` is used other than as `context.<field>` or `context has <field>`",
            "Name the field of the context that is meant.",
        ),
        ContextMisuse::Unreadable => place.error(
            "when",
            "a condition has a form that this gate does not know",
            "Write it more simply.",
        ),
    }
}
