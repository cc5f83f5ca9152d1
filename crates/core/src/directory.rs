//! Who exists: people, teams and agents, as `directory.toml` names them, and the identity chain built from it.
//!
//! There is no empty or anonymous identity: a `Chain` is only made by [`Directory::chain`] and
//! [`Directory::chain_proved`], from an agent that was found by its key or by its token (T40).

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::problem::{Problem, SourceFile, read_toml};
use crate::refusal::Refusal;

/// A person who may approve, operate or be acted for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// How they are shown.
    pub name: String,
    /// Teams they belong to, by name.
    #[serde(default)]
    pub teams: BTreeSet<String>,
    /// What they may do besides approving.
    #[serde(default)]
    pub roles: BTreeSet<Role>,
    /// A person who has left: may do nothing, and nothing may be done for them.
    #[serde(default)]
    pub disabled: bool,
}

/// What a person may do in the console besides deciding on proposals that rules put before them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// May see every proposal and cancel any.
    Operator,
    /// May see every proposal and read and export the log.
    Auditor,
}

/// A program that proposes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Agent {
    /// How it is shown to approvers. The agent itself has no say in it (T33).
    pub title: String,
    /// The person who answers for it. Never an approver of its proposals under `not = ["agent-owner"]`.
    pub owner: String,
    /// Teams it belongs to, by name.
    #[serde(default)]
    pub teams: BTreeSet<String>,
    /// The people it may act for: `person:ann` or `team:support`.
    #[serde(default)]
    pub act_for: BTreeSet<String>,
    /// Whether it may propose on nobody's behalf.
    #[serde(default)]
    pub alone: bool,
    /// A suspended agent: its keys open nothing.
    #[serde(default)]
    pub disabled: bool,
    /// Its keys, as digests.
    #[serde(default)]
    pub key: Vec<AgentKey>,
}

/// An API key at rest.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentKey {
    /// Digest of the key under the domain `countersign/token/v1`.
    pub hash: Digest,
    /// When it was made, for people.
    #[serde(default)]
    pub created: String,
}

/// A team: people and agents that policies and approval rules name together.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Team {
    /// How it is shown.
    #[serde(default)]
    pub title: String,
    /// Teams that this one is part of.
    #[serde(default)]
    pub parents: BTreeSet<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DirectoryFile {
    #[serde(default)]
    team: BTreeMap<String, Team>,
    #[serde(default)]
    person: BTreeMap<String, Person>,
    #[serde(default)]
    agent: BTreeMap<String, Agent>,
}

/// How the gate knows that a link of a chain is who it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LinkProof {
    /// The agent sent its key.
    Key,
    /// The agent sent an access token that an authorization server signed for this gate.
    Token,
    /// The agent named this person, and nothing else speaks for it.
    Claimed,
    /// The named person said in their own session that the proposal is for them.
    Confirmed,
}

impl LinkProof {
    /// The name in policies and on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Token => "token",
            Self::Claimed => "claimed",
            Self::Confirmed => "confirmed",
        }
    }
}

/// How the agent of a request proved who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AgentProof {
    /// By its key.
    Key,
    /// By an access token.
    Token {
        /// The authorization server that signed it: its `iss`.
        issuer: String,
    },
}

/// One link of an identity chain. Its proof is part of the chain, so approvals bind it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Link {
    /// A person at the root: the one on whose behalf.
    Person {
        /// Name in the directory.
        id: String,
        /// `claimed` or `confirmed`.
        proof: LinkProof,
    },
    /// An agent.
    Agent {
        /// Name in the directory.
        id: String,
        /// How the agent proved who it is: `key` or `token`.
        proof: LinkProof,
        /// The authorization server that signed the token; only with the proof `token`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        issuer: Option<String>,
    },
}

impl Link {
    /// How this link is known.
    pub const fn proof(&self) -> LinkProof {
        match self {
            Self::Person { proof, .. } | Self::Agent { proof, .. } => *proof,
        }
    }
}

