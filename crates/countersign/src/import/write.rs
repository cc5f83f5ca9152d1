//! Drafts as a manifest.

use std::fmt::Write as _;

use super::Wanted;
use super::operation::Draft;
use super::text::{plain, quoted};

/// Characters of the document's name, and of a note.
const SOURCE_CHARS_MAX: usize = 100;
const NOTE_CHARS_MAX: usize = 300;

/// The beginning of the manifest.
pub(super) fn head(wanted: &Wanted, base_url: &str, source: &str) -> String {
    let mut out = format!(
        "# Imported from {}. Review every action: its groups and its description are all that policies and people know.\n",
        plain(source, SOURCE_CHARS_MAX)
    );
    let _ = writeln!(out, "[system]\nname = {}\nbase_url = {}", quoted(&wanted.system), quoted(base_url));
    let credential = [("read", &wanted.read_credential), ("write", &wanted.write_credential)];
    let named: Vec<String> = credential
        .iter()
        .filter_map(|(use_, name)| Some(format!("{use_} = {}", quoted(name.as_deref()?))))
        .collect();
    if !named.is_empty() {
        let _ = writeln!(out, "credential = {{ {} }}", named.join(", "));
    }
    let _ = writeln!(out, "env = {}\nowner = {}", quoted(&wanted.env), quoted(&wanted.owner));
    out
}

/// One action; `tool` is its tool's name where it cannot have the usual one.
pub(super) fn action(draft: &Draft, file: &str, tool: Option<&str>, undo: Option<&str>) -> String {
    let table = quoted(&draft.name);
    let mut out = format!("\n# {}\n", draft.place);
    for note in &draft.notes {
        let _ = writeln!(out, "# {}", plain(note, NOTE_CHARS_MAX));
    }
    let _ = writeln!(out, "[action.{table}]\ntitle = {}", quoted(&draft.title));
    if let Some(tool) = tool {
        let _ = writeln!(out, "tool = {}", quoted(tool));
    }
    let _ = writeln!(out, "description = {}", quoted(&draft.description));
    let _ = writeln!(out, "groups = [");
    for (group, why) in &draft.groups {
        let _ = writeln!(out, "    {}, # {why}", quoted(group));
    }
    let _ = writeln!(out, "]\nschema = {}", quoted(&format!("{file}#/{}", draft.name)));
    let _ = writeln!(
        out,
        "[action.{table}.resource]\ntype = {}\nid = {}",
        quoted(&draft.resource_type),
        quoted(&draft.resource_id)
    );
    if draft.groups.first().is_none_or(|(group, _)| *group != "read") {
        let _ = writeln!(out, "[action.{table}.preview]");
        if let Some(read) = &draft.read {
            let _ = writeln!(out, "read = {{ method = \"GET\", path = {} }}", quoted(read));
        }
        let sentence = format!("{}: {}.", draft.title.replace("${", "$ {"), draft.resource_id);
        let _ = writeln!(out, "effects = [{}]", quoted(&sentence));
    }
    request(&mut out, draft, &table);
    if let Some(header) = &draft.key_header {
        let _ = writeln!(out, "[action.{table}.effect]\nclass = \"keyed\"\nheader = {}", quoted(header));
    }
    if let Some(undo) = undo {
        let _ = writeln!(out, "# undo candidate: {undo}");
    }
    out
}

fn request(out: &mut String, draft: &Draft, table: &str) {
    let _ = writeln!(
        out,
        "[action.{table}.request]\nmethod = {}\npath = {}",
        quoted(draft.method),
        quoted(&draft.path)
    );
    if !draft.query.is_empty() {
        let _ = writeln!(out, "query = {{ {} }}", pairs(&draft.query));
    }
    if let Some(sent) = &draft.body {
        let body = match &sent.members {
            Ok(members) => format!("{{ {} }}", pairs(members)),
            Err(whole) => quoted(whole),
        };
        let _ = writeln!(out, "encoding = {}\nbody = {body}", quoted(sent.encoding));
    }
}

fn pairs(of: &[(String, String)]) -> String {
    let pairs: Vec<String> =
        of.iter().map(|(name, value)| format!("{} = {}", quoted(name), quoted(value))).collect();
    pairs.join(", ")
}
