//! `repair`: what is quarantined because its stored row is not what the gate wrote, and how it comes back.

use std::path::PathBuf;

use clap::Args;
use countersign_core::id::ProposalId;
use countersign_engine::store::Store;
use countersign_engine::world::World;

use crate::shell::{BROKEN, DONE, Output};
use crate::{config, serve};

/// Arguments of `repair`.
#[derive(Debug, Args)]
pub(super) struct Repair {
    /// The proposal to look at again, after its row was put right. Without it, what is quarantined is listed.
    id: Option<String>,
    /// The gate directory.
    #[arg(long, default_value = ".", value_name = "DIR")]
    dir: PathBuf,
}

pub(super) async fn run(args: &Repair, output: &mut Output) -> anyhow::Result<u8> {
    let config = match config::load_config(&args.dir) {
        Ok(config) => config,
        Err(problems) => {
            problems.iter().for_each(|p| output.line(&p.to_string()));
            return Ok(BROKEN);
        }
    };
    let store = Store::open_beside(&config.store_url, &World::system(), serve::seal_keys(&config)?).await?;
    let code = match &args.id {
        None => list(&store, output).await?,
        Some(id) => look(&store, id.parse()?, output).await?,
    };
    store.close().await?;
    Ok(code)
}

async fn list(store: &Store, output: &mut Output) -> anyhow::Result<u8> {
    let quarantined = store.quarantined().await?;
    if quarantined.is_empty() {
        output.line("nothing is quarantined");
    }
    for (id, why) in quarantined {
        output.row(&[(&id, 30), (&why, 0)]);
    }
    Ok(DONE)
}

async fn look(store: &Store, id: ProposalId, output: &mut Output) -> anyhow::Result<u8> {
    match store.repair(id, "an operator on the gate's machine").await? {
        Ok(()) => {
            output.line(&format!("{id} is what the gate wrote, and is no longer quarantined"));
            Ok(DONE)
        }
        Err(why) => {
            output.line(&format!("{id} stays quarantined: {why}"));
            output.line("put its row back from a backup of this database, then run this again");
            Ok(BROKEN)
        }
    }
}
