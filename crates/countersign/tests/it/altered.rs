//! Somebody alters the stored proposal beside the gate, between the decision and the call.

use serde_json::json;

use crate::support::{Gate, GateDir, Reply, Upstream};

fn item() -> Reply {
    Reply::json(200, &json!({ "id": "i_1", "price": 5_000, "currency": "usd" }))
}

/// Proposes a price that needs approval, and gives the proposal's id.
async fn pending(gate: &Gate) -> String {
    let (status, body) = gate.propose("shop.price.set", json!({ "id": "i_1", "price": 20_000 })).await;
    assert_eq!((status, &body["state"]), (202, &json!("pending")), "{body}");
    body["id"].as_str().unwrap().to_owned()
}

/// Waits until the preview of a proposal is too old to be sent on.
async fn is_old(gate: &Gate, id: &str) {
    let (_, first) = gate.agent_get(&format!("/v1/proposals/{id}")).await;
    let began = std::time::Instant::now();
    assert_eq!(first["state"], "pending", "{first}");
    while began.elapsed() < std::time::Duration::from_millis(2_200) {
        gate.agent_get(&format!("/v1/proposals/{id}?wait=1")).await;
    }
}

/// What somebody with the database file changes: the header or a part, what is there, what they put in its place.
const ALTERATIONS: [(&str, &str, &str, &str); 12] = [
    ("body of the call", "preview", r#"{\"price\":20000}"#, r#"{\"price\":99999}"#),
    ("a space in the body", "preview", r#"{\"price\":20000}"#, r#"{\"price\": 20000}"#),
    ("target of the call", "preview", "/items/i_1/price\"", "/items/i_2/price\""),
    ("method", "preview", "\"PUT\"", "\"PATCH\""),
    ("credential", "preview", "\"shop-write\"", "\"shop-read\""),
    ("risk", "preview", "\"200.00\"", "\"1.00\""),
    ("effects", "preview", "The price becomes 200.00", "The price becomes 1.00"),
    ("watched value", "preview", "\"/price\":5000", "\"/price\":1"),
    ("input", "input", "\"price\":20000", "\"price\":99999"),
    ("person of the chain", "header", "\"ann\"", "\"mallory\""),
    ("agent of the chain", "header", "\"bot\"", "\"other\""),
    ("action", "header", "\"shop.price.set\"", "\"shop.note.add\""),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_stored_proposal_that_was_altered_is_never_sent_t01() {
    let upstream = Upstream::start().await;
    upstream.on("GET /items/i_1", item());
    let gate = GateDir::new(&upstream).serve();
    let frank = gate.sign_in("frank").await;
    for (what, place, from, to) in ALTERATIONS {
        // The same one after another: the former is settled, or nobody would join it.
        let id = pending(&gate).await;
        let shown = frank.look(&id).await;
        let approve = format!("/v1/proposals/{id}/approve");
        gate.dir.alter(&id, place, (from, to));
        // With what was on the screen before, and with what is on it now, twice.
        frank.post(&approve, &shown).await;
        for _ in 0..2 {
            let (status, now) = frank.get(&format!("/v1/proposals/{id}?wait=1")).await;
            if status == 200 && now["state"]["state"] == "pending" {
                let body = json!({ "intent": now["card"]["intent"], "decision": now["card"]["decision"], "view": now["view"] });
                frank.post(&approve, &body).await;
            }
        }
        let (status, last) = frank.get(&format!("/v1/proposals/{id}?wait=5")).await;
        assert!(upstream.writes().is_empty(), "{what}: {:?}", upstream.writes());
        assert_eq!((status, &last["code"]), (409, &json!("quarantined")), "{what}: {last}");
        gate.dir.change("UPDATE proposal SET join_key = NULL WHERE id = ? AND ? <> ''", &[&id, what]);
    }
    assert!(gate.operator_log().contains("it is quarantined"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approved_proposal_that_was_altered_while_the_gate_was_down_is_never_sent_t01() {
    let upstream = Upstream::start().await;
    upstream.on("GET /items/i_1", item());
    for (what, place, from, to) in ALTERATIONS {
        upstream.on("GET /items/i_1", item());
        let gate = GateDir::new(&upstream).serve();
        let id = pending(&gate).await;
        // An old preview is read again before the call: then what is rendered again is right, and only what is
        // stored is not. Here the process dies in that read, with a proposal that was approved and not sent.
        let frank = gate.sign_in("frank").await;
        is_old(&gate, &id).await;
        upstream.on("GET /items/i_1", Reply::Hang);
        let (status, answer) = frank.approve(&id).await;
        assert_eq!((status, &answer["state"]["state"]), (200, &json!("ready")), "{what}: {answer}");
        let dir = gate.kill();
        upstream.on("GET /items/i_1", item());
        dir.alter(&id, place, (from, to));
        let gate = dir.serve();
        let olga = gate.sign_in("olga").await;
        let (status, last) = olga.get(&format!("/v1/proposals/{id}?wait=3")).await;
        assert!(upstream.writes().is_empty(), "{what}: {:?}", upstream.writes());
        assert_eq!((status, &last["code"]), (409, &json!("quarantined")), "{what}: {last}");
    }
}
