//! The stored row of a proposal as one thing: what its authentication code covers, and how it is read back.
//!
//! A row whose code does not fit, whose columns disagree with each other, or that cannot be read, is not a
//! record. Nothing is decided on half a proposal.

use countersign_core::approval::Approval;
use countersign_core::decision::Decision;
use countersign_core::digest::{Digest, domain};
use countersign_core::proposal::{Record, State, StoredParts};
use countersign_core::time::Timestamp;
use serde::Deserialize;

use super::db::Row;
use super::error;
use crate::fault::Fault;
use crate::seal::{Purpose, SealKeys};

/// The columns that [`read`] reads, of `proposal AS p`.
pub(super) const RECORD_COLUMNS: &str = "p.id, p.version, p.state, p.agent, p.person, p.due, p.intent, \
                                         p.join_key, p.attempt, p.moving, p.body, p.binding, p.mac";

/// The digest of a stored part.
pub(super) fn part(text: &str) -> Digest {
    Digest::of(domain::PART, text.as_bytes())
}

/// Everything that the code covers.
#[derive(Debug)]
pub(super) struct Header<'a> {
    id: String,
    version: u32,
    state: &'static str,
    agent: &'a str,
    person: Option<&'a str>,
    due: Option<i64>,
    intent: String,
    attempt: Option<String>,
    moving: &'a str,
    parts: StoredParts,
}

impl<'a> Header<'a> {
    /// The header of a record whose moving part is stored as this text.
    pub(super) fn of(record: &'a Record, moving: &'a str) -> Self {
        let chain = &record.proposal.chain;
        Self {
            id: record.proposal.id.to_string(),
            version: record.version,
            state: record.state.name().as_str(),
            agent: chain.agent(),
            person: chain.person(),
            due: record.due().map(Timestamp::as_micros),
            intent: record.binding.intent.to_string(),
            attempt: record.attempt().map(|a| a.to_string()),
            moving,
            parts: record.parts,
        }
    }

    /// The code. Refuses a record whose parts the store does not know: it was not read from here.
    pub(super) fn seal(&self, keys: &SealKeys) -> Result<Vec<u8>, Fault> {
        if self.parts.body.is_none() || self.parts.binding.is_none() {
            return Err(Fault::new("record a step", "its record was not read from this store"));
        }
        Ok(self.with_fields(|fields| keys.seal(Purpose::Proposal, fields)))
    }

    fn fits(&self, keys: &SealKeys, code: &[u8]) -> bool {
        self.with_fields(|fields| keys.fits(Purpose::Proposal, fields, code))
    }

    fn with_fields<T>(&self, run: impl FnOnce(&[&[u8]]) -> T) -> T {
        let due = self.due.map(i64::to_be_bytes);
        let digest = |d: &Option<Digest>| d.map(|d| *d.as_bytes()).unwrap_or_default();
        let (body, binding) = (digest(&self.parts.body), digest(&self.parts.binding));
        // A field that may be absent is preceded by one that says whether it is there.
        let there = |present: bool| -> &[u8] { if present { b"1" } else { b"0" } };
        run(&[
            self.id.as_bytes(),
            &self.version.to_be_bytes(),
            self.state.as_bytes(),
            self.agent.as_bytes(),
            there(self.person.is_some()),
            self.person.unwrap_or_default().as_bytes(),
            there(due.is_some()),
            &due.unwrap_or_default(),
            self.intent.as_bytes(),
            there(self.attempt.is_some()),
            self.attempt.as_deref().unwrap_or_default().as_bytes(),
            self.moving.as_bytes(),
            &body,
            &binding,
        ])
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MovingIn {
    decision: Decision,
    approvals: Vec<Approval>,
    state: State,
}

/// Puts a record together again. The error says in words what is wrong with the row.
pub(super) fn read(row: &Row, keys: &SealKeys) -> Result<Record, String> {
    let unreadable = |e: error::Error| format!("a column cannot be read: {e}");
    let text = |column| row.text(column).map_err(unreadable);
    let version = row.integer(1).map_err(unreadable)?;
    let version = u32::try_from(version).map_err(|_| "its version is not a version".to_owned())?;
    let (moving, body, binding) = (text(9)?, text(10)?, text(11)?);
    let parts = StoredParts { body: Some(part(body)), binding: Some(part(binding)) };
    let MovingIn { decision, approvals, state } = parse("moving", moving)?;
    let record = Record {
        proposal: parse("body", body)?,
        binding: parse("binding", binding)?,
        decision,
        approvals,
        state,
        version,
        parts,
    };
    let header = Header::of(&record, moving);
    // The columns must say what the record says: the gate finds rows by them.
    let agree = [
        ("id", text(0)? == header.id),
        ("state", text(2)? == header.state),
        ("agent", text(3)? == header.agent),
        ("person", row.maybe_text(4).map_err(unreadable)? == header.person),
        ("due", row.maybe_integer(5).map_err(unreadable)? == header.due),
        ("intent", text(6)? == header.intent),
        ("join_key", row.maybe_text(7).map_err(unreadable)?.is_none_or(|key| key == header.intent)),
        ("attempt", row.maybe_text(8).map_err(unreadable)? == header.attempt.as_deref()),
    ];
    if let Some((column, _)) = agree.iter().find(|(_, agrees)| !agrees) {
        return Err(format!("column `{column}` disagrees with the record"));
    }
    if !header.fits(keys, row.bytes(12).map_err(unreadable)?) {
        return Err(
            "its authentication code does not fit: it was altered, or sealed with another key".to_owned()
        );
    }
    if !record.is_intact() {
        return Err("its intent digest does not cover what is bound".to_owned());
    }
    Ok(record)
}

fn parse<'a, T: Deserialize<'a>>(column: &str, text: &'a str) -> Result<T, String> {
    serde_json::from_str(text).map_err(|e| format!("column `{column}` cannot be read: {e}"))
}
