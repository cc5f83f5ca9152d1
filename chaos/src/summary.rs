//! Runs and says what came of it: zero violations are only worth something beside the work that was done.

use crate::options::Options;
use crate::plan::{Plan, Store, favouring, plan};
use crate::postgres::discard;
use crate::run::{Outcome, run};
use crate::{Result, output};

/// Answers to proposals in each second of load that a run must reach on average.
const ANSWERS_PER_SECOND_MIN: u64 = 3;
/// Calls that MCP clients send again, in each second of load.
const SENT_AGAIN_PER_SECOND_MIN: u64 = 1;
/// Of these in each ten seconds, calls whose effect was there already.
const AFTER_EFFECT_PER_TEN_SECONDS_MIN: u64 = 5;
/// Violations of each promise that are printed.
const SHOWN: usize = 5;
/// Guards that a weakened build can switch off.
const GUARDS: &str = include_str!("../guards.txt");

/// Does what the options ask for. True when every promise was kept and enough was done; with weakened guards,
/// when each of them was caught.
pub(crate) async fn run_as_asked(options: &Options) -> Result<bool> {
    if !options.guards && options.guard.is_none() {
        return run_once(options).await;
    }
    let mut all = true;
    let mut tried = 0_usize;
    for line in GUARDS.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let mut words = line.split_whitespace();
        let (Some(guard), Some(promise), Some(fault)) = (words.next(), words.next(), words.next()) else {
            return Err(format!("guards.txt: `{line}` does not begin with guard, promise and fault").into());
        };
        if options.guard.as_deref().is_none_or(|wanted| wanted == guard) {
            tried = tried.saturating_add(1);
            match favouring(fault, options.seed, options.store, options.seconds) {
                Some(plan) => all &= weakened(options, &plan, (guard, promise)).await?,
                None => output::line(&format!("{guard}: left out, because this store has no `{fault}`")),
            }
        }
    }
    if tried == 0 {
        return Err("guards.txt names no such guard".into());
    }
    Ok(all)
}

async fn run_once(options: &Options) -> Result<bool> {
    let plan = plan(options.seed, options.store, options.seconds);
    let outcome = run(options, &plan, None).await?;
    print(options, &outcome);
    let idle = too_little(options, &plan, &outcome);
    for what in &idle {
        output::line(&format!("too little was done: {what}"));
    }
    let sound = outcome.report.violations.all().is_empty();
    if sound {
        discard(&outcome.work)?;
    }
    Ok(sound && idle.is_empty())
}

/// Runs with one guard switched off. True when the checker saw the promise broken that the guard keeps.
async fn weakened(options: &Options, plan: &Plan, (guard, promise): (&str, &str)) -> Result<bool> {
    let outcome = run(options, plan, Some(guard)).await?;
    let all = outcome.report.violations.all();
    let found: Vec<_> = all.iter().filter(|(broken, _)| broken.name() == promise).collect();
    match found.first() {
        Some((_, what)) => output::line(&format!("{guard}: caught {} times, such as: {what}", found.len())),
        None => {
            output::line(&format!("{guard}: NOT CAUGHT: no violation of `{promise}`, {} others", all.len()));
            print(options, &outcome);
        }
    }
    if !found.is_empty() {
        discard(&outcome.work)?;
    }
    Ok(!found.is_empty())
}

fn print(options: &Options, outcome: &Outcome) {
    let store = match options.store {
        Store::Sqlite => "SQLite",
        Store::Postgres => "PostgreSQL",
    };
    let report = &outcome.report;
    let violations = report.violations.all();
    output::line(&format!("seed {}, {store}, {} s of load", options.seed, options.seconds));
    for (kind, count) in &outcome.faults {
        output::line(&format!("  {:<32}{count}", kind.name()));
    }
    for (name, value) in [
        ("starts of the gate", outcome.starts.to_string()),
        ("disk operations that met a fault", outcome.disk_faults_met.to_string()),
        ("answers under load", outcome.answers_under_load.to_string()),
        ("answers checked", report.answers.to_string()),
        ("proposals", report.proposals.to_string()),
        ("effects", report.effects.to_string()),
        ("log entries", report.entries.to_string()),
        ("MCP calls", report.mcp.calls.to_string()),
        ("  sent, the first time or again", report.mcp.sent.to_string()),
        ("  sent again", report.mcp.again().to_string()),
        ("  sent again after their effect", report.mcp.after_effect.to_string()),
        ("  effects", report.mcp.effects.to_string()),
        ("  double effects", report.mcp.double_effects.to_string()),
        ("violations", violations.len().to_string()),
    ] {
        output::line(&format!("{name:<34}{value}"));
    }
    let mut kinds: Vec<_> = violations.iter().map(|(promise, _)| *promise).collect();
    kinds.sort_unstable();
    kinds.dedup();
    for kind in kinds {
        let of_kind = violations.iter().filter(|(promise, _)| *promise == kind);
        output::line(&format!("  {:<32}{}", kind.name(), of_kind.clone().count()));
        for (_, what) in of_kind.take(SHOWN) {
            output::line(&format!("    - {what}"));
        }
    }
    if !violations.is_empty() {
        output::line(&format!("ledgers, logs and the database are kept in {}", outcome.work.display()));
    }
}

/// What the run did not do enough of.
fn too_little(options: &Options, plan: &Plan, outcome: &Outcome) -> Vec<String> {
    let mut found = Vec::new();
    let wanted = options.seconds.saturating_mul(ANSWERS_PER_SECOND_MIN);
    if outcome.answers_under_load < wanted {
        found.push(format!("{} answers under load; {wanted} are the least", outcome.answers_under_load));
    }
    let mcp = &outcome.report.mcp;
    let wanted = options.seconds.saturating_mul(SENT_AGAIN_PER_SECOND_MIN);
    if mcp.again() < wanted {
        found.push(format!("MCP clients sent {} calls again; {wanted} are the least", mcp.again()));
    }
    let wanted = options.seconds.saturating_mul(AFTER_EFFECT_PER_TEN_SECONDS_MIN).div_euclid(10);
    if mcp.after_effect < wanted {
        let what = mcp.after_effect;
        found.push(format!("MCP clients sent {what} calls again after their effect; {wanted} are the least"));
    }
    let missing = plan.each.iter().filter(|fault| !outcome.faults.contains_key(&fault.kind));
    found.extend(missing.map(|fault| format!("the plan's fault `{}` did not happen", fault.kind.name())));
    if options.store == Store::Sqlite && outcome.disk_faults_met == 0 {
        found.push("no disk operation met a fault".to_owned());
    }
    found
}
