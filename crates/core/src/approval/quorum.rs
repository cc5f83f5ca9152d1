//! Whether enough different people have approved. One person fills one seat across all rules, and which
//! seat is a matching problem: the greedy answer is wrong when one person is named by two rules.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Approval, ProposedBy, Rules, may_decide};
use crate::directory::Directory;

/// How far one rule has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// The rule's name.
    pub rule: String,
    /// Approvals that count towards it.
    pub have: u32,
    /// Approvals it asks for.
    pub want: u32,
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
    let people: BTreeSet<&str> = approvals.iter().map(|a| a.person.as_str()).collect();
    let people: Vec<&str> = people.into_iter().collect();
    let fits = |person: &str, seat: &str| {
        rules.get(seat).is_some_and(|rule| may_decide(rule, person, by, directory).is_ok())
    };
    seated(names, rules, &people, &fits)
}

/// How many seats of each rule these different people fill, as many as possible.
pub(super) fn seated(
    names: &[&str],
    rules: &Rules,
    people: &[&str],
    fits: &impl Fn(&str, &str) -> bool,
) -> Vec<Standing> {
    let seats: Vec<&str> = names
        .iter()
        .flat_map(|name| {
            std::iter::repeat_n(*name, rules.get(name).map_or(1, |r| usize::try_from(r.quorum).unwrap_or(1)))
        })
        .collect();
    let hall = Hall { people, seats: &seats, fits };
    let mut taken: BTreeMap<usize, usize> = BTreeMap::new();
    for index in 0..people.len() {
        hall.seat(index, &mut taken, &mut vec![false; seats.len()]);
    }
    names
        .iter()
        .map(|name| Standing {
            rule: (*name).to_owned(),
            have: count(taken.keys().filter(|seat| seats.get(**seat) == Some(name)).count()),
            want: rules.get(name).map_or(1, |r| r.quorum),
        })
        .collect()
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// Who is there, which seats there are, and who fits which.
struct Hall<'a, F> {
    people: &'a [&'a str],
    seats: &'a [&'a str],
    fits: &'a F,
}

impl<F: Fn(&str, &str) -> bool> Hall<'_, F> {
    /// One augmenting path of the bipartite matching (Kuhn's algorithm): `taken` is seat to person.
    fn seat(&self, person: usize, taken: &mut BTreeMap<usize, usize>, seen: &mut [bool]) -> bool {
        let Some(name) = self.people.get(person) else { return false };
        for (seat, rule) in self.seats.iter().enumerate() {
            let Some(visited) = seen.get_mut(seat) else { continue };
            if *visited || !(self.fits)(name, rule) {
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
