//! The log: the sequencer that turns entries into leaves, and what readers ask of it.
//!
//! Entries are written by the steps themselves, without any order that all processes would have to agree
//! on. The sequencer gives them that order afterwards: it takes what is not a leaf yet, appends it to the
//! tree's right edge, and signs. What it did is one transaction, guarded by the size it started from, so two
//! sequencers never both win, and what was a leaf stays that leaf.

use std::sync::Arc;

use countersign_core::audit::{Checkpoint, Frontier, LogKey, entry_hash};
use countersign_core::digest::Digest;
use countersign_core::id::ProposalId;
use countersign_core::time::Timestamp;
use sqlx::{AssertSqlSafe, SqlSafeStr as _, SqlStr};

use super::batch::chunks;
use super::db::{Row, Target};
use super::desk::Desk;
use super::error::{self, Error};
use super::value::Value;
use super::{LoggedEntry, Store};
use crate::fault::Fault;

/// Entries in one step of the sequencer: large enough for any rate, small enough to hold the writer only a
/// few milliseconds.
const INTEGRATE_MAX: i64 = 1_024;
/// Transactions of the sequencer in one call, so that it comes back under any load.
const PIECES_MAX: u32 = 64;
/// Entries that one read gives.
const ENTRIES_MAX: u32 = 4_096;

/// The tree's right edge as it is stored.
pub(super) struct Head {
    pub(super) frontier: Frontier,
    /// Every entry up to here is a leaf.
    watermark: i64,
    /// An entry that will be the next watermark …
    mark: i64,
    /// … when every transaction with a smaller number than this has ended.
    mark_until: i64,
    /// The last entry that was written.
    last: i64,
}

/// An entry that is about to become a leaf.
struct Leaf {
    entry: i64,
    hash: Digest,
}

impl Store {
    /// The entries of one proposal, in order.
    pub async fn history(&self, id: ProposalId) -> Result<Vec<LoggedEntry>, Fault> {
        let sql = "SELECT l.idx, e.body, l.hash FROM log_entry AS e LEFT JOIN log_leaf AS l ON l.entry = e.id \
                   WHERE e.proposal = $1 ORDER BY e.id";
        self.logged(sql, &[(&id.to_string()).into()]).await
    }

    /// Integrated entries from an index on, in order; 4096 at the most.
    pub async fn entries(&self, from: u64, limit: u32) -> Result<Vec<LoggedEntry>, Fault> {
        let Ok(from) = i64::try_from(from) else { return Ok(Vec::new()) };
        let limit = i64::from(limit.min(ENTRIES_MAX));
        let sql = "SELECT l.idx, e.body, l.hash FROM log_leaf AS l JOIN log_entry AS e ON e.id = l.entry \
                   WHERE l.idx >= $1 ORDER BY l.idx LIMIT $2";
        self.logged(sql, &[from.into(), limit.into()]).await
    }

