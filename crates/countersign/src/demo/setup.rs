//! The demo's files: made once, found again by the next run.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use countersign_engine::world::World;
use serde::{Deserialize, Serialize};

use super::gate;
use crate::shell::{Output, create_state, write_private, write_public};
use crate::surface::auth;

/// What a run needs to know of the files.
#[derive(Debug)]
pub(super) struct Setup {
    /// The demo's folder.
    pub(super) dir: PathBuf,
    /// The gate directory in it.
    pub(super) gate_dir: PathBuf,
    /// Where Acme listens.
    pub(super) acme: SocketAddr,
    /// The agent's key.
    pub(super) agent_key: String,
    /// Which telling of the story this is: part of every idempotency key.
    pub(super) round: u32,
}

/// What is kept between runs, so that the same addresses are found again.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Kept {
    acme: SocketAddr,
    agents: SocketAddr,
    people: SocketAddr,
    round: u32,
}

const CONFIG: &str = r#"# Written by `countersign demo`.
[gate]
origin = "demo.countersign.example"
environments = ["staging", "support", "finance", "ops"]

[listen]
agents = "{agents}"
people = "{people}"

[network]
allow = ["127.0.0.1/32"]   # Acme lives on this machine

[credential.acme-read]
origin = "http://{acme}"
use    = "read"
[credential.acme-read.oauth]
token_url     = "http://{acme}/oauth/token"
client_id     = "gate-read"
client_secret = "file:secrets/acme-read"
scopes        = ["acme.read"]

[credential.acme-write]
origin = "http://{acme}"
use    = "write"
[credential.acme-write.oauth]
token_url     = "http://{acme}/oauth/token"
client_id     = "gate-write"
client_secret = "file:secrets/acme-write"
scopes        = ["notes.write", "refunds.write"]
"#;

/// Makes what is missing and reads what is there.
pub(super) async fn prepare(dir: &Path, output: &mut Output) -> anyhow::Result<Setup> {
    let gate_dir = dir.join("gate");
    let kept_path = dir.join("demo.json");
    let kept: Kept = match std::fs::read_to_string(&kept_path) {
        Ok(text) => {
            output.line(&format!("resuming {}", dir.display()));
            serde_json::from_str(&text).with_context(|| format!("{} cannot be read", kept_path.display()))?
        }
        Err(_) => {
            output.line(&format!("making {}", dir.display()));
            let world = World::system();
            let (acme, agents, people) = (free_port(&world)?, free_port(&world)?, free_port(&world)?);
            let kept = Kept { acme, agents, people, round: 1 };
            write_files(dir, &gate_dir, &kept)?;
            write_private(&kept_path, &serde_json::to_string(&kept)?)?;
            kept
        }
    };
    create_state(&gate_dir).await.map_err(|problems| anyhow!(problems.join("; ")))?;
    let agent_key = std::fs::read_to_string(dir.join("agent.key")).context("the agent's key is missing")?;
    Ok(Setup {
        dir: dir.to_owned(),
        gate_dir,
        acme: kept.acme,
        agent_key: agent_key.trim().to_owned(),
        round: kept.round,
    })
}

/// The story was told to its end: the next run tells it anew.
pub(super) fn next_round(setup: &Setup) -> anyhow::Result<()> {
    let path = setup.dir.join("demo.json");
    let mut kept: Kept = serde_json::from_str(&std::fs::read_to_string(&path)?)?;
    kept.round = setup.round.saturating_add(1);
    write_private(&path, &serde_json::to_string(&kept)?)
}

/// Writes `env.sh`, which sets the variables that the guides' commands use.
pub(super) fn write_environment(
    setup: &Setup,
    agents_url: &str,
    people_url: &str,
    log_key: &str,
) -> anyhow::Result<()> {
    let dir = setup.dir.canonicalize()?;
    let quoted = |value: &str| format!("'{}'", value.replace('\'', r"'\''"));
    let file = |path: &Path| quoted(&path.display().to_string());
    let text = format!(
        "# Written by `countersign demo`. The commands of the guides work after `. env.sh`.\n\
         export COUNTERSIGN_URL={}\n\
         export COUNTERSIGN_KEY_FILE={}\n\
         export PEOPLE_URL={}\n\
         export GATE_DIR={}\n\
         export LOG_KEY={}\n",
        quoted(agents_url),
        file(&dir.join("agent.key")),
        quoted(people_url),
        file(&dir.join("gate")),
        quoted(log_key),
    );
    write_public(&dir.join("env.sh"), &text)
}

fn write_files(dir: &Path, gate_dir: &Path, kept: &Kept) -> anyhow::Result<()> {
    let world = World::system();
    let key = auth::new_token(&world, auth::AGENT_KEY);
    let (read, write) = (world.random_hex::<24>(), world.random_hex::<24>());
    write_private(&dir.join("agent.key"), &format!("{key}\n"))?;
    write_private(&dir.join("acme-clients"), &format!("gate-read:{read}\ngate-write:{write}\n"))?;
    write_private(&gate_dir.join("secrets/acme-read"), &format!("{read}\n"))?;
    write_private(&gate_dir.join("secrets/acme-write"), &format!("{write}\n"))?;
    let config = CONFIG
        .replace("{agents}", &kept.agents.to_string())
        .replace("{people}", &kept.people.to_string())
        .replace("{acme}", &kept.acme.to_string());
    let mut files = gate::files(kept.acme, auth::token_digest(&key));
    files.push(("countersign.toml", config));
    for (path, text) in files {
        let path = gate_dir.join(path);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(&path, text).with_context(|| format!("failed to write {}", path.display()))?;
    }
    Ok(())
}

/// A loopback port that nobody uses now. It is kept, so that a later run finds the same addresses; it is
/// below what systems give to outgoing connections, so that none of those takes it between two runs.
fn free_port(world: &World) -> anyhow::Result<SocketAddr> {
    for _ in 0..100 {
        let port = 20_000_u16.saturating_add(u16::from_be_bytes(world.random()) % 12_000);
        if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            return Ok(listener.local_addr()?);
        }
    }
    bail!("found no free port between 20000 and 32000 on 127.0.0.1")
}
