//! Who may approve, how many must, and when enough have. The rules of `approvals.toml` at work.

mod quorum;
mod rules;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::directory::{Chain, Directory};
use crate::refusal::Refusal;
use crate::time::Timestamp;

pub(crate) use quorum::fill_seats;
pub use quorum::{Approver, Standing, standing};
pub use rules::{Exclusion, Proof, Rule, Rules};

/// One person's "yes" to one intent. Single use: it belongs to one proposal and never to another (T09, T10).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// The person, by name in the directory.
    pub person: String,
    /// When.
    pub at: Timestamp,
    /// What they answered to: the effect.
    pub intent: Digest,
    /// What they answered to: the gates and their rules.
    pub decision: Digest,
    /// What their screen showed.
    pub view: Digest,
    /// The policy set under which they were asked.
    pub policy_set: Digest,
    /// Unpredictable, so that two statements are never equal.
    pub nonce: String,
    /// How the person proved who they are.
    pub proof: Proof,
    /// Through which surface: `console`, `cli` or `api`.
    pub channel: String,
    /// What they wrote.
    pub comment: String,
}

impl Approval {
    /// Whether this approval still answers to what is bound now.
    pub fn answers_to(&self, intent: &Digest, decision: &Digest) -> bool {
        self.intent == *intent && self.decision == *decision
    }
}

/// Whether `person` may decide on a proposal of `chain` under `rule`, now.
///
/// Everybody in the identity chain is excluded, as is the owner of every agent in it where the rule says
/// so; a consent rule (`who = ["requester"]`) is answered by exactly the person in the chain (T11).
pub fn may_decide(rule: &Rule, person: &str, chain: &Chain, directory: &Directory) -> Result<(), Refusal> {
    let no = |detail: String| Err(Refusal::NotEligible { detail });
    let Some(entry) = directory.person(person) else {
        return no(format!("`{person}` is not in the directory"));
    };
    if entry.disabled {
        return no(format!("`{person}` is disabled"));
    }
    let requester = chain.person() == Some(person);
    if rule.is_consent() {
        return if requester { Ok(()) } else { no(format!("rule `{}` asks the requester alone", rule.name)) };
    }
    if requester {
        return no("this was proposed on your behalf, so somebody else must decide".to_owned());
    }
    let owns = directory.agent(chain.agent()).is_some_and(|a| a.owner == person);
    if owns && rule.not.contains(&Exclusion::AgentOwner) {
        return no(format!("you own agent `{}`, so somebody else must decide", chain.agent()));
    }
    if rule.who.iter().any(|who| directory.names(who, person)) {
        Ok(())
    } else {
        no(format!("rule `{}` does not name you", rule.name))
    }
}

/// The entry of `who` through which `person` may decide under `rule` now: `person:ann`, `team:finance` or
/// `requester`. None when they may not decide.
pub fn eligible_through<'a>(
    rule: &'a Rule,
    person: &str,
    chain: &Chain,
    directory: &Directory,
) -> Option<&'a str> {
    may_decide(rule, person, chain, directory).ok()?;
    let names = |who: &&String| rule.is_consent() || directory.names(who, person);
    rule.who.iter().find(names).map(String::as_str)
}

/// Everybody whom the rule names and who may all the same not decide on a proposal of `chain`: the people in
/// the chain, the owners of its agents. A disabled person is not excluded; they may be enabled again.
pub fn excluded(rule: &Rule, chain: &Chain, directory: &Directory) -> Vec<String> {
    let named = |id: &str| rule.who.iter().any(|who| directory.names(who, id));
    directory
        .people()
        .filter(|(id, person)| !person.disabled && named(id))
        .filter(|(id, _)| may_decide(rule, id, chain, directory).is_err())
        .map(|(id, _)| id.to_owned())
        .collect()
}

#[cfg(test)]
mod tests;
