//! Many steps in one transaction.
//!
//! The statements carry many rows each, and every guard is in them: a step that lost its race matches no
//! row, so its entry is not written either. Locks are taken in one order (the gate lock, idempotency keys,
//! proposals, the tally), so that processes on one PostgreSQL do not wait for each other in a circle.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use countersign_core::id::ProposalId;
use countersign_core::limits::WRITER_BATCH_MAX;
use countersign_core::proposal::StateName;
use sqlx::{AssertSqlSafe, SqlSafeStr as _, SqlStr};

use super::admit::NotAdmitted;
use super::desk::{Desk, Tx};
use super::error::{self, Error};
use super::header::HEADER_VERSION;
use super::moment::Moments;
use super::rows::{self, EntryRow, KeyRow, MoveRow, OpenRow, PartRow, Write};
use super::value::Value;

/// What became of one step of a committed batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is durable. The time is when it was handed to the database, by the monotonic clock.
    Written(Duration),
    /// Another write was first; nothing of it was written.
    Lost,
    /// Its idempotency key is taken; nothing of it was written.
    KeyTaken,
    /// Its dispatch may not be recorded; nothing of it was written.
    NotAdmitted(NotAdmitted),
    /// The request got this proposal, and that is durable.
    Joined(ProposalId),
    /// There is nothing to join any more; nothing was written.
    Gone,
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

/// Whether dispatches are asked for their admission: not when a commit in doubt is offered again, because they
/// were admitted then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Offer {
    First,
    Again,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Text {
    Key,
    Open,
    Move,
    Part,
    Entry,
    Tally,
}

impl Text {
    /// What stands before the rows, how many values a row has, and what stands after.
    const fn parts(self) -> (&'static str, usize, &'static str) {
        match self {
            Self::Key => (
                "INSERT INTO idempotency (agent, key, request, proposal, look_at) VALUES ",
                5,
                " ON CONFLICT DO NOTHING RETURNING proposal",
            ),
            Self::Open => (
                "INSERT INTO proposal (id, version, state, agent, person, due, intent, join_key, attempt, \
                 header, mac, format, action, environment) VALUES ",
                14,
                " ON CONFLICT DO NOTHING RETURNING id",
            ),
            // INVARIANT I4: a dispatch finds its row only when no attempt was ever recorded there.
            Self::Move => (
                "UPDATE proposal SET version = v.column4, state = v.column5, due = v.column6, \
                 intent = v.column7, attempt = COALESCE(v.column8, proposal.attempt), header = v.column9, \
                 mac = v.column10, format = v.column11, environment = v.column12, \
                 lease_owner = NULL, lease_until = NULL, join_key = CASE WHEN \
                 v.column5 IN ('pending', 'ready', 'dispatched', 'unknown') \
                 AND v.column7 = proposal.intent THEN proposal.join_key END \
                 FROM (VALUES ",
                12,
                ") AS v WHERE proposal.id = v.column1 AND proposal.version = v.column2 \
                 AND proposal.state = v.column3 AND (v.column8 IS NULL OR proposal.attempt IS NULL) \
                 RETURNING id",
            ),
            Self::Part => ("INSERT INTO proposal_part (proposal, name, version, body) VALUES ", 4, ""),
            Self::Entry => ("INSERT INTO log_entry (at, proposal, version, body, leaf) VALUES ", 5, ""),
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
    moments: Moments,
    /// This process's rows of the tally.
    shard: i64,
    texts: HashMap<(Text, usize), SqlStr>,
    /// When the last batch was handed to the database.
    offered_at: Duration,
}

/// A batch on its way: each write with what became of it, as far as that is known.
type Going<'a> = Vec<(&'a Write, Option<Fate>)>;

impl Batcher {
    pub(super) fn new(desk: Arc<Desk>, moments: Moments, shard: i64) -> Self {
        Self { desk, moments, shard, texts: HashMap::new(), offered_at: Duration::ZERO }
    }

    /// Writes all of it or nothing, and says what became of each.
    pub(super) async fn write(&mut self, writes: &[&Write], offer: Offer) -> Result<Vec<Fate>, BatchError> {
        let desk = Arc::clone(&self.desk);
        let mut tx = desk.begin().await?;
        let mut going: Going<'_> = writes.iter().map(|write| (*write, None)).collect();
        if offer == Offer::First {
            self.admit(&mut tx, &mut going).await?;
        }
        self.keys(&mut tx, &mut going).await?;
        self.open(&mut tx, &mut going).await?;
        self.move_on(&mut tx, &mut going).await?;
        let joined = self.join(&mut tx, &mut going).await?;
        let recorded_at = self.moments.ticks();
        self.offered_at = recorded_at;
        let written: Vec<&Write> = going.iter().filter(|(_, f)| f.is_none()).map(|(w, _)| *w).collect();
        let fates = || going.iter().map(|(_, f)| f.clone().unwrap_or(Fate::Written(recorded_at))).collect();
        if written.is_empty() && joined.is_empty() {
            tx.rollback().await?;
            return Ok(fates());
        }
        self.parts(&mut tx, &written).await?;
        self.log(&mut tx, &written, &joined).await?;
        self.count(&mut tx, &written).await?;
        tx.commit().await.map_err(BatchError::InDoubt)?;
        Ok(fates())
    }

