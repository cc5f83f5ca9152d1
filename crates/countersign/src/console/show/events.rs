//! Log entries as people read them (T121: what is in them is only ever text).

use askama::Template;
use askama::filters::HtmlSafe;
use countersign_core::audit::{EVENT_CODES, EventCode, StoredEntry};
use countersign_core::directory::Directory;
use countersign_core::time::Timestamp;
use countersign_engine::store::LoggedEntry;

use super::status::actor;
use super::text::{Block, Eye, Text, Time};

/// A list of entries.
#[derive(Debug, Clone, PartialEq, Eq, Template)]
#[template(path = "console/events.html")]
pub(crate) struct Events {
    pub(crate) events: Vec<Event>,
}

impl HtmlSafe for Events {}

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    index: Option<u64>,
    what: &'static str,
    code: String,
    who: Text,
    at: Time,
    proposal: Option<String>,
    data: Block,
}

/// Entries in their order. `linked`: whether each says which proposal it is about.
pub(crate) fn events(logged: &[LoggedEntry], directory: &Directory, now: Timestamp, linked: bool) -> Events {
    Events { events: logged.iter().map(|entry| event(entry, directory, now, linked)).collect() }
}

fn event(logged: &LoggedEntry, directory: &Directory, now: Timestamp, linked: bool) -> Event {
    let eye = Eye::default();
    let Ok(entry) = StoredEntry::from_bytes(&logged.body) else {
        // An entry of a version this console does not know is still shown, as it is.
        return Event {
            index: logged.index,
            what: "An entry that this console cannot read",
            code: String::new(),
            who: eye.text(""),
            at: Time::new(now, now),
            proposal: None,
            data: eye.block(&String::from_utf8_lossy(&logged.body)),
        };
    };
    let what = EVENT_CODES.iter().find(|(code, _)| *code == entry.event).map_or("", |(_, meaning)| meaning);
    Event {
        index: logged.index,
        what,
        code: entry.event.to_string(),
        who: eye.text(&actor(&entry.actor, directory)),
        at: Time::new(entry.at, now),
        proposal: entry.proposal.filter(|_| linked).map(|id| id.to_string()),
        data: eye.json(&entry.data),
    }
}

/// Why the proposal was last decided again, if it was: the gate's own words in the log.
pub(crate) fn last_revision(logged: &[LoggedEntry]) -> Option<String> {
    logged.iter().rev().find_map(|entry| {
        let entry = StoredEntry::from_bytes(&entry.body).ok()?;
        let because = entry.data.get("because")?.as_str()?;
        matches!(entry.event, EventCode::Revised | EventCode::Confirmed).then(|| because.to_owned())
    })
}
