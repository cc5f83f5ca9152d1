//! The difference section of the card: [`changes`], ready to print.

use countersign_core::preview::{Fidelity, Preview};
use countersign_core::time::Timestamp;

use super::text::{Block, Eye, Text, Time};
use crate::surface::{Changed, Changes, FieldValue, changes, meaning};

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
    let Changes { changed, note, same } = changes(preview);
    let same_label = match (preview.after.is_some(), same.len()) {
        (false, _) => "The record as it is now".to_owned(),
        (true, 1) => "1 field stays as it is".to_owned(),
        (true, n) => format!("{n} fields stay as they are"),
    };
    let cell = |shown: FieldValue<'_>| Cell {
        money: shown.money.map(|money| eye.text(&money)),
        value: eye.json(shown.value),
    };
    let row = |change: Changed<'_>| DiffRow {
        field: eye.text(&change.field),
        kind: change.kind,
        before: change.before.map(cell),
        after: change.after.map(cell),
    };
    Diff {
        fidelity: preview.fidelity.name(),
        meaning: meaning(preview.fidelity),
        tone,
        groups: changed.into_iter().map(row).collect(),
        note,
        same: same
            .into_iter()
            .map(|(name, shown)| Field { name: eye.text(name), value: cell(shown) })
            .collect(),
        same_label,
        source: preview.source.as_deref().map(|s| eye.text(s)),
        at: Time::new(preview.at, now),
    }
}

#[cfg(test)]
mod tests {
    use countersign_core::preview::difference;
    use serde_json::{Value, json};

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
