//! What a stored row of a proposal consists of, in every version: the columns that its authentication code covers, and
//! the texts of its parts.

use countersign_core::action::{Reversible, Undo};
use countersign_core::proposal::{PartName, Record, Salts, StoredParts};
use countersign_core::time::Timestamp;
use serde::Deserialize;

use super::db::Row;
use super::error;
use crate::seal::{Purpose, SealKeys};

/// The columns of a row that its code covers, beside what the version of its header adds; and those that follow from
/// its record, by which lists are filtered.
#[derive(Debug)]
pub(super) struct Columns<'a> {
    pub(super) id: String,
    pub(super) version: u32,
    pub(super) state: &'static str,
    pub(super) agent: &'a str,
    pub(super) person: Option<&'a str>,
    pub(super) due: Option<i64>,
    pub(super) intent: String,
    pub(super) attempt: Option<String>,
    pub(super) header: &'a str,
    /// Not covered: it is the record's.
    pub(super) action: &'a str,
    /// Not covered: it is the record's.
    pub(super) environment: &'a str,
}

impl<'a> Columns<'a> {
    /// The columns of a record whose header has this text.
    pub(super) fn of(record: &'a Record, header: &'a str) -> Self {
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
            header,
            action: record.proposal.action.as_str(),
            environment: &record.binding.rendering.environment,
        }
    }

    /// The code of the row.
    pub(super) fn seal(&self, keys: &SealKeys) -> Vec<u8> {
        self.with_fields(&[], |fields| keys.seal(Purpose::Proposal, fields))
    }

    pub(super) fn fits(&self, keys: &SealKeys, code: &[u8]) -> bool {
        self.with_fields(&[], |fields| keys.fits(Purpose::Proposal, fields, code))
    }

    /// The fields in their order, and then these.
    pub(super) fn with_fields<T>(&self, more: &[&[u8]], run: impl FnOnce(&[&[u8]]) -> T) -> T {
        let due = self.due.map(i64::to_be_bytes);
        let version = self.version.to_be_bytes();
        // A field that may be absent is preceded by one that says whether it is there.
        let there = |present: bool| -> &[u8] { if present { b"1" } else { b"0" } };
        let mut fields: Vec<&[u8]> = vec![
            self.id.as_bytes(),
            &version,
            self.state.as_bytes(),
            self.agent.as_bytes(),
            there(self.person.is_some()),
            self.person.unwrap_or_default().as_bytes(),
            there(due.is_some()),
            due.as_ref().map_or(&[0; 8], |due| due),
            self.intent.as_bytes(),
            there(self.attempt.is_some()),
            self.attempt.as_deref().unwrap_or_default().as_bytes(),
            self.header.as_bytes(),
        ];
        fields.extend_from_slice(more);
        run(&fields)
    }
}

/// The texts of a row's parts.
pub(super) struct PartTexts<'a> {
    pub(super) input: &'a str,
    pub(super) preview: &'a str,
    pub(super) words: Option<&'a str>,
    pub(super) evidence: Option<&'a str>,
    pub(super) response: Option<&'a str>,
}

impl<'a> PartTexts<'a> {
    pub(super) fn of(row: &'a Row) -> Result<Self, String> {
        let text = |column: usize| row.maybe_text(column).map_err(|e| unreadable(&e));
        Ok(Self {
            input: text(12)?.ok_or("its part `input` is missing")?,
            preview: text(13)?.ok_or("its part `preview` is missing")?,
            words: text(14)?,
            evidence: text(15)?,
            response: text(16)?,
        })
    }

    /// Whether each part is the one that the header names.
    pub(super) fn check(&self, salts: &Salts, named: &StoredParts) -> Result<(), String> {
        let texts = [Some(self.input), Some(self.preview), self.words, self.evidence, self.response];
        for (name, text) in PartName::ALL.into_iter().zip(texts) {
            let found = text.map(|text| salts.digest(name, text.as_bytes()));
            if found != named.get(name).map(|part| part.digest) {
                return Err(format!("its part `{}` is not the one that its header names", name.as_str()));
            }
        }
        Ok(())
    }
}

pub(super) fn unreadable(error: &error::Error) -> String {
    format!("a column cannot be read: {error}")
}

/// Reads stored JSON. The error names what is not known in it.
pub(super) fn parse<'a, T: Deserialize<'a>>(place: &str, text: &'a str) -> Result<T, String> {
    serde_json::from_str(text).map_err(|e| format!("{place} cannot be read: {e}"))
}

/// What was declared about going back. A header that says no more than `reversible` is of a build that knew no more.
pub(super) fn undo(undo: Undo, reversible: bool) -> Undo {
    if reversible { Undo { reversible: Reversible::WithUndo, ..undo } } else { undo }
}
