//! The log: entries, the Merkle tree over them (RFC 6962), its signed checkpoints (C2SP signed-note), and
//! the verifier that third parties run on an export: of the signatures, and of the life of every proposal.

mod checkpoint;
pub mod data;
mod entry;
mod event;
mod export;
mod life;
mod life_error;
mod life_event;
mod lives;
mod merkle;
mod note;
mod terms;
mod verify;

pub use checkpoint::{Checkpoint, CheckpointError};
pub use entry::{Actor, ENTRY_VERSION, Entry, StoredEntry};
pub use event::{EVENT_CODES, EventCode, EventData};
pub use export::{EXPORT_LINE_BYTES_MAX, ExportHeader, export_end, export_line};
pub use life::{LifeState, life};
pub use life_error::LifeError;
pub use life_event::{LifeEntry, LifeEvent, Meaning};
pub use lives::Replayed;
pub use merkle::{
    Frontier, consistency_proof, entry_hash, inclusion_proof, leaf_data, leaf_hash, node_hash, root_of,
    verify_consistency, verify_inclusion,
};
pub use note::{LogKey, LogPublicKey};
pub use verify::{Expected, Finding, Verification, Verifier};
