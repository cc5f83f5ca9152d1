//! `approvals.toml`: named rules that policies refer to with `@approval("name")`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::digest::{Digest, Hasher, domain};
use crate::directory::Directory;
use crate::json::canonical;
use crate::problem::{Problem, SourceFile, line_of, read_toml};
use crate::time::parse_duration;

/// Who is excluded besides those in the identity chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Exclusion {
    /// The person on whose behalf. Always excluded; may be written for the reader.
    Requester,
    /// The person who answers for the agent.
    AgentOwner,
}

impl Exclusion {
    /// The name in `approvals.toml`.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Requester => "requester",
            Self::AgentOwner => "agent-owner",
        }
    }
}

/// How a person must prove a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Proof {
    /// A signed-in session and a press of the button.
    Click,
}

impl Proof {
    /// The name in `approvals.toml`.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Click => "click",
        }
    }
}

/// One approval rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Its name.
    pub name: String,
    /// Who may approve: `person:ann`, `team:finance-leads`, or `requester` alone.
    pub who: BTreeSet<String>,
    /// How many different people.
    pub quorum: u32,
    /// How long people have to decide.
    pub decide_in: Duration,
    /// How long an approval may wait for its dispatch.
    pub use_in: Duration,
    /// Who is excluded.
    pub not: BTreeSet<Exclusion>,
    /// What proof is asked for.
    pub proof: Proof,
    /// Digest of the definition, part of the decision digest.
    pub digest: Digest,
}

impl Rule {
    /// A consent rule is answered by the person on whose behalf the agent acts.
    pub fn is_consent(&self) -> bool {
        self.who.contains(REQUESTER)
    }
}

/// The word in `who` that makes a consent rule.
const REQUESTER: &str = "requester";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleFile {
    who: BTreeSet<String>,
    #[serde(default = "one")]
    quorum: u32,
    decide_in: String,
    use_in: String,
    #[serde(default = "default_exclusions")]
    not: BTreeSet<Exclusion>,
    #[serde(default = "click")]
    proof: Proof,
}

const fn one() -> u32 {
    1
}

const fn click() -> Proof {
    Proof::Click
}

fn default_exclusions() -> BTreeSet<Exclusion> {
    BTreeSet::from([Exclusion::Requester, Exclusion::AgentOwner])
}

/// All approval rules by name.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    rules: BTreeMap<String, Rule>,
}

impl Rules {
    /// Reads `approvals.toml`. Every mistake is listed.
    pub fn load(file: &SourceFile, directory: &Directory) -> Result<Self, Vec<Problem>> {
        let parsed: BTreeMap<String, RuleFile> = read_toml(file).map_err(|p| vec![p])?;
        let mut found = Vec::new();
        let mut rules = BTreeMap::new();
        for (name, rule) in parsed {
            if let Some(rule) = build(file, &name, rule, directory, &mut found) {
                rules.insert(name, rule);
            }
        }
        if found.is_empty() { Ok(Self { rules }) } else { Err(found) }
    }

    /// A rule by name.
    pub fn get(&self, name: &str) -> Option<&Rule> {
        self.rules.get(name)
    }

    /// All rules, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.rules.values()
    }
}

fn build(
    file: &SourceFile,
    name: &str,
    rule: RuleFile,
    directory: &Directory,
    found: &mut Vec<Problem>,
) -> Option<Rule> {
    let start = start_of(file, name);
    let before = found.len();
    let mut report = |needle: &str, message: String, remedy: &str| {
        let rest = file.text.get(start..).unwrap_or_default();
        let offset = rest.find(needle).map_or(start, |o| start.saturating_add(o));
        found.push(Problem::error(&file.path, line_of(&file.text, offset), message, remedy));
    };
    check_who(name, &rule, directory, &mut report);
    let mut duration = |key: &str, text: &str| {
        let parsed = parse_duration(text).filter(|d| !d.is_zero());
        if parsed.is_none() {
            report(
                key,
                format!("`{text}` is not a length of time"),
                "Write a number and `s`, `m`, `h` or `d`, such as `30m`.",
            );
        }
        parsed
    };
    let (decide_in, use_in) = (duration("decide_in", &rule.decide_in), duration("use_in", &rule.use_in));
    if found.len() > before {
        return None;
    }
    let digest = digest(name, &rule);
    Some(Rule {
        name: name.to_owned(),
        who: rule.who,
        quorum: rule.quorum,
        decide_in: decide_in?,
        use_in: use_in?,
        not: rule.not,
        proof: rule.proof,
        digest,
    })
}

/// Where the table of a rule begins.
fn start_of(file: &SourceFile, name: &str) -> usize {
    let header = format!("[{name}]");
    file.text.find(&header).or_else(|| file.text.find(name)).unwrap_or(0)
}

/// The line on which a rule begins.
pub(super) fn line_of_rule(file: &SourceFile, name: &str) -> usize {
    line_of(&file.text, start_of(file, name))
}

/// Whether a rule names people who exist, and enough of them.
fn check_who(
    name: &str,
    rule: &RuleFile,
    directory: &Directory,
    report: &mut impl FnMut(&str, String, &str),
) {
    let consent = rule.who.contains(REQUESTER);
    if consent && rule.who.len() > 1 {
        let remedy = "A consent rule asks the requester alone; put others in a rule of their own.";
        report("who", format!("rule `{name}` mixes `requester` with others"), remedy);
    }
    if rule.who.is_empty() {
        report("who", format!("rule `{name}` names nobody"), "Name who may approve.");
    }
    for who in rule.who.iter().filter(|w| *w != REQUESTER) {
        let known = match who.split_once(':') {
            Some(("person", id)) => directory.person(id).is_some(),
            Some(("team", id)) => directory.teams().any(|(n, _)| n == id),
            _ => false,
        };
        if !known {
            report(
                who,
                format!("`{who}` names nobody in the directory"),
                "Write `person:NAME`, `team:NAME` or `requester`.",
            );
        }
    }
    if rule.quorum == 0 || (consent && rule.quorum > 1) {
        report(
            "quorum",
            format!("rule `{name}` asks for {} approvals", rule.quorum),
            "Ask for at least one; a consent rule for exactly one.",
        );
    }
    let members = directory
        .people()
        .filter(|(id, p)| !p.disabled && rule.who.iter().any(|who| directory.names(who, id)))
        .count();
    if !consent && !rule.who.is_empty() && members < usize::try_from(rule.quorum).unwrap_or(usize::MAX) {
        let message = format!("rule `{name}` asks for {} people but names {members}", rule.quorum);
        report("quorum", message, "Add people, or lower the quorum: nobody could ever approve.");
    }
}

fn digest(name: &str, rule: &RuleFile) -> Digest {
    Hasher::new(domain::RULE)
        .field(name.as_bytes())
        .list(rule.who.iter().map(String::as_bytes))
        .field(&rule.quorum.to_be_bytes())
        .field(rule.decide_in.as_bytes())
        .field(rule.use_in.as_bytes())
        .field(&canonical(&rule.not.iter().map(|not| not.as_str()).collect()))
        .field(&canonical(&rule.proof.as_str().into()))
        .finish()
}
