//! `propose`: an agent asks for one action with one input. Top to bottom: who, what, decide, look, record,
//! and run at once when policy allows it.

use std::sync::Arc;
use std::time::Duration;

use countersign_core::action::{Action, EffectClass};
use countersign_core::audit::{Actor, Entry, data};
use countersign_core::digest::{Digest, domain};
use countersign_core::directory::{AgentProof, Chain};
use countersign_core::id::ProposalId;
use countersign_core::json::{CanonicalInput, canonical, canonical_of, canonical_v1};
use countersign_core::limits;
use countersign_core::proposal::{
    Evidence, Proposal as CoreProposal, Record, Salts, State, StateName, Step, apply, open,
};
use countersign_core::refusal::Refusal;
use countersign_core::ruleset::Ruleset;
use countersign_core::time::Timestamp;
use serde_json::Value;
use tracing::instrument;

use super::Gate;
use super::decide::{Bound, deadlines, progress, registered};
use super::limits::Limit;
use super::slots::Slot;
use crate::fault::{Fault, Stop, chain_text};
use crate::party::Party;
use crate::store::{Admission, Committed, IdempotencyKey, Joining, NotAdmitted, Offered, Placed};
use crate::weaken::weakened;

/// What an agent asks for. The agent itself was authenticated by the surface.
#[derive(Debug, Clone)]
pub struct Proposal {
    /// The agent, by name in the directory.
    pub agent: String,
    /// How it proved that.
    pub proof: AgentProof,
    /// The person it says it acts for.
    pub on_behalf_of: Option<String>,
    /// The action's name.
    pub action: String,
    /// The input, from the strict reader.
    pub input: Value,
    /// The agent's own words.
    pub reason: Option<String>,
    /// An opaque label of the agent's run.
    pub run: Option<String>,
    /// What the agent attaches.
    pub evidence: Vec<Evidence>,
    /// Makes the request safe to repeat.
    pub key: Option<RequestKey>,
    /// How long the answer waits for a call that policy allows; none: as long as the call may take.
    pub patience: Option<Duration>,
}

/// By what a repeated request is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestKey {
    /// What the client sent.
    Given(String),
    /// The request itself: the same chain, action and input, for [`limits::RESEND_WINDOW`] after it was done or
    /// rejected. What was not done can be asked again at once, and what only reads always is (T95).
    Derived,
}

/// A proposal as it stands.
#[derive(Debug, Clone)]
pub struct Proposed {
    /// The record: of this request, or of an equal one that was there.
    pub record: Record,
    /// Whether it was there before this request.
    pub was_there: bool,
}

/// The answer to a dry run.
#[derive(Debug, Clone)]
pub struct Previewed {
    /// What the record would have been. It has an id, but nothing is stored under it.
    pub record: Record,
}

/// A validated request, before anything was read or decided.
struct Asked {
    rules: Arc<Ruleset>,
    action: Arc<Action>,
    proposal: CoreProposal,
    patience: Option<Duration>,
}

impl Asked {
    /// The idempotency key with what it stands for: the parsed request and who makes it, not its bytes. None when a
    /// repeated request is a request of its own.
    fn key(&self, key: Option<&RequestKey>) -> Result<Option<IdempotencyKey>, Refusal> {
        let CoreProposal { action, input, chain, reason, run, evidence, .. } = &self.proposal;
        match key {
            Some(RequestKey::Given(key)) => {
                let request = canonical_of(&(action, input, chain, reason, run, evidence))?;
                let request = Digest::of(domain::REQUEST, &request);
                Ok(Some(IdempotencyKey { key: key.clone(), request, derived: false }))
            }
            Some(RequestKey::Derived) if self.action.effect != EffectClass::Read => {
                let request = Digest::of(domain::REQUEST, &canonical_of(&(action, input, chain))?);
                // No client can send a tab in a key of its own.
                Ok(Some(IdempotencyKey { key: format!("resend\t{request}"), request, derived: true }))
            }
            Some(RequestKey::Derived) | None => Ok(None),
        }
    }

