//! The log: entries, the Merkle tree over them (RFC 6962), its signed checkpoints (C2SP signed-note), and
//! the verifier that a stranger runs on an export.

mod checkpoint;
mod entry;
mod export;
mod merkle;

pub use checkpoint::{Checkpoint, CheckpointError, LogKey, LogPublicKey};
pub use entry::{Actor, EVENT_CODES, Entry, EventCode};
pub use export::{ExportHeader, Finding, Summary, verify_export};
pub use merkle::{Frontier, leaf_data, leaf_hash, node_hash};
