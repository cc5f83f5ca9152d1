//! Lists over much data, and an inbox that one agent fills.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::gate::{http, send};
use crate::support::{Gate, GateDir, Reply, Upstream};

/// Bytes of one answer that an upstream gives, and the gate keeps.
const RESULT_BYTES: usize = 600 * 1024;
/// Proposals with such an answer.
const PROPOSALS: usize = 60;

/// The most memory that the gate has had, in bytes.
fn peak(gate: &Gate) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", gate.pid())).unwrap();
    let line = status.lines().find(|l| l.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_of_summaries_and_24_at_once_take_little_memory_b4() {
    let upstream = Upstream::start().await;
    let piece = "x".repeat(60 * 1024);
    let large = json!({ "text": vec![piece.as_str(); RESULT_BYTES / piece.len()] });
    let gate = GateDir::new(&upstream).serve_logging("warn");
    for n in 0..PROPOSALS {
        upstream.on(&format!("GET /items/i_{n}"), Reply::json(200, &large));
        let (status, body) = gate.propose("shop.item.read", json!({ "id": format!("i_{n}") })).await;
        assert_eq!(status, 200, "{body}");
    }
    // A page of such large ones ends early, and the next goes on.
    let (mut items, mut path): (Vec<Value>, String) = (Vec::new(), "/v1/proposals?limit=200".to_owned());
    loop {
        let (status, page) = gate.agent_get(&path).await;
        assert_eq!(status, 200, "{page}");
        items.extend(page["proposals"].as_array().unwrap().iter().cloned());
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/v1/proposals?limit=200&before={next}");
    }
    assert_eq!(items.len(), PROPOSALS);
    let bytes = json!(items).to_string().len();
    assert!(bytes < PROPOSALS * 2_048, "{bytes} bytes for {PROPOSALS} summaries");
    assert_eq!(items[0]["state"], "succeeded");
    assert_eq!(items[0]["action"], "shop.item.read");
    assert!(items[0].get("result").is_none(), "{}", items[0]);

    let olga = gate.sign_in("olga").await;
    let before = peak(&gate);
    let lists = (0..24).map(|n| {
        let (url, token) =
            if n % 2 == 0 { (&gate.agents, gate.key("bot")) } else { (&gate.people, olga.session.clone()) };
        send(http().get(format!("{url}/v1/proposals?limit=200")).bearer_auth(token))
    });
    for (status, page) in join_all(lists).await {
        assert!(status == 200 && !page["proposals"].as_array().unwrap().is_empty(), "{page}");
    }
    let grown = peak(&gate).saturating_sub(before);
    assert!(grown < 64 * 1024 * 1024, "24 lists took {} MiB", grown / 1024 / 1024);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_inbox_shows_the_proposals_of_every_agent_however_many_one_of_them_has_b7() {
    let upstream = Upstream::start().await;
    upstream.on("GET /items/i_1", Reply::json(200, &json!({ "price": 100, "currency": "EUR" })));
    let gate = GateDir::new(&upstream).serve_logging("warn");
    let frank = gate.sign_in("frank").await;
    let propose = async |agent: &str, price: u64| -> Value {
        let body = json!({ "action": "shop.price.set", "input": { "id": "i_1", "price": price }, "on_behalf_of": "ann" });
        let request = http().post(format!("{}/v1/proposals", gate.agents)).bearer_auth(gate.key(agent));
        let request = request.header("content-type", "application/json").body(body.to_string());
        let (status, body) = send(request).await;
        assert_eq!(status, 202, "{body}");
        body["id"].clone()
    };
    let other = propose("other", 20_000).await;
    let mut first = Value::Null;
    for n in 0..205 {
        let id = propose("bot", 30_000 + n).await;
        if n == 0 {
            first = id;
        }
    }
    let (status, page) = frank.page("/").await;
    assert_eq!(status, 200);
    assert!(page.contains(other.as_str().unwrap()), "the other agent's proposal is not in the inbox");
    // What is due first stands first, and nothing is out of reach: the next page has the rest.
    assert!(page.contains(first.as_str().unwrap()), "the oldest of the many is not in the inbox");
    let mut shown = std::collections::BTreeSet::new();
    let mut path = Some("/".to_owned());
    while let Some(at) = path {
        let page = frank.page(&at).await.1;
        shown.extend(page.split("/proposals/").skip(1).map(|rest| rest[..30].to_owned()));
        path = page
            .split("href=\"/?from=")
            .nth(1)
            .map(|rest| format!("/?from={}", rest.split('"').next().unwrap()));
    }
    assert_eq!(shown.len(), 206);
}
