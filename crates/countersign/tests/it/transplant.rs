//! An approval belongs to one proposal.

use serde_json::json;

use crate::support::{GateDir, Reply, Upstream};

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_of_one_proposal_counts_for_no_other_t10() {
    let upstream = Upstream::start().await;
    upstream.on("GET /items/i_1", Reply::json(200, &json!({ "price": 5_000, "currency": "usd" })));
    let dir = GateDir::new(&upstream);
    dir.edit("policies/shop.cedar", "@approval(\"finance\")", "@approval(\"both\")");
    let gate = dir.serve();
    let (frank, fiona) = (gate.sign_in("frank").await, gate.sign_in("fiona").await);
    let mut ids = Vec::new();
    for price in [20_000, 20_001] {
        let (status, body) = gate.propose("shop.price.set", json!({ "id": "i_1", "price": price })).await;
        assert_eq!(status, 202, "{body}");
        ids.push(body["id"].as_str().unwrap().to_owned());
    }
    let (one, two) = (&ids[0], &ids[1]);

    // Through the API: what was shown of the one is nothing that the other answers to.
    let shown = frank.look(one).await;
    for verb in ["approve", "reject"] {
        let (status, answer) = frank.post(&format!("/v1/proposals/{two}/{verb}"), &shown).await;
        assert_eq!((status, &answer["code"]), (409, &json!("stale")), "{answer}");
    }
    assert_eq!(frank.approve(one).await.0, 200);
    let (_, other) = gate.agent_get(&format!("/v1/proposals/{two}")).await;
    assert_eq!((&other["state"], &other["needs"][0]["have"]), (&json!("pending"), &json!(0)), "{other}");

    // In the database: the state of the one, with its approval, under the id of the other.
    gate.dir.change(
        "UPDATE proposal SET header = (SELECT header FROM proposal WHERE id = ?) WHERE id = ?",
        &[one, two],
    );
    let (status, answer) = fiona.get(&format!("/v1/proposals/{two}")).await;
    assert_eq!((status, &answer["code"]), (409, &json!("quarantined")), "{answer}");
    let (status, _) = fiona.post(&format!("/v1/proposals/{two}/approve"), &shown).await;
    assert_eq!(status, 409);
    // The one itself is as it was.
    assert_eq!(fiona.approve(one).await.0, 200);
    assert_eq!(gate.settled(one).await["state"], "succeeded");
    assert_eq!(upstream.writes().len(), 1);
}
