//! Queries. A parameter that a route does not know, or that comes twice, is refused by name.

use std::collections::BTreeMap;
use std::time::Duration;

use countersign_core::id::ProposalId;
use countersign_core::proposal::StateName;
use countersign_core::refusal::Refusal;
use countersign_core::text::visible;
use countersign_engine::store::Filter;
use schemars::{Schema, json_schema};

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

    /// Refuses a number that the document does not allow, instead of taking another one for it.
    fn check(&self, value: &str) -> Result<(), Refusal> {
        let ParameterKind::Number(first, last) = self.kind else { return Ok(()) };
        let digits = !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit());
        let number = value.parse().ok().filter(|n| digits && (first..=last).contains(n));
        let name = self.name;
        number.map(drop).ok_or_else(|| malformed(format!("`{name}` must be a number from {first} to {last}")))
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

    /// `state=pending,ready&limit=50&before=prp_…&agent=…`.
    pub(crate) fn filter(&self) -> Result<Filter, Refusal> {
        let mut filter = Filter { limit: self.number("limit")?.unwrap_or(50), ..Filter::default() };
        for name in self.get("state").into_iter().flat_map(|states| states.split(',')) {
            let state = StateName::from_name(name)
                .ok_or_else(|| malformed(format!("`state` names no state: `{}`", visible(name).text)))?;
            filter.states.push(state);
        }
        if let Some(before) = self.get("before") {
            let wrong = |_| malformed("`before` is not a proposal's id".to_owned());
            filter.before = Some(before.parse().map_err(wrong)?);
        }
        filter.agent = self.get("agent").map(ToOwned::to_owned);
        Ok(filter)
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
        ] {
            assert!(read(query).unwrap_err().to_string().contains(named), "{query}");
        }
        assert_eq!(read("wait=60").unwrap().wait().unwrap(), Duration::from_mins(1));
        assert!(read("state=pending,foo").unwrap().filter().unwrap_err().to_string().contains("`foo`"));
    }
}
