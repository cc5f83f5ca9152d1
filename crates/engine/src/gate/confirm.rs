//! `confirm`: the person whom the agent named says in their own session that a proposal is for them. Until then
//! the chain is the agent's claim, and whom it could have named does not approve.

use std::sync::Arc;

use countersign_core::digest::Digest;
use countersign_core::id::ProposalId;
use countersign_core::proposal::{Binding, Event, EventName, Record, Revision, State, StateName, apply};
use countersign_core::refusal::Refusal;
use tracing::instrument;

use super::decide::{deadlines, progress, registered};
use super::{Gate, Viewer};
use crate::fault::Stop;
use crate::party::Party;
use crate::store::Placed;

impl Gate {
    /// Confirms that a waiting proposal is for this person, and decides it again for the confirmed chain.
    /// `intent` is the digest that the person was shown. A repeat changes nothing.
    #[instrument(name = "gate.confirm", skip_all, fields(proposal = %id, person = %person))]
    pub async fn confirm(&self, id: ProposalId, person: String, intent: Digest) -> Result<Record, Stop> {
        let (gate, party) = (self.clone(), Party::person(&person));
        self.detached(party, async move { gate.confirm_inner(id, &person, intent).await }).await
    }

    /// Whether this person may confirm it now.
    pub fn may_confirm(&self, record: &Record, person: &str) -> bool {
        let chain = &record.proposal.chain;
        record.state.name() == StateName::Pending && chain.person() == Some(person) && !chain.is_confirmed()
    }

    async fn confirm_inner(&self, id: ProposalId, person: &str, intent: Digest) -> Result<Record, Stop> {
        let rules = self.ruleset();
        let record = self.load(id).await?;
        // Who may not see it is not told that it exists.
        if !self.may_see(&record, &Viewer::Person { id: person.to_owned() }) {
            return Err(Refusal::ProposalNotFound { id: id.to_string() }.into());
        }
        let chain = &record.proposal.chain;
        if chain.person() != Some(person) {
            let detail = match chain.person() {
                Some(named) => format!("only `{named}`, whom the agent named, may confirm this"),
                None => "the agent named nobody, so there is nothing to confirm".to_owned(),
            };
            return Err(Refusal::NotEligible { detail }.into());
        }
        if chain.is_confirmed() {
            return Ok(record);
        }
        let State::Pending { .. } = record.state else {
            let (state, verb) = (record.state.name().as_str(), EventName::Confirm.past());
            return Err(Refusal::WrongState { state, verb }.into());
        };
        let (bound, decision) = (record.binding.intent, record.decision.digest);
        if intent != bound {
            return Err(Refusal::Stale { intent: bound, decision }.into());
        }
        if !self.0.store.is_as_logged(&record).await? {
            return Err(Refusal::Quarantined { id }.into());
        }
        rules.directory.still_holds(chain)?;
        let action = Arc::clone(registered(&rules, record.proposal.action.as_str())?);
        let now = self.0.world.now();
        let stale = || Refusal::Stale { intent: bound, decision };
        let proposal = record.proposal.confirmed(now).ok_or_else(stale)?;
        let (rendering, preview) = (record.binding.rendering.clone(), record.binding.preview.clone());
        let binding = Binding::new(&proposal, rendering, preview).map_err(Refusal::from)?;
        let decision = self.decide(&rules, &action, &proposal, &binding);
        // Approvals answered to the claim. None of them answers to the new intent.
        let standing = progress(&rules, &decision, &[], &proposal);
        let (decide_by, use_by) = deadlines(&rules, &decision, now);
        let revision = Box::new(Revision { binding, decision, standing, decide_by, use_by });
        let step = apply(&record, &Event::Confirm { person: person.to_owned(), revision }, now)?;
        let confirmed = self.0.store.commit(step, Placed::default()).await?;
        if confirmed.state.name() == StateName::Ready {
            self.0.driven.wake();
        }
        Ok(confirmed)
    }
}
