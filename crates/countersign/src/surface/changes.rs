//! The difference as people read it: one entry per changed field, before and after side by side, unchanged fields
//! apart. A pure function of the preview that was bound; nothing is computed again.

use std::collections::BTreeSet;

use countersign_core::json;
use countersign_core::preview::Preview;
use serde_json::Value;

/// What a preview shows of its record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Changes<'a> {
    /// Fields that change, each once.
    pub(crate) changed: Vec<Changed<'a>>,
    /// What to know beside them, or why there is none.
    pub(crate) note: Option<&'static str>,
    /// Top-level fields that stay as they are, or the record when nothing is known about afterwards.
    pub(crate) same: Vec<(&'a str, FieldValue<'a>)>,
}

/// One field that changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Changed<'a> {
    /// Its place, such as `metadata / owner`.
    pub(crate) field: String,
    /// `changed`, `added` or `removed`.
    pub(crate) kind: &'static str,
    /// The value now; none when it is not there.
    pub(crate) before: Option<FieldValue<'a>>,
    /// The value afterwards; none when it will not be there.
    pub(crate) after: Option<FieldValue<'a>>,
}

/// One value of the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FieldValue<'a> {
    /// As money, when the manifest says that it is.
    pub(crate) money: Option<String>,
    /// As it is in the record.
    pub(crate) value: &'a Value,
}

impl Changed<'_> {
    /// `price: 50.00 USD (5000) → 900.00 USD (90000)`.
    pub(crate) fn to_text(&self) -> String {
        let side = |shown: &Option<FieldValue<'_>>| {
            shown.as_ref().map_or_else(|| "not there".to_owned(), FieldValue::to_text)
        };
        format!("{}: {} → {}", self.field, side(&self.before), side(&self.after))
    }
}

impl FieldValue<'_> {
    /// As JSON, after the money that it is: `900.00 USD (90000)`.
    pub(crate) fn to_text(&self) -> String {
        match &self.money {
            Some(money) => format!("{money} ({})", self.value),
            None => self.value.to_string(),
        }
    }
}

/// The difference of a preview.
pub(crate) fn changes(preview: &Preview) -> Changes<'_> {
    let places = places(preview);
    let changed: Vec<Changed<'_>> = places.iter().map(|place| changed(preview, place)).collect();
    let note = match (&preview.before, &preview.after) {
        (Some(_), Some(_)) if changed.is_empty() => Some("The record stays as it is."),
        (Some(_), None) => Some("The record could be read, but not computed as it would be afterwards."),
        (None, _) => Some("The record was not read."),
        (Some(_), Some(_)) => None,
    };
    Changes { changed, note, same: same(preview, &places) }
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

fn changed<'a>(preview: &'a Preview, place: &[String]) -> Changed<'a> {
    let (before, after) = (at(preview.before.as_ref(), place), at(preview.after.as_ref(), place));
    let kind = match (before, after) {
        (None, _) => "added",
        (_, None) => "removed",
        _ => "changed",
    };
    Changed {
        field: if place.is_empty() { "the whole record".to_owned() } else { place.join(" / ") },
        kind,
        before: before.map(|value| value_at(preview, place, value, preview.before.as_ref())),
        after: after.map(|value| value_at(preview, place, value, preview.after.as_ref())),
    }
}

fn value_at<'a>(
    preview: &Preview,
    place: &[String],
    value: &'a Value,
    record: Option<&Value>,
) -> FieldValue<'a> {
    let pointer =
        place.iter().fold(String::new(), |whole, token| format!("{whole}/{}", json::escape_token(token)));
    FieldValue { money: record.and_then(|record| preview.money_at(&pointer, record)), value }
}

fn same<'a>(preview: &'a Preview, places: &BTreeSet<Vec<String>>) -> Vec<(&'a str, FieldValue<'a>)> {
    let changed: BTreeSet<&str> = places.iter().filter_map(|p| p.first()).map(String::as_str).collect();
    let whole = places.iter().any(Vec::is_empty);
    match &preview.before {
        Some(Value::Object(map)) if !whole => map
            .iter()
            .filter(|(name, _)| !changed.contains(name.as_str()))
            .map(|(name, value)| {
                let place = std::slice::from_ref(name);
                (name.as_str(), value_at(preview, place, value, preview.before.as_ref()))
            })
            .collect(),
        Some(other) if !whole && places.is_empty() => {
            vec![("record", FieldValue { money: None, value: other })]
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use countersign_core::preview::{Disclosure, Fidelity, difference};
    use countersign_core::time::Timestamp;
    use serde_json::json;

    use super::*;

    fn preview(before: Option<Value>, after: Option<Value>) -> Preview {
        let patch = match (&before, &after) {
            (Some(b), Some(a)) => difference(b, a),
            _ => Vec::new(),
        };
        Preview {
            fidelity: Fidelity::Computed,
            at: Timestamp::from_micros(0),
            source: None,
            before,
            after,
            patch,
            money: Vec::new(),
            disclosure: Disclosure::default(),
        }
    }

    #[test]
    fn changed_fields_are_entries_and_the_rest_is_apart() {
        let before = json!({ "status": "paid", "id": "1", "owner": { "a": 1, "b": 2 }, "old": null });
        let after = json!({ "status": "refunded", "id": "1", "owner": { "a": 1, "b": 3 }, "new": null });
        let preview = preview(Some(before), Some(after));
        let shown = changes(&preview);
        let rows: Vec<_> = shown
            .changed
            .iter()
            .map(|c| (c.field.as_str(), c.kind, c.before.is_some(), c.after.is_some()))
            .collect();
        let expect = [
            ("new", "added", false, true),
            ("old", "removed", true, false),
            ("owner / b", "changed", true, true),
            ("status", "changed", true, true),
        ];
        assert_eq!(rows, expect);
        assert_eq!(shown.same, [("id", FieldValue { money: None, value: &json!("1") })]);
        assert_eq!(shown.note, None);
    }

    #[test]
    fn an_array_that_changes_is_shown_whole_and_once() {
        let before = json!({ "items": [{ "n": 1 }, { "n": 2 }, { "n": 3 }], "x/y~": 1 });
        let after = json!({ "items": [{ "n": 3 }, { "n": 2 }], "x/y~": 2 });
        let preview = preview(Some(before), Some(after));
        let fields: Vec<String> = changes(&preview).changed.into_iter().map(|c| c.field).collect();
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
            assert_eq!(changes(&preview(before, after)).note, note);
        }
    }
}
