//! `actions`: registering what a system offers.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use serde::Serialize;

use crate::import::{self, Imported, Refused, Wanted};
use crate::shell::{DONE, Output, write_public};

/// Operations between two lines of progress.
const PROGRESS_EVERY: usize = 200;

/// Register what a system offers.
#[derive(Debug, Subcommand)]
pub(super) enum ActionsCommand {
    /// Write manifests from what a system says of itself.
    #[command(subcommand)]
    Import(ImportCommand),
}

/// What to import from.
#[derive(Debug, Subcommand)]
pub(super) enum ImportCommand {
    /// From an OpenAPI document, 3.0 or later, in JSON: one action for each operation.
    Openapi(ImportOpenapi),
}

/// Arguments of `actions import openapi`.
#[derive(Debug, Args)]
pub(super) struct ImportOpenapi {
    /// The document.
    file: PathBuf,
    /// The gate directory.
    #[arg(long, default_value = ".")]
    dir: PathBuf,
    /// The system's name: its actions begin with it, and its files in `actions/` are called by it.
    #[arg(long)]
    system: String,
    /// One of `environments` in countersign.toml.
    #[arg(long)]
    env: String,
    /// Who answers for the system.
    #[arg(long)]
    owner: String,
    /// The API's address, instead of the document's first server.
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
    /// The credential that reads.
    #[arg(long, value_name = "NAME")]
    read_credential: Option<String>,
    /// The credential that writes.
    #[arg(long, value_name = "NAME")]
    write_credential: Option<String>,
    /// Only operations with this tag; can be repeated.
    #[arg(long = "tag")]
    tags: Vec<String>,
    /// Only operations of this method; can be repeated.
    #[arg(long = "method", value_name = "METHOD")]
    methods: Vec<String>,
    /// Only operations whose path begins like this; can be repeated.
    #[arg(long = "path", value_name = "BEGINNING")]
    paths: Vec<String>,
    /// Write over the files of an earlier import.
    #[arg(long)]
    replace: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// What `actions import --json` prints.
#[derive(Debug, Serialize)]
struct ImportDone<'a> {
    /// The files that were written.
    wrote: Vec<PathBuf>,
    /// Where the calls go.
    base_url: &'a str,
    /// The actions, by their full names.
    actions: &'a [String],
    /// How many of them cannot be sent everything that the document has; the manifest says what.
    narrowed: usize,
    /// What was not imported, and why.
    refused: &'a [Refused],
    /// Operations that were not asked for.
    left: usize,
}

pub(super) fn run(command: &ActionsCommand, output: &mut Output) -> anyhow::Result<u8> {
    match command {
        ActionsCommand::Import(ImportCommand::Openapi(args)) => openapi(args, output),
    }
}

fn openapi(args: &ImportOpenapi, output: &mut Output) -> anyhow::Result<u8> {
    let (manifest, schemas) = files(&args.dir, &args.system)?;
    if let Some(file) = [&manifest, &schemas].into_iter().find(|file| file.exists() && !args.replace) {
        bail!("{} is there already: `--replace` writes over it", file.display());
    }
    let bytes =
        std::fs::read(&args.file).with_context(|| format!("failed to read {}", args.file.display()))?;
    // Read as it comes: a document is no input, and what is made of it is checked as strictly as any manifest.
    let document: serde_json::Value =
        serde_json::from_slice(&bytes).with_context(|| format!("{} is not JSON", args.file.display()))?;
    let wanted = Wanted {
        system: args.system.clone(),
        env: args.env.clone(),
        owner: args.owner.clone(),
        base_url: args.base_url.clone(),
        read_credential: args.read_credential.clone(),
        write_credential: args.write_credential.clone(),
        tags: args.tags.clone(),
        methods: args.methods.iter().map(|method| method.to_ascii_uppercase()).collect(),
        paths: args.paths.clone(),
    };
    let source = args.file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let progress = |done: usize, all: usize| {
        if all > PROGRESS_EVERY && done > 0 && done.is_multiple_of(PROGRESS_EVERY) {
            output.error(&format!("{done} of {all} operations"));
        }
    };
    let imported = import::openapi(&document, &source, &wanted, progress).map_err(anyhow::Error::msg)?;
    if imported.actions.is_empty() {
        imported
            .refused
            .iter()
            .for_each(|refused| output.error(&format!("{}: {}", refused.operation, refused.why)));
        bail!(
            "nothing was imported, and nothing was written: {} operations were not asked for",
            imported.left
        );
    }
    write_public(&schemas, &imported.schemas)?;
    write_public(&manifest, &imported.manifest)?;
    said(args, &imported, vec![manifest, schemas], output)
}

/// `actions/NAME.toml` and `actions/NAME.json`.
fn files(dir: &Path, system: &str) -> anyhow::Result<(PathBuf, PathBuf)> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-');
    if !system.starts_with(|c: char| c.is_ascii_lowercase()) || !system.chars().all(plain) {
        bail!(
            "`{system}` is not a system name: use lower-case letters, digits, `_` and `-`, starting with a letter"
        );
    }
    let folder = dir.join("actions");
    if !folder.is_dir() {
        bail!("{} is no gate directory: it has no folder `actions`", dir.display());
    }
    Ok((folder.join(format!("{system}.toml")), folder.join(format!("{system}.json"))))
}

fn said(
    args: &ImportOpenapi,
    imported: &Imported,
    wrote: Vec<PathBuf>,
    output: &mut Output,
) -> anyhow::Result<u8> {
    let Imported { base_url, actions, narrowed, refused, left, .. } = imported;
    if args.json {
        let done = ImportDone { wrote, base_url, actions, narrowed: *narrowed, refused, left: *left };
        output.json(&done)?;
    } else {
        for file in wrote {
            output.line(&format!("wrote {}", file.display()));
        }
        output.line(&format!("calls go to {base_url}"));
        output.line(&format!(
            "imported {} of {} operations; {narrowed} with something left out, which the manifest says",
            actions.len(),
            actions.len().saturating_add(refused.len())
        ));
        if *left > 0 {
            output.line(&format!("{left} operations were not asked for"));
        }
        for refused in refused {
            output.line(&format!("not imported: {}: {}", refused.operation, refused.why));
        }
        output.line(
            "next: review the groups, permit what agents may do in policies/, then `countersign check`",
        );
    }
    Ok(DONE)
}
