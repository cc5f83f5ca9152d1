//! What is decided on in the life of a proposal, and whether enough people who may have approved it.

use super::life_error::{LifeError, require};
use super::life_event::{LifeApproved, LifeEligible, LifeOpened, LifeRevised, Need};
use crate::approval::fill_seats;
use crate::decision::Decision;
use crate::digest::Digest;
use crate::limits::APPROVALS_MAX;

/// The word in a rule's `who` that names the person in the chain.
const REQUESTER: &str = "requester";

/// What is decided on, and who has approved.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Terms {
    pub(super) intent: Digest,
    pub(super) decision: Digest,
    needs: Vec<Need>,
    /// How many gate directories had been put in force when it was decided.
    rules: u64,
    /// Every approval ever given, with the intent and the decision that it answers to.
    given: Vec<(String, Digest, Digest)>,
}

impl Terms {
    /// What a proposal is opened with.
    pub(super) fn opened(opened: &LifeOpened, people: &[String], rules: u64) -> Result<Self, LifeError> {
        let decision = &opened.decision;
        let (intent, needs) = (opened.intent, opened.needs.clone());
        let terms = Self { intent, decision: decision.digest, needs, rules, given: Vec::new() };
        terms.check(decision, people)?;
        Ok(terms)
    }

    /// What holds after it was decided again. Approvals stay; those for something else do not count.
    pub(super) fn revised(
        self,
        revised: &LifeRevised,
        people: &[String],
        rules: u64,
    ) -> Result<Self, LifeError> {
        let decision = &revised.decision;
        let (intent, needs) = (revised.intent, revised.needs.clone());
        let terms = Self { intent, decision: decision.digest, needs, rules, given: self.given };
        terms.check(decision, people)?;
        Ok(terms)
    }

    /// One more approval, if its person may give it.
    pub(super) fn approve(
        &mut self,
        approved: &LifeApproved,
        people: &[String],
        rules: u64,
    ) -> Result<(), LifeError> {
        let given = &approved.approval;
        let person = given.person.clone();
        if (given.intent, given.decision) != (self.intent, self.decision) {
            return Err(LifeError::Stale { person });
        }
        if self.standing().any(|other| other == person) {
            return Err(LifeError::ApprovedTwice { person });
        }
        require(self.given.len() < APPROVALS_MAX, "it has more approvals than this verifier counts")?;
        if approved.eligible.is_empty() {
            return Err(LifeError::NotEligible { person, why: "no approval rule names them".to_owned() });
        }
        require(
            counted_under(&approved.needs, &person) == approved.eligible,
            "an approval is counted under other rules than its person is eligible for",
        )?;
        // Once another gate directory is in force, an approval may rest on either until it is decided again.
        if self.rules == rules {
            self.check_unchanged(&approved.needs, &person)?;
        }
        self.given.push((person, given.intent, given.decision));
        self.needs.clone_from(&approved.needs);
        self.check_approvers(people)
    }

    /// The people whose approval answers to what is decided on.
    pub(super) fn standing(&self) -> impl Iterator<Item = &str> {
        let answers = |(_, intent, decision): &&(String, Digest, Digest)| {
            (*intent, *decision) == (self.intent, self.decision)
        };
        self.given.iter().filter(answers).map(|(person, ..)| person.as_str())
    }

    /// Whether this is what a decision asks for.
    fn check(&self, decision: &Decision, people: &[String]) -> Result<(), LifeError> {
        let rules: Vec<&str> = self.needs.iter().map(|n| n.rule.as_str()).collect();
        require(rules == decision.rules(), "it asks for other approval rules than its decision names")?;
        self.check_approvers(people)
    }

    /// Whether everybody who is counted has approved, and may.
    fn check_approvers(&self, people: &[String]) -> Result<(), LifeError> {
        for need in &self.needs {
            require(need.want > 0, "an approval rule asks for nobody")?;
            for approver in &need.approvers {
                let person = approver.person.clone();
                if !self.standing().any(|p| p == person) {
                    return Err(LifeError::NotGiven { person });
                }
                if let Some(why) = why_not(need, (&person, &approver.through), people) {
                    return Err(LifeError::NotEligible { person, why });
                }
            }
        }
        Ok(())
    }

    /// Under the same gate directory the rules ask for the same, and who was excluded still is.
    fn check_unchanged(&self, now: &[Need], person: &str) -> Result<(), LifeError> {
        let asks = |needs: &[Need]| -> Vec<(String, u32)> {
            needs.iter().map(|n| (n.rule.clone(), n.want)).collect()
        };
        require(asks(&self.needs) == asks(now), "an approval changes what its rules ask for")?;
        for (before, now) in self.needs.iter().zip(now) {
            let counted = now.approvers.iter().any(|a| a.person == person);
            if counted && before.excluded.iter().any(|p| p == person) {
                let why = format!("rule `{}` excluded them before", before.rule);
                return Err(LifeError::NotEligible { person: person.to_owned(), why });
            }
        }
        Ok(())
    }

    /// Approvals that count towards each rule, one person in one seat.
    fn have(&self) -> Vec<u32> {
        let mut people: Vec<&str> = self.standing().collect();
        people.sort_unstable();
        people.dedup();
        let wants: Vec<u32> = self.needs.iter().map(|n| n.want).collect();
        fill_seats(&people, &wants, &|person, rule| {
            self.needs.get(rule).is_some_and(|n| n.approvers.iter().any(|a| a.person == person))
        })
    }

    pub(super) fn is_met(&self) -> bool {
        !self.needs.is_empty() && self.needs.iter().zip(self.have()).all(|(need, have)| have >= need.want)
    }

    /// Why it may not be sent.
    pub(super) fn unapproved(&self) -> LifeError {
        let short = self.needs.iter().zip(self.have()).find(|(need, have)| *have < need.want);
        let Some((need, have)) = short else {
            return LifeError::Contradiction("it was dispatched while people were still asked");
        };
        LifeError::Unapproved { rule: need.rule.clone(), have, want: need.want }
    }
}

/// The rules under which a person's approval is counted.
fn counted_under(needs: &[Need], person: &str) -> Vec<LifeEligible> {
    let through = |need: &Need| Some(need.approvers.iter().find(|a| a.person == person)?.through.clone());
    needs.iter().filter_map(|n| Some(LifeEligible { rule: n.rule.clone(), through: through(n)? })).collect()
}

/// Why this person's approval may not count under this rule, as far as the entries say. None when it may.
fn why_not(need: &Need, (person, through): (&str, &str), people: &[String]) -> Option<String> {
    let in_chain = people.iter().any(|p| p == person);
    if through == REQUESTER {
        return (!in_chain).then(|| format!("rule `{}` asks the requester alone", need.rule));
    }
    if in_chain {
        return Some("it was proposed on their behalf".to_owned());
    }
    if through.strip_prefix("person:").is_some_and(|named| named != person) {
        return Some(format!("rule `{}` names somebody else", need.rule));
    }
    need.excluded.iter().any(|p| p == person).then(|| format!("rule `{}` excludes them", need.rule))
}
