//! The figures, one function each: what is the yardstick, what is the subject, what must be reached.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::counters::Tool;
use crate::echo::Echo;
use crate::figure::Figure;
use crate::load::{Answers, Load};
use crate::options::Pace;
use crate::protocol::{Bound, Outcome, Round, judge};
use crate::stats::{Spread, float};
use crate::subject::{self, Gate, Prepared};
use crate::template::Target;
use crate::yardstick::{self, RowSizes};
use crate::{bulk, disk, policies};

/// Agents that share the pending proposals; one agent may have a thousand.
pub(crate) const AGENTS: usize = 1_024;
/// Requests over which exact counts are taken.
const COUNTED_REQUESTS: u64 = 20_000;
/// What P1 allows besides two commits and two echoes.
const ADDED_ALLOWANCE_US: f64 = 300.0;
/// The rate of P1.
const EXECUTED_PER_SECOND: u32 = 500;

/// Everything that a figure needs.
#[derive(Debug)]
pub(crate) struct Bench {
    /// The released gate.
    pub(crate) binary: PathBuf,
    /// Where databases are put.
    pub(crate) work: PathBuf,
    /// The upstream and yardstick.
    pub(crate) echo: Echo,
    /// How long and how often.
    pub(crate) pace: Pace,
    /// What the gate writes for a decision.
    pub(crate) sizes: RowSizes,
    /// Rows of the large store.
    pub(crate) many: u64,
}

impl Bench {
    /// A gate directory with an empty store.
    pub(crate) fn prepare(&self, agents: usize) -> Result<Prepared> {
        Prepared::new(&self.binary, &self.work, &self.echo, agents)
    }

    fn gate(&self) -> Result<Gate> {
        self.prepare(AGENTS)?.serve()
    }

    /// Rounds of yardstick, subject, yardstick.
    pub(crate) fn rounds(
        &self,
        mut yardstick: impl FnMut() -> Result<f64>,
        mut subject: impl FnMut() -> Result<f64>,
    ) -> Result<Outcome> {
        let mut rounds = Vec::with_capacity(self.pace.rounds);
        for _ in 0..self.pace.rounds {
            let before = yardstick()?;
            let subject = subject()?;
            let after = yardstick()?;
            rounds.push(Round { before, subject, after });
        }
        Ok(judge(&rounds))
    }

    /// A closed loop of one segment.
    pub(crate) fn closed(&self, target: Target, connections: usize, what: &str) -> Result<Answers> {
        Load::closed(target, connections, self.pace.warm, self.pace.segment).run_one(what)
    }

    /// Y3 commit p50 and Y2 p50 with one client, in microseconds. The two share the time of one segment.
    fn commit_and_echo(&self) -> Result<(f64, f64)> {
        let half = self.pace.segment.checked_div(2).unwrap_or(self.pace.segment);
        let commit = yardstick::run(&self.work, self.sizes, 1, (self.pace.warm, half))?.commit.p50_us;
        let echo = Load::closed(self.echo.target(), 1, self.pace.warm, half).run_one("the echo")?;
        Ok((commit, echo.latency.p50_us))
    }

    /// Weighs the rows of a decision, so that Y3 writes the same bytes. Gives the store of that gate back.
    pub(crate) fn weigh(&mut self) -> Result<()> {
        let gate = self.prepare(1)?.serve()?;
        let load = Load::closed(gate.decide(0), 8, Duration::ZERO, Duration::from_secs(5)).exactly(200);
        load.run_one("proposals that wait for a person")?;
        let (prepared, _) = gate.stop()?;
        self.sizes = bulk::weigh(&prepared.database())?;
        Ok(())
    }

    /// P4: durable decisions a second at 64 connections, beside the bare writer with 64 submitters.
    pub(crate) fn decisions(&self) -> Result<Figure> {
        let gate = self.gate()?;
        let mut start = 0;
        let outcome =
            self.rounds(
                || {
                    Ok(yardstick::run(&self.work, self.sizes, 64, (self.pace.warm, self.pace.segment))?
                        .per_second)
                },
                || {
                    let answers = self.closed(gate.decide(start), 64, "P4")?;
                    start = start.saturating_add(answers.sent);
                    Ok(answers.per_second)
                },
            )?;
        let rate = |v: f64| format!("{v:.0}/s");
        Ok(Figure::ratio("P4", "decision c=64", &outcome, rate, Bound::AtLeast(0.28))
            .beyond(Bound::AtLeast(0.34)))
    }

