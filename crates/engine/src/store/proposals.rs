//! Reading proposals. Every question is answered from an index and stops at its limit.

use std::collections::BTreeMap;

use countersign_core::id::ProposalId;
use countersign_core::proposal::{Record, StateName};
use countersign_core::refusal::Refusal;
use countersign_core::time::Timestamp;
use sqlx::{AssertSqlSafe, SqlSafeStr};

use super::error::Error;
use super::header::{self, RECORD_COLUMNS, RECORD_WIDTH};
use super::quarantine::NOT_SET_ASIDE;
use super::value::Value;
use super::{Store, rows};
use crate::fault::{Fault, Stop};

impl Store {
    /// One proposal. One whose row is not what the gate wrote is refused, and set aside with an alarm.
    pub async fn proposal(&self, id: ProposalId) -> Result<Option<Record>, Stop> {
        let fault = |e: Error| Fault::new("read a proposal", e);
        let sql = format!(
            "SELECT {RECORD_COLUMNS}, q.proposal FROM proposal AS p LEFT JOIN quarantine AS q ON q.proposal = p.id \
             WHERE p.id = $1"
        );
        let found =
            self.readers.fetch(AssertSqlSafe(sql), &[(&id.to_string()).into()]).await.map_err(fault)?;
        let Some(row) = found.first() else { return Ok(None) };
        if row.maybe_text(RECORD_WIDTH).map_err(fault)?.is_some() {
            return Err(Refusal::Quarantined { id }.into());
        }
        match header::read(row, &self.keys) {
            Ok(record) => Ok(Some(record)),
            Err(why) => {
                self.set_aside(id, &why).await;
                Err(Refusal::Quarantined { id }.into())
            }
        }
    }

    /// Where a proposal stands in the order in which they came. None for one that is not there.
    pub(super) async fn seq(&self, id: ProposalId) -> Result<Option<i64>, Fault> {
        let fault = |e: Error| Fault::new("look a proposal up", e);
        let sql = "SELECT seq FROM proposal WHERE id = $1";
        let found = self.readers.fetch(sql, &[(&id.to_string()).into()]).await.map_err(fault)?;
        found.first().map(|row| row.integer(0)).transpose().map_err(fault)
    }

    /// How many proposals are in each state; maintained, not counted.
    pub async fn counts(&self) -> Result<BTreeMap<StateName, u64>, Fault> {
        let fault = |e: Error| Fault::new("read the counts", e);
        let sql = "SELECT state, CAST(SUM(n) AS BIGINT) FROM tally GROUP BY state";
        let mut counts: BTreeMap<StateName, u64> = StateName::ALL.into_iter().map(|s| (s, 0)).collect();
        for row in self.readers.fetch(sql, &[]).await.map_err(fault)? {
            let (name, n) = (row.text(0).map_err(fault)?, row.integer(1).map_err(fault)?);
            match (StateName::from_name(name), u64::try_from(n)) {
                (Some(state), Ok(n)) => {
                    counts.insert(state, n);
                }
                // Nothing is decided by a count, so a damaged one must not take a page with it.
                (Some(_) | None, _) => tracing::error!(name, n, "a count in the database is damaged"),
            }
        }
        Ok(counts)
    }

    /// How many open (pending, ready) proposals an agent has, counted up to `limit`.
    pub async fn open_of(&self, agent: &str, limit: u32) -> Result<u32, Fault> {
        let fault = |e: Error| Fault::new("count an agent's open proposals", e);
        let sql = "SELECT COUNT(*) FROM \
                   (SELECT 1 FROM proposal WHERE agent = $1 AND state IN ('pending', 'ready') LIMIT $2) AS open";
        let rows = self.readers.fetch(sql, &[agent.into(), i64::from(limit).into()]).await.map_err(fault)?;
        let n = rows.first().map_or(Ok(0), |row| row.integer(0)).map_err(fault)?;
        u32::try_from(n).map_err(|e| Fault::new("count an agent's open proposals", e))
    }

    /// Open proposals whose deadline has passed, the longest overdue first.
    pub async fn due(&self, now: Timestamp, limit: u32) -> Result<Vec<ProposalId>, Fault> {
        let sql = format!(
            "SELECT p.id FROM proposal AS p WHERE p.due IS NOT NULL AND p.due <= $1 AND {NOT_SET_ASIDE} \
             ORDER BY p.due, p.seq LIMIT $2"
        );
        self.ids(AssertSqlSafe(sql), &[now.as_micros().into(), i64::from(limit).into()]).await
    }

    /// Proposals in this state, oldest first, after a cursor.
    pub async fn in_state(
        &self,
        state: StateName,
        after: Option<ProposalId>,
        limit: u32,
    ) -> Result<Vec<ProposalId>, Fault> {
        let after = match after {
            Some(id) => self.seq(id).await?.unwrap_or(0),
            None => 0,
        };
        let sql = format!(
            "SELECT p.id FROM proposal AS p WHERE p.state = $1 AND p.seq > $2 AND {NOT_SET_ASIDE} \
             ORDER BY p.seq LIMIT $3"
        );
        self.ids(AssertSqlSafe(sql), &[state.as_str().into(), after.into(), i64::from(limit).into()]).await
    }

    pub(super) async fn ids(
        &self,
        sql: impl SqlSafeStr,
        values: &[Value<'_>],
    ) -> Result<Vec<ProposalId>, Fault> {
        let fault = |e: Error| Fault::new("look proposals up", e);
        let found = self.readers.fetch(sql, values).await.map_err(fault)?;
        Ok(found.iter().filter_map(|row| readable(row.text(0))).collect())
    }
}

/// An id, if it is one. A row whose id was damaged is nobody's proposal: it is found by nothing but an alarm.
fn readable(text: super::error::Result<&str>) -> Option<ProposalId> {
    let id = text.map_err(|e| Fault::new("read a proposal's id", e)).and_then(rows::id);
    if let Err(error) = &id {
        tracing::error!(%error, "a stored proposal has no readable id");
    }
    id.ok()
}
