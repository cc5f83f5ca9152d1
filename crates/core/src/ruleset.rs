//! A loaded gate directory: everything that decides, immutable, with one digest.

use crate::action::Registry;
use crate::approval::{Rules, lint};
use crate::directory::Directory;
use crate::policy::Policies;
use crate::problem::{Problem, Severity, SourceFile};

/// The files of a gate directory, read from disk or made by a test.
#[derive(Debug, Clone, Default)]
pub struct GateFiles {
    /// `directory.toml`.
    pub directory: Option<SourceFile>,
    /// `approvals.toml`.
    pub approvals: Option<SourceFile>,
    /// `actions/*.toml`, sorted by path.
    pub actions: Vec<SourceFile>,
    /// `policies/*.cedar`, sorted by path.
    pub policies: Vec<SourceFile>,
    /// The environments that `countersign.toml` names.
    pub environments: Vec<String>,
}

/// Everything that decides.
#[derive(Debug)]
pub struct Ruleset {
    /// Registered actions.
    pub registry: Registry,
    /// People, teams, agents.
    pub directory: Directory,
    /// Approval rules.
    pub rules: Rules,
    /// Policies.
    pub policies: Policies,
}

impl Ruleset {
    /// Loads all files. Gives the set and what is careless in it, or every mistake that was found.
    pub fn load(files: &GateFiles) -> Result<(Self, Vec<Problem>), Vec<Problem>> {
        let mut errors = Vec::new();
        let mut warnings = Vec::new();
        let empty = |path: &str| SourceFile { path: path.to_owned(), text: String::new() };
        let directory_file = files.directory.clone().unwrap_or_else(|| empty("directory.toml"));
        let approvals_file = files.approvals.clone().unwrap_or_else(|| empty("approvals.toml"));

        let directory = Directory::load(&directory_file).map_err(|p| errors.extend(p)).ok();
        let rules = directory
            .as_ref()
            .and_then(|d| Rules::load(&approvals_file, d).map_err(|p| errors.extend(p)).ok());
        let registry = match Registry::load(&files.actions, &files.environments) {
            Ok((registry, careless)) => {
                warnings.extend(careless);
                Some(registry)
            }
            Err(problems) => {
                errors.extend(problems);
                None
            }
        };
        let (directory, rules, registry) = match (directory, rules, registry) {
            (Some(directory), Some(rules), Some(registry)) => (directory, rules, registry),
            (_, rules, _) => {
                errors.extend(Policies::misread(&files.policies, rules.as_ref()));
                errors.extend(warnings);
                return Err(errors);
            }
        };
        match Policies::load(&files.policies, &registry, &directory, &rules, &files.environments) {
            Ok((policies, careless)) => {
                warnings.extend(careless);
                let unmet = lint::lint(&approvals_file, &rules, &directory, |c| policies.rules_asked(c));
                let (wrong, careless): (Vec<_>, Vec<_>) =
                    unmet.into_iter().partition(|p| p.severity == Severity::Error);
                warnings.extend(careless);
                if wrong.is_empty() {
                    return Ok((Self { registry, directory, rules, policies }, warnings));
                }
                errors.extend(wrong);
            }
            Err(problems) => errors.extend(problems),
        }
        errors.extend(warnings);
        Err(errors)
    }
}
