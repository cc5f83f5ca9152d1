//! After the load: nothing may stay open, everything that was answered must still be there, and restarts must not
//! cause anything. What is read here goes to the agents' ledger, for the checker.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::agents::{self, Ask, Said};
use crate::arena::{Arena, Phase};
use crate::faults::Scene;
use crate::files::AGENTS;
use crate::http::{Request, send};
use crate::ledger::{self, text};
use crate::{Result, clock, mcp};

/// Time in which people decide what waits, and the gate finishes what is ready or was sent.
const CLOSED_WITHIN: Duration = Duration::from_mins(1);
/// Requests whose key is repeated at the end.
const REPEATED_MAX: usize = 400;
/// Clients that repeat them.
const CLIENTS: usize = 8;
/// A process that is gone is noticed at the latest after this; shorter than any deadline of a proposal.
const NOTICED_AFTER_MS: i64 = 300_000;

/// Brings a run to its end. The gate is stopped afterwards and its log exported.
pub(crate) async fn settle(scene: &mut Scene) -> Result<()> {
    let arena = Arc::clone(&scene.arena);
    scene.step_clock_by(NOTICED_AFTER_MS)?;
    scene.restart_clean().await?;
    close(&arena).await?;
    repeat(&arena).await?;
    close(&arena).await?;
    for _ in 0..2 {
        scene.step_clock_by(NOTICED_AFTER_MS)?;
        scene.restart_clean().await?;
        close(&arena).await?;
    }
    read_all(&arena).await?;
    arena.phase.send_replace(Phase::Over);
    scene.gate.terminate().await
}

/// Waits until no proposal is open. The checker finds those that stay open.
async fn close(arena: &Arena) -> Result<()> {
    let begin = clock::now();
    while !clock::passed(begin, CLOSED_WITHIN) {
        let mut open = 0_usize;
        for agent in AGENTS {
            let path = "/v1/proposals?state=pending,ready,dispatched&limit=200".to_owned();
            let request = Request { method: "GET", path, bearer: arena.key_of(agent), ..Request::default() };
            let address = arena.address.borrow().agents.clone();
            let listed = match send(&address, request, Duration::from_secs(20)).await {
                Ok((200, page)) => page.get("proposals").and_then(Value::as_array).map(Vec::len),
                Ok(_) | Err(_) => None,
            };
            open = open.saturating_add(listed.unwrap_or(1));
        }
        if open == 0 {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    Ok(())
}

/// Sends requests with a key once more, and the calls of MCP clients that the gate still knows: each must find the
/// proposal that is there.
async fn repeat(arena: &Arc<Arena>) -> Result<()> {
    let lines = ledger::read(&arena.work.join("agents.jsonl"))?;
    let mut asks: BTreeMap<(String, String), Value> = BTreeMap::new();
    let keyed =
        |l: &&Value| text(l, "/what") == "ask" && text(l, "/via").is_empty() && !text(l, "/key").is_empty();
    for line in lines.iter().filter(keyed) {
        let body = line.get("body").cloned().unwrap_or_default();
        asks.insert((text(line, "/key").to_owned(), text(line, "/agent").to_owned()), body);
    }
    // Joined requests first: theirs is the key that is lost most easily; names begin with `twin`.
    let mut clients = JoinSet::new();
    for ((key, agent), body) in asks.into_iter().rev().take(REPEATED_MAX) {
        let (arena, ask) = (Arc::clone(arena), Ask { agent, key: Some(key), body });
        clients.spawn(async move { repeat_one(&arena, &ask).await });
        make_room(&mut clients).await?;
    }
    for line in mcp::calls_of(&lines) {
        let arena = Arc::clone(arena);
        clients.spawn(async move { mcp::repeat(&arena, &line).await });
        make_room(&mut clients).await?;
    }
    while let Some(client) = clients.join_next().await {
        client??;
    }
    Ok(())
}

async fn make_room(clients: &mut JoinSet<Result<()>>) -> Result<()> {
    if clients.len() >= CLIENTS
        && let Some(client) = clients.join_next().await
    {
        client??;
    }
    Ok(())
}

/// Sends one request until it is answered.
async fn repeat_one(arena: &Arena, ask: &Ask) -> Result<()> {
    for _ in 0..5 {
        match agents::post(arena, ask, Duration::from_secs(20)).await? {
            Said::Answer { status: 503, .. } | Said::Lost => {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            Said::Answer { .. } => break,
        }
    }
    Ok(())
}

/// Reads every proposal that was ever named.
async fn read_all(arena: &Arena) -> Result<()> {
    let lines = ledger::read(&arena.work.join("agents.jsonl"))?;
    let mut agents_of: BTreeMap<u64, &str> = BTreeMap::new();
    let mut ids: BTreeSet<(&str, &str)> = BTreeSet::new();
    for line in &lines {
        let n = ledger::number(line, "/n");
        match text(line, "/what") {
            "ask" => {
                agents_of.insert(n, text(line, "/agent"));
            }
            "answer" if !text(line, "/id").is_empty() => {
                ids.insert((text(line, "/id"), agents_of.get(&n).copied().unwrap_or_default()));
            }
            _ => {}
        }
    }
    for (id, agent) in ids {
        let path = format!("/v1/proposals/{id}");
        let request = Request { method: "GET", path, bearer: arena.key_of(agent), ..Request::default() };
        let address = arena.address.borrow().agents.clone();
        let (status, body) = send(&address, request, Duration::from_secs(20)).await?;
        arena.agents.write(json!({
            "what": "final", "id": id, "status": status, "state": text(&body, "/state"),
            "cause": text(&body, "/cause"), "code": text(&body, "/code"),
        }))?;
    }
    Ok(())
}
