//! What becomes of an allowed write when the upstream, its credential or the client misbehaves: one state, one
//! sentence, one entry for each step, and never a second call.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::Notify;

use crate::support::log::{count, events_of};
use crate::support::{Gate, GateDir, Reply, Upstream, raw};

const WRITE_SECRET: &str = "write-secret-0815-stuvwxyz";
const READ_SECRET: &str = "read-secret-4711-abcdefgh";

const SLOW: &str = r#"
[action."note.slow"]
title = "Add a note, soon"
description = "Write a note, but do not wait long for it."
groups = ["write"]
[action."note.slow".input]
id = { type = "string", pattern = "^i_[a-z0-9]{1,20}$", required = true }
[action."note.slow".resource]
type = "Item"
id = "${input.id}"
[action."note.slow".preview]
effects = ["Adds a note to item ${input.id}."]
[action."note.slow".request]
method = "POST"
path = "/slow/${input.id}"
encoding = "json"
body = { ref = "${proposal.id}" }
[action."note.slow".limits]
timeout = "1s"
"#;

/// A manifest of a second system without a credential.
fn system(name: &str, url: &str) -> String {
    format!(
        r#"
[system]
name = "{name}"
base_url = "{url}"
env = "support"
owner = "shop-team"
[action."thing.poke"]
title = "Poke a thing"
description = "Poke it."
groups = ["write"]
[action."thing.poke".input]
id = {{ type = "string", pattern = "^i_[a-z0-9]{{1,20}}$", required = true }}
[action."thing.poke".resource]
type = "Thing"
id = "${{input.id}}"
[action."thing.poke".preview]
effects = ["Pokes ${{input.id}}."]
[action."thing.poke".request]
method = "POST"
path = "/v1/proposals"
encoding = "json"
body = {{ id = "${{input.id}}" }}
"#
    )
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn answer(status: u16, kind: &str, body: &str) -> Reply {
    Reply::Answer(status, vec![("content-type", kind.to_owned())], body.to_owned())
}

/// Proposes a note on this item; gives the HTTP status and the proposal, wherever the answer holds it.
async fn note(gate: &Gate, id: &str) -> (u16, Value) {
    let (status, body) = gate.propose("shop.note.add", json!({ "id": id, "text": "hello" })).await;
    let proposal = if status >= 400 { body["proposal"].clone() } else { body };
    (status, proposal)
}

fn assert_end(name: &str, (status, proposal): &(u16, Value), end: &str) {
    let (state, cause) = end.split_once(' ').unwrap_or((end, ""));
    let expected = match state {
        "succeeded" => 200,
        _ => 424,
    };
    assert_eq!((proposal["state"].as_str(), *status), (Some(state), expected), "{name}: {proposal}");
    if !cause.is_empty() {
        assert_eq!(proposal["cause"], cause, "{name}: {proposal}");
        assert!(
            proposal["message"].as_str().is_some_and(|m| m.starts_with("NOT DONE") || state == "unknown")
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_of_an_upstream_has_one_meaning_and_is_asked_for_once_t77_t90() {
    let upstream = Upstream::start().await;
    let gate = GateDir::new(&upstream).serve();
    let large = format!("\"{}\"", "x".repeat(2 * 1024 * 1024));
    let rows: Vec<(&str, Reply, &str, Value)> = vec![
        ("200", Reply::json(200, &json!({ "n": 1 })), "succeeded", json!({ "n": 1 })),
        ("201", Reply::json(201, &json!({ "n": 1 })), "succeeded", json!({ "n": 1 })),
        ("no body", answer(204, "application/json", ""), "succeeded", Value::Null),
        ("html", answer(200, "text/html", "<b>ok</b>"), "succeeded", json!("<b>ok</b>")),
        ("not the JSON it says", answer(200, "application/json", "{oops"), "succeeded", json!("{oops")),
        ("400", Reply::json(400, &json!({ "e": 1 })), "failed upstream_refused", json!({ "e": 1 })),
        ("404", answer(404, "text/plain", "no"), "failed upstream_refused", json!("no")),
        ("422", Reply::json(422, &json!({ "e": 1 })), "failed upstream_refused", json!({ "e": 1 })),
        ("409", Reply::json(409, &json!({ "e": 1 })), "unknown unclear_status", json!({ "e": 1 })),
        ("429", Reply::json(429, &json!({ "e": 1 })), "unknown unclear_status", json!({ "e": 1 })),
        ("500", answer(500, "text/html", "<h1>x</h1>"), "unknown unclear_status", json!("<h1>x</h1>")),
        ("503", answer(503, "text/plain", ""), "unknown unclear_status", Value::Null),
        ("cut", Reply::Cut("{\"n\":"), "unknown unreadable_answer", Value::Null),
        ("2 MB", answer(200, "application/json", &large), "unknown unreadable_answer", Value::Null),
    ];
    let mut ended = Vec::new();
    for (number, (name, reply, end, result)) in rows.iter().enumerate() {
        let id = format!("i_{number}");
        upstream.on(&format!("POST /items/{id}/notes"), reply.clone());
        let answer = note(&gate, &id).await;
        assert_end(name, &answer, end);
        assert_eq!(answer.1["result"], *result, "{name}");
        assert_eq!(upstream.calls().len(), number + 1, "{name}");
        ended.push((answer.1["id"].as_str().unwrap().to_owned(), end.split(' ').next().unwrap()));
    }
    let (_, entries) = gate.stop_and_verify();
    for (id, state) in ended {
        let last = format!("proposal.{state}");
        assert_eq!(events_of(&entries, &id), ["proposal.allowed", "proposal.dispatched", &last]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_in_time_is_unknown_and_is_never_sent_again_t90() {
    let upstream = Upstream::start().await;
    let dir = GateDir::new(&upstream);
    dir.write("actions/shop.toml", &format!("{}{SLOW}", dir.read("actions/shop.toml")));
    let gate = dir.serve();
    upstream.on("POST /slow/i_1", Reply::Hang);
    let (status, body) = gate.propose("shop.note.slow", json!({ "id": "i_1" })).await;
    let answer = (status, body["proposal"].clone());
    assert_end("a hang", &answer, "unknown timed_out");
    let id = answer.1["id"].as_str().unwrap().to_owned();
    let gate = gate.kill().serve();
    assert_eq!(gate.settled(&id).await["state"], "unknown");
    let (_, entries) = gate.stop_and_verify();
    assert_eq!(events_of(&entries, &id), ["proposal.allowed", "proposal.dispatched", "proposal.unknown"]);
    assert_eq!(upstream.calls().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_is_not_there_failed_and_nothing_was_sent() {
    let upstream = Upstream::start().await;
    let dir = GateDir::new(&upstream);
    let nobody = format!("http://127.0.0.1:{}", free_port());
    dir.edit("actions/shop.toml", &upstream.url(), &nobody);
    dir.edit("countersign.toml", &upstream.url(), &nobody);
    let gate = dir.serve();
    assert_end("refused", &note(&gate, "i_1").await, "failed not_connected");
    let (_, entries) = gate.stop_and_verify();
    assert_eq!(count(&entries, "proposal.failed"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_never_followed_and_takes_no_credential_along_t67() {
    let (upstream, elsewhere) = (Upstream::start().await, Upstream::start().await);
    let gate = GateDir::new(&upstream).serve();
    let mut calls = 0;
    for status in [301, 302, 303, 307, 308] {
        for to in [format!("{}/stolen", elsewhere.url()), "/stolen".to_owned(), "//127.0.0.1:1/".to_owned()] {
            calls += 1;
            let id = format!("i_{calls}");
            let reply = Reply::Answer(status, vec![("location", to.clone())], String::new());
            upstream.on(&format!("POST /items/{id}/notes"), reply.clone());
            let end = if status < 307 { "unknown redirected" } else { "failed redirected" };
            assert_end(&format!("{status} to {to}"), &note(&gate, &id).await, end);
            assert_eq!(upstream.calls().len(), calls);
        }
    }
    let reply = Reply::Answer(302, vec![("location", elsewhere.url())], String::new());
    upstream.on("GET /items/i_1", reply);
    let (status, body) = gate.propose("shop.price.set", json!({ "id": "i_1", "price": 1 })).await;
    assert_eq!((status, &body["code"]), (502, &json!("preview_failed")), "{body}");
    assert_eq!(upstream.calls().len(), calls + 1);
    assert_eq!(elsewhere.calls().len(), 0, "nothing follows a redirect");
    gate.stop_and_verify();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_that_comes_back_is_removed_t82() {
    let upstream = Upstream::start().await;
    let gate = GateDir::new(&upstream).serve();
    upstream.on("POST /items/i_1/notes", Reply::Echo);
    let (status, proposal) = note(&gate, "i_1").await;
    assert_eq!(status, 200, "{proposal}");
    assert_eq!(proposal["result"]["authorization"], "Bearer [removed by countersign]", "{proposal}");
    let page = format!("<pre>Authorization: Bearer {WRITE_SECRET}</pre>");
    upstream.on("POST /items/i_2/notes", answer(500, "text/html", &page));
    let (_, proposal) = note(&gate, "i_2").await;
    assert_eq!(proposal["result"], "<pre>Authorization: Bearer [removed by countersign]</pre>");
    let record = json!({ "id": "i_3", "price": 5, "currency": "usd", "debug": READ_SECRET });
    upstream.on("GET /items/i_3", Reply::json(200, &record));
    let (status, read) = gate.propose("shop.item.read", json!({ "id": "i_3" })).await;
    assert_eq!((status, &read["result"]["debug"]), (200, &json!("[removed by countersign]")), "{read}");
    assert!(gate.operator_log().contains("sent the credential back"));
    gate.stop_and_verify();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preview_that_cannot_be_read_is_said_and_noted_and_nothing_is_written() {
    let upstream = Upstream::start().await;
    let gate = GateDir::new(&upstream).serve();
    let replies = [
        answer(500, "text/html", "<h1>trace of the upstream</h1>"),
        answer(403, "application/json", "{}"),
        answer(200, "text/html", "<h1>x</h1>"),
        answer(200, "application/json", "{oops"),
        Reply::Cut("{\"price\":"),
        Reply::Hang,
    ];
    let rounds = replies.len();
    for (number, reply) in replies.into_iter().enumerate() {
        let id = format!("i_{number}");
        upstream.on(&format!("GET /items/{id}"), reply);
        let (status, body) = gate.propose("shop.price.set", json!({ "id": id, "price": 1 })).await;
        assert_eq!((status, &body["code"]), (502, &json!("preview_failed")), "{number}: {body}");
        assert!(!body.to_string().contains("trace of the upstream"), "{body}");
    }
    // A record without what the effect sentence needs cannot be rendered.
    upstream.on("GET /items/i_x", Reply::json(200, &json!({ "id": "i_x" })));
    let (status, body) = gate.propose("shop.price.set", json!({ "id": "i_x", "price": 1 })).await;
    assert_eq!((status, &body["code"]), (422, &json!("not_renderable")), "{body}");
    assert_eq!(upstream.writes().len(), 0);
    let (_, entries) = gate.stop_and_verify();
    assert_eq!(count(&entries, "proposal.invalid"), rounds + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_credential_nothing_is_sent_and_the_proposal_says_so_t86() {
    let upstream = Upstream::start().await;
    let gate = GateDir::new(&upstream).serve();
    let file = gate.dir.path().join("secrets/write");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let readable = note(&gate, "i_1").await;
    assert_end("others may read it", &readable, "failed credential_unavailable");
    std::fs::remove_file(&file).unwrap();
    let missing = note(&gate, "i_1").await;
    assert_end("it is missing", &missing, "failed credential_unavailable");
    std::fs::create_dir(&file).unwrap();
    assert_end("it is a folder", &note(&gate, "i_1").await, "failed credential_unavailable");
    assert_eq!(upstream.calls().len(), 0);
    let id = missing.1["id"].as_str().unwrap();
    assert_eq!(gate.settled(id).await["cause"], "credential_unavailable");

    let read = gate.dir.path().join("secrets/read");
    std::fs::remove_file(read).unwrap();
    let (status, body) = gate.propose("shop.price.set", json!({ "id": "i_1", "price": 1 })).await;
    assert_eq!((status, &body["code"]), (502, &json!("preview_failed")), "{body}");
    assert_eq!(upstream.calls().len(), 0);
    let id = id.to_owned();
    let (_, entries) = gate.stop_and_verify();
    assert_eq!(events_of(&entries, &id), ["proposal.allowed", "proposal.dispatched", "proposal.failed"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_special_address_is_refused_unless_it_is_allowed_t65() {
    let upstream = Upstream::start().await;
    let dir = GateDir::new(&upstream);
    dir.edit("countersign.toml", "allow = [\"127.0.0.1/32\"]", "allow = []");
    let gate = dir.serve();
    assert_end("loopback", &note(&gate, "i_1").await, "failed address_refused");
    let (status, body) = gate.propose("shop.price.set", json!({ "id": "i_1", "price": 1 })).await;
    assert_eq!((status, &body["code"]), (502, &json!("preview_failed")), "{body}");
    assert_eq!(upstream.calls().len(), 0);
    gate.stop_and_verify();
}

#[tokio::test(flavor = "multi_thread")]
async fn no_action_reaches_the_gate_itself_whatever_is_allowed_t22() {
    let upstream = Upstream::start().await;
    let dir = GateDir::new(&upstream);
    let (agents, people) = (free_port(), free_port());
    dir.edit("countersign.toml", "agents = \"127.0.0.1:0\"", &format!("agents = \"127.0.0.1:{agents}\""));
    dir.edit("countersign.toml", "people = \"127.0.0.1:0\"", &format!("people = \"127.0.0.1:{people}\""));
    dir.edit("countersign.toml", "allow = [\"127.0.0.1/32\"]", "allow = [\"127.0.0.0/8\", \"::1/128\"]");
    let names = [
        ("agents", format!("http://127.0.0.1:{agents}")),
        ("people", format!("http://127.0.0.1:{people}")),
        ("byname", format!("http://localhost:{agents}")),
        ("peoplebyname", format!("http://localhost:{people}")),
    ];
    for (name, url) in &names {
        dir.write(&format!("actions/{name}.toml"), &system(name, url));
    }
    let gate = dir.serve();
    for (name, url) in &names {
        let (status, body) = gate.propose(&format!("{name}.thing.poke"), json!({ "id": "i_1" })).await;
        assert_end(url, &(status, body["proposal"].clone()), "failed address_refused");
    }
    gate.stop_and_verify();
}

fn request(gate: &Gate, id: &str) -> String {
    let body =
        json!({ "action": "shop.note.add", "input": { "id": id, "text": "x" }, "on_behalf_of": "ann" });
    let (host, key, body) = (gate.agents.trim_start_matches("http://"), gate.key("bot"), body.to_string());
    format!(
        "POST /v1/proposals HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {key}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_hangs_up_changes_nothing_t94() {
    let upstream = Upstream::start().await;
    let gate = GateDir::new(&upstream).serve();
    let go = Arc::new(Notify::new());
    upstream.on("POST /items/i_1/notes", Reply::Held(Arc::clone(&go)));
    let mut stream = raw::connect(&gate.agents).await;
    stream.write_all(request(&gate, "i_1").as_bytes()).await.unwrap();
    upstream.until(1).await;
    drop(stream);
    // The gate has noticed once another connection, opened later, is answered.
    assert_eq!(gate.agent_get("/v1/proposals").await.0, 200);
    go.notify_one();
    let sent: Value = serde_json::from_str(&upstream.calls()[0].body).unwrap();
    let done = gate.settled(sent["ref"].as_str().unwrap()).await;
    assert_eq!((&done["state"], &done["result"]), (&json!("succeeded"), &json!({ "ok": true })), "{done}");

    for _ in 0..30 {
        let mut stream = raw::connect(&gate.agents).await;
        stream.write_all(request(&gate, "i_2").as_bytes()).await.unwrap();
    }
    let (_, entries) = gate.stop_and_verify();
    let allowed: Vec<&Value> = entries.iter().filter(|e| e["event"] == "proposal.allowed").collect();
    for entry in &allowed {
        // The same request, sent again while the first one is open, joins it.
        let mut events = events_of(&entries, entry["proposal"].as_str().unwrap());
        events.retain(|event| event != "proposal.joined");
        assert_eq!(events, ["proposal.allowed", "proposal.dispatched", "proposal.succeeded"]);
    }
    assert_eq!(upstream.calls().len(), allowed.len(), "one call for each, and none without a record");
}

/// From the first byte to the outcome, wherever the client goes away, the same becomes of the request as if it had
/// stayed.
#[tokio::test(flavor = "multi_thread")]
async fn wherever_a_client_hangs_up_the_same_becomes_of_its_proposal_t94() {
    let upstream = Upstream::start().await;
    let gate = GateDir::new(&upstream).serve();
    for n in 0..60 {
        let mut stream = raw::connect(&gate.agents).await;
        stream.write_all(request(&gate, &format!("i_{n}")).as_bytes()).await.unwrap();
        // A request takes a few milliseconds: the moments are spread over it and past its end.
        tokio::time::sleep(std::time::Duration::from_micros(n * 250)).await;
        drop(stream);
    }
    let (_, entries) = gate.stop_and_verify();
    let allowed: Vec<&Value> = entries.iter().filter(|e| e["event"] == "proposal.allowed").collect();
    assert!(allowed.len() > 30, "{} of 60 were recorded", allowed.len());
    for entry in &allowed {
        let events = events_of(&entries, entry["proposal"].as_str().unwrap());
        assert_eq!(events, ["proposal.allowed", "proposal.dispatched", "proposal.succeeded"]);
    }
    assert_eq!(upstream.calls().len(), allowed.len(), "one call for each, and none without a record");
}
