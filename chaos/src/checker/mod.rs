//! The checker: compares what the agents were told, what the upstream did, and what the log says. It reads files
//! only and shares no code with the gate.

mod again;
mod effects;
mod log;
mod requests;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

use crate::ledger::{self, number, text};
use crate::{Result, agents};

use log::Log;
use requests::{Marker, Requests, Unit};

/// A promise that was broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Promise {
    /// One proposal is sent at most once, after one recorded dispatch.
    SentOnce,
    /// One idempotency key makes one proposal.
    OneKeyOneProposal,
    /// A call that an MCP client sends again has one effect at most, and makes another proposal only when the one before
    /// was certainly not done.
    SentAgainOnce,
    /// What an agent was told was not done has no effect.
    NoMeansNo,
    /// What was answered is found again.
    Kept,
    /// Nothing stays open for ever.
    Closed,
    /// The upstream does not contradict the last state.
    True,
    /// A final answer is not taken back.
    Final,
    /// What runs was allowed, and has the approvals that policy asks for.
    Approved,
    /// The log is sound and holds what was acknowledged.
    Logged,
    /// The gate keeps running.
    Alive,
}

impl Promise {
    /// The name in `guards.txt` and in the summary.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::SentOnce => "sent-once",
            Self::OneKeyOneProposal => "one-key-one-proposal",
            Self::SentAgainOnce => "sent-again-once",
            Self::NoMeansNo => "no-means-no",
            Self::Kept => "kept",
            Self::Closed => "closed",
            Self::True => "true",
            Self::Final => "final",
            Self::Approved => "approved",
            Self::Logged => "logged",
            Self::Alive => "alive",
        }
    }
}

/// The violations of a run, in words.
#[derive(Debug, Default)]
pub(crate) struct Violations(Vec<(Promise, String)>);

impl Violations {
    /// Adds one.
    pub(crate) fn add(&mut self, promise: Promise, what: String) {
        self.0.push((promise, what));
    }

    /// All of them.
    pub(crate) fn all(&self) -> &[(Promise, String)] {
        &self.0
    }
}

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) violations: Violations,
    /// Proposals that some answer named.
    pub(crate) proposals: usize,
    /// Answers to agents that were judged.
    pub(crate) answers: usize,
    /// Effects that the upstream applied.
    pub(crate) effects: usize,
    /// Entries of the log.
    pub(crate) entries: usize,
    /// Calls of MCP clients.
    pub(crate) mcp: again::Sendings,
}

/// What the upstream did for one proposal.
#[derive(Debug, Clone, Default)]
struct Calls {
    received: usize,
    applied: usize,
    price: u64,
}

/// Everything that is compared.
#[derive(Debug)]
struct Evidence {
    requests: Requests,
    /// By the proposal's id.
    calls: BTreeMap<String, Calls>,
    /// By marker, the ids whose calls were applied, and when for the first time.
    applied: BTreeMap<String, BTreeMap<String, u64>>,
    people: Vec<Value>,
    log: Log,
}

impl Evidence {
    /// The proposals that a unit made, as far as answers named them and they were found at the end.
    fn proposals_of<'a>(&'a self, unit: &'a Unit) -> BTreeSet<&'a String> {
        let existing = |id: &&String| self.requests.exists(id);
        unit.ids.iter().chain(unit.doubtful.iter().filter(existing)).collect()
    }
}

/// Checks one run: its ledgers in `work`, and the exported log.
pub(crate) fn check(work: &Path, export: &Path) -> Result<Report> {
    let lines = ledger::read(&work.join("agents.jsonl"))?;
    let upstream = ledger::read(&work.join("upstream.jsonl"))?;
    let mut report = Report::default();
    let mut calls: BTreeMap<String, Calls> = BTreeMap::new();
    let mut applied: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
    for line in &upstream {
        let (id, marker) = (text(line, "/ref").to_owned(), text(line, "/marker").to_owned());
        let entry = calls.entry(id.clone()).or_default();
        entry.received = entry.received.saturating_add(1);
        entry.price = number(line, "/price");
        if line.get("applied") == Some(&Value::Bool(true)) {
            entry.applied = entry.applied.saturating_add(1);
            report.effects = report.effects.saturating_add(1);
            applied.entry(marker).or_default().entry(id).or_insert(number(line, "/t"));
        }
        if text(line, "/method") == "DELETE" {
            let what = format!("a deletion arrived that policy forbids: {line}");
            report.violations.add(Promise::Approved, what);
        }
    }
    let log = Log::read(export, &mut report.violations)?;
    let requests = Requests::of(&lines);
    let people = ledger::read(&work.join("people.jsonl"))?;
    let evidence = Evidence { requests, calls, applied, people, log };
    report.answers = evidence.requests.answers;
    report.proposals = evidence.requests.ids().count();
    report.entries = evidence.log.size();
    effects::once(&evidence, &mut report.violations);
    effects::as_answered(&evidence, &mut report.violations);
    report.mcp = again::sendings(&evidence);
    again::once(&evidence, &mut report.violations);
    again::told(&evidence, &mut report.violations);
    states(&evidence, &mut report.violations);
    evidence.log.approvals(&evidence, &mut report.violations);
    Ok(report)
}

/// Every id that was answered is found, closed, as it was answered, and not contradicted by the upstream.
fn states(evidence: &Evidence, violations: &mut Violations) {
    let none = Calls::default();
    for (id, seen) in evidence.requests.ids() {
        let Some(last) = &seen.last else {
            violations.add(Promise::Kept, format!("{id} was answered and could not be read at the end"));
            continue;
        };
        let (status, state) = (number(last, "/status"), text(last, "/state"));
        if status != 200 {
            if seen.certain {
                violations
                    .add(Promise::Kept, format!("{id} was answered and is not found at the end: {last}"));
            }
            continue;
        }
        if agents::is_open(state) {
            violations.add(Promise::Closed, format!("{id} stays `{state}` after restarts without load"));
        }
        let calls = evidence.calls.get(id).unwrap_or(&none);
        let contradicts = match state {
            "succeeded" => calls.applied != 1,
            "unknown" => calls.applied > 1,
            _ => calls.applied != 0,
        };
        if contradicts {
            let cause = text(last, "/cause");
            let times = calls.applied;
            let what = format!(
                "{id} ends as `{state}` (cause `{cause}`), and the upstream applied it {times} times"
            );
            violations.add(Promise::True, what);
        }
        for earlier in seen.states.iter().filter(|s| !agents::is_open(s) && *s != state) {
            let settled_late = earlier == "unknown" && matches!(state, "succeeded" | "failed");
            if !settled_late {
                violations
                    .add(Promise::Final, format!("{id} was answered as `{earlier}` and ends as `{state}`"));
            }
        }
    }
}

/// The requests for one effect, for a message.
fn told(marker: &Marker) -> String {
    let lines: Vec<String> = marker.units.values().flat_map(|unit| unit.told.clone()).collect();
    if lines.is_empty() { "no answer".to_owned() } else { lines.join("; then ") }
}
