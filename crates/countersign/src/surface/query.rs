//! Queries. A parameter that a route does not know, or that comes twice, is refused by name.

use std::collections::BTreeMap;
use std::time::Duration;

use countersign_core::audit::EVENT_CODES;
use countersign_core::id::ProposalId;
use countersign_core::limits::FIND_BYTES_MAX;
use countersign_core::proposal::StateName;
use countersign_core::refusal::Refusal;
use countersign_core::text::visible;
use countersign_engine::gate::LogFilter;
use countersign_engine::store::Filter;
use schemars::{Schema, json_schema};

use super::find::{list_filter, log_filter};

/// A proposal's id in a request; anything that is not one is a proposal that does not exist.
pub(crate) fn proposal_id(text: &str) -> Result<ProposalId, Refusal> {
    text.parse().map_err(|_| Refusal::ProposalNotFound { id: visible(text).text })
}

/// What a parameter may be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ParameterKind {
    /// Text.
    Text,
    /// A number from the first to the last.
    Number(u64, u64),
    /// A proposal's id.
    Proposal,
    /// States, separated by commas.
    States,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// A name of the gate directory.
    Name,
    /// What is searched for.
    Search,
    /// A day, or a time.
    Time,
    /// An event of the log.
    Event,
}

impl ParameterKind {
    /// Its JSON Schema.
    pub(crate) fn schema(self) -> Schema {
        match self {
            Self::Text => json_schema!({ "type": "string" }),
            Self::Number(first, last) => {
                json_schema!({ "type": "integer", "minimum": first, "maximum": last })
            }
            Self::Proposal => json_schema!({ "type": "string", "pattern": ProposalId::pattern() }),
            Self::States => {
                let names = StateName::ALL.map(StateName::as_str).join("|");
                json_schema!({ "type": "string", "pattern": format!("^({names})(,({names}))*$") })
            }
            Self::OneOf(words) => json_schema!({ "type": "string", "enum": words }),
            Self::Name => {
                json_schema!({ "type": "string", "pattern": format!("^[!-~]{{1,{FIND_BYTES_MAX}}}$") })
            }
            Self::Search => json_schema!({
                "type": "string",
                "pattern": format!(r"^[^\x00-\x1f\x7f-\x9f]{{1,{FIND_BYTES_MAX}}}$"),
            }),
            Self::Time => json_schema!({
                "anyOf": [
                    { "type": "string", "format": "date" },
                    { "type": "string", "format": "date-time" },
                ],
            }),
            Self::Event => {
                let codes: Vec<String> = EVENT_CODES.iter().map(|(code, _)| code.to_string()).collect();
                json_schema!({ "type": "string", "enum": codes })
            }
        }
    }
}

/// A parameter that a route knows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parameter {
    /// Its name.
    pub(crate) name: &'static str,
    /// What it may be.
    pub(crate) kind: ParameterKind,
    /// One sentence.
    pub(crate) about: &'static str,
}

impl Parameter {
    /// A parameter.
    pub(crate) const fn new(name: &'static str, kind: ParameterKind, about: &'static str) -> Self {
        Self { name, kind, about }
    }

    /// Refuses a value that the document does not allow, instead of taking another one for it.
    fn check(&self, value: &str) -> Result<(), Refusal> {
        let name = self.name;
        match self.kind {
            ParameterKind::Number(first, last) => {
                let digits = !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit());
                let number = value.parse().ok().filter(|n| digits && (first..=last).contains(n));
                number
                    .map(drop)
                    .ok_or_else(|| malformed(format!("`{name}` must be a number from {first} to {last}")))
            }
            ParameterKind::OneOf(words) if !words.contains(&value) => {
                let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
                Err(malformed(format!("`{name}` is {}", words.join(" or "))))
            }
            // The rest is checked where it is read.
            ParameterKind::OneOf(_)
            | ParameterKind::Text
            | ParameterKind::Proposal
            | ParameterKind::States
            | ParameterKind::Name
            | ParameterKind::Search
            | ParameterKind::Time
            | ParameterKind::Event => Ok(()),
        }
    }
}

/// A query that was read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Query(BTreeMap<String, String>);

fn malformed(detail: String) -> Refusal {
    Refusal::MalformedRequest { pointer: String::new(), detail }
}

impl Query {
    /// Reads a query whose parameters are among these.
    pub(crate) fn read(query: Option<&str>, known: &[Parameter]) -> Result<Self, Refusal> {
        let mut found = BTreeMap::new();
        for (name, value) in url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            let Some(parameter) = known.iter().find(|parameter| parameter.name == name) else {
                let names: Vec<String> = known.iter().map(|p| format!("`{}`", p.name)).collect();
                let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
                let detail = format!("`{}` is no parameter here; known: {names}", visible(&name).text);
                return Err(malformed(detail));
            };
            parameter.check(&value)?;
            if found.insert(name.clone().into_owned(), value.into_owned()).is_some() {
                return Err(malformed(format!("`{name}` stands twice in the query")));
            }
        }
        Ok(Self(found))
    }

    /// One parameter.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A number.
    pub(crate) fn number<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, Refusal> {
        let parse = |text: &str| text.parse().map_err(|_| malformed(format!("`{name}` is too large")));
        self.get(name).map(parse).transpose()
    }

    /// `wait=30`, in seconds.
    pub(crate) fn wait(&self) -> Result<Duration, Refusal> {
        Ok(self.number("wait")?.map_or(Duration::ZERO, Duration::from_secs))
    }

    /// The filter of a list of proposals.
    pub(crate) fn filter(&self) -> Result<Filter, Refusal> {
        list_filter(&|name| self.get(name).map(ToOwned::to_owned), self.number("limit")?.unwrap_or(50))
    }

    /// The filter of the log.
    pub(crate) fn log_filter(&self) -> Result<LogFilter, Refusal> {
        log_filter(&|name| self.get(name).map(ToOwned::to_owned))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_or_stands_twice_is_refused_by_name() {
        let known = [
            Parameter::new("wait", ParameterKind::Number(0, 60), ""),
            Parameter::new("state", ParameterKind::States, ""),
            Parameter::new("order", ParameterKind::OneOf(&["newest", "due"]), ""),
        ];
        let read = |query: &str| Query::read(Some(query), &known);
        assert!(read("").is_ok() && read("wait=3&state=pending").is_ok());
        let range = "`wait` must be a number from 0 to 60";
        for (query, named) in [
            ("color=1", "`color`"),
            ("wait=1&wait=2", "`wait` stands twice"),
            ("wait=x", range),
            ("wait=", range),
            ("wait=61", range),
            ("wait=-1", range),
            ("wait=%2B1", range),
            ("wait=18446744073709551616", range),
            ("order=oldest", "`order` is `newest` or `due`"),
        ] {
            assert!(read(query).unwrap_err().to_string().contains(named), "{query}");
        }
        assert_eq!(read("wait=60").unwrap().wait().unwrap(), Duration::from_mins(1));
        assert!(read("state=pending,foo").unwrap().filter().unwrap_err().to_string().contains("`foo`"));
    }
}
