//! Finding entries of the log: spans of it, with the action of each entry's proposal, and the place of a time in it.

use countersign_core::digest::Digest;
use countersign_core::time::Timestamp;

use super::db::Row;
use super::error::{self, Error};
use super::{LoggedEntry, Store};
use crate::fault::Fault;

/// Which way the log is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogWalk {
    /// From this index on, the oldest first.
    Up(u64),
    /// What is before this index, the newest first.
    Down(u64),
}

/// An entry, and the action of the proposal that it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryInSpan {
    /// The entry.
    pub entry: LoggedEntry,
    /// The action's name; none when the entry is about no proposal that is stored.
    pub action: Option<String>,
}

impl Store {
    /// Integrated entries in one direction.
    pub async fn span(&self, walk: LogWalk, limit: u32) -> Result<Vec<EntryInSpan>, Fault> {
        let fault = |e: Error| Fault::new("read the log", e);
        let (from, sql) = match walk {
            LogWalk::Up(from) => (
                from,
                "SELECT l.idx, e.body, l.hash, p.action FROM log_leaf AS l JOIN log_entry AS e ON e.id = l.entry \
                 LEFT JOIN proposal AS p ON p.id = e.proposal WHERE l.idx >= $1 ORDER BY l.idx LIMIT $2",
            ),
            LogWalk::Down(before) => (
                before,
                "SELECT l.idx, e.body, l.hash, p.action FROM log_leaf AS l JOIN log_entry AS e ON e.id = l.entry \
                 LEFT JOIN proposal AS p ON p.id = e.proposal WHERE l.idx < $1 ORDER BY l.idx DESC LIMIT $2",
            ),
        };
        let from = i64::try_from(from).unwrap_or(i64::MAX);
        let rows = self.readers.fetch(sql, &[from.into(), i64::from(limit).into()]).await.map_err(fault)?;
        rows.iter().map(in_span).collect::<error::Result<_>>().map_err(fault)
    }

    /// The index of the first entry of this time or later, if the entries' times never go back; the log's size when
    /// all are earlier.
    pub async fn index_at(&self, at: Timestamp) -> Result<u64, Fault> {
        let fault = |e: Error| Fault::new("read the log", e);
        let rows = self.readers.fetch("SELECT size FROM log_head WHERE id = 1", &[]).await.map_err(fault)?;
        let size = rows.first().map_or(Ok(0), |row| row.integer(0)).map_err(fault)?;
        let (mut low, mut high) = (0_i64, size);
        while low < high {
            let middle = low.midpoint(high);
            let sql = "SELECT e.at FROM log_leaf AS l JOIN log_entry AS e ON e.id = l.entry WHERE l.idx = $1";
            let rows = self.readers.fetch(sql, &[middle.into()]).await.map_err(fault)?;
            let earlier =
                rows.first().map_or(Ok(false), |row| row.integer(0).map(|found| found < at.as_micros()));
            if earlier.map_err(fault)? {
                low = middle.saturating_add(1);
            } else {
                high = middle;
            }
        }
        Ok(u64::try_from(low).unwrap_or(0))
    }
}

fn in_span(row: &Row) -> error::Result<EntryInSpan> {
    let index = u64::try_from(row.integer(0)?).ok();
    let leaf = <[u8; 32]>::try_from(row.bytes(2)?).ok().map(Digest::from_bytes);
    let entry = LoggedEntry { index, leaf, body: row.bytes(1)?.to_vec() };
    Ok(EntryInSpan { entry, action: row.maybe_text(3)?.map(str::to_owned) })
}
