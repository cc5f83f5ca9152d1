//! The difference as people read it: one row per changed field, before and after side by side, unchanged
//! fields apart. A pure function of the preview that was bound; nothing is computed again.

use std::collections::BTreeSet;

use countersign_core::json;
use countersign_core::preview::{Fidelity, Preview};
use countersign_core::time::Timestamp;
use serde_json::Value;

use super::text::{Block, Eye, Text, Time};
use crate::surface::meaning;

/// What the difference section shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Diff {
    /// How it was made, in one word.
    pub(crate) fidelity: &'static str,
    /// What that word means.
    pub(crate) meaning: &'static str,
    /// The badge's colour.
    pub(crate) tone: &'static str,
    /// Changed fields, grouped by their place.
    pub(crate) groups: Vec<DiffRow>,
    /// Why there is no row.
    pub(crate) note: Option<&'static str>,
    /// Fields that stay as they are, or the record when nothing is known about afterwards.
    pub(crate) same: Vec<Field>,
    /// What those are.
    pub(crate) same_label: String,
    /// Where the record came from.
    pub(crate) source: Option<Text>,
    /// When.
    pub(crate) at: Time,
}

/// One changed field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DiffRow {
    /// Its place, such as `metadata / owner`.
    pub(crate) field: Text,
    /// `changed`, `added` or `removed`.
    pub(crate) kind: &'static str,
    /// The value now; none when it is not there.
    pub(crate) before: Option<Cell>,
    /// The value afterwards; none when it will not be there.
    pub(crate) after: Option<Cell>,
}

/// One value of the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cell {
    /// As money, when the manifest says that it is.
    pub(crate) money: Option<Text>,
    /// As it is in the record.
    pub(crate) value: Block,
}

/// One unchanged field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Field {
    /// Its name.
    pub(crate) name: Text,
    /// Its value.
    pub(crate) value: Cell,
}

/// The difference of a preview.
pub(crate) fn diff(preview: &Preview, eye: &Eye, now: Timestamp) -> Diff {
    let tone = match preview.fidelity {
        Fidelity::Exact | Fidelity::Computed => "green",
        Fidelity::Declared => "amber",
        Fidelity::None => "red",
    };
    let places = places(preview);
    let groups: Vec<DiffRow> = places.iter().map(|place| row(preview, place, eye)).collect();
    let note = match (&preview.before, &preview.after) {
        (Some(_), Some(_)) if groups.is_empty() => Some("The record stays as it is."),
        (Some(_), None) => Some("The record could be read, but not computed as it would be afterwards."),
        (None, _) => Some("The record was not read."),
        (Some(_), Some(_)) => None,
    };
    let same = same(preview, &places, eye);
    let same_label = match (preview.after.is_some(), same.len()) {
        (false, _) => "The record as it is now".to_owned(),
        (true, 1) => "1 field stays as it is".to_owned(),
        (true, n) => format!("{n} fields stay as they are"),
    };
    Diff {
        fidelity: preview.fidelity.name(),
        meaning: meaning(preview.fidelity),
        tone,
        groups,
        note,
        same,
        same_label,
        source: preview.source.as_deref().map(|s| eye.text(s)),
        at: Time::new(preview.at, now),
    }
}

/// The places that change, each once, grouped by top-level field. Inside an array an operation's index
/// depends on the operations before it, so an array is shown whole.
fn places(preview: &Preview) -> BTreeSet<Vec<String>> {
    let mut places = BTreeSet::new();
    for operation in &preview.patch {
        let Some(path) = operation.get("path").and_then(Value::as_str) else { continue };
        let mut place = Vec::new();
        let mut here = (preview.before.as_ref(), preview.after.as_ref());
        for token in path.split('/').skip(1) {
            if here.0.is_some_and(Value::is_array) || here.1.is_some_and(Value::is_array) {
                break;
            }
            let token = json::unescape_token(token);
            here = (here.0.and_then(|v| v.get(&token)), here.1.and_then(|v| v.get(&token)));
            place.push(token);
        }
        places.insert(place);
    }
    // A place inside another that is shown whole says nothing new.
    let within = |place: &Vec<String>| places.iter().any(|p| p.len() < place.len() && place.starts_with(p));
    places.iter().filter(|place| !within(place)).cloned().collect()
}

fn at<'a>(record: Option<&'a Value>, place: &[String]) -> Option<&'a Value> {
    place.iter().try_fold(record?, |value, token| value.get(token))
}

fn row(preview: &Preview, place: &[String], eye: &Eye) -> DiffRow {
    let (before, after) = (at(preview.before.as_ref(), place), at(preview.after.as_ref(), place));
    let kind = match (before, after) {
        (None, _) => "added",
        (_, None) => "removed",
        _ => "changed",
    };
    let field = if place.is_empty() { "the whole record".to_owned() } else { place.join(" / ") };
    DiffRow {
        field: eye.text(&field),
        kind,
        before: before.map(|v| cell(preview, place, v, preview.before.as_ref(), eye)),
        after: after.map(|v| cell(preview, place, v, preview.after.as_ref(), eye)),
    }
}

