//! What a person does from a shell: see what waits, look at the card, decide.

use anyhow::{Context as _, bail};
use clap::Args;
use serde_json::{Value, json};

use super::{Client, DONE, Output, REFUSED};
use crate::wire::at;

/// Arguments of `list`.
#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// Only these states, separated by commas; `all` for every state.
    #[arg(long, default_value = "pending")]
    state: String,
    /// How many at the most.
    #[arg(long, default_value_t = 50)]
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
    #[arg(long, default_value_t = 0)]
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
    #[arg(long, default_value_t = 30)]
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
    let body = Client::signed_in()?.get(&path).await?.good()?;
    if args.json {
        output.lines(&serde_json::to_string_pretty(&body)?);
        return Ok(DONE);
    }
    let mut items = at(&body, "/proposals").as_array().cloned().unwrap_or_default();
    items.truncate(usize::try_from(args.limit).unwrap_or(usize::MAX));
    if items.is_empty() {
        output.line("nothing here");
    }
    for item in items {
        let yours = if *at(&item, "/yours") == json!(true) { "yours" } else { "" };
        let (id, state, headline) =
            (text(at(&item, "/id")), text(at(&item, "/state")), text(at(&item, "/headline")));
        output.row(&[(&id, 30), (&state, 10), (yours, 5), (&headline, 0)]);
    }
    Ok(DONE)
}

pub(super) async fn show(args: &Show, output: &mut Output) -> anyhow::Result<u8> {
    let body = read(&Client::signed_in()?, &args.id, args.wait).await?;
    if args.json {
        output.lines(&serde_json::to_string_pretty(&body)?);
    } else {
        card(&body, output);
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
        client.post(&format!("/v1/proposals/{}/approve", args.id), &verdict(&body, &args.comment)).await?;
    if answer.status >= 400 {
        output.line(&answer.problem());
        return Ok(answer.exit_code());
    }
    let after = read(&client, &args.id, args.wait).await?;
    output.line(&format!("approved; the proposal is {}", text(at(&after, "/state/state"))));
    output.line(&text(at(&after, "/message")));
    Ok(DONE)
}

pub(super) async fn reject(args: &Reject, output: &mut Output) -> anyhow::Result<u8> {
    let client = Client::signed_in()?;
    let body = read(&client, &args.id, 0).await?;
    let answer =
        client.post(&format!("/v1/proposals/{}/reject", args.id), &verdict(&body, &args.reason)).await?;
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
    let sent = json!({ "intent": at(&body, "/card/intent") });
    let answer = client.post(&format!("/v1/proposals/{}/confirm", args.id), &sent).await?;
    if answer.status >= 400 {
        output.line(&answer.problem());
        return Ok(answer.exit_code());
    }
    let after = read(&client, &args.id, 0).await?;
    output.line(&format!("confirmed; the proposal is {}", text(at(&after, "/state/state"))));
    output.line(&text(at(&after, "/message")));
    Ok(DONE)
}

/// Whether the person knows what they act on: they name the intent that they have seen, or see the card and
/// say yes.
fn shown(
    id: &str,
    intent: Option<&str>,
    body: &Value,
    question: &str,
    output: &mut Output,
) -> anyhow::Result<bool> {
    let now = text(at(body, "/card/intent"));
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
    let answer = Client::signed_in()?.post(&format!("/v1/proposals/{}/cancel", args.id), &json!({})).await?;
    if answer.status >= 400 {
        output.line(&answer.problem());
        return Ok(answer.exit_code());
    }
    output.line("cancelled");
    Ok(DONE)
}

async fn read(client: &Client, id: &str, wait: u64) -> anyhow::Result<Value> {
    client.get(&format!("/v1/proposals/{id}?wait={wait}")).await?.good()
}

/// The digests of what was read: the gate compares them with what is bound.
pub(crate) fn verdict(body: &Value, comment: &str) -> Value {
    json!({
        "intent": at(body, "/card/intent"),
        "decision": at(body, "/card/decision"),
        "view": at(body, "/view"),
        "comment": comment,
    })
}

fn confirmed(question: &str, output: &mut Output) -> anyhow::Result<bool> {
    output.raw(&format!("{question} Type yes: "));
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).context("failed to read your answer")?;
    Ok(answer.trim() == "yes")
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The card in the order of the console: the card first, the agent's own words last and marked.
fn card(body: &Value, output: &mut Output) {
    let card = at(body, "/card");
    output.line(&text(at(card, "/headline")));
    field(output, "state", &text(at(body, "/state/state")));
    let who: Vec<String> = items(at(card, "/who"))
        .map(|w| format!("{} ({}, {})", text(at(w, "/name")), text(at(w, "/id")), text(at(w, "/known"))))
        .collect();
    field(output, "who", &who.join(" → "));
    let preview = at(card, "/preview");
    field(output, "preview", &format!("{} {}", text(at(preview, "/fidelity")), text(at(preview, "/source"))));
    for change in items(at(preview, "/patch")) {
        let before = at(preview, "/before").pointer(&text(at(change, "/path"))).cloned().unwrap_or_default();
        output.line(&format!(
            "    {} {}: {before} → {}",
            text(at(change, "/op")),
            text(at(change, "/path")),
            at(change, "/value")
        ));
    }
    for effect in items(at(card, "/effects")) {
        field(output, "effect", &text(effect));
    }
    field(output, "undo", &text(at(card, "/undo")));
    field(output, "guard", &text(at(card, "/guard")));
    for gate in items(at(card, "/gates")) {
        let rules: Vec<String> = items(at(gate, "/rules")).map(text).collect();
        field(
            output,
            "asks",
            &format!(
                "{} ({}, {})",
                text(at(gate, "/policy/reason")),
                text(at(gate, "/policy/id")),
                rules.join(", ")
            ),
        );
    }
    let first = text(at(card, "/asks"));
    if !first.is_empty() {
        field(output, "first", &first);
    }
    field(output, "call", &format!("{} {}", text(at(card, "/call/method")), text(at(card, "/call/url"))));
    field(output, "body", &text(at(card, "/call/body/1")));
    field(output, "credential", &text(at(card, "/call/credential")));
    field(output, "input", &at(card, "/input").to_string());
    field(output, "intent", &text(at(card, "/intent")));
    let words = text(at(body, "/written_by_the_agent/reason"));
    if !words.is_empty() {
        output.line("  written by the agent, not verified:");
        words.lines().for_each(|line| output.line(&format!("    {line}")));
    }
    output.line(&format!("  {}", text(at(body, "/message"))));
}

/// One fact of the card: its name, then what it is.
fn field(output: &mut Output, name: &str, text: &str) {
    output.row(&[("", 0), (name, 10), (text, 0)]);
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}
