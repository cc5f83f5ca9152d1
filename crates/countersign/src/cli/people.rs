//! What a person does from a shell: see what waits, look at the card, decide.

use anyhow::{Context as _, bail};
use clap::Args;
use countersign_core::proposal::StateName;

use super::card::card;
use super::find::{FindArgs, states};
use super::ids;
use crate::shell::{Client, DONE, Output, REFUSED, Reply, Tone, verdict};
use crate::surface::{IRREVERSIBLE, label};
use crate::wire::{ConfirmBody, PersonPage, PersonProposal, PersonSummary};

/// Columns of a terminal in which a row of a list fits.
const COLUMNS_WIDE: usize = 100;

/// Arguments of `list`.
#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// Only these states, separated by commas; `all` for every state.
    #[arg(long, default_value = PENDING, value_parser = states)]
    state: String,
    #[command(flatten)]
    find: FindArgs,
    /// Only of this system's actions.
    #[arg(long)]
    system: Option<String>,
    /// Only in this environment.
    #[arg(long)]
    environment: Option<String>,
    /// How many at the most.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=200))]
    limit: u32,
    /// Go on where the page before ended: what it printed after `--next`.
    #[arg(long, value_name = "CURSOR")]
    next: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// What `list` shows when nothing else is asked for: what waits for people.
const PENDING: &str = "pending";

/// Arguments of `show`.
#[derive(Debug, Args)]
pub(super) struct Show {
    /// The proposal, or enough of the beginning of its id.
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
    /// The proposal, or enough of the beginning of its id.
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
    /// Print JSON, and ask nothing.
    #[arg(long, requires = "intent")]
    json: bool,
}

