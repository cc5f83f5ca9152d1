//! The `[system]` table.

use super::raw::RawSystem;
use super::source::{Report, Source};
use crate::action::registry::System;
use crate::action::render::Base;
use crate::action::types::CredentialRefs;
use crate::limits::LABEL_BYTES_MAX;

/// Checks the system. `None` if anything about it is an error.
pub(super) fn load(
    source: &Source<'_>,
    environments: &[String],
    report: &mut Report<'_>,
) -> Option<(System, Base)> {
    let raw: RawSystem = match source.read(&["system"]) {
        Ok(raw) => raw,
        Err(problem) => {
            report.push(problem);
            return None;
        }
    };
    if !is_name(&raw.name) {
        report.error(
            &["system", "name"],
            format!("`{}` is not a system name", raw.name),
            "Use lower-case letters, digits, `_` and `-`, starting with a letter.",
        );
    }
    if !environments.contains(&raw.env) {
        report.error(
            &["system", "env"],
            format!("the environment `{}` is not one of `{}`", raw.env, environments.join("`, `")),
            "Use one of them, or add it to `countersign.toml`.",
        );
    }
    if raw.owner.trim().is_empty() {
        report.error(&["system", "owner"], "the owner is empty", "Name the team that owns rollback.");
    }
    for (kind, name) in [("read", &raw.credential.read), ("write", &raw.credential.write)] {
        if name.as_ref().is_some_and(|n| !is_name(n)) {
            report.error(
                &["system", "credential", kind],
                "this is not the name of a credential",
                "Write its name only, in lower case; the secret itself never stands in a manifest.",
            );
        }
    }
    let base = match Base::parse(&raw.base_url) {
        Ok(base) => base,
        Err((message, remedy)) => {
            report.error(&["system", "base_url"], message, remedy);
            return None;
        }
    };
    if base.is_plain() {
        report.warn(
            &["system", "base_url"],
            "the connection is not encrypted",
            "This is fine for a demonstration on one machine, and for nothing else.",
        );
    }
    let system = System {
        name: raw.name,
        base_url: base.as_str().to_owned(),
        environment: raw.env,
        owner: raw.owner,
        credential: CredentialRefs { read: raw.credential.read, write: raw.credential.write },
    };
    (report.errors() == 0).then_some((system, base))
}

/// A lower-case name without dots: a system, a credential, a part of an action's name.
pub(super) fn is_name(text: &str) -> bool {
    text.len() <= LABEL_BYTES_MAX
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-')
}
