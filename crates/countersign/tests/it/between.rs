//! Between the last approval and the dispatch: a proposal is ready, its record cannot be read for a while, and
//! meanwhile what it rests on is taken away.

use serde_json::{Value, json};

use crate::support::wait::eventually;
use crate::support::{Gate, GateDir, Person, Reply, Upstream};

fn record() -> Reply {
    Reply::json(200, &json!({ "price": 5_000, "currency": "usd" }))
}

/// A proposal that is approved and stays ready, because its record cannot be read now.
async fn ready(gate: &Gate, upstream: &Upstream, frank: &Person, price: u64) -> String {
    upstream.on("GET /items/i_1", record());
    let (status, body) = gate.propose("shop.price.set", json!({ "id": "i_1", "price": price })).await;
    assert_eq!(status, 202, "{body}");
    let id = body["id"].as_str().unwrap().to_owned();
    upstream.on("GET /items/i_1", Reply::Answer(503, Vec::new(), String::new()));
    // What was read is old once this wait is over.
    frank.get(&format!("/v1/proposals/{id}?wait=3")).await;
    assert_eq!(frank.approve(&id).await.0, 200);
    eventually("it is approved and waits for its record", async || state(frank, &id).await == "ready").await;
    id
}

async fn state(person: &Person, id: &str) -> Value {
    person.get(&format!("/v1/proposals/{id}")).await.1["state"]["state"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_of_the_chain_that_goes_after_the_approval_stops_the_dispatch_t05() {
    let upstream = Upstream::start().await;
    let gate = GateDir::new(&upstream).serve();
    let (frank, olga) = (gate.sign_in("frank").await, gate.sign_in("olga").await);
    let bot =
        "title = \"Support bot\"\nowner = \"olga\"\nteams = [\"support\"]\nact_for = [\"team:support\"]";
    let ann = "name = \"Ann Archer\"\nteams = [\"support\"]";
    let edits = [
        (bot, format!("{bot}\ndisabled = true")),
        (bot, bot.replace("act_for = [\"team:support\"]", "act_for = [\"person:mallory\"]")),
        (ann, format!("{ann}\ndisabled = true")),
        ("[person.ann]", "[person.anna]".to_owned()),
    ];
    for (n, (from, to)) in edits.iter().enumerate() {
        let id = ready(&gate, &upstream, &frank, 20_000 + u64::try_from(n).unwrap()).await;
        gate.dir.edit("directory.toml", from, to);
        gate.reload().await;
        upstream.on("GET /items/i_1", record());
        eventually("it is over", async || state(&olga, &id).await == "refused").await;
        assert!(upstream.writes().is_empty(), "{to}");
        gate.dir.edit("directory.toml", to, from);
        gate.reload().await;
    }
    gate.stop_with_sound_log();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approver_who_loses_the_right_after_the_last_approval_stops_the_dispatch_t06() {
    let upstream = Upstream::start().await;
    let dir = GateDir::new(&upstream);
    // Without Frank the rules must still name enough people.
    dir.edit(
        "directory.toml",
        "[person.olga]",
        "[person.fred]\nname = \"Fred\"\nteams = [\"finance\"]\n[person.olga]",
    );
    let gate = dir.serve();
    let (frank, fiona) = (gate.sign_in("frank").await, gate.sign_in("fiona").await);
    let here = "name = \"Frank Field\"\nteams = [\"finance\"]";
    let edits = ["name = \"Frank Field\"\nteams = [\"finance\"]\ndisabled = true", "name = \"Frank Field\""];
    for (n, gone) in edits.into_iter().enumerate() {
        let id = ready(&gate, &upstream, &frank, 20_000 + u64::try_from(n).unwrap()).await;
        gate.dir.edit("directory.toml", here, gone);
        gate.reload().await;
        upstream.on("GET /items/i_1", record());
        eventually("people are asked again", async || state(&fiona, &id).await == "pending").await;
        assert_eq!(upstream.writes().len(), n, "{gone}");
        assert_eq!(fiona.approve(&id).await.0, 200);
        assert_eq!(gate.settled(&id).await["state"], "succeeded");
        gate.dir.edit("directory.toml", gone, here);
        gate.reload().await;
    }
    gate.stop_with_sound_log();
}
