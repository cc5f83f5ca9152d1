//! The proposal page: the card in the order in which an approver needs it, then the decision.

use askama::Template;
use countersign_core::action::{Call, Precondition};
use countersign_core::approval::{Deciders, Standing};
use countersign_core::directory::{Directory, LinkProof};
use countersign_core::proposal::{Proposal, Record, State};
use countersign_core::time::Timestamp;
use countersign_core::view::Card;

use super::Chrome;
use super::diff::{Diff, diff};
use super::events::Events;
use super::status::Status;
use super::text::{Block, Eye, Text, Time};
use crate::surface::{IRREVERSIBLE, OUTSIDE, if_sent_twice, is_irreversible, person_name, touched, why};

/// A property in one or two words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chip {
    label: String,
    tone: &'static str,
}

/// One link of the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Link {
    /// `Person` or `Agent`.
    pub(crate) kind: &'static str,
    /// Name from the directory.
    pub(crate) name: Text,
    /// Id from the directory.
    pub(crate) id: Text,
    /// How the gate knows that it is them.
    pub(crate) known: Text,
    /// Whether only the agent says so.
    pub(crate) claimed: bool,
}

/// The exact request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ShownCall {
    line: Text,
    headers: Vec<Header>,
    content_type: Option<Text>,
    body: Option<Block>,
    credential: Option<Text>,
    effect: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Header {
    name: Text,
    value: Text,
}

/// A digest with what it covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Print {
    name: &'static str,
    digest: String,
}

/// What the card shows: everything that the approval's view digest covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) id: String,
    action: Text,
    environment: Text,
    headline: Text,
    title: Text,
    money: Option<Text>,
    chips: Vec<Chip>,
    who: Vec<Link>,
    diff: Diff,
    /// What will happen beside the headline.
    effects: Vec<Text>,
    /// Whether the action says what will happen at all.
    says: bool,
    /// Whether anything changes.
    mutating: bool,
    undo: Text,
    guarded: bool,
    guard: Text,
    answer: Text,
    /// What must be done before people can decide.
    first: Option<Text>,
    call: ShownCall,
    input: Block,
    prints: Vec<Print>,
    /// Places where something is behind "show them".
    pub(crate) shortened: usize,
    altered: usize,
    suspicious: usize,
}

/// What is shown of a card. Takes nothing that an agent wrote about its own request (T28).
pub(crate) fn shown(card: &Card, precondition: &Precondition, now: Timestamp) -> Shown {
    let eye = Eye::default();
    let prints = [
        ("Intent", Some(card.intent)),
        ("Decision", Some(card.decision)),
        ("This card", card.digest()),
        ("Policy set", Some(card.policy_set)),
    ];
    let mut shown = Shown {
        id: card.id.clone(),
        action: eye.text(&card.action),
        environment: eye.text(&card.environment),
        headline: eye.text(&card.headline),
        title: eye.text(&card.title),
        money: card.money.as_ref().map(|money| eye.text(money)),
        chips: chips(card),
        who: chain(card, &eye),
        diff: diff(&card.preview, &eye, now),
        effects: card.effects.iter().skip(1).map(|e| eye.text(e)).collect(),
        says: !card.effects.is_empty(),
        mutating: card.risk.mutating,
        undo: eye.text(&card.undo),
        guarded: *precondition != Precondition::None,
        guard: eye.text(&card.guard),
        answer: eye.text(&card.answer),
        first: card.asks.as_ref().map(|detail| eye.text(detail)),
        call: call(card, &eye),
        input: eye.json(&card.input),
        prints: prints
            .map(|(name, d)| Print { name, digest: d.map_or_else(String::new, |d| d.to_string()) })
            .into(),
        shortened: 0,
        altered: 0,
        suspicious: 0,
    };
    shown.shortened = eye.shortened();
    shown.altered = eye.altered();
    shown.suspicious = eye.suspicious();
    shown
}

fn chips(card: &Card) -> Vec<Chip> {
    let risk = &card.risk;
    let mut chips = vec![Chip { label: touched(risk), tone: if risk.count > 1 { "amber" } else { "plain" } }];
    if risk.external {
        chips.push(Chip { label: OUTSIDE.to_owned(), tone: "amber" });
    }
    if is_irreversible(card) {
        chips.push(Chip { label: IRREVERSIBLE.to_owned(), tone: "red" });
    }
    chips
}

pub(super) fn chain(card: &Card, eye: &Eye) -> Vec<Link> {
    let kind = |kind: &str| if kind == "person" { "Person" } else { "Agent" };
    card.who
        .iter()
        .map(|w| Link {
            kind: kind(&w.kind),
            name: eye.text(&w.name),
            id: eye.text(&w.id),
            known: eye.text(&w.known),
            claimed: w.proof == LinkProof::Claimed,
        })
        .collect()
}

