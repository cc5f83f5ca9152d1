//! The life of a proposal: one enum of states, one function that moves it.
//!
//! `apply` is the only way from one state to another. It matches every pair of state and event, so a new
//! state or event does not compile until somebody has said what happens. The whole matrix is a snapshot
//! test and is printed in ARCHITECTURE.md.

mod apply;
mod event;
mod parts;
mod state;
#[cfg(test)]
mod tests;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::action::{ActionName, Rendering, Undo};
use crate::approval::{Approval, ProposedBy};
use crate::audit::Entry;
use crate::decision::Decision;
use crate::digest::Digest;
use crate::directory::Chain;
use crate::id::{AttemptId, ProposalId};
use crate::intent::{Intent, IntentVersion};
use crate::json::{CanonicalInput, NotCanonical};
use crate::outcome::Response;
use crate::preview::Preview;
use crate::time::Timestamp;

pub use apply::{apply, late_result, open};
pub use event::{Event, EventName, Revision};
pub use parts::{NewPart, PartName, PartRef, Salts, StoredParts};
pub use state::{Clock, RefusedCode, State, StateName};

/// What an agent attached to show why: shown apart from the rest, never part of what is bound.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// What it is, in the agent's words.
    pub title: String,
    /// The thing itself.
    pub body: Value,
}

/// One request to run one action with one input, by one identity chain. Only the proof of the chain ever changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proposal {
    /// `prp_…`.
    pub id: ProposalId,
    /// The action.
    pub action: ActionName,
    /// The action's title, from the registry.
    pub title: String,
    /// Digest of the action's manifest.
    pub revision: Digest,
    /// The validated input.
    pub input: CanonicalInput,
    /// What makes the digests of its parts unguessable.
    pub salts: Salts,
    /// Who acts. Changes once at most: when the person in it confirms it.
    pub chain: Chain,
    /// Everybody whom the agents of the chain could have named when it was proposed, sorted. They do not
    /// approve it while the chain is only claimed.
    pub could_be: Vec<String>,
    /// When the person in the chain confirmed it.
    pub confirmed_at: Option<Timestamp>,
    /// What the manifest says about going back.
    pub undo: Undo,
    /// The agent's own words. Never shown as a fact (T28).
    pub reason: Option<String>,
    /// The agent's run, an opaque label.
    pub run: Option<String>,
    /// What the agent attached.
    pub evidence: Vec<Evidence>,
    /// When it was proposed.
    pub created_at: Timestamp,
}

impl Proposal {
    /// Who proposes it, as approval rules look at it.
    pub fn proposed_by(&self) -> ProposedBy<'_> {
        ProposedBy { chain: &self.chain, could_be: &self.could_be }
    }

    /// The same proposal after the person in its chain has confirmed it. None when it names nobody, or is
    /// confirmed already.
    pub fn confirmed(&self, now: Timestamp) -> Option<Self> {
        let chain = self.chain.confirmed().filter(|_| !self.chain.is_confirmed())?;
        Some(Self { chain, confirmed_at: Some(now), ..self.clone() })
    }

    /// The intent digest of this proposal with this rendering, by the format of this version.
    pub fn intent(&self, rendering: &Rendering, version: IntentVersion) -> Result<Digest, NotCanonical> {
        Intent {
            version,
            action: &self.action,
            revision: &self.revision,
            input: &self.input,
            chain: &self.chain,
            rendering,
            proposal_id: &self.id.to_string(),
        }
        .digest()
    }
}

/// What is bound right now: the rendering, what people are shown, and the digest over both.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Binding {
    /// Everything that is sent and everything that must hold.
    pub rendering: Rendering,
    /// What people are shown.
    pub preview: Preview,
    /// The intent digest.
    pub intent: Digest,
    /// By which format it was made. Approvals answer to that digest, so it stays while nothing that it covers changes.
    pub version: IntentVersion,
}

impl Binding {
    /// Binds rendering and preview of a proposal.
    pub fn new(proposal: &Proposal, rendering: Rendering, preview: Preview) -> Result<Self, NotCanonical> {
        Self::by(IntentVersion::CURRENT, proposal, rendering, preview)
    }

