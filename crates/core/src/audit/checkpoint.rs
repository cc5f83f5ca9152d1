//! stub
use crate::digest::Digest;

/// A tree head: C2SP tlog-checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's name.
    pub origin: String,
    /// Leaves.
    pub size: u64,
    /// Root.
    pub root: Digest,
}

/// Not a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CheckpointError(pub String);

/// The private key of a log.
pub struct LogKey {}
impl std::fmt::Debug for LogKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LogKey(..)")
    }
}
impl LogKey {
    /// From a 32 byte seed.
    pub fn from_seed(_origin: &str, _seed: &[u8; 32]) -> Result<Self, CheckpointError> {
        todo!()
    }
    /// The origin.
    pub fn origin(&self) -> &str {
        todo!()
    }
    /// The public half.
    pub fn public(&self) -> LogPublicKey {
        todo!()
    }
    /// Signs: the whole signed note.
    pub fn sign(&self, _checkpoint: &Checkpoint) -> String {
        todo!()
    }
}
/// The public key of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogPublicKey {}
impl LogPublicKey {
    /// C2SP vkey text: `origin+hash+base64`.
    pub fn to_vkey(&self) -> String {
        todo!()
    }
    /// From a vkey.
    pub fn from_vkey(_text: &str) -> Result<Self, CheckpointError> {
        todo!()
    }
    /// Opens a signed note.
    pub fn open(&self, _note: &str) -> Result<Checkpoint, CheckpointError> {
        todo!()
    }
}
