//! The checker: compares what the agents were told, what the upstream did, and what the log says. It reads files
//! only and shares no code with the gate.

mod effects;
mod log;
mod requests;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

use crate::ledger::{self, number, text};
use crate::{Result, agents};

use log::Log;
use requests::{Marker, Requests};

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// One sentence each.
    pub(crate) violations: Vec<String>,
    /// Proposals that some answer named.
    pub(crate) proposals: usize,
    /// Answers to agents that were judged.
    pub(crate) answers: usize,
    /// Effects that the upstream applied.
    pub(crate) effects: usize,
    /// Entries of the log.
    pub(crate) entries: usize,
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
    /// By marker, the ids whose calls were applied.
    applied: BTreeMap<String, BTreeSet<String>>,
    people: Vec<Value>,
    log: Log,
}

/// Checks one run: its ledgers in `work`, and the exported log.
pub(crate) fn check(work: &Path, export: &Path) -> Result<Report> {
    let lines = ledger::read(&work.join("agents.jsonl"))?;
    let upstream = ledger::read(&work.join("upstream.jsonl"))?;
    let mut report = Report::default();
    let mut calls: BTreeMap<String, Calls> = BTreeMap::new();
    let mut applied: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in &upstream {
        let (id, marker) = (text(line, "/ref").to_owned(), text(line, "/marker").to_owned());
        let entry = calls.entry(id.clone()).or_default();
        entry.received = entry.received.saturating_add(1);
        entry.price = number(line, "/price");
        if line.get("applied") == Some(&Value::Bool(true)) {
            entry.applied = entry.applied.saturating_add(1);
            report.effects = report.effects.saturating_add(1);
            applied.entry(marker).or_default().insert(id);
        }
        if text(line, "/method") == "DELETE" {
            report.violations.push(format!("a deletion arrived that policy forbids: {line}"));
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
    states(&evidence, &mut report.violations);
    evidence.log.approvals(&evidence, &mut report.violations);
    Ok(report)
}

/// Every id that was answered is found, closed, as it was answered, and not contradicted by the upstream.
fn states(evidence: &Evidence, violations: &mut Vec<String>) {
    let none = Calls::default();
    for (id, seen) in evidence.requests.ids() {
        let Some(last) = &seen.last else {
            violations.push(format!("{id} was answered and nobody could read it at the end"));
            continue;
        };
        let (status, state) = (number(last, "/status"), text(last, "/state"));
        if status != 200 {
            if seen.certain {
                violations.push(format!("{id} was answered and is not found at the end: {last}"));
            }
            continue;
        }
        if agents::is_open(state) {
            violations.push(format!("{id} stays `{state}` after restarts without load"));
        }
        let calls = evidence.calls.get(id).unwrap_or(&none);
        let contradicts = match state {
            "succeeded" => calls.applied != 1,
            "unknown" => calls.applied > 1,
            _ => calls.applied != 0,
        };
        if contradicts {
            let cause = text(last, "/cause");
            violations.push(format!(
                "{id} ends as `{state}` (cause `{cause}`), and the upstream applied it {} times",
                calls.applied
            ));
        }
        for earlier in seen.states.iter().filter(|s| !agents::is_open(s) && *s != state) {
            let settled_late = earlier == "unknown" && matches!(state, "succeeded" | "failed");
            if !settled_late {
                violations.push(format!("{id} was answered as `{earlier}` and ends as `{state}`"));
            }
        }
    }
}

/// The requests for one effect, for a message.
fn told(marker: &Marker) -> String {
    let lines: Vec<String> = marker.units.values().flat_map(|unit| unit.told.clone()).collect();
    if lines.is_empty() { "no answer".to_owned() } else { lines.join("; then ") }
}
