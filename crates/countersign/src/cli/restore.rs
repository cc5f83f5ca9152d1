//! `restore`: accepts a database that is older than what was recorded, another one, or a backup on a new machine.

use std::path::PathBuf;

use anyhow::bail;
use clap::Args;
use countersign_engine::gate;
use countersign_engine::store::{Store, Testimony, Witness};
use countersign_engine::world::World;
use serde::Serialize;

use super::check::unusable;
use crate::shell::{BROKEN, DONE, Output};
use crate::{config, serve};

/// Arguments of `restore`.
#[derive(Debug, Args)]
pub(super) struct Restore {
    /// Accept that what the database does not hold is lost. Without it, only what differs is said.
    #[arg(long)]
    accept_loss: bool,
    /// The gate directory.
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// What `restore --json` prints.
#[derive(Debug, Serialize)]
struct RestoreDone {
    /// What the database does not hold; none when it holds all that was recorded.
    differs: Option<String>,
    /// What was done about open proposals; none when nothing was changed.
    accepted: Option<RestoreCounts>,
}

/// Open proposals of an accepted database.
#[derive(Debug, Serialize)]
struct RestoreCounts {
    cancelled: u32,
    unknown: u32,
    left: u32,
}

pub(super) async fn run(args: &Restore, output: &mut Output) -> anyhow::Result<u8> {
    let config = match config::load_config(&args.dir) {
        Ok(config) => config,
        Err(problems) => return unusable(&problems, args.json, output),
    };
    let (world, log_key) = (World::system(), serve::read_key(&config.origin, &config.key_file)?);
    let witness = Witness::open(&config.witness_file(), &config.origin)?;
    // With the lock: no gate runs on this file while it is changed.
    let store = Store::open(&config.store_url, &world, serve::seal_keys(&config)?).await?;
    if store.is_in_use().await? {
        bail!("another process is connected to the database; stop the gate first");
    }
    let what = match witness.examine(&store).await? {
        Testimony::Held | Testimony::Moved => None,
        Testimony::New => Some(format!(
            "there is no witness file {}, so nothing tells whether this database is a backup",
            witness.path().display()
        )),
        Testimony::Differs(what) => Some(what),
    };
    let accepted = if what.is_some() && args.accept_loss {
        let done = gate::restore(&store, &witness, &log_key, &world).await.map_err(serve::stopped)?;
        Some(RestoreCounts { cancelled: done.cancelled, unknown: done.unknown, left: done.left })
    } else {
        None
    };
    store.close().await?;
    let done = RestoreDone { differs: what, accepted };
    if args.json {
        output.json(&done)?;
    } else {
        say(&done, output);
    }
    Ok(if done.differs.is_some() && done.accepted.is_none() { BROKEN } else { DONE })
}

fn say(done: &RestoreDone, output: &mut Output) {
    let Some(what) = &done.differs else {
        return output.line("the database holds all that was recorded; nothing was changed");
    };
    output.line(what);
    let Some(RestoreCounts { cancelled, unknown, left }) = &done.accepted else {
        return output.line("restore the newest database there is, or accept the loss with --accept-loss");
    };
    output.line(&format!(
        "accepted: {cancelled} open proposals cancelled, {unknown} dispatched ones now unknown, {left} left as they are"
    ));
    output.line("next: compare the upstream with what was lost, then `countersign serve`");
}
