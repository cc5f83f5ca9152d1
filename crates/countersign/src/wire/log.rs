//! What auditors and operators are told.

use std::collections::BTreeMap;

use countersign_core::action::Risk;
use countersign_core::audit::StoredEntry;
use countersign_core::proposal::StateName;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A page of the log.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct LogEntries {
    /// In the order that was asked for.
    pub(crate) entries: Vec<LogEntry>,
    /// `from` of the next page, or `before` with the newest first; none on the last one.
    pub(crate) next: Option<u64>,
    /// How far the search came, when it came to its bound before the page was full. More may be found from `next` on.
    #[schemars(extend("format" = "date-time"))]
    pub(crate) searched_to: Option<String>,
}

/// One entry.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct LogEntry {
    /// Its index in the Merkle log; none until it was integrated.
    pub(crate) index: Option<u64>,
    /// What it says; none when this build cannot read it. The export has its bytes.
    pub(crate) entry: Option<StoredEntry>,
    /// The proposal that it is about, as it is now; none when there is none, and in the history of one proposal.
    pub(crate) about: Option<LogAbout>,
}

/// The proposal that an entry is about.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct LogAbout {
    /// Its action.
    pub(crate) action: String,
    /// What, on which thing, where; shortened.
    pub(crate) headline: String,
    /// Typed risk, with the amount.
    pub(crate) risk: Risk,
}

/// What there is, and what this process did.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Counts {
    /// Proposals in each state.
    #[serde(rename = "counts")]
    #[schemars(with = "BTreeMap<String, u64>")]
    pub(crate) proposals: BTreeMap<StateName, u64>,
    /// What this process has written.
    pub(crate) writes: Writes,
    /// Statements that this process has read with.
    pub(crate) reads: u64,
    /// Sign-in rows that were found altered.
    pub(crate) altered_sign_in_rows: u64,
}

/// What was written.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Writes {
    /// Transactions.
    pub(crate) commits: u64,
    /// Statements in them.
    pub(crate) statements: u64,
    /// Bytes of values.
    pub(crate) bytes: u64,
}

/// Whether the gate lets anything through.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Ready {
    /// As bad as the worst part.
    pub(crate) status: ReadyStatus,
    /// `store`, `log`, `rules`, `secrets`, `durability`.
    pub(crate) parts: BTreeMap<String, ReadyPart>,
}

/// How the gate or a part of it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ReadyStatus {
    /// As it should be.
    Ready,
    /// Some actions fail; the others go on.
    Degraded,
    /// Nothing is let through.
    NotReady,
}

/// One part of that.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ReadyPart {
    /// How it is.
    pub(crate) status: ReadyStatus,
    /// What is the matter with it.
    pub(crate) detail: String,
}
