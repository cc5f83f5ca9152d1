//! Who may approve, how many must, and when enough have. The rules of `approvals.toml` at work.

mod deciders;
pub(crate) mod lint;
mod quorum;
mod reach;
mod rules;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::directory::{Chain, Directory};
use crate::refusal::Refusal;
use crate::time::Timestamp;

pub use deciders::{Decider, Deciders, deciders};
pub(crate) use quorum::fill_seats;
pub use quorum::{Approver, Standing, standing};
pub use reach::{Reach, reach};
pub use rules::{Exclusion, Proof, Rule, Rules};

/// One person's "yes" to one intent. Single use: it belongs to one proposal and never to another (T09, T10).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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

/// Who proposes: the chain, and everybody whom its agents could have named in it.
#[derive(Debug, Clone, Copy)]
pub struct ProposedBy<'a> {
    /// Who acts.
    pub chain: &'a Chain,
    /// The people whom the agents of the chain could have named when the proposal was opened.
    pub could_be: &'a [String],
}

impl ProposedBy<'_> {
    /// The agent that could have named this person in the chain, then or now. Nobody could once the person in
    /// the chain has confirmed it: the chain is no longer the agent's claim.
    fn could_have_named(&self, person: &str, directory: &Directory) -> Option<&str> {
        if self.chain.is_confirmed() {
            return None;
        }
        let now = self.chain.agents().find(|agent| directory.may_act_for(agent, person));
        now.or_else(|| self.could_be.iter().any(|id| id == person).then(|| self.chain.agent()))
    }
}

/// Whether `person` may decide on what was proposed so under `rule`, now.
///
/// Excluded are the person in the chain, the owner of every agent in it where the rule says so, and, until the
/// person in the chain has confirmed it, everybody whom an agent could have named: otherwise the agent would
/// choose its approver by choosing whom to name (T11). A consent rule (`who = ["requester"]`) is answered by
/// exactly the person in the chain; their approval is itself a confirmation.
pub fn may_decide(
    rule: &Rule,
    person: &str,
    by: ProposedBy<'_>,
    directory: &Directory,
) -> Result<(), Refusal> {
    let chain = by.chain;
    let no = |detail: String| Err(Refusal::NotEligible { detail });
    let Some(entry) = directory.person(person) else {
        return no(format!("`{person}` is not in the directory"));
    };
    if entry.disabled {
        return no(format!("`{person}` is disabled"));
    }
    let is_requester = chain.person() == Some(person);
    if rule.is_consent() {
        return if is_requester {
            Ok(())
        } else {
            no(format!("rule `{}` asks the requester alone", rule.name))
        };
    }
    if is_requester {
        return no("this was proposed on your behalf, so somebody else must decide".to_owned());
    }
    let owned = |agent: &&str| directory.agent(agent).is_some_and(|a| a.owner == person);
    if rule.not.contains(&Exclusion::AgentOwner)
        && let Some(agent) = chain.agents().find(owned)
    {
        return no(format!("you own agent `{agent}`, so somebody else must decide"));
    }
    if !rule.who.iter().any(|who| directory.names(who, person)) {
        return no(format!("rule `{}` does not name you", rule.name));
    }
    match by.could_have_named(person, directory) {
        Some(agent) => no(match chain.person() {
            Some(named) => format!(
                "agent `{agent}` could have named you, so somebody else must decide, or `{named}` confirms that \
                 this is for them"
            ),
            None => {
                format!("agent `{agent}` could have named you and named nobody, so somebody else must decide")
            }
        }),
        None => Ok(()),
    }
}

/// The entry of `who` through which `person` may decide under `rule` now: `person:ann`, `team:finance` or
/// `requester`. None when they may not decide.
pub fn eligible_through<'a>(
    rule: &'a Rule,
    person: &str,
    by: ProposedBy<'_>,
    directory: &Directory,
) -> Option<&'a str> {
    may_decide(rule, person, by, directory).ok()?;
    let names = |who: &&String| rule.is_consent() || directory.names(who, person);
    rule.who.iter().find(names).map(String::as_str)
}

/// Everybody whom the rule names and who may all the same not decide on what was proposed so: the people in the
/// chain, the owners of its agents, and whom else an agent could have named. A disabled person is not excluded;
/// they may be enabled again.
pub fn excluded(rule: &Rule, by: ProposedBy<'_>, directory: &Directory) -> Vec<String> {
    let named = |id: &str| rule.who.iter().any(|who| directory.names(who, id));
    directory
        .people()
        .filter(|(id, person)| !person.disabled && named(id))
        .filter(|(id, _)| may_decide(rule, id, by, directory).is_err())
        .map(|(id, _)| id.to_owned())
        .collect()
}

#[cfg(test)]
mod deciders_tests;
#[cfg(test)]
mod graph_tests;
#[cfg(test)]
mod tests;
