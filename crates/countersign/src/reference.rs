//! `reference`: the documents of `docs/reference`, made from what the code itself says. A test compares the
//! files with these texts, so nothing here may depend on the machine, the time or the environment.

use std::collections::BTreeMap;

use clap::ValueEnum;
use countersign_core::audit::{EVENT_CODES, EventData};
use schemars::generate::SchemaSettings;
use serde_json::Value;

use crate::http::{Listener, openapi};
use crate::surface::{self, ErrorCode};

/// A document of the reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Document {
    /// `cli.md`: every command with its help.
    Cli,
    /// `openapi-agents.json`: the agents' listener.
    OpenapiAgents,
    /// `openapi-people.json`: the people's listener.
    OpenapiPeople,
    /// `errors.md`: every code with its status.
    Errors,
    /// `audit.md`: every event, the entry and the export.
    Audit,
    /// `config.md`: every setting with its default.
    Config,
}

/// What the documents say of the command line.
#[derive(Debug)]
pub(crate) struct Commands<'a> {
    /// The whole of it.
    pub(crate) root: clap::Command,
    /// What its exit codes mean.
    pub(crate) exit_codes: &'a str,
    /// The settings that `init` writes.
    pub(crate) settings: &'a str,
}

const GENERATED: &str = "Written by a test from the code; do not edit.";

/// The whole text of a document.
pub(crate) fn text(document: Document, commands: Commands<'_>) -> String {
    match document {
        Document::Cli => cli(commands),
        Document::OpenapiAgents => openapi(Listener::Agents).to_owned(),
        Document::OpenapiPeople => openapi(Listener::People).to_owned(),
        Document::Errors => errors(),
        Document::Audit => audit(),
        Document::Config => config(commands.settings),
    }
}

fn cli(Commands { mut root, exit_codes, .. }: Commands<'_>) -> String {
    let mut text = format!("# Command line\n\n{GENERATED}\n\n{exit_codes}\n");
    root.build();
    for command in root.get_subcommands().filter(|c| !c.is_hide_set() && c.get_name() != "help") {
        describe(command, &mut text);
    }
    text
}

fn describe(command: &clap::Command, text: &mut String) {
    let mut command = command.clone();
    let name = command.get_bin_name().unwrap_or(command.get_name()).to_owned();
    let help = command.render_long_help().to_string();
    let help: Vec<&str> = help.trim_end().lines().map(str::trim_end).collect();
    text.push_str(&format!("\n## `{name}`\n\n```text\n{}\n```\n", help.join("\n")));
    for inner in command.get_subcommands().filter(|c| c.get_name() != "help") {
        describe(inner, text);
    }
}

fn errors() -> String {
    let mut text = format!(
        "# Errors\n\n{GENERATED}\n\n\
         Every error is a problem of RFC 9457 with the media type `application/problem+json`.\n\
         `code` is stable; `detail` is for people and may change.\n"
    );
    let about = "What the gate refuses, on either listener.";
    table("Refusals", about, &surface::of_refusals(), &mut text);
    let about = "What `POST /v1/proposals` answers when the proposal exists and was not done.\n\
                 The problem has the members `proposal` and `policies`.";
    table("Outcomes", about, &surface::of_outcomes(), &mut text);
    let about = "What has nothing to do with what was asked.";
    table("Surface", about, surface::of_surface(), &mut text);
    text
}

fn table(title: &str, about: &str, rows: &[ErrorCode], text: &mut String) {
    text.push_str(&format!("\n## {title}\n\n{about}\n\n| code | status | meaning |\n| --- | --- | --- |\n"));
    for row in rows {
        text.push_str(&format!("| `{}` | {} | {} |\n", row.code, row.status, row.meaning));
    }
}

