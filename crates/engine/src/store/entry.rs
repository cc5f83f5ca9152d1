//! Entries that belong to a write of their own, such as a sign-in: in the same transaction, so that neither is there
//! without the other.

use countersign_core::audit::{Entry, entry_hash};

use super::desk::Tx;
use super::error::{self, Error};

/// Appends an entry that moves no proposal.
pub(super) async fn insert_entry(tx: &mut Tx<'_>, entry: &Entry) -> error::Result<()> {
    let body = entry.to_bytes().map_err(|_| Error::Foreign("an entry cannot be written as JSON"))?;
    let (id, leaf) = (entry.proposal.map(|id| id.to_string()), entry_hash(entry.at, &body));
    let sql = "INSERT INTO log_entry (at, proposal, version, body, leaf) VALUES ($1, $2, NULL, $3, $4)";
    let values = [
        entry.at.as_micros().into(),
        id.as_deref().into(),
        body.as_slice().into(),
        leaf.as_bytes().as_slice().into(),
    ];
    tx.execute(sql, &values).await.map(drop)
}