/// Who acts: from the person at the root, if any, to the agent that made the request. Never empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Chain {
    links: Vec<Link>,
}

impl Chain {
    /// The links, root first.
    pub fn links(&self) -> &[Link] {
        &self.links
    }

    /// The person on whose behalf, if any.
    pub fn person(&self) -> Option<&str> {
        self.links.iter().find_map(|l| match l {
            Link::Person { id, .. } => Some(id.as_str()),
            Link::Agent { .. } => None,
        })
    }

    /// How the person on whose behalf is known, if there is one.
    pub fn person_proof(&self) -> Option<LinkProof> {
        self.links.iter().find_map(|l| match l {
            Link::Person { proof, .. } => Some(*proof),
            Link::Agent { .. } => None,
        })
    }

    /// Whether the person on whose behalf has confirmed it.
    pub fn is_confirmed(&self) -> bool {
        self.person_proof() == Some(LinkProof::Confirmed)
    }

    /// The same chain after its person has confirmed it. None when it names no person.
    pub fn confirmed(&self) -> Option<Self> {
        self.person()?;
        let confirm = |link: &Link| match link {
            Link::Person { id, .. } => Link::Person { id: id.clone(), proof: LinkProof::Confirmed },
            Link::Agent { .. } => link.clone(),
        };
        Some(Self { links: self.links.iter().map(confirm).collect() })
    }

    /// Every agent in it, in order.
    pub fn agents(&self) -> impl Iterator<Item = &str> {
        self.links.iter().filter_map(|l| match l {
            Link::Agent { id, .. } => Some(id.as_str()),
            Link::Person { .. } => None,
        })
    }

    /// The agent that proposed: the last link.
    pub fn agent(&self) -> &str {
        self.agents().last().unwrap_or_default()
    }

    /// `ann → support-bot`, for people and logs.
    pub fn to_text(&self) -> String {
        let names: Vec<&str> = self
            .links
            .iter()
            .map(|l| match l {
                Link::Person { id, .. } | Link::Agent { id, .. } => id.as_str(),
            })
            .collect();
        names.join(" → ")
    }
}

/// The loaded directory.
#[derive(Debug, Clone)]
pub struct Directory {
    teams: BTreeMap<String, Team>,
    people: BTreeMap<String, Person>,
    agents: BTreeMap<String, Agent>,
    by_key: BTreeMap<Digest, String>,
    /// For each agent the people of its `act_for`, with the members of its teams. Made once at load, because
    /// every proposal asks for it.
    act_for: BTreeMap<String, BTreeSet<String>>,
}

impl Directory {
    /// Reads `directory.toml`; every mistake is listed, not just the first.
    pub fn load(file: &SourceFile) -> Result<Self, Vec<Problem>> {
        let parsed: DirectoryFile = read_toml(file).map_err(|p| vec![advised(p)])?;
        let mut found = Vec::new();
        check_references(file, &parsed, &mut found);
        let mut by_key = BTreeMap::new();
        for (name, agent) in &parsed.agent {
            for key in &agent.key {
                if by_key.insert(key.hash, name.clone()).is_some() {
                    found.push(file.error_at(
                        &key.hash.to_string(),
                        "the same key is listed twice",
                        "Give every agent a key of its own.",
                    ));
                }
            }
        }
        if found.is_empty() {
            let (teams, people, agents) = (parsed.team, parsed.person, parsed.agent);
            let mut directory = Self { teams, people, agents, by_key, act_for: BTreeMap::new() };
            directory.act_for = directory.resolve_act_for();
            Ok(directory)
        } else {
            Err(found)
        }
    }

    /// The agent that holds the key with this digest, unless it is suspended.
    pub fn agent_by_key(&self, hash: &Digest) -> Option<(&str, &Agent)> {
        let name = self.by_key.get(hash)?;
        let agent = self.agents.get(name).filter(|a| !a.disabled)?;
        Some((name, agent))
    }

    /// A person by name, also one who has left.
    pub fn person(&self, id: &str) -> Option<&Person> {
        self.people.get(id)
    }

