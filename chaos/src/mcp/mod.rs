//! MCP clients: they call tools, break their own streams, and send the same call again under a new request id, as
//! clients do that cannot know what became of the first one. Most have no idempotency key; the gate knows the call by
//! its chain, tool and arguments.

mod answer;
mod client;

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::Result;
use crate::arena::{Arena, Phase};
use crate::ledger::{self, text};
use crate::random::Random;

use client::{Call, Question, Said, Stream};

/// How often a client sends one call in a row.
const TRIES: u32 = 12;
/// The time in which a call is sent again, by the gate's clock. The gate promises 10 minutes from the end of a proposal,
/// which never comes before the first sending. The rest is for clock steps, of 90 s at most, that come while a request
/// is on its way.
const AGAIN_WITHIN_MS: u64 = 5 * 60_000;
/// The same after the load, when the clock is left alone.
const AGAIN_AT_THE_END_WITHIN_MS: u64 = 9 * 60_000;
/// Calls that are kept for later.
const KEPT_MAX: usize = 60;

/// The prices that need nobody, one of finance, and two of finance.
const PRICES: [(u64, u64); 3] = [(30, 5_000), (45, 20_000), (25, 200_000)];

/// One that is open, and how its client follows it.
#[derive(Debug)]
struct Open {
    call: Call,
    id: String,
}

fn new_call(arena: &Arena, random: &mut Random, tasks: bool) -> Call {
    // Nothing but the sending of the same call again has this marker.
    let marker = format!("m_{}", arena.number());
    let mut arguments = json!({ "id": format!("i_{}", random.below(500)), "marker": marker });
    let kinds = [(50, "shop_note_add"), (45, "shop_price_set"), (3, "shop_item_delete"), (2, "shop_no_such")];
    let tool = random.weighted(&kinds).unwrap_or("shop_note_add");
    if let ("shop_price_set", Some(map)) = (tool, arguments.as_object_mut()) {
        let price = random.weighted(&PRICES).unwrap_or(5_000).saturating_add(random.below(1_000));
        map.insert("price".to_owned(), price.into());
    }
    let agent = if random.percent(50) { "bot" } else { "other" };
    let key = random.percent(20).then(|| format!("k-{marker}"));
    let first = arena.gate_millis();
    Call { agent: agent.to_owned(), tool: tool.to_owned(), arguments, key, tasks, first }
}

/// Whether the gate still promises to know a call by what it is. A key of its own is kept for longer.
fn may_send_again(arena: &Arena, call: &Call, within_ms: u64) -> bool {
    call.key.is_some() || arena.gate_millis().saturating_sub(call.first) < within_ms
}

/// Where the stream breaks: in the middle of the gate's work, while the upstream works, or in the answer.
fn new_stream(random: &mut Random) -> Stream {
    match random.below(100) {
        0..=17 => Stream::BrokenAfter(Duration::from_millis(random.between(1, 25))),
        18..=27 => Stream::BrokenAfter(Duration::from_millis(random.between(25, 300))),
        28..=31 => Stream::BrokenAfter(Duration::from_millis(random.between(300, 2_500))),
        32..=45 => Stream::BrokenInAnswer,
        _ => Stream::Whole,
    }
}

/// Sends a call until its answer says that there is nothing left to do. Gives the id of what is still open.
async fn pursue(arena: &Arena, call: &Call, random: &mut Random) -> Result<Option<String>> {
    let mut tries = 0;
    while tries < TRIES && arena.phase() == Phase::Load {
        if !may_send_again(arena, call, AGAIN_WITHIN_MS) {
            return Ok(None);
        }
        let said = client::call(arena, call, new_stream(random)).await?;
        let again = match said {
            Said::Unsent => {
                arena.pause(Phase::Load, Duration::from_millis(random.between(100, 500))).await;
                continue;
            }
            // The stream broke, and a client sends the same call again.
            Said::Lost => true,
            Said::Heard(heard) if heard.code == "in_doubt" => true,
            // It goes on, as a task or as a proposal that is asked for.
            Said::Heard(heard) if heard.task || crate::agents::is_open(&heard.state) => {
                return Ok(Some(heard.id));
            }
            // It is done: now and then the answer does not come to whoever asked.
            Said::Heard(heard) if heard.state == "succeeded" => random.percent(20),
            // It was not done, and may be called again: this is another proposal.
            Said::Heard(heard) if heard.state == "failed" => random.percent(50),
            Said::Heard(heard) => heard.state.is_empty() && is_passing(&heard.code),
        };
        if !again {
            return Ok(None);
        }
        tries = tries.saturating_add(1);
        let wait = if random.percent(40) { random.between(0, 30) } else { random.between(100, 700) };
        arena.pause(Phase::Load, Duration::from_millis(wait)).await;
    }
    Ok(None)
}

