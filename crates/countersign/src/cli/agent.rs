//! What an agent does from a shell: propose, ask how it stands, wait.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use countersign_core::proposal::StateName;
use countersign_engine::world::World;
use serde_json::Value;

use super::ids;
use crate::shell::{Client, DONE, Output, REFUSED, Reply, UNKNOWN, WAITING};
use crate::wire::{AgentPage, AgentProposal, ProblemBody, ProposeBody};

/// Seconds of one long poll; the gate allows 60.
const POLL_SECONDS: u64 = 50;

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
    #[command(flatten)]
    gate: GateArgs,
}

/// How an agent reaches its gate.
#[derive(Debug, Args)]
pub(super) struct AgentArgs {
    /// The agents' listener.
    #[arg(long, env = "COUNTERSIGN_URL", hide_env_values = true, default_value = "http://127.0.0.1:4180")]
    gate: String,
    /// A file with the agent's key; the key itself is never an argument.
    #[arg(long, env = "COUNTERSIGN_KEY_FILE", hide_env_values = true, value_name = "FILE")]
    key_file: PathBuf,
}

/// The same for commands that print an answer.
#[derive(Debug, Args)]
struct GateArgs {
    #[command(flatten)]
    agent: AgentArgs,
    /// Print the gate's answer as JSON.
    #[arg(long)]
    json: bool,
}

/// Arguments of `status`.
#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    /// The proposal, or enough of the beginning of its id.
    id: String,
    #[command(flatten)]
    gate: GateArgs,
}

/// Arguments of `wait`.
#[derive(Debug, Args)]
pub(super) struct WaitArgs {
    /// The proposal, or enough of the beginning of its id.
    id: String,
    /// Seconds to wait at most; without it, as long as it takes.
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u64>,
    #[command(flatten)]
    gate: GateArgs,
}

impl AgentArgs {
    /// The gate, with the agent's key.
    pub(super) fn client(&self) -> anyhow::Result<Client> {
        let key = std::fs::read_to_string(&self.key_file)
            .with_context(|| format!("failed to read the key file {}", self.key_file.display()))?;
        Client::new(&self.gate, key.trim())
    }
}

pub(super) async fn propose(args: &Propose, output: &mut Output) -> anyhow::Result<u8> {
    let client = args.gate.agent.client()?;
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
    let json = args.gate.json;
    if json {
        output.json(&answer.json()?)?;
    }
    if answer.status >= 400 {
        if !json {
            output.line(&answer.problem());
        }
        let unknown = answer.read::<ProblemBody>().is_ok_and(|p| p.code == StateName::Unknown.as_str());
        return Ok(if unknown { UNKNOWN } else { answer.exit_code() });
    }
    let proposal: AgentProposal = answer.read()?;
    if !json {
        describe(&proposal, output);
    }
    Ok(if proposal.dry_run == Some(true) { DONE } else { exit_code(proposal.state) })
}

pub(super) async fn status(args: &StatusArgs, output: &mut Output) -> anyhow::Result<u8> {
    let client = args.gate.agent.client()?;
    let id = whole_id(&client, &args.id).await?;
    let answer = client.get(&format!("/v1/proposals/{id}")).await?;
    let proposal: AgentProposal = answer.good()?;
    print(&args.gate, &answer, &proposal, output)
}

pub(super) async fn wait(args: &WaitArgs, output: &mut Output) -> anyhow::Result<u8> {
    let client = args.gate.agent.client()?;
    let id = whole_id(&client, &args.id).await?;
    let world = World::system();
    let began = world.ticks();
    loop {
        let left =
            args.timeout.map(|most| most.saturating_sub(world.ticks().saturating_sub(began).as_secs()));
        let wait = left.map_or(POLL_SECONDS, |left| left.min(POLL_SECONDS));
        let answer = client.get(&format!("/v1/proposals/{id}?wait={wait}")).await?;
        let proposal: AgentProposal = answer.good()?;
        if proposal.state.is_settled() || left == Some(0) {
            return print(&args.gate, &answer, &proposal, output);
        }
    }
}

/// The id that begins so, if it is the only one among the newest of this agent.
async fn whole_id(client: &Client, beginning: &str) -> anyhow::Result<String> {
    if ids::is_whole(beginning) {
        return Ok(beginning.to_owned());
    }
    let page: AgentPage = client.get("/v1/proposals?limit=200").await?.good()?;
    let ids: Vec<String> = page.proposals.iter().map(|item| item.id.to_string()).collect();
    ids::only(beginning, ids.iter().map(String::as_str))
}

fn print(
    gate: &GateArgs,
    answer: &Reply,
    proposal: &AgentProposal,
    output: &mut Output,
) -> anyhow::Result<u8> {
    if gate.json {
        output.json(&answer.json()?)?;
    } else {
        describe(proposal, output);
    }
    Ok(exit_code(proposal.state))
}

/// The exit code of a proposal in this state.
const fn exit_code(state: StateName) -> u8 {
    match state {
        StateName::Succeeded => DONE,
        StateName::Pending | StateName::Ready | StateName::Dispatched => WAITING,
        StateName::Unknown => UNKNOWN,
        StateName::Denied
        | StateName::Failed
        | StateName::Rejected
        | StateName::Expired
        | StateName::Cancelled
        | StateName::Superseded
        | StateName::Refused => REFUSED,
    }
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
    if let Some(due) =
        proposal.decide_by.as_ref().or(proposal.use_by.as_ref()).filter(|_| proposal.id.is_some())
    {
        output.line(&format!("  due: {due}"));
    }
    let unmet: Vec<_> = proposal.needs.iter().flatten().filter(|need| need.have < need.want).collect();
    for need in &unmet {
        let rule = if unmet.len() > 1 { format!(" under {}", need.rule) } else { String::new() };
        output.line(&format!("  who can decide{rule}: {}", need.people));
    }
    // Where nothing waits for people, nobody has to open it.
    if let Some(url) = proposal.console_url.as_ref().filter(|_| proposal.needs.is_some()) {
        output.line(&format!("  where: {url}"));
    }
    if let Some(result) = &proposal.result {
        output.line(&format!("  result: {result}"));
    }
}