    /// What the same request was noted as before an upgrade.
    fn request_v2(&self) -> Result<Digest, Refusal> {
        let CoreProposal { action, input, chain, reason, run, evidence, .. } = &self.proposal;
        let request = canonical_v1(&(action, input, chain, reason, run, evidence))?;
        Ok(Digest::of(domain::REQUEST_V2, &request))
    }
}

/// What the log keeps of a dry run.
fn previewed(record: &Record) -> data::Previewed {
    let Record { proposal, binding, decision, .. } = record;
    data::Previewed {
        action: proposal.action.clone(),
        revision: proposal.revision,
        input: proposal.commitment(),
        resource: binding.rendering.resource.clone(),
        environment: binding.rendering.environment.clone(),
        risk: binding.rendering.risk.clone(),
        intent: binding.intent,
        decision: decision.clone(),
    }
}

/// Whether the same call without a key of its own is still answered with this record.
fn answers_again(record: &Record, now: Timestamp) -> bool {
    match record.state.name() {
        StateName::Pending | StateName::Ready | StateName::Dispatched | StateName::Unknown => true,
        StateName::Succeeded | StateName::Rejected => {
            record.settled_at().is_none_or(|at| now < at.plus(limits::RESEND_WINDOW))
        }
        // Nothing was done, and nobody said no for good.
        StateName::Denied
        | StateName::Failed
        | StateName::Expired
        | StateName::Cancelled
        | StateName::Superseded
        | StateName::Refused => false,
    }
}

/// What one try to open a proposal came to.
enum Opened {
    /// This is the answer.
    As(Box<Record>),
    /// This one was there.
    Joined(Box<Record>),
    /// It took too long, or the rules changed: decide again.
    Again(NotAdmitted),
    /// An equal one is being recorded, or was settled, in this moment: look again.
    Twin,
}

/// What became of an opening that was offered.
enum Placing {
    Done(Opened),
    /// An equal one keeps it out; its slot is still good.
    Twin(Option<Slot>),
}

/// The refusal of a dispatch that may not be recorded now. Nothing was.
fn not_admitted(why: &NotAdmitted) -> Refusal {
    match why {
        NotAdmitted::TooOld | NotAdmitted::RulesChanged | NotAdmitted::Late => {
            Refusal::Busy { retry_after_s: 1 }
        }
        NotAdmitted::NotAlive | NotAdmitted::RulesUnknown | NotAdmitted::Log(_) => {
            Refusal::Unavailable { detail: why.to_string(), retry_after_s: 5 }
        }
    }
}

impl Gate {
    /// Proposes: validates, looks, decides, and records; what policy allows is recorded as dispatched and called.
    ///
    /// An error means that nothing was recorded, unless it is `in_doubt`. Once something is recorded the answer is
    /// the proposal.
    #[instrument(name = "gate.propose", skip_all, fields(action = %ask.action, agent = %ask.agent))]
    pub async fn propose(&self, ask: Proposal) -> Result<Proposed, Stop> {
        self.0.limits.charge(&ask.agent, Limit::Proposals)?;
        let (gate, id, party) = (self.clone(), self.0.world.id(), Party::agent(&ask.agent));
        let verb = self.detached(party, async move { Box::pin(gate.propose_as(id, ask)).await });
        match verb.await {
            // A verb that ended without an answer may have recorded its proposal.
            Err(Stop::Fault(fault)) if fault.is_in_doubt() => {
                tracing::error!(proposal = %id, error = %chain_text(&fault), "a proposal is in doubt");
                Err(Refusal::InDoubt { id }.into())
            }
            answer => answer,
        }
    }

