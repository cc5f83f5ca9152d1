//! The verifier that third parties run on an export. It reads line by line, in memory that grows with the
//! proposals that are open (and by two ids for each that is over), and trusts nothing but the key and the checkpoint that its user brought.
//!
//! It says VERIFIED only beside a checkpoint held elsewhere: an export that merely agrees with itself may be
//! one whose tail was cut or that was signed again as a whole, and is UNANCHORED (T117).
//!
//! Signatures say that the log wrote the entries, not that it may have. So the life of every proposal is
//! replayed from its entries too: a dispatch without the approvals that its decision asked for is BROKEN.

use serde::Deserialize;

use super::checkpoint::hash_to_text;
use super::lives::{Lives, Replayed};
use super::{Checkpoint, ExportHeader, Frontier, LogPublicKey, entry_hash, verify_consistency};
use crate::digest::Digest;
use crate::time::Timestamp;

/// Characters of a leaf hash in base64.
const HASH_LENGTH: usize = 44;
/// Lines of a checkpoint with one signature: origin, size, root, an empty line, the log's own signature.
const NOTE_LINES: u32 = 5;

/// What the user of a verifier knows from elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Expected {
    /// The log's key. Without it the export's own key is used, so anybody may have signed.
    pub key: Option<LogPublicKey>,
    /// A signed checkpoint of the same log, earlier or as late: the whole note, witnesses and all.
    pub anchor: Option<String>,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// The export is what the log signed, and it agrees with the checkpoint held elsewhere.
    Verified {
        /// Size of that checkpoint: entries below it are vouched for by it, later ones by the log's key alone.
        up_to: u64,
    },
    /// The export is what the log signed, but nothing held elsewhere says that it is the only version.
    Unanchored {
        /// What is missing: a lower-case fragment.
        why: String,
    },
    /// The export is not what the log signed, or not what was held elsewhere, or it tells of something that no
    /// gate may do.
    Broken {
        /// The first entry that is wrong, counted from 0 in the whole log, if it can be told.
        at: Option<u64>,
        /// What is wrong: a lower-case fragment.
        why: String,
    },
}

/// What was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verification {
    /// The answer.
    pub finding: Finding,
    /// The log's key as the export names it, once the header was read.
    pub key: Option<LogPublicKey>,
    /// The first entry of the export, counted from 0.
    pub from: u64,
    /// Entries whose body fits their leaf hash, up to the first that does not.
    pub entries: u64,
    /// The lives of proposals that were replayed, up to the first entry that is wrong.
    pub replayed: Replayed,
    /// The export's checkpoint, once its signature held.
    pub checkpoint: Option<Checkpoint>,
    /// The same as the log signed it: the whole note.
    pub note: Option<String>,
}

/// Takes an export line by line. A clone continues from the same place.
#[derive(Debug, Clone)]
pub struct Verifier {
    expected: Expected,
    log: Option<Reading>,
    broken: Option<Broken>,
}

#[derive(Debug, Clone)]
struct Broken {
    at: Option<u64>,
    why: String,
}

impl<T: Into<String>> From<T> for Broken {
    fn from(why: T) -> Self {
        Self { at: None, why: why.into() }
    }
}

impl Verifier {
    /// A verifier that has read nothing yet.
    pub fn new(expected: Expected) -> Self {
        Self { expected, log: None, broken: None }
    }

    /// Takes the next line **with** its line feed, as `read_until(b'\n')` gives it.
    ///
    /// After the first thing that is wrong all further lines are ignored.
    pub fn line(&mut self, line: &[u8]) {
        if self.broken.is_none() {
            self.broken = self.take(line).err();
        }
    }

    /// Whether something is wrong already, so that reading on is useless.
    pub fn is_broken(&self) -> bool {
        self.broken.is_some()
    }

    /// The answer, after the last line.
    pub fn finish(self) -> Verification {
        let mut answer = Verification {
            finding: Finding::Broken { at: None, why: "the export is empty".to_owned() },
            key: self.log.as_ref().map(|l| l.key.clone()),
            from: self.log.as_ref().map_or(0, |l| l.from),
            entries: self.log.as_ref().map_or(0, |l| l.tree.size().saturating_sub(l.from)),
            replayed: self.log.as_ref().map(|l| l.lives.replayed()).unwrap_or_default(),
            checkpoint: None,
            note: None,
        };
        let found = match (self.broken, &self.log) {
            (Some(broken), _) => Err(broken),
            (None, None) => return answer,
            (None, Some(log)) => log.checkpoint().and_then(|checkpoint| {
                let found = log.compare(&checkpoint);
                answer.checkpoint = Some(checkpoint);
                answer.note = Some(log.note.clone());
                found
            }),
        };
        answer.finding = found.unwrap_or_else(|b| Finding::Broken { at: b.at, why: b.why });
        answer
    }

    fn take(&mut self, line: &[u8]) -> Result<(), Broken> {
        // A cut line at the very end of a file has no line feed; two lines in one would shift all that follow.
        let text = line.strip_suffix(b"\n").filter(|text| !text.contains(&b'\n'));
        match (&mut self.log, text) {
            (log, None) => {
                let at = log.as_ref().filter(|l| l.left > 0).map(|l| l.tree.size());
                Err(Broken { at, why: "a line is cut, too long or has no line feed".to_owned() })
            }
            (Some(log), Some(text)) => log.take(text),
            (none, Some(text)) => {
                *none = Some(Reading::open(text, &self.expected)?);
                Ok(())
            }
        }
    }
}

