//! The shapes on the wire: plain structs, used by the handlers, the command line's client, the OpenAPI documents and
//! the tests. They know nothing of requests, the engine or each other's surfaces.
//!
//! Times are RFC 3339 in UTC unless a field says microseconds. Requests refuse what they do not know, by name;
//! answers may grow, so clients should ignore what they do not know.

mod agent;
mod log;
mod person;
mod problem;
mod request;
mod resource;

pub(crate) use agent::{
    ActionList, ActionShape, Advice, AgentCause, AgentPage, AgentProposal, AgentSummary, AgentUndo, Because,
    Need, PreviewHead, SentCall,
};
pub(crate) use log::{Counts, LogAbout, LogEntries, LogEntry, Ready, ReadyPart, ReadyStatus, Writes};
pub(crate) use person::{
    AgentWords, Done, GivenApproval, Me, NewSession, PersonPage, PersonProposal, PersonSummary,
};
pub(crate) use problem::{NowBound, ProblemBody};
pub(crate) use request::{ConfirmBody, ProposeBody, SignInBody, VerdictBody};
pub(crate) use resource::ProtectedResource;
