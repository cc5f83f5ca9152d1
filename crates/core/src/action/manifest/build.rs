//! One `[action."name"]` table, from raw to compiled.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;

use super::effect::{self, Effect};
use super::raw::RawAction;
use super::schema_file::Schemas;
use super::source::{Report, Source};
use super::system::is_name;
use super::tree::tree;
use super::{lets, preview, request};
use crate::action::expr::{Piece, Vocabulary, split, suffix_rules};
use crate::action::registry::{Action, System};
use crate::action::render::{Base, Guard, Plan, RecordParts};
use crate::action::schema::{self, InputSchema, LintFinding, OutputSchema};
use crate::action::types::{ActionName, EffectClass, Group};
use crate::address::SuffixRule;
use crate::digest::{Digest, Hasher, domain};
use crate::json::{canonical, canonical_v1};
use crate::limits;
use crate::problem::SourceFile;

/// The system that the actions of a file belong to.
pub(super) struct SystemTable<'a> {
    pub(super) system: Arc<System>,
    pub(super) base: Base,
    /// The `[system]` table as JSON, for the revision digest.
    pub(super) table: Value,
    /// Where it is written.
    pub(super) manifest: &'a SourceFile,
    /// The schemas that its actions may name.
    pub(super) schemas: &'a Schemas,
}

/// Compiles one action. `None` if anything about it is an error.
pub(super) fn action(
    source: &Source<'_>,
    owner: &SystemTable<'_>,
    name: &str,
    report: &mut Report<'_>,
) -> Option<Action> {
    let path = ["action", name];
    let raw: RawAction = match source.read(&path) {
        Ok(raw) => raw,
        Err(problem) => {
            report.push(problem);
            return None;
        }
    };
    let mut table = report.keep(&[], source.json(&path))?;
    let file = report.keep_text(&["schema"], schema_file(&mut table, owner))?;
    check_head(&raw, name, report);
    check_tool(&raw, &owner.system.name, name, report);
    let (schema, input) = input_schema(&raw, &table, file.as_deref(), report)?;
    let output = output_schema(&table, report);
    let etag_bound = raw.preview.as_ref().is_some_and(|p| p.bind.as_deref() == Some("etag"));
    let effect = effect::effect(&raw, etag_bound, report);
    let groups = effect::groups(&raw, effect.class, report);
    let plan = plan(&raw, &table, &schema, (owner, &effect), report);
    let undo = effect::undo(&raw, effect.class, report);
    let money_fields = raw.preview.as_ref().map(|p| preview::money_fields(p, report)).unwrap_or_default();
    let hidden = preview::hidden(&raw, report);
    let shared = raw.preview.as_ref().is_some_and(|p| preview::shared(p, report));
    warn(&raw, owner, effect.class, report);
    warn_of_suffixes(&table, &mut Vec::new(), &schema, report);
    if report.errors() > 0 {
        return None;
    }
    Some(Action {
        tool: raw.tool.unwrap_or_else(|| default_tool(&owner.system.name, name)),
        name: ActionName::new(&owner.system.name, name),
        system: Arc::clone(&owner.system),
        title: raw.title,
        description: raw.description,
        groups,
        effect: effect.class,
        undo,
        resource_type: raw.resource.kind,
        schema,
        revision: revision(owner, name, &table),
        revision_v1: revision_v1(owner, name, &table)?,
        output,
        input,
        plan: plan?,
        money_fields,
        hidden,
        shared,
    })
}

/// Covers both tables as they are written, so no field can change without changing the digest (T03).
fn revision(owner: &SystemTable<'_>, name: &str, table: &Value) -> Digest {
    Hasher::new(domain::ACTION)
        .field(name.as_bytes())
        .field(&canonical(&owner.table))
        .field(&canonical(table))
        .finish()
}

/// The same by the format of version 1, under which open proposals may have been made.
fn revision_v1(owner: &SystemTable<'_>, name: &str, table: &Value) -> Option<Digest> {
    let hasher = Hasher::new(domain::ACTION_V1)
        .field(name.as_bytes())
        .field(&canonical_v1(&owner.table).ok()?)
        .field(&canonical_v1(table).ok()?);
    Some(hasher.finish())
}

fn check_head(raw: &RawAction, name: &str, report: &mut Report<'_>) {
    if !name.split('.').all(is_name) {
        report.error(
            &[],
            format!("`{name}` is not an action name"),
            "Use lower-case words joined by dots, such as `refund.create`.",
        );
    }
    for (key, text) in [("title", &raw.title), ("description", &raw.description)] {
        if text.trim().is_empty() {
            report.error(&[key], format!("`{key}` is empty"), "Agents and approvers read it.");
        }
    }
    let kind = &raw.resource.kind;
    let is_type = kind.starts_with(|c: char| c.is_ascii_uppercase())
        && kind.len() <= 64
        && kind.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if !is_type {
        report.error(
            &["resource", "type"],
            format!("`{kind}` is not a resource type"),
            "Use one word that starts with a capital letter, such as `Charge`.",
        );
    }
    if crate::policy::is_taken(kind) {
        report.error(
            &["resource", "type"],
            format!("the resource type `{kind}` is a word of the policy language"),
            "Give the resource type another name.",
        );
    }
    report.unsupported(&["resource", "parents"], raw.resource.parents.is_some());
    report.unsupported(&["reconcile"], raw.reconcile.is_some());
}