    /// P3: one client's durable decision, beside one commit and one echo.
    pub(crate) fn one_decision(&self) -> Result<Figure> {
        let gate = self.gate()?;
        let mut start = 0;
        let outcome = self.rounds(
            || self.commit_and_echo().map(|(commit, echo)| commit + echo),
            || {
                let answers = self.closed(gate.decide(start), 1, "P3")?;
                start = start.saturating_add(answers.sent);
                Ok(answers.latency.p50_us)
            },
        )?;
        let micros = |v: f64| format!("p50={v:.0}us");
        Ok(Figure::ratio("P3", "decision c=1", &outcome, micros, Bound::AtMost(1.9))
            .beyond(Bound::AtMost(1.5)))
    }

    /// P1: what an executed action adds to the direct call at a fixed rate. The yardstick is all that is allowed:
    /// two commits, two echoes and 0.3 ms.
    pub(crate) fn executed(&self) -> Result<Figure> {
        let gate = self.gate()?;
        let (mut start, mut tails) = (0, Vec::new());
        let outcome = self.rounds(
            || {
                let (commit, echo) = self.commit_and_echo()?;
                Ok(2.0 * commit + 2.0 * echo + ADDED_ALLOWANCE_US)
            },
            || {
                let targets = vec![self.echo.target(), gate.execute(start)];
                let double = self.pace.segment.saturating_mul(2);
                let load = Load::open(targets, EXECUTED_PER_SECOND, self.pace.warm, double);
                let [direct, gated]: [Answers; 2] =
                    load.run()?.try_into().ok().context("the generator gave other answers than asked for")?;
                start = start.saturating_add(u64::from(u32::MAX));
                let (direct, gated) = (direct.must_be_clean("P1 direct")?, gated.must_be_clean("P1 gated")?);
                tails.push(gated.latency.p99_us - direct.latency.p99_us);
                Ok(gated.latency.p50_us - direct.latency.p50_us)
            },
        )?;
        let bound = outcome.yardstick.map_or(0.0, |y| y.median / 1e3);
        let tail = Spread::of(&tails).map_or(0.0, |t| t.median / 1e3);
        let label = format!("executed {EXECUTED_PER_SECOND}/s added");
        let millis = |v: f64| format!("p50=+{:.3}ms", v / 1e3);
        Ok(Figure::ratio("P1", label, &outcome, millis, Bound::AtMost(1.25))
            .beyond(Bound::AtMost(1.0))
            .note(format!("of 2 commits + 2 echoes + 0.3 ms = {bound:.3} ms; p99=+{tail:.2}ms")))
    }

    /// P16: requests with an unknown key, beside the echo; and what they cost the disk.
    pub(crate) fn strangers(&self, tool: Option<Tool>) -> Result<Vec<Figure>> {
        let gate = self.gate()?;
        let outcome = self.rounds(
            || Ok(self.closed(self.echo.target(), 64, "the echo")?.per_second),
            || Ok(self.closed(gate.unknown_key(), 64, "P16")?.per_second),
        )?;
        let rate = |v: f64| format!("{v:.0}/s");
        let quick = Figure::ratio("P16", "unauthenticated c=64", &outcome, rate, Bound::AtLeast(0.6));
        let label = "unauthenticated fdatasync";
        let none = Bound::AtMost(0.0);
        let Some(tool) = tool else {
            return Ok(vec![quick, Figure::missing("P16", label, none, NO_TOOL)]);
        };
        gate.settle()?;
        let counting = tool.attach(gate.id())?;
        Load::closed(gate.unknown_key(), 64, Duration::ZERO, self.pace.segment)
            .exactly(COUNTED_REQUESTS)
            .run_one("P16")?;
        let syncs = Some(Spread::exact(float(counting.stop()?)));
        let free = Figure::value("P16", label, syncs, "", none)
            .note(format!("{COUNTED_REQUESTS} requests, counted by {}", tool.name()));
        Ok(vec![quick, free])
    }

