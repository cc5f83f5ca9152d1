//! `dispatch`: everything is asked again, the point of no return is recorded, and only then is a credential
//! resolved and the call made. At most once per proposal.

use std::sync::Arc;
use std::time::Duration;

use countersign_core::action::Action;
use countersign_core::decision::{Decision, Verdict};
use countersign_core::id::ProposalId;
use countersign_core::outcome::{Cause, Outcome};
use countersign_core::proposal::{Binding, Event, Record, RefusedCode, State, StateName, apply, late_result};
use countersign_core::refusal::Refusal;
use countersign_core::ruleset::Ruleset;
use tracing::instrument;

use super::Gate;
use super::decide::{deadlines, decide_with, is_fresh, met_gates, progress, render_again};
use crate::fault::{Stop, chain_text};
use crate::grant::Grant;

/// How often an outcome is offered to a busy or broken store before the deadline watch takes over.
const OUTCOME_TRIES: u32 = 40;
/// Between two offers.
const OUTCOME_PAUSE: Duration = Duration::from_millis(250);

/// What asking everything again came to.
enum Again {
    /// Everything still holds: this is the event that may be committed.
    Holds(Box<Event>),
    /// Something changed or is gone: this is what becomes of the proposal instead.
    Instead(Box<Event>),
}

impl Gate {
    /// Sends what is ready. Gives the record as it stands afterwards, whatever became of it.
    #[instrument(name = "gate.dispatch", skip_all, fields(proposal = %record.proposal.id, outcome))]
    pub(super) async fn dispatch(&self, record: Record) -> Result<Record, Stop> {
        let id = record.proposal.id;
        let event = match self.ask_again(&record).await {
            Again::Holds(event) => *event,
            Again::Instead(event) => return self.move_on(&record, &event).await,
        };
        // Too late or moved meanwhile: the record as it is now is the answer.
        let Ok(step) = apply(&record, &event, self.0.world.now()) else { return self.load(id).await };
        let committed = match self.0.store.commit(step, None).await {
            Ok(committed) => committed,
            Err(Stop::Refused(Refusal::Conflict { .. })) => return self.load(id).await,
            Err(other) => return Err(other),
        };
        let Some(grant) = committed.grant else { return Ok(committed.record) };
        let outcome = self.call(&grant).await;
        self.record_outcome(committed.record, &grant, outcome).await
    }

    /// Dispatches by id in a task of its own, if it is still ready.
    pub(super) fn dispatch_soon(&self, id: ProposalId) {
        let gate = self.clone();
        self.in_background(Box::pin(async move {
            if let Err(stop) = gate.dispatch_if_ready(id).await {
                let error = chain_text(&stop);
                tracing::warn!(proposal = %id, %error, "not dispatched; it stays ready until its deadline");
            }
        }));
    }

    async fn dispatch_if_ready(&self, id: ProposalId) -> Result<(), Stop> {
        let record = self.load(id).await?;
        if record.state.name() == StateName::Ready {
            Box::pin(self.dispatch(record)).await?;
        }
        Ok(())
    }

    /// Identity, action, record, policy, approvals: all of it, under what is in force now (T04-T07).
    async fn ask_again(&self, record: &Record) -> Again {
        let rules = self.ruleset();
        let proposal = &record.proposal;
        let refuse = |code, detail: String| Again::Instead(Box::new(Event::Refuse { code, detail }));
        if !record.is_intact() {
            tracing::error!(proposal = %proposal.id, "the stored proposal was altered beside the gate");
            return refuse(
                RefusedCode::Altered,
                "what is stored is not what its digest says, so it is not sent".to_owned(),
            );
        }
        if let Err(gone) = rules.directory.still_holds(&proposal.chain) {
            return refuse(RefusedCode::IdentityGone, gone.to_string());
        }
        let Some(action) = rules.registry.get(proposal.action.as_str()).map(Arc::clone) else {
            return refuse(RefusedCode::ActionChanged, "the action is no longer registered".to_owned());
        };
        if action.revision != proposal.revision {
            return refuse(
                RefusedCode::ActionChanged,
                "the action's manifest changed since it was proposed".to_owned(),
            );
        }
        let binding = match self.bind_again(&action, record).await {
            Ok(binding) => binding,
            Err(why) => return refuse(RefusedCode::PreviewFailed, why.to_string()),
        };
        self.decide_again(&rules, &action, record, binding)
    }

    /// What would be sent now: rendered again from the input, on a record that was read just now.
    async fn bind_again(&self, action: &Action, record: &Record) -> Result<Binding, Refusal> {
        let stored = &record.binding;
        if !is_fresh(stored, self.0.world.now()) {
            return self.see(action, &record.proposal).await;
        }
        let facts = match &stored.preview.source {
            None => render_again(action, &record.proposal)?,
            Some(_) => stored.facts.clone(),
        };
        Ok(Binding::new(&record.proposal, facts, stored.preview.clone()))
    }

