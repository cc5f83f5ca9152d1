//! What the agents asked and what they were told, sorted by the effect that was asked for.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::ledger::{number, text};

/// One request: when it was sent, and what its answer means.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) asked: u64,
    pub(super) meaning: Meaning,
}

/// What an answer says about the effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Meaning {
    /// There was none, or it leaves open whether something was recorded.
    Open,
    /// This proposal stands for it.
    Proposal(String),
    /// Nothing was recorded, sent or done.
    Nothing,
}

/// What may have at most one effect: all requests with one idempotency key, or one request without a key.
#[derive(Debug, Clone, Default)]
pub(super) struct Unit {
    /// The proposals that answers named.
    pub(super) ids: BTreeSet<String>,
    /// The proposals that only an answer in doubt named.
    pub(super) doubtful: BTreeSet<String>,
    /// Its requests, in the order in which they were sent.
    pub(super) requests: Vec<Request>,
    /// The answers, in order, in short.
    pub(super) told: Vec<String>,
}

impl Unit {
    /// Whether some request got no answer, or one that leaves it open whether something was recorded.
    pub(super) fn uncertain(&self) -> bool {
        self.requests.iter().any(|request| request.meaning == Meaning::Open)
    }

    /// Whether an effect of this proposal at this time follows from what was asked before and not denied.
    pub(super) fn justifies(&self, id: &str, at: u64) -> bool {
        let names = |request: &Request| request.meaning == Meaning::Proposal(id.to_owned());
        let open = |request: &Request| request.meaning == Meaning::Open;
        let named = self.ids.contains(id) || self.doubtful.contains(id);
        self.requests.iter().any(|r| r.asked <= at && (names(r) || (named && open(r))))
    }
}

/// All requests for one effect.
#[derive(Debug, Clone, Default)]
pub(super) struct Marker {
    pub(super) units: BTreeMap<String, Unit>,
}

/// A request as it was sent.
#[derive(Debug)]
struct Sent {
    marker: String,
    unit: String,
    at: u64,
}

/// One proposal as it was answered.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen {
    /// Answered other than in doubt.
    pub(super) certain: bool,
    /// The states of all answers.
    pub(super) states: BTreeSet<String>,
    /// The last reading after the run.
    pub(super) last: Option<Value>,
}

/// All requests of a run.
#[derive(Debug, Default)]
pub(super) struct Requests {
    pub(super) markers: BTreeMap<String, Marker>,
    seen: BTreeMap<String, Seen>,
    pub(super) answers: usize,
}

impl Requests {
    /// Sorts the lines of the agents' ledger.
    pub(super) fn of(lines: &[Value]) -> Self {
        let mut all = Self::default();
        let mut asks: BTreeMap<u64, Sent> = BTreeMap::new();
        let mut waiting: BTreeSet<u64> = BTreeSet::new();
        for line in lines {
            let n = number(line, "/n");
            match text(line, "/what") {
                "ask" => {
                    let unit = match text(line, "/key") {
                        "" => format!("request {n}"),
                        key => format!("{} key {key}", text(line, "/agent")),
                    };
                    let marker = text(line, "/marker").to_owned();
                    asks.insert(n, Sent { marker, unit, at: number(line, "/t") });
                    waiting.insert(n);
                }
                "answer" => {
                    waiting.remove(&n);
                    all.answer(asks.get(&n), line);
                }
                "read" => all.read(line, false),
                "final" => all.read(line, true),
                // A lost answer stays among those that wait.
                _ => {}
            }
        }
        for n in waiting {
            let Some(sent) = asks.get(&n) else { continue };
            let unit = all.unit(sent);
            unit.requests.push(Request { asked: sent.at, meaning: Meaning::Open });
            unit.told.push("no answer".to_owned());
        }
        all
    }

    fn unit(&mut self, sent: &Sent) -> &mut Unit {
        self.markers.entry(sent.marker.clone()).or_default().units.entry(sent.unit.clone()).or_default()
    }

    fn answer(&mut self, sent: Option<&Sent>, line: &Value) {
        self.answers = self.answers.saturating_add(1);
        let (status, code) = (number(line, "/status"), text(line, "/code"));
        let (id, state) = (text(line, "/id"), text(line, "/state"));
        let Some(sent) = sent else { return };
        let unit = self.unit(sent);
        unit.told.push(format!("{status} {code} {id} {state} \"{}\"", text(line, "/message")));
        let meaning = match (code, id) {
            ("in_doubt", _) => Meaning::Open,
            (_, "") if status >= 400 => Meaning::Nothing,
            (_, "") => Meaning::Open,
            (_, id) => Meaning::Proposal(id.to_owned()),
        };
        if code == "in_doubt" {
            unit.doubtful.insert(id.to_owned());
        } else if !id.is_empty() {
            unit.ids.insert(id.to_owned());
        }
        unit.requests.push(Request { asked: sent.at, meaning });
        if !id.is_empty() {
            let seen = self.seen.entry(id.to_owned()).or_default();
            if code != "in_doubt" {
                seen.certain = true;
                seen.states.insert(state.to_owned());
            }
        }
    }

    fn read(&mut self, line: &Value, last: bool) {
        let seen = self.seen.entry(text(line, "/id").to_owned()).or_default();
        if number(line, "/status") == 200 {
            seen.states.insert(text(line, "/state").to_owned());
        }
        if last {
            seen.last = Some(line.clone());
        }
    }

    /// Every proposal that some answer named.
    pub(super) fn ids(&self) -> impl Iterator<Item = (&String, &Seen)> {
        self.seen.iter().filter(|(id, _)| !id.is_empty())
    }

    /// Whether a proposal was found at the end.
    pub(super) fn exists(&self, id: &str) -> bool {
        self.seen.get(id).and_then(|s| s.last.as_ref()).is_some_and(|last| number(last, "/status") == 200)
    }
}