    /// P21: exact counts of a decision at 64 connections.
    pub(crate) fn exact(&self, tool: Option<Tool>) -> Result<Vec<Figure>> {
        let gate = self.gate()?;
        gate.settle()?;
        let counting = tool.map(|t| t.attach(gate.id())).transpose()?;
        let before = disk::written(&self.work)?;
        let load =
            Load::closed(gate.decide(0), 64, Duration::ZERO, self.pace.segment).exactly(COUNTED_REQUESTS);
        let answers = load.run_one("P21")?;
        let syncs = counting.map(crate::counters::Counting::stop).transpose()?;
        // With what it does afterwards for these decisions, such as integrating their log entries.
        gate.settle()?;
        let after = disk::written(&self.work)?;
        let (_, log) = gate.stop()?;
        let each = |count: u64| Some(Spread::exact(float(count) / float(answers.done.max(1))));
        let (few, aim) = (Bound::AtMost(0.1), Bound::AtMost(0.05));
        let syncs = match (syncs, tool) {
            (Some(count), Some(tool)) => {
                Figure::value("P21", "fdatasync/decision c=64", each(count), "", few)
                    .beyond(aim)
                    .note(format!("counted by {}", tool.name()))
            }
            _ => Figure::missing("P21", "fdatasync/decision c=64", few, NO_TOOL),
        };
        let two = Bound::AtMost(2.0);
        let statements = match subject::counted(&log, "statements") {
            Some(count) => Figure::value("P21", "sql/decision c=64", each(count), "", two)
                .note("the gate's own count since it was started"),
            None => Figure::missing("P21", "sql/decision c=64", two, "the gate does not say `statements=`"),
        };
        let (label, nine) = ("KB written/decision c=64", Bound::AtMost(9.0));
        let bytes = match before.zip(after) {
            Some((before, after)) => {
                let written = after.saturating_sub(before);
                let each = Spread::exact(float(written) / float(answers.done.max(1)) / 1e3);
                let payload = self.sizes.record.saturating_add(self.sizes.entry);
                Figure::value("P21", label, Some(each), "KB", nine)
                    .beyond(Bound::AtMost(6.0))
                    .note(format!("{written} bytes by the device's count; payload {payload} bytes of rows"))
            }
            None => Figure::missing("P21", label, nine, "the databases are on no block device of their own"),
        };
        Ok(vec![syncs, statements, bytes])
    }

    /// P8: ten thousand policies beside ten.
    pub(crate) fn policies(&self) -> Result<Figure> {
        let outcome = policies::growth(&self.pace)?;
        let micros = |v: f64| format!("p50={v:.2}us");
        let figure = Figure::ratio("P8", "policies 10->10000", &outcome, micros, Bound::AtMost(1.2));
        Ok(figure.beyond(Bound::AtMost(1.05)))
    }

    /// P7: executed actions a second beside a proxy with JWT, RBAC and an access log.
    pub(crate) fn beside_a_proxy() -> Figure {
        let label = "executed/s beside Envoy with JWT, RBAC, access log";
        Figure::missing("P7", label, Bound::AtLeast(1.0), "no Envoy is started by this program")
            .beyond(Bound::AtLeast(1.5))
    }

    /// P12: resident memory of an idle gate over an empty store.
    pub(crate) fn idle(&self) -> Result<Figure> {
        let gate = self.prepare(1)?.serve()?;
        gate.settle()?;
        let megabytes = float(gate.usage()?.resident_kib) * 1_024.0 / 1e6;
        let figure =
            Figure::value("P12", "rss idle", Some(Spread::exact(megabytes)), "MB", Bound::AtMost(35.0));
        Ok(figure.beyond(Bound::AtMost(25.0)))
    }
}

const NO_TOOL: &str = "neither perf nor strace can count here";

/// Makes the folder for databases.
pub(crate) fn make_work_dir(work: &Path) -> Result<()> {
    std::fs::create_dir_all(work).with_context(|| format!("failed to make {}", work.display()))
}
