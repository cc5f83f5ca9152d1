//! Leases on what is ready: which process prepares which call. They save work and promise nothing: that a
//! proposal is dispatched once is the guard of the statement that records it.

use std::sync::Arc;

use countersign_core::id::ProposalId;
use countersign_core::limits::LEASE;
use countersign_core::time::Timestamp;
use sqlx::{AssertSqlSafe, SqlSafeStr as _};

use super::quarantine::NOT_SET_ASIDE;
use super::{Store, rows};
use crate::fault::Fault;

impl Store {
    /// Takes up to `limit` ready proposals that nobody has a lease on, oldest first. Writes nothing when there are
    /// none.
    pub async fn lease_ready(
        &self,
        owner: &str,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<ProposalId>, Fault> {
        let free = format!(
            "SELECT p.id FROM proposal AS p WHERE p.state = 'ready' \
             AND (p.lease_until IS NULL OR p.lease_until <= $1) AND {NOT_SET_ASIDE} ORDER BY p.seq LIMIT $2"
        );
        let values = [now.as_micros().into(), i64::from(limit).into()];
        let found = self.ids(AssertSqlSafe(free), &values).await?;
        if found.is_empty() {
            return Ok(found);
        }
        let (desk, owner) = (Arc::clone(&self.desk), owner.to_owned());
        let work = async move {
            let (mut tx, mut taken) = (desk.begin().await?, Vec::with_capacity(found.len()));
            let sql = "UPDATE proposal SET lease_owner = $2, lease_until = $3 WHERE id = $1 AND state = 'ready' \
                       AND (lease_until IS NULL OR lease_until <= $4) RETURNING id";
            let until = now.plus(LEASE).as_micros();
            for id in found {
                let id = id.to_string();
                let values = [(&id).into(), (&owner).into(), until.into(), now.as_micros().into()];
                taken.extend(tx.fetch(sql.into_sql_str(), &values).await?);
            }
            tx.commit().await?;
            Ok(taken)
        };
        let taken = self.desk.run(work).await.map_err(|e| Fault::new("take what is ready", e))?;
        taken
            .iter()
            .map(|row| row.text(0).map_err(|e| Fault::new("take what is ready", e)).and_then(rows::id))
            .collect()
    }

    /// Puts a ready proposal back, to be taken again from then on.
    pub async fn put_back(&self, id: ProposalId, from: Timestamp) -> Result<(), Fault> {
        let (desk, id) = (Arc::clone(&self.desk), id.to_string());
        let work = async move {
            let mut tx = desk.begin().await?;
            let sql = "UPDATE proposal SET lease_until = $2 WHERE id = $1 AND state = 'ready'";
            tx.execute(sql, &[(&id).into(), from.as_micros().into()]).await?;
            tx.commit().await
        };
        self.desk.run(work).await.map_err(|e| Fault::new("put a ready proposal back", e))
    }
}
