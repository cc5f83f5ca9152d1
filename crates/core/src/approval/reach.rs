//! Whether people who may decide are left at all. What nobody could ever approve is denied at once instead of
//! waiting for its deadline.

use std::collections::BTreeSet;

use super::{ProposedBy, Rules, fill_seats, may_decide};
use crate::directory::{Chain, Directory};

/// Whether there are enough people to meet all rules of a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// There are, as things stand.
    Now,
    /// There are once the person in the chain has confirmed that it is for them.
    AfterConfirmation,
    /// There are not. These rules lack people, even after a confirmation.
    Never {
        /// The names of the rules.
        rules: Vec<String>,
    },
}

impl Reach {
    /// What must be done before people can decide, as a fragment; none when nothing must.
    pub fn detail(&self, chain: &Chain, rules: &Rules) -> Option<String> {
        match self {
            Self::Now => None,
            Self::AfterConfirmation => {
                let person = chain.person().unwrap_or_default();
                Some(format!("`{person}` must confirm that this is for them before others may decide"))
            }
            Self::Never { rules: lacking } => {
                let parts: Vec<String> = lacking.iter().map(|rule| lack(rule, chain, rules)).collect();
                Some(parts.join("; "))
            }
        }
    }
}

/// Why this rule cannot be met, and what to change.
fn lack(rule: &str, chain: &Chain, rules: &Rules) -> String {
    let agent = chain.agent();
    match rules.get(rule) {
        Some(found) if found.is_consent() => format!(
            "nobody may decide under rule `{rule}`: it asks the requester, and agent `{agent}` named nobody in \
             `on_behalf_of`"
        ),
        Some(_) => format!(
            "nobody may decide under rule `{rule}`: too few people are left without the person it is for, the \
             owner of agent `{agent}` and whom else that agent could have named; add people to the rule whom \
             the agent may not act for"
        ),
        None => format!("nobody may decide under rule `{rule}`: it is not defined"),
    }
}

/// Whether enough people exist to meet all these rules together, one seat for each person.
pub fn reach(names: &[&str], by: ProposedBy<'_>, rules: &Rules, directory: &Directory) -> Reach {
    let lacking = lacking(names, by, rules, directory);
    if lacking.is_empty() {
        return Reach::Now;
    }
    let confirmed = by.chain.confirmed().filter(|_| !by.chain.is_confirmed());
    let Some(confirmed) = confirmed else { return Reach::Never { rules: lacking } };
    let after = ProposedBy { chain: &confirmed, ..by };
    let lacking = self::lacking(names, after, rules, directory);
    if lacking.is_empty() { Reach::AfterConfirmation } else { Reach::Never { rules: lacking } }
}

/// The rules that are not met when everybody approves who may.
fn lacking(names: &[&str], by: ProposedBy<'_>, rules: &Rules, directory: &Directory) -> Vec<String> {
    let fits = |person: &str, seat: &str| {
        rules.get(seat).is_some_and(|rule| may_decide(rule, person, by, directory).is_ok())
    };
    // As many candidates for each rule as there are seats in all are enough: whoever takes the other seats,
    // one of them is left. So a large directory is seldom read to its end.
    let seats = names.iter().map(|name| rules.get(name).map_or(1, |r| r.quorum)).fold(0, u32::saturating_add);
    let seats = usize::try_from(seats).unwrap_or(usize::MAX);
    let mut people = BTreeSet::new();
    for name in names {
        people.extend(directory.people().map(|(id, _)| id).filter(|id| fits(id, name)).take(seats));
    }
    let people: Vec<&str> = people.into_iter().collect();
    let wants: Vec<u32> = names.iter().map(|name| rules.get(name).map_or(1, |r| r.quorum)).collect();
    let have = fill_seats(&people, &wants, &|person, rule| names.get(rule).is_some_and(|r| fits(person, r)));
    let rules = names.iter().zip(wants).zip(have);
    rules.filter(|((_, want), have)| have < want).map(|((name, _), _)| (*name).to_owned()).collect()
}
