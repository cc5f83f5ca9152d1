//! The whole run: the machine's limits first, then every figure as it is known, then one line that sums up.

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::counters::Tool;
use crate::echo::Echo;
use crate::figure::{self, Figure};
use crate::figures::{Bench, make_work_dir};
use crate::machine;
use crate::options::Options;
use crate::output;
use crate::yardstick::RowSizes;

/// Runs everything that was asked for.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let (work, pace) = (options.work_dir(), options.pace());
    make_work_dir(&work)?;
    let binary = options.gate_binary();
    if !options.limits && !binary.is_file() {
        bail!(
            "there is no gate at {}: run `cargo build --release -p countersign`, or name it with `--gate`",
            binary.display()
        );
    }
    let echo = Echo::start()?;
    machine::print(&work, &pace, &echo)?;
    if options.limits {
        return Ok(ExitCode::SUCCESS);
    }
    let mut bench = Bench { binary, work, echo, pace, sizes: RowSizes::USUAL, many: options.large_rows() };
    bench.weigh()?;
    output::line(&format!(
        "machine a decision's rows: {} B record, {} B log entry",
        bench.sizes.record, bench.sizes.entry
    ));
    let figures = measure(&bench, options)?;
    output::line(&format!("machine {}", machine::strain()));
    output::line(&figure::summary(&figures));
    Ok(ExitCode::SUCCESS)
}

fn measure(bench: &Bench, options: &Options) -> Result<Vec<Figure>> {
    let tool = Tool::find();
    let mut all = Vec::new();
    let mut add = |figures: Vec<Figure>| {
        for figure in &figures {
            output::line(&figure.to_string());
        }
        all.extend(figures);
    };
    if options.wants("P4") {
        add(vec![bench.decisions()?]);
    }
    if options.wants("P3") {
        add(vec![bench.one_decision()?]);
    }
    if options.wants("P1") {
        add(vec![bench.executed()?]);
    }
    if options.wants("P7") {
        add(vec![Bench::beside_a_proxy()]);
    }
    if options.wants("P8") {
        add(vec![bench.policies()?]);
    }
    if options.wants("P12") {
        add(vec![bench.idle()?]);
    }
    if options.wants("P16") {
        add(bench.strangers(tool)?);
    }
    if options.wants("P21") {
        add(bench.exact(tool)?);
    }
    if ["P10", "P11", "P14"].iter().any(|id| options.wants(id)) {
        add(bench.large(|id| options.wants(id))?);
    }
    if options.wants("M") {
        add(bench.mcp()?);
    }
    if options.wants("F") {
        add(bench.floods()?);
    }
    Ok(all)
}
