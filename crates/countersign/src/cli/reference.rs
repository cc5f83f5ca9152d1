//! `reference`: the documents of `docs/reference`, made from what the code itself says. A test compares the
//! files with these texts, so nothing here may depend on the machine, the time or the environment.

use clap::{CommandFactory as _, ValueEnum};
use countersign_core::audit::EVENT_CODES;

use super::{AFTER, Cli, init};
use crate::http::{self, ErrorCode};

/// A document of the reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Document {
    /// `cli.md`: every command with its help.
    Cli,
    /// `openapi.json`: both listeners.
    Openapi,
    /// `errors.md`: every code with its status.
    Errors,
    /// `audit.md`: every event, the entry and the export.
    Audit,
    /// `config.md`: every setting with its default.
    Config,
}

const GENERATED: &str = "Written by a test from the code; do not edit.";

/// The whole text of a document.
pub(super) fn text(document: Document) -> anyhow::Result<String> {
    Ok(match document {
        Document::Cli => cli(),
        Document::Openapi => format!("{}\n", serde_json::to_string_pretty(&http::document())?),
        Document::Errors => errors(),
        Document::Audit => audit()?,
        Document::Config => config(),
    })
}

fn cli() -> String {
    let mut text = format!("# Command line\n\n{GENERATED}\n\n{AFTER}\n");
    let mut root = Cli::command();
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
    table("Refusals", about, &http::of_refusals(), &mut text);
    let about = "What `POST /v1/proposals` answers when the proposal exists and was not done.\n\
                 The problem has the members `proposal` and `policies`.";
    table("Outcomes", about, &http::of_outcomes(), &mut text);
    let about = "What has nothing to do with what was asked.";
    table("Surface", about, http::of_surface(), &mut text);
    text
}

fn table(title: &str, about: &str, rows: &[ErrorCode], text: &mut String) {
    text.push_str(&format!("\n## {title}\n\n{about}\n\n| code | status | meaning |\n| --- | --- | --- |\n"));
    for row in rows {
        text.push_str(&format!("| `{}` | {} | {} |\n", row.code, row.status, row.meaning));
    }
}

fn audit() -> anyhow::Result<String> {
    let mut text =
        format!("# Audit log\n\n{GENERATED}\n\n{AUDIT}\n## Events\n\n| event | meaning |\n| --- | --- |\n");
    for (code, meaning) in EVENT_CODES {
        let name = serde_json::to_value(code)?;
        text.push_str(&format!("| `{}` | {meaning} |\n", name.as_str().unwrap_or_default()));
    }
    text.push_str(AUDIT_DATA);
    Ok(text)
}

const AUDIT: &str = "\
## Entry

One entry is one line of canonical JSON (keys sorted, no white space), version 1.

| member | holds |
| --- | --- |
| `v` | the version of this format: 1 |
| `at` | when, by the gate's clock: microseconds since 1970-01-01T00:00:00Z |
| `event` | what happened; see below |
| `proposal` | `prp_…`, or null |
| `version` | the proposal's version after the event; 0 when there is none |
| `actor` | `{\"kind\":\"agent\",\"chain\":…}`, `{\"kind\":\"person\",\"id\":…}` or `{\"kind\":\"gate\"}` |
| `data` | the event's own members: digests and commitments in place of payloads |

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

`countersign log verify` replays the life of every proposal from these members of `data`. An entry that lacks one is BROKEN; other members may be added.

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

fn config() -> String {
    format!(
        "# Configuration\n\n{GENERATED}\n\n\
         `countersign init` writes this `countersign.toml`: every setting with its default.\n\
         Beside it stand `directory.toml`, `approvals.toml`, `actions/*.toml` and `policies/*.cedar`.\n\n\
         ```toml\n{}\n```\n",
        init::SETTINGS.trim_end()
    )
}
