//! Many steps in one transaction.
//!
//! The statements carry many rows each, and every guard is in them: a step that lost its race matches no
//! row, so its entry is not written either. Locks are taken in one order (idempotency keys, proposals, the
//! tally), so that processes on one PostgreSQL do not wait for each other in a circle.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use countersign_core::limits::WRITER_BATCH_MAX;
use countersign_core::proposal::StateName;
use sqlx::{AssertSqlSafe, SqlSafeStr as _, SqlStr};

use super::db::Value;
use super::desk::{Desk, Tx};
use super::error::{self, Error};
use super::rows::{MoveRow, OpenRow, Write};

/// What became of one step of a committed batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is durable.
    Written,
    /// Somebody else was faster; nothing of it was written.
    Lost,
}

/// Why a batch was not committed.
#[derive(Debug)]
pub(super) enum BatchError {
    /// Nothing of it is there.
    Undone(Error),
    /// It may be there or not: the commit itself did not come back.
    InDoubt(Error),
}

impl From<Error> for BatchError {
    fn from(error: Error) -> Self {
        Self::Undone(error)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Text {
    Open,
    Move,
    Entry,
    Tally,
}

impl Text {
    /// What stands before the rows, how many values a row has, and what stands after.
    const fn parts(self) -> (&'static str, usize, &'static str) {
        match self {
            Self::Open => (
                "INSERT INTO proposal (id, version, state, agent, person, due, intent, join_key, attempt, \
                 idem_key, idem_request, moving, body, binding) VALUES ",
                14,
                " ON CONFLICT DO NOTHING RETURNING id",
            ),
            // INVARIANT I4: a dispatch finds its row only when no attempt was ever recorded there.
            Self::Move => (
                "UPDATE proposal SET version = v.column4, state = v.column5, due = v.column6, \
                 intent = v.column7, attempt = COALESCE(v.column8, proposal.attempt), moving = v.column9, \
                 binding = COALESCE(v.column10, proposal.binding), \
                 body = COALESCE(v.column11, proposal.body), join_key = CASE WHEN \
                 v.column5 = 'pending' AND v.column7 = proposal.intent THEN proposal.join_key END \
                 FROM (VALUES ",
                11,
                ") AS v WHERE proposal.id = v.column1 AND proposal.version = v.column2 \
                 AND proposal.state = v.column3 AND (v.column8 IS NULL OR proposal.attempt IS NULL) \
                 RETURNING id",
            ),
            Self::Entry => ("INSERT INTO log_entry (at, proposal, version, body) VALUES ", 4, ""),
            Self::Tally => (
                "INSERT INTO tally (shard, state, n) VALUES ",
                3,
                " ON CONFLICT (shard, state) DO UPDATE SET n = tally.n + excluded.n",
            ),
        }
    }
}

/// Writes batches. Keeps the text of each statement, so that the database keeps it prepared.
#[derive(Debug)]
pub(super) struct Batcher {
    desk: Arc<Desk>,
    /// This process's rows of the tally.
    shard: i64,
    texts: HashMap<(Text, usize), SqlStr>,
}

impl Batcher {
    pub(super) fn new(desk: Arc<Desk>, shard: i64) -> Self {
        Self { desk, shard, texts: HashMap::new() }
    }

    /// Writes all of it or nothing, and says what became of each.
    pub(super) async fn write(&mut self, writes: &[&Write]) -> Result<Vec<Fate>, BatchError> {
        let desk = Arc::clone(&self.desk);
        let mut tx = desk.begin().await?;
        let mut won: HashSet<String> = HashSet::new();
        self.open(&mut tx, writes, &mut won).await?;
        let moves = first_moves(writes);
        self.move_on(&mut tx, &moves, &mut won).await?;
        let fates = fates(writes, &moves, &won);
        let written: Vec<&Write> =
            writes.iter().zip(&fates).filter(|(_, fate)| **fate == Fate::Written).map(|(w, _)| *w).collect();
        if written.is_empty() {
            tx.rollback().await?;
            return Ok(fates);
        }
        self.log(&mut tx, &written).await?;
        self.count(&mut tx, &written).await?;
        tx.commit().await.map_err(BatchError::InDoubt)?;
        Ok(fates)
    }

    async fn open(
        &mut self,
        tx: &mut Tx<'_>,
        writes: &[&Write],
        won: &mut HashSet<String>,
    ) -> error::Result<()> {
        let mut openings: Vec<&OpenRow> = writes
            .iter()
            .filter_map(|w| match w {
                Write::Open(opening) => Some(&**opening),
                Write::Move(_) | Write::Note(_) => None,
            })
            .collect();
        openings.sort_by(|a, b| (&a.agent, &a.idem_key, &a.id).cmp(&(&b.agent, &b.idem_key, &b.id)));
        for chunk in chunks(&openings) {
            let values = chunk.iter().flat_map(|o| opening_values(o)).collect::<Vec<_>>();
            let sql = self.text(Text::Open, chunk.len());
            for row in tx.fetch(sql, &values).await? {
                won.insert(row.text(0)?.to_owned());
            }
        }
        Ok(())
    }

    async fn move_on(
        &mut self,
        tx: &mut Tx<'_>,
        moves: &[&MoveRow],
        won: &mut HashSet<String>,
    ) -> error::Result<()> {
        for chunk in chunks(moves) {
            let values = chunk.iter().flat_map(|m| moving_values(m)).collect::<Vec<_>>();
            let sql = self.text(Text::Move, chunk.len());
            for row in tx.fetch(sql, &values).await? {
                won.insert(row.text(0)?.to_owned());
            }
        }
        Ok(())
    }

    /// The entries, in the order in which the steps came.
    async fn log(&mut self, tx: &mut Tx<'_>, written: &[&Write]) -> error::Result<()> {
        let entries: Vec<_> = written.iter().flat_map(|w| w.entries()).collect();
        for chunk in chunks(&entries) {
            let mut values = Vec::with_capacity(chunk.len().saturating_mul(4));
            for entry in chunk {
                values.extend([
                    Value::from(entry.at),
                    entry.proposal.as_deref().into(),
                    entry.version.into(),
                    entry.body.as_slice().into(),
                ]);
            }
            tx.execute(self.text(Text::Entry, chunk.len()), &values).await?;
        }
        Ok(())
    }

    /// One statement for the whole batch, however many steps it holds.
    async fn count(&mut self, tx: &mut Tx<'_>, written: &[&Write]) -> error::Result<()> {
        let mut deltas: BTreeMap<StateName, i64> = BTreeMap::new();
        let mut add = |state: StateName, n: i64| {
            let delta = deltas.entry(state).or_default();
            *delta = delta.saturating_add(n);
        };
        for write in written {
            match write {
                Write::Open(opening) => add(opening.change.state, 1),
                Write::Move(moving) => {
                    add(moving.from, -1);
                    add(moving.change.state, 1);
                }
                Write::Note(_) => {}
            }
        }
        let rows: Vec<(StateName, i64)> = deltas.into_iter().filter(|(_, n)| *n != 0).collect();
        if rows.is_empty() {
            return Ok(());
        }
        let values: Vec<Value<'_>> =
            rows.iter().flat_map(|(s, n)| [self.shard.into(), s.as_str().into(), (*n).into()]).collect();
        tx.execute(self.text(Text::Tally, rows.len()), &values).await.map(drop)
    }

    fn text(&mut self, text: Text, rows: usize) -> SqlStr {
        let make = || {
            let (before, columns, after) = text.parts();
            let sql: Arc<str> = format!("{before}{}{after}", self.desk.target().rows(rows, columns)).into();
            AssertSqlSafe(sql).into_sql_str()
        };
        self.texts.entry((text, rows)).or_insert_with(make).clone()
    }
}

/// The rows in runs whose lengths are powers of two: few different statements, so all of them stay prepared.
pub(super) fn chunks<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let power = rows.len().min(WRITER_BATCH_MAX).checked_ilog2()?;
        let (head, tail) = rows.split_at_checked(1_usize.checked_shl(power)?)?;
        rows = tail;
        Some(head)
    })
}