    /// The same by the format of another version: to compare it with what was bound before an upgrade.
    pub fn by(
        version: IntentVersion,
        proposal: &Proposal,
        rendering: Rendering,
        preview: Preview,
    ) -> Result<Self, NotCanonical> {
        let intent = proposal.intent(&rendering, version)?;
        Ok(Self { rendering, preview, intent, version })
    }
}

/// A proposal with everything that has become of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// The proposal itself.
    pub proposal: Proposal,
    /// What is bound now.
    pub binding: Binding,
    /// What policy last said.
    pub decision: Decision,
    /// Every approval ever given, also those that no longer count.
    pub approvals: Vec<Approval>,
    /// Where it is.
    pub state: State,
    /// What the upstream answered, if it did.
    pub response: Option<Response>,
    /// How often it has moved; guards every write.
    pub version: u32,
    /// Which of its parts are stored.
    pub parts: StoredParts,
}

impl Record {
    /// The approvals that answer to what is bound now.
    pub fn standing_approvals(&self) -> Vec<&Approval> {
        self.approvals.iter().filter(|a| a.answers_to(&self.binding.intent, &self.decision.digest)).collect()
    }

    /// Whether what is stored as bound is what its intent digest covers. A record that somebody altered beside
    /// the gate is not, and must never run (T01).
    pub fn is_intact(&self) -> bool {
        let Binding { rendering, intent, version, .. } = &self.binding;
        self.proposal.intent(rendering, *version).is_ok_and(|found| found == *intent)
    }

    /// The one attempt, once it was dispatched.
    pub fn attempt(&self) -> Option<AttemptId> {
        match &self.state {
            State::Dispatched { attempt, .. }
            | State::Succeeded { attempt, .. }
            | State::Failed { attempt, .. }
            | State::Unknown { attempt, .. } => Some(*attempt),
            State::Denied { .. }
            | State::Pending { .. }
            | State::Ready { .. }
            | State::Rejected { .. }
            | State::Expired { .. }
            | State::Cancelled { .. }
            | State::Superseded { .. }
            | State::Refused { .. } => None,
        }
    }

    /// Since when nothing can happen to it any more without a person; none while something can.
    pub fn settled_at(&self) -> Option<Timestamp> {
        match &self.state {
            State::Denied { .. } => Some(self.proposal.created_at),
            State::Succeeded { at, .. }
            | State::Failed { at, .. }
            | State::Unknown { at, .. }
            | State::Rejected { at, .. }
            | State::Expired { at, .. }
            | State::Cancelled { at, .. }
            | State::Superseded { at, .. }
            | State::Refused { at, .. } => Some(*at),
            State::Pending { .. } | State::Ready { .. } | State::Dispatched { .. } => None,
        }
    }

    /// When the gate must act on it by itself: the deadline of an open proposal.
    pub fn due(&self) -> Option<Timestamp> {
        match &self.state {
            State::Pending { decide_by, .. } => Some(*decide_by),
            State::Ready { use_by } => Some(*use_by),
            State::Denied { .. }
            | State::Dispatched { .. }
            | State::Succeeded { .. }
            | State::Failed { .. }
            | State::Unknown { .. }
            | State::Rejected { .. }
            | State::Expired { .. }
            | State::Cancelled { .. }
            | State::Superseded { .. }
            | State::Refused { .. } => None,
        }
    }
}

/// One commit: the record as it becomes, and the log entries of the moves that lead there, in order. Usually
/// one move; what policy allows is opened and dispatched at once.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The record after the move.
    pub record: Record,
    /// Version before the move; 0 when the proposal is new.
    pub from_version: u32,
    /// State before the move; none when the proposal is new.
    pub from: Option<StateName>,
    /// What the log says about it: one entry for each version that it makes.
    pub entries: Vec<Entry>,
}

impl Step {
    /// This step and the next one as one. None when the next one does not begin where this one ends.
    pub fn then(self, next: Self) -> Option<Self> {
        let fits = next.from_version == self.record.version
            && next.from == Some(self.record.state.name())
            && next.record.proposal.id == self.record.proposal.id;
        let entries = self.entries.into_iter().chain(next.entries).collect();
        fits.then_some(Self {
            record: next.record,
            from_version: self.from_version,
            from: self.from,
            entries,
        })
    }
}
