//! The database itself, past the store: to break things, to count again, to hold a lock.

use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _};

use crate::Place;

pub enum Raw {
    Sqlite(rusqlite::Connection),
    Postgres(PgConnection),
}

impl Raw {
    pub async fn open(place: &Place) -> Self {
        match place.url.strip_prefix("sqlite:") {
            Some(path) => Self::Sqlite(rusqlite::Connection::open(path.trim_start_matches("//")).unwrap()),
            None => Self::Postgres(PgConnection::connect(&place.url).await.unwrap()),
        }
    }

    pub async fn run(&mut self, sql: &str) {
        match self {
            Self::Sqlite(c) => c.execute_batch(sql).unwrap(),
            Self::Postgres(c) => {
                sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(c).await.map(drop).unwrap();
            }
        }
    }

    /// The texts of the first column.
    pub async fn texts(&mut self, sql: &str) -> Vec<String> {
        match self {
            Self::Sqlite(c) => {
                let mut statement = c.prepare(sql).unwrap();
                statement.query_map([], |r| r.get(0)).unwrap().map(Result::unwrap).collect()
            }
            Self::Postgres(c) => {
                let rows = sqlx::query(AssertSqlSafe(sql.to_owned())).fetch_all(c).await.unwrap();
                rows.iter().map(|r| r.get(0)).collect()
            }
        }
    }

    /// Keeps every writer waiting until the connection says `ROLLBACK`.
    pub async fn stop_writers(&mut self) {
        match self {
            Self::Sqlite(_) => self.run("BEGIN IMMEDIATE").await,
            Self::Postgres(_) => self.run("BEGIN; LOCK TABLE proposal, log_entry IN EXCLUSIVE MODE").await,
        }
    }
}
