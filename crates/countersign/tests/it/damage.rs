//! Damaged rows and failing upstreams: each has one clear answer or alarm, and everybody else is served.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::gate::{http, send};
use crate::support::wait::eventually;
use crate::support::{Gate, GateDir, Reply, Upstream};

fn item() -> Reply {
    Reply::json(200, &json!({ "id": "i_1", "price": 5_000, "currency": "usd" }))
}

/// A pending proposal that needs one of finance.
async fn pending(gate: &Gate, price: u32) -> String {
    let (status, body) = gate.propose("shop.price.set", json!({ "id": "i_1", "price": price })).await;
    assert_eq!((status, &body["state"]), (202, &json!("pending")), "{body}");
    body["id"].as_str().unwrap().to_owned()
}

/// Whether an allowed action goes through, and the people's pages are there.
async fn is_served(gate: &Gate, text: &str) {
    let (status, body) = gate.propose("shop.note.add", json!({ "id": "i_1", "text": text })).await;
    assert_eq!((status, &body["state"]), (200, &json!("succeeded")), "{text}: {body}");
}

async fn people_are_served(gate: &Gate, olga: &crate::support::Person, what: &str) {
    for path in ["/v1/proposals", "/v1/counts", "/v1/log/entries", "/v1/log/checkpoint", "/v1/me"] {
        let (status, body) = olga.get(path).await;
        assert_eq!(status, 200, "{what}: {path}: {body}");
    }
    let (status, list) = gate.agent_get("/v1/proposals").await;
    assert_eq!(status, 200, "{what}: {list}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_row_of_any_table_has_one_answer_and_everybody_else_is_served() {
    let upstream = Upstream::start().await;
    upstream.on("GET /items/i_1", item());
    let gate = GateDir::new(&upstream).serve();
    let (olga, frank) = (gate.sign_in("olga").await, gate.sign_in("frank").await);
    let bad = pending(&gate, 20_000).await;
    let good = pending(&gate, 30_000).await;
    let key = |key: &'static str, text: &'static str| {
        let body = json!({ "action": "shop.note.add", "input": { "id": "i_1", "text": text }, "on_behalf_of": "ann" });
        let request = http().post(format!("{}/v1/proposals", gate.agents)).bearer_auth(gate.key("bot"));
        send(
            request
                .header("content-type", "application/json")
                .header("idempotency-key", key)
                .body(body.to_string()),
        )
    };
    assert_eq!(key("one", "keyed").await.0, 200);

    // No UTF-8 where text is: other rows are still read.
    gate.dir.change("UPDATE proposal SET header = CAST(x'ff00ff' AS TEXT) WHERE id = ?", &[&bad]);
    let (status, body) = gate.agent_get(&format!("/v1/proposals/{bad}")).await;
    assert_eq!((status, &body["code"]), (409, &json!("quarantined")), "{body}");
    people_are_served(&gate, &olga, "proposal").await;
    is_served(&gate, "proposal").await;

    gate.dir.change("UPDATE idempotency SET request = 'damaged' WHERE key = ?", &["one"]);
    let (status, body) = key("one", "keyed").await;
    assert_eq!((status, &body["code"]), (500, &json!("internal")), "{body}");
    assert!(body["detail"].as_str().unwrap().contains("nothing was recorded"), "{body}");
    assert_eq!(key("two", "another").await.0, 200);

    gate.dir.change("UPDATE tally SET n = -1000 WHERE state = ? AND shard = 0", &["pending"]);
    people_are_served(&gate, &olga, "tally").await;
    is_served(&gate, "tally").await;

    gate.dir.change("UPDATE session SET person = 'frank', seen = 9 WHERE person = ?", &["olga"]);
    assert_eq!(olga.get("/v1/me").await.0, 401);
    assert_eq!(frank.get("/v1/me").await.0, 200);

    let (status, answer) = frank.approve(&good).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(gate.settled(&good).await["state"], "succeeded");

    // What a dispatch rests on: nothing is sent, and the words say why.
    for (table, sql, words) in [
        (
            "active_rules",
            "UPDATE active_rules SET epoch = 77 WHERE id = 1 AND ? = ''",
            "which rules are in force",
        ),
        ("process", "DELETE FROM process WHERE ? = ''", "this process's row"),
    ] {
        let before = upstream.writes().len();
        gate.dir.change(sql, &[""]);
        let (status, body) = gate.propose("shop.note.add", json!({ "id": "i_1", "text": table })).await;
        assert_eq!((status, &body["code"]), (503, &json!("unavailable")), "{table}: {body}");
        assert!(body["detail"].as_str().unwrap().contains(words), "{table}: {body}");
        assert_eq!(upstream.writes().len(), before, "{table}");
        gate.signal("HUP");
        if table == "active_rules" {
            let again = async {
                while gate.propose("shop.note.add", json!({ "id": "i_1", "text": "again" })).await.0 != 200 {}
            };
            tokio::time::timeout(Duration::from_secs(20), again).await.expect("a reload puts it right");
        }
    }
    let gate = gate.kill().serve();
    is_served(&gate, "after a restart").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_was_put_back_is_found_by_its_log_entries_a8() {
    let upstream = Upstream::start().await;
    upstream.on("GET /items/i_1", item());
    let gate = GateDir::new(&upstream).serve();
    let frank = gate.sign_in("frank").await;
    let id = pending(&gate, 20_000).await;
    let shown = frank.look(&id).await;
    let columns = "version, state, due, intent, join_key, attempt, header, mac";
    let copy = format!("CREATE TABLE copied AS SELECT {columns} FROM proposal WHERE id = ?");
    gate.dir.query(&copy, &[&id]);
    let (status, answer) = frank.post(&format!("/v1/proposals/{id}/approve"), &shown).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(gate.settled(&id).await["state"], "succeeded");
    // The row fits its own code: only the log says that it is of yesterday.
    let put_back = format!("UPDATE proposal SET ({columns}) = (SELECT {columns} FROM copied) WHERE id = ?");
    gate.dir.change(&put_back, &[&id]);
    gate.dir.change("DELETE FROM proposal_part WHERE name = 'response' AND proposal = ?", &[&id]);
    let (status, answer) = frank.post(&format!("/v1/proposals/{id}/approve"), &shown).await;
    assert_eq!((status, &answer["code"]), (409, &json!("quarantined")), "{answer}");
    assert!(gate.operator_log().contains("the log leads to its version"), "{}", gate.operator_log());
    assert_eq!(upstream.writes().len(), 1);
    is_served(&gate, "everybody else").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_approved_waits_for_an_upstream_that_is_down_and_not_for_one_that_says_no() {
    let upstream = Upstream::start().await;
    for (answer, expect) in [(503, "succeeded"), (429, "succeeded"), (404, "refused")] {
        upstream.on("GET /items/i_1", item());
        let gate = GateDir::new(&upstream).serve();
        let frank = gate.sign_in("frank").await;
        let id = pending(&gate, 20_000).await;
        let shown = frank.look(&id).await;
        // Old enough to be read again before the call.
        tokio::time::sleep_until(tokio::time::Instant::now() + Duration::from_millis(2_100)).await;
        upstream.on("GET /items/i_1", Reply::json(answer, &json!({})));
        let (status, approved) = frank.post(&format!("/v1/proposals/{id}/approve"), &shown).await;
        assert_eq!(status, 200, "{approved}");
        let noticed = async {
            while !gate.operator_log().contains("not sent yet") && state(&gate, &id).await == "ready" {}
        };
        tokio::time::timeout(Duration::from_secs(20), noticed).await.unwrap();
        upstream.on("GET /items/i_1", item());
        let found = gate.settled(&id).await;
        assert_eq!(found["state"], expect, "{answer}: {found}");
    }
    assert_eq!(upstream.writes().len(), 2);
}

async fn state(gate: &Gate, id: &str) -> Value {
    gate.agent_get(&format!("/v1/proposals/{id}")).await.1["state"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_is_unclear_about_the_call_leaves_it_unknown_and_is_never_asked_again() {
    let upstream = Upstream::start().await;
    let gate = GateDir::new(&upstream).serve();
    for (answer, status, state) in [(404, 424, "failed"), (429, 424, "unknown"), (503, 424, "unknown")] {
        upstream.on("POST /items/i_1/notes", Reply::json(answer, &json!({})));
        let before = upstream.writes().len();
        let text = format!("answered {answer}");
        let (got, body) = gate.propose("shop.note.add", json!({ "id": "i_1", "text": text })).await;
        assert_eq!((got, &body["proposal"]["state"]), (status, &json!(state)), "{body}");
        assert_eq!(upstream.writes().len(), before + 1);
        // Without a key, an equal request gets what nobody knows about; what certainly failed may be tried again.
        let (_, again) = gate.propose("shop.note.add", json!({ "id": "i_1", "text": text })).await;
        let same = again["proposal"]["id"] == body["proposal"]["id"];
        assert_eq!(same, state == "unknown", "{again}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_recorded_is_the_answer_when_waiting_for_it_fails() {
    let upstream = Upstream::start().await;
    upstream.on("GET /items/i_1", item());
    let gate = GateDir::new(&upstream).serve();
    let known = async || gate.agent_get("/v1/proposals").await.1["proposals"].as_array().map(Vec::len);
    let waiting = |price: u32| {
        let body = json!({ "action": "shop.price.set", "input": { "id": "i_1", "price": price }, "on_behalf_of": "ann" });
        let request =
            http().post(format!("{}/v1/proposals?wait=3", gate.agents)).bearer_auth(gate.key("bot"));
        send(request.header("content-type", "application/json").body(body.to_string()))
    };
    // It was recorded, and while its agent waits nothing can be read.
    let away = async {
        eventually("it is recorded", async || known().await == Some(1)).await;
        gate.dir.query("ALTER TABLE proposal RENAME TO away", &[]);
    };
    let ((status, body), ()) = tokio::join!(waiting(20_000), away);
    gate.dir.query("ALTER TABLE away RENAME TO proposal", &[]);
    assert_eq!((status, &body["state"]), (202, &json!("pending")), "{body}");
    let id = body["id"].as_str().unwrap();
    assert_eq!(gate.agent_get(&format!("/v1/proposals/{id}")).await.1["state"], "pending");
    // One that turns out to be damaged is said to be.
    let damaged = async {
        eventually("it is recorded", async || known().await == Some(2)).await;
        gate.dir.change("UPDATE proposal SET header = '{' WHERE id <> ?", &[id]);
    };
    let ((status, body), ()) = tokio::join!(waiting(30_000), damaged);
    assert_eq!((status, &body["code"]), (409, &json!("quarantined")), "{body}");
    assert!(!body["message"].as_str().unwrap().contains("NOT DONE"), "{body}");
}
