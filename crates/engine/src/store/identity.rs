//! Which database this is: its incarnation, its server, and the log it holds.

use std::sync::Arc;
use std::time::Duration;

use countersign_core::audit::{Entry, Frontier};
use countersign_core::digest::Digest;
use countersign_core::time::Timestamp;

use sqlx::SqlSafeStr as _;

use super::Store;
use super::db::Row;
use super::desk::Desk;
use super::entry::insert_entry;
use super::error::{self, Error};
use crate::fault::Fault;

/// Leaves in one read.
const LEAVES: u64 = 4_096;
/// How often the server is asked who is connected before it is believed.
const LOOKS: u32 = 20;
/// Between two of these looks.
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);

/// A PostgreSQL server as it names itself.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Server {
    /// The cluster's identifier, made by `initdb`.
    pub system: String,
    /// It grows by one with each promotion of a standby and each recovery to a point in time.
    pub timeline: i64,
}

/// What tells one database from another and from its own older copies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Random; made with the database, and anew with each accepted loss.
    pub incarnation: String,
    /// None for SQLite, and where the role may not ask.
    pub server: Option<Server>,
}

impl Store {
    /// Which database this is.
    pub async fn identity(&self) -> Result<Identity, Fault> {
        let fault = |e: Error| Fault::new("read the identity of the database", e);
        let rows = self.readers.fetch("SELECT incarnation FROM gate_identity WHERE id = 1", &[]).await;
        let rows = rows.map_err(fault)?;
        let row = rows.first().ok_or_else(|| {
            Fault::new("read the identity of the database", "it has none; run `countersign init`")
        })?;
        Ok(Identity { incarnation: row.text(0).map_err(fault)?.to_owned(), server: self.server().await })
    }

    /// Managed servers do not let every role ask; that is no fault.
    async fn server(&self) -> Option<Server> {
        if self.desk.target().is_file() {
            return None;
        }
        let sql = "SELECT CAST(s.system_identifier AS TEXT), CAST(c.timeline_id AS BIGINT) \
                   FROM pg_control_system() AS s, pg_control_checkpoint() AS c";
        match self.readers.fetch(sql, &[]).await {
            Ok(rows) => {
                let row = rows.first()?;
                Some(Server { system: row.text(0).ok()?.to_owned(), timeline: row.integer(1).ok()? })
            }
            Err(error) => {
                tracing::info!(%error, "the server does not say which one it is");
                None
            }
        }
    }

    /// Leaves of the log, and its root at `size`; no root when the log is smaller, or is not whole up to there.
    pub async fn root_at(&self, size: u64) -> Result<(u64, Option<Digest>), Fault> {
        let fault = |e: Error| Fault::new("read the log's leaves", e);
        let head = self.head().await?;
        let now = head.frontier.size();
        if now <= size {
            return Ok((now, (now == size).then(|| head.frontier.root())));
        }
        let mut tree = Frontier::default();
        while tree.size() < size {
            let wanted = size.saturating_sub(tree.size()).min(LEAVES);
            let from = i64::try_from(tree.size()).map_err(|e| Fault::new("read the log's leaves", e))?;
            let until = from.saturating_add_unsigned(wanted);
            let sql = "SELECT idx, hash FROM log_leaf WHERE idx >= $1 AND idx < $2 ORDER BY idx";
            let rows = self.readers.fetch(sql, &[from.into(), until.into()]).await.map_err(fault)?;
            let leaves: Option<Vec<Digest>> = (from..).zip(&rows).map(|(at, row)| leaf_at(row, at)).collect();
            match leaves {
                Some(leaves) if u64::try_from(leaves.len()) == Ok(wanted) => tree.extend(leaves),
                _ => return Ok((now, None)),
            }
        }
        Ok((now, Some(tree.root())))
    }

    /// Gives the database a new incarnation, and writes the entry that says why, in one transaction.
    pub async fn renew_incarnation(
        &self,
        incarnation: &str,
        now: Timestamp,
        why: Entry,
    ) -> Result<(), Fault> {
        let (desk, incarnation) = (Arc::clone(&self.desk), incarnation.to_owned());
        let work = async move {
            let mut tx = desk.begin().await?;
            let sql = "UPDATE gate_identity SET incarnation = $1, created = $2 WHERE id = 1";
            if tx.execute(sql, &[(&incarnation).into(), now.as_micros().into()]).await? != 1 {
                tx.rollback().await?;
                return Err(Error::Foreign("a row is missing"));
            }
            insert_entry(&mut tx, &why).await?;
            tx.commit().await
        };
        self.desk.run(work).await.map_err(|e| Fault::new("give the database a new identity", e))
    }

    /// Whether another process is connected to a PostgreSQL database as a gate. For a file, the lock says it.
    ///
    /// A connection of our own that was just closed may still be listed for a moment.
    pub async fn is_in_use(&self) -> Result<bool, Fault> {
        let fault = |e: Error| Fault::new("ask who uses the database", e);
        if self.desk.target().is_file() {
            return Ok(false);
        }
        for _ in 0..LOOKS {
            if self.desk.run(connected_before(Arc::clone(&self.desk))).await.map_err(fault)? == 0 {
                return Ok(false);
            }
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
        Ok(true)
    }
}

/// Connections of gates that are older than this process's writing one.
async fn connected_before(desk: Arc<Desk>) -> error::Result<i64> {
    let mut tx = desk.begin().await?;
    let sql = "SELECT COUNT(*) FROM pg_stat_activity AS other, pg_stat_activity AS mine \
               WHERE mine.pid = pg_backend_pid() AND other.datname = mine.datname \
               AND other.application_name = mine.application_name AND other.backend_start < mine.backend_start";
    let rows = tx.fetch(sql.into_sql_str(), &[]).await?;
    tx.rollback().await?;
    rows.first().ok_or(Error::Foreign("a row is missing"))?.integer(0)
}

fn leaf_at(row: &Row, at: i64) -> Option<Digest> {
    let hash: [u8; 32] = row.bytes(1).ok()?.try_into().ok()?;
    (row.integer(0).ok()? == at).then(|| Digest::from_bytes(hash))
}
