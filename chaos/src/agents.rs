//! Agents: many clients that propose, retry exactly as the answers advise, and hang up now and then. Each request
//! is in the ledger before it is sent, and each answer before anything else is done.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::{Value, json};

use crate::Result;
use crate::arena::{Arena, Phase};
use crate::http::{Request, send, was_not_sent};
use crate::ledger::text;
use crate::random::Random;

/// How long a client waits for an answer.
const PATIENCE: Duration = Duration::from_secs(40);
/// How often a client tries one request.
const TRIES: u32 = 8;

/// One request of an agent, as it may be repeated.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    pub(crate) agent: String,
    pub(crate) key: Option<String>,
    pub(crate) body: Value,
}

/// What came back.
#[derive(Debug, Clone)]
pub(crate) enum Said {
    /// Nothing: the connection broke, or the client hung up.
    Lost,
    /// An answer.
    Answer { status: u16, code: String, id: String, state: String },
}

/// The prices that need nobody, one of finance, and two of finance; the action reads the record first.
const PRICES: [(u64, u64); 3] = [(25, 5_000), (45, 20_000), (30, 200_000)];

fn new_ask(arena: &Arena, random: &mut Random) -> Ask {
    let marker = format!("m_{}", arena.number());
    let id = format!("i_{}", random.below(500));
    let kinds = [(45, "shop.note.add"), (47, "shop.price.set"), (4, "shop.item.delete"), (4, "shop.no.such")];
    let action = random.weighted(&kinds).unwrap_or("shop.note.add");
    let mut input = json!({ "id": id, "marker": marker });
    if let ("shop.price.set", Some(map)) = (action, input.as_object_mut()) {
        let price = random.weighted(&PRICES).unwrap_or(5_000).saturating_add(random.below(1_000));
        map.insert("price".to_owned(), price.into());
    }
    let agent = if random.percent(50) { "bot" } else { "other" };
    let key = random.percent(75).then(|| format!("k-{marker}"));
    let body = json!({ "action": action, "input": input, "on_behalf_of": "ann", "reason": "chaos" });
    Ask { agent: agent.to_owned(), key, body }
}

/// The same request for the same effect under a key of its own: while people decide, it joins the first.
fn twin(ask: &Ask) -> Ask {
    let marker = text(&ask.body, "/input/marker");
    Ask { key: Some(format!("twin-{marker}")), ..ask.clone() }
}

/// Sends a request once.
pub(crate) async fn post(arena: &Arena, ask: &Ask, patience: Duration) -> Result<Said> {
    let number = arena.number();
    arena.agents.write(json!({
        "what": "ask", "n": number, "agent": ask.agent, "marker": text(&ask.body, "/input/marker"),
        "key": ask.key, "body": ask.body,
    }))?;
    let request = Request {
        method: "POST",
        path: "/v1/proposals".to_owned(),
        bearer: arena.key_of(&ask.agent),
        key: ask.key.clone(),
        body: Some(ask.body.clone()),
        ..Request::default()
    };
    let address = arena.address.borrow().agents.clone();
    match send(&address, request, patience).await {
        Ok((status, body)) => {
            arena.proposals.fetch_add(1, Ordering::Relaxed);
            let mut line = seen(status, &body);
            if let Some(map) = line.as_object_mut() {
                map.extend([("what".to_owned(), "answer".into()), ("n".to_owned(), number.into())]);
            }
            let said = Said::Answer {
                status,
                code: text(&line, "/code").to_owned(),
                id: text(&line, "/id").to_owned(),
                state: text(&line, "/state").to_owned(),
            };
            arena.agents.write(line)?;
            Ok(said)
        }
        Err(error) => {
            let why = error.to_string();
            arena
                .agents
                .write(json!({ "what": "lost", "n": number, "why": why, "unsent": was_not_sent(&why) }))?;
            Ok(Said::Lost)
        }
    }
}

/// Asks for a proposal by its id.
pub(crate) async fn read(arena: &Arena, agent: &str, id: &str) -> Result<Said> {
    let path = format!("/v1/proposals/{id}");
    let request = Request { method: "GET", path, bearer: arena.key_of(agent), ..Request::default() };
    let address = arena.address.borrow().agents.clone();
    let Ok((status, body)) = send(&address, request, PATIENCE).await else { return Ok(Said::Lost) };
    let mut line = seen(status, &body);
    let said = Said::Answer {
        status,
        code: text(&line, "/code").to_owned(),
        id: id.to_owned(),
        state: text(&line, "/state").to_owned(),
    };
    if let Some(map) = line.as_object_mut() {
        map.extend([("what".to_owned(), "read".into()), ("id".to_owned(), id.into())]);
    }
    arena.agents.write(line)?;
    Ok(said)
}

