//! Dispatches whose process is gone have an unknown outcome. They are never sent again.

use countersign_core::outcome::{Cause, Outcome};
use countersign_core::proposal::{Event, State, StateName, apply};
use countersign_core::refusal::Refusal;

use super::Gate;
use crate::fault::{Stop, chain_text};
use crate::store::Placed;
use crate::weaken::weakened;

/// Dispatches looked at in one go.
const PAGE: u32 = 100;

impl Gate {
    /// Gives up every dispatch whose owner no longer counts as alive. Never by its age: a slow call is not gone.
    pub(super) async fn give_up_orphans(&self) -> Result<(), Stop> {
        let mut after = None;
        loop {
            let page = self.0.store.in_state(StateName::Dispatched, after, PAGE).await?;
            let Some(last) = page.last().copied() else { return Ok(()) };
            for id in page {
                if let Err(stop) = self.give_up_orphan(id).await {
                    tracing::error!(proposal = %id, error = %chain_text(&stop), "an abandoned dispatch was not given up");
                }
            }
            after = Some(last);
        }
    }

    async fn give_up_orphan(&self, id: countersign_core::id::ProposalId) -> Result<(), Stop> {
        let record = self.load(id).await?;
        let State::Dispatched { owner, attempt, .. } = &record.state else { return Ok(()) };
        if *owner == self.0.owner || self.0.store.is_alive(owner).await? {
            return Ok(());
        }
        tracing::error!(proposal = %id, "its outcome is unknown: the process that sent it is gone");
        let event = if weakened("orphans_unknown") {
            let outcome = Outcome::Failed { cause: Cause::NotSent, response: None };
            Event::Finish { attempt: *attempt, outcome }
        } else {
            Event::OwnerGone
        };
        let step = apply(&record, &event, self.0.world.now())?;
        match self.0.store.commit(step, Placed::default()).await {
            Ok(_) | Err(Stop::Refused(Refusal::Conflict { .. })) => Ok(()),
            Err(other) => Err(other),
        }
    }
}
