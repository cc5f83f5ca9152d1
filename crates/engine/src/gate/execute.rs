//! What follows a recorded dispatch: the credential, the call, the outcome. Nothing here fails: from here on the
//! answer is always the proposal, and an outcome is offered to the store for as long as the process lives.

use std::time::Duration;

use countersign_core::limits::OUTCOME_WITHIN;
use countersign_core::outcome::{Cause, Outcome};
use countersign_core::proposal::{Event, Record, State, apply, late_result};
use countersign_core::refusal::Refusal;
use tokio::sync::oneshot;
use tracing::{Instrument as _, instrument};

use super::Gate;
use super::slots::Slot;
use crate::fault::{Stop, chain_text};
use crate::grant::Grant;
use crate::party::Party;
use crate::store::Placed;
use crate::weaken::weakened;

/// The first pause between two offers of an outcome; it doubles up to the longest.
const PAUSE: Duration = Duration::from_millis(250);
/// The longest.
const PAUSE_MAX: Duration = Duration::from_secs(4);

impl Gate {
    /// Makes the call of a grant and records what became of it, in a task of its own that nobody can cancel. Gives
    /// the record as it is when the outcome is recorded, or after a while without: `dispatched` is true then. With
    /// `patience`, that while is over at the latest so long after the call began.
    #[expect(clippy::disallowed_methods, reason = "the supervisor waits for these tasks by their slots")]
    pub(super) async fn execute(
        &self,
        record: Record,
        grant: Grant,
        slot: Slot,
        patience: Option<Duration>,
    ) -> Record {
        let (gate, dispatched) = (self.clone(), record.clone());
        let (came_back, mut has_come_back) = oneshot::channel();
        let (recorded, mut is_recorded) = oneshot::channel();
        // What the call needs is charged to who asked for it; its outcome is the gate's own.
        let party = Party::current();
        let work = async move {
            let outcome = party.serve(gate.call(&grant)).await;
            let _ = came_back.send(());
            let record = Box::pin(gate.keep_outcome(record, &grant, outcome)).await;
            drop(slot);
            // Nobody may be waiting any more.
            let _ = recorded.send(record);
        };
        tokio::spawn(work.in_current_span());
        // The call has a time limit of its own; an error means that the task is gone, and nothing more is known.
        if let Some(patience) = patience {
            if tokio::time::timeout(patience, &mut has_come_back).await.is_err() {
                return dispatched;
            }
        } else {
            let _ = (&mut has_come_back).await;
        }
        match tokio::time::timeout(OUTCOME_WITHIN, &mut is_recorded).await {
            Ok(Ok(record)) => record,
            Ok(Err(_)) | Err(_) => dispatched,
        }
    }

    /// The call itself. Only a `Grant` gets here, and a `Grant` only comes from a committed dispatch.
    #[instrument(name = "connector.call", skip_all, fields(proposal = %grant.proposal()))]
    async fn call(&self, grant: &Grant) -> Outcome {
        let failed = |cause| Outcome::Failed { cause, response: None };
        let secret = match self.credentials().for_grant(grant).await {
            Ok(secret) => secret,
            Err(error) => {
                tracing::warn!(proposal = %grant.proposal(), %error, "no credential, so nothing was sent");
                return failed(Cause::CredentialUnavailable);
            }
        };
        // A process that was paused since the record must not send what others may have given up.
        if !grant.is_good_at(self.0.world.ticks()) {
            tracing::warn!(proposal = %grant.proposal(), "too late after its record, so nothing was sent");
            return failed(Cause::NotSent);
        }
        let outcome = self.0.connector.call(grant, secret.as_ref()).await;
        if weakened("unclear_not_repeated") && matches!(outcome, Outcome::Unknown { .. }) {
            return self.0.connector.call(grant, secret.as_ref()).await;
        }
        outcome
    }

    /// Records the outcome; it is offered again and again, because it must not be lost.
    async fn keep_outcome(&self, mut record: Record, grant: &Grant, outcome: Outcome) -> Record {
        let mut event = Event::Finish { attempt: grant.attempt(), outcome };
        let mut pause = PAUSE;
        loop {
            let Ok(step) = apply(&record, &event, self.0.world.now()) else {
                return self.keep_late(record, &event).await;
            };
            let waits = match self.0.store.commit(step, Placed::default()).await {
                Ok(finished) => return finished,
                // Somebody gave it up meanwhile, or an offer in doubt was written after all.
                Err(Stop::Refused(Refusal::Conflict { .. } | Refusal::InDoubt { .. })) => {
                    match self.load(grant.proposal()).await {
                        Ok(now) => {
                            record = now;
                            if is_recorded(&record, &event) {
                                return record;
                            }
                            "it moved meanwhile".to_owned()
                        }
                        Err(Stop::Refused(Refusal::Quarantined { .. })) => {
                            return self.keep_late(record, &event).await;
                        }
                        Err(stop) => chain_text(&stop),
                    }
                }
                Err(stop) => chain_text(&stop),
            };
            tracing::warn!(proposal = %grant.proposal(), waits, "an outcome waits for the store");
            if weakened("outcome_kept") {
                let outcome = Outcome::Failed { cause: Cause::NotSent, response: None };
                event = Event::Finish { attempt: grant.attempt(), outcome };
            }
            tokio::time::sleep(pause).await;
            pause = pause.saturating_mul(2).min(PAUSE_MAX);
        }
    }

    /// The attempt was given up, and what came says no more than that: it is kept as evidence. The state stays.
    async fn keep_late(&self, record: Record, event: &Event) -> Record {
        if let Event::Finish { attempt, outcome } = event
            && let Err(stop) = self.note(late_result(&record, *attempt, outcome, self.0.world.now())).await
        {
            tracing::error!(proposal = %record.proposal.id, error = %chain_text(&stop), "a late result was not kept");
        }
        record
    }
}

/// Whether the record holds this very outcome already.
fn is_recorded(record: &Record, event: &Event) -> bool {
    let Event::Finish { attempt, outcome } = event else { return false };
    let same = record.attempt() == Some(*attempt);
    match (&record.state, outcome) {
        (State::Succeeded { .. }, Outcome::Succeeded { response }) => {
            same && record.response.as_ref() == Some(response)
        }
        (State::Failed { cause, .. }, Outcome::Failed { cause: c, response })
        | (State::Unknown { cause, .. }, Outcome::Unknown { cause: c, response }) => {
            same && cause == c && record.response == *response
        }
        (
            State::Denied { .. }
            | State::Pending { .. }
            | State::Ready { .. }
            | State::Dispatched { .. }
            | State::Succeeded { .. }
            | State::Failed { .. }
            | State::Unknown { .. }
            | State::Rejected { .. }
            | State::Expired { .. }
            | State::Cancelled { .. }
            | State::Superseded { .. }
            | State::Refused { .. },
            _,
        ) => false,
    }
}
