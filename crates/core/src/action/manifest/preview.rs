//! `preview`, `risk`, `resource` and `redact`: what is read, computed and shown before anybody decides.

use std::collections::BTreeSet;

use serde_json::Value;

use super::raw::{RawAction, RawPreview};
use super::request::query;
use super::source::Report;
use super::tree::tree;
use crate::action::expr::{Template, Text, Vocabulary};
use crate::action::render::{Base, Guard, Presence, UrlTemplate};
use crate::action::types::{Method, MoneyField};

/// The read of a preview. It sees the input and nothing else.
pub(super) fn read(
    preview: &RawPreview,
    base: &Base,
    schema: &Value,
    report: &mut Report<'_>,
) -> Option<(Method, UrlTemplate)> {
    let raw = preview.read.as_ref()?;
    if !raw.method.is_safe() {
        report.error(
            &["preview", "read", "method"],
            format!("a preview cannot use {}", raw.method.as_str()),
            "Use GET or HEAD: a preview must not change anything.",
        );
    }
    let lets = BTreeSet::new();
    let words = Vocabulary { schema, before: false, proposal: false, lets: &lets };
    let pairs = query("preview.read.query", &raw.query, &words, report);
    let url = UrlTemplate::compile("preview.read.path", base, &raw.path, pairs, &words);
    Some((raw.method, report.keep_text(&["preview", "read", "path"], url)?))
}

/// What guards the write.
pub(super) fn guard(preview: &RawPreview, report: &mut Report<'_>) -> Guard {
    let needs_read = [
        ("bind", preview.bind.is_some()),
        ("watch", !preview.watch.is_empty()),
        ("after", preview.after.is_some()),
        ("agent", preview.agent.is_some()),
        ("fields", !preview.fields.is_empty()),
    ];
    for (key, present) in needs_read {
        if present && preview.read.is_none() {
            report.error(
                &["preview", key],
                format!("`{key}` needs a record"),
                "Add `read = { path = \"/…\" }` to the preview.",
            );
        }
    }
    check_pointers(&["preview", "watch"], &preview.watch, report);
    check_optional(preview, report);
    match preview.bind.as_deref() {
        Some("etag") if preview.watch.is_empty() => return Guard::Etag,
        Some("etag") => report.error(
            &["preview", "watch"],
            "`bind` and `watch` are both there",
            "Keep `bind = \"etag\"`, which guards the whole record, or `watch`.",
        ),
        Some(other) => {
            report.error(&["preview", "bind"], format!("`{other}` is not known"), "Only `etag` is.");
        }
        None => {}
    }
    if preview.watch.is_empty() {
        return Guard::None;
    }
    let watched = |pointer: &String| {
        let may_be_absent = preview.optional.contains(pointer);
        (pointer.clone(), if may_be_absent { Presence::Optional } else { Presence::Required })
    };
    Guard::Watch(preview.watch.iter().map(watched).collect())
}

/// `optional` lists those of `watch` that a record may lack.
fn check_optional(preview: &RawPreview, report: &mut Report<'_>) {
    check_pointers(&["preview", "optional"], &preview.optional, report);
    for (at, pointer) in preview.optional.iter().enumerate() {
        if !preview.watch.contains(pointer) {
            report.error(
                &["preview", "optional", &at.to_string()],
                format!("`{pointer}` is not watched"),
                "Add it to `watch`, or remove it: `optional` lists those of `watch` that a record may lack.",
            );
        }
    }
}

/// Whether the agent may see what its proposal takes from the record: `agent = "effects"`.
pub(super) fn shared(preview: &RawPreview, report: &mut Report<'_>) -> bool {
    match preview.agent.as_deref() {
        None => false,
        Some("effects") => true,
        Some(other) => {
            report.error(
                &["preview", "agent"],
                format!("`{other}` is not known"),
                "Write `agent = \"effects\"`, or remove it: then the agent sees nothing of the record.",
            );
            false
        }
    }
}

