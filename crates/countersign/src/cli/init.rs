//! `init`: makes what does not exist and touches nothing that does.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Args;
use countersign_engine::world::World;
use serde::Serialize;

use crate::config;
use crate::shell::{BROKEN, DONE, Output, create_state, write_new_private};

/// The settings of a new gate directory, each with its default: also the reference of all settings.
pub(super) const SETTINGS: &str = include_str!("../../gate/countersign.toml");

/// The files of a new gate directory.
const FILES: &[(&str, &str)] = &[
    ("countersign.toml", SETTINGS),
    ("directory.toml", include_str!("../../gate/directory.toml")),
    ("approvals.toml", include_str!("../../gate/approvals.toml")),
    ("actions/README.md", include_str!("../../gate/actions/README.md")),
    ("policies/README.md", include_str!("../../gate/policies/README.md")),
    (".gitignore", "/state\n/secrets\n/acme\n/acme-clients\n"),
];

/// What the example has beside them: a system, a policy and the credentials of the system.
const EXAMPLE: &[(&str, &str)] = &[
    ("actions/acme.toml", include_str!("../../gate/example/acme.toml")),
    ("policies/support.cedar", include_str!("../../gate/example/support.cedar")),
];
const EXAMPLE_CREDENTIALS: &str = include_str!("../../gate/example/credentials.toml");
/// The clients that Acme knows, with their secrets: for `countersign acme`, and nothing of the gate's.
const EXAMPLE_CLIENTS: &str = "acme-clients";

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
    /// Make a directory that works at once: an action of `countersign acme`, its credentials, and a policy that asks a
    /// second person.
    #[arg(long)]
    example: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// What `init --json` prints.
#[derive(Debug, Default, Serialize)]
struct InitDone {
    /// The files that did not exist.
    wrote: Vec<PathBuf>,
    /// The database's address, when keys and database are ready.
    store: Option<String>,
    /// Why they are not.
    problems: Vec<String>,
}

pub(super) async fn run(args: &Init, output: &mut Output) -> anyhow::Result<u8> {
    let dir = &args.dir;
    let mut done = InitDone::default();
    if dir.join(config::FILE).exists() {
        if args.state.is_some() {
            bail!(
                "{} is there and says where the state is; leave `--state` out",
                dir.join(config::FILE).display()
            );
        }
        if args.example {
            bail!("{} is there; `--example` makes a new directory, so name another one", dir.display());
        }
    } else {
        let mut files: Vec<(&str, String)> = Vec::new();
        for (path, text) in FILES {
            files.push((path, with_state(text, args.state.as_deref())?));
        }
        if args.example {
            files.extend(EXAMPLE.iter().map(|(path, text)| (*path, (*text).to_owned())));
            files.iter_mut().filter(|(path, _)| *path == config::FILE).for_each(|(_, text)| add_acme(text));
            write_secrets(dir, &mut done)?;
        }
        for (path, text) in files {
            let path = dir.join(path);
            if !path.exists() {
                write_new(&path, &text)?;
                done.wrote.push(path);
            }
        }
    }
    match create_state(dir).await {
        Ok(config) => done.store = Some(config.store_url),
        Err(problems) => done.problems = problems,
    }
    let code = if done.store.is_some() { DONE } else { BROKEN };
    if args.json {
        output.json(&done)?;
    } else {
        say(&done, args.example, output);
    }
    Ok(code)
}

fn say(done: &InitDone, example: bool, output: &mut Output) {
    done.wrote.iter().for_each(|path| output.line(&format!("wrote {}", path.display())));
    done.problems.iter().for_each(|problem| output.line(problem));
    if let Some(store) = &done.store {
        output.line(&format!("ready: {store}"));
        output.line(if example {
            "next: `countersign check`; the action is in actions/acme.toml, who may do what in policies/support.cedar"
        } else {
            "next: describe a system in actions/, say who may do what in policies/, then `countersign check`"
        });
    }
}

/// The settings with Acme's credentials, and with the network that it is in.
fn add_acme(settings: &mut String) {
    *settings =
        settings.replace("\nallow = []\n", "\nallow = [\"127.0.0.1/32\"]   # Acme runs on this machine\n");
    settings.push_str(EXAMPLE_CREDENTIALS);
}

/// Makes the two secrets that the gate and Acme share: a file each for the gate, one file of both for Acme.
fn write_secrets(dir: &Path, done: &mut InitDone) -> anyhow::Result<()> {
    let world = World::system();
    let (read, write) = (world.random_hex::<24>(), world.random_hex::<24>());
    let files = [
        ("secrets/acme-read", format!("{read}\n")),
        ("secrets/acme-write", format!("{write}\n")),
        (EXAMPLE_CLIENTS, format!("gate-read:{read}\ngate-write:{write}\n")),
    ];
    for (path, text) in files {
        let path = dir.join(path);
        write_new_private(&path, &text)?;
        done.wrote.push(path);
    }
    Ok(())
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
