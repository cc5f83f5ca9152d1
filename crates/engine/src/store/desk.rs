//! The one writing connection of this process, the thread it lives on, and the transactions on it.
//!
//! Whoever holds the desk writes; everybody else waits their turn. A transaction that is not committed in
//! good order takes its connection with it, so nothing half done is ever continued by the next one.
//!
//! The thread is the desk's own, because SQLite writes, and waits for the disk, on the thread that asks. Only the
//! writer may use another one, and tells the runtime first.

use std::fs::File;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use sqlx::{SqlSafeStr, SqlStr};
use tokio::runtime::{Builder, Handle};
use tokio::sync::{Mutex, MutexGuard, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::connect;
use super::db::{Connection, Row, Target};
use super::error::{Error, Result};
use super::value::Value;
use crate::metrics::Metrics;

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
enum WriterSlot {
    Ready(Box<Connection>),
    /// The next one to sit down connects anew.
    Vacant,
    Closed,
}

/// The writing connection and what is known about it.
#[derive(Debug)]
pub(super) struct Desk {
    target: Target,
    slot: Mutex<WriterSlot>,
    /// Set after the disk failed under SQLite, and never unset: what the file holds is then unknown until
    /// it is opened afresh (T102).
    broken: AtomicBool,
    counters: Counters,
    metrics: Metrics,
    /// Held for as long as the file is open; none beside a running gate, and for a server.
    lock: Option<File>,
    thread: Thread,
}

/// A thread with a runtime of its own. It ends when this is dropped, and with it what still runs there.
#[derive(Debug)]
struct Thread {
    runtime: Handle,
    _end: oneshot::Sender<()>,
}

impl Thread {
    fn start() -> Result<Self> {
        let failed = |e: std::io::Error| Error::Unfit(format!("the writer's thread does not start: {e}"));
        let runtime = Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let handle = runtime.handle().clone();
        let (end, ended) = oneshot::channel::<()>();
        // Nothing is ever sent: it comes back when the other end is dropped.
        let work = move || drop(runtime.block_on(ended));
        std::thread::Builder::new().name("writer".to_owned()).spawn(work).map_err(failed)?;
        Ok(Self { runtime: handle, _end: end })
    }
}

impl Desk {
    /// Connects and checks the connection.
    pub(super) async fn open(target: Target, lock: Option<File>, metrics: Metrics) -> Result<Arc<Self>> {
        let thread = Thread::start()?;
        let place = target.clone();
        let first = thread.runtime.spawn(async move { connect::checked(&place).await });
        let first = first.await.map_err(|_| Error::Closed)??;
        Ok(Arc::new(Self {
            target,
            slot: Mutex::new(WriterSlot::Ready(Box::new(first))),
            broken: AtomicBool::new(false),
            counters: Counters::default(),
            metrics,
            lock,
            thread,
        }))
    }

    /// Starts work on the desk's thread. It goes on when its handle is dropped.
    pub(super) fn spawn<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        self.thread.runtime.spawn(work)
    }

    /// Does work on the desk's thread. Giving up the wait does not stop it.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        self.spawn(work).await.map_err(|_| Error::Closed)?
    }

    /// Waits for the desk and begins a transaction. Only for what runs on the desk's thread, or has told the
    /// runtime that its own will block.
    pub(super) async fn begin(&self) -> Result<Tx<'_>> {
        let mut slot = self.slot.lock().await;
        if self.broken.load(Ordering::Acquire) {
            return Err(Error::Unfit("the disk failed; restart the gate".to_owned()));
        }
        let mut connection = match std::mem::replace(&mut *slot, WriterSlot::Vacant) {
            WriterSlot::Ready(connection) => connection,
            WriterSlot::Vacant => Box::new(connect::checked(&self.target).await?),
            WriterSlot::Closed => {
                *slot = WriterSlot::Closed;
                return Err(Error::Closed);
            }
        };
        let began = Instant::now();
        self.judge(connection.begin().await)?;
        Ok(Tx { desk: self, slot, connection, began })
    }

    /// Where this desk writes.
    pub(super) fn target(&self) -> &Target {
        &self.target
    }

    /// Whether nothing can be written any more until the gate is started again.
    pub(super) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Acquire)
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
    pub(super) async fn close(self: &Arc<Self>) -> Result<()> {
        let desk = Arc::clone(self);
        self.run(async move {
            let mut slot = desk.slot.lock().await;
            if let WriterSlot::Ready(connection) = std::mem::replace(&mut *slot, WriterSlot::Closed) {
                connection.close().await?;
            }
            match &desk.lock {
                Some(lock) => {
                    lock.unlock().map_err(|e| Error::Unfit(format!("the lock was not given back: {e}")))
                }
                None => Ok(()),
            }
        })
        .await
    }

    /// Remembers a failed disk. After a failed fsync nothing may be tried again as if it had worked.
    fn judge<T>(&self, result: Result<T>) -> Result<T> {
        if result.as_ref().is_err_and(Error::is_disk_failure) {
            self.broken.store(true, Ordering::Release);
        }
        result
    }
}

/// A writing transaction. Dropped without a commit, it never was.
#[derive(Debug)]
pub(super) struct Tx<'a> {
    desk: &'a Desk,
    slot: MutexGuard<'a, WriterSlot>,
    connection: Box<Connection>,
    began: Instant,
}

impl Tx<'_> {
    /// Where it writes.
    pub(super) fn target(&self) -> &Target {
        &self.desk.target
    }

    /// Runs a statement and gives how many rows it touched.
    pub(super) async fn execute(&mut self, sql: impl SqlSafeStr, values: &[Value<'_>]) -> Result<u64> {
        let result = self.connection.execute(sql.into_sql_str(), values).await;
        let touched = self.desk.judge(result)?;
        self.count(values, touched);
        Ok(touched)
    }

    /// Runs a statement and gives its rows.
    pub(super) async fn fetch(&mut self, sql: SqlStr, values: &[Value<'_>]) -> Result<Vec<Row>> {
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
    pub(super) async fn commit(mut self) -> Result<()> {
        self.desk.judge(self.connection.script("COMMIT").await)?;
        self.desk.counters.commits.fetch_add(1, Ordering::Relaxed);
        self.desk.metrics.committed(self.began.elapsed());
        *self.slot = WriterSlot::Ready(self.connection);
        Ok(())
    }

    /// Undoes it and keeps the connection.
    pub(super) async fn rollback(mut self) -> Result<()> {
        self.desk.judge(self.connection.script("ROLLBACK").await)?;
        *self.slot = WriterSlot::Ready(self.connection);
        Ok(())
    }
}
