//! What one agent may take, and what happens beyond it: token buckets for what leaves a trace or costs work, shares
//! of what is used at the same time. Beyond a limit the answer is `limit_reached`; the log gets one entry a minute
//! for each agent with how often, so that a flood cannot fill it.
//!
//! All of it is of one process. A bucket is full again after a restart.

use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use countersign_core::audit::{Actor, Entry, data};
use countersign_core::limits as maxima;
use countersign_core::refusal::Refusal;
use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use tokio::sync::Notify;

use super::Gate;
use crate::fault::chain_text;
use crate::world::World;

/// How often something may happen: so many at once, and so many more each second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Tokens that come back in a second.
    pub per_second: NonZeroU32,
    /// Tokens of a full bucket.
    pub burst: NonZeroU32,
}

impl Rate {
    const fn of(per_second: u32, burst: u32) -> Self {
        let (Some(per_second), Some(burst)) = (NonZeroU32::new(per_second), NonZeroU32::new(burst)) else {
            return Self { per_second: NonZeroU32::MIN, burst: NonZeroU32::MIN };
        };
        Self { per_second, burst }
    }
}

/// What one agent may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Proposals and other verbs under way at once.
    pub concurrent: u32,
    /// Proposals that wait for people or for their dispatch.
    pub open_proposals: u32,
    /// Streams and waiting requests at once.
    pub streams: u32,
    /// Proposals.
    pub proposals: Rate,
    /// Proposals that policy denies or that cannot be opened: each leaves an entry.
    pub refusals: Rate,
    /// Dry runs: each leaves an entry.
    pub dry_runs: Rate,
    /// Reads and lists.
    pub reads: Rate,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            concurrent: maxima::VERBS_PER_AGENT_MAX,
            open_proposals: maxima::OPEN_PER_AGENT_MAX,
            streams: maxima::STREAMS_PER_AGENT_MAX,
            proposals: Rate::of(200, 1_000),
            refusals: Rate::of(1, 60),
            dry_runs: Rate::of(10, 100),
            reads: Rate::of(200, 1_000),
        }
    }
}

/// A limit, by its key in the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Limit {
    /// Verbs under way.
    Concurrent,
    /// Proposals that wait.
    OpenProposals,
    /// Streams.
    Streams,
    /// The bucket of proposals.
    Proposals,
    /// The bucket of refused proposals.
    Refusals,
    /// The bucket of dry runs.
    DryRuns,
    /// The bucket of reads.
    Reads,
}

impl Limit {
    /// The key under `[limits]`.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Concurrent => "concurrent",
            Self::OpenProposals => "open_proposals",
            Self::Streams => "streams",
            Self::Proposals => "proposals",
            Self::Refusals => "refusals",
            Self::DryRuns => "dry_runs",
            Self::Reads => "reads",
        }
    }
}

/// The monotonic clock of the world, so that a test moves it.
#[derive(Debug, Clone)]
struct Ticks(World);

impl Clock for Ticks {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.ticks()
    }
}

type Bucket = RateLimiter<NotKeyed, InMemoryState, Ticks, NoOpMiddleware<Duration>>;

/// The buckets of one agent.
#[derive(Debug)]
struct Buckets {
    proposals: Bucket,
    refusals: Bucket,
    dry_runs: Bucket,
    reads: Bucket,
}

/// The limits in force, with what every agent has left.
#[derive(Debug)]
pub(super) struct AgentLimits {
    world: World,
    inner: RwLock<Limits>,
    buckets: Mutex<HashMap<Arc<str>, Arc<Buckets>>>,
    reached: Mutex<BTreeMap<Arc<str>, BTreeMap<Limit, u64>>>,
}

impl AgentLimits {
    pub(super) fn new(world: World, limits: Limits) -> Self {
        let (inner, buckets, reached) = (RwLock::new(limits), Mutex::default(), Mutex::default());
        Self { world, inner, buckets, reached }
    }

