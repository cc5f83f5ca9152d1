//! Calls that never come back, of one agent.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::support::gate::{http, send};
use crate::support::{Gate, GateDir, Reply, Upstream};

/// How many calls the one agent wants at once.
const MANY: usize = 4_096;
/// Enough for any answer of a gate that answers at all.
const PATIENCE: Duration = Duration::from_secs(20);

/// A proposal of this agent, on a connection of its own, whose answer nobody waits for.
async fn begin(gate: &Gate, key: &str, body: &Value) -> Option<TcpStream> {
    let host = gate.agents.trim_start_matches("http://");
    let body = body.to_string();
    let request = format!(
        "POST /v1/proposals HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {key}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(host).await.ok()?;
    stream.write_all(request.as_bytes()).await.ok()?;
    Some(stream)
}

/// A proposal of another agent, with its answer.
async fn propose_as_other(gate: &Gate, action: &str, input: Value) -> (u16, Value) {
    let body = json!({ "action": action, "input": input, "on_behalf_of": "ann" });
    let request = http().post(format!("{}/v1/proposals", gate.agents)).bearer_auth(gate.key("other"));
    let request = request.header("content-type", "application/json").body(body.to_string());
    tokio::time::timeout(PATIENCE, send(request)).await.expect("another agent is answered")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hung_calls_of_one_agent_leave_the_others_and_people_served_b2() {
    let upstream = Upstream::start().await;
    upstream.on("POST /items/i_1/notes", Reply::Hang);
    upstream.on("GET /items/i_2", Reply::json(200, &json!({ "price": 100, "currency": "EUR" })));
    let dir = GateDir::new(&upstream);
    // Longer than this test takes, or the calls are given up in the middle of it.
    let request = "[action.\"note.add\".request]";
    dir.edit(
        "actions/shop.toml",
        request,
        &format!("[action.\"note.add\".limits]\ntimeout = \"120s\"\n{request}"),
    );
    let gate = dir.serve_logging("warn");
    let frank = gate.sign_in("frank").await;
    let (status, pending) =
        propose_as_other(&gate, "shop.price.set", json!({ "id": "i_2", "price": 50_000 })).await;
    assert_eq!(status, 202, "{pending}");
    let id = pending["id"].as_str().unwrap().to_owned();

    let key = gate.key("bot");
    let mut held = Vec::new();
    for n in 0..MANY {
        let input = json!({ "id": "i_1", "text": format!("note {n}") });
        let body = json!({ "action": "shop.note.add", "input": input, "on_behalf_of": "ann" });
        held.extend(begin(&gate, &key, &body).await);
    }
    // Everything that one agent may take is taken when no more of its calls arrive.
    let mut before = 0;
    while upstream.calls().len() > before || before < 64 {
        before = upstream.calls().len();
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
    let (status, body) = propose_as_other(&gate, "shop.item.read", json!({ "id": "i_2" })).await;
    assert_eq!(status, 200, "{body}");
    let (status, body) =
        tokio::time::timeout(PATIENCE, frank.approve(&id)).await.expect("a person is answered");
    assert_eq!(status, 200, "{body}");
    crate::support::wait::eventually("what was approved is sent", async || {
        upstream.writes().iter().any(|call| call.method == "PUT")
    })
    .await;
    // The one agent is told which limit it has reached, and when to come back.
    let body = json!({ "action": "shop.item.read", "input": { "id": "i_2" }, "on_behalf_of": "ann" });
    let url = format!("{}/v1/proposals", gate.agents);
    let request = http().post(url).bearer_auth(&key).header("content-type", "application/json");
    let response = request.body(body.to_string()).send().await.unwrap();
    assert_eq!(response.status(), 429);
    assert!(response.headers().contains_key("retry-after"));
    let problem: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
    assert_eq!(problem["code"], "limit_reached", "{problem}");
    drop(held);
}
