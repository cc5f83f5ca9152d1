//! `[limits]`: what one agent may take.

use std::num::NonZeroU32;

use countersign_engine::gate::{Limits, Rate};
use serde::Deserialize;

/// The table as it is written. What is not there keeps its default.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct LimitsTable {
    concurrent: NonZeroU32,
    open_proposals: NonZeroU32,
    streams: NonZeroU32,
    proposals: RateTable,
    refusals: RateTable,
    dry_runs: RateTable,
    reads: RateTable,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct RateTable {
    per_second: NonZeroU32,
    burst: NonZeroU32,
}

impl RateTable {
    const fn of(rate: Rate) -> Self {
        Self { per_second: rate.per_second, burst: rate.burst }
    }

    const fn rate(self) -> Rate {
        Rate { per_second: self.per_second, burst: self.burst }
    }
}

impl Default for LimitsTable {
    fn default() -> Self {
        let limits = Limits::default();
        let some = |n| NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN);
        Self {
            concurrent: some(limits.concurrent),
            open_proposals: some(limits.open_proposals),
            streams: some(limits.streams),
            proposals: RateTable::of(limits.proposals),
            refusals: RateTable::of(limits.refusals),
            dry_runs: RateTable::of(limits.dry_runs),
            reads: RateTable::of(limits.reads),
        }
    }
}

impl LimitsTable {
    pub(super) fn limits(&self) -> Limits {
        Limits {
            concurrent: self.concurrent.get(),
            open_proposals: self.open_proposals.get(),
            streams: self.streams.get(),
            proposals: self.proposals.rate(),
            refusals: self.refusals.rate(),
            dry_runs: self.dry_runs.rate(),
            reads: self.reads.rate(),
        }
    }
}
