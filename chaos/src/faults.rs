//! Makes the faults of the plan happen, one after the other, and heals each before the next.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use crate::arena::{Arena, Phase};
use crate::gate::Gate;
use crate::ledger::Ledger;
use crate::plan::{Fault, Kind};
use crate::postgres::Postgres;
use crate::random::Random;
use crate::{Result, agents};

/// More requests at once than a gate's queue of writes holds.
const BURST: u64 = 1_400;
/// How slow syncs are before they fail.
const SLOW_BEFORE_BROKEN: Duration = Duration::from_millis(200);
/// Longer than a gate may rely on the store's return.
const OUTAGE: Duration = Duration::from_secs(12);

/// The gate, its store, and what was done to them.
#[derive(Debug)]
pub(crate) struct Scene {
    pub(crate) arena: Arc<Arena>,
    pub(crate) gate: Gate,
    pub(crate) postgres: Option<Postgres>,
    pub(crate) counts: BTreeMap<Kind, u64>,
    pub(crate) ledger: Ledger,
    pub(crate) random: Random,
}

impl Scene {
    /// Runs the plan. What is left of it when the load is over is left out.
    pub(crate) async fn run(&mut self, plan: &[Fault]) -> Result<()> {
        for fault in plan {
            self.arena.pause(Phase::Load, fault.after).await;
            if self.arena.phase() != Phase::Load {
                break;
            }
            self.ledger.write(json!({ "fault": fault.kind.name(), "begins": true }))?;
            self.cause(fault.kind).await?;
            self.ledger.write(json!({ "fault": fault.kind.name(), "begins": false }))?;
            let count = self.counts.entry(fault.kind).or_default();
            *count = count.saturating_add(1);
            self.gate.revive().await?;
        }
        Ok(())
    }

    async fn sleep(&mut self, least_ms: u64, most_ms: u64) {
        tokio::time::sleep(Duration::from_millis(self.random.between(least_ms, most_ms))).await;
    }

    async fn cause(&mut self, kind: Kind) -> Result<()> {
        match kind {
            Kind::Kill => {
                self.gate.kill().await?;
                self.gate.start().await
            }
            Kind::Terminate => {
                self.gate.terminate().await?;
                self.gate.start().await
            }
            Kind::Stop => {
                self.gate.signal("STOP").await?;
                self.sleep(200, 3_000).await;
                self.gate.signal("CONT").await
            }
            Kind::ClockForward => self.step_clock(1),
            Kind::ClockBack => self.step_clock(-1),
            Kind::SlowDisk => {
                let slower = Duration::from_millis(self.random.between(50, 700));
                self.gate.files().shim().slow_syncs(slower)?;
                self.sleep(1_000, 3_000).await;
                self.gate.files().shim().heal_disk()
            }
            Kind::FullDisk => {
                self.break_store(kind).await?;
                self.sleep(100, 1_500).await;
                self.gate.files().shim().heal_disk()
            }
            Kind::BrokenDisk => {
                self.break_store(kind).await?;
                self.sleep(100, 800).await;
                self.gate.files().shim().heal_disk()?;
                // A process must not trust a disk again whose sync failed, so an operator restarts it.
                self.sleep(100, 800).await;
                self.gate.kill().await?;
                self.gate.start().await
            }
            Kind::Burst => self.burst().await,
            Kind::PgRestart | Kind::PgKill | Kind::PgCrash | Kind::PgCutConnections => {
                self.break_store(kind).await?;
                self.mend_store().await
            }
            Kind::Outage => {
                let how = if self.postgres.is_some() { Kind::PgKill } else { Kind::FullDisk };
                self.break_store(how).await?;
                tokio::time::sleep(OUTAGE).await;
                self.mend_store().await
            }
            Kind::KillInFault => {
                let how = match (self.postgres.is_some(), self.random.percent(50)) {
                    (true, true) => Kind::PgCutConnections,
                    (true, false) => Kind::PgKill,
                    (false, true) => Kind::BrokenDisk,
                    (false, false) => Kind::FullDisk,
                };
                self.break_store(how).await?;
                self.sleep(20, 600).await;
                self.gate.kill().await?;
                self.mend_store().await?;
                self.gate.start().await
            }
        }
    }

    fn step_clock(&mut self, sign: i64) -> Result<()> {
        let by = i64::try_from(self.random.between(500, 90_000)).unwrap_or(0);
        self.step_clock_by(by.saturating_mul(sign))
    }

    /// Moves the gate's clock. Whoever counts time as the gate does knows it before.
    pub(crate) fn step_clock_by(&self, by_ms: i64) -> Result<()> {
        self.arena.steps_clock(by_ms);
        self.gate.files().shim().step_clock(by_ms)
    }

    async fn break_store(&mut self, kind: Kind) -> Result<()> {
        match (kind, &mut self.postgres) {
            (Kind::FullDisk, _) => self.gate.files().shim().fill_disk(),
            (Kind::BrokenDisk, _) => {
                // Slow before it breaks, as disks are: so there is a commit under way, with many steps in it.
                self.gate.files().shim().slow_syncs(SLOW_BEFORE_BROKEN)?;
                tokio::time::sleep(SLOW_BEFORE_BROKEN.saturating_mul(2)).await;
                self.gate.files().shim().break_syncs()
            }
            (Kind::PgRestart, Some(server)) => server.stop().await,
            (Kind::PgKill, Some(server)) => server.kill().await,
            (Kind::PgCrash, Some(server)) => server.signal_backends("KILL").await,
            (_, Some(server)) => server.signal_backends("TERM").await,
            (_, None) => Ok(()),
        }
    }

    async fn mend_store(&mut self) -> Result<()> {
        self.gate.files().shim().heal_disk()?;
        match &mut self.postgres {
            Some(server) => server.ensure().await,
            None => Ok(()),
        }
    }

    /// Many requests while the store is slow, so that the queue of writes is full in the middle of proposals.
    async fn burst(&mut self) -> Result<()> {
        self.gate.files().shim().slow_syncs(Duration::from_millis(400))?;
        let mut random = self.random.clone();
        let arena = Arc::clone(&self.arena);
        agents::burst(&arena, BURST, &mut random).await?;
        self.gate.files().shim().heal_disk()
    }

    /// Nothing is broken any more and the gate has been started anew.
    pub(crate) async fn restart_clean(&mut self) -> Result<()> {
        self.mend_store().await?;
        self.gate.kill().await?;
        self.gate.start().await
    }
}
