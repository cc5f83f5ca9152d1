//! `Prefer: wait=30` (RFC 7240): how long a proposal may take to be answered, and whether people are waited for.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use countersign_core::limits;
use countersign_core::refusal::Refusal;
use countersign_engine::gate::Until;

/// The preference that waits for people as well.
const FOR_PEOPLE: &str = "wait-for-people";

/// How long a proposal may take to be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wait {
    /// Until when it is waited.
    pub(super) until: Until,
    /// At most this long.
    pub(super) time: Duration,
    preferred: bool,
}

/// What the headers ask for; `?wait=`, which waits for people too, is `query`. Preferences that are not known are
/// ignored, as RFC 7240 wants; a `wait` that cannot be read is an error, and so are both ways at once.
pub(super) fn wait(headers: &HeaderMap, query: Duration) -> Result<Wait, Refusal> {
    let plain = Wait { until: Until::Settled, time: query, preferred: false };
    let (mut seconds, mut for_people) = (None, false);
    for value in headers.get_all("prefer") {
        let text = value.to_str().map_err(|_| malformed())?;
        for preference in text.split(',') {
            // What follows a semicolon are parameters, and `wait` has none.
            let preference = preference.split(';').next().unwrap_or_default().trim();
            let (name, value) =
                preference.split_once('=').map_or((preference, ""), |(n, v)| (n.trim(), v.trim()));
            if name.eq_ignore_ascii_case("wait") {
                // The first one counts, by section 2 of the RFC.
                seconds =
                    Some(seconds.map_or_else(
                        || value.trim_matches('"').parse::<u32>().map_err(|_| malformed()),
                        Ok,
                    )?);
            }
            for_people |= name.eq_ignore_ascii_case(FOR_PEOPLE);
        }
    }
    let Some(seconds) = seconds else { return Ok(plain) };
    if !query.is_zero() {
        return Err(refused("`?wait=` and `Prefer: wait` are both there; send one of them"));
    }
    let until = if for_people { Until::Settled } else { Until::PeopleMustDecide };
    let time = Duration::from_secs(seconds.into()).min(limits::WAIT_MAX);
    Ok(Wait { until, time, preferred: true })
}

impl Wait {
    /// Says which preference was honoured (RFC 7240, section 3).
    pub(super) fn applied(self, headers: &mut HeaderMap) {
        if !self.preferred {
            return;
        }
        let people = if self.until == Until::Settled { ", wait-for-people" } else { "" };
        if let Ok(value) = HeaderValue::from_str(&format!("wait={}{people}", self.time.as_secs())) {
            headers.insert(HeaderName::from_static("preference-applied"), value);
        }
    }
}

fn malformed() -> Refusal {
    refused("`Prefer: wait` must be a number of seconds, such as `wait=30`")
}

fn refused(detail: &str) -> Refusal {
    Refusal::MalformedRequest { pointer: String::new(), detail: detail.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[&str], query: u64) -> Result<(Until, u64), String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append("prefer", HeaderValue::from_str(value).unwrap());
        }
        let wait = wait(&headers, Duration::from_secs(query)).map_err(|refusal| refusal.to_string())?;
        let mut answer = HeaderMap::new();
        wait.applied(&mut answer);
        assert_eq!(answer.is_empty(), !wait.preferred);
        Ok((wait.until, wait.time.as_secs()))
    }

    #[test]
    fn the_header_waits_for_the_call_and_only_on_request_for_people() {
        let (settled, people) = (Until::Settled, Until::PeopleMustDecide);
        let table: &[(&[&str], u64, (Until, u64))] = &[
            (&[], 0, (settled, 0)),
            (&[], 5, (settled, 5)),
            (&["wait=10"], 0, (people, 10)),
            (&["wait=10, wait-for-people"], 0, (settled, 10)),
            (&["respond-async", "Wait = 7; x=1"], 0, (people, 7)),
            (&["wait=1, wait=2"], 0, (people, 1)),
            (&["wait=\"4\""], 0, (people, 4)),
            (&["wait=999"], 0, (people, limits::WAIT_MAX.as_secs())),
            (&["wait-for-people"], 3, (settled, 3)),
            (&["wait-for-people"], 0, (settled, 0)),
        ];
        for (values, query, expect) in table {
            assert_eq!(of(values, *query), Ok(*expect), "{values:?}");
        }
        for (values, query) in [(&["wait=soon"][..], 0), (&["wait"], 0), (&["wait=-1"], 0), (&["wait=1"], 5)]
        {
            assert!(of(values, query).is_err(), "{values:?}");
        }
    }
}
