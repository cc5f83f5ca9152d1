//! A process that ends at the wrong moment: nothing that was acknowledged is lost, nothing is sent twice, and
//! what nobody can know is called unknown.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::Notify;

use crate::support::gate::http;
use crate::support::log::events_of;
use crate::support::{Gate, GateDir, Reply, Upstream};

/// Notes proposed so far.
static NOTES: AtomicUsize = AtomicUsize::new(0);

/// Proposes a note and gives the answer, if there is one: the gate may be killed meanwhile.
async fn try_note(client: &reqwest::Client, agents: &str, key: &str, id: &str) -> Option<(u16, Value)> {
    // Each is another effect: an equal request gets the proposal that runs already.
    let text = NOTES.fetch_add(1, Ordering::Relaxed).to_string();
    let body =
        json!({ "action": "shop.note.add", "input": { "id": id, "text": text }, "on_behalf_of": "ann" });
    let request = client.post(format!("{agents}/v1/proposals")).bearer_auth(key);
    let request = request.header("content-type", "application/json").body(body.to_string());
    let response = request.send().await.ok()?;
    let status = response.status().as_u16();
    Some((status, serde_json::from_str(&response.text().await.ok()?).ok()?))
}

/// Proposes in the background; the answer is the task's.
fn note_beside(gate: &Gate, id: &'static str) -> tokio::task::JoinHandle<Option<(u16, Value)>> {
    let (agents, key) = (gate.agents.clone(), gate.key("bot"));
    tokio::spawn(async move { try_note(&http(), &agents, &key, id).await })
}

