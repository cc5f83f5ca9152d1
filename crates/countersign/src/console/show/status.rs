//! Where a proposal is, in words for people.

use countersign_core::directory::Directory;
use countersign_core::outcome::Response;
use countersign_core::proposal::{Record, StateName};
use countersign_core::time::Timestamp;

use super::text::{Block, Eye, Text, Time};
use crate::surface::{label, message_for_person};

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
        sentence: eye.text(&message_for_person(record, directory)),
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