    /// When the last batch was handed to the database, by the monotonic clock.
    pub(super) const fn offered_at(&self) -> Duration {
        self.offered_at
    }

    /// Which of these rows are there exactly as they were to be written.
    pub(super) async fn there(&mut self, writes: &[&Write]) -> Result<Vec<bool>, BatchError> {
        let desk = Arc::clone(&self.desk);
        let mut tx = desk.begin().await?;
        let mut there = Vec::with_capacity(writes.len());
        for write in writes {
            let Some((id, mac)) = write.row() else {
                there.push(false);
                continue;
            };
            let sql = "SELECT mac FROM proposal WHERE id = $1".into_sql_str();
            let rows = tx.fetch(sql, &[id.into()]).await?;
            there.push(rows.first().and_then(|row| row.bytes(0).ok()) == Some(mac));
        }
        tx.rollback().await?;
        Ok(there)
    }

    async fn admit(&mut self, tx: &mut Tx<'_>, going: &mut Going<'_>) -> error::Result<()> {
        let Some(first) = going.iter().find_map(|(write, _)| write.admission()) else { return Ok(()) };
        let moment = self.moments.read(tx, &first.owner).await?;
        for (write, fate) in going.iter_mut() {
            if let Some(ask) = write.admission()
                && let Err(why) = super::admit::admit(ask, &moment)
            {
                *fate = Some(Fate::NotAdmitted(why));
            }
        }
        Ok(())
    }

    async fn keys(&mut self, tx: &mut Tx<'_>, going: &mut Going<'_>) -> error::Result<()> {
        let mut keyed: Vec<(&KeyRow, &str)> = going
            .iter()
            .filter(|(_, fate)| fate.is_none())
            .filter_map(|(write, _)| match write {
                Write::Open(opening) => Some((opening.key.as_ref()?, opening.id.as_str())),
                Write::Move(_) | Write::Join(_) | Write::Note(_) => None,
            })
            .collect();
        keyed.sort_by(|(a, _), (b, _)| (&a.agent, &a.key).cmp(&(&b.agent, &b.key)));
        let mut won: HashSet<String> = HashSet::new();
        for chunk in chunks(&keyed) {
            let values = chunk.iter().flat_map(|(key, id)| key_values(key, id)).collect::<Vec<_>>();
            for row in tx.fetch(self.text(Text::Key, chunk.len()), &values).await? {
                won.insert(row.text(0)?.to_owned());
            }
        }
        for (write, fate) in going.iter_mut() {
            if let Write::Open(opening) = write
                && opening.key.is_some()
                && fate.is_none()
                && !won.contains(&opening.id)
            {
                *fate = Some(Fate::KeyTaken);
            }
        }
        Ok(())
    }

    async fn open(&mut self, tx: &mut Tx<'_>, going: &mut Going<'_>) -> error::Result<()> {
        let mut openings: Vec<&OpenRow> = going
            .iter()
            .filter(|(_, fate)| fate.is_none())
            .filter_map(|(write, _)| match write {
                Write::Open(opening) => Some(&**opening),
                Write::Move(_) | Write::Join(_) | Write::Note(_) => None,
            })
            .collect();
        openings.sort_by(|a, b| (&a.agent, &a.join_key, &a.id).cmp(&(&b.agent, &b.join_key, &b.id)));
        let mut won: HashSet<String> = HashSet::new();
        for chunk in chunks(&openings) {
            let values = chunk.iter().flat_map(|o| opening_values(o)).collect::<Vec<_>>();
            for row in tx.fetch(self.text(Text::Open, chunk.len()), &values).await? {
                won.insert(row.text(0)?.to_owned());
            }
        }
        for (write, fate) in going.iter_mut() {
            if let Write::Open(opening) = write
                && fate.is_none()
                && !won.contains(&opening.id)
            {
                *fate = Some(Fate::Lost);
                if let Some(key) = &opening.key {
                    forget_key(tx, key).await?;
                }
            }
        }
        Ok(())
    }

    async fn move_on(&mut self, tx: &mut Tx<'_>, going: &mut Going<'_>) -> error::Result<()> {
        let moves = first_moves(going);
        let mut won: HashSet<String> = HashSet::new();
        for chunk in chunks(&moves) {
            let values = chunk.iter().flat_map(|m| moving_values(m)).collect::<Vec<_>>();
            for row in tx.fetch(self.text(Text::Move, chunk.len()), &values).await? {
                won.insert(row.text(0)?.to_owned());
            }
        }
        let first: HashSet<*const MoveRow> = moves.iter().map(|m| std::ptr::from_ref(*m)).collect();
        for (write, fate) in going.iter_mut() {
            if let Write::Move(moving) = write
                && fate.is_none()
                && !(first.contains(&std::ptr::from_ref(&**moving)) && won.contains(&moving.id))
            {
                *fate = Some(Fate::Lost);
            }
        }
        Ok(())
    }

