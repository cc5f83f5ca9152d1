//! Deadlines run out by themselves.

use serde_json::json;

use crate::support::{GateDir, Reply, Upstream};

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_decides_in_time_expires_and_a_late_approval_changes_nothing_t13() {
    let upstream = Upstream::start().await;
    upstream.on("GET /items/i_1", Reply::json(200, &json!({ "price": 5_000, "currency": "usd" })));
    let dir = GateDir::new(&upstream);
    dir.edit("approvals.toml", "decide_in = \"30m\"", "decide_in = \"1s\"");
    let gate = dir.serve();
    let (status, pending) = gate.propose("shop.price.set", json!({ "id": "i_1", "price": 20_000 })).await;
    assert_eq!(status, 202, "{pending}");
    let id = pending["id"].as_str().unwrap();
    let settled = gate.settled(id).await;
    assert_eq!(
        (&settled["state"], &settled["clock"], &settled["message"]),
        (&json!("expired"), &json!("decide_by"), &json!("NOT DONE. Nobody decided in time."))
    );
    let olga = gate.sign_in("olga").await;
    let frank = gate.sign_in("frank").await;
    for verb in ["approve", "reject"] {
        let body = frank.look(id).await;
        let (status, answer) = frank.post(&format!("/v1/proposals/{id}/{verb}"), &body).await;
        assert_eq!((status, &answer["code"]), (409, &json!("wrong_state")), "{answer}");
    }
    let (status, answer) = olga.post(&format!("/v1/proposals/{id}/cancel"), &json!({})).await;
    assert_eq!((status, &answer["code"]), (409, &json!("wrong_state")), "{answer}");
    let (_, history) = olga.get(&format!("/v1/proposals/{id}/history")).await;
    let events: Vec<&str> = history["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["entry"]["event"].as_str().unwrap())
        .collect();
    assert_eq!(events, ["proposal.pending", "proposal.expired"]);
    assert!(upstream.writes().is_empty());
    gate.stop_with_sound_log();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_waits_is_told_that_it_expired_and_may_ask_again() {
    let upstream = Upstream::start().await;
    upstream.on("GET /items/i_1", Reply::json(200, &json!({ "price": 5_000, "currency": "usd" })));
    let dir = GateDir::new(&upstream);
    dir.edit("approvals.toml", "decide_in = \"30m\"", "decide_in = \"1s\"");
    let gate = dir.serve();
    let ask = async || {
        let body = json!({ "action": "shop.price.set", "input": { "id": "i_1", "price": 20_000 }, "on_behalf_of": "ann" });
        let request = crate::support::gate::http()
            .post(format!("{}/v1/proposals?wait=20", gate.agents))
            .bearer_auth(gate.key("bot"))
            .header("content-type", "application/json")
            .body(body.to_string());
        crate::support::gate::send(request).await
    };
    let (status, first) = ask().await;
    assert_eq!((status, &first["code"]), (409, &json!("expired")), "{first}");
    let (status, second) = ask().await;
    assert_eq!((status, &second["code"]), (409, &json!("expired")), "{second}");
    assert_ne!(first["proposal"]["id"], second["proposal"]["id"], "what expired is not joined");
    assert!(upstream.writes().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_expired_while_the_gate_was_down_does_not_run_when_it_is_back_t13() {
    let upstream = Upstream::start().await;
    upstream.on("GET /items/i_1", Reply::json(200, &json!({ "price": 5_000, "currency": "usd" })));
    let dir = GateDir::new(&upstream);
    dir.edit("approvals.toml", "decide_in = \"30m\"", "decide_in = \"3s\"");
    let gate = dir.serve();
    let frank = gate.sign_in("frank").await;
    let (_, pending) = gate.propose("shop.price.set", json!({ "id": "i_1", "price": 20_000 })).await;
    let due = tokio::time::Instant::now() + std::time::Duration::from_secs(3);
    let id = pending["id"].as_str().unwrap().to_owned();
    let shown = frank.look(&id).await;
    let dir = gate.kill();
    // Its deadline passes while nobody watches.
    tokio::time::sleep_until(due).await;
    let gate = dir.serve();
    let frank = gate.sign_in("frank").await;
    let (status, answer) = frank.post(&format!("/v1/proposals/{id}/approve"), &shown).await;
    assert_eq!(status, 409, "{answer}");
    assert_eq!(gate.settled(&id).await["state"], "expired");
    assert!(upstream.writes().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_two_approvals_is_not_called_nobody() {
    let upstream = Upstream::start().await;
    upstream.on("GET /items/i_1", Reply::json(200, &json!({ "price": 5_000, "currency": "usd" })));
    let dir = GateDir::new(&upstream);
    dir.edit("approvals.toml", "decide_in = \"30m\"", "decide_in = \"8s\"");
    // The two rules ask three people.
    dir.edit("directory.toml", "name = \"Mallory\"", "name = \"Mallory\"\nteams = [\"finance\"]");
    let gate = dir.serve();
    let frank = gate.sign_in("frank").await;
    let (status, pending) = gate.propose("shop.price.set", json!({ "id": "i_1", "price": 200_000 })).await;
    assert_eq!(status, 202, "{pending}");
    let id = pending["id"].as_str().unwrap();
    assert_eq!(frank.approve(id).await.0, 200);
    let settled = gate.settled(id).await;
    let message = "NOT DONE. Too few people approved it in time.";
    assert_eq!((&settled["state"], &settled["message"]), (&json!("expired"), &json!(message)));
    let page = frank.page(&format!("/proposals/{id}")).await.1;
    assert!(
        page.contains("Too few people approved it in time.") && !page.contains("Nobody decided"),
        "{page}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_cannot_be_read_at_the_dispatch_is_asked_for_again_until_it_can() {
    let upstream = Upstream::start().await;
    let item = Reply::json(200, &json!({ "price": 5_000, "currency": "usd" }));
    upstream.on("GET /items/i_1", item.clone());
    let gate = GateDir::new(&upstream).serve();
    let frank = gate.sign_in("frank").await;
    let (status, pending) = gate.propose("shop.price.set", json!({ "id": "i_1", "price": 20_000 })).await;
    assert_eq!(status, 202, "{pending}");
    let id = pending["id"].as_str().unwrap();
    upstream.on("GET /items/i_1", Reply::Answer(503, Vec::new(), String::new()));
    // What was read is old once this wait is over.
    frank.get(&format!("/v1/proposals/{id}?wait=3")).await;
    assert_eq!(frank.approve(id).await.0, 200);
    let reads = upstream.calls().len();
    upstream.until(reads + 2).await;
    let (_, now) = gate.agent_get(&format!("/v1/proposals/{id}")).await;
    assert_eq!(now["state"], "ready", "{now}");
    assert!(now["message"].as_str().unwrap().starts_with("NOT DONE YET. Approved;"), "{now}");
    upstream.on("GET /items/i_1", item);
    assert_eq!(gate.settled(id).await["state"], "succeeded");
    assert_eq!(upstream.writes().len(), 1);
    gate.stop_with_sound_log();
}