/// The first move of each proposal in the batch, by proposal. A second one from the same version loses in
/// any case; the writer keeps a second one from another version for the next batch.
fn first_moves<'a>(writes: &[&'a Write]) -> Vec<&'a MoveRow> {
    let mut moves: BTreeMap<&str, &MoveRow> = BTreeMap::new();
    for write in writes {
        if let Write::Move(moving) = write {
            moves.entry(&moving.id).or_insert(moving);
        }
    }
    moves.into_values().collect()
}

fn fates(writes: &[&Write], moves: &[&MoveRow], won: &HashSet<String>) -> Vec<Fate> {
    let fate = |written: bool| if written { Fate::Written } else { Fate::Lost };
    let first: HashSet<*const MoveRow> = moves.iter().map(|m| std::ptr::from_ref(*m)).collect();
    writes
        .iter()
        .map(|write| match write {
            Write::Open(opening) => fate(won.contains(&opening.id)),
            Write::Move(moving) => {
                fate(first.contains(&std::ptr::from_ref(&**moving)) && won.contains(&moving.id))
            }
            Write::Note(_) => Fate::Written,
        })
        .collect()
}

fn opening_values(row: &OpenRow) -> [Value<'_>; 14] {
    [
        (&row.id).into(),
        i64::from(row.change.version).into(),
        row.change.state.as_str().into(),
        (&row.agent).into(),
        row.person.as_deref().into(),
        row.due.into(),
        (&row.intent).into(),
        (row.change.state == StateName::Pending).then_some(row.intent.as_str()).into(),
        row.attempt.as_deref().into(),
        row.idem_key.as_deref().into(),
        row.idem_request.as_deref().into(),
        (&row.moving).into(),
        (&row.body).into(),
        (&row.binding).into(),
    ]
}

fn moving_values(row: &MoveRow) -> [Value<'_>; 11] {
    [
        (&row.id).into(),
        row.from_version.into(),
        row.from.as_str().into(),
        i64::from(row.change.version).into(),
        row.change.state.as_str().into(),
        row.due.into(),
        (&row.intent).into(),
        row.attempt.as_deref().into(),
        (&row.moving).into(),
        row.binding.as_deref().into(),
        row.body.as_deref().into(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_cut_into_powers_of_two_and_none_is_left_over() {
        for (rows, expect) in [
            (0_usize, vec![]),
            (1, vec![1]),
            (7, vec![4, 2, 1]),
            (64, vec![64]),
            (WRITER_BATCH_MAX + 3, vec![WRITER_BATCH_MAX, 2, 1]),
        ] {
            let all = vec![(); rows];
            assert_eq!(chunks(&all).map(<[()]>::len).collect::<Vec<_>>(), expect, "{rows}");
        }
    }
}
