//! `expire`: deadlines run out by themselves. A deadline is also compared in every move, so this being late
//! lets nothing through.

use std::sync::Arc;
use std::time::Duration;

use countersign_core::id::ProposalId;
use countersign_core::proposal::{Event, apply};
use countersign_core::refusal::Refusal;
use countersign_core::time::Timestamp;
use tokio::sync::Notify;

use super::Gate;
use crate::fault::{Stop, chain_text};
use crate::store::Placed;

/// Deadlines handled in one go.
const BATCH: u32 = 200;
/// Ticks between two looks for dispatches whose owner is gone.
const ORPHAN_TICKS: u32 = 60;

impl Gate {
    /// Looks at deadlines at every tick until told to stop.
    pub(super) async fn watch_deadlines(self, stop: Arc<Notify>, tick: Duration) {
        let mut ticks = 0_u32;
        loop {
            tokio::select! {
                () = tokio::time::sleep(tick) => {}
                () = stop.notified() => return,
            }
            if let Err(fault) = self.expire_due().await {
                tracing::error!(error = %chain_text(&fault), "deadlines are not being looked at");
            }
            self.settle_doubts().await;
            ticks = ticks.saturating_add(1);
            if ticks >= ORPHAN_TICKS {
                ticks = 0;
                if let Err(fault) = self.give_up_orphans().await {
                    tracing::error!(error = %chain_text(&fault), "abandoned dispatches are not being looked at");
                }
                if let Err(fault) = self.0.store.forget_keys(self.0.world.now()).await {
                    tracing::error!(error = %chain_text(&fault), "old idempotency keys are not being forgotten");
                }
            }
        }
    }

    /// Expires everything whose deadline has passed. Gives how many.
    pub async fn expire_due(&self) -> Result<u64, Stop> {
        let mut expired = 0_u64;
        loop {
            let now = self.0.world.now();
            let due = self.0.store.due(now, BATCH).await?;
            let full = u32::try_from(due.len()).unwrap_or(BATCH) >= BATCH;
            let mut moved = false;
            for id in due {
                match self.expire_one(id, now).await {
                    Ok(true) => {
                        moved = true;
                        expired = expired.saturating_add(1);
                    }
                    Ok(false) => {}
                    // One that cannot be moved must not keep the others from their deadline.
                    Err(stop) => {
                        tracing::error!(proposal = %id, error = %chain_text(&stop), "it did not expire");
                    }
                }
            }
            if !full || !moved {
                return Ok(expired);
            }
        }
    }

    async fn expire_one(&self, id: ProposalId, now: Timestamp) -> Result<bool, Stop> {
        let record = self.load(id).await?;
        let Ok(step) = apply(&record, &Event::Expire, now) else { return Ok(false) };
        match self.0.store.commit(step, Placed::default()).await {
            Ok(_) => Ok(true),
            // Somebody decided in the same moment; the winner is in the store.
            Err(Stop::Refused(Refusal::Conflict { .. })) => Ok(false),
            Err(other) => Err(other),
        }
    }
}
