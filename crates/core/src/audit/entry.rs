//! One audit record. Codes and fields are stable: auditors build on them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{EventCode, EventData};
use crate::approval::Approval;
use crate::directory::Chain;
use crate::id::ProposalId;
use crate::json::{self, NotCanonical};
use crate::time::Timestamp;

/// The version of entries that this build writes. It reads this one and the one before.
pub const ENTRY_VERSION: u8 = 2;

/// Who caused an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Actor {
    /// An agent, with its whole identity chain.
    Agent {
        /// Who acts, root first.
        chain: Chain,
    },
    /// A person who proved who they are.
    Person {
        /// Name in the directory.
        id: String,
    },
    /// The gate itself: expiry, dispatch, outcome.
    Gate,
}

/// One audit record. It holds digests and commitments; payloads live beside it and may be erased (T122).
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// When, by the gate's clock, in microseconds since the Unix epoch.
    pub at: Timestamp,
    /// Which proposal, if any.
    pub proposal: Option<ProposalId>,
    /// The proposal's version after the event; 0 when there is none.
    pub version: u32,
    /// Who caused it.
    pub actor: Actor,
    /// What happened.
    pub data: EventData,
}

/// An entry as it is written.
#[derive(Serialize)]
struct WrittenEntry<'a> {
    v: u8,
    at: Timestamp,
    event: EventCode,
    proposal: Option<ProposalId>,
    version: u32,
    actor: &'a Actor,
    data: &'a EventData,
}

/// An entry of a known version as it stands in the log, for lists and for comparing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StoredEntry {
    /// The version of its format.
    pub v: u8,
    /// When.
    pub at: Timestamp,
    /// What happened.
    pub event: EventCode,
    /// Which proposal, if any.
    pub proposal: Option<ProposalId>,
    /// The proposal's version after the event; 0 when it moved nothing.
    pub version: u32,
    /// Who caused it.
    pub actor: Actor,
    /// The event's own fields, by the shape of that version.
    pub data: Value,
}

impl StoredEntry {
    /// Reads an entry of this version or the one before. The error names what is not known in it.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        let entry: Self = serde_json::from_slice(bytes).map_err(|e| unreadable(&e))?;
        match entry.v {
            1 | ENTRY_VERSION => Ok(entry),
            v => Err(format!("version {v} of entries is not known")),
        }
    }

    /// The approval that it records, if it is one.
    pub fn approval(&self) -> Option<Approval> {
        let approval = self.data.get("approval").filter(|_| self.event == EventCode::Approved)?;
        Approval::deserialize(approval).ok()
    }
}

fn unreadable(error: &serde_json::Error) -> String {
    format!("the entry cannot be read: {error}")
}

impl Entry {
    /// An entry that is about no proposal.
    pub fn new(at: Timestamp, actor: Actor, data: impl Into<EventData>) -> Self {
        Self { at, proposal: None, version: 0, actor, data: data.into() }
    }

    /// The same, about one version of a proposal.
    #[must_use]
    pub fn about(mut self, proposal: ProposalId, version: u32) -> Self {
        self.proposal = Some(proposal);
        self.version = version;
        self
    }

    /// What happened.
    pub fn event(&self) -> EventCode {
        self.data.code()
    }

    /// The canonical bytes that are stored and hashed.
    pub fn to_bytes(&self) -> Result<Vec<u8>, NotCanonical> {
        let Self { at, proposal, version, actor, data } = self;
        json::canonical_of(&WrittenEntry {
            v: ENTRY_VERSION,
            at: *at,
            event: data.code(),
            proposal: *proposal,
            version: *version,
            actor,
            data,
        })
    }

    /// Reads an entry of the version that this build writes. The error names what is not known in it.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        let StoredEntry { v, at, event, proposal, version, actor, data } = StoredEntry::from_bytes(bytes)?;
        if v != ENTRY_VERSION {
            return Err(format!("version {v} of entries is the one before this build's"));
        }
        let data = EventData::read(event, data).map_err(|e| unreadable(&e))?;
        Ok(Self { at, proposal, version, actor, data })
    }
}
