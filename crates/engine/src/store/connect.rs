//! From a URL to a connection that keeps its promises: durable, current, the primary.
//!
//! What a connection must be is set here and then read back from the database, because a setting that was
//! not taken looks five times faster and loses what was acknowledged.

use std::fs::{File, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, SqlSafeStr as _};

use super::db::{Connection, Row, Target};
use super::error::{Error, Result};
use super::sqlite;
use crate::fault::Fault;

/// The first SQLite without the race that could lose a WAL (R36).
const SQLITE_VERSION_MIN: (u32, u32, u32) = (3, 51, 3);
/// The oldest PostgreSQL that the tests run on.
const POSTGRES_VERSION_MIN: i64 = 150_000;
/// `PRAGMA synchronous` reads back as 2 for FULL.
const FULL: i64 = 2;

/// Reads `sqlite:path`, `sqlite://path` or `postgres://…`.
pub(super) fn target(url: &str) -> std::result::Result<Target, Fault> {
    let refuse = |detail: String| Err(Fault::new("read the database URL", detail));
    if let Some(rest) = url.strip_prefix("sqlite:") {
        let path = rest.strip_prefix("//").unwrap_or(rest);
        if path.is_empty() || path == ":memory:" {
            return refuse("SQLite needs a file: `sqlite:countersign.db`".to_owned());
        }
        if path.contains('?') {
            return refuse(format!("`{url}`: a SQLite URL takes no parameters"));
        }
        return Ok(Target::Sqlite(sqlite::File::new(Path::new(path))));
    }
    if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        // The URL may hold a password, so it is not repeated.
        let options = PgConnectOptions::from_str(url).map_err(|e| Fault::new("read the database URL", e))?;
        // A transaction whose process is gone or stopped must not keep the others waiting.
        let limits = [("idle_in_transaction_session_timeout", "10s"), ("lock_timeout", "10s")];
        let options = options.application_name("countersign").disable_statement_logging().options(limits);
        return Ok(Target::Postgres(Box::new(options)));
    }
    refuse("a database URL starts with `sqlite:` or `postgres://`".to_owned())
}

/// The file of a target, when it is one.
pub(super) fn file(target: &Target) -> Option<&Path> {
    match target {
        Target::Sqlite(file) => Some(&file.path),
        Target::Postgres(_) => None,
    }
}

/// Takes the lock beside the file, so that one process at a time is the gate (T101).
///
/// The lock is the operating system's and ends with the process, however it ends.
pub(super) fn lock(path: &Path) -> std::result::Result<File, Fault> {
    let beside = PathBuf::from(format!("{}.lock", path.display()));
    // For its owner alone: whoever can open the file could hold the lock and keep the gate from starting.
    let file = File::options().create(true).truncate(false).write(true).mode(0o600).open(&beside);
    let file = file.map_err(|e| Fault::new("open the lock file", at(&beside, &e)))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            let detail = format!("another process has `{}` open; stop it first", path.display());
            Err(Fault::new("lock the database", detail))
        }
        Err(TryLockError::Error(e)) => Err(Fault::new("lock the database", at(&beside, &e))),
    }
}

/// The same error with the path that it is about.
pub(super) fn at(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("`{}`: {error}", path.display()))
}

/// Opens a writing connection and makes sure that it is what the store relies on.
pub(super) async fn checked(target: &Target) -> Result<Connection> {
    let mut connection = Connection::open(target).await?;
    match target {
        Target::Sqlite(_) => check_sqlite(&mut connection).await?,
        Target::Postgres(_) => check_postgres(&mut connection).await?,
    }
    Ok(connection)
}

async fn one(connection: &mut Connection, sql: &'static str) -> Result<Row> {
    connection
        .fetch(sql.into_sql_str(), &[])
        .await?
        .into_iter()
        .next()
        .ok_or(Error::Foreign("a row is missing"))
}

