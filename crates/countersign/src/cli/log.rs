//! `log export` and `log verify`. Verifying needs nothing but the file, and better: a key and a checkpoint
//! that were kept elsewhere.

use std::io::{BufRead as _, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::pin::pin;

use anyhow::Context as _;
use clap::Subcommand;
use countersign_core::audit::{
    EXPORT_LINE_BYTES_MAX, Expected, Finding, LogPublicKey, Replayed, Verification, Verifier,
};
use countersign_engine::store::Store;
use countersign_engine::world::World;
use futures_util::StreamExt as _;

use super::{BROKEN, Client, DONE, Output};
use crate::{config, export, serve};

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
        LogCommand::Verify { file, key, anchor } => {
            let key = key.as_deref().map(LogPublicKey::from_vkey).transpose()?;
            let anchor = anchor.as_ref().map(std::fs::read_to_string).transpose()?;
            let answer = verify(file, Expected { key, anchor })?;
            describe(&answer, output);
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
    let pieces = export::export(&store, key.public()).await.map_err(serve::stopped)?;
    let mut pieces = pin!(pieces);
    while let Some(piece) = pieces.next().await {
        file.write_all(&piece.map_err(serve::stopped)?)?;
    }
    file.sync_all()?;
    Ok(())
}

/// Verifies a file in memory that does not grow with it.
pub(crate) fn verify(file: &Path, expected: Expected) -> anyhow::Result<Verification> {
    let opened = std::fs::File::open(file).with_context(|| format!("failed to read {}", file.display()))?;
    let mut reader = std::io::BufReader::new(opened);
    let mut verifier = Verifier::new(expected);
    let mut line = Vec::new();
    let longest = u64::try_from(EXPORT_LINE_BYTES_MAX)?;
    while !verifier.is_broken() {
        line.clear();
        if reader.by_ref().take(longest).read_until(b'\n', &mut line)? == 0 {
            break;
        }
        verifier.line(&line);
    }
    Ok(verifier.finish())
}

/// What was checked beside the signatures.
fn replayed(replayed: &Replayed, output: &mut Output) {
    let Replayed { proposals, approvals, dispatches, outcomes, open, begun_before } = replayed;
    output.line(&format!(
        "  replayed: proposals {proposals}, approvals {approvals}, dispatches {dispatches}, outcomes {outcomes}, \
         still open {open}"
    ));
    if *begun_before > 0 {
        output.line(&format!("  not checked: the lives of {begun_before} proposals begun before this slice"));
    }
}

/// The answer in one word, then why.
pub(crate) fn describe(answer: &Verification, output: &mut Output) {
    match &answer.finding {
        Finding::Verified { up_to } => {
            output.line(&format!(
                "VERIFIED: {} entries; a checkpoint held elsewhere vouches for {up_to}",
                answer.entries
            ));
        }
        Finding::Unanchored { why } => {
            output.line(&format!("UNANCHORED: {} entries are what the log signed; {why}", answer.entries));
        }
        Finding::Broken { at: Some(entry), why } => output.line(&format!("BROKEN at entry {entry}: {why}")),
        Finding::Broken { at: None, why } => output.line(&format!("BROKEN: {why}")),
    }
    replayed(&answer.replayed, output);
    if let Some(checkpoint) = &answer.checkpoint {
        output.line(&format!(
            "  log {}, {} entries, root {}",
            checkpoint.origin,
            checkpoint.size,
            checkpoint.root.to_hex()
        ));
    }
    if let Some(key) = &answer.key {
        output.line(&format!("  key {}", key.to_vkey()));
    }
}