/// Refusals that the gate asks to wait for, and what broke inside it.
fn is_passing(code: &str) -> bool {
    matches!(
        code,
        "busy"
            | "unavailable"
            | "limit_reached"
            | "too_many_pending"
            | "preview_failed"
            | "idempotency_key_in_progress"
            | "internal"
            | ""
    ) || code.starts_with('-')
}

/// One client, until the load is over.
pub(crate) async fn work(arena: Arc<Arena>, worker: u64, tasks: bool) -> Result<()> {
    let mut random = Random::new(arena.seed, &format!("mcp client {worker}"));
    let mut open: Vec<Open> = Vec::new();
    let mut sent: Vec<Call> = Vec::new();
    while arena.phase() == Phase::Load {
        let call = new_call(&arena, &mut random, tasks);
        let found = pursue(&arena, &call, &mut random).await?;
        open.extend(found.map(|id| Open { call: call.clone(), id }));
        sent.push(call);
        follow(&arena, &mut open, &mut random).await?;
        // A call is sent again long after its answer, open or settled, as after a restart of the client.
        sent.retain(|call| may_send_again(&arena, call, AGAIN_WITHIN_MS));
        if random.percent(60) {
            let at = usize::try_from(random.below(u64::try_from(sent.len()).unwrap_or(0))).unwrap_or(0);
            if let Some(old) = sent.get(at).cloned() {
                let found = pursue(&arena, &old, &mut random).await?;
                // Another proposal than before, where that one was certainly not done.
                let new = |id: &String| !open.iter().any(|open| open.id == *id);
                open.extend(found.filter(new).map(|id| Open { call: old, id }));
            }
        }
        if sent.len() > KEPT_MAX {
            sent.remove(0);
        }
        arena.pause(Phase::Load, Duration::from_millis(random.between(20, 350))).await;
    }
    Ok(())
}

/// Asks for the two oldest that are open, withdraws a few, and sends some of the calls again.
async fn follow(arena: &Arena, open: &mut Vec<Open>, random: &mut Random) -> Result<()> {
    for _ in 0..open.len().min(2) {
        let next = open.remove(0);
        let question = match (next.call.tasks, random.below(100)) {
            (true, 0..=4) => Question::CancelTask,
            (true, _) => Question::GetTask,
            (false, 0..=3) => Question::Cancel,
            (false, 4..=24) => Question::Status(random.between(1, 2)),
            (false, _) => Question::Status(0),
        };
        let said = client::ask(arena, &next.call.agent, &next.id, question).await?;
        let settled = |state: &str| !state.is_empty() && !crate::agents::is_open(state);
        match said {
            Said::Heard(heard) if settled(&heard.state) || heard.code == "proposal_not_found" => {}
            Said::Heard(_) | Said::Lost | Said::Unsent => {
                if random.percent(15) && may_send_again(arena, &next.call, AGAIN_WITHIN_MS) {
                    client::call(arena, &next.call, new_stream(random)).await?;
                }
                open.push(next);
            }
        }
    }
    Ok(())
}

/// Every call that the ledger has and that the gate still promises to know.
pub(crate) fn calls_of(lines: &[Value]) -> Vec<Value> {
    let mut last = std::collections::BTreeMap::new();
    for line in lines.iter().filter(|l| text(l, "/what") == "ask" && text(l, "/via") == "mcp") {
        last.insert(text(line, "/marker").to_owned(), line.clone());
    }
    last.into_values().collect()
}

/// Sends a call of the ledger once more, until it is answered. Nothing when its time is over.
pub(crate) async fn repeat(arena: &Arena, line: &Value) -> Result<()> {
    let key = Some(text(line, "/key").to_owned()).filter(|key| !key.is_empty());
    let call = Call {
        agent: text(line, "/agent").to_owned(),
        tool: text(line, "/tool").to_owned(),
        arguments: line.get("body").cloned().unwrap_or_default(),
        key,
        tasks: line.get("tasks") == Some(&Value::Bool(true)),
        first: ledger::number(line, "/first"),
    };
    for _ in 0..5 {
        if !may_send_again(arena, &call, AGAIN_AT_THE_END_WITHIN_MS) {
            break;
        }
        match client::call(arena, &call, Stream::Whole).await? {
            Said::Heard(heard) if !(heard.state.is_empty() && is_passing(&heard.code) && !heard.task) => {
                break;
            }
            Said::Heard(_) | Said::Lost | Said::Unsent => {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }
    Ok(())
}
