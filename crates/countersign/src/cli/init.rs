//! `init`: makes what does not exist and touches nothing that does.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use countersign_engine::store::Store;
use countersign_engine::world::World;

use super::{BROKEN, DONE, Output};
use crate::config;

/// The settings of a new gate directory, each with its default: also the reference of all settings.
pub(super) const SETTINGS: &str = include_str!("../../gate/countersign.toml");

/// The files of a new gate directory.
const FILES: &[(&str, &str)] = &[
    ("countersign.toml", SETTINGS),
    ("directory.toml", include_str!("../../gate/directory.toml")),
    ("approvals.toml", include_str!("../../gate/approvals.toml")),
    ("actions/README.md", include_str!("../../gate/actions/README.md")),
    ("policies/README.md", include_str!("../../gate/policies/README.md")),
    (".gitignore", "/state\n"),
];

/// Arguments of `init`.
#[derive(Debug, Args)]
pub(super) struct Init {
    /// The gate directory; made when it does not exist.
    #[arg(default_value = ".")]
    dir: PathBuf,
}

pub(super) async fn run(args: &Init, output: &mut Output) -> anyhow::Result<u8> {
    let dir = &args.dir;
    if !dir.join(config::FILE).exists() {
        for (path, text) in FILES {
            let path = dir.join(path);
            if !path.exists() {
                write_new(&path, text)?;
                output.line(&format!("wrote {}", path.display()));
            }
        }
    }
    match create_state(dir).await {
        Ok(config) => {
            output.line(&format!("ready: {}", config.store_url));
            output.line("next: describe a system in actions/, say who may do what in policies/, then `countersign check`");
            Ok(DONE)
        }
        Err(problems) => {
            problems.iter().for_each(|p| output.line(p));
            Ok(BROKEN)
        }
    }
}

/// Makes the log's key and the database of a gate directory, if they do not exist. Errors are in words.
pub(crate) async fn create_state(dir: &Path) -> Result<config::Config, Vec<String>> {
    let config =
        config::load_config(dir).map_err(|ps| ps.iter().map(ToString::to_string).collect::<Vec<_>>())?;
    let words = |e: anyhow::Error| vec![format!("{e:#}")];
    for key in [&config.key_file, &config.record_key_file] {
        if !key.exists() {
            let seed = World::system().random_hex::<32>();
            write_private(key, &format!("{seed}\n")).map_err(words)?;
        }
    }
    Store::create(&config.store_url).await.map_err(|e| vec![countersign_engine::fault::chain_text(&e)])?;
    Ok(config)
}

fn write_new(path: &Path, text: &str) -> anyhow::Result<()> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).with_context(|| format!("failed to make {}", parent.display()))?;
    }
    std::fs::write(path, text).with_context(|| format!("failed to write {}", path.display()))
}

/// Writes a file that only its owner may read, whole or not at all.
pub(crate) fn write_private(path: &Path, text: &str) -> anyhow::Result<()> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).with_context(|| format!("failed to make {}", parent.display()))?;
    }
    let temporary = path.with_extension("new");
    let _ = std::fs::remove_file(&temporary);
    let write = || -> std::io::Result<()> {
        let mut file =
            std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&temporary, path)
    };
    write().with_context(|| format!("failed to write {}", path.display()))
}
