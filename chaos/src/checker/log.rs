//! The exported log, read without the gate's code: hashes and root computed again, and the life of each proposal.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{Evidence, Promise, Violations};
use crate::Result;
use crate::ledger::{number, text};

/// The people who must have approved, by approval rule of the gate directory.
const RULES: [(&str, usize); 2] = [("finance", 1), ("both", 2)];
/// The prices from which policy asks for people, in the smallest unit of money.
const ONE_ABOVE: u64 = 10_000;
const TWO_ABOVE: u64 = 100_000;

/// The entries of each proposal, in the order of the log.
#[derive(Debug, Default)]
pub(super) struct Log {
    lives: BTreeMap<String, Vec<Value>>,
    spans: BTreeMap<String, Span>,
    size: usize,
}

/// Where in the log a proposal was opened, and where it ended without an effect, if it did.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Span {
    pub(super) opened: usize,
    pub(super) not_done: Option<usize>,
}

/// The ends after which the same call may be made again: nothing was done, and nobody said no for good.
const NOT_DONE: [&str; 6] = ["denied", "failed", "expired", "cancelled", "superseded", "refused"];

impl Log {
    /// Reads an export and computes its hashes again.
    pub(super) fn read(path: &Path, violations: &mut Violations) -> Result<Self> {
        let bytes = std::fs::read_to_string(path).map_err(|e| format!("read the exported log: {e}"))?;
        let mut log = Self::default();
        let mut tree = Tree::default();
        let mut lines = bytes.lines().skip(1);
        for line in lines.by_ref().take_while(|line| !line.is_empty()) {
            let (hash, body) =
                line.split_once(' ').ok_or_else(|| format!("not a line of an export: {line}"))?;
            let entry: Value = serde_json::from_str(body)?;
            let leaf = leaf(&entry, body);
            if STANDARD.encode(leaf) != hash {
                let what = format!("entry {} of the log is not what was hashed: {body}", log.size);
                violations.add(Promise::Logged, what);
            }
            tree.push(leaf);
            log.size = log.size.saturating_add(1);
            let proposal = text(&entry, "/proposal").to_owned();
            if !proposal.is_empty() {
                let fresh = Span { opened: log.size, not_done: None };
                let span = log.spans.entry(proposal.clone()).or_insert(fresh);
                if NOT_DONE.contains(&text(&entry, "/event").trim_start_matches("proposal.")) {
                    span.not_done.get_or_insert(log.size);
                }
                log.lives.entry(proposal).or_default().push(entry);
            }
        }
        let note: Vec<&str> = lines.collect();
        let (size, root) = (note.get(1).copied(), note.get(2).copied());
        if size != Some(log.size.to_string().as_str()) || root != Some(STANDARD.encode(tree.root()).as_str())
        {
            violations
                .add(Promise::Logged, format!("the log's checkpoint does not fit its entries: {note:?}"));
        }
        Ok(log)
    }

    /// Where a proposal begins and ends.
    pub(super) fn span(&self, id: &str) -> Option<Span> {
        self.spans.get(id).copied()
    }

    /// How many entries.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// Nothing ran without a recorded dispatch and the approvals that its decision asked for; and what people
    /// were told is in the log.
    pub(super) fn approvals(&self, evidence: &Evidence, violations: &mut Violations) {
        for (id, life) in &self.lives {
            if let Some((promise, what)) = dispatched_wrongly(life) {
                violations.add(promise, format!("{id}: {what}"));
            }
        }
        for (id, calls) in &evidence.calls {
            let life = self.lives.get(id).map(Vec::as_slice).unwrap_or_default();
            let Some(at) = life.iter().position(|e| text(e, "/event") == "proposal.dispatched") else {
                violations.add(Promise::SentOnce, format!("{id} was sent without a recorded dispatch"));
                continue;
            };
            let wanted = match calls.price {
                price if price > TWO_ABOVE => 2,
                price if price > ONE_ABOVE => 1,
                _ => 0,
            };
            let people = approvers(life.get(..at).unwrap_or_default());
            if people.len() < wanted {
                let price = calls.price;
                let what =
                    format!("{id} (price {price}) was sent with approvals of {people:?}; it needs {wanted}");
                violations.add(Promise::Approved, what);
            }
        }
        for line in evidence.people.iter().filter(|l| number(l, "/status") == 200) {
            self.verdict(line, evidence, violations);
        }
    }

