//! SQLite, spoken to on the thread that asks: a statement takes microseconds there, and handing each to
//! another thread took longer than all of them together.
//!
//! So nothing here may run where a request is served without the runtime being told. Writes run on the desk's
//! thread, or as blocking work of the request that found nobody writing; reads on threads of their own, because the
//! runtime's threads for blocking work are also those of name look-ups, which may all hang.

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::types::{ToSql, ToSqlOutput, Value as Owned, ValueRef};
use rusqlite::{CachedStatement, OpenFlags};
use tokio::sync::oneshot;

use super::error::{Error, Result};
use super::value::Value;
use crate::bulkhead::Place;

/// How long a statement waits for somebody else's lock on the file: an administrator's short write.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Statements that stay prepared on a connection: every statement of the writer in each of its lengths.
const PREPARED_MAX: usize = 128;

/// The file, and how much a commit waits for.
#[derive(Debug, Clone)]
pub(super) struct File {
    pub(super) path: PathBuf,
    /// `FULL`, or a test's attempt at less.
    pub(super) synchronous: &'static str,
}

impl File {
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_path_buf(), synchronous: "FULL" }
    }
}

/// One connection to the file.
#[derive(Debug)]
pub(super) struct SqliteConnection(rusqlite::Connection);

/// One row of an answer.
pub(super) type SqliteRow = Vec<Owned>;

impl ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match *self {
            Self::Integer(None) | Self::Text(None) => ValueRef::Null,
            Self::Integer(Some(integer)) => ValueRef::Integer(integer),
            Self::Text(Some(text)) => ValueRef::Text(text.as_bytes()),
            Self::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

impl From<Value<'_>> for Owned {
    fn from(value: Value<'_>) -> Self {
        match value {
            Value::Integer(None) | Value::Text(None) => Self::Null,
            Value::Integer(Some(integer)) => Self::Integer(integer),
            Value::Text(Some(text)) => Self::Text(text.to_owned()),
            Value::Bytes(bytes) => Self::Blob(bytes.to_vec()),
        }
    }
}

impl SqliteConnection {
    /// Opens the file for writing. It has to exist.
    pub(super) fn writing(file: &File) -> Result<Self> {
        let this = Self::open(&file.path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        // Only an empty file takes another page size. Small ones: a commit writes every page that it touches
        // twice, and it touches many for a few bytes in each.
        this.script("PRAGMA page_size = 1024")?;
        let mode = "PRAGMA journal_mode = WAL";
        this.0.query_row(mode, [], |_| Ok(()))?;
        // Kilobytes, by SQLite's convention for negative numbers: memory is promised small. Sixteen
        // megabytes of pages are carried over at a time, because a page that is touched again and again is then
        // carried once; a WAL that grew under load is cut back when it is next reset.
        this.script(&format!(
            "PRAGMA synchronous = {}; PRAGMA foreign_keys = ON; PRAGMA cache_size = -4096; \
             PRAGMA wal_autocheckpoint = 16384; PRAGMA journal_size_limit = 33554432",
            file.synchronous
        ))?;
        Ok(this)
    }

    /// Opens the file for reading: it refuses to write.
    fn reading(path: &Path) -> Result<Self> {
        let this = Self::open(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        this.script("PRAGMA query_only = ON; PRAGMA cache_size = -1024")?;
        Ok(this)
    }

    fn open(path: &Path, access: OpenFlags) -> Result<Self> {
        // One thread at a time has a connection, so SQLite need not lock it.
        let connection =
            rusqlite::Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        // A plan must not depend on a value, or statements are prepared anew for each.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        connection.set_prepared_statement_cache_capacity(PREPARED_MAX);
        Ok(Self(connection))
    }

    /// Runs a statement and gives how many rows it touched.
    pub(super) fn execute<T: ToSql>(&self, sql: &str, values: &[T]) -> Result<u64> {
        let touched = self.bound(sql, values)?.raw_execute()?;
        Ok(u64::try_from(touched).unwrap_or(u64::MAX))
    }

    /// Runs a statement and gives its rows.
    pub(super) fn fetch<T: ToSql>(&self, sql: &str, values: &[T]) -> Result<Vec<SqliteRow>> {
        let mut statement = self.bound(sql, values)?;
        let columns = statement.column_count();
        let mut answer = statement.raw_query();
        let mut rows = Vec::new();
        while let Some(row) = answer.next()? {
            rows.push(
                (0..columns)
                    .map(|column| Ok(cell(row.get_ref(column)?)))
                    .collect::<rusqlite::Result<SqliteRow>>()?,
            );
        }
        Ok(rows)
    }

    /// Runs several statements without values.
    pub(super) fn script(&self, sql: &str) -> Result<()> {
        Ok(self.0.execute_batch(sql)?)
    }

    /// Closes it in good order.
    pub(super) fn close(self) -> Result<()> {
        Ok(self.0.close().map_err(|(_, error)| error)?)
    }

    /// A prepared statement with its values in their places: `$n` is the n-th value wherever it stands, and
    /// `?` is the next one.
    fn bound<T: ToSql>(&self, sql: &str, values: &[T]) -> Result<CachedStatement<'_>> {
        let mut statement = self.0.prepare_cached(sql)?;
        for place in 1..=statement.parameter_count() {
            let number =
                statement.parameter_name(place).map_or(Some(place), |name| name.get(1..)?.parse().ok());
            let value = number.and_then(|n| values.get(n.checked_sub(1)?));
            let value = value.ok_or(Error::Foreign("a statement has a place without a value"))?;
            statement.raw_bind_parameter(place, value)?;
        }
        Ok(statement)
    }
}

/// A value as it stands. A text that is no UTF-8 comes as bytes, so that one damaged row does not hide the others.
fn cell(value: ValueRef<'_>) -> Owned {
    match value {
        ValueRef::Null => Owned::Null,
        ValueRef::Integer(integer) => Owned::Integer(integer),
        ValueRef::Real(real) => Owned::Real(real),
        ValueRef::Blob(bytes) => Owned::Blob(bytes.to_vec()),
        ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => Owned::Text(text.to_owned()),
            Err(_) => Owned::Blob(bytes.to_vec()),
        },
    }
}

