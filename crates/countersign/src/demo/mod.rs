//! `countersign demo`: a whole small installation to try, made of real parts.
//!
//! The gate runs on an embedded SQLite file; Acme, the company whose API it guards, is a crate that
//! knows nothing of the gate, in a process of its own with a database of its own; the agent speaks HTTP like
//! any other. Nothing is scripted but the agent.

pub(crate) mod gate;
mod setup;
mod story;

use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context as _, bail};
use clap::Args;
pub(crate) use countersign_acme::{AcmeArgs, serve as serve_acme};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::serve::Bound;
use crate::shell::{DONE, Output, stop_signal};
use crate::{config, demo};

/// Arguments of `demo`.
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Approve by itself, as a second person would over the API.
    #[arg(long)]
    auto: bool,
    /// Where the demo keeps its files. Run again with the same folder, it resumes.
    #[arg(long, default_value = "countersign-demo", value_name = "DIR")]
    dir: PathBuf,
}

/// Runs the demo until it is interrupted, or with `--auto` until its story is told.
pub(crate) async fn run(args: &Demo, output: &mut Output) -> anyhow::Result<u8> {
    let setup = setup::prepare(&args.dir, output).await?;
    let mut acme = start_acme(&setup, output).await?;
    let (config, ruleset, _) = config::load(&setup.gate_dir).map_err(|problems| {
        anyhow::anyhow!(problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
    })?;
    let log_key = crate::serve::read_key(&config.origin, &config.key_file)?.public().to_vkey();
    let bound = Bound::open(config, ruleset).await?;
    setup::write_environment(&setup, &bound.agents_url()?, bound.people_url(), &log_key)?;
    let stage = demo::story::Stage {
        agents_url: bound.agents_url()?,
        people_url: bound.people_url().to_owned(),
        gate: bound.gate().clone(),
        setup,
        auto: args.auto,
    };
    output.line(&format!("gate: agents {}, people {}", stage.agents_url, stage.people_url));
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = bound.serve(async {
        let _ = stopped.await;
    });
    let telling = async {
        let told = tokio::select! {
            told = tell(&stage, output) => told.map(Some),
            () = stop_signal() => Ok(None),
        };
        let _ = stop.send(());
        told
    };
    let (served, told) = tokio::join!(serving, telling);
    served?;
    stop_acme(&mut acme).await;
    match told? {
        Some(code) => Ok(code),
        None => {
            output.line("stopped; run the same command again to go on");
            Ok(DONE)
        }
    }
}

/// Tells the story. Without `--auto` the gate stays up afterwards, so that people can look around, until somebody
/// interrupts it.
async fn tell(stage: &story::Stage, output: &mut Output) -> anyhow::Result<u8> {
    let code = story::tell(stage, output).await?;
    if stage.auto {
        return Ok(code);
    }
    story::show_around(stage, output).await?;
    std::future::pending().await
}

/// Starts Acme as a process of its own. Each telling has books of its own, or soon there would be nothing left
/// to refund. Acme ends when its standard input does, so it never outlives the demo.
async fn start_acme(setup: &setup::Setup, output: &mut Output) -> anyhow::Result<Child> {
    let mut child = Command::new(std::env::current_exe()?)
        .arg("acme")
        .arg("--port")
        .arg(setup.acme.port().to_string())
        .arg("--data")
        .arg(setup.dir.join(format!("acme-{}", setup.round)))
        .arg("--client-secret-file")
        .arg(setup.dir.join("acme-clients"))
        .arg("--stop-with-stdin")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("failed to start Acme")?;
    let stdout = child.stdout.take().context("Acme has no standard output")?;
    let mut lines = BufReader::new(stdout).lines();
    match lines.next_line().await? {
        Some(line) => output.line(&line.replacen("acme listening on", "acme:", 1)),
        None => bail!(
            "Acme did not start; is port {} taken? Remove {} to begin anew",
            setup.acme.port(),
            setup.dir.display()
        ),
    }
    Ok(child)
}

async fn stop_acme(acme: &mut Child) {
    drop(acme.stdin.take());
    let _ = tokio::time::timeout(std::time::Duration::from_secs(5), acme.wait()).await;
}
