//! What the surfaces share: who is calling, how a body and a query are read, what is said about a proposal, and how a
//! refusal looks. `http`, `mcp`, `console` and `cli` know this and the verbs, and never each other.

mod agent_view;
pub(crate) mod auth;
mod body;
mod changes;
mod codes;
mod find;
mod header;
mod message;
mod person_view;
mod problem;
mod query;
mod reach;
mod waited;
mod words;

use std::sync::Arc;

use countersign_engine::gate::Gate;
use countersign_engine::token::Issuers;

pub(crate) use agent_view::{for_agent, for_dry_run, message_for_agent, summary_for_agent};
pub(crate) use body::{proposal, read_body, read_limited, read_whole, shape, verdict};
pub(crate) use changes::{Changed, Changes, FieldValue, changes};
pub(crate) use codes::{ErrorCode, of_outcomes, of_refusals, of_surface};
pub(crate) use find::{list_filter, log_filter, state};
pub(crate) use header::{Repeated, only};
pub(crate) use message::{actor, message_for_person, person_name};
pub(crate) use person_view::{for_person, log_about, log_entry, log_entry_about, made_at, summary, why_not};
pub(crate) use problem::{Problem, ProblemText, RefusalCode, ended, not_found, problem, wrong_method};
pub(crate) use query::{Parameter, ParameterKind, Query, proposal_id};
pub(crate) use reach::reachable;
pub(crate) use waited::after_waiting;
pub(crate) use words::{IRREVERSIBLE, OUTSIDE, if_sent_twice, is_irreversible, label, meaning, touched, why};

/// What every handler may use.
#[derive(Debug, Clone)]
pub(crate) struct App {
    /// The gate.
    pub(crate) gate: Gate,
    /// Whose access tokens agents may present.
    pub(crate) issuers: Issuers,
    /// The console's address as people type it.
    pub(crate) people_url: Arc<str>,
}