fn audit() -> String {
    let mut text = format!(
        "# Audit log\n\n{GENERATED}\n\n{AUDIT}\n## Events\n\n| event | meaning | `data` |\n| --- | --- | --- |\n"
    );
    let settings = SchemaSettings::draft2020_12().with(|s| s.meta_schema = None);
    let mut generator = settings.into_generator();
    let mut shapes: BTreeMap<String, Value> = BTreeMap::new();
    for (code, meaning) in EVENT_CODES {
        let schema = EventData::schema_of(*code, &mut generator);
        let name = type_of(schema.as_value());
        text.push_str(&format!("| `{code}` | {meaning} | {name} |\n"));
    }
    shapes.extend(generator.take_definitions(true));
    text.push_str(SHAPES);
    for (name, schema) in &shapes {
        shape(name, schema, &mut text);
    }
    text.push_str(AUDIT_DATA);
    text
}

/// One shape: what it is, and its members or values.
fn shape(name: &str, schema: &Value, text: &mut String) {
    let about = schema.get("description").and_then(Value::as_str).unwrap_or_default();
    text.push_str(&format!("\n### {name}\n\n{}\n", about.replace('\n', " ")));
    let variants = schema.get("oneOf").or(schema.get("anyOf")).and_then(Value::as_array);
    if let Some(members) = schema.get("properties") {
        text.push_str("\n| member | type | holds |\n| --- | --- | --- |\n");
        members_of(members, text);
    } else if let Some(variants) = variants {
        text.push_str("\n| one of | members |\n| --- | --- |\n");
        for variant in variants {
            let about = variant.get("description").and_then(Value::as_str).unwrap_or_default();
            let value = variant.get("const").and_then(Value::as_str);
            let members = variant.get("properties").and_then(Value::as_object);
            let names = members.into_iter().flatten().map(|(name, member)| match member.get("const") {
                Some(value) => format!("`{name}`: {value}"),
                None => format!("`{name}`: {}", type_of(member)),
            });
            let names: Vec<String> = value.map(|v| format!("`{v}`")).into_iter().chain(names).collect();
            text.push_str(&format!("| {} | {} |\n", about.replace('\n', " "), names.join(", ")));
        }
    } else {
        text.push_str(&format!("\nA {}.\n", type_of(schema)));
    }
}

fn members_of(members: &Value, text: &mut String) {
    for (name, member) in members.as_object().into_iter().flatten() {
        let about = member.get("description").and_then(Value::as_str).unwrap_or_default();
        text.push_str(&format!("| `{name}` | {} | {} |\n", type_of(member), about.replace('\n', " ")));
    }
}

/// A type in a few words.
fn type_of(schema: &Value) -> String {
    if let Some(name) = schema.get("$ref").and_then(Value::as_str).and_then(|r| r.rsplit('/').next()) {
        return format!("[{name}](#{})", name.to_ascii_lowercase());
    }
    if let Some(any) = schema.get("anyOf").or(schema.get("oneOf")).and_then(Value::as_array) {
        return any.iter().map(type_of).collect::<Vec<_>>().join(" or ");
    }
    match schema.get("type") {
        Some(Value::String(kind)) if kind == "array" => {
            format!("list of {}", schema.get("items").map_or_else(|| "anything".to_owned(), type_of))
        }
        Some(Value::String(kind)) => kind.clone(),
        Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or "),
        _ => "anything".to_owned(),
    }
}

const SHAPES: &str = "\n## Data\n\nThe shape of `data` for each event, and what it is made of. \
    Times are microseconds since 1970-01-01T00:00:00Z.\n";

const AUDIT: &str = "\
## Entry

One entry is one line of canonical JSON (RFC 8785), version 2.
The verifier reads version 1 too, which earlier builds wrote.

| member | holds |
| --- | --- |
| `v` | the version of this format: 2 |
| `at` | when, by the gate's clock: microseconds since 1970-01-01T00:00:00Z |
| `event` | what happened; see below |
| `proposal` | `prp_…`, or null |
| `version` | the proposal's version after the event; 0 when there is none |
| `actor` | `{\"kind\":\"agent\",\"chain\":…}`, `{\"kind\":\"person\",\"id\":…}` or `{\"kind\":\"gate\"}` |
| `data` | the event's own members: digests and commitments in place of payloads; see below |

