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
use crate::fault::Stop;

impl Gate {
    /// Puts a loaded gate directory in force. Dispatches from now on ask it; what is open is decided again.
    pub async fn reload(&self, ruleset: Ruleset) -> Result<(), Stop> {
        let before = self.ruleset().policies.digest();
        let after = ruleset.policies.digest();
        *self.0.ruleset.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(ruleset);
        let data = json!({ "policy_set": after, "previous": before });
        self.note(Entry::new(self.0.world.now(), EventCode::GateReloaded, Actor::Gate, data)).await?;
        let mut after = None;
        loop {
            let page = self.0.store.in_state(StateName::Pending, after, 100).await?;
            let Some(last) = page.last().copied() else { return Ok(()) };
            for id in page {
                self.decide_open_again(id).await?;
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
        let before = &record.decision;
        let same = decision.digest == before.digest
            && decision.verdict == before.verdict
            && decision.detail == before.detail;
        let answering: Vec<_> = record
            .approvals
            .iter()
            .filter(|a| a.answers_to(&record.binding.intent, &decision.digest))
            .collect();
        let standing = progress(&rules, &decision, &answering, &record.proposal);
        if same && standing == *shown {
            return Ok(());
        }
        let because = match &decision.detail {
            Some(detail) => detail.clone(),
            None if same => "who may approve changed".to_owned(),
            None => "the policy or an approval rule changed".to_owned(),
        };
        let (decide_by, use_by) = deadlines(&rules, &decision, self.0.world.now());
        let event = Event::Revise {
            binding: Box::new(record.binding.clone()),
            decision,
            standing,
            decide_by,
            use_by,
            because,
        };
        match apply(&record, &event, self.0.world.now()) {
            Ok(step) => match self.0.store.commit(step, None).await {
                Ok(committed) if committed.record.state.name() == StateName::Ready => {
                    self.dispatch_soon(id);
                    Ok(())
                }
                Ok(_) | Err(Stop::Refused(Refusal::Conflict { .. })) => Ok(()),
                Err(other) => Err(other),
            },
            Err(_) => Ok(()),
        }
    }
}