    fn decide_again(&self, rules: &Ruleset, action: &Action, record: &Record, binding: Binding) -> Again {
        let now = self.0.world.now();
        let asked = self.decide(rules, action, &record.proposal, &binding);
        let answering: Vec<_> =
            record.approvals.iter().filter(|a| a.answers_to(&binding.intent, &asked.digest)).collect();
        let standing = progress(rules, &asked, &answering, &record.proposal);
        let met = met_gates(&asked, &standing);
        let last = decide_with(rules, action, &record.proposal, &binding, (&met, now));
        if last.verdict == Verdict::Allow && binding.intent == record.binding.intent {
            return Again::Holds(Box::new(Event::Dispatch {
                attempt: self.0.world.id(),
                owner: self.0.owner.clone(),
                intent: binding.intent,
                decision: last,
            }));
        }
        let because = because(record, &binding, &asked);
        let (decide_by, use_by) = deadlines(rules, &asked, now);
        let event = Event::Revise {
            binding: Box::new(binding),
            decision: asked,
            standing,
            decide_by,
            use_by,
            because,
        };
        Again::Instead(Box::new(event))
    }

    /// Commits what becomes of a proposal that may not run as it is.
    async fn move_on(&self, record: &Record, event: &Event) -> Result<Record, Stop> {
        match apply(record, event, self.0.world.now()) {
            Ok(step) => match self.0.store.commit(step, None).await {
                Ok(committed) => {
                    // A revision that policy allows outright is ready again, now with what is true.
                    if committed.record.state.name() == StateName::Ready {
                        self.dispatch_soon(record.proposal.id);
                    }
                    Ok(committed.record)
                }
                Err(Stop::Refused(Refusal::Conflict { .. })) => self.load(record.proposal.id).await,
                Err(other) => Err(other),
            },
            Err(_) => self.load(record.proposal.id).await,
        }
    }

    /// The call itself. Only a `Grant` gets here, and a `Grant` only comes from a committed dispatch.
    #[instrument(name = "connector.call", skip_all, fields(proposal = %grant.proposal()))]
    async fn call(&self, grant: &Grant) -> Outcome {
        match self.0.credentials.for_grant(grant).await {
            Ok(secret) => self.0.connector.call(grant, secret.as_ref()).await,
            Err(error) => {
                tracing::warn!(proposal = %grant.proposal(), %error, "no credential, so nothing was sent");
                Outcome::Failed { cause: Cause::CredentialUnavailable, response: None }
            }
        }
    }

    /// Records the outcome; an outcome is offered again and again, because it must not be lost.
    async fn record_outcome(&self, record: Record, grant: &Grant, outcome: Outcome) -> Result<Record, Stop> {
        let event = Event::Finish { attempt: grant.attempt(), outcome };
        let mut tries = OUTCOME_TRIES;
        loop {
            let Ok(step) = apply(&record, &event, self.0.world.now()) else {
                return self.load(record.proposal.id).await;
            };
            match self.0.store.commit(step, None).await {
                Ok(committed) => return Ok(committed.record),
                Err(Stop::Refused(Refusal::Conflict { .. })) => return self.keep_late(&record, &event).await,
                Err(stop) if tries == 0 => return Err(stop),
                Err(stop) => {
                    tracing::warn!(proposal = %record.proposal.id, error = %chain_text(&stop), "an outcome waits for the store");
                    tries = tries.saturating_sub(1);
                    tokio::time::sleep(OUTCOME_PAUSE).await;
                }
            }
        }
    }

    /// Somebody has given this attempt up already: the result is kept as evidence, the state is not touched.
    async fn keep_late(&self, record: &Record, event: &Event) -> Result<Record, Stop> {
        if let Event::Finish { attempt, outcome } = event {
            self.note(late_result(record, *attempt, outcome, self.0.world.now())).await?;
        }
        self.load(record.proposal.id).await
    }

    /// At start: dispatches whose process is gone have an unknown outcome; they are never sent again.
    pub(super) async fn give_up_orphans(&self) -> Result<(), Stop> {
        let mut after = None;
        loop {
            let page = self.0.store.in_state(StateName::Dispatched, after, 100).await?;
            let Some(last) = page.last().copied() else { return Ok(()) };
            for id in page {
                let record = self.load(id).await?;
                if self.is_orphan(&record) {
                    tracing::error!(proposal = %id, "its outcome is unknown: the process that sent it is gone");
                    self.move_on(&record, &Event::OwnerGone).await?;
                }
            }
            after = Some(last);
        }
    }

    /// A dispatch whose owner cannot be alive: on an engine of one process, any but our own; elsewhere, one
    /// that is older than the longest call.
    pub(super) fn is_orphan(&self, record: &Record) -> bool {
        let State::Dispatched { owner, at, .. } = &record.state else { return false };
        let longest = countersign_core::limits::CALL_TIMEOUT_MAX.saturating_mul(2);
        let overdue = self.0.world.now().since(*at) > longest;
        overdue || (self.0.store.is_exclusive() && *owner != self.0.owner)
    }

    /// At start: takes up what was allowed but not yet sent.
    pub(super) async fn resume_ready(&self) -> Result<(), Stop> {
        let mut after = None;
        loop {
            let page = self.0.store.in_state(StateName::Ready, after, 100).await?;
            let Some(last) = page.last().copied() else { return Ok(()) };
            for id in page {
                self.dispatch_soon(id);
            }
            after = Some(last);
        }
    }
}

/// What changed since it was bound, for the people who are asked again.
fn because(record: &Record, binding: &Binding, decision: &Decision) -> String {
    let mut parts = Vec::new();
    if binding.intent != record.binding.intent {
        parts.push("the record changed since it was shown");
    }
    if decision.policy_set != record.decision.policy_set && decision.digest != record.decision.digest {
        parts.push("the policy or an approval rule changed");
    }
    if let Some(detail) = &decision.detail {
        parts.push(detail);
    }
    if parts.is_empty() {
        parts.push("an approval no longer counts");
    }
    parts.join(", and ")
}
