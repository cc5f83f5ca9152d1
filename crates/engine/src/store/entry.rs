//! Entries that belong to a write of their own, such as a sign-in: in the same transaction, so that neither is there
//! without the other.

use countersign_core::audit::Entry;

use super::desk::Tx;
use super::error;

/// Appends an entry that moves no proposal.
pub(super) async fn insert_entry(tx: &mut Tx<'_>, entry: &Entry) -> error::Result<()> {
    let (id, body) = (entry.proposal.map(|id| id.to_string()), entry.to_bytes());
    let sql = "INSERT INTO log_entry (at, proposal, version, body) VALUES ($1, $2, NULL, $3)";
    let values = [entry.at.as_micros().into(), id.as_deref().into(), body.as_slice().into()];
    tx.execute(sql, &values).await.map(drop)
}
