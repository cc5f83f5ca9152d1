//! What one process has counted since it started, for monitoring. It is a value that the store makes and its holders
//! clone; nothing is global. Every label comes from a fixed set of the code: never an id, a name or text of a user.

use std::time::Duration;

use countersign_core::proposal::StateName;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// Upper bounds of the buckets of commit times, in seconds: from a fast disk to the longest wait for a commit.
const COMMIT_BUCKETS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Names and values of one or two labels.
type Labels<const N: usize> = [(&'static str, &'static str); N];

/// The counters and histograms of one process. Clones count together.
#[derive(Debug, Clone)]
pub struct Metrics {
    opened: Family<Labels<1>, Counter>,
    outcomes: Family<Labels<1>, Counter>,
    refusals: Family<Labels<2>, Counter>,
    commits: Histogram,
}

impl Default for Metrics {
    /// Everything at zero. What has few values is there from the start, so that a first count is a change.
    fn default() -> Self {
        let metrics = Self {
            opened: Family::default(),
            outcomes: Family::default(),
            refusals: Family::default(),
            commits: Histogram::new(COMMIT_BUCKETS),
        };
        for decision in ["allow", "deny", "ask"] {
            drop(metrics.opened.get_or_create(&[("decision", decision)]));
        }
        for outcome in ["succeeded", "failed", "unknown"] {
            drop(metrics.outcomes.get_or_create(&[("outcome", outcome)]));
        }
        metrics
    }
}

impl Metrics {
    /// A request was refused on this listener with this code of `docs/reference/errors.md`.
    pub fn refused(&self, listener: &'static str, code: &'static str) {
        self.refusals.get_or_create(&[("listener", listener), ("code", code)]).inc();
    }

    /// A proposal was recorded for the first time, in this state.
    pub(crate) fn opened_as(&self, state: StateName) {
        let decision = match state {
            StateName::Denied => "deny",
            StateName::Pending => "ask",
            StateName::Ready
            | StateName::Dispatched
            | StateName::Succeeded
            | StateName::Failed
            | StateName::Unknown
            | StateName::Rejected
            | StateName::Expired
            | StateName::Cancelled
            | StateName::Superseded
            | StateName::Refused => "allow",
        };
        self.opened.get_or_create(&[("decision", decision)]).inc();
    }

    /// A proposal that was there moved to this state.
    pub(crate) fn moved_to(&self, state: StateName) {
        let outcome = match state {
            StateName::Succeeded => "succeeded",
            StateName::Failed => "failed",
            StateName::Unknown => "unknown",
            StateName::Denied
            | StateName::Pending
            | StateName::Ready
            | StateName::Dispatched
            | StateName::Rejected
            | StateName::Expired
            | StateName::Cancelled
            | StateName::Superseded
            | StateName::Refused => return,
        };
        self.outcomes.get_or_create(&[("outcome", outcome)]).inc();
    }

    /// A writing transaction took this long until it was durable.
    pub(crate) fn committed(&self, took: Duration) {
        self.commits.observe(took.as_secs_f64());
    }

    /// Adds these metrics to a registry.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "proposals_opened",
            "Proposals recorded, by what policy decided",
            self.opened.clone(),
        );
        registry.register("dispatches", "Outcomes of dispatched calls", self.outcomes.clone());
        registry.register("refusals", "Requests refused, by listener and code", self.refusals.clone());
        registry.register_with_unit(
            "store_commit",
            "Time of a writing transaction until it is durable",
            Unit::Seconds,
            self.commits.clone(),
        );
    }
}
