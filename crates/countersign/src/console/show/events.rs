//! Log entries as people read them (T121: what is in them is only ever text).

use askama::Template;
use askama::filters::HtmlSafe;
use countersign_core::audit::{EventCode, StoredEntry};
use countersign_core::directory::Directory;
use countersign_core::time::Timestamp;
use countersign_engine::store::LoggedEntry;

use super::text::{Block, Eye, Text, Time};
use crate::surface::actor;

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
    about: Option<EventAbout>,
    data: Block,
}

/// The proposal that an entry is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EventAbout {
    pub(super) action: Text,
    pub(super) headline: Option<Text>,
    pub(super) money: Option<Text>,
}

/// Entries of many proposals in their order, each with what its proposal is about.
pub(crate) fn found_events(
    found: &[(LoggedEntry, Option<EventAbout>)],
    directory: &Directory,
    now: Timestamp,
) -> Events {
    let shown = |(logged, about): &(LoggedEntry, Option<EventAbout>)| {
        let shown = event(logged, directory, now, true);
        Event { about: about.clone().or(shown.about), ..shown }
    };
    Events { events: found.iter().map(shown).collect() }
}

/// Entries of one proposal in their order.
pub(crate) fn events(logged: &[LoggedEntry], directory: &Directory, now: Timestamp) -> Events {
    Events { events: logged.iter().map(|entry| event(entry, directory, now, false)).collect() }
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
            about: None,
            data: eye.block(&String::from_utf8_lossy(&logged.body)),
        };
    };
    // What never became a proposal names its action itself.
    let own = entry.data.get("action").and_then(|action| action.as_str()).filter(|_| linked);
    let about = own.map(|action| EventAbout { action: eye.text(action), headline: None, money: None });
    Event {
        index: logged.index,
        what: entry.event.meaning(),
        code: entry.event.to_string(),
        who: eye.text(&actor(&entry.actor, directory)),
        at: Time::new(entry.at, now),
        proposal: entry.proposal.filter(|_| linked).map(|id| id.to_string()),
        about,
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
