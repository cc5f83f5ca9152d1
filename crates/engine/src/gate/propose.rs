//! `propose`: an agent asks for one action with one input. Top to bottom: who, what, look, decide, record,
//! and run at once when policy allows it.

use std::sync::Arc;

use countersign_core::action::{Action, Undo};
use countersign_core::audit::{Actor, Entry, EventCode};
use countersign_core::decision::Verdict;
use countersign_core::digest::Digest;
use countersign_core::directory::Chain;
use countersign_core::json::CanonicalInput;
use countersign_core::limits;
use countersign_core::proposal::{Binding, Evidence, Proposal as CoreProposal, Record, State, Step, open};
use countersign_core::refusal::Refusal;
use countersign_core::ruleset::Ruleset;
use serde_json::{Value, json};
use tracing::instrument;

use super::Gate;
use super::decide::{deadlines, progress, registered};
use crate::fault::Stop;
use crate::store::IdempotencyKey;

/// What an agent asks for. The agent itself was authenticated by the surface.
#[derive(Debug, Clone)]
pub struct Proposal {
    /// The agent that holds the key, by name in the directory.
    pub agent: String,
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
    pub key: Option<IdempotencyKey>,
}

/// A proposal as it stands, and whether it stood already.
#[derive(Debug, Clone)]
pub struct Proposed {
    /// The record.
    pub record: Record,
    /// True when an earlier, equal request made it.
    pub existing: bool,
    /// For a denied one: what this chain may propose instead on the same system, by name.
    pub nearest: Vec<String>,
}

/// The answer to a dry run.
#[derive(Debug, Clone)]
pub struct Previewed {
    /// What the record would have been. It has an id, but nothing is stored under it.
    pub record: Record,
    /// As in [`Proposed`].
    pub nearest: Vec<String>,
}

/// A validated request, before anything was read or decided.
struct Asked {
    rules: Arc<Ruleset>,
    action: Arc<Action>,
    proposal: CoreProposal,
}

impl Gate {
    /// Proposes: validates, looks, decides, records, and runs it at once when policy allows.
    #[instrument(name = "gate.propose", skip_all, fields(action = %ask.action, agent = %ask.agent))]
    pub async fn propose(&self, ask: Proposal) -> Result<Proposed, Stop> {
        let gate = self.clone();
        self.detached(Box::pin(async move { gate.propose_inner(ask).await })).await
    }

    /// Validates, looks and decides, and records only that it did. Never becomes executable.
    #[instrument(name = "gate.preview", skip_all, fields(action = %ask.action, agent = %ask.agent))]
    pub async fn preview(&self, ask: Proposal) -> Result<Previewed, Stop> {
        let gate = self.clone();
        self.detached(async move {
            let asked = gate.validate_or_note(&ask).await?;
            let record = gate.decide_new(&asked).await?.record;
            let entry = Entry::new(
                gate.0.world.now(),
                EventCode::Previewed,
                Actor::Agent { chain: record.proposal.chain.clone() },
                json!({
                    "action": record.proposal.action,
                    "input": record.proposal.commitment(),
                    "intent": record.binding.intent,
                    "decision": record.decision,
                }),
            );
            gate.note(entry).await?;
            let nearest = nearest(&asked.rules, &record);
            Ok(Previewed { record, nearest })
        })
        .await
    }

    async fn propose_inner(&self, ask: Proposal) -> Result<Proposed, Stop> {
        if let Some(record) = self.replay(&ask).await? {
            return Ok(self.repeated(record));
        }
        let asked = self.validate_or_note(&ask).await?;
        let step = self.decide_new(&asked).await?;
        let nearest = nearest(&asked.rules, &step.record);
        let (agent, intent) = (ask.agent.clone(), step.record.binding.intent);
        if let State::Pending { .. } = step.record.state
            && !self.has_room(&agent).await?
        {
            // Joining takes no room.
            let full = Refusal::TooManyPending { agent: agent.clone(), limit: limits::OPEN_PER_AGENT_MAX };
            let record = self.joinable(&agent, &intent).await?.ok_or(full)?;
            return Ok(Proposed { record, existing: true, nearest });
        }
        let record = match self.0.store.commit(step, ask.key.clone()).await {
            Ok(committed) => committed.record,
            // A twin was faster, with the same key or for the same effect: its record is the answer.
            Err(Stop::Refused(lost @ (Refusal::IdempotencyKeyInProgress | Refusal::Conflict { .. }))) => {
                if let Some(twin) = self.replay(&ask).await? {
                    return Ok(self.repeated(twin));
                }
                // The twin was decided in this very moment: there is nothing to join, and asking again opens one.
                let gone = if ask.key.is_some() { lost } else { Refusal::Busy { retry_after_s: 1 } };
                let record = self.joinable(&agent, &intent).await?.ok_or(gone)?;
                return Ok(Proposed { record, existing: true, nearest });
            }
            Err(other) => return Err(other),
        };
        let record = if let State::Ready { .. } = record.state {
            Box::pin(self.dispatch(record)).await?
        } else {
            record
        };
        Ok(Proposed { record, existing: false, nearest })
    }