/// A value at a place of a record.
fn cell(preview: &Preview, place: &[String], value: &Value, record: Option<&Value>, eye: &Eye) -> Cell {
    let pointer =
        place.iter().fold(String::new(), |whole, token| format!("{whole}/{}", json::escape_token(token)));
    let money = record.and_then(|record| preview.money_at(&pointer, record));
    Cell { money: money.map(|text| eye.text(&text)), value: eye.json(value) }
}

fn same(preview: &Preview, places: &BTreeSet<Vec<String>>, eye: &Eye) -> Vec<Field> {
    let changed: BTreeSet<&str> = places.iter().filter_map(|p| p.first()).map(String::as_str).collect();
    let whole = places.iter().any(Vec::is_empty);
    match &preview.before {
        Some(Value::Object(map)) if !whole => map
            .iter()
            .filter(|(name, _)| !changed.contains(name.as_str()))
            .map(|(name, value)| Field {
                name: eye.text(name),
                value: cell(preview, std::slice::from_ref(name), value, preview.before.as_ref(), eye),
            })
            .collect(),
        Some(other) if !whole && places.is_empty() => {
            vec![Field { name: eye.text("record"), value: Cell { money: None, value: eye.json(other) } }]
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use countersign_core::preview::difference;
    use serde_json::json;

    use super::*;

    fn shown(before: Option<Value>, after: Option<Value>) -> Diff {
        let now = Timestamp::from_micros(0);
        let patch = match (&before, &after) {
            (Some(b), Some(a)) => difference(b, a),
            _ => Vec::new(),
        };
        let fidelity = Fidelity::Computed;
        diff(
            &Preview {
                fidelity,
                at: now,
                source: None,
                before,
                after,
                patch,
                money: Vec::new(),
                disclosure: countersign_core::preview::Disclosure::default(),
            },
            &Eye::default(),
            now,
        )
    }

    fn rows(diff: &Diff) -> Vec<(String, &'static str, bool, bool)> {
        let text = |t: &Text| t.to_string().replace("<bdi>", "").replace("</bdi>", "");
        diff.groups.iter().map(|r| (text(&r.field), r.kind, r.before.is_some(), r.after.is_some())).collect()
    }

    #[test]
    fn changed_fields_are_rows_and_the_rest_is_apart() {
        let before = json!({ "status": "paid", "id": "1", "owner": { "a": 1, "b": 2 }, "old": null });
        let after = json!({ "status": "refunded", "id": "1", "owner": { "a": 1, "b": 3 }, "new": null });
        let diff = shown(Some(before), Some(after));
        let expect = [
            ("new", "added", false, true),
            ("old", "removed", true, false),
            ("owner / b", "changed", true, true),
            ("status", "changed", true, true),
        ];
        let expect: Vec<_> = expect.into_iter().map(|(f, k, b, a)| (f.to_owned(), k, b, a)).collect();
        assert_eq!(rows(&diff), expect);
        assert_eq!(diff.same.len(), 1);
        assert_eq!(diff.note, None);
    }

    #[test]
    fn an_array_that_changes_is_shown_whole_and_once() {
        let before = json!({ "items": [{ "n": 1 }, { "n": 2 }, { "n": 3 }], "x/y~": 1 });
        let after = json!({ "items": [{ "n": 3 }, { "n": 2 }], "x/y~": 2 });
        let diff = shown(Some(before), Some(after));
        let fields: Vec<String> = rows(&diff).into_iter().map(|r| r.0).collect();
        assert_eq!(fields, ["items", "x/y~"]);
    }

    #[test]
    fn what_is_not_known_is_said() {
        let table = [
            (Some(json!({})), Some(json!({})), Some("The record stays as it is.")),
            (
                Some(json!({})),
                None,
                Some("The record could be read, but not computed as it would be afterwards."),
            ),
            (None, None, Some("The record was not read.")),
            (Some(json!(1)), Some(json!("1")), None),
        ];
        for (before, after, note) in table {
            assert_eq!(shown(before, after).note, note);
        }
    }

    #[test]
    fn a_missing_field_and_null_do_not_look_alike_t30() {
        let diff = shown(Some(json!({ "a": null })), Some(json!({ "a": "null", "b": null })));
        let html: Vec<Option<String>> =
            diff.groups.iter().map(|r| r.before.as_ref().map(|cell| cell.value.to_string())).collect();
        assert!(html[0].as_ref().unwrap().contains("<bdi>null</bdi>"));
        assert_eq!(html[1], None);
        let after = diff.groups[0].after.as_ref().unwrap().value.to_string();
        assert!(after.contains("<bdi>&#34;null&#34;</bdi>"), "{after}");
    }
}