async fn check_sqlite(connection: &mut Connection) -> Result<()> {
    let row = one(connection, "SELECT sqlite_version()").await?;
    let version = row.text(0)?;
    if !is_sound(version) {
        let (major, minor, patch) = SQLITE_VERSION_MIN;
        return Err(Error::Unfit(format!(
            "SQLite {version} can lose a write; {major}.{minor}.{patch} is needed"
        )));
    }
    let synchronous = one(connection, "PRAGMA synchronous").await?.integer(0)?;
    let journal = one(connection, "PRAGMA journal_mode").await?;
    let keys = one(connection, "PRAGMA foreign_keys").await?.integer(0)?;
    match (synchronous, journal.text(0)?, keys) {
        (FULL, "wal", 1) => Ok(()),
        (synchronous, journal, keys) => Err(Error::Unfit(format!(
            "SQLite runs with synchronous={synchronous}, journal_mode={journal}, foreign_keys={keys}; \
             2, wal and 1 are needed"
        ))),
    }
}

/// Whether this SQLite is new enough. What cannot be read is not.
fn is_sound(version: &str) -> bool {
    let mut parts = version.split('.').map(|p| p.parse::<u32>().ok());
    match (parts.next().flatten(), parts.next().flatten(), parts.next().flatten()) {
        (Some(major), Some(minor), Some(patch)) => (major, minor, patch) >= SQLITE_VERSION_MIN,
        _ => false,
    }
}

async fn check_postgres(connection: &mut Connection) -> Result<()> {
    let row = one(
        connection,
        "SELECT CAST(current_setting('server_version_num') AS BIGINT), \
         current_setting('synchronous_commit'), current_setting('transaction_read_only'), \
         current_setting('transaction_isolation')",
    )
    .await?;
    let version = row.integer(0)?;
    if version < POSTGRES_VERSION_MIN {
        return Err(Error::Unfit(format!("PostgreSQL reports version {version}; 15 is needed")));
    }
    if row.text(1)? == "off" {
        return Err(Error::Unfit(
            "PostgreSQL runs with synchronous_commit=off and would lose writes".to_owned(),
        ));
    }
    // A dispatch reads what it rests on after it has the gate lock; an older snapshot would defeat the lock.
    if row.text(3)? != "read committed" {
        return Err(Error::Unfit(format!(
            "PostgreSQL runs at isolation `{}`; `read committed` is needed",
            row.text(3)?
        )));
    }
    // A standby answers with yesterday's truth (T49), and it cannot record.
    if row.text(2)? != "off" {
        return Err(Error::Unfit("this PostgreSQL is read-only; the primary is needed".to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sqlite_that_can_lose_a_wal_is_refused_r36() {
        for (version, sound) in [
            ("3.51.3", true),
            ("3.52.0", true),
            ("4.0.0", true),
            ("3.51.2", false),
            ("3.46.0", false),
            ("3.51", false),
            ("", false),
        ] {
            assert_eq!(is_sound(version), sound, "{version}");
        }
    }

    #[test]
    fn a_url_names_a_file_or_a_server_and_nothing_else() {
        for (url, fits) in [
            ("sqlite:gate.db", true),
            ("sqlite://gate.db", true),
            ("sqlite:///var/lib/gate.db", true),
            ("postgres://gate@localhost/gate", true),
            ("postgresql://gate@localhost/gate", true),
            ("sqlite::memory:", false),
            ("sqlite:", false),
            ("sqlite:gate.db?mode=memory", false),
            ("mysql://localhost/gate", false),
            ("gate.db", false),
        ] {
            assert_eq!(target(url).is_ok(), fits, "{url}");
        }
    }

    #[test]
    fn every_value_of_every_row_has_its_own_place() {
        let rows = |url| target(url).unwrap().rows(2, 3);
        assert_eq!(rows("postgres://localhost/gate"), "($1, $2, $3), ($4, $5, $6)");
        assert_eq!(rows("sqlite:gate.db"), "(?, ?, ?), (?, ?, ?)");
    }

    #[tokio::test]
    async fn a_connection_that_would_not_wait_for_the_disk_is_refused_t101() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("gate.db");
        File::create(&path).unwrap();
        let good = sqlite::File::new(&path);
        let hasty = sqlite::File { synchronous: "NORMAL", ..good.clone() };
        assert!(checked(&Target::Sqlite(good)).await.is_ok());
        let error = checked(&Target::Sqlite(hasty)).await.unwrap_err().to_string();
        assert!(error.contains("synchronous=1"), "{error}");
    }
}
