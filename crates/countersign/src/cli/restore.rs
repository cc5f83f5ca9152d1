//! `restore`: accepts a database that is older than what was recorded, another one, or a backup on a new machine.

use std::path::PathBuf;

use anyhow::bail;
use clap::Args;
use countersign_engine::gate;
use countersign_engine::store::{Store, Testimony, Witness};
use countersign_engine::world::World;

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
}

pub(super) async fn run(args: &Restore, output: &mut Output) -> anyhow::Result<u8> {
    let config = match config::load_config(&args.dir) {
        Ok(config) => config,
        Err(problems) => {
            problems.iter().for_each(|p| output.line(&p.to_string()));
            return Ok(BROKEN);
        }
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
    let code = match what {
        None => {
            output.line("the database holds all that was recorded; nothing was changed");
            DONE
        }
        Some(what) if !args.accept_loss => {
            output.line(&what);
            output.line("restore the newest database there is, or accept the loss with --accept-loss");
            BROKEN
        }
        Some(what) => {
            output.line(&what);
            let done = gate::restore(&store, &witness, &log_key, &world).await.map_err(serve::stopped)?;
            output.line(&format!(
                "accepted: {} open proposals cancelled, {} dispatched ones now unknown, {} left as they are",
                done.cancelled, done.unknown, done.left
            ));
            output.line("next: compare the upstream with what was lost, then `countersign serve`");
            DONE
        }
    };
    store.close().await?;
    Ok(code)
}
