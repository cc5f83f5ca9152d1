//! What a decision costs, counted exactly (P21, P16). No clock takes part.

use serde_json::json;

use crate::support::gate::{http, send};
use crate::support::{GateDir, Person, Reply, Upstream};

/// Decisions at once.
const TOGETHER: usize = 64;
/// Rounds of them.
const ROUNDS: usize = 8;

async fn writes(olga: &Person) -> [u64; 3] {
    let (status, body) = olga.get("/v1/counts").await;
    assert_eq!(status, 200, "{body}");
    ["commits", "statements", "bytes"].map(|name| body["writes"][name].as_u64().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn decisions_that_arrive_together_share_their_commits() {
    let upstream = Upstream::start().await;
    upstream.on("GET /items/i_1", Reply::json(200, &json!({ "id": "i_1", "price": 1, "currency": "usd" })));
    let gate = GateDir::new(&upstream).serve();
    let olga = gate.sign_in("olga").await;
    let (client, key, url) = (http(), gate.key("bot"), format!("{}/v1/proposals", gate.agents));
    let before = writes(&olga).await;
    for round in 0..ROUNDS {
        let requests = (0..TOGETHER).map(|n| {
            let price = 20_000 + round * TOGETHER + n;
            let body = json!({ "action": "shop.price.set", "input": { "id": "i_1", "price": price }, "on_behalf_of": "ann" });
            let request = client.post(&url).bearer_auth(&key).header("content-type", "application/json");
            tokio::spawn(send(request.body(body.to_string())))
        });
        for answer in requests.collect::<Vec<_>>() {
            let (status, body) = answer.await.unwrap();
            assert_eq!((status, &body["state"]), (202, &json!("pending")), "{body}");
        }
    }
    let after = writes(&olga).await;
    let decisions = u64::try_from(ROUNDS * TOGETHER).unwrap();
    let [commits, statements, bytes] = std::array::from_fn(|i| after[i] - before[i]);
    println!("P21 decisions {decisions} commits {commits} statements {statements} bytes {bytes}");
    // How many share one commit depends on how fast they arrive; the store's own suite counts that exactly.
    assert!(commits < decisions, "{commits} commits for {decisions} decisions: they do not share");
    // A commit takes four statements however many decisions share it: the rows, their parts, the entries, the count. The rest
    // is what the gate writes for itself meanwhile.
    let of_its_own = decisions / 2;
    assert!(statements <= commits * 4 + of_its_own, "{statements} statements in {commits} commits");
    assert!(statements < decisions * 4, "{statements} statements for {decisions} decisions");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_of_nobody_costs_no_commit() {
    let upstream = Upstream::start().await;
    let gate = GateDir::new(&upstream).serve();
    let olga = gate.sign_in("olga").await;
    // What was written so far is integrated into the log by a commit of its own: wait until it is.
    let (status, _) = gate.propose("shop.note.add", json!({ "id": "i_1", "text": "x" })).await;
    assert_eq!(status, 200);
    olga.integrated(&gate).await;
    let before = writes(&olga).await;
    let client = http();
    for n in 0..200 {
        let request =
            client.post(format!("{}/v1/proposals", gate.agents)).bearer_auth(format!("csk_{n:064}"));
        let (status, _) = send(request.header("content-type", "application/json").body("{}")).await;
        assert_eq!(status, 401);
    }
    assert_eq!(writes(&olga).await, before);
    assert_eq!(upstream.calls().len(), 1);
}