/// Which proposals the upstream saw, and how often.
fn seen(upstream: &Upstream) -> BTreeMap<String, usize> {
    let mut seen = BTreeMap::new();
    for call in upstream.writes() {
        let body: Value = serde_json::from_str(&call.body).unwrap();
        *seen.entry(body["ref"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    seen
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_whose_process_was_killed_is_unknown_and_is_never_sent_again_t90() {
    let upstream = Upstream::start().await;
    let gate = GateDir::new(&upstream).serve();
    upstream.on("POST /items/i_1/notes", Reply::Hang);
    let client = note_beside(&gate, "i_1");
    upstream.until(1).await;
    let dir = gate.kill();
    assert_eq!(client.await.unwrap(), None, "nobody was told anything");
    let (id, _) = seen(&upstream).pop_first().unwrap();
    upstream.on("POST /items/i_1/notes", Reply::json(200, &json!({})));
    let mut gate = dir.serve();
    for _ in 0..3 {
        let found = gate.settled(&id).await;
        assert_eq!((&found["state"], &found["cause"]), (&json!("unknown"), &json!("owner_gone")), "{found}");
        gate = gate.kill().serve();
    }
    assert_eq!(upstream.calls().len(), 1);
    let (_, entries) = gate.stop_and_verify();
    assert_eq!(events_of(&entries, &id), ["proposal.allowed", "proposal.dispatched", "proposal.unknown"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_that_was_answered_survives_a_kill_right_after_it_t09() {
    let upstream = Upstream::start().await;
    let item = json!({ "id": "i_1", "price": 5_000, "currency": "usd" });
    upstream.on("GET /items/i_1", Reply::json(200, &item));
    let mut gate = GateDir::new(&upstream).serve();
    for price in 20_000..20_005 {
        let before = upstream.writes().len();
        let (_, body) = gate.propose("shop.price.set", json!({ "id": "i_1", "price": price })).await;
        let id = body["id"].as_str().unwrap_or_else(|| panic!("{body}")).to_owned();
        let frank = gate.sign_in("frank").await;
        let (status, answer) = frank.approve(&id).await;
        assert_eq!(status, 200, "{answer}");
        gate = gate.kill().serve();
        let found = gate.settled(&id).await;
        let sent = upstream.writes().len() - before;
        match found["state"].as_str() {
            Some("succeeded") => assert_eq!(sent, 1, "{found}"),
            Some("unknown") => assert!(sent <= 1, "{found}"),
            _ => panic!("{found}"),
        }
        assert_eq!(found["approved_by"], json!(["frank"]), "{found}");
    }
    gate.stop_and_verify();
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_kills_under_load_lose_nothing_and_send_nothing_twice_t09() {
    let upstream = Upstream::start().await;
    let mut gate = GateDir::new(&upstream).serve();
    let mut answered: BTreeMap<String, String> = BTreeMap::new();
    for round in 0..20 {
        let done = Arc::new(AtomicUsize::new(0));
        let more = Arc::new(Notify::new());
        let clients: Vec<_> = (0..8)
            .map(|_| {
                let (agents, key) = (gate.agents.clone(), gate.key("bot"));
                let (done, more) = (Arc::clone(&done), Arc::clone(&more));
                tokio::spawn(async move {
                    let (client, mut mine) = (http(), Vec::new());
                    while let Some((status, body)) = try_note(&client, &agents, &key, "i_1").await {
                        assert!(matches!(status, 200 | 202), "{status} {body}");
                        let text = |name: &str| body[name].as_str().unwrap().to_owned();
                        mine.push((text("id"), text("state")));
                        done.fetch_add(1, Ordering::Relaxed);
                        more.notify_one();
                    }
                    mine
                })
            })
            .collect();
        while done.load(Ordering::Relaxed) < 5 + round * 2 {
            more.notified().await;
        }
        let dir = gate.kill();
        for client in clients {
            answered.extend(client.await.unwrap());
        }
        gate = dir.serve();
    }
    assert!(answered.len() >= 400, "{}", answered.len());
    for (id, state) in &answered {
        let found = gate.settled(id).await;
        if state == "succeeded" {
            assert_eq!(found["state"], "succeeded", "an answer was taken back: {found}");
        }
    }
    let (_, entries) = gate.stop_and_verify();
    let seen = seen(&upstream);
    let mut ends: BTreeMap<&str, usize> = BTreeMap::new();
    for entry in entries.iter().filter(|e| e["event"] == "proposal.allowed") {
        let id = entry["proposal"].as_str().unwrap();
        let events = events_of(&entries, id);
        assert_eq!(events[..2], ["proposal.allowed", "proposal.dispatched"], "{id}");
        assert_eq!(events.len(), 3, "{id}: {events:?}");
        let sent = seen.get(id).copied().unwrap_or(0);
        match events[2].as_str() {
            "proposal.succeeded" => assert_eq!(sent, 1, "{id}"),
            "proposal.unknown" => assert!(sent <= 1, "{id}"),
            other => panic!("{id}: {other}"),
        }
        *ends.entry(if events[2] == "proposal.succeeded" { "succeeded" } else { "unknown" }).or_default() +=
            1;
    }
    assert!(seen.values().all(|count| *count == 1), "{seen:?}");
    assert!(seen.keys().all(|id| !events_of(&entries, id).is_empty()), "nothing was sent without a record");
    assert!(ends["succeeded"] >= answered.len() / 2, "{ends:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_polite_stop_waits_for_a_slow_call_and_records_it() {
    let upstream = Upstream::start().await;
    let gate = GateDir::new(&upstream).serve();
    let go = Arc::new(Notify::new());
    upstream.on("POST /items/i_1/notes", Reply::Held(Arc::clone(&go)));
    let client = note_beside(&gate, "i_1");
    upstream.until(1).await;
    gate.signal("TERM");
    let address = gate.agents.trim_start_matches("http://").to_owned();
    let refused = async { while TcpStream::connect(&address).await.is_ok() {} };
    tokio::time::timeout(std::time::Duration::from_secs(20), refused).await.unwrap();
    go.notify_one();
    let (status, body) = client.await.unwrap().expect("the client that waited is answered");
    assert_eq!((status, &body["state"]), (200, &json!("succeeded")), "{body}");
    let (_, entries) = gate.stop_and_verify();
    let events = events_of(&entries, body["id"].as_str().unwrap());
    assert_eq!(events, ["proposal.allowed", "proposal.dispatched", "proposal.succeeded"]);
    assert_eq!(upstream.calls().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_gate_on_the_same_directory_is_refused_and_the_first_goes_on() {
    let upstream = Upstream::start().await;
    let gate = GateDir::new(&upstream).serve();
    let second = gate.dir.run(&["serve", "."]);
    assert!(!second.status.success());
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(said.contains("another process has") && said.contains("stop it first"), "{said}");
    assert_eq!(gate.propose("shop.note.add", json!({ "id": "i_1", "text": "x" })).await.0, 200);
    gate.stop_and_verify();
}
