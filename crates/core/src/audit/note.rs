//! The keys of a log, and signed notes (<https://c2sp.org/signed-note>) with Ed25519.
//!
//! A key speaks for one log: its name is the log's origin, and it signs no other (T123). A note is only read
//! through a key, so text that nobody vouches for never becomes a checkpoint.

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest as _, Sha256};

use super::{Checkpoint, CheckpointError};

/// The algorithm byte of Ed25519 in a note's key hash and in a vkey.
const ED25519: u8 = 1;
/// Signature lines that one note may have. Witnesses are few; more is somebody's attempt to keep us busy.
const SIGNATURES_MAX: usize = 100;
/// Bytes of an origin: enough for any host name and path.
const ORIGIN_BYTES_MAX: usize = 255;
/// What every signature line starts with: an em dash and a space.
const SIGNATURE_START: &str = "— ";

/// The private key of a log. Its bytes are wiped when it is dropped, and it has no text form.
pub struct LogKey {
    origin: String,
    secret: SigningKey,
}

impl fmt::Debug for LogKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LogKey(..)")
    }
}

impl LogKey {
    /// From the 32 byte seed of RFC 8032. The origin is printable ASCII without spaces and `+`.
    pub fn from_seed(origin: &str, seed: &[u8; 32]) -> Result<Self, CheckpointError> {
        check_origin(origin)?;
        Ok(Self { origin: origin.to_owned(), secret: SigningKey::from_bytes(seed) })
    }

    /// The name of the log that this key speaks for.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The public half.
    pub fn public(&self) -> LogPublicKey {
        LogPublicKey { origin: self.origin.clone(), key: self.secret.verifying_key() }
    }

    /// Signs a tree head of this key's log: the whole signed note.
    ///
    /// The origin that is signed is always the key's own, whatever `checkpoint` says (T123).
    pub fn sign(&self, checkpoint: &Checkpoint) -> String {
        let text = Checkpoint { origin: self.origin.clone(), ..checkpoint.clone() }.to_text();
        let signature = self.secret.sign(text.as_bytes());
        let line = [self.public().key_hash().as_slice(), &signature.to_bytes()].concat();
        format!("{text}\n{SIGNATURE_START}{} {}\n", self.origin, BASE64_STANDARD.encode(line))
    }
}

/// The public key of a log: what an auditor holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogPublicKey {
    origin: String,
    key: VerifyingKey,
}

impl LogPublicKey {
    /// The name of the log that this key speaks for.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// C2SP vkey text: origin, key hash in hexadecimal and key in base64, joined by `+`.
    pub fn to_vkey(&self) -> String {
        vkey_text(&self.origin, self.key.as_bytes())
    }

    /// From a vkey. Only the text that [`Self::to_vkey`] gives is one.
    pub fn from_vkey(text: &str) -> Result<Self, CheckpointError> {
        let wrong = || CheckpointError::new("not a key of the form `origin+hash+base64` (C2SP vkey)");
        let (origin, rest) = text.split_once('+').ok_or_else(wrong)?;
        // A name has no `+` and the hash is hexadecimal, but base64 may have one: split from the left.
        let (_, key) = rest.split_once('+').ok_or_else(wrong)?;
        check_origin(origin)?;
        let bytes = BASE64_STANDARD.decode(key).map_err(|_| wrong())?;
        let Some((&ED25519, key)) = bytes.split_first() else {
            return Err(CheckpointError::new("the key is not an Ed25519 key"));
        };
        let key: [u8; 32] = key.try_into().map_err(|_| wrong())?;
        if vkey_text(origin, &key) != text {
            return Err(CheckpointError::new("the hash in the key does not belong to its name and bytes"));
        }
        VerifyingKey::from_bytes(&key)
            .ok()
            // Under a weak key anybody can make a signature that holds.
            .filter(|k| !k.is_weak())
            .map(|key| Self { origin: origin.to_owned(), key })
            .ok_or_else(|| CheckpointError::new("the key is not a usable Ed25519 point"))
    }