    /// An agent by name, also a suspended one.
    pub fn agent(&self, id: &str) -> Option<&Agent> {
        self.agents.get(id)
    }

    /// All people, by name.
    pub fn people(&self) -> impl Iterator<Item = (&str, &Person)> {
        self.people.iter().map(|(n, p)| (n.as_str(), p))
    }

    /// All agents, by name.
    pub fn agents(&self) -> impl Iterator<Item = (&str, &Agent)> {
        self.agents.iter().map(|(n, a)| (n.as_str(), a))
    }

    /// All teams, by name.
    pub fn teams(&self) -> impl Iterator<Item = (&str, &Team)> {
        self.teams.iter().map(|(n, t)| (n.as_str(), t))
    }

    /// The teams a link belongs to, with all their ancestors.
    pub fn teams_of(&self, link: &Link) -> BTreeSet<&str> {
        self.with_parents(match link {
            Link::Person { id, .. } => self.people.get(id).map(|p| &p.teams),
            Link::Agent { id, .. } => self.agents.get(id).map(|a| &a.teams),
        })
    }

    /// These teams and all their ancestors.
    fn with_parents<'a>(&'a self, direct: Option<&'a BTreeSet<String>>) -> BTreeSet<&'a str> {
        let mut all = BTreeSet::new();
        let mut open: Vec<&str> = direct.into_iter().flatten().map(String::as_str).collect();
        while let Some(name) = open.pop() {
            if all.insert(name) {
                open.extend(
                    self.teams.get(name).into_iter().flat_map(|t| t.parents.iter().map(String::as_str)),
                );
            }
        }
        all
    }

    /// Whether `who` (`person:ann`, `team:finance-leads`) names this person now.
    pub fn names(&self, who: &str, person: &str) -> bool {
        match who.split_once(':') {
            Some(("person", id)) => id == person,
            Some(("team", team)) => {
                self.with_parents(self.people.get(person).map(|p| &p.teams)).contains(team)
            }
            _ => false,
        }
    }

    /// Whom each agent may name as the person it acts for.
    fn resolve_act_for(&self) -> BTreeMap<String, BTreeSet<String>> {
        let mut named: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (id, person) in &self.people {
            named.entry(format!("person:{id}")).or_default().insert(id.clone());
            for team in self.with_parents(Some(&person.teams)) {
                named.entry(format!("team:{team}")).or_default().insert(id.clone());
            }
        }
        let people = |agent: &Agent| -> BTreeSet<String> {
            agent.act_for.iter().filter_map(|who| named.get(who)).flatten().cloned().collect()
        };
        self.agents.iter().map(|(name, agent)| (name.clone(), people(agent))).collect()
    }

    /// Whether this agent may name this person as the one it acts for, now.
    pub fn may_act_for(&self, agent: &str, person: &str) -> bool {
        self.act_for.get(agent).is_some_and(|people| people.contains(person))
    }

    /// Everybody whom some agent of this chain may name as the person it acts for, now, in order of name.
    pub fn could_be(&self, chain: &Chain) -> Vec<String> {
        let people: BTreeSet<&String> =
            chain.agents().filter_map(|agent| self.act_for.get(agent)).flatten().collect();
        people.into_iter().cloned().collect()
    }

    /// Builds the identity chain of a request that came with this agent's key.
    pub fn chain(&self, agent: &str, on_behalf_of: Option<&str>) -> Result<Chain, Refusal> {
        self.chain_proved(agent, &AgentProof::Key, on_behalf_of)
    }

    /// Builds the identity chain of a request whose agent proved itself like this.
    pub fn chain_proved(
        &self,
        agent: &str,
        proof: &AgentProof,
        on_behalf_of: Option<&str>,
    ) -> Result<Chain, Refusal> {
        // The request proves the agent; about the person it only says so.
        let person = on_behalf_of.map(|id| Link::Person { id: id.to_owned(), proof: LinkProof::Claimed });
        let (proof, issuer) = match proof {
            AgentProof::Key => (LinkProof::Key, None),
            AgentProof::Token { issuer } => (LinkProof::Token, Some(issuer.clone())),
        };
        let agent_link = Link::Agent { id: agent.to_owned(), proof, issuer };
        let chain = Chain { links: person.into_iter().chain([agent_link]).collect() };
        self.still_holds(&chain)?;
        Ok(chain)
    }