/// Arguments of `reject`.
#[derive(Debug, Args)]
pub(super) struct Reject {
    /// The proposal, or enough of the beginning of its id.
    id: String,
    /// Why, for the agent to read.
    #[arg(long)]
    reason: String,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Arguments of `confirm`.
#[derive(Debug, Args)]
pub(super) struct Confirm {
    /// The proposal, or enough of the beginning of its id.
    id: String,
    /// The intent digest that `show` printed. Without it, the card is shown and you are asked.
    #[arg(long, value_name = "SHA256")]
    intent: Option<String>,
    /// Print JSON, and ask nothing.
    #[arg(long, requires = "intent")]
    json: bool,
}

/// Arguments of `cancel`.
#[derive(Debug, Args)]
pub(super) struct Cancel {
    /// The proposal, or enough of the beginning of its id.
    id: String,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn list(args: &ListArgs, output: &mut Output) -> anyhow::Result<u8> {
    let mut asked = args.find.asked();
    asked.add("system", args.system.clone());
    asked.add("environment", args.environment.clone());
    let limit = args.limit.to_string();
    // What waits for people comes as in the inbox: by deadline, and with something of every agent.
    let waiting = args.state == PENDING;
    let mut more = if waiting { vec![("order", "due")] } else { vec![("limit", limit.as_str())] };
    more.extend(args.next.as_deref().map(|next| (if waiting { "from" } else { "before" }, next)));
    if !waiting {
        asked.add("state", Some(args.state.clone()).filter(|state| state != "all"));
    }
    let answer = Client::signed_in()?.get(&asked.path("/v1/proposals", &more)).await?;
    let page: PersonPage = answer.good()?;
    if args.json {
        output.json(&answer.json()?)?;
        return Ok(DONE);
    }
    let most = usize::try_from(args.limit).unwrap_or(usize::MAX);
    if page.proposals.is_empty() && !page.stopped {
        output.line(&asked.nothing());
    }
    rows(page.proposals.iter().take(most), output);
    let left = page.proposals.len().saturating_sub(most);
    match page.next {
        _ if left > 0 => output.line(&format!("{left} more; see them with a larger --limit")),
        Some(next) if page.stopped => output.line(&stopped(page.searched_to.as_deref(), &next)),
        Some(next) => output.line(&format!("there is more: --next {next}")),
        None => {}
    }
    Ok(DONE)
}

/// What is said of a search that stopped at its bound.
fn stopped(to: Option<&str>, next: &str) -> String {
    match to {
        Some(to) => format!("searched back to {to}; go on with --next {next}"),
        None => format!("the search stopped before its end; go on with --next {next}"),
    }
}

/// Two lines for each proposal under a header, or a few more where they would not fit.
fn rows<'a>(proposals: impl Iterator<Item = &'a PersonSummary>, output: &mut Output) {
    let narrow = output.columns().is_some_and(|columns| columns < COLUMNS_WIDE);
    let mut header = !narrow;
    for item in proposals {
        let yours = if item.yours { "yours" } else { "" };
        let money = item.risk.money().unwrap_or_default();
        let (when, time) = match &item.due {
            Some(due) if item.state == StateName::Pending => ("decide by", due),
            _ => ("proposed", &item.created_at),
        };
        let when = format!("{when} {}", minute(time));
        let mut about = vec![people(item), item.action.clone()];
        about.extend(item.irreversible.then(|| IRREVERSIBLE.to_owned()));
        about.extend(item.why.clone());
        if narrow {
            output.toned(Tone::Strong, &item.headline);
            let facts = [item.state.as_str(), yours, &money].into_iter().filter(|text| !text.is_empty());
            output.line(&format!("  {}", facts.collect::<Vec<_>>().join(", ")));
            output.line(&format!("  {when}"));
            about.iter().for_each(|fact| output.line(&format!("  {fact}")));
            output.line(&format!("  {}", item.id));
            continue;
        }
        if std::mem::take(&mut header) {
            output.row(&[
                ("ID", 30),
                ("STATE", 10),
                ("", 5),
                ("WHEN (UTC)", 26),
                ("AMOUNT", 16),
                ("WHAT", 0),
            ]);
        }
        let cells = [(item.state.as_str(), 10), (yours, 5), (&when, 26), (&money, 16), (&item.headline, 0)];
        output.row(&[&[(item.id.as_str(), 30)], &cells[..]].concat());
        output.row(&[("", 0), (&about.join(" · "), 0)]);
    }
}

/// Who acts, root first.
fn people(item: &PersonSummary) -> String {
    let names: Vec<&str> = item.who.iter().map(|who| who.name.as_str()).collect();
    names.join(" → ")
}

/// `2026-11-27 13:05` of a time in RFC 3339.
fn minute(time: &str) -> String {
    time.chars().take(16).map(|c| if c == 'T' { ' ' } else { c }).collect()
}

pub(super) async fn show(args: &Show, output: &mut Output) -> anyhow::Result<u8> {
    let client = Client::signed_in()?;
    let id = whole_id(&client, &args.id).await?;
    let answer = ask(&client, &id, args.wait).await?;
    let shown: PersonProposal = answer.good()?;
    if args.json {
        output.json(&answer.json()?)?;
    } else {
        card(&shown, output);
    }
    Ok(DONE)
}

pub(super) async fn approve(args: &Approve, output: &mut Output) -> anyhow::Result<u8> {
    let client = Client::signed_in()?;
    let id = whole_id(&client, &args.id).await?;
    let body = read(&client, &id, 0).await?;
    if !body.yours {
        return Ok(not_yours(&body, output));
    }
    if !shown(&id, args.intent.as_deref(), &body, "Approve this?", output)? {
        output.line("not approved");
        return Ok(REFUSED);
    }
    let answer = client.post(&format!("/v1/proposals/{id}/approve"), &verdict(&body, &args.comment)?).await?;
    if answer.status >= 400 {
        return refused(&answer, args.json, output);
    }
    let answer = ask(&client, &id, args.wait).await?;
    said(&answer, args.json, "approved", output)
}

pub(super) async fn reject(args: &Reject, output: &mut Output) -> anyhow::Result<u8> {
    let client = Client::signed_in()?;
    let id = whole_id(&client, &args.id).await?;
    let body = read(&client, &id, 0).await?;
    if !body.yours {
        return Ok(not_yours(&body, output));
    }
    let answer = client.post(&format!("/v1/proposals/{id}/reject"), &verdict(&body, &args.reason)?).await?;
    ended(&answer, args.json, "rejected", output)
}

pub(super) async fn confirm(args: &Confirm, output: &mut Output) -> anyhow::Result<u8> {
    let client = Client::signed_in()?;
    let id = whole_id(&client, &args.id).await?;
    let body = read(&client, &id, 0).await?;
    if !shown(&id, args.intent.as_deref(), &body, "Is this for you?", output)? {
        output.line("not confirmed");
        return Ok(REFUSED);
    }
    let sent = ConfirmBody { intent: body.card.intent };
    let answer = client.post(&format!("/v1/proposals/{id}/confirm"), &sent).await?;
    if answer.status >= 400 {
        return refused(&answer, args.json, output);
    }
    let answer = ask(&client, &id, 0).await?;
    said(&answer, args.json, "confirmed", output)
}

pub(super) async fn cancel(args: &Cancel, output: &mut Output) -> anyhow::Result<u8> {
    let client = Client::signed_in()?;
    let id = whole_id(&client, &args.id).await?;
    let answer = client.post_nothing(&format!("/v1/proposals/{id}/cancel")).await?;
    ended(&answer, args.json, "cancelled", output)
}

/// What became of a proposal, after somebody had their say.
fn said(answer: &Reply, json: bool, what: &str, output: &mut Output) -> anyhow::Result<u8> {
    let after: PersonProposal = answer.good()?;
    if json {
        output.json(&answer.json()?)?;
    } else {
        output.line(&format!("{what}; the proposal is {}", after.state.name().as_str()));
        output.line(&after.message);
    }
    Ok(DONE)
}

/// The answer to what ends a proposal.
fn ended(answer: &Reply, json: bool, what: &str, output: &mut Output) -> anyhow::Result<u8> {
    if answer.status >= 400 {
        return refused(answer, json, output);
    }
    if json {
        output.json(&answer.json()?)?;
    } else {
        output.line(what);
    }
    Ok(DONE)
}

fn refused(answer: &Reply, json: bool, output: &mut Output) -> anyhow::Result<u8> {
    if json {
        output.json(&answer.json()?)?;
    } else {
        output.line(&answer.problem());
    }
    Ok(answer.exit_code())
}

/// Says why a proposal is not this person's to decide, before they read it and type yes.
fn not_yours(body: &PersonProposal, output: &mut Output) -> u8 {
    output.line(&format!("{}: {}", body.card.id, label(body.state.name())));
    output.line("This is not yours to decide:");
    for reason in &body.why_not {
        output.line(&format!("  {reason}"));
    }
    REFUSED
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

/// The id that begins so, if it is the only one that this person may see.
async fn whole_id(client: &Client, beginning: &str) -> anyhow::Result<String> {
    if ids::is_whole(beginning) {
        return Ok(beginning.to_owned());
    }
    let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("text", beginning).finish();
    let page: PersonPage = client.get(&format!("/v1/proposals?limit=200&{query}")).await?.good()?;
    ids::only(beginning, page.proposals.iter().map(|item| item.id.as_str()))
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
