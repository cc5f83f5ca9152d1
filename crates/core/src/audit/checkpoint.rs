//! A tree head as text and back: the body of C2SP tlog-checkpoint
//! (<https://c2sp.org/tlog-checkpoint>), and the error that everything about signed notes shares.
//!
//! Parsing accepts exactly one text for each checkpoint, so that no byte of a signed note is without meaning.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::digest::Digest;

/// A tree head: how many leaves a log has, and the hash over them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's name, e.g. `gate.example/log`.
    pub origin: String,
    /// Leaves.
    pub size: u64,
    /// Root of the tree of that size.
    pub root: Digest,
}

/// Why a text is not a key, a signed note or a checkpoint: a lower-case fragment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CheckpointError(pub String);

impl CheckpointError {
    pub(super) fn new(detail: &str) -> Self {
        Self(detail.to_owned())
    }
}

impl Checkpoint {
    /// Three lines: origin, size in decimal, root in base64.
    pub fn to_text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, hash_to_text(&self.root))
    }

    /// From exactly three lines. Extension lines are refused: this gate writes none, so they mean nothing here.
    pub fn from_text(text: &str) -> Result<Self, CheckpointError> {
        let lines: Vec<&str> = text.split('\n').collect();
        let [origin, size, root, ""] = lines.as_slice() else {
            return Err(CheckpointError::new("a checkpoint has three lines: origin, size and root"));
        };
        if origin.is_empty() {
            return Err(CheckpointError::new("the checkpoint names no origin"));
        }
        let size = size_from_text(size).ok_or_else(|| {
            CheckpointError(format!("the checkpoint's size `{size}` is not a plain number"))
        })?;
        let root = hash_from_text(root)
            .ok_or_else(|| CheckpointError::new("the checkpoint's root is not 32 bytes in base64"))?;
        Ok(Self { origin: (*origin).to_owned(), size, root })
    }
}

/// A hash as the tlog formats write it: base64 with padding, 44 characters.
pub(super) fn hash_to_text(hash: &Digest) -> String {
    BASE64_STANDARD.encode(hash.as_bytes())
}

/// The hash of that text. The decoder takes no missing padding and no spare bits, so one text only.
pub(super) fn hash_from_text(text: &str) -> Option<Digest> {
    let bytes = BASE64_STANDARD.decode(text).ok()?;
    Some(Digest::from_bytes(bytes.try_into().ok()?))
}

/// Decimal digits without a sign and without leading zeros.
fn size_from_text(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if plain { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str = "XcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=";

    #[test]
    fn a_checkpoint_has_one_text() {
        let text = format!("gate.example/log\n8\n{ROOT}\n");
        let checkpoint = Checkpoint::from_text(&text).unwrap();
        assert_eq!((checkpoint.origin.as_str(), checkpoint.size), ("gate.example/log", 8));
        assert_eq!(
            checkpoint.root.to_hex(),
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"
        );
        assert_eq!(checkpoint.to_text(), text);
    }

    #[test]
    fn what_is_almost_a_checkpoint_is_refused() {
        let spare_bits = ROOT.replace("yg=", "yh=");
        let unpadded = ROOT.trim_end_matches('=');
        for text in [
            String::new(),
            format!("o\n8\n{ROOT}"),
            format!("o\n8\n{ROOT}\n\n"),
            format!("o\n8\n{ROOT}\nextension\n"),
            format!("\n8\n{ROOT}\n"),
            format!("o\n08\n{ROOT}\n"),
            format!("o\n+8\n{ROOT}\n"),
            format!("o\n-8\n{ROOT}\n"),
            format!("o\n8 \n{ROOT}\n"),
            format!("o\n\n{ROOT}\n"),
            format!("o\n18446744073709551616\n{ROOT}\n"),
            format!("o\r\n8\r\n{ROOT}\r\n"),
            format!("o\n8\n{spare_bits}\n"),
            format!("o\n8\n{unpadded}\n"),
            format!("o\n8\n{ROOT}{ROOT}\n"),
            "o\n8\nAAAA\n".to_owned(),
        ] {
            assert!(Checkpoint::from_text(&text).is_err(), "{text:?}");
        }
        assert!(Checkpoint::from_text(&format!("o\n0\n{ROOT}\n")).is_ok());
        assert!(Checkpoint::from_text(&format!("o\n18446744073709551615\n{ROOT}\n")).is_ok());
    }
}
