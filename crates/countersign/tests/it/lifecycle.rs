//! The eight steps, from a proposal to its result.

use serde_json::json;

use crate::support::{GateDir, Reply, Upstream};

fn item(price: u64) -> Reply {
    Reply::json(200, &json!({ "id": "i_1", "price": price, "currency": "usd" }))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_allowed_action_answers_in_the_same_request_with_the_upstreams_result() {
    let upstream = Upstream::start().await;
    let gate = GateDir::new(&upstream).serve();
    upstream.on("POST /items/i_1/notes", Reply::json(201, &json!({ "note": 7 })));
    let (status, body) = gate.propose("shop.note.add", json!({ "id": "i_1", "text": "hello" })).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!((&body["state"], &body["result"]), (&json!("succeeded"), &json!({ "note": 7 })));
    let calls = upstream.calls();
    assert_eq!(calls.len(), 1);
    assert_eq!(calls[0].headers["authorization"], "Bearer write-secret-0815-stuvwxyz");
    let expect = format!(r#"{{"ref":{},"text":"hello"}}"#, body["id"]);
    assert_eq!(calls[0].body, expect, "the body is canonical: keys sorted, no white space");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pending_proposal_survives_kill_9_and_executes_once_after_approval() {
    let upstream = Upstream::start().await;
    let gate = GateDir::new(&upstream).serve();
    upstream.on("GET /items/i_1", item(5_000));
    let (status, body) = gate.propose("shop.price.set", json!({ "id": "i_1", "price": 20_000 })).await;
    assert_eq!((status, &body["state"]), (202, &json!("pending")), "{body}");
    let id = body["id"].as_str().unwrap().to_owned();
    let gate = gate.kill().serve();
    let frank = gate.sign_in("frank").await;
    let (status, answer) = frank.approve(&id).await;
    assert_eq!(status, 200, "{answer}");
    let done = gate.settled(&id).await;
    assert_eq!(done["state"], json!("succeeded"), "{done}");
    let writes = upstream.writes();
    assert_eq!(writes.len(), 1);
    assert_eq!(writes[0].body, json!({ "price": 20_000 }).to_string());
    assert_eq!(writes[0].headers["idempotency-key"], id);
}