/// What a reading thread does next, with its connection once it has one.
type Job = Box<dyn FnOnce(&mut Option<SqliteConnection>) + Send>;

/// The reading connections of a file, each on a thread of its own; each is opened when it is first needed.
#[derive(Debug)]
pub(super) struct SqlitePool {
    path: PathBuf,
    jobs: Mutex<Option<mpsc::Sender<Job>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl SqlitePool {
    pub(super) fn new(file: &File, connections: usize) -> Result<Arc<Self>> {
        let (jobs, waiting) = mpsc::channel::<Job>();
        let waiting = Arc::new(Mutex::new(waiting));
        let start = |n: usize| {
            let waiting = Arc::clone(&waiting);
            std::thread::Builder::new().name(format!("reader-{n}")).spawn(move || work(&waiting))
        };
        let threads: std::io::Result<Vec<_>> = (0..connections).map(start).collect();
        let failed = |e: std::io::Error| Error::Unfit(format!("a reading thread does not start: {e}"));
        let (jobs, threads) = (Mutex::new(Some(jobs)), Mutex::new(threads.map_err(failed)?));
        Ok(Arc::new(Self { path: file.path.clone(), jobs, threads }))
    }

    /// Runs a statement that reads and gives its rows. The place is given back when the statement has ended, also if
    /// nobody waits for it any more.
    pub(super) async fn fetch(
        &self,
        sql: sqlx::SqlStr,
        values: &[Value<'_>],
        place: Place,
    ) -> Result<Vec<SqliteRow>> {
        let path = self.path.clone();
        let values: Vec<Owned> = values.iter().map(|v| (*v).into()).collect();
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |slot| {
            let opened = slot.take().map_or_else(|| SqliteConnection::reading(&path), Ok);
            let rows = opened.and_then(|connection| {
                let rows = connection.fetch(sql.as_str(), &values);
                // One that failed may be in any state; the next statement opens another.
                if rows.is_ok() {
                    *slot = Some(connection);
                }
                rows
            });
            drop(place);
            // Nobody may be waiting any more.
            let _ = reply.send(rows);
        });
        let sent = lock(&self.jobs).as_ref().is_some_and(|jobs| jobs.send(job).is_ok());
        if !sent {
            return Err(Error::Closed);
        }
        answer.await.map_err(|_| Error::Closed)?
    }

    /// Closes all connections, after those that read.
    pub(super) async fn close(&self) {
        drop(lock(&self.jobs).take());
        let threads = std::mem::take(&mut *lock(&self.threads));
        let join = move || threads.into_iter().for_each(|thread| drop(thread.join()));
        // An error means that the runtime ends; the threads do, too.
        let _ = tokio::task::spawn_blocking(join).await;
    }
}

/// One reading thread: a job after the other, until there are none and nobody can bring more.
fn work(waiting: &Mutex<mpsc::Receiver<Job>>) {
    let mut connection = None;
    loop {
        let next = lock(waiting).recv();
        let Ok(job) = next else { return };
        job(&mut connection);
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use crate::seal::SealKeys;
    use crate::store::Store;
    use crate::world::World;

    /// Name look-ups use the runtime's threads for blocking work, and may use them all.
    #[test]
    fn reading_needs_no_thread_of_the_runtime_b8() {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().max_blocking_threads(1).enable_all().build();
        let runtime = runtime.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("a.db").display());
        let store = runtime.block_on(async {
            Store::create(&url).await.unwrap();
            let keys = SealKeys::new("gate.test", zeroize::Zeroizing::new([1; 32]), Vec::new());
            Store::open(&url, &World::system(), keys).await.unwrap()
        });
        let (go, hangs) = std::sync::mpsc::channel::<()>();
        let hung = runtime.spawn_blocking(move || hangs.recv().is_ok());
        let read = runtime.block_on(async {
            tokio::time::timeout(std::time::Duration::from_secs(10), store.counts()).await
        });
        drop(go);
        runtime.block_on(hung).unwrap();
        read.expect("a read is answered while the runtime's blocking threads hang").unwrap();
    }
}