    /// The answer to a repeated request: what the first one made, with the hints that hold now.
    fn repeated(&self, record: Record) -> Proposed {
        let nearest = nearest(&self.ruleset(), &record);
        Proposed { record, existing: true, nearest }
    }

    /// The record that an earlier request with this idempotency key made.
    async fn replay(&self, ask: &Proposal) -> Result<Option<Record>, Stop> {
        let Some(key) = &ask.key else { return Ok(None) };
        let Some(found) = self.0.store.replay(&ask.agent, &key.key).await? else { return Ok(None) };
        if found.request == key.request {
            Ok(Some(self.load(found.proposal).await?))
        } else {
            Err(Refusal::IdempotencyKeyReused.into())
        }
    }

    /// A pending proposal for the same effect by the same agent: it is joined, so people are asked once (T29, T95).
    async fn joinable(&self, agent: &str, intent: &Digest) -> Result<Option<Record>, Stop> {
        match self.0.store.joinable(agent, intent).await? {
            Some(id) => Ok(Some(self.load(id).await?)),
            None => Ok(None),
        }
    }

    /// Who and what; a request that cannot become a proposal still leaves an entry (T120).
    async fn validate_or_note(&self, ask: &Proposal) -> Result<Asked, Stop> {
        let rules = self.ruleset();
        let chain = rules.directory.chain(&ask.agent, ask.on_behalf_of.as_deref());
        let answer = match &chain {
            Ok(chain) => self.validate(&rules, ask, chain),
            Err(refusal) => Err(Stop::Refused(refusal.clone())),
        };
        if let Err(Stop::Refused(refusal)) = &answer {
            self.note_invalid(ask, chain.ok(), refusal).await?;
        }
        answer
    }

    fn validate(&self, rules: &Arc<Ruleset>, ask: &Proposal, chain: &Chain) -> Result<Asked, Stop> {
        let action = Arc::clone(registered(rules, &ask.action)?);
        let input: CanonicalInput =
            action.validate(ask.input.clone()).map_err(|errors| Refusal::InvalidInput { errors })?;
        let proposal = CoreProposal {
            id: self.0.world.id(),
            action: action.name.clone(),
            title: action.title.clone(),
            revision: action.revision,
            input,
            salt: self.0.world.random_hex::<16>(),
            could_be: rules.directory.could_be(chain),
            confirmed_at: None,
            chain: chain.clone(),
            undo: Undo { why: action.undo.why.clone() },
            reversible: action.reversible,
            reason: ask.reason.clone(),
            run: ask.run.clone(),
            evidence: ask.evidence.clone(),
            created_at: self.0.world.now(),
        };
        Ok(Asked { rules: Arc::clone(rules), action, proposal })
    }

    /// Looks and decides. What cannot be looked at is noted and refused: nobody could see what would change.
    async fn decide_new(&self, asked: &Asked) -> Result<Step, Stop> {
        let Asked { rules, action, proposal } = asked;
        let binding: Binding = match self.see(action, proposal).await {
            Ok(binding) => binding,
            Err(refusal) => {
                let data = json!({ "action": proposal.action, "input": proposal.commitment(), "code": refusal.code() });
                let actor = Actor::Agent { chain: proposal.chain.clone() };
                self.note(Entry::new(self.0.world.now(), EventCode::Invalid, actor, data)).await?;
                return Err(refusal.into());
            }
        };
        let decision = self.decide(rules, action, proposal, &binding);
        let standing = progress(rules, &decision, &[], proposal);
        let times = deadlines(rules, &decision, proposal.created_at);
        Ok(open(proposal.clone(), binding, decision, standing, times))
    }

    async fn note_invalid(
        &self,
        ask: &Proposal,
        chain: Option<Chain>,
        refusal: &Refusal,
    ) -> Result<(), Stop> {
        let errors: Vec<&str> = if let Refusal::InvalidInput { errors } = refusal {
            errors.iter().map(|e| e.pointer.as_str()).collect()
        } else {
            Vec::new()
        };
        let data = json!({
            "agent": ask.agent,
            "action": ask.action.chars().take(limits::LABEL_BYTES_MAX).collect::<String>(),
            "input_bytes": countersign_core::json::canonical(&ask.input).len(),
            "code": refusal.code(),
            "pointers": errors,
        });
        let actor = chain.map_or(Actor::Gate, |chain| Actor::Agent { chain });
        self.note(Entry::new(self.0.world.now(), EventCode::Invalid, actor, data)).await
    }
}

/// What this chain may propose instead of a denied action: the other actions of the same system that some
/// permit could reach. A hint, not a promise; the decision is made when it is proposed.
fn nearest(rules: &Ruleset, record: &Record) -> Vec<String> {
    if !matches!(record.decision.verdict, Verdict::Deny { .. }) {
        return Vec::new();
    }
    let proposal = &record.proposal;
    let system = &record.binding.facts.resource.system;
    let of_system = |name: &str| rules.registry.get(name).is_some_and(|a| a.system.name == *system);
    rules
        .policies
        .reachable(&proposal.chain, &rules.directory, &rules.registry)
        .into_iter()
        .filter(|name| *name != proposal.action && of_system(name.as_str()))
        .map(|name| name.to_string())
        .collect()
}
