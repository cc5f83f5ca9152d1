//! What is ready is checked again before it is dispatched: identity, action, record, policy, approvals, under what
//! is in force now (T04-T07).

use std::time::Duration;

use countersign_core::action::Action;
use countersign_core::decision::{Answer, Decision};
use countersign_core::intent::IntentVersion;
use countersign_core::proposal::{Binding, Event, Record, RefusedCode};
use countersign_core::ruleset::Ruleset;

use super::Gate;
use super::decide::{Unseen, deadlines, decide_with, is_fresh, met_gates, progress, render_again};
use crate::connector::LookFailure;

/// What the second look came to.
pub(super) enum Recheck {
    /// Everything still holds: this event may be committed. The time is that of the read or of the decision, by
    /// the monotonic clock.
    Unchanged(Box<Event>, Duration),
    /// Something changed or is gone: this is what becomes of the proposal instead.
    Changed(Box<Event>),
    /// It cannot be looked at now; later it may.
    Later(String),
}

impl Gate {
    /// Looks at a ready proposal again under these rules.
    pub(super) async fn recheck(&self, rules: &Ruleset, record: &Record) -> Recheck {
        let proposal = &record.proposal;
        let refuse = |code, detail: String| Recheck::Changed(Box::new(Event::Refuse { code, detail }));
        if let Err(gone) = rules.directory.still_holds(&proposal.chain) {
            return refuse(RefusedCode::IdentityGone, gone.to_string());
        }
        let Some(action) = rules.registry.get(proposal.action.as_str()) else {
            return refuse(RefusedCode::ActionChanged, "the action is no longer registered".to_owned());
        };
        if !action.is_revision(&proposal.revision) {
            let detail = "the action's manifest changed since it was proposed".to_owned();
            return refuse(RefusedCode::ActionChanged, detail);
        }
        match self.bind_again(action, record).await {
            Ok((binding, at)) => self.decide_again(rules, action, record, (binding, at)),
            // Such a fault passes, or the deadline does.
            Err(unseen) if unseen.kind == LookFailure::Transient => {
                Recheck::Later(unseen.refusal.to_string())
            }
            Err(unseen) => refuse(RefusedCode::PreviewFailed, unseen.refusal.to_string()),
        }
    }

    /// What would be sent now: rendered again from the input, on a record that was read just now.
    async fn bind_again(&self, action: &Action, record: &Record) -> Result<(Binding, Duration), Unseen> {
        let stored = &record.binding;
        if !is_fresh(stored, self.0.world.now()) {
            return self.see_again(action, record).await;
        }
        let rendering = match &stored.preview.source {
            None => render_again(action, &record.proposal).map_err(Unseen::refused)?,
            Some(_) => stored.rendering.clone(),
        };
        // By the format of what was approved, so that its approvals stand when nothing but the format is new.
        let binding = Binding::by(stored.version, &record.proposal, rendering, stored.preview.clone());
        Ok((binding.map_err(|e| Unseen::refused(e.into()))?, self.0.world.ticks()))
    }

    fn decide_again(
        &self,
        rules: &Ruleset,
        action: &Action,
        record: &Record,
        (binding, at): (Binding, Duration),
    ) -> Recheck {
        let now = self.0.world.now();
        let asked = self.decide(rules, action, &record.proposal, &binding);
        // People may still want it without what was watched. Where policy asks nobody, nobody could notice.
        if let (Answer::Allow, Some(gone)) = (&asked.answer, binding.rendering.precondition.gone()) {
            let detail = format!("the record no longer has {gone}, which the action watches");
            return Recheck::Changed(Box::new(Event::Refuse { code: RefusedCode::PreviewFailed, detail }));
        }
        let answering: Vec<_> =
            record.approvals.iter().filter(|a| a.answers_to(&binding.intent, &asked.digest)).collect();
        let standing = progress(rules, &asked, &answering, &record.proposal);
        let met = met_gates(&asked, &standing);
        let last = decide_with(rules, action, &record.proposal, &binding, (&met, now));
        if last.answer == Answer::Allow && binding.intent == record.binding.intent {
            return Recheck::Unchanged(Box::new(self.dispatch_event(&binding, last)), at);
        }
        let because = because(record, &binding, &asked);
        // It is asked again in any case, so it is bound by the current format.
        let rebound = Binding::new(&record.proposal, binding.rendering, binding.preview);
        let binding = match rebound {
            Ok(binding) => binding,
            Err(error) => {
                let (code, detail) = (RefusedCode::ActionChanged, error.to_string());
                return Recheck::Changed(Box::new(Event::Refuse { code, detail }));
            }
        };
        let (decide_by, use_by) = deadlines(rules, &asked, now);
        let event = Event::Revise {
            binding: Box::new(binding),
            decision: asked,
            standing,
            decide_by,
            use_by,
            because,
        };
        Recheck::Changed(Box::new(event))
    }

    /// The dispatch of what is bound, by this process.
    pub(super) fn dispatch_event(&self, binding: &Binding, decision: Decision) -> Event {
        Event::Dispatch {
            attempt: self.0.world.id(),
            owner: self.0.owner.clone(),
            intent: binding.intent,
            decision,
        }
    }
}

/// What changed since it was bound, for the people who are asked again.
fn because(record: &Record, binding: &Binding, decision: &Decision) -> String {
    let mut parts = Vec::new();
    if binding.intent != record.binding.intent {
        let same_record = binding.preview.before == record.binding.preview.before;
        parts.push(if same_record && record.binding.version != IntentVersion::CURRENT {
            "the gate was upgraded and now makes another call"
        } else {
            "the record changed since it was shown"
        });
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
