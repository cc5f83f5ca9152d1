//! Whether enough different people have approved. One person fills one seat across all rules, and which
//! seat is a matching problem: the greedy answer is wrong when one person is named by two rules.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Approval, ProposedBy, Rules, eligible_through, excluded};
use crate::directory::Directory;

/// A person who has approved and whose approval may fill a seat of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Approver {
    /// Name in the directory.
    pub person: String,
    /// The entry of the rule's `who` that names them: `person:ann`, `team:finance` or `requester`.
    pub through: String,
}

/// How far one rule has come, and what that rests on. The log holds it, so that a verifier can count again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Standing {
    /// The rule's name.
    pub rule: String,
    /// Approvals that count towards it.
    pub have: u32,
    /// Approvals it asks for.
    pub want: u32,
    /// Everybody who has approved and may do so under this rule. One person may stand under several rules
    /// and fills one seat.
    #[serde(default)]
    pub approvers: Vec<Approver>,
    /// The people whom the rule names and who may not decide on this proposal.
    #[serde(default)]
    pub excluded: Vec<String>,
}

impl Standing {
    /// Whether the rule is met.
    pub fn is_met(&self) -> bool {
        self.have >= self.want
    }
}

/// Assigns the people who approved to the seats that the rules ask for, as many as possible.
///
/// Only approvals of people who are still eligible count. A rule that no longer exists is never met.
pub fn standing(
    names: &[&str],
    approvals: &[&Approval],
    rules: &Rules,
    by: ProposedBy<'_>,
    directory: &Directory,
) -> Vec<Standing> {
    let mut people: Vec<&str> = approvals.iter().map(|a| a.person.as_str()).collect();
    people.sort_unstable();
    people.dedup();
    let empty = |name: &&str| {
        let rule = rules.get(name);
        let through = |person: &str| rule.and_then(|rule| eligible_through(rule, person, by, directory));
        let approver = |person: &&str| {
            Some(Approver { person: (*person).to_owned(), through: through(person)?.to_owned() })
        };
        Standing {
            rule: (*name).to_owned(),
            have: 0,
            want: rule.map_or(1, |r| r.quorum),
            approvers: people.iter().filter_map(approver).collect(),
            excluded: rule.map(|rule| excluded(rule, by, directory)).unwrap_or_default(),
        }
    };
    let mut standing: Vec<Standing> = names.iter().map(empty).collect();
    let wants: Vec<u32> = standing.iter().map(|s| s.want).collect();
    let have = fill_seats(&people, &wants, &|person, rule| {
        standing.get(rule).is_some_and(|s| s.approvers.iter().any(|a| a.person == person))
    });
    for (rule, have) in standing.iter_mut().zip(have) {
        rule.have = have;
    }
    standing
}

/// How many of the seats of each rule are filled when as many people as possible sit, each in one seat.
///
/// `wants` are the seats of each rule; `fits` says whether a person may sit in one of the rule with that
/// index.
pub(crate) fn fill_seats(people: &[&str], wants: &[u32], fits: &dyn Fn(&str, usize) -> bool) -> Vec<u32> {
    // More seats of one rule than there are people stay empty anyway.
    let most = |want: u32| usize::try_from(want).unwrap_or(usize::MAX).min(people.len());
    let seats: Vec<usize> =
        wants.iter().enumerate().flat_map(|(rule, want)| std::iter::repeat_n(rule, most(*want))).collect();
    let matching = Matching { people, seats: &seats, fits };
    let mut taken: BTreeMap<usize, usize> = BTreeMap::new();
    for person in 0..people.len() {
        matching.seat(person, &mut taken, &mut vec![false; seats.len()]);
    }
    let filled = |rule: usize| taken.keys().filter(|seat| seats.get(**seat) == Some(&rule)).count();
    (0..wants.len()).map(|rule| u32::try_from(filled(rule)).unwrap_or(u32::MAX)).collect()
}

/// Who is there, which seats there are, and who fits which.
struct Matching<'a> {
    people: &'a [&'a str],
    /// The rule of each seat.
    seats: &'a [usize],
    fits: &'a dyn Fn(&str, usize) -> bool,
}

impl Matching<'_> {
    /// One augmenting path of the bipartite matching (Kuhn's algorithm): `taken` is seat to person.
    fn seat(&self, person: usize, taken: &mut BTreeMap<usize, usize>, seen: &mut [bool]) -> bool {
        let Some(name) = self.people.get(person) else { return false };
        for (seat, rule) in self.seats.iter().enumerate() {
            let Some(visited) = seen.get_mut(seat) else { continue };
            if *visited || !(self.fits)(name, *rule) {
                continue;
            }
            *visited = true;
            let holder = taken.get(&seat).copied();
            if holder.is_none_or(|other| self.seat(other, taken, seen)) {
                taken.insert(seat, person);
                return true;
            }
        }
        false
    }
}
