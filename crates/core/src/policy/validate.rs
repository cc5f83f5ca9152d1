//! Strict validation against the generated schema. Errors always refuse to load; so do warnings on a
//! forbid, because a forbid that cannot match protects nothing.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::{PolicySet, Schema, ValidationMode, Validator};

use super::load::{Written, diagnosed};
use crate::problem::{Problem, Severity, SourceFile};

/// Everything that the validator says about the policies as they were written.
pub(super) fn validate(files: &[SourceFile], written: &[Written], schema: &Schema) -> Vec<Problem> {
    let by_id: BTreeMap<&str, &Written> = written.iter().map(|w| (w.id.as_str(), w)).collect();
    let by_path: BTreeMap<&str, &SourceFile> = files.iter().map(|f| (f.path.as_str(), f)).collect();
    let set = match PolicySet::from_policies(written.iter().map(|w| w.policy.clone())) {
        Ok(set) => set,
        Err(e) => {
            return vec![Problem::error("policies", 0, e.to_string(), "Give every policy an id of its own.")];
        }
    };
    let result = Validator::new(schema.clone()).validate(&set, ValidationMode::Strict);
    let file_of = |id: &str| by_id.get(id).and_then(|w| by_path.get(w.place.path()).map(|f| (*w, *f)));

    // A name that does not exist makes Cedar say that the policy can never apply, too.
    let misspelt: BTreeSet<String> = result
        .validation_errors()
        .filter(|error| is_unrecognised(&error.to_string()))
        .map(|error| error.policy_id().to_string())
        .collect();
    let mut problems = Vec::new();
    for error in result.validation_errors() {
        if misspelt.contains(&error.policy_id().to_string()) && !is_unrecognised(&error.to_string()) {
            continue;
        }
        problems.push(match file_of(error.policy_id().as_ref()) {
            Some((policy, file)) => diagnosed(file, policy.place.line(), error),
            None => Problem::error("policies", 0, error.to_string(), "Correct the policy."),
        });
    }
    for warning in result.validation_warnings() {
        if misspelt.contains(&warning.policy_id().to_string()) {
            continue;
        }
        problems.push(match file_of(warning.policy_id().as_ref()) {
            Some((policy, file)) => {
                let severity = if policy.forbids() { Severity::Error } else { Severity::Warning };
                Problem { severity, ..diagnosed(file, policy.place.line(), warning) }
            }
            None => Problem::error("policies", 0, warning.to_string(), "Correct the policy."),
        });
    }
    problems
}

/// Whether Cedar says that a name does not exist.
fn is_unrecognised(message: &str) -> bool {
    message.contains("unrecognized")
}

/// Checks the policies as they will be evaluated, with the generated conditions.
///
/// Nothing is expected here: a finding means that this gate wrote a condition it should not have.
pub(super) fn validate_lifted(set: &PolicySet, schema: &Schema) -> Vec<Problem> {
    let result = Validator::new(schema.clone()).validate(set, ValidationMode::Strict);
    let remedy = "Report this; the policy with its generated condition does not validate.";
    result.validation_errors().map(|e| Problem::error("policies", 0, e.to_string(), remedy)).collect()
}
