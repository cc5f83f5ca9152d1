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

/// By what the requests of a unit belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Known {
    /// It is one request over HTTP without a key.
    #[default]
    Alone,
    /// An idempotency key.
    Key,
    /// They are the same call of an MCP client without a key: the same chain, tool and arguments. All of them are sent
    /// within the time in which the gate promises to know them.
    Call,
}

/// What may have at most one effect: all requests with one idempotency key, all that are one MCP call without a key, or
/// one request without a key.
#[derive(Debug, Clone, Default)]
pub(super) struct Unit {
    pub(super) known: Known,
    /// Its requests came over MCP.
    pub(super) mcp: bool,
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

    /// Whether an effect that no answer names may be of this unit. What a call without a key was told of other proposals
    /// says nothing against it, unless one of those had an effect.
    pub(super) fn may_hide_one(&self, had_effect: impl Fn(&String) -> bool) -> bool {
        let others =
            if self.known == Known::Call { self.ids.iter().any(had_effect) } else { !self.ids.is_empty() };
        self.uncertain() && !others
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
    known: Known,
    mcp: bool,
    at: u64,
}

impl Sent {
    fn of(line: &Value) -> Self {
        let (agent, mcp) = (text(line, "/agent"), text(line, "/via") == "mcp");
        let (known, unit) = match (text(line, "/key"), mcp) {
            ("", false) => (Known::Alone, format!("request {}", number(line, "/n"))),
            ("", true) => {
                let arguments = line.get("body").unwrap_or(&Value::Null);
                (Known::Call, format!("{agent} calls {} {arguments}", text(line, "/tool")))
            }
            (key, _) => (Known::Key, format!("{agent} key {key}")),
        };
        Self { marker: text(line, "/marker").to_owned(), unit, known, mcp, at: number(line, "/t") }
    }
}

/// What a model read about a proposal, in an answer over MCP.
#[derive(Debug, Clone)]
pub(super) struct Told {
    pub(super) id: String,
    /// The names are those of the answers' parser.
    pub(super) said: String,
    pub(super) asked: u64,
    pub(super) answered: u64,
    pub(super) words: String,
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

impl Seen {
    /// An answer may name a proposal without its state, as a task does that goes on.
    fn saw(&mut self, state: &str) {
        if !state.is_empty() {
            self.states.insert(state.to_owned());
        }
    }
}

/// All requests of a run.
#[derive(Debug, Default)]
pub(super) struct Requests {
    pub(super) markers: BTreeMap<String, Marker>,
    /// What was read over MCP.
    pub(super) told: Vec<Told>,
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
                    asks.insert(n, Sent::of(line));
                    waiting.insert(n);
                }
                "answer" => {
                    waiting.remove(&n);
                    all.answer(asks.get(&n), line);
                }
                // There was nobody to send it to.
                "lost" if line.get("unsent") == Some(&Value::Bool(true)) => {
                    waiting.remove(&n);
                }
                "read" => all.read(line, false),
                "final" => all.read(line, true),
                // Any other lost answer stays among those that wait.
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
        let marker = self.markers.entry(sent.marker.clone()).or_default();
        let unit = marker.units.entry(sent.unit.clone()).or_default();
        (unit.known, unit.mcp) = (sent.known, sent.mcp);
        unit
    }

    fn note(&mut self, line: &Value, asked: u64) {
        self.told.push(Told {
            id: text(line, "/id").to_owned(),
            said: text(line, "/said").to_owned(),
            asked,
            answered: number(line, "/t"),
            words: text(line, "/message").to_owned(),
        });
    }

    fn answer(&mut self, sent: Option<&Sent>, line: &Value) {
        self.answers = self.answers.saturating_add(1);
        let (status, code) = (number(line, "/status"), text(line, "/code"));
        let (id, state) = (text(line, "/id"), text(line, "/state"));
        let Some(sent) = sent else { return };
        if sent.mcp {
            self.note(line, sent.at);
        }
        let unit = self.unit(sent);
        unit.told.push(format!("{status} {code} {id} {state} \"{}\"", text(line, "/message")));
        let meaning = match (code, id) {
            ("in_doubt", _) => Meaning::Open,
            // A model believes the text, whatever the status of the message is.
            (_, "") if sent.mcp && text(line, "/said") == "not done" => Meaning::Nothing,
            (_, "") if sent.mcp => Meaning::Open,
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
                seen.saw(state);
            }
        }
    }

    fn read(&mut self, line: &Value, last: bool) {
        if text(line, "/via") == "mcp" {
            self.note(line, number(line, "/asked"));
        }
        let seen = self.seen.entry(text(line, "/id").to_owned()).or_default();
        if number(line, "/status") == 200 {
            seen.saw(text(line, "/state"));
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
