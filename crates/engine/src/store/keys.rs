//! Idempotency keys: what a repeated request gets, and when a key is forgotten.

use std::sync::Arc;

use countersign_core::id::ProposalId;
use countersign_core::limits::IDEMPOTENCY_KEPT;
use countersign_core::time::Timestamp;

use super::error::Error;
use super::{Replay, Store, rows};
use crate::fault::{Fault, Stop};

/// Keys looked at in one go.
const LOOK_MAX: i64 = 200;

impl Store {
    /// What was stored under this agent's idempotency key.
    pub async fn replay(&self, agent: &str, key: &str) -> Result<Option<Replay>, Fault> {
        let fault = |e: Error| Fault::new("look an idempotency key up", e);
        let sql = "SELECT proposal, request FROM idempotency WHERE agent = $1 AND key = $2";
        let found = self.readers.fetch(sql, &[agent.into(), key.into()]).await.map_err(fault)?;
        let Some(row) = found.first() else { return Ok(None) };
        let request = rows::digest(row.text(1).map_err(fault)?)?;
        Ok(Some(Replay { request, proposal: rows::id(row.text(0).map_err(fault)?)? }))
    }

    /// Forgets a key, if it still stands for this proposal.
    pub async fn release_key(&self, agent: &str, key: &str, proposal: ProposalId) -> Result<(), Stop> {
        let desk = Arc::clone(&self.desk);
        let (agent, key, proposal) = (agent.to_owned(), key.to_owned(), proposal.to_string());
        let work = async move {
            let mut tx = desk.begin().await?;
            let sql = "DELETE FROM idempotency WHERE agent = $1 AND key = $2 AND proposal = $3";
            tx.execute(sql, &[(&agent).into(), (&key).into(), (&proposal).into()]).await?;
            tx.commit().await
        };
        Ok(self.desk.run(work).await.map_err(|e| Fault::new("release an idempotency key", e))?)
    }

    /// Forgets keys whose proposal has been settled for a day. Gives how many.
    pub async fn forget_keys(&self, now: Timestamp) -> Result<u64, Stop> {
        let fault = |e: Error| Fault::new("look at idempotency keys", e);
        let sql =
            "SELECT agent, key, proposal FROM idempotency WHERE look_at <= $1 ORDER BY look_at LIMIT $2";
        let due = self.readers.fetch(sql, &[now.as_micros().into(), LOOK_MAX.into()]).await.map_err(fault)?;
        let mut looked = Vec::with_capacity(due.len());
        for row in &due {
            let (agent, key) =
                (row.text(0).map_err(fault)?.to_owned(), row.text(1).map_err(fault)?.to_owned());
            let record = match rows::id(row.text(2).map_err(fault)?) {
                // One that cannot be read keeps its key: nothing says that it is over.
                Ok(id) => self.proposal(id).await.ok().flatten(),
                Err(_) => None,
            };
            let settled = record.and_then(|r| r.settled_at()).map(|at| at.plus(IDEMPOTENCY_KEPT));
            let next = match settled {
                Some(until) if until <= now => None,
                Some(until) => Some(until),
                None => Some(now.plus(IDEMPOTENCY_KEPT)),
            };
            looked.push((agent, key, next));
        }
        if looked.is_empty() {
            return Ok(0);
        }
        let desk = Arc::clone(&self.desk);
        let work = async move {
            let (mut tx, mut forgotten) = (desk.begin().await?, 0_u64);
            for (agent, key, next) in &looked {
                let (agent, key) = (agent.into(), key.into());
                match next {
                    None => {
                        let sql = "DELETE FROM idempotency WHERE agent = $1 AND key = $2";
                        forgotten = forgotten.saturating_add(tx.execute(sql, &[agent, key]).await?);
                    }
                    Some(at) => {
                        let sql = "UPDATE idempotency SET look_at = $3 WHERE agent = $1 AND key = $2";
                        tx.execute(sql, &[agent, key, at.as_micros().into()]).await?;
                    }
                }
            }
            tx.commit().await?;
            Ok(forgotten)
        };
        Ok(self.desk.run(work).await.map_err(|e| Fault::new("forget idempotency keys", e))?)
    }
}
