//! `cancel`: the proposer or an operator withdraws what has not been sent.

use countersign_core::audit::Actor;
use countersign_core::directory::Role;
use countersign_core::id::ProposalId;
use countersign_core::proposal::{Event, Record, apply};
use countersign_core::refusal::Refusal;
use tracing::instrument;

use super::{Gate, Viewer};
use crate::fault::Stop;
use crate::store::Placed;

impl Gate {
    /// Cancels an open proposal. After the dispatch it is too late, and says so.
    #[instrument(name = "gate.cancel", skip_all, fields(proposal = %id))]
    pub async fn cancel(&self, id: ProposalId, viewer: &Viewer) -> Result<Record, Stop> {
        let (gate, viewer) = (self.clone(), viewer.clone());
        self.detached(viewer.party(), async move {
            let found = gate.read(id, &viewer).await?;
            let record = found.ok_or_else(|| Refusal::ProposalNotFound { id: id.to_string() })?;
            let by = gate.may_cancel(&record, &viewer)?;
            let step = apply(&record, &Event::Cancel { by }, gate.0.world.now())?;
            gate.0.store.commit(step, Placed::default()).await
        })
        .await
    }

    /// As whom this viewer may cancel it, if it is still open.
    pub fn may_cancel(&self, record: &Record, viewer: &Viewer) -> Result<Actor, Refusal> {
        match viewer {
            Viewer::Agent { .. } => Ok(Actor::Agent { chain: record.proposal.chain.clone() }),
            Viewer::Person { id } => {
                let rules = self.ruleset();
                let person = rules.directory.person(id).filter(|p| !p.disabled);
                let operator = person.is_some_and(|p| p.roles.contains(&Role::Operator));
                if operator || record.proposal.chain.person() == Some(id) {
                    Ok(Actor::Person { id: id.clone() })
                } else {
                    Err(Refusal::NotPermitted {
                        detail: "only the proposer or an operator may cancel; you may reject it instead"
                            .to_owned(),
                    })
                }
            }
        }
    }
}