    /// Validates, looks and decides, and records only that it did. Never becomes executable.
    #[instrument(name = "gate.preview", skip_all, fields(action = %ask.action, agent = %ask.agent))]
    pub async fn preview(&self, ask: Proposal) -> Result<Previewed, Stop> {
        self.0.limits.charge(&ask.agent, Limit::DryRuns)?;
        let (gate, party) = (self.clone(), Party::agent(&ask.agent));
        self.detached(party, async move {
            let asked = gate.validate_or_note(&ask, gate.0.world.id()).await?;
            let record = gate.decide_new(&asked).await?.0.record;
            let actor = Actor::Agent { chain: record.proposal.chain.clone() };
            gate.note(Entry::new(gate.0.world.now(), actor, previewed(&record))).await?;
            Ok(Previewed { record })
        })
        .await
    }

    async fn propose_as(&self, id: ProposalId, ask: Proposal) -> Result<Proposed, Stop> {
        let mut late = NotAdmitted::TooOld;
        for _ in 0..limits::DECIDE_TRIES {
            let asked = self.validate_or_note(&ask, id).await?;
            let key = ask.key.as_ref().filter(|_| !weakened("idempotency"));
            let key = asked.key(key.filter(|key| **key != RequestKey::Derived || !weakened("resend")))?;
            if let Some(record) = self.replay(&asked, key.as_ref()).await? {
                return Ok(Proposed { record, was_there: true });
            }
            match Box::pin(self.open_once(&asked, key)).await? {
                Opened::As(record) => return Ok(Proposed { record: *record, was_there: false }),
                Opened::Joined(record) => return Ok(Proposed { record: *record, was_there: true }),
                Opened::Again(why) => late = why,
                Opened::Twin => {}
            }
        }
        Err(not_admitted(&late).into())
    }

    /// Decides and records once.
    async fn open_once(&self, asked: &Asked, key: Option<IdempotencyKey>) -> Result<Opened, Stop> {
        let (step, decided_at) = self.decide_new(asked).await?;
        let (agent, intent) = (asked.proposal.chain.agent().to_owned(), step.record.binding.intent);
        if let State::Denied { .. } = step.record.state {
            self.0.limits.charge(&agent, Limit::Refusals)?;
        }
        if let State::Pending { .. } = step.record.state
            && !self.has_room(&agent).await?
        {
            // Joining takes no room.
            self.0.limits.count(&agent, Limit::OpenProposals);
            let full = Refusal::TooManyPending { agent, limit: self.limits().open_proposals };
            let joined = self.join(asked, intent, key).await?;
            return joined.map(|record| Opened::Joined(Box::new(record))).ok_or_else(|| full.into());
        }
        let (step, slot, admission) = match step.record.state {
            State::Ready { use_by } => {
                let system = &step.record.binding.rendering.resource.system;
                let slot = self.0.slots.take(system, &Party::agent(&agent));
                let slot = slot.ok_or(Refusal::Busy { retry_after_s: 1 })?;
                let owner = self.0.owner.clone();
                let admission = Admission { rules: asked.rules.digest(), decided_at, use_by, owner };
                (self.dispatched(step)?, Some(slot), Some(admission))
            }
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
            | State::Refused { .. } => (step, None, None),
        };
        let placed = Placed { key: key.clone(), joinable: true, admission };
        let twin = match self.place(step.clone(), placed.clone(), slot, asked.patience).await? {
            Placing::Done(opened) => return Ok(opened),
            Placing::Twin(slot) => slot,
        };
        if let Some(record) = self.join(asked, intent, key.clone()).await? {
            return Ok(Opened::Joined(Box::new(record)));
        }
        // With a key of its own it is another request than the one that runs: it opens beside it.
        if key.is_some_and(|key| !key.derived) {
            let beside = Placed { joinable: false, ..placed };
            if let Placing::Done(opened) = self.place(step, beside, twin, asked.patience).await? {
                return Ok(opened);
            }
        }
        Ok(Opened::Twin)
    }

