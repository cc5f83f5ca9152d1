//! `init`: makes what does not exist and touches nothing that does.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Args;

use crate::config;
use crate::shell::{BROKEN, DONE, Output, create_state};

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
    /// Keep the keys and the database of a new gate directory in this folder instead of its `state/`: for a service
    /// that may not write to its own gate directory.
    #[arg(long, value_name = "FOLDER")]
    state: Option<PathBuf>,
}

pub(super) async fn run(args: &Init, output: &mut Output) -> anyhow::Result<u8> {
    let dir = &args.dir;
    if dir.join(config::FILE).exists() {
        if args.state.is_some() {
            bail!(
                "{} is there and says where the state is; leave `--state` out",
                dir.join(config::FILE).display()
            );
        }
    } else {
        for (path, text) in FILES {
            let path = dir.join(path);
            if !path.exists() {
                write_new(&path, &with_state(text, args.state.as_deref())?)?;
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

/// The text of a file with its state in another folder.
fn with_state(text: &str, state: Option<&Path>) -> anyhow::Result<String> {
    let Some(state) = state else { return Ok(text.to_owned()) };
    let folder = state.to_str().filter(|f| state.is_absolute() && !f.contains(['"', '\\', '\n']));
    let folder = folder.context("`--state` is an absolute path without quotes and backslashes")?;
    Ok(text.replace("state/", &format!("{}/", folder.trim_end_matches('/'))))
}

fn write_new(path: &Path, text: &str) -> anyhow::Result<()> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).with_context(|| format!("failed to make {}", parent.display()))?;
    }
    std::fs::write(path, text).with_context(|| format!("failed to write {}", path.display()))
}
