//! `approve` and `reject`: a person's verdict on one intent digest. The only place where a verdict is made (T15).

use countersign_core::approval::{Approval, Proof, may_decide};
use countersign_core::digest::Digest;
use countersign_core::id::ProposalId;
use countersign_core::proposal::{Event, EventName, Record, State, StateName, apply};
use countersign_core::refusal::Refusal;
use countersign_core::ruleset::Ruleset;
use countersign_core::view::{Bound, Card};
use tracing::instrument;

use super::decide::{deadlines, progress};
use super::{Gate, Viewer};
use crate::fault::Stop;
use crate::party::Party;
use crate::store::Placed;

/// What a person sends: the digests that were on the screen, and what they wrote.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// The person, by name in the directory. A session proved it.
    pub person: String,
    /// The intent digest that was shown.
    pub intent: Digest,
    /// The decision digest that was shown.
    pub decision: Digest,
    /// The digest of the whole card that was shown.
    pub view: Digest,
    /// A comment, or the reason for a rejection.
    pub words: String,
    /// `console`, `cli` or `api`.
    pub channel: &'static str,
}

impl Gate {
    /// Approves what was shown. When that was the last approval needed, the driver sends it at once.
    #[instrument(name = "gate.approve", skip_all, fields(proposal = %id, person = %verdict.person))]
    pub async fn approve(&self, id: ProposalId, verdict: Verdict) -> Result<Record, Stop> {
        let (gate, party) = (self.clone(), Party::person(&verdict.person));
        self.detached(party, async move { gate.approve_inner(id, verdict).await }).await
    }

    /// Rejects it. One rejection ends it.
    #[instrument(name = "gate.reject", skip_all, fields(proposal = %id, person = %verdict.person))]
    pub async fn reject(&self, id: ProposalId, verdict: Verdict) -> Result<Record, Stop> {
        let (gate, party) = (self.clone(), Party::person(&verdict.person));
        self.detached(party, async move {
            let (rules, record) = gate.decidable(id, &verdict, EventName::Reject).await?;
            check_shown(&rules, &record, &verdict)?;
            let event = Event::Reject {
                person: verdict.person.clone(),
                reason: verdict.words.clone(),
                channel: verdict.channel.to_owned(),
            };
            let step = apply(&record, &event, gate.0.world.now())?;
            gate.0.store.commit(step, Placed::default()).await
        })
        .await
    }

    async fn approve_inner(&self, id: ProposalId, verdict: Verdict) -> Result<Record, Stop> {
        let (rules, record) = self.decidable(id, &verdict, EventName::Approve).await?;
        let now = self.0.world.now();
        let approval = Approval {
            person: verdict.person.clone(),
            at: now,
            intent: verdict.intent,
            decision: verdict.decision,
            view: verdict.view,
            policy_set: record.decision.policy_set,
            nonce: self.0.world.random_hex::<16>(),
            proof: Proof::Click,
            channel: verdict.channel.to_owned(),
            comment: verdict.words.clone(),
        };
        check_shown(&rules, &record, &verdict)?;
        if !self.0.store.is_as_logged(&record).await? {
            return Err(Refusal::Quarantined { id }.into());
        }
        let mut counted = record.standing_approvals();
        counted.push(&approval);
        let standing = progress(&rules, &record.decision, &counted, &record.proposal);
        let (_, use_by) = deadlines(&rules, &record.decision, now);
        let step = apply(&record, &Event::Approve { approval: approval.clone(), standing, use_by }, now)?;
        let approved = self.0.store.commit(step, Placed::default()).await?;
        if approved.state.name() == StateName::Ready {
            self.0.driven.wake();
        }
        Ok(approved)
    }

    /// The record, if it is open and this person may decide on it now.
    async fn decidable(
        &self,
        id: ProposalId,
        verdict: &Verdict,
        event: EventName,
    ) -> Result<(std::sync::Arc<Ruleset>, Record), Stop> {
        let rules = self.ruleset();
        let record = self.load(id).await?;
        // Who may not see it is not told that it exists.
        if !self.may_see(&record, &Viewer::Person { id: verdict.person.clone() }) {
            return Err(Refusal::ProposalNotFound { id: id.to_string() }.into());
        }
        let by = record.proposal.proposed_by();
        let names = record.decision.rules();
        let rule = |name: &&str| rules.rules.get(name);
        let answers: Vec<Result<(), Refusal>> = names
            .iter()
            .filter_map(rule)
            .map(|r| may_decide(r, &verdict.person, by, &rules.directory))
            .collect();
        if !answers.iter().any(Result::is_ok) {
            let none = Refusal::NotEligible { detail: "no approval rule names you".to_owned() };
            return Err(answers.into_iter().find_map(Result::err).unwrap_or(none).into());
        }
        let State::Pending { .. } = record.state else {
            return Err(
                Refusal::WrongState { state: record.state.name().as_str(), verb: event.past() }.into()
            );
        };
        if record.standing_approvals().iter().any(|a| a.person == verdict.person)
            && event == EventName::Approve
        {
            return Err(Refusal::AlreadyDecided.into());
        }
        Ok((rules, record))
    }
}

/// What was on the screen must be what is bound now, to the byte (T19).
fn check_shown(rules: &Ruleset, record: &Record, verdict: &Verdict) -> Result<(), Refusal> {
    let (intent, decision) = (record.binding.intent, record.decision.digest);
    let view = Card::new(Bound::from(record), &rules.directory).digest();
    if verdict.intent == intent && verdict.decision == decision && Some(verdict.view) == view {
        Ok(())
    } else {
        Err(Refusal::Stale { intent, decision })
    }
}