    /// Whether every link of a chain still exists, is active and may still act for the one before it (T05).
    pub fn still_holds(&self, chain: &Chain) -> Result<(), Refusal> {
        let name = chain.agent();
        let gone = |detail: String| Refusal::IdentityNotValid { detail };
        let agent =
            self.agents.get(name).ok_or_else(|| gone(format!("agent `{name}` is not in the directory")))?;
        if agent.disabled {
            return Err(gone(format!("agent `{name}` is suspended")));
        }
        let Some(id) = chain.person() else {
            return if agent.alone {
                Ok(())
            } else {
                Err(gone(format!("agent `{name}` must name the person it acts for in `on_behalf_of`")))
            };
        };
        let not_allowed = || Refusal::DelegationNotAllowed { agent: name.to_owned(), person: id.to_owned() };
        // An unknown person and one it may not act for look the same: an agent cannot list people by trying.
        let person = self.people.get(id).ok_or_else(not_allowed)?;
        if !self.may_act_for(name, id) {
            return Err(not_allowed());
        }
        if person.disabled { Err(gone(format!("person `{id}` is disabled"))) } else { Ok(()) }
    }
}

/// Versions before took an `email` of a person and did nothing with it.
fn advised(problem: Problem) -> Problem {
    if problem.message.starts_with("unknown field `email`") {
        return Problem { remedy: "Remove it; it had no effect.".to_owned(), ..problem };
    }
    problem
}

fn check_references(file: &SourceFile, parsed: &DirectoryFile, found: &mut Vec<Problem>) {
    let mut name_ok = |table: &str, name: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '@');
        if name.is_empty() || !name.chars().all(plain) {
            let remedy = "Use letters, digits, and `-`, `_`, `.`, `@`.";
            found.push(file.error_at(
                name,
                format!("the {table} name `{name}` has other characters than it may"),
                remedy,
            ));
        }
    };
    parsed.team.keys().for_each(|n| name_ok("team", n));
    parsed.person.keys().for_each(|n| name_ok("person", n));
    parsed.agent.keys().for_each(|n| name_ok("agent", n));

    let memberships = parsed
        .person
        .values()
        .map(|p| &p.teams)
        .chain(parsed.agent.values().map(|a| &a.teams))
        .chain(parsed.team.values().map(|t| &t.parents));
    for team in memberships.flatten() {
        if !parsed.team.contains_key(team) {
            let remedy = format!("Add `[team.{team}]` or correct the name.");
            found.push(file.error_at(team, format!("team `{team}` is not defined"), &remedy));
        }
    }
    for (name, agent) in &parsed.agent {
        if !parsed.person.contains_key(&agent.owner) {
            let message = format!("the owner `{}` of agent `{name}` is not a person", agent.owner);
            found.push(file.error_at(&agent.owner, message, "Name somebody who answers for the agent."));
        }
        for who in &agent.act_for {
            if !defined(parsed, who) {
                let message = format!("`{who}` names nobody");
                found.push(file.error_at(
                    who,
                    message,
                    "Write `person:NAME` or `team:NAME` with a name that is defined.",
                ));
            }
        }
        if agent.act_for.is_empty() && !agent.alone {
            let message = format!("agent `{name}` may act for nobody and not alone, so it can do nothing");
            found.push(file.error_at(
                &format!("agent.{name}"),
                message,
                "Give it `act_for` or `alone = true`.",
            ));
        }
    }
}

fn defined(parsed: &DirectoryFile, who: &str) -> bool {
    match who.split_once(':') {
        Some(("person", id)) => parsed.person.contains_key(id),
        Some(("team", id)) => parsed.team.contains_key(id),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