    fn verdict(&self, line: &Value, evidence: &Evidence, violations: &mut Violations) {
        let (id, person, verdict) = (text(line, "/id"), text(line, "/person"), text(line, "/verdict"));
        let event = if verdict == "approve" { "proposal.approved" } else { "proposal.rejected" };
        let life = self.lives.get(id).map(Vec::as_slice).unwrap_or_default();
        if !life.iter().any(|e| text(e, "/event") == event && text(e, "/actor/id") == person) {
            let what = format!("{person}'s answer to {id} ({verdict}) was accepted and is not in the log");
            violations.add(Promise::Logged, what);
        }
        if verdict == "reject" && evidence.calls.contains_key(id) {
            violations.add(Promise::Approved, format!("{id} was sent, although {person} rejected it"));
        }
    }
}

/// What is wrong with the dispatch in one proposal's life.
fn dispatched_wrongly(life: &[Value]) -> Option<(Promise, String)> {
    let at: Vec<usize> = life
        .iter()
        .enumerate()
        .filter(|(_, e)| text(e, "/event") == "proposal.dispatched")
        .map(|(i, _)| i)
        .collect();
    let first = *at.first()?;
    if at.len() > 1 {
        return Some((Promise::SentOnce, format!("dispatched {} times", at.len())));
    }
    let before = life.get(..first).unwrap_or_default();
    let ends = ["denied", "rejected", "cancelled", "expired", "superseded", "refused"];
    let ended = |e: &&Value| ends.contains(&text(e, "/event").trim_start_matches("proposal."));
    if let Some(end) = before.iter().find(ended) {
        return Some((Promise::Approved, format!("dispatched after `{}`", text(end, "/event"))));
    }
    let Some(decision) = before.iter().rev().find_map(|e| e.pointer("/data/decision")) else {
        return Some((Promise::Approved, "dispatched without a decision".to_owned()));
    };
    let people = approvers(before);
    let gates = decision.get("gates").and_then(Value::as_array).into_iter().flatten();
    let rules = gates.flat_map(|g| g.get("rules").and_then(Value::as_array).into_iter().flatten());
    for rule in rules.filter_map(Value::as_str) {
        let wanted = RULES.iter().find(|(name, _)| *name == rule).map_or(usize::MAX, |(_, wanted)| *wanted);
        if people.len() < wanted {
            let what =
                format!("dispatched with the approvals of {people:?}; rule `{rule}` asks for {wanted}");
            return Some((Promise::Approved, what));
        }
    }
    None
}

/// The people whose approvals stand in these entries.
fn approvers(life: &[Value]) -> BTreeSet<&str> {
    let approved = life.iter().filter(|e| text(e, "/event") == "proposal.approved");
    approved.map(|e| text(e, "/actor/id")).collect()
}

type Hash = [u8; 32];

/// The hash of a leaf: a zero byte, the domain, the time, and the hash of the entry (RFC 6962).
fn leaf(entry: &Value, body: &str) -> Hash {
    let at = entry.get("at").and_then(Value::as_i64).unwrap_or(0);
    let mut hasher = Sha256::new();
    hasher.update([0]);
    hasher.update(b"countersign/leaf/v1\n");
    hasher.update(at.to_be_bytes());
    hasher.update(Sha256::digest(body.as_bytes()));
    hasher.finalize().into()
}

/// The roots of the perfect trees that make up a Merkle tree, the largest first.
#[derive(Debug, Default)]
struct Tree(Vec<(Hash, u64)>);

impl Tree {
    fn push(&mut self, leaf: Hash) {
        let (mut hash, mut size) = (leaf, 1_u64);
        while let Some((left, _)) = self.0.pop_if(|(_, last)| *last == size) {
            hash = node(&left, &hash);
            size = size.saturating_mul(2);
        }
        self.0.push((hash, size));
    }

    fn root(&self) -> Hash {
        let mut roots = self.0.iter().rev().map(|(hash, _)| *hash);
        let Some(last) = roots.next() else { return Sha256::digest([]).into() };
        roots.fold(last, |right, left| node(&left, &right))
    }
}

fn node(left: &Hash, right: &Hash) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update([1]);
    hasher.update(left);
    hasher.update(right);
    hasher.finalize().into()
}

/// An export as the gate writes it, but for the signature: for tests of the checker.
#[cfg(test)]
pub(super) fn exported(entries: &[Value]) -> String {
    let mut tree = Tree::default();
    let mut text = "{}\n".to_owned();
    for entry in entries {
        let body = entry.to_string();
        let leaf = leaf(entry, &body);
        tree.push(leaf);
        text.push_str(&format!("{} {body}\n", STANDARD.encode(leaf)));
    }
    text + &format!("\nchaos.test\n{}\n{}\n\n", entries.len(), STANDARD.encode(tree.root()))
}