`chain` is a list of links, the person first: `kind` (`person` or `agent`), `id`, and `proof`: `key`, `token`, `claimed` or `confirmed`.
An agent whose proof is `token` has `issuer`, the authorization server that signed its access token.

## Leaf

The data of a leaf are `countersign/leaf/v1`, a line feed, the time as 8 bytes (big-endian microseconds) and the SHA-256 of the entry's bytes.
Leaves and nodes are hashed as in RFC 6962: a zero byte before a leaf's data, a one byte before two nodes.

## Export

Text in UTF-8; every line ends with a line feed; no byte is without meaning.

1. The header, one line of canonical JSON: `count`, `countersign_log` (the version: 1), `from` (index of the first entry), `proof` (consistency with the checkpoint's tree, empty when the export reaches up to it), `roots` (of the tree before `from`), `vkey` (the log's public key).
2. For each entry its leaf hash in base64, a space, and the entry's bytes exactly as they are stored.
3. An empty line.
4. The checkpoint: a C2SP tlog-checkpoint as a C2SP signed note, signed with Ed25519.

`countersign log verify` says one word first.

| word | means | exit code |
| --- | --- | --- |
| `VERIFIED` | the entries are what was signed, and a checkpoint held elsewhere vouches for them | 0 |
| `UNANCHORED` | the entries are what the log's key signed; nothing held elsewhere was compared | 0 |
| `BROKEN` | something was changed, removed or added, or an entry tells of something that no gate may do | 6 |
";

const AUDIT_DATA: &str = "
## Data that the verifier needs

`countersign log verify` replays the life of every proposal from these members of `data`. An entry that lacks one is BROKEN, and so is one of version 2 with a member that is not listed here.

| event | members |
| --- | --- |
| `proposal.denied`, `proposal.pending`, `proposal.allowed` | `intent`, `decision`, `needs` |
| `proposal.approved` | `approval` (with `person`, `intent`, `decision`), `complete`, `eligible`, `needs` |
| `proposal.rejected` | `intent` |
| `proposal.expired` | `clock`: `decide_by` or `use_by` |
| `proposal.revised`, `proposal.confirmed` | `intent`, `decision`, `needs`; `from` and `to` are checked when they are there |
| `proposal.dispatched` | `attempt`, `intent`, `approved_by` |
| `proposal.succeeded`, `proposal.failed`, `proposal.unknown`, `proposal.late_result` | `attempt` |

`needs` lists every approval rule that the decision asks for, and is empty when it asks for none:

| member | holds |
| --- | --- |
| `rule` | the rule's name |
| `want` | how many different people it asks for |
| `have` | how many of them it has; the verifier counts again |
| `approvers` | everybody who has approved what is in force and may do so under this rule: `person`, and `through`, the entry of the rule's `who` that names them (`person:ann`, `team:finance`, `requester`) |
| `excluded` | the people whom the rule names and who may not decide on this proposal |

`eligible` lists the rules under which the person of an approval may decide: `rule` and `through`, as in `needs`.

Every entry that moves a proposal has the next `version`, from 1. `proposal.late_result`, `proposal.joined`, `proposal.quarantined` and `proposal.repaired` move nothing and have version 0. After `proposal.unknown`, one `proposal.succeeded` or `proposal.failed` of the same attempt may follow.
";

fn config(settings: &str) -> String {
    format!(
        "# Configuration\n\n{GENERATED}\n\n\
         `countersign init` writes this `countersign.toml`: every setting with its default.\n\
         Beside it stand `directory.toml`, `approvals.toml`, `actions/*.toml` and `policies/*.cedar`.\n\n\
         ```toml\n{}\n```\n",
        settings.trim_end()
    )
}
