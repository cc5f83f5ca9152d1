//! Two engines behind one statement: the only file that knows which of them is there.
//!
//! Everything above writes one SQL text with `$n`, integers, text and bytes. A statement here is run as it
//! is; no value is ever pasted into one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rusqlite::types::Value as Owned;
use sqlx::pool::{PoolConnection, PoolOptions};
use sqlx::postgres::{PgArguments, PgConnectOptions, PgConnection, PgPool, PgRow};
use sqlx::query::Query;
use sqlx::{ConnectOptions as _, Connection as _, Postgres, Row as _, SqlSafeStr, SqlStr};

use super::error::{Error, Result};
use super::sqlite;
use super::value::Value;
use crate::bulkhead::{Bulkhead, Sizes};
use crate::party::Party;

/// Reading connections to PostgreSQL, and who may use them.
const POSTGRES_READERS: Sizes = Sizes { agents: 3, one_agent: 2, people: 3, one_person: 2, gate: 2 };
/// The same for SQLite: each is a thread, and memory for its cache.
const SQLITE_READERS: Sizes = Sizes { agents: 2, one_agent: 1, people: 2, one_person: 1, gate: 1 };

/// Where the database is, and how every connection to it is set up.
#[derive(Debug, Clone)]
pub(super) enum Target {
    /// A file.
    Sqlite(sqlite::File),
    /// A server.
    Postgres(Box<PgConnectOptions>),
}

impl Target {
    /// A file, which is written on the thread that asks.
    pub(super) fn is_file(&self) -> bool {
        matches!(self, Self::Sqlite(_))
    }

    /// What makes a statement that selects keep its rows as they are until its transaction ends.
    pub(super) fn row_lock(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "",
            Self::Postgres(_) => " FOR UPDATE",
        }
    }

    /// Places for the values of many rows, in order: `($1, $2), ($3, $4)`.
    ///
    /// For SQLite `(?, ?), (?, ?)`: it looks the name of a numbered place up by walking over all of them,
    /// which made a statement of many rows slower with the square of their number.
    pub(super) fn rows(&self, rows: usize, columns: usize) -> String {
        let place = |n: usize| match self {
            Self::Sqlite(_) => "?".to_owned(),
            Self::Postgres(_) => format!("${n}"),
        };
        let places: Vec<String> = (1..=rows.saturating_mul(columns)).map(place).collect();
        let rows: Vec<String> =
            places.chunks(columns.max(1)).map(|row| format!("({})", row.join(", "))).collect();
        rows.join(", ")
    }
}

/// One connection.
#[derive(Debug)]
pub(super) enum Connection {
    /// To a file.
    Sqlite(sqlite::SqliteConnection),
    /// To a server.
    Postgres(Box<PgConnection>),
}

/// Connections that only read. One agent, or one person, may use a part of them at the same time.
#[derive(Debug, Clone)]
pub(super) struct Readers {
    pool: Pool,
    places: Arc<Bulkhead>,
    reads: Arc<AtomicU64>,
}

#[derive(Debug, Clone)]
enum Pool {
    /// To a file.
    Sqlite(Arc<sqlite::SqlitePool>),
    /// To a server.
    Postgres(PgPool),
}

/// One row of an answer.
#[derive(Debug)]
pub(super) enum Row {
    /// From a file.
    Sqlite(sqlite::SqliteRow),
    /// From a server.
    Postgres(PgRow),
}

impl Row {
    /// The integer in a column that is never NULL.
    pub(super) fn integer(&self, column: usize) -> Result<i64> {
        self.maybe_integer(column)?.ok_or(Error::Foreign("an integer is missing"))
    }

    /// The integer in a column, if there is one.
    pub(super) fn maybe_integer(&self, column: usize) -> Result<Option<i64>> {
        match self {
            Self::Sqlite(row) => match row.get(column) {
                Some(Owned::Integer(integer)) => Ok(Some(*integer)),
                Some(Owned::Null) => Ok(None),
                _ => Err(Error::Foreign("a column holds no integer")),
            },
            Self::Postgres(row) => Ok(row.try_get(column)?),
        }
    }

    /// The text in a column that is never NULL.
    pub(super) fn text(&self, column: usize) -> Result<&str> {
        self.maybe_text(column)?.ok_or(Error::Foreign("a text is missing"))
    }

    /// The text in a column, if there is one.
    pub(super) fn maybe_text(&self, column: usize) -> Result<Option<&str>> {
        match self {
            Self::Sqlite(row) => match row.get(column) {
                Some(Owned::Text(text)) => Ok(Some(text)),
                Some(Owned::Null) => Ok(None),
                _ => Err(Error::Foreign("a column holds no text")),
            },
            Self::Postgres(row) => Ok(row.try_get(column)?),
        }
    }

    /// The bytes in a column that is never NULL.
    pub(super) fn bytes(&self, column: usize) -> Result<&[u8]> {
        self.maybe_bytes(column)?.ok_or(Error::Foreign("a column holds no bytes"))
    }

    /// Bytes that may be absent.
    pub(super) fn maybe_bytes(&self, column: usize) -> Result<Option<&[u8]>> {
        match self {
            Self::Sqlite(row) => match row.get(column) {
                Some(Owned::Blob(bytes)) => Ok(Some(bytes)),
                Some(Owned::Null) => Ok(None),
                _ => Err(Error::Foreign("a column holds no bytes")),
            },
            Self::Postgres(row) => Ok(row.try_get(column)?),
        }
    }
}

fn bound<'q>(sql: SqlStr, values: &[Value<'_>]) -> Query<'q, Postgres, PgArguments> {
    values.iter().fold(sqlx::query(sql), |query, value| match *value {
        Value::Integer(integer) => query.bind(integer),
        Value::Text(text) => query.bind(text),
        Value::Bytes(bytes) => query.bind(bytes),
    })
}

