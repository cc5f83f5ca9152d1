//! What waits right now, for monitoring. Read from the database at most once a second, whoever asks.

use std::collections::BTreeMap;
use std::time::Duration;

use countersign_core::proposal::StateName;
use countersign_core::time::Timestamp;
use tokio::sync::Mutex;

use super::Gate;
use crate::fault::{Fault, chain_text};

/// How long an answer is kept.
const KEPT: Duration = Duration::from_secs(1);
/// The longest that the database is waited for.
const WITHIN: Duration = Duration::from_secs(2);

/// What waits for people under one approval rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RuleBacklog {
    /// Pending proposals for which the rule is not met, of the oldest 1,000.
    pub proposals: u64,
    /// How long the oldest of them has been waiting; zero without one.
    pub oldest: Duration,
}

/// What waits.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Gauges {
    /// All proposals that wait for people.
    pub pending: u64,
    /// By each approval rule in force.
    pub by_rule: BTreeMap<String, RuleBacklog>,
    /// Proposals whose outcome nobody knows.
    pub unknown: u64,
    /// Log entries that no checkpoint covers yet.
    pub log_entries: u64,
    /// How long the oldest of them has been waiting; zero without one.
    pub log_oldest: Duration,
}

/// The last answer and when it was read.
#[derive(Debug, Default)]
pub(super) struct LastGauges(Mutex<Option<(Duration, Option<Gauges>)>>);

impl Gate {
    /// What waits now. None when the database does not answer.
    pub async fn gauges(&self) -> Option<Gauges> {
        // Whoever comes meanwhile waits for the same answer.
        let mut last = self.0.gauges.0.lock().await;
        let now = self.0.world.ticks();
        if let Some((_, kept)) = last.as_ref().filter(|(at, _)| now.saturating_sub(*at) < KEPT) {
            return kept.clone();
        }
        let gauges = match tokio::time::timeout(WITHIN, self.read_gauges()).await {
            Ok(Ok(gauges)) => Some(gauges),
            Ok(Err(fault)) => {
                tracing::warn!(error = %chain_text(&fault), "the metrics lack what the database holds");
                None
            }
            Err(_) => {
                tracing::warn!("the metrics lack what the database holds: it does not answer in time");
                None
            }
        };
        *last = Some((now, gauges.clone()));
        gauges
    }

    async fn read_gauges(&self) -> Result<Gauges, Fault> {
        let store = &self.0.store;
        let counts = store.counts().await?;
        let count = |state| counts.get(&state).copied().unwrap_or_default();
        let backlog = store.log_backlog().await?;
        let now = self.0.world.now();
        // A clock that stepped back makes an entry of the future, which has no age.
        let age = |since: Timestamp| since.age_at(now).unwrap_or_default();
        // Only rules in force become labels, so their number is bounded.
        let rules = self.ruleset();
        let names = rules.rules.iter().map(|rule| (rule.name.clone(), RuleBacklog::default()));
        let mut by_rule: BTreeMap<String, RuleBacklog> = names.collect();
        for pending in store.pending_since().await? {
            for name in &pending.rules {
                if let Some(rule) = by_rule.get_mut(name) {
                    rule.proposals = rule.proposals.saturating_add(1);
                    rule.oldest = rule.oldest.max(age(pending.opened));
                }
            }
        }
        Ok(Gauges {
            pending: count(StateName::Pending),
            by_rule,
            unknown: count(StateName::Unknown),
            log_entries: backlog.entries,
            log_oldest: backlog.oldest.map(age).unwrap_or_default(),
        })
    }
}
