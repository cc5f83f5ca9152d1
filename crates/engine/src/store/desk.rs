//! The one writing connection of this process, and the transactions on it.
//!
//! Whoever holds the desk writes; everybody else waits their turn. A transaction that is not committed in
//! good order takes its connection with it, so nothing half done is ever continued by the next one.

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use sqlx::error::DatabaseError;
use sqlx::{SqlSafeStr, SqlStr};
use tokio::sync::{Mutex, MutexGuard};

use super::connect;
use super::db::{Connection, Row, Target, Value};

/// What was written since the store was opened. Exact, so that a test can hold the gate to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WriteCounters {
    /// Transactions committed: each waits for the disk once.
    pub commits: u64,
    /// SQL statements in writing transactions, without `BEGIN` and `COMMIT`.
    pub statements: u64,
    /// Rows written.
    pub rows: u64,
    /// Bytes of the values that were sent to be written.
    pub bytes: u64,
}

#[derive(Debug, Default)]
struct Counters {
    commits: AtomicU64,
    statements: AtomicU64,
    rows: AtomicU64,
    bytes: AtomicU64,
}

#[derive(Debug)]
enum Slot {
    Ready(Box<Connection>),
    /// The next one to sit down connects anew.
    Vacant,
    Closed,
}

/// The writing connection and what is known about it.
#[derive(Debug)]
pub(super) struct Desk {
    target: Target,
    slot: Mutex<Slot>,
    /// Set after the disk failed under SQLite, and never unset: what the file holds is then unknown until
    /// it is opened afresh (T102).
    broken: AtomicBool,
    counters: Counters,
    /// Held for as long as the file is open; none beside a running gate, and for a server.
    lock: Option<File>,
}

impl Desk {
    /// Connects and checks the connection.
    pub(super) async fn open(target: Target, lock: Option<File>) -> sqlx::Result<Arc<Self>> {
        let first = connect::checked(&target).await?;
        Ok(Arc::new(Self {
            target,
            slot: Mutex::new(Slot::Ready(Box::new(first))),
            broken: AtomicBool::new(false),
            counters: Counters::default(),
            lock,
        }))
    }

    /// Waits for the desk and begins a transaction.
    pub(super) async fn begin(&self) -> sqlx::Result<Tx<'_>> {
        let mut slot = self.slot.lock().await;
        if self.broken.load(Ordering::Acquire) {
            return Err(sqlx::Error::Configuration("the disk failed; restart the gate".into()));
        }
        let mut connection = match std::mem::replace(&mut *slot, Slot::Vacant) {
            Slot::Ready(connection) => connection,
            Slot::Vacant => Box::new(connect::checked(&self.target).await?),
            Slot::Closed => {
                *slot = Slot::Closed;
                return Err(sqlx::Error::PoolClosed);
            }
        };
        self.judge(connection.begin().await)?;
        Ok(Tx { desk: self, slot, connection })
    }

    /// Where this desk writes.
    pub(super) fn target(&self) -> &Target {
        &self.target
    }

    /// Whether the lock beside the file is ours.
    pub(super) fn is_locked(&self) -> bool {
        self.lock.is_some()
    }

    /// What was written so far.
    pub(super) fn counters(&self) -> WriteCounters {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        WriteCounters {
            commits: read(&self.counters.commits),
            statements: read(&self.counters.statements),
            rows: read(&self.counters.rows),
            bytes: read(&self.counters.bytes),
        }
    }

    /// Closes the connection and gives the file free.
    pub(super) async fn close(&self) -> sqlx::Result<()> {
        let mut slot = self.slot.lock().await;
        if let Slot::Ready(connection) = std::mem::replace(&mut *slot, Slot::Closed) {
            connection.close().await?;
        }
        match &self.lock {
            Some(lock) => lock.unlock().map_err(sqlx::Error::Io),
            None => Ok(()),
        }
    }

    /// Remembers a failed disk. After a failed fsync nothing may be tried again as if it had worked.
    fn judge<T>(&self, result: sqlx::Result<T>) -> sqlx::Result<T> {
        if matches!(self.target, Target::Sqlite { .. }) && result.as_ref().is_err_and(is_disk_failure) {
            self.broken.store(true, Ordering::Release);
        }
        result
    }
}

/// Whether SQLite reports `SQLITE_IOERR`, `SQLITE_CORRUPT` or `SQLITE_NOTADB`, in any extended form.
fn is_disk_failure(error: &sqlx::Error) -> bool {
    error
        .as_database_error()
        .and_then(DatabaseError::code)
        .and_then(|code| code.parse::<u32>().ok())
        .is_some_and(|code| matches!(code & 0xff, 10 | 11 | 26))
}

/// A writing transaction. Dropped without a commit, it never was.
#[derive(Debug)]
pub(super) struct Tx<'a> {
    desk: &'a Desk,
    slot: MutexGuard<'a, Slot>,
    connection: Box<Connection>,
}

impl Tx<'_> {
    /// Runs a statement and gives how many rows it touched.
    pub(super) async fn execute(&mut self, sql: impl SqlSafeStr, values: &[Value<'_>]) -> sqlx::Result<u64> {
        let result = self.connection.execute(sql.into_sql_str(), values).await;
        let touched = self.desk.judge(result)?;
        self.count(values, touched);
        Ok(touched)
    }

    /// Runs a statement and gives its rows.
    pub(super) async fn fetch(&mut self, sql: SqlStr, values: &[Value<'_>]) -> sqlx::Result<Vec<Row>> {
        let result = self.connection.fetch(sql, values).await;
        let rows = self.desk.judge(result)?;
        self.count(values, u64::try_from(rows.len()).unwrap_or(u64::MAX));
        Ok(rows)
    }

    fn count(&self, values: &[Value<'_>], rows: u64) {
        let counters = &self.desk.counters;
        let bytes: usize = values.iter().map(Value::size).sum();
        counters.statements.fetch_add(1, Ordering::Relaxed);
        counters.rows.fetch_add(rows, Ordering::Relaxed);
        counters.bytes.fetch_add(u64::try_from(bytes).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Makes it durable. Whatever follows from it may be done only when this has come back without an
    /// error; with one, nobody knows.
    pub(super) async fn commit(mut self) -> sqlx::Result<()> {
        self.desk.judge(self.connection.script("COMMIT").await)?;
        self.desk.counters.commits.fetch_add(1, Ordering::Relaxed);
        *self.slot = Slot::Ready(self.connection);
        Ok(())
    }

    /// Undoes it and keeps the connection.
    pub(super) async fn rollback(mut self) -> sqlx::Result<()> {
        self.desk.judge(self.connection.script("ROLLBACK").await)?;
        *self.slot = Slot::Ready(self.connection);
        Ok(())
    }
}
