//! `log checkpoint`: keeps the log's newest checkpoint in a file, for a timer of an auditor. A file that is there is
//! replaced only by a checkpoint of the same log that goes on from it.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Args;
use countersign_core::audit::{Expected, Finding, LogPublicKey, Verification, Verifier};
use serde::Serialize;

use crate::shell::{BROKEN, Client, DONE, Output, describe_finding, finding_for_programs, write_public};

/// Arguments of `log checkpoint`.
#[derive(Debug, Args)]
pub(super) struct CheckpointArgs {
    /// The people's listener.
    #[arg(long, value_name = "URL")]
    url: String,
    /// A file with a token for the log (`countersign person token`); the token itself is never an argument.
    #[arg(long, value_name = "FILE")]
    token_file: PathBuf,
    /// The log's public key, kept from elsewhere: `origin+hash+key`.
    #[arg(long, value_name = "KEY")]
    vkey: Option<String>,
    /// Where the checkpoint is kept. One that is there is compared first.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// What `log checkpoint --json` prints.
#[derive(Debug, Serialize)]
struct CheckpointKept<'a> {
    /// The file that keeps the checkpoint.
    out: &'a Path,
    /// `written`, `unchanged` because it is the newest, or `not_touched` because the log is not the one held.
    result: &'static str,
    /// Entries of the newest checkpoint.
    entries: Option<u64>,
    /// Entries of the checkpoint before, which the newest goes on from.
    before: Option<u64>,
    why: Option<&'a str>,
}

pub(super) async fn run(args: &CheckpointArgs, output: &mut Output) -> anyhow::Result<u8> {
    let Some(vkey) = &args.vkey else {
        bail!(
            "`--vkey` is missing, and without it anybody may have signed: `countersign serve` prints the key at \
             its start (`log gate.example+…`); get it from the operator, not over this connection"
        );
    };
    let key = LogPublicKey::from_vkey(vkey).context("`--vkey` cannot be used")?;
    let token = std::fs::read_to_string(&args.token_file)
        .with_context(|| format!("failed to read the token file {}", args.token_file.display()))?;
    let client = Client::new(&args.url, token.trim())?;
    let held = match std::fs::read_to_string(&args.out) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(error).with_context(|| format!("failed to read {}", args.out.display())),
    };
    let newest = newest(&client, &key, held.as_deref()).await?;
    if let Newest::Note { note, .. } = &newest {
        write_public(&args.out, note)?;
    }
    if args.json {
        output.json(&for_programs(&args.out, &newest))?;
    } else {
        say(&args.out, &newest, output);
    }
    Ok(match newest {
        Newest::Broken(_) | Newest::Unverified(_) => BROKEN,
        Newest::AsHeld(_) | Newest::Note { .. } => DONE,
    })
}

fn say(out: &Path, newest: &Newest, output: &mut Output) {
    let out = out.display();
    match newest {
        Newest::Broken(why) => {
            output.line(&format!("BROKEN: {why}"));
            output.line(&format!("{out} was not touched"));
        }
        Newest::Unverified(answer) => {
            describe_finding(answer, output);
            output.line(&format!("{out} was not touched"));
        }
        Newest::AsHeld(size) => output.line(&format!("{out} is the newest checkpoint: {size} entries")),
        Newest::Note { size, before, .. } => {
            let compared = before.map_or_else(
                || "there was none before to compare it with".to_owned(),
                |before| format!("the first {before} are those of the checkpoint before"),
            );
            output.line(&format!("wrote {out}: {size} entries; {compared}"));
        }
    }
}

fn for_programs<'a>(out: &'a Path, newest: &'a Newest) -> CheckpointKept<'a> {
    let kept = |result| CheckpointKept { out, result, entries: None, before: None, why: None };
    match newest {
        Newest::Broken(why) => CheckpointKept { why: Some(why), ..kept("not_touched") },
        Newest::Unverified(answer) => {
            CheckpointKept { why: finding_for_programs(answer).why, ..kept("not_touched") }
        }
        Newest::AsHeld(size) => CheckpointKept { entries: Some(*size), ..kept("unchanged") },
        Newest::Note { size, before, .. } => {
            CheckpointKept { entries: Some(*size), before: *before, ..kept("written") }
        }
    }
}

/// What the gate has, compared with what is held.
enum Newest {
    /// The same.
    AsHeld(u64),
    /// A later one: the signed note, its size, and the size of the one held, which it goes on from.
    Note { note: String, size: u64, before: Option<u64> },
    /// The gate's log is not the one held, and why.
    Broken(String),
    /// The gate's export did not pass its verification.
    Unverified(Box<Verification>),
}

async fn newest(client: &Client, key: &LogPublicKey, held: Option<&str>) -> anyhow::Result<Newest> {
    let broken = |why: String| Ok(Newest::Broken(why));
    let note = client.text("/v1/log/checkpoint").await?;
    if note.is_empty() {
        bail!("the log has no checkpoint yet; ask again in a second");
    }
    let new = match key.open(&note) {
        Ok(new) => new,
        Err(error) => return broken(format!("the gate's checkpoint: {error}")),
    };
    let Some(held) = held else { return Ok(Newest::Note { note, size: new.size, before: None }) };
    let old = match key.open(held) {
        Ok(old) => old,
        Err(error) => return broken(format!("the checkpoint that is held: {error}")),
    };
    if new == old {
        return Ok(Newest::AsHeld(old.size));
    }
    if new.size <= old.size {
        return broken(format!(
            "the gate's checkpoint has {} entries and the one that is held {}: the log's end was cut off, or \
             the log was signed again",
            new.size, old.size
        ));
    }
    // The entries between the two show that one goes on from the other; all of them are verified on the way.
    let answer = verified(client, Expected { key: Some(key.clone()), anchor: Some(held.to_owned()) }).await?;
    match (&answer.finding, &answer.note, &answer.checkpoint) {
        (Finding::Verified { up_to }, Some(note), Some(checkpoint)) if checkpoint.size >= new.size => {
            Ok(Newest::Note { note: note.clone(), size: checkpoint.size, before: Some(*up_to) })
        }
        (Finding::Verified { .. }, ..) => {
            broken("the export ends before the checkpoint that the gate gave first".to_owned())
        }
        (Finding::Unanchored { .. } | Finding::Broken { .. }, ..) => Ok(Newest::Unverified(Box::new(answer))),
    }
}

/// Verifies the export of the gate as it comes.
async fn verified(client: &Client, expected: Expected) -> anyhow::Result<Verification> {
    let mut verifier = Verifier::new(expected);
    client
        .lines("/v1/log/export", |line| {
            verifier.line(line);
            !verifier.is_broken()
        })
        .await?;
    Ok(verifier.finish())
}
