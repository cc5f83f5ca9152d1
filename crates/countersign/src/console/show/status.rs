//! Where a proposal is, in words for people.

use countersign_core::audit::Actor;
use countersign_core::directory::Directory;
use countersign_core::outcome::Response;
use countersign_core::proposal::{Clock, Record, State, StateName};
use countersign_core::time::Timestamp;

use super::person_name;
use super::text::{Block, Eye, Text, Time};
use crate::surface::label;

/// What the status box shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Status {
    pub(crate) label: &'static str,
    pub(crate) tone: &'static str,
    pub(crate) sentence: Text,
    pub(crate) due: Option<Time>,
    pub(crate) due_label: &'static str,
    pub(crate) answer: Option<StatusAnswer>,
}

/// What the upstream answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StatusAnswer {
    pub(crate) status: u16,
    pub(crate) content_type: Text,
    pub(crate) body: Block,
    pub(crate) scrubbed: bool,
}

/// The colour of a state; its label always stands beside it.
pub(crate) const fn tone(state: StateName) -> &'static str {
    match state {
        StateName::Pending => "amber",
        StateName::Ready | StateName::Dispatched => "blue",
        StateName::Succeeded => "green",
        StateName::Failed | StateName::Denied | StateName::Rejected | StateName::Refused => "red",
        StateName::Unknown => "violet",
        StateName::Expired | StateName::Cancelled | StateName::Superseded => "grey",
    }
}

/// The status of a record.
pub(crate) fn status(record: &Record, directory: &Directory, now: Timestamp) -> Status {
    let eye = Eye::default();
    let state = &record.state;
    Status {
        label: label(state.name()),
        tone: tone(state.name()),
        sentence: eye.text(&sentence(record, directory)),
        due: record.due().map(|at| Time::new(at, now)),
        due_label: if state.name() == StateName::Pending { "Decide by" } else { "Used by" },
        answer: record.response.as_ref().map(|response| answered(response, &eye)),
    }
}

fn answered(response: &Response, eye: &Eye) -> StatusAnswer {
    StatusAnswer {
        status: response.status,
        content_type: eye.text(&response.content_type),
        body: eye.json(&response.body),
        scrubbed: response.scrubbed,
    }
}

fn sentence(record: &Record, directory: &Directory) -> String {
    match &record.state {
        State::Pending { .. } => "Nothing has been done. It waits for people.".to_owned(),
        State::Ready { .. } => "Everything it needs is there. The gate is about to send it.".to_owned(),
        State::Dispatched { .. } => "The request was sent. The answer has not come yet.".to_owned(),
        State::Succeeded { .. } => "The upstream says that it is done.".to_owned(),
        State::Failed { cause, .. } => format!("It was not done: {}.", cause.to_text()),
        State::Unknown { cause, .. } => format!(
            "Nobody knows whether it was done: {}. It is not sent again; look at the upstream.",
            cause.to_text()
        ),
        State::Denied { .. } => match &record.decision.detail {
            Some(detail) => format!("It was denied: {detail}."),
            None => "Policy refuses it, and no approval can change that.".to_owned(),
        },
        State::Rejected { by, reason, .. } if reason.is_empty() => {
            format!("{} rejected it.", person_name(directory, by))
        }
        State::Rejected { by, reason, .. } => {
            format!("{} rejected it: {reason}", person_name(directory, by))
        }
        State::Expired { clock: Clock::DecideBy, .. } => crate::surface::undecided(record).to_owned(),
        State::Expired { clock: Clock::UseBy, .. } => {
            "It was allowed, but could not be sent in time.".to_owned()
        }
        State::Cancelled { by, .. } => format!("{} withdrew it.", actor(by, directory)),
        State::Superseded { by, .. } => format!("{by} took its place."),
        State::Refused { detail, .. } => format!("It will never run: {detail}."),
    }
}

/// Who caused something.
pub(super) fn actor(actor: &Actor, directory: &Directory) -> String {
    match actor {
        Actor::Agent { chain } => {
            let agent = chain.agent();
            let title = directory.agent(agent).map_or(agent, |a| a.title.as_str());
            chain.person().map_or_else(
                || title.to_owned(),
                |person| format!("{title} for {}", person_name(directory, person)),
            )
        }
        Actor::Person { id } => person_name(directory, id),
        Actor::Gate => "The gate".to_owned(),
    }
}