/// An export whose header was read.
#[derive(Debug, Clone)]
struct Reading {
    key: LogPublicKey,
    from: u64,
    tree: Frontier,
    left: u64,
    proof: Vec<Digest>,
    anchor: Option<Checkpoint>,
    lives: Lives,
    /// The root when the tree had the anchor's size.
    root_at_anchor: Option<Digest>,
    gap: bool,
    note_lines: u32,
    note: String,
}

impl Reading {
    fn open(line: &[u8], expected: &Expected) -> Result<Self, Broken> {
        let header = ExportHeader::from_line(line)?;
        if expected.key.as_ref().is_some_and(|key| *key != header.key) {
            return Err(format!("the export is signed by another key: {}", header.key.to_vkey()).into());
        }
        if header.before.size().checked_add(header.count).is_none() {
            return Err("the header counts more entries than a log can have".into());
        }
        let open = |note: &String| {
            header.key.open(note).map_err(|e| Broken::from(format!("the checkpoint held elsewhere: {e}")))
        };
        let anchor = expected.anchor.as_ref().map(open).transpose()?;
        let mut reading = Self {
            lives: Lives::new(header.before.size() == 0),
            key: header.key,
            from: header.before.size(),
            tree: header.before,
            left: header.count,
            proof: header.proof,
            anchor,
            root_at_anchor: None,
            gap: false,
            note_lines: 0,
            note: String::new(),
        };
        reading.pass_anchor();
        Ok(reading)
    }

    fn take(&mut self, text: &[u8]) -> Result<(), Broken> {
        if self.left > 0 {
            let at = Some(self.tree.size());
            let (leaf, body) = read_entry(text).map_err(|why| Broken { at, why })?;
            self.lives.take(body).map_err(|why| Broken { at, why })?;
            self.tree.push(leaf);
            self.left = self.left.saturating_sub(1);
            self.pass_anchor();
        } else if !self.gap {
            if !text.is_empty() {
                return Err("there are more entries than the header says".into());
            }
            self.gap = true;
        } else if self.note_lines < NOTE_LINES {
            let text = std::str::from_utf8(text).map_err(|_| "the checkpoint is not text")?;
            self.note.push_str(text);
            self.note.push('\n');
            self.note_lines = self.note_lines.saturating_add(1);
        } else {
            return Err("something follows the signed checkpoint".into());
        }
        Ok(())
    }

    fn pass_anchor(&mut self) {
        if self.anchor.as_ref().is_some_and(|a| a.size == self.tree.size()) {
            self.root_at_anchor = Some(self.tree.root());
        }
    }

    /// The export's own checkpoint, if it is signed and the entries lead to it.
    fn checkpoint(&self) -> Result<Checkpoint, Broken> {
        if self.left > 0 {
            let why = format!("the export ends {} entries early", self.left);
            return Err(Broken { at: Some(self.tree.size()), why });
        }
        let checkpoint = self.key.open(&self.note).map_err(|e| format!("the signed checkpoint: {e}"))?;
        let (read, signed) = (self.tree.size(), checkpoint.size);
        if read > signed {
            let why = format!("the log's checkpoint ends at entry {signed}");
            return Err(Broken { at: Some(signed), why });
        }
        let root = self.tree.root();
        if verify_consistency((read, &root), (signed, &checkpoint.root), &self.proof) {
            return Ok(checkpoint);
        }
        let why = "the entries are not the ones that the checkpoint was signed for: \
                   some were removed, added, moved or replaced";
        Err(why.into())
    }

    /// Compares with what is held elsewhere.
    fn compare(&self, checkpoint: &Checkpoint) -> Result<Finding, Broken> {
        let unanchored = |why: String| Ok(Finding::Unanchored { why });
        let Some(anchor) = &self.anchor else {
            return unanchored("no checkpoint held elsewhere was given".to_owned());
        };
        let (held, here) = (anchor.size, checkpoint.size);
        if held > here {
            return Err(format!(
                "the checkpoint held elsewhere has {held} entries and this log only {here}: \
                 its end was cut off, or the export is older than that checkpoint"
            )
            .into());
        }
        let root = if held == here { Some(checkpoint.root) } else { self.root_at_anchor };
        match root {
            _ if held == 0 => unanchored("the checkpoint held elsewhere is of an empty log".to_owned()),
            Some(root) if root == anchor.root => Ok(Finding::Verified { up_to: held }),
            Some(_) => Err(format!(
                "the log differs from the checkpoint held elsewhere somewhere in its first {held} entries"
            )
            .into()),
            None => unanchored(format!(
                "the checkpoint held elsewhere has {held} entries, and this slice does not pass there"
            )),
        }
    }
}

/// Checks one entry's line by itself and gives its leaf hash and its body.
///
/// Depends on nothing but the line, so that a later version may check many at once.
fn read_entry(line: &[u8]) -> Result<(Digest, &[u8]), String> {
    if line.is_empty() {
        return Err("an entry is missing: the header counts more".to_owned());
    }
    let (hash, rest) = line.split_at_checked(HASH_LENGTH).ok_or("the line is cut")?;
    let body = rest.strip_prefix(b" ").ok_or("there is no space between hash and body")?;
    let stamp: Stamp = serde_json::from_slice(body).map_err(|e| format!("the entry cannot be read: {e}"))?;
    let leaf = entry_hash(stamp.at, body);
    // The text is compared rather than decoded, so there is one way to write it.
    if hash_to_text(&leaf).as_bytes() == hash {
        Ok((leaf, body))
    } else {
        Err("the entry was changed: it does not fit its hash".to_owned())
    }
}

/// The one member of an entry that its leaf holds beside the body's hash. The hash needs no other.
#[derive(Deserialize)]
struct Stamp {
    at: Timestamp,
}

#[cfg(test)]
mod tests;
