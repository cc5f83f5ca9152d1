//! What a database can answer instead of rows, and what follows from it.

use std::borrow::Cow;

use sqlx::error::DatabaseError;

/// The result of a statement.
pub(super) type Result<T> = std::result::Result<T, Error>;

/// A statement, or the way to it, failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// SQLite said so.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    /// PostgreSQL or the way to it said so.
    #[error(transparent)]
    Postgres(#[from] sqlx::Error),
    /// The connection is not what the store relies on.
    #[error("{0}")]
    Unfit(String),
    /// A row that is always there is missing, or a column holds another kind of value.
    #[error("the database holds something else than was written: {0}")]
    Foreign(&'static str),
    /// The store was closed, or the thread that serves it is gone.
    #[error("the store is closed")]
    Closed,
}

impl Error {
    fn sqlite(&self) -> Option<i32> {
        match self {
            Self::Sqlite(rusqlite::Error::SqliteFailure(error, _)) => Some(error.extended_code & 0xff),
            Self::Sqlite(_) | Self::Postgres(_) | Self::Unfit(_) | Self::Foreign(_) | Self::Closed => None,
        }
    }

    fn sqlstate(&self) -> Option<String> {
        match self {
            Self::Postgres(error) => {
                error.as_database_error().and_then(DatabaseError::code).map(Cow::into_owned)
            }
            Self::Sqlite(_) | Self::Unfit(_) | Self::Foreign(_) | Self::Closed => None,
        }
    }

    /// Whether the database objected to a value rather than failed: a constraint, a text it cannot hold, or
    /// two processes that waited for each other.
    pub(super) fn is_about_a_row(&self) -> bool {
        // TOOBIG, CONSTRAINT, MISMATCH.
        self.sqlite().is_some_and(|code| matches!(code, 18..=20))
            || self.sqlstate().is_some_and(|c| ["22", "23", "40", "54"].iter().any(|k| c.starts_with(k)))
    }

    /// Whether a row was found and holds something that cannot be read, rather than that the database failed.
    pub(super) fn is_about_content(&self) -> bool {
        use rusqlite::Error as Lite;
        match self {
            Self::Foreign(_) => true,
            Self::Sqlite(error) => matches!(
                error,
                Lite::FromSqlConversionFailure(..)
                    | Lite::InvalidColumnType(..)
                    | Lite::IntegralValueOutOfRange(..)
                    | Lite::Utf8Error(..)
            ),
            Self::Postgres(error) => {
                matches!(error, sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_))
            }
            Self::Unfit(_) | Self::Closed => false,
        }
    }

    /// Whether SQLite reports `SQLITE_IOERR`, `SQLITE_CORRUPT` or `SQLITE_NOTADB`, in any extended form.
    pub(super) fn is_disk_failure(&self) -> bool {
        self.sqlite().is_some_and(|code| matches!(code, 10 | 11 | 26))
    }

    /// Whether PostgreSQL has no database of this name.
    pub(super) fn is_no_database(&self) -> bool {
        self.sqlstate().is_some_and(|code| code == "3D000")
    }

    /// Whether somebody else has just created the same: 42P04 is "exists", 23505 is the same from the
    /// catalogue's own index.
    pub(super) fn is_there_already(&self) -> bool {
        self.sqlstate().is_some_and(|code| code == "42P04" || code == "23505")
    }

    /// Whether a lock was not to be had in time: 55P03.
    pub(super) fn is_lock_timeout(&self) -> bool {
        self.sqlstate().is_some_and(|code| code == "55P03")
    }

    /// Whether there is no such table.
    pub(super) fn is_no_table(&self) -> bool {
        // SQLite has no code of its own for it.
        matches!(self, Self::Sqlite(error) if error.to_string().starts_with("no such table"))
            || self.sqlstate().is_some_and(|code| code == "42P01")
    }
}
