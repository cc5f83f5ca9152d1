//! What differs between two loaded gate directories, by name: for the operator who has just loaded one again.

use std::collections::BTreeMap;
use std::fmt::{self, Display};

use crate::digest::Digest;
use crate::ruleset::Ruleset;

/// Names that one list of changes shows; the rest is a number.
const NAMES_MAX: usize = 20;

/// What differs between two sets of named things.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NameChanges {
    /// In the second only.
    pub added: Vec<String>,
    /// In the first only.
    pub removed: Vec<String>,
    /// In both, and not equal.
    pub changed: Vec<String>,
}

impl NameChanges {
    /// Compares two sets.
    pub fn between<V: PartialEq>(before: &BTreeMap<String, V>, after: &BTreeMap<String, V>) -> Self {
        let only = |one: &BTreeMap<String, V>, other: &BTreeMap<String, V>| -> Vec<String> {
            one.keys().filter(|name| !other.contains_key(*name)).cloned().collect()
        };
        let differs = |(name, value): (&String, &V)| {
            after.get(name).is_some_and(|now| now != value).then(|| name.clone())
        };
        Self {
            added: only(after, before),
            removed: only(before, after),
            changed: before.iter().filter_map(differs).collect(),
        }
    }

    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty()
    }
}

impl Display for NameChanges {
    /// ``added `a`, `b`; removed `c`; changed `d` ``. Nothing when nothing differs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lists = [("added", &self.added), ("removed", &self.removed), ("changed", &self.changed)];
        let mut separator = "";
        for (what, names) in lists.into_iter().filter(|(_, names)| !names.is_empty()) {
            let shown: Vec<String> = names.iter().take(NAMES_MAX).map(|name| format!("`{name}`")).collect();
            write!(f, "{separator}{what} {}", shown.join(", "))?;
            let more = names.len().saturating_sub(NAMES_MAX);
            if more > 0 {
                write!(f, " and {more} more")?;
            }
            separator = "; ";
        }
        Ok(())
    }
}

impl Ruleset {
    /// What of each kind differs from another set: only the kinds in which something does.
    pub fn changes_since(&self, before: &Self) -> Vec<(&'static str, NameChanges)> {
        let all = [
            ("actions", NameChanges::between(&before.actions(), &self.actions())),
            ("policies", NameChanges::between(&before.policies.digests(), &self.policies.digests())),
            ("approval rules", NameChanges::between(&before.rule_digests(), &self.rule_digests())),
            (
                "people",
                NameChanges::between(&named(before.directory.people()), &named(self.directory.people())),
            ),
            ("teams", NameChanges::between(&named(before.directory.teams()), &named(self.directory.teams()))),
            (
                "agents",
                NameChanges::between(&named(before.directory.agents()), &named(self.directory.agents())),
            ),
        ];
        all.into_iter().filter(|(_, changes)| !changes.is_empty()).collect()
    }

    fn actions(&self) -> BTreeMap<String, Digest> {
        self.registry.actions().map(|action| (action.name.to_string(), action.revision)).collect()
    }

    fn rule_digests(&self) -> BTreeMap<String, Digest> {
        self.rules.iter().map(|rule| (rule.name.clone(), rule.digest)).collect()
    }
}

fn named<'a, V>(things: impl Iterator<Item = (&'a str, &'a V)>) -> BTreeMap<String, &'a V> {
    things.map(|(name, thing)| (name.to_owned(), thing)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::SourceFile;
    use crate::ruleset::GateFiles;

    fn loaded(directory: &str, approvals: &str, policies: &str) -> Ruleset {
        let file = |path: &str, text: &str| SourceFile { path: path.to_owned(), text: text.to_owned() };
        let files = GateFiles {
            directory: Some(file("directory.toml", directory)),
            approvals: Some(file("approvals.toml", approvals)),
            policies: vec![file("policies/a.cedar", policies)],
            environments: vec!["support".to_owned()],
            ..GateFiles::default()
        };
        Ruleset::load(&files).unwrap().0
    }

    #[test]
    fn what_was_added_removed_and_changed_is_named_by_kind() {
        let rule = |name: &str, time: &str| {
            format!("[{name}]\nwho = [\"person:ann\"]\ndecide_in = \"{time}\"\nuse_in = \"1h\"\n")
        };
        let policy =
            |id: &str, more: &str| format!("@id(\"{id}\")\npermit (principal, action, resource){more};\n");
        let ann = "[person.ann]\nname = \"Ann\"\n";
        let before = loaded(
            &format!("[team.a]\n{ann}[person.bo]\nname = \"Bo\"\n"),
            &(rule("lead", "1h") + &rule("gone", "1h")),
            &(policy("one", "") + &policy("two", "")),
        );
        let after = loaded(
            &format!(
                "[team.a]\ntitle = \"A\"\n{ann}[person.cy]\nname = \"Cy\"\n[agent.bot]\ntitle = \"Bot\"\nowner = \"ann\"\nalone = true\n"
            ),
            &rule("lead", "2h"),
            &(policy("two", " when { principal == principal }") + &policy("three", "")),
        );
        let texts: Vec<String> =
            after.changes_since(&before).iter().map(|(kind, c)| format!("{kind}: {c}")).collect();
        assert_eq!(
            texts,
            [
                "policies: added `three`; removed `one`; changed `two`",
                "approval rules: removed `gone`; changed `lead`",
                "people: added `cy`; removed `bo`",
                "teams: changed `a`",
                "agents: added `bot`",
            ]
        );
        assert_eq!(after.changes_since(&after), []);
    }

    #[test]
    fn a_long_list_ends_with_a_number() {
        let many: BTreeMap<String, u8> = (0..23).map(|n| (format!("n{n:02}"), n)).collect();
        let text = NameChanges::between(&BTreeMap::new(), &many).to_string();
        assert!(text.starts_with("added `n00`, `n01`") && text.ends_with("`n19` and 3 more"), "{text}");
    }
}
