//! The offline export of a log, or of a slice of it: text that a third party can verify without this gate.
//!
//! One line each, every line ended by a line feed: a header in canonical JSON; for every entry its leaf hash
//! in base64, a space and its body exactly as stored; an empty line; the signed checkpoint. No byte is
//! without meaning: change any of them and [`Verifier`](super::Verifier) says so (T116). Writing never parses
//! a body again, so an entry that was edited in the store is exported as it is and found by the verifier.

use serde::{Deserialize, Serialize};

use super::checkpoint::{hash_from_text, hash_to_text};
use super::{Frontier, LogPublicKey};
use crate::digest::Digest;

/// The version of this format.
const VERSION: u8 = 1;

/// Bytes of one line of an export, its line feed included. A reader that streams a file gives the verifier
/// no longer pieces than this: the piece then has no line feed and the finding is broken. Far above any
/// entry, which holds digests in place of payloads.
pub const EXPORT_LINE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// What comes before the entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportHeader {
    /// The log's key.
    pub key: LogPublicKey,
    /// The tree before the first entry of the export: empty when the export starts at entry 0.
    pub before: Frontier,
    /// Entries in the export.
    pub count: u64,
    /// Consistency proof (RFC 9162 section 2.1.4) from the tree after the last entry to the checkpoint's.
    /// Empty when the export reaches up to its checkpoint.
    pub proof: Vec<Digest>,
}

/// The header's members in canonical order: sorted by name.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HeaderLine {
    count: u64,
    countersign_log: u8,
    from: u64,
    proof: Vec<String>,
    roots: Vec<String>,
    vkey: String,
}

impl ExportHeader {
    /// The first line, its line feed included.
    pub fn to_line(&self) -> Vec<u8> {
        let texts = |hashes: &[Digest]| hashes.iter().map(hash_to_text).collect();
        let line = HeaderLine {
            count: self.count,
            countersign_log: VERSION,
            from: self.before.size(),
            proof: texts(&self.proof),
            roots: texts(self.before.roots()),
            vkey: self.key.to_vkey(),
        };
        // Numbers and strings always serialise; were it not so, an empty header would verify nowhere.
        let mut bytes = serde_json::to_vec(&line).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    /// From the first line without its line feed. Only what [`Self::to_line`] gives is a header.
    pub(super) fn from_line(line: &[u8]) -> Result<Self, String> {
        let parsed: HeaderLine =
            serde_json::from_slice(line).map_err(|e| format!("the first line is not a header: {e}"))?;
        if parsed.countersign_log != VERSION {
            return Err(format!("version {} of this format is not known", parsed.countersign_log));
        }
        let hashes = |texts: &[String]| -> Result<Vec<Digest>, String> {
            let parsed: Option<Vec<_>> = texts.iter().map(|t| hash_from_text(t)).collect();
            parsed.ok_or_else(|| "a hash in the header is not 32 bytes in base64".to_owned())
        };
        let before = Frontier::from_parts(parsed.from, hashes(&parsed.roots)?)
            .ok_or("the header's roots do not fit a log that starts there")?;
        let key = LogPublicKey::from_vkey(&parsed.vkey).map_err(|e| format!("the header's key: {e}"))?;
        let header = Self { key, before, count: parsed.count, proof: hashes(&parsed.proof)? };
        if header.to_line().strip_suffix(b"\n") == Some(line) {
            Ok(header)
        } else {
            Err("the header is not written in its one canonical form".to_owned())
        }
    }
}

/// One entry's line: its leaf hash and its stored body, which must hold no line feed (canonical JSON does not).
pub fn export_line(leaf: &Digest, body: &[u8]) -> Vec<u8> {
    [hash_to_text(leaf).as_bytes(), b" ", body, b"\n"].concat()
}

/// What comes after the entries: an empty line and the signed note of the checkpoint.
pub fn export_end(note: &str) -> Vec<u8> {
    [b"\n", note.as_bytes()].concat()
}
