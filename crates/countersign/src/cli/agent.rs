//! `propose`, as an agent would over HTTP.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use countersign_core::proposal::StateName;
use serde_json::Value;

use crate::shell::{Client, DONE, Output, UNKNOWN, WAITING};
use crate::wire::{AgentProposal, ProblemBody, ProposeBody};

/// Arguments of `propose`.
#[derive(Debug, Args)]
pub(super) struct Propose {
    /// The action, such as `acme.refund.create`.
    action: String,
    /// The input as JSON.
    #[arg(long, default_value = "{}")]
    input: String,
    /// The person the agent acts for.
    #[arg(long, value_name = "PERSON")]
    on_behalf_of: Option<String>,
    /// The agent's own words; people see them apart from the card.
    #[arg(long)]
    reason: Option<String>,
    /// Decide and preview only.
    #[arg(long)]
    dry_run: bool,
    /// Seconds to wait for a result.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=60))]
    wait: u64,
    /// Makes the request safe to repeat.
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    /// The agents' listener.
    #[arg(long, env = "COUNTERSIGN_URL", hide_env_values = true, default_value = "http://127.0.0.1:4180")]
    gate: String,
    /// A file with the agent's key; the key itself is never an argument.
    #[arg(long, env = "COUNTERSIGN_KEY_FILE", hide_env_values = true, value_name = "FILE")]
    key_file: PathBuf,
    /// Print the gate's answer as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn propose(args: &Propose, output: &mut Output) -> anyhow::Result<u8> {
    let key = std::fs::read_to_string(&args.key_file)
        .with_context(|| format!("failed to read the key file {}", args.key_file.display()))?;
    let client = Client::new(&args.gate, key.trim())?;
    // The gate's strict reader judges the input; here it only has to be JSON.
    let input: Value = serde_json::from_str(&args.input).context("`--input` is not JSON")?;
    let body = ProposeBody {
        action: args.action.clone(),
        input,
        on_behalf_of: args.on_behalf_of.clone(),
        reason: args.reason.clone(),
        run: None,
        evidence: Vec::new(),
        dry_run: args.dry_run,
    };
    let path = format!("/v1/proposals?wait={}", args.wait);
    let answer = match &args.idempotency_key {
        Some(key) => client.post_once(&path, &body, key).await?,
        None => client.post(&path, &body).await?,
    };
    if args.json {
        output.lines(&answer.json()?);
    }
    if answer.status >= 400 {
        if !args.json {
            output.line(&answer.problem());
        }
        let unknown = answer.read::<ProblemBody>().is_ok_and(|p| p.code == StateName::Unknown.as_str());
        return Ok(if unknown { UNKNOWN } else { answer.exit_code() });
    }
    let proposal: AgentProposal = answer.read()?;
    if !args.json {
        describe(&proposal, output);
    }
    let done = proposal.state == StateName::Succeeded || proposal.dry_run == Some(true);
    Ok(if done { DONE } else { WAITING })
}

fn describe(proposal: &AgentProposal, output: &mut Output) {
    let name = proposal.id.map_or_else(|| "dry run".to_owned(), |id| id.to_string());
    output.line(&format!("{name}  {}", proposal.state.as_str()));
    output.line(&proposal.message);
    for effect in &proposal.effects {
        output.line(&format!("  effect: {effect}"));
    }
    for because in proposal.needs.iter().flatten().flat_map(|need| &need.because) {
        output.line(&format!("  because: {} ({})", because.reason, because.policy));
    }
    if let Some(result) = &proposal.result {
        output.line(&format!("  result: {result}"));
    }
}
