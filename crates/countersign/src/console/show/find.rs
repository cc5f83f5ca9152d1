//! The form that narrows a list, and what is said when nothing is found.

use std::collections::BTreeSet;

use askama::Template;
use askama::filters::HtmlSafe;
use countersign_core::text::visible;

use super::text::{Eye, Text};

/// The form.
#[derive(Debug, Clone, PartialEq, Eq, Template)]
#[template(path = "console/filter.html")]
pub(crate) struct FilterForm {
    /// The page that it filters.
    pub(super) path: &'static str,
    /// The field that is always there: words.
    text: FilterField,
    /// The field that stands beside it, if there is one.
    beside: Option<FilterField>,
    /// Those behind a fold.
    more: Vec<FilterField>,
    /// Whether one of those is filled in.
    open: bool,
    /// What narrows the list, each as name and value.
    pub(super) chosen: Vec<(&'static str, Text)>,
}

impl HtmlSafe for FilterForm {}

/// One field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FilterField {
    name: &'static str,
    label: &'static str,
    value: String,
    /// What a browser makes of it: `date` shows a calendar, and would drop a time of day.
    kind: &'static str,
    /// Value, label and whether it is chosen, where only these are possible.
    choices: Vec<(String, String, bool)>,
    /// Names that are offered, where others are possible, too.
    offered: Vec<String>,
}

impl FilterField {
    pub(crate) fn new(
        name: &'static str,
        value: &str,
        choices: Vec<(String, String, bool)>,
        offered: BTreeSet<String>,
    ) -> Self {
        let time = matches!(name, "since" | "until");
        let day = value.is_empty() || value.len() == "2026-11-27".len();
        let kind = match name {
            "text" => "search",
            _ if time && day => "date",
            _ => "text",
        };
        let value = visible(value).text;
        Self { name, label: label(name), value, kind, choices, offered: offered.into_iter().collect() }
    }
}

fn label(name: &str) -> &'static str {
    match name {
        "text" => "Find",
        "state" => "State",
        "event" => "Event",
        "proposal" => "Proposal",
        "action" => "Action",
        "agent" => "Agent",
        "person" => "Person",
        "system" => "System",
        "environment" => "Environment",
        "since" => "From",
        "until" => "Until",
        _ => "",
    }
}

impl FilterForm {
    /// The form of these fields, the words first. A field with choices stands beside the words.
    pub(crate) fn new(path: &'static str, fields: Vec<FilterField>) -> Self {
        let eye = Eye::default();
        let filled = fields.iter().filter(|field| !field.value.is_empty());
        let chosen = filled.map(|field| (field.label, eye.text(&field.value))).collect();
        let (mut text, mut beside, mut more) = (None, None, Vec::new());
        for field in fields {
            match (field.name, field.choices.is_empty()) {
                ("text", _) => text = Some(field),
                (_, false) => beside = Some(field),
                (_, true) => more.push(field),
            }
        }
        let text = text.unwrap_or_else(|| FilterField::new("text", "", Vec::new(), BTreeSet::new()));
        let open = more.iter().any(|field| !field.value.is_empty());
        Self { path, text, beside, more, open, chosen }
    }

    /// Whether anything narrows the list.
    pub(crate) fn narrows(&self) -> bool {
        !self.chosen.is_empty()
    }
}

/// How far a search came when it stopped at its bound, and where it goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Further {
    /// What was searched, as a sentence.
    pub(crate) sentence: String,
    /// The address that goes on.
    pub(crate) href: String,
}
