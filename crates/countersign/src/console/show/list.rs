//! Lists of proposals: the inbox, the history, the log's page.

use askama::Template;
use askama::filters::HtmlSafe;
use countersign_core::proposal::{Record, StateName};
use countersign_core::time::Timestamp;
use countersign_core::view::Card;

use super::Chrome;
use super::card::{Link, chain};
use super::events::{EventAbout, Events};
use super::find::{FilterForm, Further};
use super::status::tone;
use super::text::{Block, Eye, Text, Time};
use crate::surface::{is_irreversible, label};

/// One proposal in a list.
#[derive(Debug, Clone, PartialEq, Eq, Template)]
#[template(path = "console/row.html")]
pub(crate) struct ListRow {
    id: String,
    state: &'static str,
    tone: &'static str,
    badges: bool,
    yours: bool,
    when_label: &'static str,
    when: Time,
    headline: Text,
    money: Option<Text>,
    /// Why people are asked.
    why: Option<Text>,
    who: Vec<Link>,
    action: Text,
    irreversible: bool,
}

impl HtmlSafe for ListRow {}

/// What a list already says about all of its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Pending ones, sorted by whose they are.
    Inbox,
    /// Any state.
    History {
        /// Whether this one is the viewer's to decide.
        yours: bool,
    },
}

/// A row from a card; `record` gives the state and the times.
pub(crate) fn row(card: &Card, record: &Record, kind: Kind, now: Timestamp) -> ListRow {
    let eye = Eye::default();
    let state = record.state.name();
    let (when_label, when) = match (state, record.due()) {
        (StateName::Pending, Some(due)) => ("Decide by", due),
        _ => ("Proposed", record.proposal.created_at),
    };
    ListRow {
        id: card.id.clone(),
        state: label(state),
        tone: tone(state),
        badges: kind != Kind::Inbox,
        yours: kind == Kind::History { yours: true },
        when_label,
        when: Time::brief(when, now),
        headline: eye.brief(&card.headline),
        money: card.money.as_ref().map(|money| eye.text(money)),
        why: card.gates.iter().map(|gate| &gate.policy.reason).find(|r| !r.is_empty()).map(|r| eye.brief(r)),
        who: chain(card, &eye),
        action: eye.text(&card.action),
        irreversible: is_irreversible(card),
    }
}

/// The inbox.
#[derive(Debug, Clone, PartialEq, Eq, Template)]
#[template(path = "console/inbox.html")]
pub(crate) struct Inbox {
    pub(crate) chrome: Chrome,
    /// What the viewer may decide on, the nearest deadline first.
    pub(crate) yours: Vec<ListRow>,
    /// What they may see.
    pub(crate) others: Vec<ListRow>,
    /// The filter.
    pub(crate) form: FilterForm,
    /// The address of the next page, when there is one.
    pub(crate) next: Option<String>,
    /// Where the search stopped, if it did.
    pub(crate) further: Option<Further>,
}

/// Every state as a choice: its name, its label, and whether it is this one.
pub(crate) fn choices(chosen: &str) -> Vec<(String, String, bool)> {
    let choice =
        |state: StateName| (state.as_str().to_owned(), label(state).to_owned(), state.as_str() == chosen);
    StateName::ALL.map(choice).into()
}

/// The history.
#[derive(Debug, Clone, PartialEq, Eq, Template)]
#[template(path = "console/history.html")]
pub(crate) struct History {
    pub(crate) chrome: Chrome,
    pub(crate) form: FilterForm,
    pub(crate) rows: Vec<ListRow>,
    /// Address of the next page.
    pub(crate) older: Option<String>,
    /// Where the search stopped, if it did.
    pub(crate) further: Option<Further>,
}

/// What a list of entries says of the proposal that one is about.
pub(crate) fn about(card: &Card) -> EventAbout {
    let eye = Eye::default();
    let headline = Some(eye.brief(&card.headline));
    EventAbout {
        action: eye.text(&card.action),
        headline,
        money: card.money.as_ref().map(|money| eye.text(money)),
    }
}

/// The log.
#[derive(Debug, Clone, PartialEq, Eq, Template)]
#[template(path = "console/log.html")]
pub(crate) struct LogPage {
    pub(crate) chrome: Chrome,
    pub(crate) checkpoint: Option<Block>,
    /// Whether the checkpoint's signature is the log's.
    pub(crate) signature: &'static str,
    /// The log's public key, as `log verify` takes it.
    pub(crate) key: String,
    pub(crate) size: u64,
    pub(crate) events: Events,
    pub(crate) form: FilterForm,
    pub(crate) newer: Option<String>,
    pub(crate) older: Option<String>,
    /// Where the search stopped, if it did.
    pub(crate) further: Option<Further>,
}
