//! The open loop: requests leave at fixed times, whatever the server does.
//!
//! Threads instead of tasks: tokio's timer counts in milliseconds, which is more than a whole request takes.
//! Two targets take turns in blocks within one process, so both meet the same machine.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::client::Client;
use crate::clock;
use crate::load::{Answers, Load, Tally};
use crate::template::Template;

/// When each request leaves, and to which target.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Schedule {
    gap: Duration,
    block: Duration,
    targets: usize,
}

impl Schedule {
    /// So many a second, changing over to the next target after each block.
    pub(crate) fn new(per_second: u32, block_ms: u64, targets: usize) -> Result<Self> {
        let Some(gap) = Duration::from_secs(1).checked_div(per_second) else {
            bail!("an open loop needs a rate");
        };
        if block_ms == 0 || targets == 0 {
            bail!("an open loop needs a target and a block");
        }
        Ok(Self { gap, block: Duration::from_millis(block_ms), targets })
    }

    /// Time of request `turn` after the beginning.
    fn at(&self, turn: u32) -> Duration {
        self.gap.saturating_mul(turn)
    }

    /// Index of the target of request `turn`.
    fn target(&self, turn: u32) -> usize {
        let blocks = self.at(turn).as_nanos().checked_div(self.block.as_nanos()).unwrap_or(0);
        usize::try_from(blocks).unwrap_or(0).checked_rem(self.targets).unwrap_or(0)
    }
}

#[derive(Debug)]
struct Plan {
    load: Load,
    schedule: Schedule,
    templates: Vec<Template>,
    begin: Instant,
    connections: u32,
}

/// Runs the loop. One set of answers for each target.
pub(crate) fn run(load: &Load, schedule: &Schedule, connections: usize) -> Result<Vec<Answers>> {
    let connections = u32::try_from(connections).unwrap_or(1).max(1);
    let templates = load.targets.iter().map(Template::new).collect::<Result<_>>()?;
    // A little later, so that every thread is there before its first turn.
    let begin = clock::after(clock::now(), Duration::from_millis(20));
    let plan = Arc::new(Plan { load: load.clone(), schedule: *schedule, templates, begin, connections });
    let threads: Vec<_> = (0..connections)
        .map(|index| {
            let plan = Arc::clone(&plan);
            std::thread::spawn(move || connection(&plan, index))
        })
        .collect();
    let mut all = vec![Tally::default(); load.targets.len()];
    for thread in threads {
        let Ok(tallies) = thread.join() else { bail!("a connection's thread failed") };
        for (sum, tally) in all.iter_mut().zip(tallies?) {
            sum.merge(&tally);
        }
    }
    let share = u32::try_from(load.targets.len()).unwrap_or(1);
    let counted = Duration::from_millis(load.count_ms).checked_div(share).unwrap_or_default();
    Ok(all.into_iter().map(|tally| tally.answers(counted)).collect())
}

/// Takes every n-th turn. A late answer makes the next request late, and its latency says so.
fn connection(plan: &Plan, index: u32) -> Result<Vec<Tally>> {
    let count = plan.load.targets.len();
    let mut clients: Vec<Option<Client>> = (0..count).map(|_| None).collect();
    let mut tallies = vec![Tally::default(); count];
    let mut request = Vec::new();
    let warm = Duration::from_millis(plan.load.warm_ms);
    let end = warm.saturating_add(Duration::from_millis(plan.load.count_ms));
    let mut turn = index;
    while plan.schedule.at(turn) < end {
        let which = plan.schedule.target(turn);
        let due = clock::after(plan.begin, plan.schedule.at(turn));
        let parts = (plan.load.targets.get(which), plan.templates.get(which), clients.get_mut(which));
        let (Some(target), Some(template), Some(client)) = parts else { bail!("a target is missing") };
        template.render(u64::from(turn), &mut request);
        clock::sleep_until(due);
        let status = exchange(client, &target.address, &request);
        let took = clock::now().saturating_duration_since(due);
        let tally = tallies.get_mut(which).context("a target is missing")?;
        tally.add(target, status, took, plan.schedule.at(turn) >= warm);
        turn = turn.saturating_add(plan.connections);
    }
    Ok(tallies)
}

/// The status, or none when there was no answer; the next request then gets a new connection.
fn exchange(slot: &mut Option<Client>, address: &str, request: &[u8]) -> Option<u16> {
    let mut client = match slot.take() {
        Some(client) => client,
        None => Client::connect(address).ok()?,
    };
    let status = client.send(request).ok()?.status;
    *slot = Some(client);
    Some(status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_targets_take_turns_in_blocks_and_get_the_same_share() {
        let schedule = Schedule::new(500, 250, 2).unwrap();
        assert_eq!(schedule.at(500), Duration::from_secs(1));
        let which: Vec<usize> = (0..500).map(|turn| schedule.target(turn)).collect();
        assert_eq!(which.iter().filter(|w| **w == 0).count(), 250);
        assert_eq!((which[0], which[124], which[125], which[249], which[250]), (0, 0, 1, 1, 0));
    }

    #[test]
    fn a_schedule_without_a_rate_is_refused() {
        assert!(Schedule::new(0, 250, 1).is_err());
        assert!(Schedule::new(500, 0, 1).is_err());
        assert!(Schedule::new(500, 250, 0).is_err());
    }
}
