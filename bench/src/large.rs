//! What must not grow with history: a store with a million pending proposals beside one with a thousand.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::figure::Figure;
use crate::figures::{AGENTS, Bench};
use crate::load::Load;
use crate::protocol::Bound;
use crate::stats::{Samples, Spread};
use crate::subject::{Gate, PAGE_MAX};
use crate::template::Target;
use crate::{bulk, gatedir};

/// Pending proposals of the small store.
const FEW: u64 = 1_000;
/// Starts of which the median is taken.
const STARTS: usize = 5;

/// A running gate over a store that was filled, and some of the ids in it.
#[derive(Debug)]
struct Filled {
    gate: Gate,
    ids: Vec<String>,
    /// The first running number that was not used yet.
    next: u64,
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
        let ids = bulk::fill(prepared.folder(), gatedir::ORIGIN, rows.saturating_sub(made))?;
        let mut gate = prepared.serve()?;
        gate.settle()?;
        let pending = gate.pending()?;
        ensure!(pending == rows, "the gate counts {pending} pending proposals instead of {rows}");
        Ok(Filled { gate, ids, next: templates })
    }

    fn start(&self, mut gate: Gate) -> Result<(Figure, Gate)> {
        let mut starts = Vec::with_capacity(STARTS);
        for _ in 0..STARTS {
            gate = gate.stop()?.0.serve()?;
            starts.push(gate.ready.as_secs_f64() * 1e3);
        }
        let label = format!("start rows={}", self.many);
        let figure = Figure::value("P14", label, Spread::of(&starts), "ms", Bound::AtMost(100.0));
        Ok((figure.beyond(Bound::AtMost(30.0)), gate))
    }

    fn badge(&self, gate: &Gate) -> Result<Figure> {
        let mut medians = Vec::with_capacity(self.pace.rounds);
        for _ in 0..self.pace.rounds {
            medians.push(self.closed(gate.badge(), 1, "P11")?.latency.p50_us / 1e3);
        }
        let label = format!("badge rows={} p50", self.many);
        let figure = Figure::value("P11", label, Spread::of(&medians), "ms", Bound::AtMost(1.0));
        Ok(figure.beyond(Bound::AtMost(0.1)))
    }

    fn lists(&self, small: &Filled, large: &Filled) -> Result<Figure> {
        let p50 = |of: &Filled| Ok(self.closed(of.gate.list(&of.ids), 1, "P10")?.latency.p50_us);
        let outcome = self.rounds(|| p50(small), || p50(large))?;
        let label = format!("list of 50, pending {FEW}->{}", self.many);
        let figure = Figure::ratio("P10", label, &outcome, micros, Bound::AtMost(3.0));
        Ok(figure.beyond(Bound::AtMost(2.0)))
    }

    fn rejections(&self, small: &mut Filled, large: &mut Filled) -> Result<Figure> {
        let outcome = self.rounds(|| small.reject_a_page(), || large.reject_a_page())?;
        let label = format!("decide, pending {FEW}->{}", self.many);
        let figure = Figure::ratio("P10", label, &outcome, micros, Bound::AtMost(1.25));
        Ok(figure.beyond(Bound::AtMost(1.1)))
    }
}

impl Filled {
    /// Makes a page of proposals and rejects them one by one, so that as many stay as there were. They come from
    /// an agent that has no others: one agent may only have so many. The median in microseconds.
    fn reject_a_page(&mut self) -> Result<f64> {
        let fresh = Target {
            keys: vec![gatedir::agent_key(AGENTS.saturating_sub(1))],
            ..self.gate.decide(self.next)
        };
        self.next = self.next.saturating_add(PAGE_MAX);
        let load = Load::closed(fresh, 8, Duration::ZERO, Duration::ZERO).exactly(PAGE_MAX);
        load.run_one("proposals that wait for a person")?;
        let mut samples = Samples::default();
        for id in self.gate.newest()? {
            samples.push(self.gate.reject(&id)?);
        }
        Ok(samples.summary().p50_us)
    }
}

fn micros(value: f64) -> String {
    format!("p50={value:.0}us")
}
