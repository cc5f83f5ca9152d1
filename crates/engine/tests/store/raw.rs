//! The database itself, past the store: to break things, to count again, to hold a lock.

use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _, SqliteConnection};

use crate::Place;

pub enum Raw {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Raw {
    pub async fn open(place: &Place) -> Self {
        if place.is_sqlite() {
            Self::Sqlite(SqliteConnection::connect(&place.url).await.unwrap())
        } else {
            Self::Postgres(PgConnection::connect(&place.url).await.unwrap())
        }
    }

    pub async fn run(&mut self, sql: &str) {
        let sql = AssertSqlSafe(sql.to_owned());
        match self {
            Self::Sqlite(c) => sqlx::raw_sql(sql).execute(c).await.map(drop).unwrap(),
            Self::Postgres(c) => sqlx::raw_sql(sql).execute(c).await.map(drop).unwrap(),
        }
    }

    /// The texts of the first column.
    pub async fn texts(&mut self, sql: &str) -> Vec<String> {
        let sql = AssertSqlSafe(sql.to_owned());
        match self {
            Self::Sqlite(c) => {
                sqlx::query(sql).fetch_all(c).await.unwrap().iter().map(|r| r.get(0)).collect()
            }
            Self::Postgres(c) => {
                sqlx::query(sql).fetch_all(c).await.unwrap().iter().map(|r| r.get(0)).collect()
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