    /// Commits an opening, and makes its call when it was dispatched.
    async fn place(
        &self,
        step: Step,
        placed: Placed,
        slot: Option<Slot>,
        patience: Option<Duration>,
    ) -> Result<Placing, Stop> {
        let unsent = step.record.clone();
        match self.0.store.offer(step, placed).await {
            Ok(Offered::Committed(committed)) => {
                let Committed { record, grant } = *committed;
                let record = match (grant, slot) {
                    (Some(grant), Some(slot)) => self.execute(record, grant, slot, patience).await,
                    (None | Some(_), _) => record,
                };
                Ok(Placing::Done(Opened::As(Box::new(record))))
            }
            Ok(Offered::NotAdmitted(why @ (NotAdmitted::TooOld | NotAdmitted::RulesChanged))) => {
                Ok(Placing::Done(Opened::Again(why)))
            }
            Ok(Offered::NotAdmitted(why)) => Err(not_admitted(&why).into()),
            Err(Stop::Refused(Refusal::Conflict { .. })) => Ok(Placing::Twin(slot)),
            // Its first request is being recorded in this moment: the next look finds it.
            Err(Stop::Refused(Refusal::IdempotencyKeyInProgress)) => Ok(Placing::Done(Opened::Twin)),
            Err(stop) => {
                if let Stop::Refused(Refusal::InDoubt { .. }) = &stop
                    && let State::Dispatched { attempt, .. } = &unsent.state
                {
                    self.remember_doubt(unsent.proposal.id, *attempt);
                }
                Err(stop)
            }
        }
    }

    /// The opening step of what policy allows, dispatched in the same commit.
    fn dispatched(&self, step: Step) -> Result<Step, Stop> {
        let record = &step.record;
        let event = self.dispatch_event(&record.binding, record.decision.clone());
        let dispatch = apply(record, &event, self.0.world.now())?;
        let apart = || Fault::new("dispatch what was opened", "the two steps do not belong together");
        Ok(step.then(dispatch).ok_or_else(apart)?)
    }

    /// The record that an earlier request with this idempotency key made or joined.
    async fn replay(&self, asked: &Asked, key: Option<&IdempotencyKey>) -> Result<Option<Record>, Stop> {
        let Some(key) = key else { return Ok(None) };
        let agent = asked.proposal.chain.agent();
        let Some(found) = self.0.store.replay(agent, &key.key).await? else { return Ok(None) };
        if found.request != key.request && found.request != asked.request_v2()? {
            return Err(Refusal::IdempotencyKeyReused.into());
        }
        let record = self.load_recorded(found.proposal).await?;
        if key.derived && !answers_again(&record, self.0.world.now()) {
            self.0.store.release_key(agent, &key.key, found.proposal).await?;
            return Ok(None);
        }
        Ok(Some(record))
    }

    /// An equal proposal by the same agent that waits, so that people are asked once; without a key also one that
    /// runs or whose outcome is unknown, so that nothing is done twice (T29, T95).
    async fn join(
        &self,
        asked: &Asked,
        intent: Digest,
        key: Option<IdempotencyKey>,
    ) -> Result<Option<Record>, Stop> {
        let proposal = &asked.proposal;
        let data = data::Joined {
            intent,
            request: key.as_ref().map(|key| key.request),
            reason: proposal.reason.clone(),
            run: proposal.run.clone(),
        };
        let actor = Actor::Agent { chain: proposal.chain.clone() };
        let entry = Entry::new(self.0.world.now(), actor, data);
        let key = key.filter(|_| !weakened("joined_key_kept"));
        let joining = Joining { agent: proposal.chain.agent().to_owned(), intent, key, entry };
        match self.0.store.join(joining).await? {
            Some(id) => Ok(Some(self.load_recorded(id).await?)),
            None => Ok(None),
        }
    }

    /// A proposal that is known to be recorded. When it cannot be read now, the answer still names it.
    async fn load_recorded(&self, id: ProposalId) -> Result<Record, Stop> {
        self.load(id).await.map_err(|stop| match stop {
            Stop::Fault(fault) => {
                tracing::error!(proposal = %id, error = %chain_text(&fault), "a recorded proposal cannot be read");
                Refusal::InDoubt { id }.into()
            }
            Stop::Refused(refusal) => refusal.into(),
        })
    }

