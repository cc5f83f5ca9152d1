//! Two engines behind one statement: the only file that knows which of them is there.
//!
//! Everything above writes one SQL text with `$n`, integers, text and bytes. A statement here is run as it
//! is; no value is ever pasted into one.

use sqlx::encode::Encode;
use sqlx::pool::{PoolConnection, PoolOptions};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgRow};
use sqlx::query::Query;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqlitePool, SqliteRow};
use sqlx::types::Type;
use sqlx::{ConnectOptions as _, Connection as _, Database, Postgres, Row as _, SqlSafeStr, SqlStr, Sqlite};

/// Reading connections to SQLite. Two, so that a long list does not stop a short look.
const SQLITE_READERS: u32 = 2;
/// Reading connections to PostgreSQL.
const POSTGRES_READERS: u32 = 4;

/// Where the database is, and how every connection to it is set up.
#[derive(Debug, Clone)]
pub(super) enum Target {
    /// A file.
    Sqlite {
        /// The writing connection.
        writing: Box<SqliteConnectOptions>,
        /// A reading connection: refuses to write.
        reading: Box<SqliteConnectOptions>,
    },
    /// A server.
    Postgres(Box<PgConnectOptions>),
}

impl Target {
    /// Places for the values of many rows, in order: `($1, $2), ($3, $4)`.
    ///
    /// For SQLite `(?, ?), (?, ?)`: it looks the name of a numbered place up by walking over all of them,
    /// which made a statement of many rows slower with the square of their number.
    pub(super) fn rows(&self, rows: usize, columns: usize) -> String {
        let place = |n: usize| match self {
            Self::Sqlite { .. } => "?".to_owned(),
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
    Sqlite(SqliteConnection),
    /// To a server.
    Postgres(Box<PgConnection>),
}

/// Connections that only read.
#[derive(Debug, Clone)]
pub(super) enum Readers {
    /// To a file.
    Sqlite(SqlitePool),
    /// To a server.
    Postgres(PgPool),
}

/// A value in a statement.
#[derive(Debug, Clone, Copy)]
pub(super) enum Value<'a> {
    /// An integer or NULL.
    Integer(Option<i64>),
    /// A text or NULL.
    Text(Option<&'a str>),
    /// Bytes.
    Bytes(&'a [u8]),
}

impl From<i64> for Value<'_> {
    fn from(value: i64) -> Self {
        Self::Integer(Some(value))
    }
}

impl From<Option<i64>> for Value<'_> {
    fn from(value: Option<i64>) -> Self {
        Self::Integer(value)
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(value: &'a str) -> Self {
        Self::Text(Some(value))
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(value: &'a String) -> Self {
        Self::Text(Some(value))
    }
}

impl<'a> From<Option<&'a str>> for Value<'a> {
    fn from(value: Option<&'a str>) -> Self {
        Self::Text(value)
    }
}

impl<'a> From<&'a [u8]> for Value<'a> {
    fn from(value: &'a [u8]) -> Self {
        Self::Bytes(value)
    }
}

impl Value<'_> {
    /// Bytes that this value brings to the database.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::Integer(None) | Self::Text(None) => 0,
            Self::Integer(Some(_)) => size_of::<i64>(),
            Self::Text(Some(text)) => text.len(),
            Self::Bytes(bytes) => bytes.len(),
        }
    }
}

/// One row of an answer.
#[derive(Debug)]
pub(super) enum Row {
    /// From a file.
    Sqlite(SqliteRow),
    /// From a server.
    Postgres(PgRow),
}

impl Row {
    /// The integer in a column that is never NULL.
    pub(super) fn integer(&self, column: usize) -> sqlx::Result<i64> {
        match self {
            Self::Sqlite(row) => row.try_get(column),
            Self::Postgres(row) => row.try_get(column),
        }
    }

    /// The integer in a column, if there is one.
    pub(super) fn maybe_integer(&self, column: usize) -> sqlx::Result<Option<i64>> {
        match self {
            Self::Sqlite(row) => row.try_get(column),
            Self::Postgres(row) => row.try_get(column),
        }
    }

    /// The text in a column that is never NULL.
    pub(super) fn text(&self, column: usize) -> sqlx::Result<&str> {
        match self {
            Self::Sqlite(row) => row.try_get(column),
            Self::Postgres(row) => row.try_get(column),
        }
    }

    /// The text in a column, if there is one.
    pub(super) fn maybe_text(&self, column: usize) -> sqlx::Result<Option<&str>> {
        match self {
            Self::Sqlite(row) => row.try_get(column),
            Self::Postgres(row) => row.try_get(column),
        }
    }

    /// The bytes in a column that is never NULL.
    pub(super) fn bytes(&self, column: usize) -> sqlx::Result<&[u8]> {
        match self {
            Self::Sqlite(row) => row.try_get(column),
            Self::Postgres(row) => row.try_get(column),
        }
    }
}

fn bound<'q, DB>(sql: SqlStr, values: &[Value<'_>]) -> Query<'q, DB, DB::Arguments>
where
    DB: Database,
    Option<i64>: for<'t> Encode<'t, DB> + Type<DB>,
    for<'t> Option<&'t str>: Encode<'t, DB> + Type<DB>,
    for<'t> &'t [u8]: Encode<'t, DB> + Type<DB>,
{
    values.iter().fold(sqlx::query(sql), |query, value| match *value {
        Value::Integer(integer) => query.bind(integer),
        Value::Text(text) => query.bind(text),
        Value::Bytes(bytes) => query.bind(bytes),
    })
}

