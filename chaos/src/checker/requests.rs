//! What the agents asked and what they were told, sorted by the effect that was asked for.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::ledger::{number, text};

/// What may have at most one effect: all requests with one idempotency key, or one request without a key.
#[derive(Debug, Clone, Default)]
pub(super) struct Unit {
    /// The proposals that answers named.
    pub(super) ids: BTreeSet<String>,
    /// The proposals that only an answer in doubt named.
    pub(super) doubtful: BTreeSet<String>,
    /// Some request of it got no answer, or one that leaves it open whether something was recorded.
    pub(super) uncertain: bool,
    /// The answers, in order, in short.
    pub(super) told: Vec<String>,
}

/// All requests for one effect.
#[derive(Debug, Clone, Default)]
pub(super) struct Marker {
    pub(super) units: BTreeMap<String, Unit>,
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
        let mut asks: BTreeMap<u64, (String, String)> = BTreeMap::new();
        let mut waiting: BTreeSet<u64> = BTreeSet::new();
        for line in lines {
            let n = number(line, "/n");
            match text(line, "/what") {
                "ask" => {
                    let unit = match text(line, "/key") {
                        "" => format!("request {n}"),
                        key => format!("{} key {key}", text(line, "/agent")),
                    };
                    asks.insert(n, (text(line, "/marker").to_owned(), unit));
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
            if let Some(unit) = all.unit(asks.get(&n)) {
                unit.uncertain = true;
                unit.told.push("no answer".to_owned());
            }
        }
        all
    }

    fn unit(&mut self, ask: Option<&(String, String)>) -> Option<&mut Unit> {
        let (marker, unit) = ask?;
        Some(self.markers.entry(marker.clone()).or_default().units.entry(unit.clone()).or_default())
    }

    fn answer(&mut self, ask: Option<&(String, String)>, line: &Value) {
        self.answers = self.answers.saturating_add(1);
        let (status, code) = (number(line, "/status"), text(line, "/code"));
        let (id, state) = (text(line, "/id"), text(line, "/state"));
        let Some(unit) = self.unit(ask) else { return };
        unit.told.push(format!("{status} {code} {id} {state} \"{}\"", text(line, "/message")));
        if code == "in_doubt" {
            unit.uncertain = true;
            unit.doubtful.insert(id.to_owned());
            self.seen.entry(id.to_owned()).or_default();
        } else if !id.is_empty() {
            unit.ids.insert(id.to_owned());
            let seen = self.seen.entry(id.to_owned()).or_default();
            seen.certain = true;
            seen.states.insert(state.to_owned());
        } else if code == "idempotency_key_in_progress" {
            // About another request with this key, which has an answer of its own.
        } else if status < 400 {
            unit.uncertain = true;
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
