//! SIGHUP loads the gate directory again, whole or not at all. Whatever happens, the process goes on.

use std::collections::BTreeMap;

use countersign_core::audit::{Actor, Entry, data};
use countersign_core::changes::NameChanges;
use countersign_core::problem::Problem;
use countersign_core::ruleset::Ruleset;
use countersign_engine::credential::{CredentialSpec, Credentials};
use countersign_engine::fault::chain_text;
use countersign_engine::gate::{Gate, Limits};
use countersign_engine::token::{IssuerSpec, Issuers};
use tokio::signal::unix::Signal;

use crate::config::{self, Config, FILE};

/// Problems that the entry of a refused reload holds; the operator's log has all of them.
const PROBLEMS_MAX: usize = 20;
/// Characters of each.
const PROBLEM_CHARS_MAX: usize = 500;

/// What of `countersign.toml` a reload changes, as it was loaded last.
#[derive(Debug)]
struct LoadedSettings {
    credentials: BTreeMap<String, CredentialSpec>,
    issuers: BTreeMap<String, IssuerSpec>,
    limits: Limits,
}

/// Reloads at every signal, for as long as the process runs.
pub(crate) async fn at_every(mut hangup: Signal, (gate, issuers): (Gate, Issuers), running: Config) {
    let mut last = LoadedSettings {
        credentials: running.credentials.clone(),
        issuers: running.issuers.clone(),
        limits: running.limits,
    };
    while hangup.recv().await.is_some() {
        reload((&gate, &issuers), &running, &mut last).await;
    }
    // The signal's stream has ended; the gate goes on without reloads.
    std::future::pending::<()>().await;
}

async fn reload((gate, issuers): (&Gate, &Issuers), running: &Config, last: &mut LoadedSettings) {
    let (ruleset, credentials, settings) = match prepare(running).await {
        Ok(loaded) => loaded,
        Err(problems) => return refuse(gate, &problems).await,
    };
    let changes = changes(&gate.ruleset(), &ruleset, last, &settings);
    match gate.reload(ruleset, credentials).await {
        Ok(()) => {
            gate.set_limits(settings.limits);
            issuers.set(settings.issuers.values().cloned().collect());
            *last = settings;
            tracing::info!("the gate directory was loaded again: {changes}");
        }
        Err(stop) => {
            let message = format!("the reload could not be recorded: {}", chain_text(&stop));
            let remedy = "Send SIGHUP again when the database answers.";
            refuse(gate, &[Problem::error(FILE, 0, message, remedy)]).await;
        }
    }
}

/// What a reload changes, in words.
fn changes(before: &Ruleset, after: &Ruleset, last: &LoadedSettings, now: &LoadedSettings) -> String {
    let mut kinds = after.changes_since(before);
    kinds.push(("credentials", NameChanges::between(&last.credentials, &now.credentials)));
    kinds.push(("issuers", NameChanges::between(&last.issuers, &now.issuers)));
    kinds.retain(|(_, changes)| !changes.is_empty());
    let mut words: Vec<String> = kinds.iter().map(|(kind, changes)| format!("{kind} {changes}")).collect();
    if last.limits != now.limits {
        words.push("`[limits]` changed".to_owned());
    }
    if !words.is_empty() {
        return words.join(" | ");
    }
    if before.digest() == after.digest() {
        "nothing changed".to_owned()
    } else {
        "the text of its files changed, and nothing that they name".to_owned()
    }
}

/// Everything that a start checks, and what only a restart could change.
async fn prepare(running: &Config) -> Result<(Ruleset, Credentials, LoadedSettings), Vec<Problem>> {
    let (config, ruleset, warnings) = config::load(&running.dir)?;
    warnings.iter().for_each(|w| tracing::warn!("{w}"));
    let mut problems = needs_restart(running, &config);
    let settings =
        LoadedSettings { credentials: config.credentials, issuers: config.issuers, limits: config.limits };
    let credentials = Credentials::new(settings.credentials.clone(), running.networks.clone());
    problems.extend(config::unusable(&running.dir, &credentials).await);
    if problems.is_empty() { Ok((ruleset, credentials, settings)) } else { Err(problems) }
}

/// Settings that are fixed while the process runs and have changed in the file.
fn needs_restart(running: &Config, now: &Config) -> Vec<Problem> {
    let fixed = [
        ("[gate] origin", running.origin != now.origin),
        ("[listen] agents", running.agents != now.agents),
        ("[listen] people", running.people != now.people),
        ("[listen] people_url", running.people_url != now.people_url),
        ("[listen] hosts", running.hosts != now.hosts),
        ("[metrics] listen", running.metrics != now.metrics),
        ("[store] url", running.store_url != now.store_url),
        ("[store] key_file", running.record_key_file != now.record_key_file),
        ("[store] old_key_files", running.old_record_key_files != now.old_record_key_files),
        ("[log] key_file", running.key_file != now.key_file),
        ("[network] allow", running.networks.allow != now.networks.allow),
    ];
    let changed = fixed.into_iter().filter(|(_, changed)| *changed);
    changed
        .map(|(setting, _)| {
            let message = format!("`{setting}` changed, and only a restart can change it");
            Problem::error(FILE, 0, message, "Restart the gate, or put the former value back.")
        })
        .collect()
}

/// Says why, to the operator and in the log. The rules and credentials in force stay.
async fn refuse(gate: &Gate, problems: &[Problem]) {
    // Nothing is broken: the gate goes on as before.
    problems.iter().for_each(|problem| tracing::warn!("{problem}"));
    tracing::warn!("the reload was refused: the gate directory has mistakes; the one in force stays");
    // What stopped it comes first.
    let mut problems: Vec<&Problem> = problems.iter().collect();
    problems.sort_by_key(|p| p.severity);
    let texts: Vec<String> = problems
        .iter()
        .take(PROBLEMS_MAX)
        .map(|p| p.to_string().chars().take(PROBLEM_CHARS_MAX).collect())
        .collect();
    let not_listed = problems.len().saturating_sub(PROBLEMS_MAX);
    let data = data::ReloadRefused {
        rule_set: gate.ruleset().digest(),
        problems: texts,
        not_listed: u64::try_from(not_listed).unwrap_or(u64::MAX),
    };
    let entry = Entry::new(gate.world().now(), Actor::Gate, data);
    if let Err(stop) = gate.note(entry).await {
        tracing::error!(error = %chain_text(&stop), "the refused reload was not recorded");
    }
}