impl Connection {
    /// Opens the writing connection of a target.
    pub(super) async fn open(target: &Target) -> sqlx::Result<Self> {
        Ok(match target {
            Target::Sqlite { writing, .. } => Self::Sqlite(writing.connect().await?),
            Target::Postgres(options) => Self::Postgres(Box::new(options.connect().await?)),
        })
    }

    /// Runs a statement and gives how many rows it touched.
    pub(super) async fn execute(&mut self, sql: SqlStr, values: &[Value<'_>]) -> sqlx::Result<u64> {
        Ok(match self {
            Self::Sqlite(c) => bound::<Sqlite>(sql, values).execute(c).await?.rows_affected(),
            Self::Postgres(c) => bound::<Postgres>(sql, values).execute(&mut **c).await?.rows_affected(),
        })
    }

    /// Runs a statement and gives its rows.
    pub(super) async fn fetch(&mut self, sql: SqlStr, values: &[Value<'_>]) -> sqlx::Result<Vec<Row>> {
        Ok(match self {
            Self::Sqlite(c) => rows(bound::<Sqlite>(sql, values).fetch_all(c).await?, Row::Sqlite),
            Self::Postgres(c) => {
                rows(bound::<Postgres>(sql, values).fetch_all(&mut **c).await?, Row::Postgres)
            }
        })
    }

    /// Runs several statements without values.
    pub(super) async fn script(&mut self, sql: impl SqlSafeStr) -> sqlx::Result<()> {
        match self {
            Self::Sqlite(c) => sqlx::raw_sql(sql).execute(c).await.map(drop),
            Self::Postgres(c) => sqlx::raw_sql(sql).execute(&mut **c).await.map(drop),
        }
    }

    /// Begins a writing transaction.
    pub(super) async fn begin(&mut self) -> sqlx::Result<()> {
        match self {
            // At once the writer, rather than a reader that fails when it wants to write.
            Self::Sqlite(_) => self.script("BEGIN IMMEDIATE").await,
            // INVARIANT: the transaction has its number before it takes ids from a sequence; the
            // sequencer's watermark rests on that (log.rs).
            Self::Postgres(_) => self.script("BEGIN; SELECT pg_current_xact_id()").await,
        }
    }

    /// Closes it in good order.
    pub(super) async fn close(self) -> sqlx::Result<()> {
        match self {
            Self::Sqlite(c) => c.close().await,
            Self::Postgres(c) => c.close().await,
        }
    }
}

fn rows<R>(rows: Vec<R>, wrap: impl Fn(R) -> Row) -> Vec<Row> {
    rows.into_iter().map(wrap).collect()
}

fn readers<DB: Database>(connections: u32) -> PoolOptions<DB> {
    PoolOptions::new().max_connections(connections).idle_timeout(None).max_lifetime(None)
}

impl Readers {
    /// Prepares the reading connections of a target; each is opened when it is first needed.
    pub(super) fn of(target: &Target) -> Self {
        match target {
            Target::Sqlite { reading, .. } => Self::Sqlite(
                readers(SQLITE_READERS).test_before_acquire(false).connect_lazy_with((**reading).clone()),
            ),
            Target::Postgres(options) => {
                Self::Postgres(readers(POSTGRES_READERS).connect_lazy_with((**options).clone()))
            }
        }
    }

    /// Runs a statement that reads and gives its rows.
    pub(super) async fn fetch(&self, sql: impl SqlSafeStr, values: &[Value<'_>]) -> sqlx::Result<Vec<Row>> {
        let sql = sql.into_sql_str();
        Ok(match self {
            Self::Sqlite(pool) => {
                let mut c: PoolConnection<Sqlite> = pool.acquire().await?;
                rows(bound::<Sqlite>(sql, values).fetch_all(&mut *c).await?, Row::Sqlite)
            }
            Self::Postgres(pool) => {
                let mut c: PoolConnection<Postgres> = pool.acquire().await?;
                rows(bound::<Postgres>(sql, values).fetch_all(&mut *c).await?, Row::Postgres)
            }
        })
    }

    /// The oldest transaction number that is still running, and the next one that nobody has. None where
    /// there is only ever one writing transaction.
    pub(super) async fn horizon(&self) -> sqlx::Result<Option<(i64, i64)>> {
        let Self::Postgres(_) = self else { return Ok(None) };
        let sql = "SELECT CAST(CAST(pg_snapshot_xmin(s) AS TEXT) AS BIGINT), \
                   CAST(CAST(pg_snapshot_xmax(s) AS TEXT) AS BIGINT) FROM pg_current_snapshot() AS s";
        match self.fetch(sql, &[]).await?.first() {
            Some(row) => Ok(Some((row.integer(0)?, row.integer(1)?))),
            None => Err(sqlx::Error::RowNotFound),
        }
    }

    /// Closes all of them.
    pub(super) async fn close(&self) {
        match self {
            Self::Sqlite(pool) => pool.close().await,
            Self::Postgres(pool) => pool.close().await,
        }
    }
}