    /// Who and what; a request that cannot become a proposal still leaves an entry (T120).
    async fn validate_or_note(&self, ask: &Proposal, id: ProposalId) -> Result<Asked, Stop> {
        let rules = self.ruleset();
        let chain = rules.directory.chain_proved(&ask.agent, &ask.proof, ask.on_behalf_of.as_deref());
        let answer = match &chain {
            Ok(chain) => self.validate(&rules, ask, chain, id),
            Err(refusal) => Err(Stop::Refused(refusal.clone())),
        };
        if let Err(Stop::Refused(refusal)) = &answer {
            self.0.limits.charge(&ask.agent, Limit::Refusals)?;
            self.note_invalid(ask, chain.ok(), refusal).await?;
        }
        answer
    }

    fn validate(
        &self,
        rules: &Arc<Ruleset>,
        ask: &Proposal,
        chain: &Chain,
        id: ProposalId,
    ) -> Result<Asked, Stop> {
        let action = Arc::clone(registered(rules, &ask.action)?);
        let input: CanonicalInput =
            action.validate(ask.input.clone()).map_err(|errors| Refusal::InvalidInput { errors })?;
        let proposal = CoreProposal {
            id,
            action: action.name.clone(),
            title: action.title.clone(),
            revision: action.revision,
            input,
            salts: Salts::new(|| self.0.world.random_hex::<16>()),
            could_be: rules.directory.could_be(chain),
            confirmed_at: None,
            chain: chain.clone(),
            undo: action.undo.clone(),
            reason: ask.reason.clone(),
            run: ask.run.clone(),
            evidence: ask.evidence.clone(),
            created_at: self.0.world.now(),
        };
        Ok(Asked { rules: Arc::clone(rules), action, proposal, patience: ask.patience })
    }

    /// Decides, and looks at the record when policy could permit it. What cannot be looked at is noted and
    /// refused: nobody could see what would change.
    async fn decide_new(&self, asked: &Asked) -> Result<(Step, Duration), Stop> {
        let Asked { rules, action, proposal, .. } = asked;
        let Bound { binding, decision, at } = match self.bind_new(rules, action, proposal).await {
            Ok(bound) => bound,
            Err(refusal) => {
                self.0.limits.charge(proposal.chain.agent(), Limit::Refusals)?;
                let data = data::Invalid {
                    agent: proposal.chain.agent().to_owned(),
                    action: proposal.action.to_string(),
                    input: Some(proposal.commitment()),
                    input_bytes: u64::try_from(proposal.input.bytes().len()).unwrap_or(u64::MAX),
                    code: refusal.code().to_owned(),
                    pointers: Vec::new(),
                };
                let actor = Actor::Agent { chain: proposal.chain.clone() };
                self.note(Entry::new(self.0.world.now(), actor, data)).await?;
                return Err(refusal.into());
            }
        };
        let standing = progress(rules, &decision, &[], proposal);
        let times = deadlines(rules, &decision, proposal.created_at);
        Ok((open(proposal.clone(), binding, decision, standing, times), at))
    }

    async fn note_invalid(
        &self,
        ask: &Proposal,
        chain: Option<Chain>,
        refusal: &Refusal,
    ) -> Result<(), Stop> {
        let pointers: Vec<String> = if let Refusal::InvalidInput { errors } = refusal {
            errors.iter().map(|e| e.pointer.clone()).collect()
        } else {
            Vec::new()
        };
        let data = data::Invalid {
            agent: ask.agent.clone(),
            action: ask.action.chars().take(limits::LABEL_BYTES_MAX).collect(),
            input: None,
            input_bytes: u64::try_from(canonical(&ask.input).len()).unwrap_or(u64::MAX),
            code: refusal.code().to_owned(),
            pointers,
        };
        let actor = chain.map_or(Actor::Gate, |chain| Actor::Agent { chain });
        self.note(Entry::new(self.0.world.now(), actor, data)).await
    }
}