fn call(card: &Card, eye: &Eye) -> ShownCall {
    let Call::Http(call) = &card.call;
    ShownCall {
        line: eye.text(&card.call.line()),
        headers: call.headers.iter().map(|(n, v)| Header { name: eye.text(n), value: eye.text(v) }).collect(),
        content_type: call.body.as_ref().map(|(kind, _)| eye.text(kind)),
        body: call.body.as_ref().map(|(_, text)| eye.block(text)),
        credential: call.credential.as_deref().map(|c| eye.text(c)),
        effect: if_sent_twice(call.effect),
    }
}

/// A policy that asks for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RuleAsk {
    reason: Text,
    policy: Text,
    rules: Vec<RuleProgress>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct RuleProgress {
    name: Text,
    /// How far it has come, while it is asked.
    now: Option<Standing>,
    /// Who can decide now, by name.
    able: Option<Text>,
}

/// Which policies ask, why, and how far each of their rules has come.
pub(crate) fn asks(card: &Card, state: &State, able: &[Deciders]) -> Vec<RuleAsk> {
    let eye = Eye::default();
    let standing = if let State::Pending { standing, .. } = state { standing.as_slice() } else { &[] };
    let progress = |name: &String| RuleProgress {
        name: eye.text(name),
        now: standing.iter().find(|now| now.rule == *name).cloned(),
        able: able.iter().find(|able| able.rule == *name).map(|able| eye.text(&able.to_text())),
    };
    card.gates
        .iter()
        .map(|gate| RuleAsk {
            reason: eye.text(why(&gate.policy)),
            policy: eye.text(&gate.policy.id),
            rules: gate.rules.iter().map(progress).collect(),
        })
        .collect()
}

/// An approval that was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Given {
    name: Text,
    person: Text,
    at: Time,
    comment: Option<Block>,
    counts: bool,
}

/// Every approval that was ever given, with whether it still counts.
pub(crate) fn given(record: &Record, directory: &Directory, now: Timestamp) -> Vec<Given> {
    let eye = Eye::default();
    record
        .approvals
        .iter()
        .map(|a| Given {
            name: eye.text(&person_name(directory, &a.person)),
            person: eye.text(&a.person),
            at: Time::new(a.at, now),
            comment: (!a.comment.is_empty()).then(|| eye.block(&a.comment)),
            counts: a.answers_to(&record.binding.intent, &record.decision.digest),
        })
        .collect()
}

/// What the agent wrote. Printed in a box of its own, closed, after the shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Words {
    reason: Option<Block>,
    run: Option<Text>,
    evidence: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Piece {
    title: Text,
    body: Block,
}

impl Words {
    fn is_empty(&self) -> bool {
        self.reason.is_none() && self.run.is_none() && self.evidence.is_empty()
    }
}

/// The agent's own words.
pub(crate) fn words(proposal: &Proposal) -> Words {
    let eye = Eye::default();
    Words {
        reason: proposal.reason.as_deref().map(|r| eye.block(r)),
        run: proposal.run.as_deref().map(|r| eye.text(r)),
        evidence: proposal
            .evidence
            .iter()
            .map(|e| {
                let body = e.body.as_str().map_or_else(|| eye.json(&e.body), |text| eye.block(text));
                Piece { title: eye.text(&e.title), body }
            })
            .collect(),
    }
}

/// What the forms of a decision carry: the digests of what is on this page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Decide {
    csrf: String,
    intent: String,
    decision: String,
    view: String,
}

/// The forms' hidden fields for this card.
pub(crate) fn decide(card: &Card, csrf: &str) -> Decide {
    Decide {
        csrf: csrf.to_owned(),
        intent: card.intent.to_string(),
        decision: card.decision.to_string(),
        view: card.digest().map(|view| view.to_string()).unwrap_or_default(),
    }
}

/// Something to say before the card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Notice {
    /// In one sentence.
    pub(crate) heading: &'static str,
    /// In detail.
    pub(crate) lines: Vec<Text>,
}

/// The whole page.
#[derive(Debug, Clone, PartialEq, Eq, Template)]
#[template(path = "console/proposal.html")]
pub(crate) struct ProposalPage {
    pub(crate) chrome: Chrome,
    pub(crate) notice: Option<Notice>,
    pub(crate) version: u32,
    pub(crate) shown: Shown,
    pub(crate) asks: Vec<RuleAsk>,
    pub(crate) approvals: Vec<Given>,
    pub(crate) created: Time,
    /// Who answers for the system.
    pub(crate) owner: Option<Text>,
    pub(crate) words: Words,
    pub(crate) status: Status,
    pub(crate) events: Events,
    /// Present when the decision is the viewer's.
    pub(crate) decide: Option<Decide>,
    /// Present when the viewer is the person whom the agent named and has not confirmed it.
    pub(crate) confirm: Option<Decide>,
    /// Why it is not, while it is open.
    pub(crate) why_not: Vec<Text>,
    /// The form token when the viewer may cancel.
    pub(crate) cancel: Option<String>,
}
