//! A store that the version before wrote is brought up to date and goes on: nothing in it is called altered, approvals
//! that were given stand, and what moves is written anew.
//!
//! `upgrade/` is a gate directory as version 2 of the tables left it, with its keys. It is never made anew.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::{GateDir, Reply, Upstream};

/// Where its upstream is: an address of this machine that nobody else uses.
const UPSTREAM: &str = "127.0.73.19:18473";
const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/upgrade");

#[tokio::test(flavor = "multi_thread")]
async fn a_store_of_the_version_before_is_upgraded_and_its_approvals_stand_d16() {
    let upstream = Upstream::start_at(UPSTREAM).await;
    upstream.on("GET /items/i_1", Reply::json(200, &json!({ "price": 900, "currency": "eur" })));
    let dir = GateDir::of(Path::new(FIXTURE));
    let refused = dir.refusal_to_serve();
    assert!(refused.contains("version 2") && refused.contains("upgrade"), "{refused}");
    let ids: Value = serde_json::from_str(&dir.read("ids.json")).unwrap();
    let id = |name: &str| ids[name].as_str().unwrap().to_owned();
    let gate = dir.serve();
    for (name, state) in [
        ("succeeded", "succeeded"),
        ("denied", "denied"),
        ("failed", "failed"),
        ("unknown", "unknown"),
        ("pending", "pending"),
        ("half", "pending"),
        ("rejected", "rejected"),
        ("cancelled", "cancelled"),
    ] {
        let (status, found) = gate.agent_get(&format!("/v1/proposals/{}", id(name))).await;
        assert_eq!((status, &found["state"]), (200, &json!(state)), "{name}: {found}");
    }
    let (_, failed) = gate.agent_get(&format!("/v1/proposals/{}", id("failed"))).await;
    assert_eq!(failed["result"], json!({ "error": "no such item" }), "the upstream's answer is still there");

    // What was approved by one person before the upgrade needs two more, and not three.
    let (frank, fiona, fred) =
        (gate.sign_in("frank").await, gate.sign_in("fiona").await, gate.sign_in("fred").await);
    assert_eq!(fiona.approve(&id("half")).await.0, 200);
    assert_eq!(gate.agent_get(&format!("/v1/proposals/{}", id("half"))).await.1["state"], "pending");
    assert_eq!(fred.approve(&id("half")).await.0, 200);
    let done = gate.settled(&id("half")).await;
    assert_eq!(done["state"], "succeeded", "{done}");
    assert_eq!(done["approved_by"], json!(["frank", "fiona", "fred"]));

    // What nobody had looked at yet is decided as ever, with everything that its agent attached.
    let (_, card) = frank.get(&format!("/v1/proposals/{}", id("pending"))).await;
    assert_eq!(card["written_by_the_agent"]["reason"], "the list says so");
    assert_eq!(card["written_by_the_agent"]["evidence"][0]["title"], "list");
    assert_eq!(frank.approve(&id("pending")).await.0, 200);
    assert_eq!(gate.settled(&id("pending")).await["state"], "succeeded");
    assert_eq!(upstream.writes().len(), 2);

    // What moved is written anew, and nothing else was touched or is called altered.
    let formats =
        gate.dir.query("SELECT format, COUNT(*) FROM proposal GROUP BY format ORDER BY format", &[]);
    assert_eq!(json!(formats), json!([[1, 6], [2, 2]]));
    let left = gate.dir.query(
        "SELECT COUNT(*) FROM proposal_part AS p WHERE version = 0 AND \
        (SELECT format FROM proposal WHERE id = p.proposal) = 2",
        &[],
    );
    assert_eq!(left[0][0], 0, "the parts of version 1 went with their header");
    assert!(gate.dir.query("SELECT * FROM quarantine", &[]).is_empty());
    gate.stop_and_verify();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_known_in_a_stored_proposal_is_named_and_set_aside_d16() {
    let upstream = Upstream::start().await;
    upstream.on("GET /items/i_1", Reply::json(200, &json!({ "price": 900, "currency": "eur" })));
    let gate = GateDir::new(&upstream).serve();
    let frank = gate.sign_in("frank").await;
    for (what, sql, named) in [
        (
            "version",
            "UPDATE proposal SET header = replace(header, '{\"v\":2', '{\"v\":3') WHERE id = ?",
            "the version 3",
        ),
        ("format", "UPDATE proposal SET format = 9 WHERE id = ?", "version 9"),
        (
            "field",
            "UPDATE proposal SET header = replace(header, '{\"v\":2', '{\"v\":2,\"color\":1') WHERE id = ?",
            "`color`",
        ),
        ("code", "UPDATE proposal SET mac = x'00' WHERE id = ?", "authentication code"),
        (
            "field of a part",
            "UPDATE proposal_part SET body = replace(body, '\"resource\"', '\"colour\":1,\"resource\"') \
             WHERE name = 'preview' AND proposal = ?",
            "part `preview`",
        ),
    ] {
        let price = 20_000 + what.len();
        let (_, body) = gate.propose("shop.price.set", json!({ "id": "i_1", "price": price })).await;
        let id = body["id"].as_str().unwrap();
        gate.dir.change(sql, &[id]);
        let (status, answer) = frank.get(&format!("/v1/proposals/{id}")).await;
        assert_eq!((status, &answer["code"]), (409, &json!("quarantined")), "{what}: {answer}");
        let why = gate.dir.query("SELECT why FROM quarantine WHERE proposal = ?", &[id]);
        assert!(why[0][0].as_str().unwrap().contains(named), "{what}: {why:?}");
    }
    assert!(upstream.writes().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_of_a_newer_version_is_told_which_field_is_not_known_d16() {
    let upstream = Upstream::start().await;
    upstream.on("GET /items/i_1", Reply::json(200, &json!({ "price": 900, "currency": "eur" })));
    let gate = GateDir::new(&upstream).serve();
    let (frank, ann) = (gate.sign_in("frank").await, gate.sign_in("ann").await);
    let price = json!({ "id": "i_1", "price": 20_000 });
    let good = json!({ "action": "shop.price.set", "input": price, "on_behalf_of": "ann" });
    let named = |(status, answer): (u16, Value), pointer: &str, field: &str| {
        assert_eq!((status, &answer["code"]), (400, &json!("malformed_request")), "{answer}");
        let error = &answer["errors"][0];
        assert_eq!(error["pointer"], pointer, "{answer}");
        assert!(error["detail"].as_str().unwrap().contains(&format!("`{field}`")), "{answer}");
    };
    let mut body = good.clone();
    body["urgency"] = json!("high");
    named(gate.propose_with(body).await, "/urgency", "urgency");
    let mut body = good.clone();
    body["evidence"] = json!([{ "title": "list", "body": {}, "color": "red" }]);
    named(gate.propose_with(body).await, "/evidence", "color");
    let (_, pending) = gate.propose_with(good).await;
    let id = pending["id"].as_str().unwrap();
    for (person, verb) in [(&frank, "approve"), (&frank, "reject"), (&ann, "confirm")] {
        let mut body = person.look(id).await;
        if verb == "confirm" {
            body = json!({ "intent": body["intent"] });
        }
        body["mood"] = json!("fine");
        named(person.post(&format!("/v1/proposals/{id}/{verb}"), &body).await, "/mood", "mood");
    }
    named(frank.post("/v1/sign-in", &json!({ "link": "x", "device": "phone" })).await, "/device", "device");
    assert_eq!(gate.agent_get(&format!("/v1/proposals/{id}")).await.1["state"], "pending");
    assert!(upstream.writes().is_empty());
}