    /// Requests that get a proposal which is there. Few, so one by one. Gives the entries of those that did.
    async fn join(&mut self, tx: &mut Tx<'_>, going: &mut Going<'_>) -> error::Result<Vec<EntryRow>> {
        let mut entries = Vec::new();
        let find = format!(
            "SELECT id, state FROM proposal WHERE agent = $1 AND join_key = $2{}",
            self.desk.target().row_lock()
        );
        for (write, fate) in going.iter_mut() {
            let Write::Join(join) = write else { continue };
            let values = [(&join.agent).into(), (&join.intent).into()];
            let found = tx.fetch(AssertSqlSafe(find.clone()).into_sql_str(), &values).await?;
            // With a key of its own, a request for what runs already is another request.
            let own = join.key.as_ref().is_some_and(|key| !key.derived);
            let open = |state: &str| !own || state == StateName::Pending.as_str();
            let id = match found.first() {
                Some(row) if open(row.text(1)?) => rows::id(row.text(0)?).ok(),
                Some(_) | None => None,
            };
            let Some(id) = id else {
                *fate = Some(Fate::Gone);
                continue;
            };
            if let Some(key) = &join.key {
                let text = self.text(Text::Key, 1);
                if tx.fetch(text, &key_values(key, &id.to_string())).await?.is_empty() {
                    *fate = Some(Fate::KeyTaken);
                    continue;
                }
            }
            let entry = EntryRow::note(&join.entry.clone().about(id, 0));
            entries.push(entry.map_err(|_| Error::Foreign("an entry cannot be written as JSON"))?);
            *fate = Some(Fate::Joined(id));
        }
        Ok(entries)
    }

    /// The parts of what was written. Few proposals have a header of version 1, so their parts go one by one.
    async fn parts(&mut self, tx: &mut Tx<'_>, written: &[&Write]) -> error::Result<()> {
        for write in written {
            if let Write::Move(moving) = write
                && moving.was_v1
            {
                let sql = "DELETE FROM proposal_part WHERE proposal = $1 AND version = 0";
                tx.execute(sql, &[(&moving.id).into()]).await?;
            }
        }
        let parts: Vec<&PartRow> = written.iter().flat_map(|w| w.parts()).collect();
        for chunk in chunks(&parts) {
            let mut values = Vec::with_capacity(chunk.len().saturating_mul(4));
            for part in chunk {
                values.extend([
                    Value::from(&part.proposal),
                    part.name.into(),
                    part.version.into(),
                    (&part.body).into(),
                ]);
            }
            tx.execute(self.text(Text::Part, chunk.len()), &values).await?;
        }
        Ok(())
    }

    /// The entries, in the order in which the steps came.
    async fn log(&mut self, tx: &mut Tx<'_>, written: &[&Write], joined: &[EntryRow]) -> error::Result<()> {
        let entries: Vec<&EntryRow> = written.iter().flat_map(|w| w.entries()).chain(joined).collect();
        for chunk in chunks(&entries) {
            let mut values = Vec::with_capacity(chunk.len().saturating_mul(5));
            for entry in chunk {
                values.extend([
                    Value::from(entry.at),
                    entry.proposal.as_deref().into(),
                    entry.version.into(),
                    entry.body.as_slice().into(),
                    Value::Bytes(entry.leaf.as_bytes()),
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
                Write::Join(_) | Write::Note(_) => {}
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
fn first_moves<'a>(going: &Going<'a>) -> Vec<&'a MoveRow> {
    let mut moves: BTreeMap<&str, &MoveRow> = BTreeMap::new();
    for (write, fate) in going {
        if let Write::Move(moving) = write
            && fate.is_none()
        {
            moves.entry(&moving.id).or_insert(moving);
        }
    }
    moves.into_values().collect()
}

/// A key whose proposal was not written after all.
async fn forget_key(tx: &mut Tx<'_>, key: &KeyRow) -> error::Result<()> {
    let sql = "DELETE FROM idempotency WHERE agent = $1 AND key = $2";
    tx.execute(sql, &[(&key.agent).into(), (&key.key).into()]).await.map(drop)
}

fn key_values<'a>(key: &'a KeyRow, proposal: &'a str) -> [Value<'a>; 5] {
    [(&key.agent).into(), (&key.key).into(), (&key.request).into(), proposal.into(), key.look_at.into()]
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
        row.join_key.as_deref().into(),
        row.attempt.as_deref().into(),
        (&row.header).into(),
        row.mac.as_slice().into(),
        i64::from(HEADER_VERSION).into(),
        (&row.action).into(),
        (&row.environment).into(),
    ]
}

fn moving_values(row: &MoveRow) -> [Value<'_>; 12] {
    [
        (&row.id).into(),
        row.from_version.into(),
        row.from.as_str().into(),
        i64::from(row.change.version).into(),
        row.change.state.as_str().into(),
        row.due.into(),
        (&row.intent).into(),
        row.attempt.as_deref().into(),
        (&row.header).into(),
        row.mac.as_slice().into(),
        i64::from(HEADER_VERSION).into(),
        (&row.environment).into(),
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