    pub(super) fn now(&self) -> Limits {
        *self.inner.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Other limits. Every bucket is full then.
    pub(super) fn set(&self, limits: Limits) {
        *self.inner.write().unwrap_or_else(PoisonError::into_inner) = limits;
        lock(&self.buckets).clear();
    }

    /// Takes a token. Without one the agent has to wait.
    pub(super) fn charge(&self, agent: &str, limit: Limit) -> Result<(), Refusal> {
        let buckets = self.buckets_of(agent);
        let limits = self.now();
        let (bucket, rate) = match limit {
            Limit::Proposals => (&buckets.proposals, limits.proposals),
            Limit::Refusals => (&buckets.refusals, limits.refusals),
            Limit::DryRuns => (&buckets.dry_runs, limits.dry_runs),
            Limit::Reads => (&buckets.reads, limits.reads),
            Limit::Concurrent | Limit::OpenProposals | Limit::Streams => return Ok(()),
        };
        let Err(until) = bucket.check() else { return Ok(()) };
        let wait = until.wait_time_from(self.world.ticks());
        let detail = format!("{} at once and {} a second", rate.burst, rate.per_second);
        Err(self.refuse(agent, limit, detail, wait))
    }

    /// The refusal for a limit, which is counted.
    pub(super) fn refuse(&self, agent: &str, limit: Limit, detail: String, wait: Duration) -> Refusal {
        self.count(agent, limit);
        let whole = wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0)).max(1);
        let retry_after_s = u32::try_from(whole).unwrap_or(u32::MAX);
        Refusal::LimitReached { agent: agent.to_owned(), limit: limit.key(), detail, retry_after_s }
    }

    /// Counts that an agent reached a limit.
    pub(super) fn count(&self, agent: &str, limit: Limit) {
        let mut reached = lock(&self.reached);
        let times = reached.entry(agent.into()).or_default().entry(limit).or_insert(0);
        *times = times.saturating_add(1);
    }

    fn buckets_of(&self, agent: &str) -> Arc<Buckets> {
        let mut all = lock(&self.buckets);
        if let Some(buckets) = all.get(agent) {
            return Arc::clone(buckets);
        }
        let limits = self.now();
        let bucket = |rate: Rate| {
            let quota = Quota::per_second(rate.per_second).allow_burst(rate.burst);
            Bucket::direct_with_clock(quota, Ticks(self.world.clone()))
        };
        let buckets = Arc::new(Buckets {
            proposals: bucket(limits.proposals),
            refusals: bucket(limits.refusals),
            dry_runs: bucket(limits.dry_runs),
            reads: bucket(limits.reads),
        });
        all.insert(agent.into(), Arc::clone(&buckets));
        buckets
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Gate {
    /// The limits of each agent now.
    pub fn limits(&self) -> Limits {
        self.0.limits.now()
    }

    /// Other limits from now on. What is under way keeps its places; every bucket is full.
    pub fn set_limits(&self, limits: Limits) {
        if limits != self.limits() {
            self.0.limits.set(limits);
            self.0.work.resize(&limits);
            self.0.streams.resize(&limits);
        }
    }

    /// Takes a token for an agent's read.
    pub fn charge_read(&self, agent: &str) -> Result<(), Refusal> {
        self.0.limits.charge(agent, Limit::Reads)
    }

    /// Records which limits were reached since the last time: one entry for each agent.
    pub(super) async fn note_reached(&self) {
        let reached = std::mem::take(&mut *lock(&self.0.limits.reached));
        for (agent, limits) in reached {
            let reached: Vec<data::Reached> = limits
                .iter()
                .map(|(limit, times)| data::Reached { limit: limit.key().to_owned(), times: *times })
                .collect();
            tracing::warn!(%agent, ?reached, "an agent reached its limits");
            let data = data::AgentLimited { agent: agent.to_string(), reached };
            let entry = Entry::new(self.0.world.now(), Actor::Gate, data);
            if let Err(stop) = self.note(entry).await {
                tracing::error!(error = %chain_text(&stop), "reached limits were not recorded; they are counted on");
                let mut kept = lock(&self.0.limits.reached);
                let again = kept.entry(agent).or_default();
                for (limit, times) in limits {
                    let sum = again.entry(limit).or_insert(0);
                    *sum = sum.saturating_add(times);
                }
            }
        }
    }

    /// The same once a minute.
    pub(super) async fn watch_limits(self, stop: Arc<Notify>) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(maxima::LIMITED_EVERY) => {}
                () = stop.notified() => return,
            }
            self.note_reached().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Limits {
        Limits { proposals: Rate::of(2, 3), refusals: Rate::of(1, 1), ..Limits::default() }
    }

    #[test]
    fn an_empty_bucket_says_when_to_come_back_and_fills_with_time_b5() {
        let world = World::manual(1, countersign_core::time::Timestamp::from_micros(0));
        let agents = AgentLimits::new(world.clone(), limits());
        for _ in 0..3 {
            agents.charge("bot", Limit::Proposals).unwrap();
        }
        let refusal = agents.charge("bot", Limit::Proposals).unwrap_err();
        let Refusal::LimitReached { limit: "proposals", retry_after_s: 1, .. } = &refusal else {
            panic!("{refusal:?}")
        };
        assert!(refusal.to_string().contains("3 at once and 2 a second"), "{refusal}");
        agents.charge("other", Limit::Proposals).unwrap();
        agents.charge("bot", Limit::Refusals).unwrap();
        world.advance(Duration::from_secs(1));
        agents.charge("bot", Limit::Proposals).unwrap();
        agents.charge("bot", Limit::Proposals).unwrap();
        assert!(agents.charge("bot", Limit::Proposals).is_err());
        let reached = lock(&agents.reached);
        assert_eq!(reached.get("bot").unwrap().get(&Limit::Proposals), Some(&2));
        assert!(!reached.contains_key("other"));
    }

    #[test]
    fn other_limits_hold_at_once() {
        let agents = AgentLimits::new(World::system(), limits());
        agents.charge("bot", Limit::Refusals).unwrap();
        assert!(agents.charge("bot", Limit::Refusals).is_err());
        agents.set(Limits { refusals: Rate::of(1, 2), ..limits() });
        agents.charge("bot", Limit::Refusals).unwrap();
        agents.charge("bot", Limit::Refusals).unwrap();
        assert!(agents.charge("bot", Limit::Refusals).is_err());
    }
}
