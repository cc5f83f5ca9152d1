//! Runs and says what came of it: zero violations are only worth something beside the work that was done.

use crate::options::Options;
use crate::plan::{Store, plan};
use crate::run::{Outcome, run};
use crate::{Result, output};

/// Answers to proposals in each second of load that a run must reach on average.
const ANSWERS_PER_SECOND_MIN: u64 = 3;
/// Violations that are printed.
const SHOWN: usize = 10;

/// Runs once and prints the summary. True when nothing was violated and enough was done.
pub(crate) async fn run_once(options: &Options) -> Result<bool> {
    let outcome = run(options, None).await?;
    print(options, &outcome);
    let idle = too_little(options, &outcome);
    for what in &idle {
        output::line(&format!("too little was done: {what}"));
    }
    let sound = outcome.report.violations.is_empty();
    if sound {
        std::fs::remove_dir_all(&outcome.work)?;
    }
    Ok(sound && idle.is_empty())
}

/// What the options ask for.
pub(crate) async fn run_as_asked(options: &Options) -> Result<bool> {
    run_once(options).await
}

fn print(options: &Options, outcome: &Outcome) {
    let store = match options.store {
        Store::Sqlite => "SQLite",
        Store::Postgres => "PostgreSQL",
    };
    let report = &outcome.report;
    output::line(&format!("seed {}, {store}, {} s of load", options.seed, options.seconds));
    for (kind, count) in &outcome.faults {
        output::line(&format!("  {:<28}{count}", kind.name()));
    }
    for (name, value) in [
        ("starts of the gate", outcome.starts.to_string()),
        ("disk operations that met a fault", outcome.disk_faults_met.to_string()),
        ("answers under load", outcome.answers_under_load.to_string()),
        ("answers checked", report.answers.to_string()),
        ("proposals", report.proposals.to_string()),
        ("effects", report.effects.to_string()),
        ("log entries", report.entries.to_string()),
        ("violations", report.violations.len().to_string()),
    ] {
        output::line(&format!("{name:<34}{value}"));
    }
    for violation in report.violations.iter().take(SHOWN) {
        output::line(&format!("- {violation}"));
    }
    if !report.violations.is_empty() {
        output::line(&format!("ledgers, logs and the database are kept in {}", outcome.work.display()));
    }
}

/// What the run did not do enough of.
fn too_little(options: &Options, outcome: &Outcome) -> Vec<String> {
    let mut found = Vec::new();
    let wanted = options.seconds.saturating_mul(ANSWERS_PER_SECOND_MIN);
    if outcome.answers_under_load < wanted {
        found.push(format!("{} answers under load; {wanted} are the least", outcome.answers_under_load));
    }
    let mut kinds: Vec<_> = plan(options.seed, options.store, options.seconds).iter().map(|f| f.kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    found.extend(
        kinds
            .into_iter()
            .filter(|kind| !outcome.faults.contains_key(kind))
            .map(|kind| format!("the plan's fault `{}` did not happen", kind.name())),
    );
    if options.store == Store::Sqlite && outcome.disk_faults_met == 0 {
        found.push("no disk operation met a fault".to_owned());
    }
    found
}
