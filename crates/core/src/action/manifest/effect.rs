//! What a call does and what the upstream does with a repeated one: groups, effect class, undo, timeout.

use std::collections::BTreeSet;

use super::raw::{RawAction, RawEffect};
use super::source::Report;
use crate::action::types::{EffectClass, Group, Reversible, Undo};

/// The header of an idempotency key when the manifest names none.
const KEY_HEADER: &str = "idempotency-key";

/// The effect class with what belongs to it.
pub(super) struct Effect {
    pub(super) class: EffectClass,
    /// The header that carries the idempotency key.
    pub(super) key_header: Option<String>,
}

/// The effect class, from the manifest or from the method, checked against both.
pub(super) fn effect(raw: &RawAction, etag_bound: bool, report: &mut Report<'_>) -> Effect {
    let safe = raw.request.method.is_safe();
    let default = if safe { EffectClass::Read } else { EffectClass::Opaque };
    let named = raw.effect.as_ref().map_or(Some(default), |e| class(e, report));
    let class = named.unwrap_or(default);
    let at = ["effect", "class"];
    let method = raw.request.method.as_str();
    if safe && class != EffectClass::Read {
        report.error(&at, format!("{method} can only have the class `read`"), "Use `read`, or the method.");
    }
    match class {
        EffectClass::Read if !safe => {
            report.error(
                &at,
                format!("{method} cannot have the class `read`"),
                "Use a class that says what a repeated call does; `opaque` if nobody knows.",
            );
        }
        EffectClass::Conditional if !etag_bound => {
            report.error(
                &at,
                "the class `conditional` needs a precondition",
                "Add `bind = \"etag\"` to the preview.",
            );
        }
        EffectClass::Natural if raw.request.method == crate::action::Method::Post => {
            report.error(
                &at,
                "POST cannot have the class `natural`",
                "Only PUT, PATCH and DELETE can be absolute by nature; use `keyed` or `opaque`.",
            );
        }
        EffectClass::Read
        | EffectClass::Keyed
        | EffectClass::Conditional
        | EffectClass::Natural
        | EffectClass::Opaque => {}
    }
    let keyed = class == EffectClass::Keyed;
    if let Some(raw) = &raw.effect {
        // A class that is not known was reported; what it may carry is not.
        if raw.header.is_some() && !keyed && named.is_some() {
            report.error(
                &["effect", "header"],
                "`header` belongs to the class `keyed` only",
                "Remove it, or use the class `keyed`.",
            );
        }
        report.unsupported(&["effect", "window"], raw.window.is_some());
    }
    Effect { class, key_header: keyed.then(|| key_header(raw.effect.as_ref(), report)) }
}

fn class(raw: &RawEffect, report: &mut Report<'_>) -> Option<EffectClass> {
    Some(match raw.class.as_str() {
        "read" => EffectClass::Read,
        "keyed" => EffectClass::Keyed,
        "conditional" => EffectClass::Conditional,
        "natural" => EffectClass::Natural,
        "opaque" => EffectClass::Opaque,
        name => {
            let message = match name {
                "transactional" | "probe" => format!("the effect class `{name}` is not supported yet"),
                _ => format!("the effect class `{name}` is not known"),
            };
            report.error(
                &["effect", "class"],
                message,
                "Use read, keyed, conditional, natural or opaque; opaque is always safe.",
            );
            return None;
        }
    })
}

fn key_header(raw: Option<&RawEffect>, report: &mut Report<'_>) -> String {
    let name = raw.and_then(|e| e.header.as_deref()).unwrap_or(KEY_HEADER).to_ascii_lowercase();
    if name != KEY_HEADER
        && let Err(message) = super::request::check_header_name(&name)
    {
        report.error(&["effect", "header"], message, "Name the header that the upstream documents.");
    }
    name
}

/// Groups must say whether the action reads or changes, and agree with the method.
pub(super) fn groups(raw: &RawAction, class: EffectClass, report: &mut Report<'_>) -> BTreeSet<Group> {
    let reads = class == EffectClass::Read;
    let changing = [Group::Write, Group::Destructive, Group::Financial, Group::External, Group::Admin];
    let changes = raw.groups.iter().find(|g| changing.contains(g));
    let names_read = raw.groups.contains(&Group::Read);
    let method = raw.request.method.as_str();
    let fault = match (reads, names_read, changes) {
        (true, false, _) => Some(format!("{method} is in no group that says it only reads")),
        (true, true, Some(group)) => Some(format!("{method} is in the group `{}`", group.name())),
        (false, true, _) => Some(format!("{method} is in the group `read`, but it changes something")),
        (false, false, None) => Some("no group says what this changes".to_owned()),
        (true, true, None) | (false, false, Some(_)) => None,
    };
    if let Some(message) = fault {
        report.error(
            &["groups"],
            message,
            "Use `read` for GET and HEAD, and otherwise write, destructive, financial, external or admin.",
        );
    }
    raw.groups.clone()
}

/// What the manifest says about going back.
pub(super) fn undo(raw: &RawAction, class: EffectClass, report: &mut Report<'_>) -> Undo {
    let reversible = reversible(raw, report);
    let Some(undo) = &raw.undo else {
        let why = match (class, reversible) {
            (EffectClass::Read, _) => "Nothing changes.",
            (_, Reversible::Never) => "The manifest says that nothing takes it back.",
            (_, Reversible::WithUndo | Reversible::Unknown) => "The manifest plans no undo.",
        };
        return Undo { why: why.to_owned(), reversible };
    };
    if undo.kind != "none" {
        report.error(
            &["undo", "kind"],
            format!("the undo kind `{}` is not supported yet", undo.kind),
            "Use `none` and say in `why` how people go back.",
        );
    }
    let extra = [
        ("action", &undo.action),
        ("input", &undo.input),
        ("request", &undo.request),
        ("window", &undo.window),
        ("only_if", &undo.only_if),
    ];
    for (key, value) in extra {
        report.unsupported(&["undo", key], value.is_some());
    }
    let why = undo.why.clone().unwrap_or_default();
    if why.trim().is_empty() {
        report.error(&["undo"], "`why` is missing", "Say in a sentence why there is no way back.");
    }
    Undo { why, reversible }
}

/// `reversible`: only what is declared irreversible is shown as such.
fn reversible(raw: &RawAction, report: &mut Report<'_>) -> Reversible {
    let remedy = "Write `reversible = \"never\"` when nothing can take it back, and otherwise leave it out.";
    let word = match &raw.reversible {
        None => return Reversible::Unknown,
        Some(toml::Value::String(word)) => word.as_str(),
        Some(toml::Value::Boolean(_)) => {
            report.error(&["reversible"], "`reversible` is no longer true or false", remedy);
            return Reversible::Unknown;
        }
        Some(_) => "",
    };
    match word {
        "never" => return Reversible::Never,
        "unknown" => {}
        "with-undo" => report.error(&["reversible"], "an undo is not supported yet", remedy),
        _ => report.error(&["reversible"], "`reversible` is `never` or `unknown`", remedy),
    }
    Reversible::Unknown
}
