//! Lists: whatever is filtered, nobody sees more than they may.

use serde_json::{Value, json};

use crate::support::gate::{http, send};
use crate::support::{GateDir, Reply, Upstream};

#[tokio::test(flavor = "multi_thread")]
async fn a_list_filter_only_narrows_what_may_be_seen_t42() {
    let upstream = Upstream::start().await;
    upstream.on("GET /items/i_1", Reply::json(200, &json!({ "price": 5_000, "currency": "usd" })));
    let gate = GateDir::new(&upstream).serve();
    let (frank, mallory) = (gate.sign_in("frank").await, gate.sign_in("mallory").await);
    let mut of_bot = Vec::new();
    for price in [20_000, 20_001] {
        let (status, body) = gate.propose("shop.price.set", json!({ "id": "i_1", "price": price })).await;
        assert_eq!(status, 202, "{body}");
        of_bot.push(body["id"].as_str().unwrap().to_owned());
    }
    let states = ["", "state=pending", "state=pending,denied,succeeded", "state=denied"];
    let others = [
        "",
        "agent=bot",
        "agent=other",
        "agent=*",
        "agent=%25",
        "agent=bot'--",
        "agent=!other",
        "person=ann",
    ];
    let cursors =
        [String::new(), format!("before={}", of_bot[1]), "order=due".to_owned(), "limit=200".to_owned()];
    let ids = |page: &Value| -> Vec<String> {
        let items = page["proposals"].as_array().cloned().unwrap_or_default();
        items.iter().map(|p| p["id"].as_str().unwrap().to_owned()).collect()
    };
    for state in states {
        for other in others {
            for cursor in &cursors {
                let query = [state, other, cursor]
                    .into_iter()
                    .filter(|p| !p.is_empty())
                    .collect::<Vec<_>>()
                    .join("&");
                let path = format!("/v1/proposals?{query}");
                let request = http().get(format!("{}{path}", gate.agents)).bearer_auth(gate.key("other"));
                assert_eq!(ids(&send(request).await.1), [""; 0], "another agent, {query}");
                assert_eq!(ids(&mallory.get(&path).await.1), [""; 0], "who may see nothing, {query}");
                let seen = ids(&frank.get(&path).await.1);
                assert!(seen.iter().all(|id| of_bot.contains(id)), "{query}: {seen:?}");
                let own = ids(&gate.agent_get(&path).await.1);
                assert!(own.iter().all(|id| of_bot.contains(id)), "{query}: {own:?}");
            }
        }
    }
    assert_eq!(ids(&frank.get("/v1/proposals?agent=bot").await.1).len(), 2);
}
