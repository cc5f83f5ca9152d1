//! `check`: every mistake of a gate directory, for people and for programs.

use std::path::PathBuf;

use clap::Args;
use countersign_core::problem::{Problem, Severity, in_order};
use countersign_engine::credential::Credentials;
use serde::Serialize;

use crate::config;
use crate::shell::{BROKEN, DONE, Output};

/// Arguments of `check`.
#[derive(Debug, Args)]
pub(super) struct Check {
    /// The gate directory.
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// Do not look for the secrets of credentials: for a machine that has none.
    #[arg(long)]
    without_secrets: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// What `check --json` prints.
#[derive(Debug, Serialize)]
struct Checked<'a> {
    /// Nothing is an error.
    ok: bool,
    /// Registered actions; none when the directory cannot be loaded.
    actions: Option<usize>,
    /// The digest of the policies; none when the directory cannot be loaded.
    policy_set: Option<String>,
    /// Errors and warnings, in the order of their places.
    findings: Vec<CheckFinding<'a>>,
}

/// One mistake.
#[derive(Debug, Serialize)]
struct CheckFinding<'a> {
    file: &'a str,
    /// From 1; 0 when no single line is to blame.
    line: usize,
    /// `error` or `warning`.
    severity: &'static str,
    message: &'a str,
    remedy: &'a str,
}

pub(super) async fn run(args: &Check, output: &mut Output) -> anyhow::Result<u8> {
    let (problems, loaded) = match config::load(&args.dir) {
        Ok((config, ruleset, mut problems)) => {
            if !args.without_secrets {
                let credentials = Credentials::new(config.credentials, config.networks);
                problems.extend(config::unusable(&args.dir, &credentials).await);
            }
            let loaded = (ruleset.registry.actions().count(), ruleset.policies.digest().to_string());
            (in_order(problems), Some(loaded))
        }
        Err(problems) => (problems, None),
    };
    let errors = problems.iter().filter(|p| p.severity == Severity::Error).count();
    if args.json {
        json(&problems, errors, loaded, output)?;
    } else {
        say(&problems, errors, loaded, output);
    }
    Ok(if errors > 0 { BROKEN } else { DONE })
}

/// Says why a gate directory cannot be used, as `check` does.
pub(super) fn unusable(problems: &[Problem], as_json: bool, output: &mut Output) -> anyhow::Result<u8> {
    if as_json {
        let errors = problems.iter().filter(|p| p.severity == Severity::Error).count();
        json(problems, errors, None, output)?;
    } else {
        problems.iter().for_each(|p| output.line(&p.to_string()));
    }
    Ok(BROKEN)
}

fn json(
    problems: &[Problem],
    errors: usize,
    loaded: Option<(usize, String)>,
    output: &mut Output,
) -> anyhow::Result<()> {
    let findings = problems.iter().map(|problem| {
        let Problem { file, line, severity, message, remedy } = problem;
        let severity = match severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        CheckFinding { file, line: *line, severity, message, remedy }
    });
    let (actions, policy_set) = loaded.unzip();
    output.json(&Checked { ok: errors == 0, actions, policy_set, findings: findings.collect() })
}

fn say(problems: &[Problem], errors: usize, loaded: Option<(usize, String)>, output: &mut Output) {
    problems.iter().for_each(|p| output.line(&p.to_string()));
    let several = |n: usize, word: &str| format!("{n} {word}{}", if n == 1 { "" } else { "s" });
    let warnings = several(problems.len().saturating_sub(errors), "warning");
    if errors > 0 {
        let what = if loaded.is_none() {
            "the gate does not start with this directory"
        } else {
            "the gate starts, and calls that need these secrets fail"
        };
        output.line(&format!("{}, {warnings}; {what}", several(errors, "error")));
        return;
    }
    let (actions, policy_set) = loaded.unwrap_or_default();
    let ok = format!("ok: {}, policy set {policy_set}", several(actions, "action"));
    output.line(&if problems.is_empty() { ok } else { format!("{ok}; {warnings}") });
}
