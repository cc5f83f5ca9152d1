//! What lists and the log are filtered by, as every surface writes it: the API's query, the console's forms and links,
//! the command line's flags. The names and the values are the same everywhere.

use countersign_core::audit::{EVENT_CODES, EventCode};
use countersign_core::id::ProposalId;
use countersign_core::limits::FIND_BYTES_MAX;
use countersign_core::proposal::StateName;
use countersign_core::refusal::Refusal;
use countersign_core::text::visible;
use countersign_core::time::Timestamp;
use countersign_engine::gate::LogFilter;
use countersign_engine::store::Filter;
use jiff::civil::Date;

/// Gives a parameter's value by its name; none when it was not sent.
type SentValues<'a> = &'a dyn Fn(&str) -> Option<String>;

fn malformed(detail: String) -> Refusal {
    Refusal::MalformedRequest { pointer: String::new(), detail }
}

/// The filter of a list of proposals: `state`, `agent`, `person`, `action`, `system`, `environment`, `since`, `until`,
/// `text`, `before`. Each name of a state that is none is refused, with those that there are.
pub(crate) fn list_filter(sent: SentValues<'_>, limit: u32) -> Result<Filter, Refusal> {
    let name = |name: &str| sent(name).map(|value| checked_name(name, value)).transpose();
    let mut filter = Filter {
        states: Vec::new(),
        agent: name("agent")?,
        person: name("person")?,
        action: name("action")?,
        system: name("system")?,
        environment: sent("environment").map(|value| checked_text("environment", value)).transpose()?,
        since: sent("since").map(|text| time("since", &text)).transpose()?,
        until: sent("until").map(|text| time("until", &text)).transpose()?,
        text: sent("text").map(|value| checked_text("text", value)).transpose()?,
        before: None,
        limit,
    };
    for name in sent("state").iter().flat_map(|states| states.split(',')) {
        filter.states.push(state(name)?);
    }
    filter.before = sent("before").map(|id| proposal("before", &id)).transpose()?;
    Ok(filter)
}

/// The filter of the log: `from`, `before`, `event`, `proposal`, `action`, `agent`, `person`, `since`, `until`, `text`.
pub(crate) fn log_filter(sent: SentValues<'_>) -> Result<LogFilter, Refusal> {
    let name = |name: &str| sent(name).map(|value| checked_name(name, value)).transpose();
    let index = |name: &str| {
        let parsed = sent(name).map(|text| text.parse::<u64>()).transpose();
        parsed.map_err(|_| malformed(format!("`{name}` must be the number of an entry")))
    };
    Ok(LogFilter {
        from: index("from")?,
        before: index("before")?,
        event: sent("event").map(|code| event(&code)).transpose()?,
        proposal: sent("proposal").map(|id| proposal("proposal", &id)).transpose()?,
        action: name("action")?,
        agent: name("agent")?,
        person: name("person")?,
        since: sent("since").map(|text| time("since", &text)).transpose()?,
        until: sent("until").map(|text| time("until", &text)).transpose()?,
        text: sent("text").map(|value| checked_text("text", value)).transpose()?,
    })
}

/// A state by its name.
pub(crate) fn state(name: &str) -> Result<StateName, Refusal> {
    StateName::from_name(name).ok_or_else(|| {
        let states = StateName::ALL.map(StateName::as_str).join(", ");
        malformed(format!("`state` has no `{}`; the states are {states}", visible(name).text))
    })
}

/// An event by its code.
pub(crate) fn event(code: &str) -> Result<EventCode, Refusal> {
    EventCode::from_code(code).ok_or_else(|| {
        let codes: Vec<String> = EVENT_CODES.iter().map(|(code, _)| code.to_string()).collect();
        malformed(format!("`event` has no `{}`; the events are {}", visible(code).text, codes.join(", ")))
    })
}

fn proposal(parameter: &str, id: &str) -> Result<ProposalId, Refusal> {
    id.parse().map_err(|_| malformed(format!("`{parameter}` is not a proposal's id")))
}