/// `crm_note_add` of the action `note.add` of the system `crm`.
fn default_tool(system: &str, name: &str) -> String {
    format!("{system}.{name}").replace('.', "_")
}

/// Whether every model API accepts the name of the tool, and the gate has none of that name.
fn check_tool(raw: &RawAction, system: &str, name: &str, report: &mut Report<'_>) {
    let tool = raw.tool.clone().unwrap_or_else(|| default_tool(system, name));
    let place: &[&str] = if raw.tool.is_some() { &["tool"] } else { &[] };
    let accepted = (1..=limits::TOOL_NAME_MAX).contains(&tool.len())
        && tool.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if !accepted {
        report.error(
            place,
            format!("`{tool}` is not a name that model APIs accept for a tool"),
            "Write `tool = \"…\"` with 1 to 64 letters, digits, `_` and `-`.",
        );
    } else if tool.starts_with(limits::OWN_TOOLS) {
        report.error(
            place,
            format!("the tool name `{tool}` is kept for the gate's own tools, which begin with `gate_`"),
            "Write `tool = \"…\"` with another name.",
        );
    }
}

/// Puts a schema from a file in the place of its name, so that everything that reads the table, its digest too, has the
/// schema itself. Gives the file's name, if there is one.
fn schema_file(table: &mut Value, owner: &SystemTable<'_>) -> Result<Option<String>, String> {
    let Some(named @ Value::String(_)) = table.get_mut("schema") else { return Ok(None) };
    let name = named.as_str().unwrap_or_default().to_owned();
    *named = owner.schemas.find(owner.manifest, &name)?;
    Ok(Some(name))
}

fn input_schema(
    raw: &RawAction,
    table: &Value,
    file: Option<&str>,
    report: &mut Report<'_>,
) -> Option<(Value, InputSchema)> {
    if raw.input.is_some() && raw.schema.is_some() {
        report.error(&["schema"], "`input` and `schema` are both there", "Keep one of them.");
    }
    let (root, schema) = match (table.get("schema"), table.get("input")) {
        (Some(long @ Value::Object(_)), _) => match schema::inline(long, long) {
            Ok(long) => ("schema", schema::close_long(long)),
            Err(message) => {
                let remedy = "References go to a schema in the same document, such as `#/$defs/Name`, and not in a circle.";
                report.error(&["schema"], message, remedy);
                return None;
            }
        },
        (Some(_), _) => {
            report.error(&["schema"], "`schema` is no table", "Write a table, or the name of a JSON file.");
            return None;
        }
        (None, Some(Value::Object(fields))) => ("input", schema::close(fields.clone())),
        (None, Some(_)) => {
            report.error(&["input"], "`input` is not a table of fields", "Write `[action.\"x\".input]`.");
            return None;
        }
        (None, None) => ("input", schema::close(serde_json::Map::new())),
    };
    if !keep(schema::lint(&schema), root, file, report) {
        return None;
    }
    let input = report.keep_text(&[root], InputSchema::compile(&schema))?;
    Some((schema, input))
}

/// What the manifest says of the upstream's answer.
fn output_schema(table: &Value, report: &mut Report<'_>) -> Option<OutputSchema> {
    const ROOT: &str = "output";
    let Value::Object(fields) = table.get(ROOT)? else {
        report.error(&[ROOT], "`output` is not a table of fields", "Write `[action.\"x\".output]`.");
        return None;
    };
    let schema = schema::open(fields.clone());
    if !keep(schema::lint_output(&schema), ROOT, None, report) {
        return None;
    }
    report.keep_text(&[ROOT], OutputSchema::compile(schema))
}

/// Reports what was found in a schema, which is in a file of its own or in the manifest; whether it can be compiled.
fn keep(found: Vec<LintFinding>, root: &str, file: Option<&str>, report: &mut Report<'_>) -> bool {
    let before = report.errors();
    for finding in found {
        let mut path = vec![root];
        for (at, field) in finding.path.iter().enumerate() {
            // In the short form the fields stand directly in the table.
            if !matches!(field.as_str(), "items" | "additionalProperties") && (at > 0 || root == "schema") {
                path.push("properties");
            }
            path.push(field);
        }
        let place = path.get(1..).unwrap_or_default().join("/");
        let message = in_file(file, &place, finding.message);
        if finding.warning {
            report.warn(&path, message, &finding.remedy);
        } else {
            report.error(&path, message, &finding.remedy);
        }
    }
    report.errors() == before
}

