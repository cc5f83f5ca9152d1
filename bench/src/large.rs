//! What must not grow with history: a store with a million pending proposals beside one with a thousand.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::bulk;
use crate::figure::Figure;
use crate::figures::{AGENTS, Bench};
use crate::load::Load;
use crate::protocol::Bound;
use crate::stats::{Samples, Spread};
use crate::subject::Gate;

/// Pending proposals of the small store.
const FEW: u64 = 1_000;
/// Starts of which the median is taken.
const STARTS: usize = 5;
/// Rejections in one third of a round.
const REJECTIONS: usize = 60;

/// A running gate over a store that was filled, and some of the ids in it.
#[derive(Debug)]
struct Filled {
    gate: Gate,
    ids: Vec<String>,
}

impl Bench {
    /// P14, P11 and P10.
    pub(crate) fn large(&self, wants: impl Fn(&str) -> bool) -> Result<Vec<Figure>> {
        let mut figures = Vec::new();
        let mut large = self.filled(self.many)?;
        if wants("P14") {
            let (figure, gate) = self.start(large.gate)?;
            large.gate = gate;
            figures.push(figure);
        }
        if wants("P11") {
            figures.push(self.badge(&large.gate)?);
        }
        if wants("P10") {
            let mut small = self.filled(FEW)?;
            figures.push(self.lists(&small, &large)?);
            figures.push(self.rejections(&mut small, &mut large)?);
        }
        Ok(figures)
    }

    /// A running gate with so many pending proposals, its log integrated.
    fn filled(&self, rows: u64) -> Result<Filled> {
        let gate = self.prepare(AGENTS)?.serve()?;
        let templates = rows.checked_div(2).unwrap_or(0).min(FEW);
        let load = Load::closed(gate.decide(0), 16, Duration::ZERO, self.pace.segment).exactly(templates);
        let made = load.run_one("proposals that wait for a person")?.done;
        let (prepared, _) = gate.stop()?;
        let ids = bulk::fill(&prepared.database(), rows.saturating_sub(made))?;
        let mut gate = prepared.serve()?;
        gate.settle()?;
        let pending = gate.pending()?;
        ensure!(pending == rows, "the gate counts {pending} pending proposals instead of {rows}");
        Ok(Filled { gate, ids })
    }

    fn start(&self, mut gate: Gate) -> Result<(Figure, Gate)> {
        let mut starts = Vec::with_capacity(STARTS);
        for _ in 0..STARTS {
            gate = gate.stop()?.0.serve()?;
            starts.push(gate.ready.as_secs_f64() * 1e3);
        }
        let label = format!("start rows={}", self.many);
        let figure = Figure::value("P14", label, Spread::of(&starts), "ms", Bound::AtMost(100.0));
        Ok((figure.aim(Bound::AtMost(30.0)), gate))
    }

    fn badge(&self, gate: &Gate) -> Result<Figure> {
        let mut medians = Vec::with_capacity(self.pace.rounds);
        for _ in 0..self.pace.rounds {
            medians.push(self.closed(gate.badge(), 1, "P11")?.latency.p50_us / 1e3);
        }
        let label = format!("badge rows={} p50", self.many);
        let figure = Figure::value("P11", label, Spread::of(&medians), "ms", Bound::AtMost(1.0));
        Ok(figure.aim(Bound::AtMost(0.1)))
    }

    fn lists(&self, small: &Filled, large: &Filled) -> Result<Figure> {
        let p50 = |of: &Filled| Ok(self.closed(of.gate.list(&of.ids), 1, "P10")?.latency.p50_us);
        let outcome = self.rounds(|| p50(small), || p50(large))?;
        let label = format!("list of 50, pending {FEW}->{}", self.many);
        let figure = Figure::ratio("P10", label, &outcome, micros, Bound::AtMost(3.0));
        Ok(figure.aim(Bound::AtMost(2.0)))
    }

    /// Each proposal is rejected once, so the ids of the small store are shared out among the rounds.
    fn rejections(&self, small: &mut Filled, large: &mut Filled) -> Result<Figure> {
        let segments = self.pace.rounds.saturating_mul(2);
        let share = small.ids.len().checked_div(segments).unwrap_or(0).clamp(1, REJECTIONS);
        let outcome = self.rounds(|| small.reject(share), || large.reject(share))?;
        let label = format!("decide, pending {FEW}->{}", self.many);
        let figure = Figure::ratio("P10", label, &outcome, micros, Bound::AtMost(1.25));
        Ok(figure.aim(Bound::AtMost(1.1)))
    }
}

impl Filled {
    /// Rejects some that were not rejected yet. The median in microseconds.
    fn reject(&mut self, count: usize) -> Result<f64> {
        ensure!(self.ids.len() >= count, "there are too few proposals left to reject");
        let mut samples = Samples::default();
        for id in self.ids.split_off(self.ids.len().saturating_sub(count)) {
            samples.push(self.gate.reject(&id)?);
        }
        Ok(samples.summary().p50_us)
    }
}

fn micros(value: f64) -> String {
    format!("p50={value:.0}us")
}
