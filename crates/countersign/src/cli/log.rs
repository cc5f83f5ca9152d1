//! `log export`, `log checkpoint` and `log verify`. Verifying needs nothing but the file, and better: a key and a
//! checkpoint that were kept elsewhere.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::pin::pin;

use anyhow::Context as _;
use clap::Subcommand;
use countersign_core::audit::{Expected, Finding, LogPublicKey};
use countersign_engine::gate::export;
use countersign_engine::store::Store;
use countersign_engine::world::World;
use futures_util::StreamExt as _;

use super::checkpoint;
use crate::shell::{BROKEN, Client, DONE, Output, describe_finding, verify_file};
use crate::{config, serve};

/// `log …`.
#[derive(Debug, Subcommand)]
pub(super) enum LogCommand {
    /// Write the whole log to a file, from the gate's directory or, as an auditor, from the gate.
    Export {
        /// Where to write it.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// The gate directory; without it the kept session is used.
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
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
    },
}

pub(super) async fn run(command: &LogCommand, output: &mut Output) -> anyhow::Result<u8> {
    match command {
        LogCommand::Export { out, dir } => {
            match dir {
                Some(dir) => from_directory(dir, out).await?,
                None => {
                    let text = Client::signed_in()?.text("/v1/log/export").await?;
                    std::fs::write(out, text)
                        .with_context(|| format!("failed to write {}", out.display()))?;
                }
            }
            output.line(&format!("wrote {}", out.display()));
            Ok(DONE)
        }
        LogCommand::Checkpoint(args) => checkpoint::run(args, output).await,
        LogCommand::Verify { file, key, anchor } => {
            let key = key.as_deref().map(LogPublicKey::from_vkey).transpose()?;
            let anchor = anchor.as_ref().map(std::fs::read_to_string).transpose()?;
            let answer = verify_file(file, Expected { key, anchor })?;
            describe_finding(&answer, output);
            Ok(if matches!(answer.finding, Finding::Broken { .. }) { BROKEN } else { DONE })
        }
    }
}

async fn from_directory(dir: &Path, out: &Path) -> anyhow::Result<()> {
    let config = config::load_config(dir).map_err(|problems| {
        anyhow::anyhow!(problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
    })?;
    let key = serve::read_key(&config.origin, &config.key_file)?;
    let store = Store::open_beside(&config.store_url, &World::system(), serve::seal_keys(&config)?).await?;
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