impl Connection {
    /// Opens the writing connection of a target.
    pub(super) async fn open(target: &Target) -> Result<Self> {
        Ok(match target {
            Target::Sqlite(file) => Self::Sqlite(sqlite::SqliteConnection::writing(file)?),
            Target::Postgres(options) => Self::Postgres(Box::new(options.connect().await?)),
        })
    }

    /// Runs a statement and gives how many rows it touched.
    pub(super) async fn execute(&mut self, sql: SqlStr, values: &[Value<'_>]) -> Result<u64> {
        match self {
            Self::Sqlite(c) => c.execute(sql.as_str(), values),
            Self::Postgres(c) => Ok(bound(sql, values).execute(&mut **c).await?.rows_affected()),
        }
    }

    /// Runs a statement and gives its rows.
    pub(super) async fn fetch(&mut self, sql: SqlStr, values: &[Value<'_>]) -> Result<Vec<Row>> {
        Ok(match self {
            Self::Sqlite(c) => rows(c.fetch(sql.as_str(), values)?, Row::Sqlite),
            Self::Postgres(c) => rows(bound(sql, values).fetch_all(&mut **c).await?, Row::Postgres),
        })
    }

    /// Runs several statements without values.
    pub(super) async fn script(&mut self, sql: impl SqlSafeStr) -> Result<()> {
        match self {
            Self::Sqlite(c) => c.script(sql.into_sql_str().as_str()),
            Self::Postgres(c) => Ok(sqlx::raw_sql(sql).execute(&mut **c).await.map(drop)?),
        }
    }

    /// Begins a writing transaction.
    pub(super) async fn begin(&mut self) -> Result<()> {
        match self {
            // At once the writer, rather than a reader that fails when it wants to write.
            Self::Sqlite(_) => self.script("BEGIN IMMEDIATE").await,
            // INVARIANT: the transaction has its number before it takes ids from a sequence; the
            // sequencer's watermark rests on that (log.rs).
            Self::Postgres(_) => self.script("BEGIN; SELECT pg_current_xact_id()").await,
        }
    }

    /// Closes it in good order.
    pub(super) async fn close(self) -> Result<()> {
        match self {
            Self::Sqlite(c) => c.close(),
            Self::Postgres(c) => Ok(c.close().await?),
        }
    }
}

fn rows<R>(rows: Vec<R>, wrap: impl Fn(R) -> Row) -> Vec<Row> {
    rows.into_iter().map(wrap).collect()
}

impl Readers {
    /// Prepares the reading connections of a target; each is opened when it is first needed.
    pub(super) fn of(target: &Target) -> Result<Self> {
        let (pool, sizes) = match target {
            Target::Sqlite(file) => {
                (Pool::Sqlite(sqlite::SqlitePool::new(file, connections(SQLITE_READERS))?), SQLITE_READERS)
            }
            Target::Postgres(options) => {
                let most = u32::try_from(connections(POSTGRES_READERS)).unwrap_or(u32::MAX);
                let pool = PoolOptions::new().max_connections(most).idle_timeout(None).max_lifetime(None);
                (Pool::Postgres(pool.connect_lazy_with((**options).clone())), POSTGRES_READERS)
            }
        };
        Ok(Self { pool, places: Arc::new(Bulkhead::new(sizes)), reads: Arc::default() })
    }

    /// Runs a statement that reads and gives its rows.
    pub(super) async fn fetch(&self, sql: impl SqlSafeStr, values: &[Value<'_>]) -> Result<Vec<Row>> {
        let place = self.places.take(&Party::current()).await.ok_or(Error::Closed)?;
        self.reads.fetch_add(1, Ordering::Relaxed);
        let sql = sql.into_sql_str();
        Ok(match &self.pool {
            Pool::Sqlite(pool) => rows(pool.fetch(sql, values, place).await?, Row::Sqlite),
            Pool::Postgres(pool) => {
                let mut c: PoolConnection<Postgres> = pool.acquire().await?;
                rows(bound(sql, values).fetch_all(&mut *c).await?, Row::Postgres)
            }
        })
    }

    /// How many statements were run.
    pub(super) fn reads(&self) -> u64 {
        self.reads.load(Ordering::Relaxed)
    }

    /// The oldest transaction number that is still running, and the next one that nobody has. None where
    /// there is only ever one writing transaction.
    pub(super) async fn horizon(&self) -> Result<Option<(i64, i64)>> {
        let Pool::Postgres(_) = &self.pool else { return Ok(None) };
        let sql = "SELECT CAST(CAST(pg_snapshot_xmin(s) AS TEXT) AS BIGINT), \
                   CAST(CAST(pg_snapshot_xmax(s) AS TEXT) AS BIGINT) FROM pg_current_snapshot() AS s";
        match self.fetch(sql, &[]).await?.first() {
            Some(row) => Ok(Some((row.integer(0)?, row.integer(1)?))),
            None => Err(Error::Foreign("PostgreSQL gave no snapshot")),
        }
    }

    /// Waits for those that read, and closes all of them.
    pub(super) async fn close(&self) {
        match &self.pool {
            Pool::Sqlite(pool) => {
                self.places.drain(SQLITE_READERS).await;
                pool.close().await;
            }
            Pool::Postgres(pool) => pool.close().await,
        }
    }
}

/// The setting that says how durable a commit is, where there is one.
pub(super) fn durability_setting(target: &Target) -> Option<&'static str> {
    match target {
        Target::Sqlite(_) => None,
        Target::Postgres(_) => Some("synchronous_commit"),
    }
}

/// As many as everybody may use together.
fn connections(sizes: Sizes) -> usize {
    sizes.agents.saturating_add(sizes.people).saturating_add(sizes.gate)
}
