//! The stored row of a proposal as one thing: what its authentication code covers, and how it is read back.
//!
//! A row whose code does not fit, whose columns disagree with each other, or that cannot be read, is not a
//! record. Nothing is decided on half a proposal.

use countersign_core::action::{ActionName, Rendering, Undo};
use countersign_core::approval::Approval;
use countersign_core::decision::Decision;
use countersign_core::digest::Digest;
use countersign_core::directory::Chain;
use countersign_core::id::ProposalId;
use countersign_core::intent::IntentVersion;
use countersign_core::json::CanonicalInput;
use countersign_core::outcome::Response;
use countersign_core::preview::Preview;
use countersign_core::proposal::{Binding, Evidence, Proposal, Record, Salts, State, StoredParts};
use countersign_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::columns::{Columns, PartTexts, parse, undo, unreadable};
use super::db::Row;
use super::header_v1;
use crate::fault::Fault;
use crate::seal::SealKeys;

/// The version of headers that this build writes. It reads this one and the one before.
pub(super) const HEADER_VERSION: u8 = 2;

/// The columns that [`read`] reads, of `proposal AS p`, each part in its latest version.
pub(super) const RECORD_COLUMNS: &str = "p.id, p.version, p.state, p.agent, p.person, p.due, p.intent, \
    p.join_key, p.attempt, p.header, p.mac, p.format, \
    (SELECT body FROM proposal_part WHERE proposal = p.id AND name = 'input' ORDER BY version DESC LIMIT 1), \
    (SELECT body FROM proposal_part WHERE proposal = p.id AND name = 'preview' ORDER BY version DESC LIMIT 1), \
    (SELECT body FROM proposal_part WHERE proposal = p.id AND name = 'words' ORDER BY version DESC LIMIT 1), \
    (SELECT body FROM proposal_part WHERE proposal = p.id AND name = 'evidence' ORDER BY version DESC LIMIT 1), \
    (SELECT body FROM proposal_part WHERE proposal = p.id AND name = 'response' ORDER BY version DESC LIMIT 1), \
    p.action, p.environment";
/// How many they are: what is selected after them begins here.
pub(super) const RECORD_WIDTH: usize = 19;

/// What the header of a row says, as it is written.
#[derive(Serialize)]
struct HeaderOut<'a> {
    v: u8,
    id: ProposalId,
    action: &'a ActionName,
    title: &'a str,
    revision: &'a Digest,
    salts: &'a Salts,
    chain: &'a Chain,
    could_be: &'a [String],
    confirmed_at: Option<Timestamp>,
    undo: &'a Undo,
    reversible: bool,
    run: Option<&'a str>,
    created_at: Timestamp,
    intent: &'a Digest,
    intent_version: IntentVersion,
    decision: &'a Decision,
    approvals: &'a [Approval],
    state: &'a State,
    answer: Option<AnswerHead>,
    parts: &'a StoredParts,
}

/// The same as it is read.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HeaderIn {
    #[serde(rename = "v")]
    _version: u8,
    id: ProposalId,
    action: ActionName,
    title: String,
    revision: Digest,
    salts: Salts,
    chain: Chain,
    could_be: Vec<String>,
    confirmed_at: Option<Timestamp>,
    undo: Undo,
    reversible: bool,
    run: Option<String>,
    created_at: Timestamp,
    intent: Digest,
    intent_version: IntentVersion,
    decision: Decision,
    approvals: Vec<Approval>,
    state: State,
    answer: Option<AnswerHead>,
    parts: StoredParts,
}

/// What of the upstream's answer is no payload.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AnswerHead {
    status: u16,
    content_type: String,
    scrubbed: bool,
}

/// The text of a record's header. Refuses a record that has a part which is not stored.
pub(super) fn text(record: &Record) -> Result<String, Fault> {
    let Record { proposal, binding, decision, approvals, state, response, parts, .. } = record;
    if parts.input.is_none() || parts.preview.is_none() || parts.response.is_some() != response.is_some() {
        return Err(Fault::new("record a step", "a part of its record is not stored"));
    }
    let answer = response.as_ref().map(|r| {
        let (content_type, scrubbed) = (r.content_type.clone(), r.scrubbed);
        AnswerHead { status: r.status, content_type, scrubbed }
    });
    json(&HeaderOut {
        v: HEADER_VERSION,
        id: proposal.id,
        action: &proposal.action,
        title: &proposal.title,
        revision: &proposal.revision,
        salts: &proposal.salts,
        chain: &proposal.chain,
        could_be: &proposal.could_be,
        confirmed_at: proposal.confirmed_at,
        undo: &proposal.undo,
        reversible: proposal.undo.is_possible(),
        run: proposal.run.as_deref(),
        created_at: proposal.created_at,
        intent: &binding.intent,
        intent_version: binding.version,
        decision,
        approvals,
        state,
        answer,
        parts,
    })
}

