//! What a person does from a shell: see what waits, look at the card, decide.

use anyhow::{Context as _, bail};
use clap::Args;
use countersign_core::action::Call;
use serde_json::Value;

use crate::shell::{Client, DONE, Output, REFUSED, Reply, verdict};
use crate::wire::{ConfirmBody, PersonPage, PersonProposal};

/// Arguments of `list`.
#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// Only these states, separated by commas; `all` for every state.
    #[arg(long, default_value = "pending")]
    state: String,
    /// How many at the most.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=200))]
    limit: u32,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Arguments of `show`.
#[derive(Debug, Args)]
pub(super) struct Show {
    /// The proposal.
    id: String,
    /// Seconds to wait until it is settled.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=60))]
    wait: u64,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Arguments of `approve`.
#[derive(Debug, Args)]
pub(super) struct Approve {
    /// The proposal.
    id: String,
    /// The intent digest that `show` printed. Without it, the card is shown and you are asked.
    #[arg(long, value_name = "SHA256")]
    intent: Option<String>,
    /// A comment for the record.
    #[arg(long, default_value = "")]
    comment: String,
    /// Seconds to wait for the result.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(..=60))]
    wait: u64,
}

/// Arguments of `reject`.
#[derive(Debug, Args)]
pub(super) struct Reject {
    /// The proposal.
    id: String,
    /// Why, for the agent to read.
    #[arg(long)]
    reason: String,
}

/// Arguments of `confirm`.
#[derive(Debug, Args)]
pub(super) struct Confirm {
    /// The proposal.
    id: String,
    /// The intent digest that `show` printed. Without it, the card is shown and you are asked.
    #[arg(long, value_name = "SHA256")]
    intent: Option<String>,
}

/// Arguments of `cancel`.
#[derive(Debug, Args)]
pub(super) struct Cancel {
    /// The proposal.
    id: String,
}

pub(super) async fn list(args: &ListArgs, output: &mut Output) -> anyhow::Result<u8> {
    // What waits for people comes as in the inbox: by deadline, and with something of every agent.
    let path = match args.state.as_str() {
        "pending" => "/v1/proposals?order=due".to_owned(),
        "all" => format!("/v1/proposals?limit={}", args.limit),
        states => format!("/v1/proposals?limit={}&state={states}", args.limit),
    };
    let answer = Client::signed_in()?.get(&path).await?;
    let page: PersonPage = answer.good()?;
    if args.json {
        output.lines(&answer.json()?);
        return Ok(DONE);
    }
    let most = usize::try_from(args.limit).unwrap_or(usize::MAX);
    if page.proposals.is_empty() {
        output.line("nothing here");
    }
    for item in page.proposals.iter().take(most) {
        let yours = if item.yours { "yours" } else { "" };
        output.row(&[(&item.id, 30), (item.state.as_str(), 10), (yours, 5), (&item.headline, 0)]);
    }
    Ok(DONE)
}

pub(super) async fn show(args: &Show, output: &mut Output) -> anyhow::Result<u8> {
    let answer = ask(&Client::signed_in()?, &args.id, args.wait).await?;
    let shown: PersonProposal = answer.good()?;
    if args.json {
        output.lines(&answer.json()?);
    } else {
        card(&shown, output);
    }
    Ok(DONE)
}

pub(super) async fn approve(args: &Approve, output: &mut Output) -> anyhow::Result<u8> {
    let client = Client::signed_in()?;
    let body = read(&client, &args.id, 0).await?;
    if !shown(&args.id, args.intent.as_deref(), &body, "Approve this?", output)? {
        output.line("not approved");
        return Ok(REFUSED);
    }
    let answer =
        client.post(&format!("/v1/proposals/{}/approve", args.id), &verdict(&body, &args.comment)?).await?;
    if answer.status >= 400 {
        output.line(&answer.problem());
        return Ok(answer.exit_code());
    }
    let after = read(&client, &args.id, args.wait).await?;
    output.line(&format!("approved; the proposal is {}", after.state.name().as_str()));
    output.line(&after.message);
    Ok(DONE)
}

pub(super) async fn reject(args: &Reject, output: &mut Output) -> anyhow::Result<u8> {
    let client = Client::signed_in()?;
    let body = read(&client, &args.id, 0).await?;
    let answer =
        client.post(&format!("/v1/proposals/{}/reject", args.id), &verdict(&body, &args.reason)?).await?;
    if answer.status >= 400 {
        output.line(&answer.problem());
        return Ok(answer.exit_code());
    }
    output.line("rejected");
    Ok(DONE)
}

pub(super) async fn confirm(args: &Confirm, output: &mut Output) -> anyhow::Result<u8> {
    let client = Client::signed_in()?;
    let body = read(&client, &args.id, 0).await?;
    if !shown(&args.id, args.intent.as_deref(), &body, "Is this for you?", output)? {
        output.line("not confirmed");
        return Ok(REFUSED);
    }
    let sent = ConfirmBody { intent: body.card.intent };
    let answer = client.post(&format!("/v1/proposals/{}/confirm", args.id), &sent).await?;
    if answer.status >= 400 {
        output.line(&answer.problem());
        return Ok(answer.exit_code());
    }
    let after = read(&client, &args.id, 0).await?;
    output.line(&format!("confirmed; the proposal is {}", after.state.name().as_str()));
    output.line(&after.message);
    Ok(DONE)
}

/// Whether the person knows what they act on: they name the intent that they have seen, or see the card and
/// say yes.
fn shown(
    id: &str,
    intent: Option<&str>,
    body: &PersonProposal,
    question: &str,
    output: &mut Output,
) -> anyhow::Result<bool> {
    let now = body.card.intent.to_string();
    match intent {
        Some(intent) if intent != now => {
            bail!("the proposal changed: it is now {now}; look at it again with `countersign show {id}`");
        }
        Some(_) => Ok(true),
        None => {
            card(body, output);
            confirmed(question, output)
        }
    }
}

pub(super) async fn cancel(args: &Cancel, output: &mut Output) -> anyhow::Result<u8> {
    let answer = Client::signed_in()?.post_nothing(&format!("/v1/proposals/{}/cancel", args.id)).await?;
    if answer.status >= 400 {
        output.line(&answer.problem());
        return Ok(answer.exit_code());
    }
    output.line("cancelled");
    Ok(DONE)
}

async fn ask(client: &Client, id: &str, wait: u64) -> anyhow::Result<Reply> {
    client.get(&format!("/v1/proposals/{id}?wait={wait}")).await
}

async fn read(client: &Client, id: &str, wait: u64) -> anyhow::Result<PersonProposal> {
    ask(client, id, wait).await?.good()
}

fn confirmed(question: &str, output: &mut Output) -> anyhow::Result<bool> {
    output.raw(&format!("{question} Type yes: "));
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).context("failed to read your answer")?;
    Ok(answer.trim() == "yes")
}