    async fn logged(&self, sql: &'static str, values: &[Value<'_>]) -> Result<Vec<LoggedEntry>, Fault> {
        let fault = |e: Error| Fault::new("read the log", e);
        let rows = self.readers.fetch(sql, values).await.map_err(fault)?;
        rows.iter()
            .map(|row| {
                let index = row.maybe_integer(0).map_err(fault)?.map(u64::try_from).transpose();
                let index = index.map_err(|e| Fault::new("read the log", e))?;
                let leaf =
                    index.is_some().then(|| row.bytes(2).map(|b| <[u8; 32]>::try_from(b).ok())).transpose();
                let leaf = leaf.map_err(fault)?.flatten().map(Digest::from_bytes);
                Ok(LoggedEntry { index, leaf, body: row.bytes(1).map_err(fault)?.to_vec() })
            })
            .collect()
    }

    /// The last signed checkpoint.
    pub async fn checkpoint(&self) -> Result<Option<String>, Fault> {
        let fault = |e: Error| Fault::new("read the checkpoint", e);
        let rows =
            self.readers.fetch("SELECT checkpoint FROM log_head WHERE id = 1", &[]).await.map_err(fault)?;
        let Some(row) = rows.first() else { return Ok(None) };
        Ok(row.maybe_text(0).map_err(fault)?.map(str::to_owned))
    }

    /// Integrates what waits, in order, and signs a checkpoint. Gives how many entries were integrated; 0 also
    /// when another sequencer was faster.
    pub async fn integrate(&self, key: &LogKey) -> Result<u64, Fault> {
        let (mut total, mut left) = (0_u64, 0_u64);
        for _ in 0..PIECES_MAX {
            let (integrated, behind) = self.integrate_piece(key).await?;
            total = total.saturating_add(integrated);
            left = behind.saturating_sub(integrated);
            if integrated < INTEGRATE_MAX.unsigned_abs() {
                break;
            }
        }
        self.health.good(self.world.ticks(), left);
        Ok(total)
    }

    /// Why nothing may be dispatched now, if so: the log does not take more.
    pub fn log_problem(&self) -> Option<String> {
        self.health.problem(self.world.ticks())
    }

    /// One transaction of the sequencer. Between two of them the writer has its turn. Gives how many entries it
    /// integrated, and how many waited before.
    async fn integrate_piece(&self, key: &LogKey) -> Result<(u64, u64), Fault> {
        let fault = |e: Error| Fault::new("integrate the log", e);
        let before = self.readers.horizon().await.map_err(fault)?;
        let head = self.head().await?;
        let waiting = self.waiting(head.watermark).await?;
        let after = self.readers.horizon().await.map_err(fault)?;
        let next = advance(&head, &waiting, before.zip(after));
        if waiting.is_empty() && next == (head.watermark, head.mark, head.mark_until) {
            return Ok((0, 0));
        }
        let behind = u64::try_from(head.last.saturating_sub(head.watermark)).unwrap_or(0);
        let piece = piece(key, head, waiting, next);
        let written = self.desk.run(write_leaves(Arc::clone(&self.desk), piece)).await.map_err(fault)?;
        Ok((written, behind))
    }

    pub(super) async fn head(&self) -> Result<Head, Fault> {
        let fault = |e: Error| Fault::new("read the log's head", e);
        let sql = "SELECT size, roots, watermark, mark, mark_until, \
                   (SELECT COALESCE(MAX(id), 0) FROM log_entry) FROM log_head WHERE id = 1";
        let rows = self.readers.fetch(sql, &[]).await.map_err(fault)?;
        let head = rows.first().ok_or(Error::Foreign("its row is missing")).and_then(head_of);
        head.map_err(|error| {
            // Whatever is wrong with this row does not pass by itself.
            self.health.damaged(&error.to_string());
            fault(error)
        })
    }

    /// The entries after the watermark that are not leaves, by id.
    ///
    /// An entry's id is greater than those of the earlier entries of its proposal, because a move takes
    /// its id after the move before it has committed. So this order is each proposal's own (I9).
    async fn waiting(&self, watermark: i64) -> Result<Vec<Leaf>, Fault> {
        let fault = |e: Error| Fault::new("read entries to integrate", e);
        let sql = "SELECT e.id, e.at, CASE WHEN e.leaf IS NULL THEN e.body END, e.leaf \
                   FROM log_entry AS e LEFT JOIN log_leaf AS l ON l.entry = e.id \
                   WHERE e.id > $1 AND l.entry IS NULL ORDER BY e.id LIMIT $2";
        let rows = self.readers.fetch(sql, &[watermark.into(), INTEGRATE_MAX.into()]).await.map_err(fault)?;
        rows.iter().map(leaf).collect::<error::Result<_>>().map_err(fault)
    }
}

fn head_of(row: &Row) -> error::Result<Head> {
    let size = row.integer(0)?;
    let (roots, rest) = row.bytes(1)?.as_chunks::<32>();
    let roots = roots.iter().map(|root| Digest::from_bytes(*root)).collect();
    let size = u64::try_from(size).map_err(|_| Error::Foreign("the log has less than no entries"))?;
    let frontier = Frontier::from_parts(size, roots).filter(|_| rest.is_empty());
    Ok(Head {
        frontier: frontier.ok_or(Error::Foreign("the log's size and its roots disagree"))?,
        watermark: row.integer(2)?,
        mark: row.integer(3)?,
        mark_until: row.integer(4)?,
        last: row.integer(5)?,
    })
}

/// One transaction of the sequencer, prepared.
struct Piece {
    /// The head as it was read.
    size: u64,
    watermark: i64,
    /// The head as it is to be.
    frontier: Frontier,
    next: (i64, i64, i64),
    /// Signed already, seen by nobody unless the transaction wins.
    note: Option<String>,
    leaves: Vec<Leaf>,
}

fn piece(key: &LogKey, head: Head, leaves: Vec<Leaf>, next: (i64, i64, i64)) -> Piece {
    let Head { mut frontier, watermark, .. } = head;
    let size = frontier.size();
    for leaf in &leaves {
        frontier.push(leaf.hash);
    }
    let checkpoint =
        Checkpoint { origin: key.origin().to_owned(), size: frontier.size(), root: frontier.root() };
    let note = (!leaves.is_empty()).then(|| key.sign(&checkpoint));
    Piece { size, watermark, frontier, next, note, leaves }
}

