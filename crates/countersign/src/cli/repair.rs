//! `repair`: what is quarantined because its stored row is not what the gate wrote, and how it comes back.

use std::path::PathBuf;

use clap::Args;
use countersign_core::id::ProposalId;
use countersign_engine::store::Store;
use countersign_engine::world::World;
use serde::Serialize;

use super::check::unusable;
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
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// What `repair --json` prints for each proposal.
#[derive(Debug, Serialize)]
struct Quarantined {
    proposal: String,
    /// Why it is quarantined; none when it no longer is.
    why: Option<String>,
}

pub(super) async fn run(args: &Repair, output: &mut Output) -> anyhow::Result<u8> {
    let config = match config::load_config(&args.dir) {
        Ok(config) => config,
        Err(problems) => return unusable(&problems, args.json, output),
    };
    let store = Store::open_beside(&config.store_url, &World::system(), serve::seal_keys(&config)?).await?;
    let code = match &args.id {
        None => list(&store, args.json, output).await?,
        Some(id) => look(&store, id.parse()?, args.json, output).await?,
    };
    store.close().await?;
    Ok(code)
}

async fn list(store: &Store, json: bool, output: &mut Output) -> anyhow::Result<u8> {
    let quarantined = store.quarantined().await?;
    if json {
        let all = quarantined.into_iter();
        let all: Vec<_> = all.map(|(proposal, why)| Quarantined { proposal, why: Some(why) }).collect();
        output.json(&all)?;
        return Ok(DONE);
    }
    if quarantined.is_empty() {
        output.line("nothing is quarantined");
    }
    for (id, why) in quarantined {
        output.row(&[(&id, 30), (&why, 0)]);
    }
    Ok(DONE)
}

async fn look(store: &Store, id: ProposalId, json: bool, output: &mut Output) -> anyhow::Result<u8> {
    let looked = store.repair(id, "an operator on the gate's machine").await?;
    if json {
        let why = looked.err();
        let code = if why.is_none() { DONE } else { BROKEN };
        output.json(&Quarantined { proposal: id.to_string(), why })?;
        return Ok(code);
    }
    match looked {
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