    /// Opens a signed note of this log.
    ///
    /// Signatures of others, such as witnesses, are passed over if their lines are well formed. Every
    /// signature under this key must hold, and there must be one.
    pub fn open(&self, note: &str) -> Result<Checkpoint, CheckpointError> {
        let checkpoint = Checkpoint::from_text(self.open_text(note)?)?;
        if checkpoint.origin == self.origin {
            Ok(checkpoint)
        } else {
            let detail = format!("the checkpoint is of `{}`, not of `{}`", checkpoint.origin, self.origin);
            Err(CheckpointError(detail))
        }
    }

    /// The text of a note that this key has signed.
    fn open_text<'a>(&self, note: &'a str) -> Result<&'a str, CheckpointError> {
        let (text, signatures) = split_note(note)?;
        let ours = self.key_hash();
        let mut signed = false;
        for line in signatures {
            if line.name != self.origin || line.key_hash != ours {
                continue;
            }
            let bad = || CheckpointError(format!("the signature of `{}` is not valid", self.origin));
            let signature = Signature::from_slice(&line.signature).map_err(|_| bad())?;
            self.key.verify_strict(text.as_bytes(), &signature).map_err(|_| bad())?;
            signed = true;
        }
        if signed {
            Ok(text)
        } else {
            Err(CheckpointError(format!("the note is not signed by the key of `{}`", self.origin)))
        }
    }

    fn key_hash(&self) -> [u8; 4] {
        key_hash(&self.origin, self.key.as_bytes())
    }
}

/// First four bytes of SHA-256 over name, line feed, algorithm byte and key.
fn key_hash(origin: &str, key: &[u8; 32]) -> [u8; 4] {
    let hasher = Sha256::new().chain_update(origin.as_bytes()).chain_update([b'\n', ED25519]);
    let hash: [u8; 32] = hasher.chain_update(key).finalize().into();
    let [a, b, c, d, ..] = hash;
    [a, b, c, d]
}

fn vkey_text(origin: &str, key: &[u8; 32]) -> String {
    let hash = u32::from_be_bytes(key_hash(origin, key));
    format!("{origin}+{hash:08x}+{}", BASE64_STANDARD.encode([[ED25519].as_slice(), key].concat()))
}

/// One line below a note's text.
struct SignatureLine<'a> {
    name: &'a str,
    key_hash: [u8; 4],
    signature: Vec<u8>,
}

/// Splits a note at its last empty line into the text with its final line feed, and the signatures.
fn split_note(note: &str) -> Result<(&str, Vec<SignatureLine<'_>>), CheckpointError> {
    let wrong = CheckpointError::new;
    if note.chars().any(|c| c.is_ascii_control() && c != '\n') {
        return Err(wrong("the note contains control characters"));
    }
    let unsigned = || wrong("the note has no signature below an empty line");
    let (body, below) = note.rsplit_once("\n\n").ok_or_else(unsigned)?;
    let text = note.get(..body.len().saturating_add(1)).ok_or_else(unsigned)?;
    let lines = below.strip_suffix('\n').ok_or_else(|| wrong("the note does not end with a line feed"))?;
    if lines.split('\n').count() > SIGNATURES_MAX {
        return Err(CheckpointError(format!("the note has more than {SIGNATURES_MAX} signatures")));
    }
    let signatures: Option<Vec<_>> = lines.split('\n').map(signature_line).collect();
    signatures
        .map(|s| (text, s))
        .ok_or_else(|| wrong("a signature line is not an em dash, a name and a signature in base64"))
}

fn signature_line(line: &str) -> Option<SignatureLine<'_>> {
    let (name, encoded) = line.strip_prefix(SIGNATURE_START)?.split_once(' ')?;
    let bytes = BASE64_STANDARD.decode(encoded).ok()?;
    let (key_hash, signature) = bytes.split_first_chunk::<4>()?;
    let named = !name.is_empty() && !name.chars().any(|c| c.is_whitespace() || c == '+');
    let complete = named && !signature.is_empty();
    complete.then(|| SignatureLine { name, key_hash: *key_hash, signature: signature.to_vec() })
}

/// An origin is read by people and compared by machines: nothing in it may look like something else.
fn check_origin(origin: &str) -> Result<(), CheckpointError> {
    let plain = origin.bytes().all(|b| b.is_ascii_graphic() && b != b'+');
    if origin.is_empty() || origin.len() > ORIGIN_BYTES_MAX || !plain {
        return Err(CheckpointError(format!(
            "a log's origin is 1 to {ORIGIN_BYTES_MAX} printable ASCII characters without spaces and `+`"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
