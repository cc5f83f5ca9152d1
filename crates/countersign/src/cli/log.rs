//! `log list`, `log export`, `log checkpoint` and `log verify`. Verifying needs nothing but the file, and better: a key
//! and a checkpoint that were kept elsewhere.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::pin::pin;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use countersign_core::audit::{Actor, Expected, Finding, LogPublicKey};
use countersign_engine::gate::export;
use countersign_engine::store::Store;
use countersign_engine::world::World;
use futures_util::StreamExt as _;
use serde::Serialize;

use super::check::unusable;
use super::checkpoint;
use super::find::FindArgs;
use crate::config::{self, Config};
use crate::serve;
use crate::shell::{BROKEN, Client, DONE, Output, describe_finding, finding_for_programs, verify_file};
use crate::wire::{LogEntries, LogEntry};

/// `log …`.
#[derive(Debug, Subcommand)]
pub(super) enum LogCommand {
    /// Find entries, the newest first, as an auditor or operator.
    List(LogList),
    /// Write the whole log to a file, from the gate's directory or, as an auditor, from the gate.
    Export {
        /// Where to write it.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// The gate directory; without it the kept session is used.
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Keep the newest checkpoint in a file, after comparing it with the one that is there. For a daily timer.
    Checkpoint(checkpoint::CheckpointArgs),
    /// Verify an export offline: VERIFIED, UNANCHORED or BROKEN.
    Verify {
        /// The export.
        file: PathBuf,
        /// The log's public key, kept from elsewhere: `origin+hash+key`.
        #[arg(long)]
        key: Option<String>,
        /// A checkpoint that was kept elsewhere.
        #[arg(long, value_name = "FILE")]
        anchor: Option<PathBuf>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

/// What `log export --json` prints.
#[derive(Debug, Serialize)]
struct LogExported<'a> {
    /// The file with the export.
    out: &'a Path,
}

/// Arguments of `log list`.
#[derive(Debug, Args)]
pub(super) struct LogList {
    /// Only this event, such as `proposal.approved`.
    #[arg(long)]
    event: Option<String>,
    /// Only about this proposal.
    #[arg(long)]
    proposal: Option<String>,
    #[command(flatten)]
    find: FindArgs,
    /// How many at the most.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=500))]
    limit: u32,
    /// Go on where the page before ended: what it printed after `--next`.
    #[arg(long, value_name = "INDEX")]
    next: Option<u64>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

async fn list(args: &LogList, output: &mut Output) -> anyhow::Result<u8> {
    let mut asked = args.find.asked();
    asked.add("event", args.event.clone());
    asked.add("proposal", args.proposal.clone());
    let (limit, next) = (args.limit.to_string(), args.next.map(|next| next.to_string()));
    let mut more = vec![("order", "newest"), ("limit", limit.as_str())];
    more.extend(next.as_deref().map(|next| ("before", next)));
    let answer = Client::signed_in()?.get(&asked.path("/v1/log/entries", &more)).await?;
    let page: LogEntries = answer.good()?;
    if args.json {
        output.json(&answer.json()?)?;
        return Ok(DONE);
    }
    if page.entries.is_empty() && page.searched_to.is_none() {
        output.line(&asked.nothing());
    }
    page.entries.iter().for_each(|entry| row(entry, output));
    match (page.next, page.searched_to) {
        (Some(next), Some(to)) => output.line(&format!("searched back to {to}; go on with --next {next}")),
        (Some(next), None) => output.line(&format!("there is more: --next {next}")),
        (None, _) => {}
    }
    Ok(DONE)
}

/// One entry: index, time, event, who, and what its proposal is about.
fn row(logged: &LogEntry, output: &mut Output) {
    let index = logged.index.map(|index| format!("#{index}")).unwrap_or_default();
    let Some(entry) = &logged.entry else {
        output.row(&[(&index, 8), ("an entry that this build cannot read", 0)]);
        return;
    };
    let who = match &entry.actor {
        Actor::Agent { chain } => chain.to_text(),
        Actor::Person { id } => id.clone(),
        Actor::Gate => "the gate".to_owned(),
    };
    let about = logged.about.as_ref().map(|about| {
        let amount = about.risk.money().unwrap_or_default();
        format!("{}  {}  {amount}", about.action, about.headline)
    });
    let own = || entry.data.get("action").and_then(|action| action.as_str()).unwrap_or_default().to_owned();
    let about = about.unwrap_or_else(own);
    let (at, event) = (entry.at.to_rfc3339(), entry.event.to_string());
    output.row(&[(&index, 8), (&at, 27), (&event, 24), (&who, 24), (about.trim_end(), 0)]);
}

pub(super) async fn run(command: &LogCommand, output: &mut Output) -> anyhow::Result<u8> {
    match command {
        LogCommand::List(args) => list(args, output).await,
        LogCommand::Export { out, dir, json } => {
            match dir {
                Some(dir) => match config::load_config(dir) {
                    Ok(config) => from_directory(&config, out).await?,
                    Err(problems) => return unusable(&problems, *json, output),
                },
                None => {
                    let text = Client::signed_in()?.text("/v1/log/export").await?;
                    std::fs::write(out, text)
                        .with_context(|| format!("failed to write {}", out.display()))?;
                }
            }
            if *json {
                output.json(&LogExported { out })?;
            } else {
                output.line(&format!("wrote {}", out.display()));
            }
            Ok(DONE)
        }
        LogCommand::Checkpoint(args) => checkpoint::run(args, output).await,
        LogCommand::Verify { file, key, anchor, json } => {
            let key = key.as_deref().map(LogPublicKey::from_vkey).transpose()?;
            let anchor = anchor.as_ref().map(std::fs::read_to_string).transpose()?;
            let answer = verify_file(file, Expected { key, anchor })?;
            if *json {
                output.json(&finding_for_programs(&answer))?;
            } else {
                describe_finding(&answer, output);
            }
            Ok(if matches!(answer.finding, Finding::Broken { .. }) { BROKEN } else { DONE })
        }
    }
}

async fn from_directory(config: &Config, out: &Path) -> anyhow::Result<()> {
    let key = serve::read_key(&config.origin, &config.key_file)?;
    let store = Store::open_beside(&config.store_url, &World::system(), serve::seal_keys(config)?).await?;
    // Also what a gate that was killed did not sign any more.
    store.integrate(&key).await?;
    let mut file =
        std::fs::File::create(out).with_context(|| format!("failed to write {}", out.display()))?;
    let pieces = export(&store, key.public()).await.map_err(serve::stopped)?;
    let mut pieces = pin!(pieces);
    while let Some(piece) = pieces.next().await {
        file.write_all(&piece.map_err(serve::stopped)?)?;
    }
    file.sync_all()?;
    Ok(())
}
