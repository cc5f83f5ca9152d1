//! `request`: method, URL, headers and body of the one call.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;

use super::raw::RawAction;
use super::source::Report;
use super::tree::tree;
use crate::action::expr::{Text, Vocabulary};
use crate::action::render::{Base, Encoding, Request, UrlTemplate};
use crate::action::types::Method;
use crate::header;
use crate::limits::{CALL_TIMEOUT, CALL_TIMEOUT_MAX};
use crate::time::parse_duration;

/// Compiles the request. `key_header` is the header of the effect class `keyed`.
pub(super) fn compile(
    raw: &RawAction,
    table: &Value,
    base: &Base,
    words: &Vocabulary<'_>,
    report: &mut Report<'_>,
) -> Option<Request> {
    let request = &raw.request;
    let pairs = query("request.query", &request.query, words, report);
    let url = UrlTemplate::compile("request.path", base, &request.path, pairs, words);
    let url = report.keep_text(&["request", "path"], url);
    let encoding = request.encoding.unwrap_or_default();
    check_body(raw, table, encoding, report);
    Some(Request {
        method: request.method,
        url: url?,
        headers: headers(&request.headers, words, report),
        encoding,
        body: tree(table, &["request", "body"], words, report),
        ok: statuses(request.ok.as_ref(), report),
        timeout_ms: timeout_ms(raw, report),
        key_header: None,
    })
}

fn check_body(raw: &RawAction, table: &Value, encoding: Encoding, report: &mut Report<'_>) {
    let request = &raw.request;
    let method = request.method.as_str();
    if request.body.is_some() && request.method.is_safe() {
        report.error(&["request", "body"], format!("{method} has no body"), "Use `query`.");
    }
    if request.body.is_none() && request.encoding.is_some() {
        report.error(
            &["request", "encoding"],
            "there is no body to encode",
            "Remove `encoding`, or add a body.",
        );
    }
    if encoding == Encoding::MergePatch && request.method != Method::Patch {
        report.error(
            &["request", "encoding"],
            format!("a merge patch cannot be sent with {method}"),
            "Use PATCH (RFC 7396), or the encoding `json`.",
        );
    }
    let literal = table.pointer("/request/body").is_some_and(|b| !b.is_object() && !b.is_string());
    if encoding == Encoding::Form && literal {
        report.error(&["request", "body"], "a form body is a table", "Name the fields of the form.");
    }
}

/// The pairs of a query.
pub(super) fn query(
    place: &str,
    raw: &BTreeMap<String, String>,
    words: &Vocabulary<'_>,
    report: &mut Report<'_>,
) -> Vec<(String, Text)> {
    let mut pairs = Vec::new();
    for (name, value) in raw {
        let path: Vec<&str> = place.split('.').chain([name.as_str()]).collect();
        if name.is_empty() {
            report.error(&path, "a query parameter has no name", "Name it.");
        }
        let compiled = Text::compile(&format!("{place}.{name}"), value, words);
        pairs.extend(report.keep_text(&path, compiled).map(|text| (name.clone(), text)));
    }
    pairs
}

fn headers(
    raw: &BTreeMap<String, String>,
    words: &Vocabulary<'_>,
    report: &mut Report<'_>,
) -> Vec<(String, Text)> {
    let mut seen = BTreeMap::new();
    for (name, value) in raw {
        let path = ["request", "headers", name.as_str()];
        let lower = name.to_ascii_lowercase();
        if let Err(message) = check_header_name(&lower) {
            report.error(&path, message, "Remove it.");
            continue;
        }
        let compiled = Text::compile(&format!("request.headers.{lower}"), value, words);
        let Some(text) = report.keep_text(&path, compiled) else { continue };
        if seen.insert(lower, text).is_some() {
            report.error(&path, format!("the header `{name}` is there twice"), "Keep one.");
        }
    }
    seen.into_iter().collect()
}

/// Whether a manifest may set this header. `name` is in lower case.
pub(super) fn check_header_name(name: &str) -> Result<(), String> {
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if name.is_empty() || !name.bytes().all(token) {
        return Err(format!("`{name}` is not a header name"));
    }
    if !header::may_be_in_manifest(name) {
        return Err(format!("the header `{name}` belongs to the gate"));
    }
    Ok(())
}

fn statuses(raw: Option<&BTreeSet<u16>>, report: &mut Report<'_>) -> BTreeSet<u16> {
    let Some(ok) = raw else { return BTreeSet::from([200, 201, 202, 204]) };
    if ok.is_empty() || !ok.iter().all(|status| (200..300).contains(status)) {
        report.error(
            &["request", "ok"],
            "these are not statuses of success",
            "List statuses between 200 and 299.",
        );
    }
    ok.clone()
}

/// Milliseconds for the whole call.
fn timeout_ms(raw: &RawAction, report: &mut Report<'_>) -> u64 {
    let default = u64::try_from(CALL_TIMEOUT.as_millis()).unwrap_or(u64::MAX);
    let Some(limits) = &raw.limits else { return default };
    report.unsupported(&["limits", "budgets"], limits.budgets.is_some());
    report.unsupported(&["limits", "max_targets"], limits.max_targets.is_some());
    let Some(text) = &limits.timeout else { return default };
    let in_range = |d: &Duration| !d.is_zero() && *d <= CALL_TIMEOUT_MAX;
    let Some(timeout) = parse_duration(text).filter(in_range) else {
        report.error(
            &["limits", "timeout"],
            format!("`{text}` is not a time between 1s and {}s", CALL_TIMEOUT_MAX.as_secs()),
            "Write it like `20s`.",
        );
        return default;
    };
    u64::try_from(timeout.as_millis()).unwrap_or(default)
}
