//! Dispatches whose commit did not come back. This process never makes their calls; when one turns out to be
//! recorded, it says so: nothing was sent.

use std::sync::{Mutex, PoisonError};

use countersign_core::id::{AttemptId, ProposalId};
use countersign_core::outcome::{Cause, Outcome};
use countersign_core::proposal::{Event, State, apply};

use super::Gate;
use crate::fault::{Stop, chain_text};
use crate::store::Placed;

/// Attempts kept in mind. Beyond it the oldest are left to the next start, where they become `unknown`.
const KEPT_MAX: usize = 10_000;

/// The attempts in doubt.
#[derive(Debug, Default)]
pub(super) struct Doubts(Mutex<Vec<(ProposalId, AttemptId)>>);

impl Gate {
    /// Keeps in mind that this dispatch may be recorded and was not sent.
    pub(super) fn remember_doubt(&self, id: ProposalId, attempt: AttemptId) {
        let mut kept = self.0.doubts.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT_MAX {
            kept.remove(0);
        }
        kept.push((id, attempt));
    }

    /// Looks whether attempts in doubt are recorded, and settles those that are. What is not there yet may still
    /// come, so it is kept.
    pub(super) async fn settle_doubts(&self) {
        let kept: Vec<_> = self.0.doubts.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for (id, attempt) in kept {
            match self.settle_doubt(id, attempt).await {
                Ok(true) => {
                    let mut kept = self.0.doubts.0.lock().unwrap_or_else(PoisonError::into_inner);
                    kept.retain(|(_, other)| *other != attempt);
                }
                Ok(false) => {}
                Err(stop) => {
                    tracing::warn!(proposal = %id, error = %chain_text(&stop), "a dispatch is still in doubt");
                }
            }
        }
    }

    /// Whether nothing more is to be done about it.
    async fn settle_doubt(&self, id: ProposalId, attempt: AttemptId) -> Result<bool, Stop> {
        let Some(record) = self.0.store.proposal(id).await? else { return Ok(false) };
        match &record.state {
            State::Dispatched { attempt: recorded, .. } if *recorded == attempt => {
                let outcome = Outcome::Failed { cause: Cause::NotSent, response: None };
                let event = Event::Finish { attempt, outcome };
                let step = apply(&record, &event, self.0.world.now())?;
                self.0.store.commit(step, Placed::default()).await?;
                Ok(true)
            }
            // Of a move that is not there yet.
            State::Ready { .. } => Ok(false),
            State::Denied { .. }
            | State::Pending { .. }
            | State::Dispatched { .. }
            | State::Succeeded { .. }
            | State::Failed { .. }
            | State::Unknown { .. }
            | State::Rejected { .. }
            | State::Expired { .. }
            | State::Cancelled { .. }
            | State::Superseded { .. }
            | State::Refused { .. } => Ok(true),
        }
    }
}
