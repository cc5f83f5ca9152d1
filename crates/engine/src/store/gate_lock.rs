//! The gate lock of a PostgreSQL database: dispatches hold it shared, what changes what they rest on holds it
//! exclusive. Without it, A could read "the old rules", B commit new ones, and A commit its dispatch.
//!
//! Databases that speak PostgreSQL's protocol differ: on some an advisory lock is accepted and does nothing. So the
//! lock is proved at start, on two connections, before anything relies on it. On SQLite one writer at a time is
//! enough.

use sqlx::SqlSafeStr as _;

use super::connect;
use super::db::{Connection, Target};
use super::desk::Tx;
use super::error::{Error, Result};

/// How the lock is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum GateLock {
    /// One writing transaction at a time: SQLite.
    OneWriter,
    /// `pg_advisory_xact_lock`.
    Advisory,
    /// `FOR SHARE` and `FOR UPDATE` on the one row of `gate_lock`.
    Row,
}

/// How much of it is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hold {
    /// With others who hold it shared.
    Shared,
    /// Alone.
    Exclusive,
}

impl GateLock {
    /// The lock that was seen to work on this database.
    pub(super) async fn prove(target: &Target) -> Result<Self> {
        if let Target::Sqlite(_) = target {
            return Ok(Self::OneWriter);
        }
        for lock in [Self::Advisory, Self::Row] {
            if lock.keeps_out(target).await? {
                return Ok(lock);
            }
            tracing::warn!(?lock, "this database does not hold that lock as PostgreSQL does");
        }
        Err(Error::Unfit(
            "neither advisory locks nor row locks keep another connection out, so a change of rules could be \
             passed by; use PostgreSQL"
                .to_owned(),
        ))
    }

    /// Takes it until the transaction ends. The first thing that a transaction does with it.
    pub(super) async fn take(self, tx: &mut Tx<'_>, hold: Hold) -> Result<()> {
        if let Some(sql) = self.statement(hold) {
            tx.fetch(sql.into_sql_str(), &[]).await?;
        }
        Ok(())
    }

    fn statement(self, hold: Hold) -> Option<&'static str> {
        // The advisory lock's key is any number, the same in every gate.
        match (self, hold) {
            (Self::OneWriter, _) => None,
            (Self::Advisory, Hold::Shared) => {
                Some("SELECT 1 FROM (SELECT pg_advisory_xact_lock_shared(7165074649429406324)) AS held")
            }
            (Self::Advisory, Hold::Exclusive) => {
                Some("SELECT 1 FROM (SELECT pg_advisory_xact_lock(7165074649429406324)) AS held")
            }
            (Self::Row, Hold::Shared) => Some("SELECT id FROM gate_lock WHERE id = 1 FOR SHARE"),
            (Self::Row, Hold::Exclusive) => Some("SELECT id FROM gate_lock WHERE id = 1 FOR UPDATE"),
        }
    }

    /// Whether the exclusive lock of one connection keeps the shared one of another out.
    async fn keeps_out(self, target: &Target) -> Result<bool> {
        let (Some(exclusive), Some(shared)) = (self.statement(Hold::Exclusive), self.statement(Hold::Shared))
        else {
            return Ok(true);
        };
        let mut first = connect::checked(target).await?;
        let mut second = connect::checked(target).await?;
        first.script("BEGIN").await?;
        first.fetch(exclusive.into_sql_str(), &[]).await?;
        second.script("BEGIN; SET LOCAL lock_timeout = '100ms'").await?;
        let passed = second.fetch(shared.into_sql_str(), &[]).await;
        let kept_out = passed.as_ref().is_err_and(Error::is_lock_timeout);
        if let Err(error) = &passed
            && !kept_out
        {
            tracing::warn!(%error, "a lock was refused for another reason than that it is held");
        }
        end(second).await?;
        end(first).await?;
        Ok(kept_out)
    }
}

async fn end(mut connection: Connection) -> Result<()> {
    connection.script("ROLLBACK").await?;
    connection.close().await
}
