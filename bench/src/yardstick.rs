//! Y3: what SQLite alone can make durable. One writer thread that collects rows while the last commit is on its
//! way to disk and commits them together, the same rows as the gate writes, and nothing else: no HTTP, no policy,
//! no digest.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rusqlite::{Connection, params};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use crate::clock;
use crate::stats::{Samples, Summary, rate};

/// Rows in one transaction at the most.
const BATCH_MAX: usize = 256;
/// Rows that may wait for the writer.
const QUEUE: usize = 1_024;

/// Bytes of one decision's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RowSizes {
    /// The proposal's row.
    pub(crate) record: usize,
    /// The log entry's row.
    pub(crate) entry: usize,
}

impl RowSizes {
    /// Near what the gate writes for a decision with a body of 279 bytes, until its own rows were weighed.
    pub(crate) const USUAL: Self = Self { record: 1_600, entry: 900 };
}

/// What the writer reached.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Reached {
    /// Decisions (a row in each table) per second.
    pub(crate) per_second: f64,
    /// One transaction, from `BEGIN` until `COMMIT` has returned.
    pub(crate) commit: Summary,
}

type Reply = oneshot::Sender<()>;

/// Runs the writer with so many submitters, each of which waits for its row to be durable.
pub(crate) fn run(
    dir: &Path,
    sizes: RowSizes,
    submitters: usize,
    length: (Duration, Duration),
) -> Result<Reached> {
    let (warm, count) = length;
    let dir = tempfile::tempdir_in(dir).context("failed to make a directory for the yardstick")?;
    let file = dir.path().join("y3.db");
    let connection = open(&file)?;
    let from = clock::after(clock::now(), warm);
    let until = clock::after(from, count);
    let (send, receive) = mpsc::channel::<Reply>(QUEUE);
    let writer = std::thread::spawn(move || write(&connection, receive, sizes, (from, until)));
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let acknowledged = runtime.block_on(async {
        let mut tasks = JoinSet::new();
        for _ in 0..submitters {
            tasks.spawn(submit(send.clone(), from, until));
        }
        drop(send);
        let mut sum = 0_u64;
        while let Some(done) = tasks.join_next().await {
            sum = sum.saturating_add(done.context("a submitter failed")?);
        }
        anyhow::Ok(sum)
    })?;
    let Ok(commits) = writer.join() else { bail!("the yardstick's writer failed") };
    Ok(Reached { per_second: rate(acknowledged, count), commit: commits?.summary() })
}

/// Gives how many rows were acknowledged within the counted time.
async fn submit(send: mpsc::Sender<Reply>, from: Instant, until: Instant) -> u64 {
    let mut acknowledged = 0_u64;
    loop {
        let begin = clock::now();
        if begin >= until {
            return acknowledged;
        }
        let (reply, done) = oneshot::channel();
        if send.send(reply).await.is_err() || done.await.is_err() {
            return acknowledged;
        }
        if begin >= from && clock::now() <= until {
            acknowledged = acknowledged.saturating_add(1);
        }
    }
}

fn open(file: &PathBuf) -> Result<Connection> {
    let connection = Connection::open(file)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    let synchronous: i64 = connection.pragma_query_value(None, "synchronous", |row| row.get(0))?;
    if synchronous != 2 {
        bail!("SQLite did not take synchronous=FULL, so the yardstick would be too quick");
    }
    connection.execute_batch(
        "CREATE TABLE proposals (id TEXT PRIMARY KEY, state TEXT NOT NULL, record TEXT NOT NULL);
         CREATE TABLE entries (n INTEGER PRIMARY KEY, proposal TEXT NOT NULL, body BLOB NOT NULL);",
    )?;
    Ok(connection)
}

fn write(
    connection: &Connection,
    mut receive: mpsc::Receiver<Reply>,
    sizes: RowSizes,
    counted: (Instant, Instant),
) -> Result<Samples> {
    // An id is about 30 bytes and stands in both rows beside the payload.
    let record = "r".repeat(sizes.record.saturating_sub(37));
    let entry = vec![b'e'; sizes.entry.saturating_sub(30)];
    let mut begin_it = connection.prepare("BEGIN IMMEDIATE")?;
    let mut put_record =
        connection.prepare("INSERT INTO proposals (id, state, record) VALUES ($1, 'pending', $2)")?;
    let mut put_entry = connection.prepare("INSERT INTO entries (n, proposal, body) VALUES ($1, $2, $3)")?;
    let mut commit_it = connection.prepare("COMMIT")?;
    let mut commits = Samples::default();
    let mut waiting = Vec::with_capacity(BATCH_MAX);
    let mut number = 0_i64;
    while let Some(first) = receive.blocking_recv() {
        waiting.push(first);
        while waiting.len() < BATCH_MAX
            && let Ok(next) = receive.try_recv()
        {
            waiting.push(next);
        }
        let begin = clock::now();
        begin_it.execute([])?;
        for _ in &waiting {
            number = number.saturating_add(1);
            let id = format!("prp_{number:026}");
            put_record.execute(params![id, record])?;
            put_entry.execute(params![number, id, entry])?;
        }
        commit_it.execute([])?;
        if begin >= counted.0 && clock::now() <= counted.1 {
            commits.push(begin.elapsed());
        }
        for reply in waiting.drain(..) {
            // A submitter that has gone needs no answer.
            reply.send(()).unwrap_or_default();
        }
    }
    Ok(commits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_acknowledged_row_is_in_the_database_and_many_share_a_commit() {
        let dir = tempfile::tempdir().unwrap();
        let length = (Duration::ZERO, Duration::from_millis(100));
        let sizes = RowSizes { record: 200, entry: 100 };
        let reached = run(dir.path(), sizes, 16, length).unwrap();
        assert!(reached.commit.count > 0);
        let commits_per_second = crate::stats::float(reached.commit.count) / 0.1;
        assert!(reached.per_second > commits_per_second, "{reached:?}");
    }

    #[test]
    fn the_writer_ends_when_its_submitters_have_gone() {
        let dir = tempfile::tempdir().unwrap();
        let reached = run(dir.path(), RowSizes::USUAL, 1, (Duration::ZERO, Duration::ZERO)).unwrap();
        assert_eq!(reached.commit.count, 0);
    }
}
