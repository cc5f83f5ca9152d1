//! Floods of proposals that become nothing: denied, invalid, dry runs, each with large evidence.

use serde_json::{Value, json};

use crate::support::gate::{http, send};
use crate::support::{Gate, GateDir, Upstream};

/// How many the one agent sends.
const MANY: usize = 600;
/// What `bot` may leave in one such flood, at the most: its bucket, and what comes back into it meanwhile.
const DATABASE_BYTES_MAX: u64 = 8 * 1024 * 1024;

fn evidence() -> Value {
    let piece = json!({ "title": "n", "body": "x".repeat(16 * 1024) });
    json!(vec![piece; 8])
}

/// One agent sends many of these; another is served in between. Gives how many got each status.
async fn flood(gate: &Gate, body: impl Fn(usize) -> Value) -> std::collections::BTreeMap<u16, u64> {
    let (url, client, key) = (format!("{}/v1/proposals", gate.agents), http(), gate.key("bot"));
    let mut answers = std::collections::BTreeMap::new();
    for n in 0..MANY {
        let request = client.post(&url).bearer_auth(&key).header("content-type", "application/json");
        let response = request.body(body(n).to_string()).send().await.unwrap();
        let status = response.status().as_u16();
        if status == 429 {
            assert!(response.headers().contains_key("retry-after"));
        }
        *answers.entry(status).or_insert(0) += 1;
        if n % 100 == 0 {
            let own = json!({ "action": "shop.item.read", "input": { "id": "i_1" }, "on_behalf_of": "ann" });
            let other =
                client.post(&url).bearer_auth(gate.key("other")).header("content-type", "application/json");
            let (status, body) = send(other.body(own.to_string())).await;
            assert_eq!(status, 200, "{body}");
        }
    }
    answers
}

/// Bytes of everything that the gate keeps.
fn kept(gate: &Gate) -> u64 {
    let files = std::fs::read_dir(gate.dir.path().join("state")).unwrap();
    files.filter_map(|f| f.ok()?.metadata().ok()).map(|m| m.len()).sum()
}

/// The entries of one kind in the log of a gate, which is stopped for it.
fn entries(gate: Gate, event: &str) -> Vec<Value> {
    gate.stop_and_verify().1.into_iter().filter(|entry| entry["event"] == event).collect()
}

/// How often this limit was reached by `bot`, as the aggregated entries say.
fn aggregated(entries: &[Value], limit: &str) -> u64 {
    let of_bot = entries.iter().filter(|e| e["data"]["agent"] == "bot");
    let reached = of_bot.flat_map(|e| e["data"]["reached"].as_array().unwrap().clone());
    reached.filter(|r| r["limit"] == limit).map(|r| r["times"].as_u64().unwrap()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_denied_proposals_leaves_a_few_and_a_count_b5_t29() {
    let upstream = Upstream::start().await;
    let gate = GateDir::new(&upstream).serve_logging("warn");
    let answers = flood(&gate, |n| {
        json!({ "action": "shop.item.delete", "input": { "id": format!("i_{n}") }, "on_behalf_of": "ann",
            "evidence": evidence() })
    })
    .await;
    assert!(answers[&403] >= 20 && answers[&429] >= 100, "{answers:?}");
    let (bytes, refused) = (kept(&gate), answers[&429]);
    assert!(bytes < DATABASE_BYTES_MAX, "{bytes} bytes are kept");
    let limited = entries(gate, "agent.limited");
    assert!(limited.len() <= 10, "{} entries", limited.len());
    assert_eq!(aggregated(&limited, "refusals") + aggregated(&limited, "proposals"), refused);
    assert!(upstream.writes().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_invalid_proposals_leaves_a_few_entries_and_a_count_b5() {
    let upstream = Upstream::start().await;
    let gate = GateDir::new(&upstream).serve_logging("warn");
    let answers = flood(&gate, |n| {
        json!({ "action": "shop.item.read", "input": { "id": n }, "on_behalf_of": "ann", "evidence": evidence() })
    })
    .await;
    assert!(answers[&422] >= 20 && answers[&429] >= 100, "{answers:?}");
    let refused = answers[&429];
    let entries = gate.stop_and_verify().1;
    let of =
        |event: &str| -> Vec<Value> { entries.iter().filter(|e| e["event"] == event).cloned().collect() };
    assert_eq!(u64::try_from(of("proposal.invalid").len()).unwrap(), answers[&422]);
    let limited = of("agent.limited");
    assert_eq!(aggregated(&limited, "refusals") + aggregated(&limited, "proposals"), refused);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_dry_runs_leaves_a_few_entries_and_a_count_b5() {
    let upstream = Upstream::start().await;
    let gate = GateDir::new(&upstream).serve_logging("warn");
    let answers = flood(&gate, |n| {
        json!({ "action": "shop.note.add", "input": { "id": format!("i_{n}"), "text": "x" }, "on_behalf_of": "ann",
            "dry_run": true, "evidence": evidence() })
    })
    .await;
    assert!(answers[&200] >= 20 && answers[&429] >= 100, "{answers:?}");
    let limited = entries(gate, "agent.limited");
    assert_eq!(aggregated(&limited, "dry_runs"), answers[&429]);
    assert!(upstream.writes().is_empty());
}
