//! What a person narrows a list by. The form is a `GET`, so its address is a link that finds the same again, and every
//! page after the first keeps it.

use std::collections::BTreeSet;

use countersign_core::audit::EVENT_CODES;
use countersign_core::refusal::Refusal;
use countersign_core::ruleset::Ruleset;
use countersign_engine::gate::LogFilter;
use countersign_engine::store::Filter;

use super::Ask;
use super::show::find::{FilterField, FilterForm};
use super::show::list::choices;
use crate::surface;

/// Names that a form offers for one field.
const OFFERED_MAX: usize = 500;

/// The filters of one page, in the order of its form.
const INBOX: &[&str] = &["text", "action", "agent", "person", "system", "environment", "since", "until"];
const HISTORY: &[&str] =
    &["text", "state", "action", "agent", "person", "system", "environment", "since", "until"];
const LOG: &[&str] = &["text", "event", "proposal", "action", "agent", "person", "since", "until"];

/// What was asked for: parameters with their values, none of them empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Find {
    path: &'static str,
    known: &'static [&'static str],
    asked: Vec<(&'static str, String)>,
}

impl Find {
    /// Reads the filter of one of the pages `/`, `/history` and `/log`.
    pub(super) fn read(ask: &Ask, path: &'static str) -> Self {
        let known = match path {
            "/history" => HISTORY,
            "/log" => LOG,
            _ => INBOX,
        };
        let asked = |name: &&'static str| Some((*name, ask.query(name)?.trim().to_owned()));
        let asked = known.iter().filter_map(asked).filter(|(_, value)| !value.is_empty()).collect();
        Self { path, known, asked }
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.asked.iter().find(|(asked, _)| *asked == name).map(|(_, value)| value.as_str())
    }

    /// Whether anything narrows the list.
    pub(super) fn is_empty(&self) -> bool {
        self.asked.is_empty()
    }

    /// The filter of a list of proposals.
    pub(super) fn list_filter(&self, limit: u32) -> Result<Filter, Refusal> {
        surface::list_filter(&|name| self.get(name).map(str::to_owned), limit)
    }

    /// The filter of the log.
    pub(super) fn log_filter(&self) -> Result<LogFilter, Refusal> {
        surface::log_filter(&|name| self.get(name).map(str::to_owned))
    }

    /// The address of another page of the same list.
    pub(super) fn address(&self, name: &str, value: &str) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(&self.asked).append_pair(name, value);
        format!("{}?{}", self.path, query.finish())
    }

    /// The form. `rules`: the names that it offers, for who may see everything anyway.
    pub(super) fn form(&self, rules: Option<&Ruleset>) -> FilterForm {
        let field = |name: &'static str| {
            let value = self.get(name).unwrap_or_default();
            let choices = match name {
                "state" => choices(value),
                "event" => {
                    let codes = EVENT_CODES.iter().map(|(code, _)| code.to_string());
                    codes.map(|code| (code.clone(), code.clone(), code == value)).collect()
                }
                _ => Vec::new(),
            };
            let offered = rules.map(|rules| offered(rules, name)).unwrap_or_default();
            FilterField::new(name, value, choices, offered)
        };
        FilterForm::new(self.path, self.known.iter().map(|name| field(name)).collect())
    }
}

/// The names that there are.
fn offered(rules: &Ruleset, name: &str) -> BTreeSet<String> {
    let actions = || rules.registry.actions().map(|action| action.name.to_string());
    let all: BTreeSet<String> = match name {
        "action" => actions().collect(),
        "system" => actions().filter_map(|name| name.split_once('.').map(|(s, _)| s.to_owned())).collect(),
        "agent" => rules.directory.agents().map(|(id, _)| id.to_owned()).collect(),
        "person" => rules.directory.people().map(|(id, _)| id.to_owned()).collect(),
        _ => BTreeSet::new(),
    };
    all.into_iter().take(OFFERED_MAX).collect()
}
