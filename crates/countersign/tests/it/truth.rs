//! Every answer is true: what was said not to be done never happens, and what was done is never denied.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::support::disk::Stall;
use crate::support::gate::{http, send};
use crate::support::log::events_of;
use crate::support::{Gate, GateDir, Reply, Upstream};

/// The texts of the notes that the upstream was asked to add.
fn applied(upstream: &Upstream) -> Vec<String> {
    let text = |body: &str| serde_json::from_str::<Value>(body).unwrap()["text"].as_str().unwrap().to_owned();
    upstream.writes().iter().map(|call| text(&call.body)).collect()
}

/// Waits until no proposal is in this state.
async fn none_is(dir: &GateDir, state: &str) {
    for _ in 0..400 {
        let rows = dir.query("SELECT COUNT(*) FROM proposal WHERE state = ?", &[state]);
        if rows[0][0] == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("some proposals stay {state}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_with_503_never_runs_not_even_after_a_restart_a1() {
    const CLIENTS: usize = 1_500;
    let upstream = Upstream::start().await;
    let gate = GateDir::new(&upstream).with_wide_limits().serve_logging("error");
    let stall = Stall::of(&gate.dir, 300, 15);
    let client = http();
    let (path, key) = (format!("{}/v1/proposals", gate.agents), gate.key("bot"));
    let clients = (0..CLIENTS).map(|n| {
        let (client, path, key) = (client.clone(), path.clone(), key.clone());
        async move {
            let mut denied = Vec::new();
            for round in 0..3 {
                let text = format!("{n}-{round}");
                let body = json!({ "action": "shop.note.add", "input": { "id": "i_1", "text": text },
                    "on_behalf_of": "ann" });
                let request = client.post(&path).bearer_auth(&key).header("content-type", "application/json");
                let (status, answer) = send(request.body(body.to_string())).await;
                if status >= 500 {
                    denied.push((text, answer));
                }
            }
            denied
        }
    });
    let denied: Vec<(String, Value)> =
        futures_util::future::join_all(clients).await.into_iter().flatten().collect();
    drop(stall);
    assert!(denied.len() > 100, "the queue was never full: {}", denied.len());
    let gate = gate.kill().serve_logging("error");
    none_is(&gate.dir, "ready").await;
    none_is(&gate.dir, "dispatched").await;
    let applied: BTreeSet<String> = applied(&upstream).into_iter().collect();
    let ran: Vec<_> = denied.iter().filter(|(text, _)| applied.contains(text)).collect();
    assert!(ran.is_empty(), "{} of {} ran later, such as {:?}", ran.len(), denied.len(), ran[0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_joined_request_keeps_its_idempotency_key_a5() {
    let upstream = Upstream::start().await;
    upstream
        .on("GET /items/i_1", Reply::json(200, &json!({ "id": "i_1", "price": 5_000, "currency": "usd" })));
    let gate = GateDir::new(&upstream).serve();
    let propose = |key: &'static str, price: u32, reason: &'static str| {
        let body = json!({ "action": "shop.price.set", "input": { "id": "i_1", "price": price },
            "on_behalf_of": "ann", "reason": reason });
        let request = http().post(format!("{}/v1/proposals", gate.agents)).bearer_auth(gate.key("bot"));
        send(
            request
                .header("content-type", "application/json")
                .header("idempotency-key", key)
                .body(body.to_string()),
        )
    };
    let (_, first) = propose("one", 20_000, "first").await;
    let (status, joined) = propose("two", 20_000, "second").await;
    assert_eq!((status, &joined["id"]), (202, &first["id"]), "{joined}");
    let id = first["id"].as_str().unwrap().to_owned();
    let (status, answer) = gate.sign_in("frank").await.approve(&id).await;
    assert_eq!(status, 200, "{answer}");
    gate.settled(&id).await;
    let (status, again) = propose("two", 20_000, "second").await;
    assert_eq!((status, &again["id"]), (200, &first["id"]), "the same key gives the same proposal: {again}");
    let (status, other) = propose("two", 30_000, "second").await;
    assert_eq!((status, &other["code"]), (422, &json!("idempotency_key_reused")), "{other}");
    assert_eq!(upstream.writes().len(), 1, "{:?}", upstream.writes());
    let (_, entries) = gate.stop_and_verify();
    assert!(events_of(&entries, &id).contains(&"proposal.joined".to_owned()), "{entries:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_while_the_log_is_damaged_a7() {
    let upstream = Upstream::start().await;
    let gate = GateDir::new(&upstream).serve();
    assert_eq!(gate.propose("shop.note.add", json!({ "id": "i_1", "text": "before" })).await.0, 200);
    gate.dir.change("UPDATE log_head SET roots = CAST(? AS BLOB) WHERE id = 1", &["damaged"]);
    let seen = tokio::time::timeout(Duration::from_secs(10), async {
        while !gate.operator_log().contains("the log's head is not moving") {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    seen.await.expect("the damage is noticed");
    for n in 0..5 {
        let text = format!("after-{n}");
        let (status, body) = gate.propose("shop.note.add", json!({ "id": "i_1", "text": text })).await;
        assert_eq!((status, &body["code"]), (503, &json!("unavailable")), "{body}");
    }
    assert_eq!(applied(&upstream), ["before"]);
    let (status, ready) = send(http().get(format!("{}/readyz", gate.agents))).await;
    assert_eq!(status, 503, "{ready}");
    assert!(ready.to_string().contains("log"), "{ready}");
}

/// A pending proposal that needs one of finance.
async fn pending(gate: &Gate, upstream: &Upstream) -> String {
    let item = json!({ "id": "i_1", "price": 5_000, "currency": "usd" });
    upstream.on("GET /items/i_1", Reply::json(200, &item));
    let (status, body) = gate.propose("shop.price.set", json!({ "id": "i_1", "price": 20_000 })).await;
    assert_eq!((status, &body["state"]), (202, &json!("pending")), "{body}");
    body["id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_approval_in_the_database_sends_nothing_a8() {
    let upstream = Upstream::start().await;
    let gate = GateDir::new(&upstream).serve();
    let id = pending(&gate, &upstream).await;
    let dir = gate.kill();
    let stored = dir.query("SELECT header, intent FROM proposal WHERE id = ?", &[&id]);
    let original = stored[0][0].as_str().unwrap().to_owned();
    let mut header: Value = serde_json::from_str(&original).unwrap();
    header["approvals"] = json!([{ "person": "frank", "at": 1, "intent": stored[0][1],
        "decision": header["decision"]["digest"], "view": stored[0][1],
        "policy_set": header["decision"]["policy_set"], "nonce": "00", "proof": "click",
        "channel": "console", "comment": "" }]);
    let use_by = header["state"]["decide_by"].clone();
    header["state"] = json!({ "state": "ready", "use_by": use_by });
    let sql = "UPDATE proposal SET state = 'ready', header = ? WHERE id = ?";
    dir.change(sql, &[&header.to_string(), &id]);
    let gate = dir.serve();
    let note = gate.propose("shop.note.add", json!({ "id": "i_1", "text": "everybody else" })).await;
    assert_eq!(note.0, 200, "everybody else is served: {}", note.1);
    let (_, found) = gate.agent_get(&format!("/v1/proposals/{id}?wait=5")).await;
    let written: Vec<String> = upstream.writes().iter().map(|c| format!("{} {}", c.method, c.path)).collect();
    assert_eq!(written, ["POST /items/i_1/notes"], "{found}");
    assert_eq!(found["code"], "quarantined", "{found}");
    assert!(gate.operator_log().contains("quarantined"), "{}", gate.operator_log());
    // What was put right comes back, and only that.
    let repair = |expect: bool| {
        let output = gate.dir.run(&["repair", &id]);
        assert_eq!(output.status.success(), expect, "{}", String::from_utf8_lossy(&output.stdout));
    };
    repair(false);
    let sql = "UPDATE proposal SET state = 'pending', header = ? WHERE id = ?";
    gate.dir.change(sql, &[&original, &id]);
    repair(true);
    let (_, found) = gate.agent_get(&format!("/v1/proposals/{id}")).await;
    assert_eq!(found["state"], "pending", "{found}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_people_see_cannot_be_changed_in_the_database_a8() {
    let upstream = Upstream::start().await;
    let gate = GateDir::new(&upstream).serve();
    let frank = gate.sign_in("frank").await;
    for (column, from, to) in [
        ("header", "Set a price", "Set a fine price"),
        ("header", "\"reversible\":false", "\"reversible\":true"),
        ("preview", "\"price\":20000", "\"price\":5001"),
        ("header", "Prices over 100 need finance.", "Nothing to see here."),
    ] {
        let id = pending(&gate, &upstream).await;
        gate.dir.alter(&id, column, (from, to));
        let (status, shown) = frank.get(&format!("/v1/proposals/{id}")).await;
        assert_eq!((status, &shown["code"]), (409, &json!("quarantined")), "{column}: {shown}");
        let (status, list) = frank.get("/v1/proposals").await;
        assert_eq!(status, 200, "{list}");
        assert!(!list.to_string().contains(&id), "{list}");
    }
    assert!(upstream.writes().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outcome_is_never_denied_while_the_store_is_away_a2() {
    let Some(database) = super::postgres::Database::new() else { return };
    let upstream = Upstream::start().await;
    let gate = GateDir::new(&upstream).on_database(&upstream, &database.url).serve();
    let go = Arc::new(Notify::new());
    upstream.on("POST /items/i_1/notes", Reply::Held(Arc::clone(&go)));
    let (agents, key) = (gate.agents.clone(), gate.key("bot"));
    let client = tokio::spawn(async move {
        let body = json!({ "action": "shop.note.add", "input": { "id": "i_1", "text": "x" },
            "on_behalf_of": "ann" });
        let request = http().post(format!("{agents}/v1/proposals")).bearer_auth(key);
        send(request.header("content-type", "application/json").body(body.to_string())).await
    });
    upstream.until(1).await;
    database.close();
    go.notify_one();
    let answer = tokio::time::timeout(Duration::from_mins(1), client).await;
    let (status, body) = answer.expect("the agent is not kept waiting for the store").unwrap();
    assert_eq!((status, &body["state"]), (202, &json!("dispatched")), "{body}");
    database.open();
    let id = body["id"].as_str().unwrap();
    let found = gate.settled(id).await;
    assert_eq!(found["state"], "succeeded", "the outcome was kept: {found}");
    assert_eq!(upstream.calls().len(), 1);
}
