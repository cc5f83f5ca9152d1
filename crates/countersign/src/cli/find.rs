//! The flags by which `list` and `log list` narrow what they print. They are the parameters of the API, so the same
//! words find the same in the console.

use clap::Args;
use countersign_core::proposal::StateName;
use countersign_core::time::{Timestamp, parse_duration};
use countersign_engine::world::World;

use crate::surface;

/// Filters that lists of proposals and the log share.
#[derive(Debug, Args)]
pub(super) struct FindArgs {
    /// Only of this action.
    #[arg(long)]
    action: Option<String>,
    /// Only of this agent.
    #[arg(long)]
    agent: Option<String>,
    /// Only of this person: on their behalf, and in the log also what they did.
    #[arg(long)]
    person: Option<String>,
    /// Only from this time on: a day (`2026-11-27`), a time (`2026-11-27T09:30:00Z`), or how long ago (`2h`).
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only before this time: a day to its end, a time, or how long ago.
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Only with all of these words, in any case.
    #[arg(long, value_name = "WORDS")]
    text: Option<String>,
}

/// What was asked for: parameters of the query.
#[derive(Debug, Default)]
pub(super) struct Asked(Vec<(&'static str, String)>);

impl FindArgs {
    /// As parameters.
    pub(super) fn asked(&self) -> Asked {
        let now = World::system().now();
        let time = |text: &Option<String>| text.as_deref().map(|text| at(text, now));
        let pairs = [
            ("action", self.action.clone()),
            ("agent", self.agent.clone()),
            ("person", self.person.clone()),
            ("since", time(&self.since)),
            ("until", time(&self.until)),
            ("text", self.text.clone()),
        ];
        let mut asked = Asked::default();
        pairs.into_iter().for_each(|(name, value)| asked.add(name, value));
        asked
    }
}

impl Asked {
    /// One more, if it was asked for.
    pub(super) fn add(&mut self, name: &'static str, value: Option<String>) {
        self.0.extend(value.map(|value| (name, value)));
    }

    /// The path with these, and with more that narrow nothing.
    pub(super) fn path(&self, path: &str, more: &[(&str, &str)]) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(&self.0).extend_pairs(more);
        format!("{path}?{}", query.finish())
    }

    /// What is said when nothing was found.
    pub(super) fn nothing(&self) -> String {
        if self.0.is_empty() {
            return "nothing here".to_owned();
        }
        let flags: Vec<String> = self.0.iter().map(|(name, value)| format!("--{name} {value}")).collect();
        format!("nothing matches {}", flags.join(" "))
    }
}

/// A time as the gate takes it. How long ago is counted from now.
fn at(text: &str, now: Timestamp) -> String {
    let ago = parse_duration(text).and_then(|ago| i64::try_from(ago.as_micros()).ok());
    ago.map_or_else(
        || text.to_owned(),
        |ago| Timestamp::from_micros(now.as_micros().saturating_sub(ago)).to_rfc3339(),
    )
}

/// States, separated by commas, or `all`.
pub(super) fn states(text: &str) -> Result<String, String> {
    if text != "all" {
        for name in text.split(',') {
            surface::state(name).map_err(|_| {
                let all = StateName::ALL.map(StateName::as_str).join(", ");
                format!("there is no state `{name}`; the states are {all}, or `all`")
            })?;
        }
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_long_ago_is_a_time_and_everything_else_is_the_gate_s_to_read() {
        let now = Timestamp::from_micros(7_200_000_000);
        for (text, expect) in [
            ("2h", "1970-01-01T00:00:00.000000Z"),
            ("90s", "1970-01-01T01:58:30.000000Z"),
            ("2026-11-27", "2026-11-27"),
            ("yesterday", "yesterday"),
        ] {
            assert_eq!(at(text, now), expect);
        }
    }

    #[test]
    fn a_state_that_is_none_is_named_with_those_that_there_are() {
        assert_eq!(states("failed,unknown").as_deref(), Ok("failed,unknown"));
        assert_eq!(states("all").as_deref(), Ok("all"));
        let said = states("failed,foo").unwrap_err();
        assert!(said.starts_with("there is no state `foo`; the states are denied, pending, "), "{said}");
        assert!(said.ends_with(", refused, or `all`"), "{said}");
    }

    #[test]
    fn what_found_nothing_is_named() {
        let mut asked = Asked::default();
        assert_eq!(asked.nothing(), "nothing here");
        asked.add("agent", Some("bot".to_owned()));
        asked.add("person", None);
        asked.add("text", Some("a b".to_owned()));
        assert_eq!(asked.nothing(), "nothing matches --agent bot --text a b");
        assert_eq!(asked.path("/v1/x", &[("limit", "2")]), "/v1/x?agent=bot&text=a+b&limit=2");
    }
}