/// What an answer says, wherever it says it: a proposal stands alone or is a member of a problem.
fn seen(status: u16, body: &Value) -> Value {
    let proposal = body.get("proposal").unwrap_or(body);
    let first = |pointers: [(&Value, &str); 2]| {
        pointers.into_iter().map(|(value, at)| text(value, at).to_owned()).find(|t| !t.is_empty())
    };
    json!({
        "status": status,
        "code": text(body, "/code"),
        "id": first([(proposal, "/id"), (body, "/id")]),
        "state": text(proposal, "/state"),
        "cause": text(proposal, "/cause"),
        "message": first([(body, "/detail"), (proposal, "/message")]),
    })
}

/// Sends a request until its answer says that there is nothing left to do. Gives the id of what is still open.
async fn pursue(arena: &Arena, ask: &Ask, random: &mut Random) -> Result<Option<String>> {
    for _ in 0..TRIES {
        let patience =
            if random.percent(5) { Duration::from_millis(random.between(1, 60)) } else { PATIENCE };
        let said = post(arena, ask, patience).await?;
        let again = match &said {
            // Without a key nobody can repeat what may have been done.
            Said::Lost => ask.key.is_some(),
            Said::Answer { status: 503, code, id, .. } if code == "in_doubt" && ask.key.is_none() => {
                return Ok(Some(id.clone()));
            }
            // "Nothing was recorded", "in doubt" with a key, and "the first one is still under way".
            Said::Answer { status: 503, .. } => true,
            Said::Answer { code, .. } if code == "idempotency_key_in_progress" => true,
            Said::Answer { status: 202, id, .. } => return Ok(Some(id.clone())),
            Said::Answer { .. } => false,
        };
        if !again || arena.phase() != Phase::Load {
            return Ok(None);
        }
        arena.pause(Phase::Load, Duration::from_millis(random.between(100, 600))).await;
    }
    Ok(None)
}

/// One client, until the load is over.
pub(crate) async fn work(arena: Arc<Arena>, worker: u64) -> Result<()> {
    let mut random = Random::new(arena.seed, &format!("agent {worker}"));
    let mut open: Vec<(String, String)> = Vec::new();
    let mut done: Vec<Ask> = Vec::new();
    while arena.phase() == Phase::Load {
        let ask = new_ask(&arena, &mut random);
        let found = pursue(&arena, &ask, &mut random).await?;
        open.extend(found.map(|id| (ask.agent.clone(), id)));
        if random.percent(25) && text(&ask.body, "/action") == "shop.price.set" {
            let twin = twin(&ask);
            let found = pursue(&arena, &twin, &mut random).await?;
            open.extend(found.map(|id| (twin.agent.clone(), id)));
            done.push(twin);
        }
        if ask.key.is_some() {
            done.push(ask);
        }
        poll(&arena, &mut open).await?;
        // A key is repeated long after its proposal was settled, as a queue would that lost its acknowledgement.
        if random.percent(10) && done.len() > 8 {
            let old = done.remove(0);
            pursue(&arena, &old, &mut random).await?;
        }
        arena.pause(Phase::Load, Duration::from_millis(random.between(20, 350))).await;
    }
    Ok(())
}

/// Asks for the two oldest that are open.
async fn poll(arena: &Arena, open: &mut Vec<(String, String)>) -> Result<()> {
    for _ in 0..open.len().min(2) {
        let (agent, id) = open.remove(0);
        match read(arena, &agent, &id).await? {
            Said::Answer { status: 200, state, .. } if !is_open(&state) => {}
            Said::Answer { status: 404, .. } => {}
            Said::Answer { .. } | Said::Lost => open.push((agent, id)),
        }
    }
    Ok(())
}

/// Whether something may still become of a proposal in this state.
pub(crate) fn is_open(state: &str) -> bool {
    matches!(state, "pending" | "ready" | "dispatched")
}

/// Many requests at once, each of a client of its own: more than the gate's queue holds.
pub(crate) async fn burst(arena: &Arc<Arena>, count: u64, random: &mut Random) -> Result<()> {
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..count {
        let marker = format!("m_{}", arena.number());
        let body = json!({ "action": "shop.note.add", "input": { "id": "i_1", "marker": marker }, "on_behalf_of": "ann" });
        let key = random.percent(50).then(|| format!("k-{marker}"));
        let (arena, ask) = (Arc::clone(arena), Ask { agent: "bot".to_owned(), key, body });
        let mut own = Random::new(arena.seed, &marker);
        clients.spawn(async move { pursue(&arena, &ask, &mut own).await });
    }
    while let Some(client) = clients.join_next().await {
        client??;
    }
    Ok(())
}
