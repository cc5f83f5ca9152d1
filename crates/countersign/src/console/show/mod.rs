//! From what is bound to what is printed: pure functions from cards and records to the values that the
//! templates print. Only templates make markup, and every text of others goes through [`text::Eye`] (T26).
//!
//! [`card::shown`] takes a card and nothing else, and a card has no place for the agent's own words (T28).

pub(crate) mod card;
mod diff;
pub(crate) mod events;
pub(crate) mod find;
pub(crate) mod list;
pub(crate) mod status;
#[cfg(test)]
mod tests;
pub(crate) mod text;

use std::fmt;

use askama::Template;
use askama::filters::HtmlSafe;

/// The signed-in person, for the top of every page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PagePerson {
    /// Display name.
    pub(crate) name: String,
    /// What forms carry.
    pub(crate) csrf: String,
    /// What waits in their inbox.
    pub(crate) waiting: WaitingCount,
    /// Whether the log is theirs to read.
    pub(crate) reads_log: bool,
}

/// How many proposals somebody's inbox has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WaitingCount {
    /// As many as were counted.
    pub(crate) count: usize,
    /// Whether there are more.
    pub(crate) more: bool,
}

impl fmt::Display for WaitingCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.count, if self.more { "+" } else { "" })
    }
}

impl HtmlSafe for WaitingCount {}

impl WaitingCount {
    /// What a page's title begins with: `(7) `, and nothing when nothing waits.
    pub(crate) fn prefix(self) -> String {
        if self.count == 0 && !self.more { String::new() } else { format!("({self}) ") }
    }
}

/// What every page has around its own part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chrome {
    /// The page's title.
    pub(crate) title: String,
    /// Who is looking; nobody on public pages.
    pub(crate) me: Option<PagePerson>,
    /// `inbox`, `history`, `log` or empty.
    pub(crate) here: &'static str,
}

impl Chrome {
    /// Around a page that anybody may see.
    pub(crate) fn public(title: &str) -> Self {
        Self { title: title.to_owned(), me: None, here: "" }
    }

    /// Around a page of somebody who is signed in.
    pub(crate) fn of(title: &str, me: PagePerson, here: &'static str) -> Self {
        Self { title: title.to_owned(), me: Some(me), here }
    }
}

/// A link that a message ends with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NextStep {
    /// Where, on this site.
    pub(crate) href: String,
    /// What it does.
    pub(crate) label: &'static str,
}

/// A page that says one thing.
#[derive(Debug, Clone, PartialEq, Eq, Template)]
#[template(path = "console/message.html")]
pub(crate) struct Message {
    /// Around it.
    pub(crate) chrome: Chrome,
    /// A word above the heading.
    pub(crate) kicker: String,
    /// What happened.
    pub(crate) heading: &'static str,
    /// Why, and what to do.
    pub(crate) lines: Vec<text::Text>,
    /// A command to type.
    pub(crate) command: Option<&'static str>,
    /// Where to go on.
    pub(crate) link: Option<NextStep>,
}

/// The page of a one-time link: a button, and nothing about whose link it is (T34).
#[derive(Debug, Clone, PartialEq, Eq, Template)]
#[template(path = "console/sign_in.html")]
pub(crate) struct SignIn {
    /// Around it.
    pub(crate) chrome: Chrome,
    /// The link's token.
    pub(crate) link: String,
    /// The page to open then; empty for the inbox.
    pub(crate) next: String,
}
