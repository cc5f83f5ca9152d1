//! A new gate directory takes effect: everything open is decided again under it.

use std::sync::{Arc, PoisonError};

use countersign_core::audit::{Actor, Entry, data};
use countersign_core::id::ProposalId;
use countersign_core::proposal::{Event, State, StateName, apply};
use countersign_core::refusal::Refusal;
use countersign_core::ruleset::Ruleset;

use super::decide::{deadlines, progress};
use super::{Active, Gate};
use crate::credential::Credentials;
use crate::fault::{Stop, chain_text};
use crate::store::Placed;

impl Gate {
    /// Puts a loaded gate directory in force, with its credentials and its entry: in the database first, so that no
    /// dispatch that was decided under the old one is recorded after it. When that fails, the old one stays.
    ///
    /// After that nothing fails the reload: what is open is decided again, and every dispatch is in any case.
    pub async fn reload(&self, ruleset: Ruleset, credentials: Credentials) -> Result<(), Stop> {
        let (before, after) = (self.ruleset(), ruleset.digest());
        let (previous, policy_set) = (before.digest(), ruleset.policies.digest());
        let data = data::GateReloaded { rule_set: after, previous, policy_set };
        let entry = Entry::new(self.0.world.now(), Actor::Gate, data);
        if let Err(fault) = self.0.store.activate(&after, &entry).await {
            self.hold_on_to(&before).await;
            return Err(fault.into());
        }
        let active = Active { ruleset: Arc::new(ruleset), credentials };
        *self.0.active.write().unwrap_or_else(PoisonError::into_inner) = active;
        if let Err(stop) = self.decide_all_open_again().await {
            let error = chain_text(&stop);
            tracing::error!(%error, "not all that is open was decided again; its dispatch will");
        }
        Ok(())
    }

    /// The rules that were in force stay. Where nobody knows whether the others were put in force, these are once
    /// more, so that dispatches go on.
    async fn hold_on_to(&self, rules: &Ruleset) {
        let problems = vec!["the new rules could not be recorded".to_owned()];
        let data = data::ReloadRefused { rule_set: rules.digest(), problems, not_listed: 0 };
        let entry = Entry::new(self.0.world.now(), Actor::Gate, data);
        if let Err(fault) = self.0.store.activate(&rules.digest(), &entry).await {
            let error = chain_text(&fault);
            tracing::error!(
                error,
                "nobody knows which rules the database holds; nothing is dispatched until a reload"
            );
        }
    }

    /// One that cannot be decided again is left as it is, so that the others are.
    async fn decide_all_open_again(&self) -> Result<(), Stop> {
        let mut after = None;
        loop {
            let page = self.0.store.in_state(StateName::Pending, after, 100).await?;
            let Some(last) = page.last().copied() else { return Ok(()) };
            for id in page {
                if let Err(stop) = self.decide_open_again(id).await {
                    let error = chain_text(&stop);
                    tracing::error!(proposal = %id, %error, "it was not decided again; its dispatch will");
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
        let before = &record.decision;
        let same = decision.digest == before.digest
            && decision.answer == before.answer
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
