//! What waits, as the database has it: for people, for the log. It is read for monitoring, so each statement reads a
//! bounded number of rows by an index, and nothing is decided by the answer.

use countersign_core::approval::Standing;
use countersign_core::limits::{LOG_BACKLOG_MAX, PENDING_READ_MAX};
use countersign_core::proposal::StateName;
use countersign_core::time::Timestamp;
use serde::Deserialize;
use sqlx::AssertSqlSafe;

use super::Store;
use super::db::Row;
use super::error::{Error, Result};
use super::quarantine::NOT_SET_ASIDE;
use crate::fault::Fault;

/// A pending proposal: since when, and which rules have not enough approvals yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingSince {
    /// When it was recorded.
    pub opened: Timestamp,
    /// Names of the rules that are not met, as they are stored.
    pub rules: Vec<String>,
}

/// Entries that are not leaves of the log yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogBacklog {
    /// How many, counted to one more than the number at which dispatches stop.
    pub entries: u64,
    /// When the oldest of them was written; none without entries.
    pub oldest: Option<Timestamp>,
}

/// What is read of a header, in both of its versions.
#[derive(Deserialize)]
struct PendingHeader {
    state: PendingState,
}

#[derive(Deserialize)]
struct PendingState {
    standing: Vec<Standing>,
}

impl Store {
    /// The oldest pending proposals, without those in quarantine. Their authentication codes are not looked at.
    pub async fn pending_since(&self) -> std::result::Result<Vec<PendingSince>, Fault> {
        let fault = |e: Error| Fault::new("read what waits for people", e);
        let sql = format!(
            "SELECT p.header, (SELECT at FROM log_entry WHERE proposal = p.id AND version = 1) \
             FROM proposal AS p WHERE p.state = $1 AND {NOT_SET_ASIDE} ORDER BY p.seq LIMIT $2"
        );
        let values = [StateName::Pending.as_str().into(), i64::from(PENDING_READ_MAX).into()];
        let rows = self.readers.fetch(AssertSqlSafe(sql), &values).await.map_err(fault)?;
        // A row that cannot be read is left out here; whoever reads the proposal sets it aside.
        Ok(rows.iter().filter_map(|row| pending(row).ok().flatten()).collect())
    }

    /// How far the log is behind.
    pub async fn log_backlog(&self) -> std::result::Result<LogBacklog, Fault> {
        let fault = |e: Error| Fault::new("read how far the log is behind", e);
        let sql = "SELECT COUNT(*), MIN(at) FROM (SELECT e.at FROM log_entry AS e \
                   LEFT JOIN log_leaf AS l ON l.entry = e.id \
                   WHERE e.id > (SELECT watermark FROM log_head WHERE id = 1) AND l.entry IS NULL \
                   ORDER BY e.id LIMIT $1) AS waiting";
        let most = i64::try_from(LOG_BACKLOG_MAX.saturating_add(1)).unwrap_or(i64::MAX);
        let rows = self.readers.fetch(sql, &[most.into()]).await.map_err(fault)?;
        let row = rows.first().ok_or(Error::Foreign("a count gives no row"));
        row.and_then(backlog).map_err(fault)
    }
}

fn backlog(row: &Row) -> Result<LogBacklog> {
    let entries = u64::try_from(row.integer(0)?).unwrap_or_default();
    Ok(LogBacklog { entries, oldest: row.maybe_integer(1)?.map(Timestamp::from_micros) })
}

fn pending(row: &Row) -> Result<Option<PendingSince>> {
    let Ok(PendingHeader { state }) = serde_json::from_str(row.text(0)?) else { return Ok(None) };
    let rules = state.standing.into_iter().filter(|s| !s.is_met()).map(|s| s.rule).collect();
    Ok(row.maybe_integer(1)?.map(|at| PendingSince { opened: Timestamp::from_micros(at), rules }))
}
