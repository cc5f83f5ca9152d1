//! A new gate directory takes effect: everything open is decided again under it.

use std::sync::{Arc, PoisonError};

use countersign_core::audit::{Actor, Entry, EventCode};
use countersign_core::id::ProposalId;
use countersign_core::proposal::{Event, State, StateName, apply};
use countersign_core::refusal::Refusal;
use countersign_core::ruleset::Ruleset;
use serde_json::json;

use super::Gate;
use super::decide::{deadlines, progress};
use crate::fault::{Stop, chain_text};
use crate::store::Placed;

impl Gate {
    /// Puts a loaded gate directory in force, with its entry: in the database first, so that no dispatch that was
    /// decided under the old one is recorded after it. When that fails, the old one stays. What is open is then
    /// decided again.
    pub async fn reload(&self, ruleset: Ruleset) -> Result<(), Stop> {
        let (before, after) = (self.ruleset(), ruleset.digest());
        let data = json!({
            "rules": after,
            "previous_rules": before.digest(),
            "policy_set": ruleset.policies.digest(),
            "previous": before.policies.digest(),
        });
        let entry = Entry::new(self.0.world.now(), EventCode::GateReloaded, Actor::Gate, data);
        self.0.store.activate(&after, &entry).await?;
        *self.0.ruleset.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(ruleset);
        let mut after = None;
        loop {
            let page = self.0.store.in_state(StateName::Pending, after, 100).await?;
            let Some(last) = page.last().copied() else { return Ok(()) };
            for id in page {
                // One that cannot be decided again keeps what was decided; its dispatch is checked again anyway.
                if let Err(stop) = self.decide_open_again(id).await {
                    tracing::error!(proposal = %id, error = %chain_text(&stop), "it was not decided again");
                }
            }
            after = Some(last);
        }
    }

    /// Decides one waiting proposal again. Unchanged gates keep their approvals; changed ones void them (T04).
    /// An approval counts for as long as its person may give it (T06).
    async fn decide_open_again(&self, id: ProposalId) -> Result<(), Stop> {
        let rules = self.ruleset();
        let record = self.load(id).await?;
        let State::Pending { standing: shown, .. } = &record.state else { return Ok(()) };
        let Some(action) = rules.registry.get(record.proposal.action.as_str()) else { return Ok(()) };
        let decision = self.decide(&rules, action, &record.proposal, &record.binding);
        let same = decision.digest == record.decision.digest && decision.verdict == record.decision.verdict;
        let answering: Vec<_> = record
            .approvals
            .iter()
            .filter(|a| a.answers_to(&record.binding.intent, &decision.digest))
            .collect();
        let standing = progress(&rules, &decision, &answering, &record.proposal.chain);
        if same && standing == *shown {
            return Ok(());
        }
        let because = if same { "who may approve changed" } else { "the policy or an approval rule changed" };
        let (decide_by, use_by) = deadlines(&rules, &decision, self.0.world.now());
        let event = Event::Revise {
            binding: Box::new(record.binding.clone()),
            decision,
            standing,
            decide_by,
            use_by,
            because: because.to_owned(),
        };
        match apply(&record, &event, self.0.world.now()) {
            Ok(step) => match self.0.store.commit(step, Placed::default()).await {
                Ok(revised) if revised.state.name() == StateName::Ready => {
                    self.0.driven.wake();
                    Ok(())
                }
                Ok(_) | Err(Stop::Refused(Refusal::Conflict { .. })) => Ok(()),
                Err(other) => Err(other),
            },
            Err(_) => Ok(()),
        }
    }
}