/// The sentences of `preview.effects`.
pub(super) fn effects(raw: &[String], words: &Vocabulary<'_>, report: &mut Report<'_>) -> Vec<Text> {
    let mut sentences = Vec::new();
    for (at, sentence) in raw.iter().enumerate() {
        let index = at.to_string();
        let path = ["preview", "effects", index.as_str()];
        if sentence.trim().is_empty() {
            report.error(&path, "the sentence is empty", "Say what will happen.");
        }
        let compiled = Text::compile(&format!("preview.effects[{at}]"), sentence, words);
        sentences.extend(report.keep_text(&path, compiled));
    }
    sentences
}

/// `risk.amount` with `risk.currency`: both or none.
pub(super) fn money(
    table: &Value,
    words: &Vocabulary<'_>,
    report: &mut Report<'_>,
) -> Option<(Template, Template)> {
    let amount = tree(table, &["risk", "amount"], words, report);
    let currency = tree(table, &["risk", "currency"], words, report);
    let present = |key: &str| table.pointer(&format!("/risk/{key}")).is_some();
    if present("amount") != present("currency") {
        report.error(
            &["risk"],
            "an amount and its currency belong together",
            "Add `amount` and `currency`, or remove both.",
        );
    }
    amount.zip(currency)
}

/// `preview.fields`: how people read fields of the record. `money` is the one format there is.
pub(super) fn money_fields(preview: &RawPreview, report: &mut Report<'_>) -> Vec<MoneyField> {
    let mut fields = Vec::new();
    for (amount, field) in &preview.fields {
        let path = ["preview", "fields", amount.as_str()];
        check_pointer(&path, amount, report);
        if field.format != "money" {
            report.error(&path, format!("the format `{}` is not known", field.format), "Only `money` is.");
        }
        let Some(currency) = &field.currency else {
            report.error(
                &path,
                "`currency` is missing",
                "Add `currency = \"/currency\"`, the pointer to the currency's code in the record.",
            );
            continue;
        };
        check_pointer(&path, currency, report);
        fields.push(MoneyField { amount: amount.clone(), currency: currency.clone(), unit: field.unit });
    }
    fields
}

/// The pointers that approvers do not see, relative to the record.
pub(super) fn hidden(raw: &RawAction, report: &mut Report<'_>) -> Vec<String> {
    let Some(redact) = &raw.redact else { return Vec::new() };
    report.unsupported(&["redact", "audit"], redact.audit.is_some());
    check_pointers(&["redact", "approver"], &redact.approver, report);
    let mut hidden = Vec::new();
    for (at, pointer) in redact.approver.iter().enumerate() {
        match pointer.strip_prefix("/before/") {
            Some(inside) => hidden.push(format!("/{inside}")),
            None => report.error(
                &["redact", "approver", &at.to_string()],
                format!("`{pointer}` does not begin with `/before/`"),
                "Only parts of the record can be hidden; they are hidden in `after` too.",
            ),
        }
    }
    hidden
}

fn check_pointers(path: &[&str], pointers: &[String], report: &mut Report<'_>) {
    for (at, pointer) in pointers.iter().enumerate() {
        let index = at.to_string();
        let whole: Vec<&str> = path.iter().copied().chain([index.as_str()]).collect();
        check_pointer(&whole, pointer, report);
    }
}

fn check_pointer(path: &[&str], pointer: &str, report: &mut Report<'_>) {
    if pointer.contains("${") {
        report.error(
            path,
            format!("`{pointer}` has an expression, but a pointer is taken as it is written"),
            "Name the field of the record itself, like `/a/b`.",
        );
        return;
    }
    let escapes_well = pointer.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
    if !pointer.starts_with('/') || !escapes_well {
        report.error(path, format!("`{pointer}` is not a JSON pointer"), "Write it like `/a/b` (RFC 6901).");
    }
}