pub(super) fn json<T: Serialize>(value: &T) -> Result<String, Fault> {
    serde_json::to_string(value).map_err(|e| Fault::new("write a proposal as JSON", e))
}

/// What every header says first.
#[derive(Deserialize)]
struct Version {
    v: Option<u8>,
}

/// Puts a record together again. The error says in words what is wrong with the row.
pub(super) fn read(row: &Row, keys: &SealKeys) -> Result<Record, String> {
    let version = row.integer(1).map_err(|e| unreadable(&e))?;
    let version = u32::try_from(version).map_err(|_| "its version is not a version".to_owned())?;
    let (header, code) =
        (row.text(9).map_err(|e| unreadable(&e))?, row.bytes(10).map_err(|e| unreadable(&e))?);
    let parts = PartTexts::of(row)?;
    let record = match row.integer(11).map_err(|e| unreadable(&e))? {
        1 => header_v1::read(header, &parts, version)?,
        2 => read_v2(header, &parts, version)?,
        other => return Err(format!("version {other} of stored proposals is not known to this build")),
    };
    let columns = Columns::of(&record, header);
    agree(row, &columns)?;
    let fits = match row.integer(11).map_err(|e| unreadable(&e))? {
        1 => header_v1::fits(&columns, &parts, keys, code),
        _ => columns.fits(keys, code),
    };
    if !fits {
        return Err(
            "its authentication code does not fit: it was altered, or sealed with another key".to_owned()
        );
    }
    if !record.is_intact() {
        return Err("its intent digest does not cover what is bound".to_owned());
    }
    Ok(record)
}

/// The columns must say what the record says: the gate finds rows by them.
fn agree(row: &Row, columns: &Columns<'_>) -> Result<(), String> {
    let text = |column| row.text(column).map_err(|e| unreadable(&e));
    let agree = [
        ("id", text(0)? == columns.id),
        ("state", text(2)? == columns.state),
        ("agent", text(3)? == columns.agent),
        ("person", row.maybe_text(4).map_err(|e| unreadable(&e))? == columns.person),
        ("due", row.maybe_integer(5).map_err(|e| unreadable(&e))? == columns.due),
        ("intent", text(6)? == columns.intent),
        ("join_key", row.maybe_text(7).map_err(|e| unreadable(&e))?.is_none_or(|key| key == columns.intent)),
        ("attempt", row.maybe_text(8).map_err(|e| unreadable(&e))? == columns.attempt.as_deref()),
        ("action", text(17)? == columns.action),
        ("environment", text(18)? == columns.environment),
    ];
    match agree.iter().find(|(_, agrees)| !agrees) {
        Some((column, _)) => Err(format!("column `{column}` disagrees with the record")),
        None => Ok(()),
    }
}

fn read_v2(header: &str, parts: &PartTexts<'_>, version: u32) -> Result<Record, String> {
    let Version { v } = parse("column `header`", header)?;
    if v != Some(HEADER_VERSION) {
        let found = v.map_or_else(|| "none".to_owned(), |v| v.to_string());
        return Err(format!(
            "column `header` has the version {found} and the row the version {HEADER_VERSION}"
        ));
    }
    let stored: HeaderIn = parse("column `header`", header)?;
    parts.check(&stored.salts, &stored.parts)?;
    let input: CanonicalInput = parse("its part `input`", parts.input)?;
    let (rendering, preview): (Rendering, Preview) = parse("its part `preview`", parts.preview)?;
    let reason: Option<String> = parts.words.map(|text| parse("its part `words`", text)).transpose()?;
    let evidence: Option<Vec<Evidence>> =
        parts.evidence.map(|text| parse("its part `evidence`", text)).transpose()?;
    let body: Option<Value> = parts.response.map(|text| parse("its part `response`", text)).transpose()?;
    let response = match (stored.answer, body) {
        (Some(AnswerHead { status, content_type, scrubbed }), Some(body)) => {
            Some(Response { status, body, content_type, scrubbed })
        }
        (None, None) => None,
        (Some(_), None) | (None, Some(_)) => {
            return Err("its answer and its part `response` disagree".to_owned());
        }
    };
    let proposal = Proposal {
        id: stored.id,
        action: stored.action,
        title: stored.title,
        revision: stored.revision,
        input,
        salts: stored.salts,
        chain: stored.chain,
        could_be: stored.could_be,
        confirmed_at: stored.confirmed_at,
        undo: undo(stored.undo, stored.reversible),
        reason,
        run: stored.run,
        evidence: evidence.unwrap_or_default(),
        created_at: stored.created_at,
    };
    Ok(Record {
        proposal,
        binding: Binding { rendering, preview, intent: stored.intent, version: stored.intent_version },
        decision: stored.decision,
        approvals: stored.approvals,
        state: stored.state,
        response,
        version,
        parts: stored.parts,
    })
}