/// The sequencer's transaction. Gives 0 when another sequencer was faster.
async fn write_leaves(desk: Arc<Desk>, piece: Piece) -> error::Result<u64> {
    let Piece { size, watermark, frontier, next, note, leaves } = piece;
    let start = signed(size)?;
    let roots: Vec<u8> = frontier.roots().iter().flat_map(|root| *root.as_bytes()).collect();
    let mut tx = desk.begin().await?;
    let sql = "UPDATE log_head SET size = $1, roots = $2, watermark = $3, mark = $4, mark_until = $5, \
               checkpoint = COALESCE($6, checkpoint) WHERE id = 1 AND size = $7 AND watermark = $8";
    let values = [
        signed(frontier.size())?.into(),
        roots.as_slice().into(),
        next.0.into(),
        next.1.into(),
        next.2.into(),
        note.as_deref().into(),
        start.into(),
        watermark.into(),
    ];
    if tx.execute(sql, &values).await? == 0 {
        tx.rollback().await?;
        return Ok(0);
    }
    let indexed: Vec<(i64, &Leaf)> = (start..).zip(&leaves).collect();
    for chunk in chunks(&indexed) {
        let mut values = Vec::with_capacity(chunk.len().saturating_mul(3));
        for (index, leaf) in chunk {
            values.extend([(*index).into(), leaf.entry.into(), Value::Bytes(leaf.hash.as_bytes())]);
        }
        tx.execute(insert(desk.target(), chunk.len()), &values).await?;
    }
    tx.commit().await?;
    Ok(u64::try_from(leaves.len()).unwrap_or(u64::MAX))
}

fn insert(target: &Target, rows: usize) -> SqlStr {
    AssertSqlSafe(format!("INSERT INTO log_leaf (idx, entry, hash) VALUES {}", target.rows(rows, 3)))
        .into_sql_str()
}

fn leaf(row: &Row) -> error::Result<Leaf> {
    let at = Timestamp::from_micros(row.integer(1)?);
    let hash = match row.maybe_bytes(3)? {
        Some(leaf) => {
            let leaf = leaf.try_into().map_err(|_| Error::Foreign("a leaf hash does not have 32 bytes"))?;
            Digest::from_bytes(leaf)
        }
        // Written before leaf hashes were made with their entries.
        None => entry_hash(at, row.bytes(2)?),
    };
    Ok(Leaf { entry: row.integer(0)?, hash })
}

fn signed(size: u64) -> error::Result<i64> {
    i64::try_from(size).map_err(|_| Error::Foreign("the log is larger than the database can count"))
}

/// Where watermark and mark stand after these entries have become leaves.
///
/// With one writing transaction at a time, ids become visible in order, and the watermark is the last one
/// seen. With many, a smaller id may become visible after a larger one, and whoever passed it by would lose
/// it from the log for ever. So a mark is set at the largest id in sight, together with the first
/// transaction number that nobody has yet. Ids come from one sequence, and a transaction has its number
/// before it takes any: so every id up to the mark belongs to a transaction below that number. When none of
/// those is running any more, a further look has seen all of them, and the mark is the watermark. No clock
/// takes part in this.
fn advance(head: &Head, waiting: &[Leaf], horizons: Option<((i64, i64), (i64, i64))>) -> (i64, i64, i64) {
    let last = waiting.last().map_or(head.watermark, |leaf| leaf.entry);
    let Some(((oldest, _), (_, unused))) = horizons else { return (last, 0, 0) };
    let all_seen = i64::try_from(waiting.len()).is_ok_and(|n| n < INTEGRATE_MAX) || last >= head.mark;
    // In a database that was restored into another server, numbers start anew and nothing old is running.
    let ended = oldest >= head.mark_until || unused < head.mark_until;
    let settled = head.mark > head.watermark && ended && all_seen;
    let watermark = if settled { head.mark } else { head.watermark };
    if watermark >= head.mark && last > watermark {
        (watermark, last, unused)
    } else {
        (watermark, head.mark, head.mark_until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(watermark: i64, mark: i64, mark_until: i64) -> Head {
        Head { frontier: Frontier::default(), watermark, mark, mark_until, last: 0 }
    }

    fn leaves(entries: &[i64]) -> Vec<Leaf> {
        entries.iter().map(|entry| Leaf { entry: *entry, hash: Digest::from_bytes([0; 32]) }).collect()
    }

    #[test]
    fn the_watermark_never_passes_an_entry_that_may_still_appear() {
        let at = |oldest, unused| Some(((oldest, oldest), (unused, unused)));
        for (case, head, seen, horizons, expect) in [
            ("one writer: the last one seen", head(4, 0, 0), &[5, 7][..], None, (7, 0, 0)),
            ("one writer, nothing new", head(4, 0, 0), &[], None, (4, 0, 0)),
            ("a first mark", head(0, 0, 0), &[1, 3], at(50, 60), (0, 3, 60)),
            ("somebody from before the mark still runs", head(0, 3, 60), &[2, 4], at(59, 70), (0, 3, 60)),
            (
                "nobody does: the mark holds, a new one is set",
                head(0, 3, 60),
                &[2, 4],
                at(60, 70),
                (3, 4, 70),
            ),
            ("the mark holds and nothing is new", head(0, 3, 60), &[], at(60, 70), (3, 3, 60)),
            ("restored elsewhere, where numbers are small", head(0, 3, 60), &[], at(7, 9), (3, 3, 60)),
            ("settled and idle: nothing to write", head(3, 3, 60), &[], at(80, 90), (3, 3, 60)),
        ] {
            assert_eq!(advance(&head, &leaves(seen), horizons), expect, "{case}");
        }
    }
}
