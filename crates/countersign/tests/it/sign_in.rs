//! Sessions and sign-in links that the gate did not write, and what signing in leaves in the log.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use countersign_core::digest::{Digest, domain};
use serde_json::{Value, json};

use crate::support::gate::{http, send};
use crate::support::log::count;
use crate::support::{Gate, GateDir, Reply, Upstream};

const HOUR: Duration = Duration::from_hours(1);

/// Microseconds since the epoch, this long from now.
fn in_future(by: Duration) -> String {
    (SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + by).as_micros().to_string()
}

/// The digest under which a token is stored. Anybody can compute it.
fn stored(token: &str) -> String {
    Digest::of(domain::TOKEN, token.as_bytes()).to_string()
}

async fn post(gate: &Gate, path: &str, session: &str, body: &Value) -> (u16, Value) {
    let request = http().post(format!("{}{path}", gate.people)).bearer_auth(session);
    send(request.header("content-type", "application/json").body(body.to_string())).await
}

async fn use_link(gate: &Gate, link: &str) -> (u16, Value) {
    let request = http().post(format!("{}/v1/sign-in", gate.people));
    let body = json!({ "link": link }).to_string();
    send(request.header("content-type", "application/json").body(body)).await
}

fn forge_session(gate: &Gate, token: &str, person: &str) {
    let (now, end) = (in_future(Duration::ZERO), in_future(HOUR));
    let sql = "INSERT INTO session (token, person, created, seen, expires, mac) VALUES (?, ?, ?, ?, ?, zeroblob(36))";
    gate.dir.change(sql, &[&stored(token), person, &now, &now, &end]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_somebody_wrote_into_the_database_approves_nothing_a8() {
    let upstream = Upstream::start().await;
    upstream
        .on("GET /items/i_1", Reply::json(200, &json!({ "id": "i_1", "price": 5_000, "currency": "usd" })));
    let gate = GateDir::new(&upstream).serve();
    let (frank, mallory) = (gate.sign_in("frank").await, gate.sign_in("mallory").await);
    let (status, body) = gate.propose("shop.price.set", json!({ "id": "i_1", "price": 20_000 })).await;
    assert_eq!(status, 202, "{body}");
    let id = body["id"].as_str().unwrap();
    let shown = frank.look(id).await;
    let approve = format!("/v1/proposals/{id}/approve");

    let forged = format!("css_{}", "ab".repeat(32));
    forge_session(&gate, &forged, "frank");
    let (status, answer) = post(&gate, &approve, &forged, &shown).await;
    assert_eq!(status, 401, "a session that the gate did not open approved: {answer}");
    // A true session under another name, a longer one, and one whose columns are no text at all.
    let changes = [
        "UPDATE session SET person = 'frank' WHERE token = ?",
        "UPDATE session SET person = 'mallory', expires = expires + 1 WHERE token = ?",
        "UPDATE session SET person = CAST(x'ff' AS TEXT) WHERE token = ?",
    ];
    for sql in changes {
        gate.dir.change(sql, &[&stored(&mallory.session)]);
        for _ in 0..2 {
            let (status, answer) = post(&gate, &approve, &mallory.session, &shown).await;
            assert_eq!(status, 401, "{sql}: {answer}");
        }
    }
    assert!(upstream.writes().is_empty());
    // Everybody else is served, and the operator is told once for each row.
    assert_eq!(frank.get("/v1/me").await.0, 200);
    let alarms = gate.operator_log().matches("was not written by this gate").count();
    assert_eq!(alarms, 2, "{}", gate.operator_log());
    assert_eq!(frank.get("/v1/counts").await.1["altered_sign_in_rows"], 7);
    assert_eq!(frank.approve(id).await.0, 200);
    assert_eq!(gate.settled(id).await["state"], "succeeded");
    gate.stop_with_sound_log();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_link_that_somebody_wrote_into_the_database_opens_no_session_a8() {
    let upstream = Upstream::start().await;
    let gate = GateDir::new(&upstream).serve();
    let frank = gate.sign_in("frank").await;
    let forged = format!("csl_{}", "cd".repeat(32));
    let sql = "INSERT INTO link (token, person, expires, mac) VALUES (?, 'frank', ?, zeroblob(36))";
    gate.dir.change(sql, &[&stored(&forged), &in_future(HOUR)]);
    let (status, answer) = use_link(&gate, &forged).await;
    assert_eq!(status, 401, "a link that the gate did not make opened a session: {answer}");
    let sessions = gate.dir.query("SELECT person FROM session", &[]);
    assert_eq!(sessions.len(), 1, "{sessions:?}");
    // A true link that was made out to another person.
    let output = gate.dir.run(&["person", "link", "mallory", "."]);
    let link = String::from_utf8(output.stdout).unwrap();
    let token = link.trim().rsplit('/').next().unwrap();
    gate.dir.change("UPDATE link SET person = 'frank' WHERE token = ?", &[&stored(token)]);
    assert_eq!(use_link(&gate, token).await.0, 401);
    assert_eq!(frank.get("/v1/me").await.0, 200);
    let alarms = gate.operator_log().matches("was not written by this gate").count();
    assert_eq!(alarms, 2, "{}", gate.operator_log());
}

#[tokio::test(flavor = "multi_thread")]
async fn links_sign_ins_refusals_and_sign_outs_are_in_the_log_and_no_token_is() {
    let upstream = Upstream::start().await;
    let gate = GateDir::new(&upstream).serve();
    let frank = gate.sign_in("frank").await;
    let guessed = format!("csl_{}", "ef".repeat(32));
    let began = SystemTime::now();
    for _ in 0..60 {
        assert_eq!(use_link(&gate, &guessed).await.0, 401);
    }
    let seconds = usize::try_from(began.elapsed().unwrap().as_secs()).unwrap() + 1;
    assert_eq!(frank.post("/v1/sign-out", &json!({})).await.0, 200);
    assert_eq!(frank.get("/v1/me").await.0, 401);
    let (dir, entries) = gate.stop_and_verify();
    let of = |event: &str| entries.iter().find(|e| e["event"] == event).cloned().unwrap_or_default();
    assert_eq!(of("person.link_made")["data"]["person"], "frank");
    assert_eq!(of("person.signed_in")["actor"]["id"], "frank");
    assert_eq!(of("person.signed_out")["actor"]["id"], "frank");
    let refused = count(&entries, "person.sign_in_refused");
    assert!((1..=5 * (seconds + 1)).contains(&refused), "{refused} in {seconds} s");
    let export = String::from_utf8(dir.exported()).unwrap();
    for secret in [&guessed[4..], &stored(&guessed)[7..], &frank.session[4..]] {
        assert!(!export.contains(secret), "{secret}");
    }
}
