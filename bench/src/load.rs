//! A load: what is sent, how hard, for how long; and what came back. It is run by a process of its own, so that
//! the generator's work is not mistaken for the subject's.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};

use crate::stats::{Samples, Summary, rate};
use crate::template::Target;
use crate::{closed, open, output, process};

/// How hard.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Shape {
    /// Each connection sends its next request when it has its answer.
    Closed {
        /// How many connections.
        connections: usize,
    },
    /// Requests leave at fixed times, whatever the server does. Latency counts from the scheduled time, so a
    /// stalled server cannot hide its queue.
    Open {
        /// Requests per second.
        per_second: u32,
        /// How many may be on their way.
        connections: usize,
        /// With two targets: milliseconds after which the load changes over to the other.
        block_ms: u64,
    },
}

/// One load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Load {
    /// How hard.
    pub(crate) shape: Shape,
    /// What: one target, or several between which an open loop alternates.
    pub(crate) targets: Vec<Target>,
    /// Milliseconds that are not counted.
    pub(crate) warm_ms: u64,
    /// Milliseconds that are counted.
    pub(crate) count_ms: u64,
    /// Stop after so many requests instead; nothing is left out then, so counters can be compared exactly.
    pub(crate) requests: Option<u64>,
}

/// What came back from one target.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Answers {
    /// Answers with an expected status.
    pub(crate) done: u64,
    /// The same per second.
    pub(crate) per_second: f64,
    /// The time that was counted, in seconds.
    pub(crate) seconds: f64,
    /// Latency of those.
    pub(crate) latency: Summary,
    /// Answers with any other status, by status.
    pub(crate) errors: BTreeMap<u16, u64>,
    /// Requests that got no answer.
    pub(crate) broken: u64,
    /// All requests sent, also those not counted: the next load's numbers start after them.
    pub(crate) sent: u64,
}

impl Answers {
    /// An error unless nearly all requests were answered as expected: a ratio of refusals says nothing.
    pub(crate) fn must_be_clean(self, what: &str) -> Result<Self> {
        let wrong = self.errors.values().fold(self.broken, |sum, n| sum.saturating_add(*n));
        if self.done == 0 || wrong.saturating_mul(1_000) > self.done {
            bail!(
                "{what}: {} answers as expected, {} without an answer, others by status {:?}",
                self.done,
                self.broken,
                self.errors
            );
        }
        Ok(self)
    }
}

/// Counts answers while a load runs.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    samples: Samples,
    errors: BTreeMap<u16, u64>,
    broken: u64,
    sent: u64,
}

impl Tally {
    /// Counts one request. `status` is none when there was no answer; `counted` is false while warming up.
    pub(crate) fn add(&mut self, target: &Target, status: Option<u16>, took: Duration, counted: bool) {
        self.sent = self.sent.saturating_add(1);
        match status {
            _ if !counted => {}
            Some(status) if target.expect.contains(&status) => self.samples.push(took),
            Some(status) => {
                let errors = self.errors.entry(status).or_default();
                *errors = errors.saturating_add(1);
            }
            None => self.broken = self.broken.saturating_add(1),
        }
    }

    /// Adds what another connection counted.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.samples.merge(&other.samples);
        for (status, count) in &other.errors {
            let errors = self.errors.entry(*status).or_default();
            *errors = errors.saturating_add(*count);
        }
        self.broken = self.broken.saturating_add(other.broken);
        self.sent = self.sent.saturating_add(other.sent);
    }

    /// Sums up over the time that was counted.
    pub(crate) fn answers(mut self, counted: Duration) -> Answers {
        let latency = self.samples.summary();
        Answers {
            done: latency.count,
            per_second: rate(latency.count, counted),
            seconds: counted.as_secs_f64(),
            latency,
            errors: self.errors,
            broken: self.broken,
            sent: self.sent,
        }
    }
}

impl Load {
    /// A closed loop against one target.
    pub(crate) fn closed(target: Target, connections: usize, warm: Duration, count: Duration) -> Self {
        Self::shaped(Shape::Closed { connections }, vec![target], warm, count)
    }

    /// An open loop that alternates between targets, `per_second` at either.
    pub(crate) fn open(targets: Vec<Target>, per_second: u32, warm: Duration, count: Duration) -> Self {
        Self::shaped(Shape::Open { per_second, connections: 16, block_ms: 250 }, targets, warm, count)
    }

    fn shaped(shape: Shape, targets: Vec<Target>, warm: Duration, count: Duration) -> Self {
        let millis = |d: Duration| u64::try_from(d.as_millis()).unwrap_or(u64::MAX);
        Self { shape, targets, warm_ms: millis(warm), count_ms: millis(count), requests: None }
    }

    /// Exactly so many requests, all counted.
    #[must_use]
    pub(crate) fn exactly(self, requests: u64) -> Self {
        Self { warm_ms: 0, requests: Some(requests), ..self }
    }

    /// Runs it in a process of its own. One set of answers for each target.
    pub(crate) fn run(&self) -> Result<Vec<Answers>> {
        let line = process::run_helper("gen", &serde_json::to_vec(self)?)?;
        serde_json::from_slice(&line).context("the generator printed something else than answers")
    }

    /// Runs a load of one target; nearly all its requests must be answered as expected.
    pub(crate) fn run_one(&self, what: &str) -> Result<Answers> {
        let first = self.run()?.into_iter().next().context("the generator gave no answers")?;
        first.must_be_clean(what)
    }
}

/// The helper process: one load from standard input, one line to standard output.
pub(crate) fn serve_one() -> Result<()> {
    let load: Load = serde_json::from_reader(std::io::stdin().lock()).context("failed to read the load")?;
    let answers = match load.shape {
        Shape::Closed { connections } => {
            let target = load.targets.first().context("the load has no target")?;
            vec![closed::run(target, &load, connections)?]
        }
        Shape::Open { per_second, connections, block_ms } => {
            open::run(&load, &open::Schedule::new(per_second, block_ms, load.targets.len())?, connections)?
        }
    };
    output::line(&serde_json::to_string(&answers)?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_expected_and_counted_answers_have_a_latency() {
        let target = Target::post("a:1", "/", String::new());
        let mut tally = Tally::default();
        let took = Duration::from_micros(10);
        tally.add(&target, Some(200), took, false);
        tally.add(&target, Some(200), took, true);
        tally.add(&target, Some(503), took, true);
        tally.add(&target, None, took, true);
        let mut both = tally.clone();
        both.merge(&tally);
        let answers = both.answers(Duration::from_secs(2));
        assert_eq!((answers.done, answers.broken, answers.sent), (2, 2, 8));
        assert_eq!(answers.errors, BTreeMap::from([(503, 2)]));
        assert!((answers.per_second - 1.0).abs() < 1e-9);
        assert!(answers.must_be_clean("x").is_err());
    }

    #[test]
    fn one_refusal_in_a_thousand_is_clean_and_two_are_not() {
        let answers =
            |errors| Answers { done: 1_000, errors: BTreeMap::from([(503, errors)]), ..Answers::default() };
        assert!(answers(1).must_be_clean("x").is_ok());
        assert!(answers(2).must_be_clean("x").is_err());
        assert!(Answers::default().must_be_clean("x").is_err());
    }

    #[test]
    fn a_load_survives_its_way_to_the_helper() {
        let load = Load::open(
            vec![Target::post("a:1", "/", "{n}".into())],
            500,
            Duration::from_millis(100),
            Duration::from_secs(1),
        )
        .exactly(7);
        let text = serde_json::to_vec(&load).unwrap();
        assert_eq!(serde_json::from_slice::<Load>(&text).unwrap(), load);
    }
}