/// A time: RFC 3339 (`2026-11-27T09:30:00Z`), or a day in UTC (`2026-11-27`). `since` a day is since its beginning,
/// `until` a day is until its end.
pub(crate) fn time(parameter: &str, text: &str) -> Result<Timestamp, Refusal> {
    let day = |date: Date| {
        let date = if parameter == "until" { date.tomorrow().ok()? } else { date };
        format!("{date}T00:00:00Z").parse().ok()
    };
    // A day is read first: the reader of times takes more than RFC 3339 has.
    let plain = text.len() == "2026-11-27".len();
    let at = if plain { text.parse().ok().and_then(day) } else { text.parse::<jiff::Timestamp>().ok() };
    at.map(|at| Timestamp::from_micros(at.as_microsecond())).ok_or_else(|| {
        malformed(format!(
            "`{parameter}` must be a day such as `2026-11-27` or a time such as `2026-11-27T09:30:00Z`"
        ))
    })
}

/// A name as the gate directory has them: visible ASCII, not longer than what is searched for may be.
pub(super) fn checked_name(parameter: &str, value: String) -> Result<String, Refusal> {
    let plain =
        !value.is_empty() && value.len() <= FIND_BYTES_MAX && value.bytes().all(|b| b.is_ascii_graphic());
    if plain {
        return Ok(value);
    }
    let detail = format!(
        "`{parameter}` must be a name of 1 to {FIND_BYTES_MAX} letters, digits and signs, without spaces"
    );
    Err(malformed(detail))
}

/// Text without control characters, not longer than what is searched for may be.
pub(super) fn checked_text(parameter: &str, value: String) -> Result<String, Refusal> {
    let count = value.chars().count();
    if (1..=FIND_BYTES_MAX).contains(&count) && !value.chars().any(char::is_control) {
        return Ok(value);
    }
    Err(malformed(format!(
        "`{parameter}` must have 1 to {FIND_BYTES_MAX} characters, and no control characters"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_meant_whole_and_a_time_exactly() {
        let micros = |parameter: &str, text: &str| time(parameter, text).map(Timestamp::as_micros).ok();
        let day = 86_400_000_000;
        for (parameter, text, expect) in [
            ("since", "1970-01-02", Some(day)),
            ("until", "1970-01-02", Some(2 * day)),
            ("since", "1970-01-02T00:00:00Z", Some(day)),
            ("until", "1970-01-02T00:00:00.000001Z", Some(day + 1)),
            ("since", "1970-01-02T01:00:00+01:00", Some(day)),
            ("since", "1970-02-30", None),
            ("since", "1970-01-02T00:00:00", None),
            ("since", "yesterday", None),
            ("since", "", None),
        ] {
            assert_eq!(micros(parameter, text), expect, "{parameter}={text}");
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_what_is_allowed() {
        let list = |name: &'static str, value: &'static str| {
            let sent = move |asked: &str| (asked == name).then(|| value.to_owned());
            list_filter(&sent, 1).map(drop).and_then(|()| log_filter(&sent).map(drop))
        };
        let long = "x".repeat(FIND_BYTES_MAX + 1);
        let long: &'static str = Box::leak(long.into_boxed_str());
        for (name, value, named) in [
            ("state", "foo", "the states are denied, pending, ready"),
            ("state", "pending,", "`state` has no ``"),
            ("event", "approved", "proposal.approved, proposal.rejected"),
            ("since", "x", "`since` must be a day such as"),
            ("until", "2026-13-01", "`until` must be a day such as"),
            ("before", "prp_1", "`before` is not a proposal's id"),
            ("proposal", "prp_1", "`proposal` is not a proposal's id"),
            ("agent", "a b", "`agent` must be a name"),
            ("person", "", "`person` must be a name"),
            ("action", long, "`action` must be a name"),
            ("text", "a\u{0}b", "`text` must have 1 to 200 characters"),
            ("text", long, "`text` must have 1 to 200 characters"),
        ] {
            let said = list(name, value).unwrap_err().to_string();
            assert!(said.contains(named), "{name}={value}: {said}");
        }
        for (name, value) in
            [("state", "failed,unknown"), ("text", "ärger mit INV-1"), ("event", "log.exported")]
        {
            assert!(list(name, value).is_ok(), "{name}={value}");
        }
    }
}
