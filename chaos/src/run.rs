//! One run: a gate, an upstream, agents, people, faults; then the checker.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::arena::{Arena, Phase};
use crate::checker::{self, Promise, Report};
use crate::faults::Scene;
use crate::files::{AGENTS, GateFiles};
use crate::gate::Gate;
use crate::ledger::Ledger;
use crate::options::Options;
use crate::plan::{Kind, Plan, Store};
use crate::postgres::Postgres;
use crate::random::Random;
use crate::upstream::Upstream;
use crate::{Result, agents, clock, mcp, output, people, settle};

/// Clients that propose over HTTP at the same time.
const CLIENTS: u64 = 12;
/// MCP clients beside them; every other one follows tasks.
const MCP_CLIENTS: u64 = 6;

/// What one run did and what the checker found.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) work: PathBuf,
    pub(crate) report: Report,
    pub(crate) faults: BTreeMap<Kind, u64>,
    pub(crate) starts: u64,
    pub(crate) answers_under_load: u64,
    pub(crate) disk_faults_met: i64,
}

/// Runs once, with one guard weakened or with none.
pub(crate) async fn run(options: &Options, plan: &Plan, weaken: Option<&str>) -> Result<Outcome> {
    let name =
        format!("countersign-chaos-{}-{}{}", options.seed, std::process::id(), weaken.unwrap_or_default());
    let work = std::env::temp_dir().join(name);
    std::fs::create_dir_all(&work)?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let upstream = format!("http://{}", listener.local_addr()?);
    let postgres = match options.store {
        Store::Postgres => Some(Postgres::start(&work).await?),
        Store::Sqlite => None,
    };
    let store = postgres.as_ref().map_or_else(|| "sqlite:state/countersign.db".to_owned(), Postgres::url);
    let binary = (options.binary.clone(), weaken.map(str::to_owned));
    let files = GateFiles::create(&work, binary, (&store, &upstream)).await?;
    let mut arena = Arena::new(options.seed, work.clone())?;
    for agent in AGENTS {
        arena.keys.insert(agent.to_owned(), files.key(agent)?);
    }
    let arena = Arc::new(arena);
    let _upstream = Upstream::start(Arc::clone(&arena), listener);
    let scene = Scene {
        gate: Gate::new(Arc::clone(&arena), files.clone()),
        postgres,
        counts: BTreeMap::new(),
        ledger: Ledger::create(work.join("faults.jsonl"))?,
        random: Random::new(options.seed, "scene"),
        arena,
    };
    let outcome = play(scene, (options, plan), &files).await;
    outcome.map_err(|e| format!("{e}\nthe run's folder is {}", work.display()).into())
}

async fn play(mut scene: Scene, (options, plan): (&Options, &Plan), files: &GateFiles) -> Result<Outcome> {
    let arena = Arc::clone(&scene.arena);
    scene.gate.start().await?;
    let mut tasks: JoinSet<Result<()>> = JoinSet::new();
    let mut deciders: JoinSet<Result<()>> = JoinSet::new();
    for worker in 0..CLIENTS {
        tasks.spawn(agents::work(Arc::clone(&arena), worker));
    }
    for worker in 0..MCP_CLIENTS {
        tasks.spawn(mcp::work(Arc::clone(&arena), worker, worker.is_multiple_of(2)));
    }
    for person in ["frank", "fiona"] {
        deciders.spawn(people::decide(Arc::clone(&arena), files.clone(), person));
    }
    deciders.spawn(watch(Arc::clone(&arena)));
    let begin = clock::now();
    scene.run(&plan.each).await?;
    let timer = Arc::clone(&arena);
    let left = Duration::from_secs(options.seconds).saturating_sub(begin.elapsed());
    tasks.spawn(async move {
        tokio::time::sleep(left).await;
        timer.phase.send_replace(Phase::Settle);
        Ok(())
    });
    scene.run(&plan.more).await?;
    while let Some(task) = tasks.join_next().await {
        task??;
    }
    let answers_under_load = arena.proposals.load(Ordering::Relaxed);
    output::progress("the load is over; settling");
    settle::settle(&mut scene).await?;
    while let Some(task) = deciders.join_next().await {
        task??;
    }
    let report = judge(&mut scene, files, &arena.work).await?;
    let disk_faults_met = files.shim().met()?;
    let starts = scene.gate.starts;
    if let Some(mut server) = scene.postgres.take() {
        server.stop().await?;
    }
    let work = arena.work.clone();
    Ok(Outcome { work, report, faults: scene.counts, starts, answers_under_load, disk_faults_met })
}

/// The checker's report, with what the gate's own verifier says of its log.
async fn judge(scene: &mut Scene, files: &GateFiles, work: &Path) -> Result<Report> {
    files.run(&["log", "export", "--dir", ".", "--out", "log.export"]).await?;
    let (sound, verdict) = files.output(&["log", "verify", "log.export"]).await?;
    let mut report = checker::check(work, &files.dir().join("log.export"))?;
    if !sound || verdict.trim_start().starts_with("BROKEN") {
        let what = format!("`countersign log verify` says: {}", verdict.trim());
        report.violations.add(Promise::Logged, what);
    }
    for what in scene.gate.ended.drain(..) {
        report.violations.add(Promise::Alive, what);
    }
    Ok(report)
}

/// One line every five seconds.
async fn watch(arena: Arc<Arena>) -> Result<()> {
    while arena.phase() != Phase::Over {
        let phase = arena.phase();
        output::progress(&format!(
            "{:>4} s: {} answers, {} effects",
            clock::millis() / 1_000,
            arena.proposals.load(Ordering::Relaxed),
            arena.effects.load(Ordering::Relaxed),
        ));
        arena.pause(phase, Duration::from_secs(5)).await;
    }
    Ok(())
}
