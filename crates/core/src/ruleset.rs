//! A loaded gate directory: everything that decides, immutable, with one digest.

use crate::action::Registry;
use crate::approval::{Rules, lint};
use crate::digest::{Digest, Hasher, domain};
use crate::directory::Directory;
use crate::policy::Policies;
use crate::problem::{Problem, Severity, SourceFile};

/// Version of what this binary makes of the same files. Raise it when equal files would be decided differently, so
/// that the log shows the difference.
pub(crate) const SEMANTICS_VERSION: u32 = 3;

/// The files of a gate directory, read from disk or made by a test.
#[derive(Debug, Clone, Default)]
pub struct GateFiles {
    /// `directory.toml`.
    pub directory: Option<SourceFile>,
    /// `approvals.toml`.
    pub approvals: Option<SourceFile>,
    /// `actions/*.toml` and the schemas beside them, `actions/*.json`, sorted by path.
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
    digest: Digest,
}

impl GateFiles {
    /// Digest of every file's path and text, of the environments, and of what this binary makes of them.
    fn digest(&self) -> Digest {
        let alone = |hasher: Hasher, file: Option<&SourceFile>| files(hasher, file.into_iter());
        let hasher = Hasher::new(domain::RULESET).field(&SEMANTICS_VERSION.to_be_bytes());
        let hasher = alone(alone(hasher, self.directory.as_ref()), self.approvals.as_ref());
        let hasher = files(files(hasher, self.actions.iter()), self.policies.iter());
        hasher.list(self.environments.iter().map(String::as_bytes)).finish()
    }
}

fn files<'a>(hasher: Hasher, files: impl ExactSizeIterator<Item = &'a SourceFile>) -> Hasher {
    let count = u64::try_from(files.len()).unwrap_or(u64::MAX).to_be_bytes();
    let counted = hasher.field(&count);
    files.fold(counted, |hasher, file| hasher.field(file.path.as_bytes()).field(file.text.as_bytes()))
}

impl Ruleset {
    /// Digest of everything that decides: equal digests mean equal files, read by equal rules. The log names it at
    /// every start and reload, so that a changed approver shows as well as a changed policy.
    pub const fn digest(&self) -> Digest {
        self.digest
    }

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
                let reachable = |c: &_| policies.reachable(c, &registry);
                warnings.extend(lint::unreachable(&registry, &directory, reachable));
                if wrong.is_empty() {
                    let digest = files.digest();
                    return Ok((Self { registry, directory, rules, policies, digest }, warnings));
                }
                errors.extend(wrong);
            }
            Err(problems) => errors.extend(problems),
        }
        errors.extend(warnings);
        Err(errors)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACTIONS: &str = include_str!("../testdata/actions/stripe.toml");
    const DIRECTORY: &str = "[team.finance]\n[person.ann]\nname = \"Ann\"\nteams = [\"finance\"]\n";

    fn file(path: &str, text: &str) -> SourceFile {
        SourceFile { path: path.to_owned(), text: text.to_owned() }
    }

    fn digest(files: &GateFiles) -> Digest {
        Ruleset::load(files).unwrap().0.digest()
    }

    #[test]
    fn every_file_and_every_environment_changes_the_digest_of_the_rule_set() {
        let base = GateFiles {
            directory: Some(file("directory.toml", DIRECTORY)),
            environments: vec!["support".to_owned(), "staging".to_owned()],
            ..GateFiles::default()
        };
        let hired = format!("{DIRECTORY}[person.bo]\nname = \"Bo\"\nteams = [\"finance\"]\n");
        let rule = "[lead]\nwho = [\"team:finance\"]\ndecide_in = \"1h\"\nuse_in = \"1h\"\n";
        let others = [
            GateFiles { directory: Some(file("directory.toml", &hired)), ..base.clone() },
            GateFiles { approvals: Some(file("approvals.toml", rule)), ..base.clone() },
            GateFiles { policies: vec![file("policies/a.cedar", "// nothing")], ..base.clone() },
            GateFiles { policies: vec![file("policies/b.cedar", "// nothing")], ..base.clone() },
            GateFiles { actions: vec![file("actions/a.toml", ACTIONS)], ..base.clone() },
            GateFiles { environments: vec!["support".to_owned()], ..base.clone() },
            GateFiles { environments: Vec::new(), ..base.clone() },
        ];
        let mut seen = vec![digest(&base)];
        assert_eq!(digest(&base.clone()), seen[0], "equal files give equal digests");
        for files in &others {
            let digest = digest(files);
            assert!(!seen.contains(&digest), "{files:?}");
            seen.push(digest);
        }
    }
}