/// A message that says where in the schema's own file it belongs.
fn in_file(file: Option<&str>, place: &str, message: String) -> String {
    match file {
        Some(file) if place.is_empty() => format!("`{file}`: {message}"),
        Some(file) => format!("`{file}` at /{place}: {message}"),
        None => message,
    }
}

fn plan(
    raw: &RawAction,
    table: &Value,
    schema: &Value,
    (owner, effect): (&SystemTable<'_>, &Effect),
    report: &mut Report<'_>,
) -> Option<Plan> {
    let shown = raw.preview.as_ref();
    let names: BTreeSet<String> = shown.map(|p| p.lets.keys().cloned().collect()).unwrap_or_default();
    let before = shown.is_some_and(|p| p.read.is_some());
    let words = Vocabulary { schema, before, proposal: false, lets: &names };
    let in_call = Vocabulary { proposal: true, ..words };
    let read = shown.and_then(|p| preview::read(p, &owner.base, schema, report));
    let guard = shown.map_or(Guard::None, |p| preview::guard(p, report));
    let lets = lets::compile(table.pointer("/preview/let"), &words, report);
    let effects = shown.map(|p| preview::effects(&p.effects, &words, report)).unwrap_or_default();
    let after = tree(table, &["preview", "after"], &in_call, report);
    let money = preview::money(table, &words, report);
    let count = tree(table, &["risk", "count"], &words, report)
        .and_then(|count| report.keep(&["risk", "count"], count.must_be_count()));
    let resource_id = tree(table, &["resource", "id"], &words, report);
    let mut request = request::compile(raw, table, &owner.base, &in_call, report)?;
    request.key_header.clone_from(&effect.key_header);
    if let Some(name) = &effect.key_header
        && request.headers.iter().any(|(n, _)| n == name)
    {
        report.error(
            &["request", "headers"],
            format!("the header `{name}` carries the idempotency key"),
            "Remove it; the gate sets it.",
        );
    }
    let from_record = RecordParts::default();
    let resource_id = resource_id?;
    Some(
        Plan { resource_id, lets, read, guard, after, effects, money, count, request, from_record }
            .analysed(),
    )
}

/// Rules on the end of an address that other texts meet too, in every expression below `value`.
fn warn_of_suffixes(value: &Value, path: &mut Vec<String>, schema: &Value, report: &mut Report<'_>) {
    match value {
        Value::String(text) => {
            for piece in split(text).unwrap_or_default() {
                let Piece::Code(code) = piece else { continue };
                let faults: BTreeSet<_> =
                    suffix_rules(code, schema).iter().filter_map(SuffixRule::fault).collect();
                for (message, remedy) in faults {
                    let path: Vec<&str> = path.iter().map(String::as_str).collect();
                    report.warn(&path, message, &remedy);
                }
            }
        }
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                path.push(at.to_string());
                warn_of_suffixes(item, path, schema, report);
                path.pop();
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                path.push(name.clone());
                warn_of_suffixes(member, path, schema, report);
                path.pop();
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// What is only careless.
fn warn(raw: &RawAction, owner: &SystemTable<'_>, class: EffectClass, report: &mut Report<'_>) {
    let preview = raw.preview.as_ref();
    let reads_record = preview.is_some_and(|p| p.read.is_some());
    let credential = &owner.system.credential;
    if reads_record && credential.read.is_none() {
        report.warn(
            &["preview", "read"],
            "the preview is read without a credential",
            "Name `credential.read` of the system, unless the record is public.",
        );
    }
    if class == EffectClass::Read {
        return;
    }
    if credential.write.is_none() {
        report.warn(
            &["request"],
            "the call is sent without a credential",
            "Name `credential.write` of the system.",
        );
    }
    if !reads_record {
        report.warn(
            &[],
            "a change without a preview: approvers do not see what is there now",
            "Add `preview.read`.",
        );
    } else if preview.is_some_and(|p| p.bind.is_none() && p.watch.is_empty()) {
        report.warn(
            &["preview"],
            "nothing guards the record between preview and change",
            "Add `bind = \"etag\"` or `watch`.",
        );
    }
    if preview.is_none_or(|p| p.effects.is_empty()) {
        report.warn(&[], "no sentence says what will happen", "Add `preview.effects`.");
    }
    if raw.groups.contains(&Group::Financial) && raw.risk.as_ref().is_none_or(|r| r.amount.is_none()) {
        report.warn(
            &["groups"],
            "financial, but policies see no amount",
            "Add `risk.amount` and `risk.currency`.",
        );
    }
}