/// The card in the order of the console: the card first, the agent's own words last and marked.
fn card(shown: &PersonProposal, output: &mut Output) {
    let card = &shown.card;
    output.line(&card.headline);
    field(output, "state", shown.state.name().as_str());
    let who: Vec<String> =
        card.who.iter().map(|who| format!("{} ({}, {})", who.name, who.id, who.known)).collect();
    field(output, "who", &who.join(" → "));
    let preview = &card.preview;
    let source = preview.source.as_deref().unwrap_or_default();
    field(output, "preview", &format!("{} {source}", preview.fidelity.name()));
    for change in preview.changes() {
        let before = change.before.unwrap_or(&Value::Null);
        let after = change.after.unwrap_or(&Value::Null);
        output.line(&format!("    {} {}: {before} → {after}", change.op, change.path));
    }
    for effect in &card.effects {
        field(output, "effect", effect);
    }
    field(output, "undo", &card.undo);
    field(output, "owner", shown.owner.as_deref().unwrap_or("nobody: the action is no longer registered"));
    field(output, "guard", &card.guard);
    for gate in &card.gates {
        let policy = &gate.policy;
        field(output, "asks", &format!("{} ({}, {})", policy.reason, policy.id, gate.rules.join(", ")));
    }
    if let Some(first) = &card.asks {
        field(output, "first", first);
    }
    field(output, "call", &card.call.line());
    let Call::Http(call) = &card.call;
    field(output, "body", call.body.as_ref().map_or("", |(_, text)| text));
    field(output, "credential", card.call.credential().unwrap_or_default());
    field(output, "input", &card.input.to_string());
    field(output, "intent", &card.intent.to_string());
    if let Some(words) = &shown.written_by_the_agent.reason {
        output.line("  written by the agent, not verified:");
        words.lines().for_each(|line| output.line(&format!("    {line}")));
    }
    output.line(&format!("  {}", shown.message));
}

/// One part of the card: its name, then what it is.
fn field(output: &mut Output, name: &str, text: &str) {
    output.row(&[("", 0), (name, 10), (text, 0)]);
}
