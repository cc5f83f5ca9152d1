//! Streams and long polls of one agent.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::gate::{http, send};
use crate::support::wait::eventually;
use crate::support::{Gate, GateDir, Reply, Upstream, raw};

/// How many streams the one agent opens.
const MANY: usize = 2_000;
/// Enough for any answer of a gate that answers at all.
const PATIENCE: Duration = Duration::from_secs(20);

/// A gate with one proposal of `bot` that waits for people.
async fn with_pending() -> (Upstream, Gate, String) {
    let upstream = Upstream::start().await;
    upstream.on("GET /items/i_1", Reply::json(200, &json!({ "price": 100, "currency": "EUR" })));
    let gate = GateDir::new(&upstream).serve_logging("info");
    let (status, body) = gate.propose("shop.price.set", json!({ "id": "i_1", "price": 50_000 })).await;
    assert_eq!(status, 202, "{body}");
    let id = body["id"].as_str().unwrap().to_owned();
    (upstream, gate, id)
}

/// Opens a stream of a proposal's changes and gives it with the status that it answered.
async fn follow(gate: &Gate, key: &str, id: &str) -> (TcpStream, u16) {
    let host = gate.agents.trim_start_matches("http://");
    let mut stream = raw::connect(&gate.agents).await;
    let request = format!(
        "GET /v1/proposals/{id}/events HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {key}\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut start = [0; 12];
    stream.read_exact(&mut start).await.unwrap();
    let status = String::from_utf8_lossy(&start[9..]).parse().unwrap();
    (stream, status)
}

/// Everything that a stream brings until it ends or says nothing for this long.
async fn rest(stream: &mut TcpStream, quiet: Duration) -> String {
    let (mut text, mut piece) = (Vec::new(), [0; 4_096]);
    while let Ok(Ok(n @ 1..)) = tokio::time::timeout(quiet, stream.read(&mut piece)).await {
        text.extend_from_slice(&piece[..n]);
    }
    String::from_utf8_lossy(&text).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_thousand_streams_of_one_agent_are_its_share_and_nobody_elses_b3() {
    let (_upstream, gate, id) = with_pending().await;
    let frank = gate.sign_in("frank").await;
    let key = gate.key("bot");
    let (mut held, mut refused) = (Vec::new(), 0);
    for _ in 0..MANY {
        match follow(&gate, &key, &id).await {
            (stream, 200) => held.push(stream),
            (_, status) => {
                assert_eq!(status, 429);
                refused += 1;
            }
        }
    }
    assert!(!held.is_empty() && refused > 0, "{} streams, {refused} refused", held.len());
    // Another agent's work and a person's go on, and each stream that is open still brings its change.
    let url = format!("{}/v1/proposals", gate.agents);
    let body =
        json!({ "action": "shop.note.add", "input": { "id": "i_1", "text": "x" }, "on_behalf_of": "ann" });
    let other = http().post(url).bearer_auth(gate.key("other")).header("content-type", "application/json");
    let answer = tokio::time::timeout(PATIENCE, send(other.body(body.to_string()))).await;
    assert_eq!(answer.expect("another agent is answered").0, 200);
    let rejected = async {
        let look = frank.look(&id).await;
        frank.post(&format!("/v1/proposals/{id}/reject"), &look).await
    };
    assert_eq!(tokio::time::timeout(PATIENCE, rejected).await.expect("a person is answered").0, 200);
    for stream in &mut held {
        let text = rest(stream, PATIENCE).await;
        assert!(text.contains(r#""state":"rejected""#), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_reads_nothing_while_other_proposals_move_b3() {
    let (_upstream, gate, id) = with_pending().await;
    let olga = gate.sign_in("olga").await;
    let key = gate.key("bot");
    let mut held = Vec::new();
    for _ in 0..32 {
        let (stream, status) = follow(&gate, &key, &id).await;
        assert_eq!(status, 200);
        held.push(stream);
    }
    let reads = async || olga.get("/v1/counts").await.1["reads"].as_u64().unwrap();
    let before = reads().await;
    for n in 0..20 {
        let (status, body) =
            gate.propose("shop.note.add", json!({ "id": "i_1", "text": format!("note {n}") })).await;
        assert_eq!(status, 200, "{body}");
    }
    let read = reads().await - before;
    // Each of the twenty moved twice. What they and these looks themselves read is little beside 32 streams each time.
    assert!(read < 20 * 32, "{read} reads");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_and_a_long_poll_of_a_disabled_agent_bring_nothing_more_b3_t05() {
    let (_upstream, gate, id) = with_pending().await;
    let frank = gate.sign_in("frank").await;
    let key = gate.key("bot");
    let (mut stream, status) = follow(&gate, &key, &id).await;
    assert_eq!(status, 200);
    assert!(rest(&mut stream, Duration::from_millis(500)).await.contains(r#""state":"pending""#));
    let url = format!("{}/v1/proposals/{id}?wait=30", gate.agents);
    let poll = tokio::spawn(send(http().get(url).bearer_auth(&key)));
    gate.dir.edit("directory.toml", "[agent.bot]\n", "[agent.bot]\ndisabled = true\n");
    gate.reload().await;
    let look = frank.look(&id).await;
    // That its agent is disabled may end the proposal by itself; either way it moves.
    frank.post(&format!("/v1/proposals/{id}/reject"), &look).await;
    eventually("the proposal is over", async || {
        frank.get(&format!("/v1/proposals/{id}")).await.1["state"]["state"] != "pending"
    })
    .await;
    let text = rest(&mut stream, Duration::from_secs(20)).await;
    assert!(!text.contains(r#""state""#), "{text}");
    let (status, body): (u16, Value) = poll.await.unwrap();
    assert_eq!(status, 401, "{body}");
}
