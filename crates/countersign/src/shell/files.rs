//! Files that a command makes: whole or not at all, and secrets for their owner's eyes only.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::{Context as _, bail};
use countersign_engine::store::Store;
use countersign_engine::world::World;

use crate::config;

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

/// Writes a file that only its owner may read, whole or not at all.
pub(crate) fn write_private(path: &Path, text: &str) -> anyhow::Result<()> {
    write_whole(path, text, 0o600)
}

/// Writes a file that everybody may read, whole or not at all.
pub(crate) fn write_public(path: &Path, text: &str) -> anyhow::Result<()> {
    write_whole(path, text, 0o644)
}

fn write_whole(path: &Path, text: &str, mode: u32) -> anyhow::Result<()> {
    make_parent(path)?;
    let temporary = path.with_extension("new");
    let _ = std::fs::remove_file(&temporary);
    let write = || -> std::io::Result<()> {
        let mut file =
            std::fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&temporary)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&temporary, path)
    };
    write().with_context(|| format!("failed to write {}", path.display()))
}

fn make_parent(path: &Path) -> anyhow::Result<()> {
    match path.parent() {
        Some(parent) => {
            std::fs::create_dir_all(parent).with_context(|| format!("failed to make {}", parent.display()))
        }
        None => Ok(()),
    }
}

/// Writes a new file that only its owner may read. One that is there already stays as it is.
pub(crate) fn write_new_private(path: &Path, text: &str) -> anyhow::Result<()> {
    make_parent(path)?;
    let write = || -> std::io::Result<()> {
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
        written.inspect_err(|_| {
            // Half a secret is none.
            let _ = std::fs::remove_file(path);
        })
    };
    match write() {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => bail!(
            "{} exists already and stays as it is; name another file, or move that one away first",
            path.display()
        ),
        written => written.with_context(|| format!("failed to write {}", path.display())),
    }
}
