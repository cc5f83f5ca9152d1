//! Who can decide, by name: what people and agents are told while a proposal waits.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ProposedBy, Rule, eligible_through};
use crate::directory::Directory;
use crate::limits::DECIDERS_NAMED_MAX;

/// The people who can decide under one rule now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Deciders {
    /// The rule's name.
    pub rule: String,
    /// The first of them, by name in the directory: [`DECIDERS_NAMED_MAX`] at the most.
    pub people: Vec<Decider>,
    /// How many more there are.
    pub others: u32,
}

/// A person who can decide.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Decider {
    /// Name in the directory.
    pub person: String,
    /// How they are shown, as the directory has it.
    pub name: String,
    /// The entry of the rule's `who` that names them: `person:ann`, `team:finance` or `requester`.
    pub through: String,
}

/// Who can decide on what was proposed so under this rule now. Left out are the people who may not, as
/// [`super::may_decide`] says, and those who have decided already.
pub fn deciders(rule: &Rule, by: ProposedBy<'_>, decided: &[&str], directory: &Directory) -> Deciders {
    let decider = |(id, person): (&str, &crate::directory::Person)| {
        let through = eligible_through(rule, id, by, directory)?.to_owned();
        Some(Decider { person: id.to_owned(), name: person.name.clone(), through })
    };
    let waiting = directory.people().filter(|(id, _)| !decided.contains(id));
    let mut able = waiting.filter_map(decider);
    let people: Vec<Decider> = able.by_ref().take(DECIDERS_NAMED_MAX).collect();
    Deciders { rule: rule.name.clone(), people, others: u32::try_from(able.count()).unwrap_or(u32::MAX) }
}

impl Deciders {
    /// `Fay Finch and Bo Berg (team:finance), Ann Ash, and 5 others`: names first, then the team through which they
    /// decide. A person whom the rule names by themselves has no reason beside their name. Empty when nobody can.
    pub fn to_text(&self) -> String {
        let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
        for decider in &self.people {
            match groups.iter_mut().find(|(through, _)| *through == decider.through) {
                Some((_, names)) => names.push(&decider.name),
                None => groups.push((&decider.through, vec![&decider.name])),
            }
        }
        let group = |(through, names): &(&str, Vec<&str>)| {
            let names = and(names);
            if through.starts_with("team:") { format!("{names} ({through})") } else { names }
        };
        let mut parts: Vec<String> = groups.iter().map(group).collect();
        match self.others {
            0 => {}
            1 => parts.push("and 1 other".to_owned()),
            n => parts.push(format!("and {n} others")),
        }
        parts.join(", ")
    }
}

/// `Ann`, `Ann and Bo`, `Ann, Bo and Cy`.
fn and(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}
