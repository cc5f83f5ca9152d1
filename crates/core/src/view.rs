//! The card: what a person is shown and decides on.
//!
//! It is a pure function of what is bound, and its digest is part of the approval. The agent's own words
//! are not an argument here, so they cannot slip in (T28).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::action::{Call, Precondition, Rendering, Reversible, Undo};
use crate::decision::{Answer, Decision, Gate};
use crate::digest::{Digest, domain};
use crate::directory::{Directory, Link, LinkProof};
use crate::json;
use crate::preview::Preview;
use crate::proposal::{Binding, Proposal, Record};
use crate::time::Timestamp;

/// Everything of a record that the card may show: no reason, no evidence, no run.
#[derive(Debug, Clone, Copy)]
pub struct Bound<'a> {
    id: &'a crate::id::ProposalId,
    action: &'a crate::action::ActionName,
    title: &'a str,
    input: &'a Value,
    links: &'a [Link],
    confirmed_at: Option<Timestamp>,
    undo: &'a Undo,
    binding: &'a Binding,
    decision: &'a Decision,
}

impl<'a> From<&'a Record> for Bound<'a> {
    fn from(record: &'a Record) -> Self {
        let Proposal { id, action, title, input, chain, confirmed_at, undo, .. } = &record.proposal;
        Self {
            id,
            action,
            title,
            input: input.value(),
            links: chain.links(),
            confirmed_at: *confirmed_at,
            undo,
            binding: &record.binding,
            decision: &record.decision,
        }
    }
}

/// One link of the chain, named by the registry and not by itself (T33).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Who {
    /// `person` or `agent`.
    pub kind: String,
    /// Name in the directory.
    pub id: String,
    /// Display name from the directory.
    pub name: String,
    /// `key`, `token`, `claimed` or `confirmed`.
    pub proof: LinkProof,
    /// The same in words, with the issuer of a token and the time of a confirmation.
    pub known: String,
}

/// The card.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Card {
    /// The proposal's id.
    pub id: String,
    /// The action's name.
    pub action: String,
    /// What happens, in one sentence: the first of the effects, or the title with the thing touched.
    pub headline: String,
    /// The action in a few words.
    pub title: String,
    /// The money that moves, as people read it: `12,500.00 USD`.
    pub money: Option<String>,
    /// Who acts, root first.
    pub who: Vec<Who>,
    /// The thing touched: type, id, system.
    pub resource: crate::action::Resource,
    /// The environment.
    pub environment: String,
    /// Typed risk.
    pub risk: crate::action::Risk,
    /// What will happen, in the manifest's sentences.
    pub effects: Vec<String>,
    /// Whether there is a way back, as the manifest declares it.
    pub reversible: Reversible,
    /// How, or why not.
    pub undo: String,
    /// Before, after, difference, and how faithful that is.
    pub preview: Preview,
    /// What is checked again right before the write, or that nothing is (T07).
    pub guard: String,
    /// The input as it was validated.
    pub input: Value,
    /// The exact call, with the credential as a name.
    pub call: Call,
    /// Why people are asked: policies with their reasons and rules.
    pub gates: Vec<Gate>,
    /// What must be done before people can decide, or why nobody can; none when nothing is in the way.
    pub asks: Option<String>,
    /// The answer's name.
    pub answer: String,
    /// What an approval binds.
    pub intent: Digest,
    /// What an approval binds.
    pub decision: Digest,
    /// The policy set that decided.
    pub policy_set: Digest,
}

impl Card {
    /// The card of what is bound.
    pub fn new(bound: Bound<'_>, directory: &Directory) -> Self {
        let rendering = &bound.binding.rendering;
        Self {
            id: bound.id.to_string(),
            action: bound.action.to_string(),
            headline: headline(bound.title, rendering),
            title: bound.title.to_owned(),
            money: rendering.risk.money(),
            who: bound.links.iter().map(|link| who(link, bound.confirmed_at, directory)).collect(),
            resource: rendering.resource.clone(),
            environment: rendering.environment.clone(),
            risk: rendering.risk.clone(),
            effects: rendering.effects.clone(),
            reversible: bound.undo.reversible,
            undo: bound.undo.why.clone(),
            preview: bound.binding.preview.clone(),
            guard: guard(&rendering.precondition),
            input: bound.input.clone(),
            call: rendering.call.clone(),
            gates: bound.decision.gates().to_vec(),
            asks: bound.decision.detail.clone(),
            answer: match bound.decision.answer {
                Answer::Allow => "allow",
                Answer::Deny { .. } => "deny",
                Answer::NeedsApproval { .. } => "needs_approval",
            }
            .to_owned(),
            intent: bound.binding.intent,
            decision: bound.decision.digest,
            policy_set: bound.decision.policy_set,
        }
    }

    /// The digest of everything on the card; the approve request echoes it. None when it could not be made, and then
    /// nothing can be approved.
    pub fn digest(&self) -> Option<Digest> {
        Some(Digest::of(domain::VIEW, &json::canonical_of(self).ok()?))
    }
}

/// What happens, in one sentence.
fn headline(title: &str, rendering: &Rendering) -> String {
    let said = rendering.effects.first().cloned();
    said.unwrap_or_else(|| format!("{title}: {}", rendering.resource.to_text()))
}

fn who(link: &Link, confirmed_at: Option<Timestamp>, directory: &Directory) -> Who {
    let (kind, id, name) = match link {
        Link::Person { id, .. } => ("person", id, directory.person(id).map(|p| &p.name)),
        Link::Agent { id, .. } => ("agent", id, directory.agent(id).map(|a| &a.title)),
    };
    let name = name.unwrap_or(id).clone();
    let known = match (link.proof(), confirmed_at) {
        (LinkProof::Key, _) => "known by its key".to_owned(),
        (LinkProof::Token, _) => match link {
            Link::Agent { issuer: Some(issuer), .. } => format!("known by its token from {issuer}"),
            Link::Agent { issuer: None, .. } | Link::Person { .. } => "known by its token".to_owned(),
        },
        (LinkProof::Claimed, _) => "claimed by the agent".to_owned(),
        (LinkProof::Confirmed, None) => format!("confirmed by {name}"),
        (LinkProof::Confirmed, Some(at)) => format!("confirmed by {name} on {}", at.to_rfc3339()),
    };
    Who { kind: kind.to_owned(), id: id.clone(), name, proof: link.proof(), known }
}

fn guard(precondition: &Precondition) -> String {
    match precondition {
        Precondition::None => {
            "Not guarded: the record may change between your decision and the call.".to_owned()
        }
        Precondition::Etag { etag } => {
            format!("Guarded by the upstream: it refuses unless the record is still version {etag}.")
        }
        Precondition::Watched { values, gone } => {
            let lost = gone.iter().map(|pointer| format!("{pointer} (no longer in the record)"));
            let names: Vec<String> = values.keys().cloned().chain(lost).collect();
            format!("Read again right before the call; if {} differ, you are asked again.", names.join(", "))
        }
    }
}
