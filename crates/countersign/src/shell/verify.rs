//! Verifying an exported log, and saying what was found.

use std::io::{BufRead as _, Read as _};
use std::path::Path;

use anyhow::Context as _;
use countersign_core::audit::{
    EXPORT_LINE_BYTES_MAX, Expected, Finding, LogPublicKey, Replayed, Verification, Verifier,
};
use serde::Serialize;

use super::Output;

/// Verifies a file in memory that does not grow with it.
pub(crate) fn verify_file(file: &Path, expected: Expected) -> anyhow::Result<Verification> {
    let opened = std::fs::File::open(file).with_context(|| format!("failed to read {}", file.display()))?;
    let mut reader = std::io::BufReader::new(opened);
    let mut verifier = Verifier::new(expected);
    let mut line = Vec::new();
    let longest = u64::try_from(EXPORT_LINE_BYTES_MAX)?;
    while !verifier.is_broken() {
        line.clear();
        if reader.by_ref().take(longest).read_until(b'\n', &mut line)? == 0 {
            break;
        }
        verifier.line(&line);
    }
    Ok(verifier.finish())
}

/// What `log verify --json` prints.
#[derive(Debug, Serialize)]
pub(crate) struct VerifyAnswer<'a> {
    /// `VERIFIED`, `UNANCHORED` or `BROKEN`.
    answer: &'static str,
    entries: u64,
    /// How many entries a checkpoint held elsewhere vouches for.
    vouched_for: Option<u64>,
    /// The first wrong entry, when it can be told.
    broken_at: Option<u64>,
    pub(crate) why: Option<&'a str>,
    replayed: ReplayedCounts,
    /// The newest checkpoint of the export.
    checkpoint: Option<CheckpointFacts<'a>>,
    /// The log's public key, as a verifier key.
    key: Option<String>,
}

/// What was checked beside the signatures.
#[derive(Debug, Serialize)]
struct ReplayedCounts {
    proposals: u64,
    approvals: u64,
    dispatches: u64,
    outcomes: u64,
    open: u64,
    /// Proposals begun before this slice, whose lives were not checked.
    begun_before: u64,
}

/// A checkpoint in parts.
#[derive(Debug, Serialize)]
struct CheckpointFacts<'a> {
    log: &'a str,
    entries: u64,
    root: String,
}

/// The same as `describe_finding` says, in fields.
pub(crate) fn finding_for_programs(answer: &Verification) -> VerifyAnswer<'_> {
    let (word, vouched_for, broken_at, why) = match &answer.finding {
        Finding::Verified { up_to } => ("VERIFIED", Some(*up_to), None, None),
        Finding::Unanchored { why } => ("UNANCHORED", None, None, Some(why.as_ref())),
        Finding::Broken { at, why } => ("BROKEN", None, *at, Some(why.as_ref())),
    };
    let Replayed { proposals, approvals, dispatches, outcomes, open, begun_before } = answer.replayed;
    let checkpoint = answer.checkpoint.as_ref().map(|checkpoint| CheckpointFacts {
        log: &checkpoint.origin,
        entries: checkpoint.size,
        root: checkpoint.root.to_hex(),
    });
    VerifyAnswer {
        answer: word,
        entries: answer.entries,
        vouched_for,
        broken_at,
        why,
        replayed: ReplayedCounts { proposals, approvals, dispatches, outcomes, open, begun_before },
        checkpoint,
        key: answer.key.as_ref().map(LogPublicKey::to_vkey),
    }
}

/// The answer in one word, then why.
pub(crate) fn describe_finding(answer: &Verification, output: &mut Output) {
    match &answer.finding {
        Finding::Verified { up_to } => {
            output.line(&format!(
                "VERIFIED: {} entries; a checkpoint held elsewhere vouches for {up_to}",
                answer.entries
            ));
        }
        Finding::Unanchored { why } => {
            output.line(&format!("UNANCHORED: {} entries are what the log signed; {why}", answer.entries));
        }
        Finding::Broken { at: Some(entry), why } => output.line(&format!("BROKEN at entry {entry}: {why}")),
        Finding::Broken { at: None, why } => output.line(&format!("BROKEN: {why}")),
    }
    replayed(&answer.replayed, output);
    if let Some(checkpoint) = &answer.checkpoint {
        output.line(&format!(
            "  log {}, {} entries, root {}",
            checkpoint.origin,
            checkpoint.size,
            checkpoint.root.to_hex()
        ));
    }
    if let Some(key) = &answer.key {
        output.line(&format!("  key {}", key.to_vkey()));
    }
}

/// What was checked beside the signatures.
fn replayed(replayed: &Replayed, output: &mut Output) {
    let Replayed { proposals, approvals, dispatches, outcomes, open, begun_before } = replayed;
    output.line(&format!(
        "  replayed: proposals {proposals}, approvals {approvals}, dispatches {dispatches}, outcomes {outcomes}, \
         still open {open}"
    ));
    if *begun_before > 0 {
        output.line(&format!("  not checked: the lives of {begun_before} proposals begun before this slice"));
    }
}
