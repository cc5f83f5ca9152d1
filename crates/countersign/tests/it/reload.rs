//! What changes between the proposal and the call: policy, identity, manifest, the stored record, the world.

use serde_json::{Value, json};

use crate::support::{Gate, GateDir, Person, Reply, Upstream};

fn item(price: u64) -> Reply {
    Reply::json(200, &json!({ "id": "i_1", "price": price, "currency": "usd", "stock": 3 }))
}

async fn upstream() -> Upstream {
    let upstream = Upstream::start().await;
    upstream.on("GET /items/i_1", item(5_000));
    upstream
}

/// Proposes a price that needs approval, and gives the proposal's id.
async fn pending(gate: &Gate, price: u64) -> String {
    let (status, body) = gate.propose("shop.price.set", json!({ "id": "i_1", "price": price })).await;
    assert_eq!((status, &body["state"]), (202, &json!("pending")), "{body}");
    body["id"].as_str().unwrap().to_owned()
}

async fn approve_with(person: &Person, id: &str, shown: &Value) -> (u16, Value) {
    person.post(&format!("/v1/proposals/{id}/approve"), shown).await
}

/// The state of a proposal once it is settled, as the operator sees it.
async fn settled(olga: &Person, id: &str) -> Value {
    let (status, body) = olga.get(&format!("/v1/proposals/{id}?wait=20")).await;
    assert_eq!(status, 200, "{body}");
    body["state"].clone()
}

/// What policy may say about a price.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Says {
    Allow,
    Finance,
    Both,
    Deny,
}

impl Says {
    const ALL: [Self; 4] = [Self::Allow, Self::Finance, Self::Both, Self::Deny];

    /// A policy set that says so. `mark` changes the set without changing what it says.
    fn policies(self, mark: usize) -> String {
        let permit = "@id(\"support-all\")\npermit (principal in Team::\"support\", action, resource)\n\
                      when { context.env == Environment::\"support\" };\n";
        let forbid =
            "@reason(\"Prices.\")\nforbid (principal, action == Action::\"shop.price.set\", resource)";
        let gate = match self {
            Self::Allow => String::new(),
            Self::Finance => format!("@id(\"gate\")\n@approval(\"finance\")\n{forbid};\n"),
            Self::Both => format!("@id(\"gate\")\n@approval(\"both\")\n{forbid};\n"),
            Self::Deny => format!("@id(\"gate\")\n{forbid};\n"),
        };
        let aside = format!(
            "@id(\"aside-{mark}\")\n@reason(\"None of this test's business.\")\n\
             forbid (principal, action == Action::\"shop.item.delete\", resource);\n"
        );
        format!("{permit}{gate}{aside}")
    }

    /// How many people of finance it asks for.
    const fn people(self) -> usize {
        match self {
            Self::Allow | Self::Deny => 0,
            Self::Finance => 1,
            Self::Both => 2,
        }
    }
}

/// What must become of a proposal that was decided under `old`, given one approval if that is not all, when
/// `new` comes in force: how many more people must approve, and whether it runs in the end.
fn expected(old: Says, new: Says) -> (usize, bool) {
    match (old, new) {
        // It has run, or been refused, before anything changed.
        (Says::Allow, _) => (0, true),
        (Says::Deny, _) => (0, false),
        // The gate is gone.
        (_, Says::Allow) => (0, true),
        (_, Says::Deny) => (0, false),
        // The same gate: who has approved has approved.
        (Says::Both, Says::Both) => (1, true),
        // Another gate: whatever was approved is void.
        (_, new) => (new.people(), true),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proposal_runs_only_if_the_policy_now_in_force_lets_it_t04() {
    let upstream = upstream().await;
    let gate = GateDir::new(&upstream).serve();
    let (frank, fiona, olga) =
        (gate.sign_in("frank").await, gate.sign_in("fiona").await, gate.sign_in("olga").await);
    let mut mark = 0;
    let mut put = async |says: Says| {
        mark += 1;
        gate.dir.write("policies/shop.cedar", &says.policies(mark));
        gate.reload().await;
    };
    let mut price = 20_000;
    for old in Says::ALL {
        for new in Says::ALL {
            let cell = format!("{old:?} then {new:?}");
            let before = upstream.writes().len();
            price += 1;
            put(old).await;
            let (_, body) = gate.propose("shop.price.set", json!({ "id": "i_1", "price": price })).await;
            let body = body.get("proposal").unwrap_or(&body);
            let id = body["id"].as_str().unwrap();
            let first = match old {
                Says::Allow => "succeeded",
                Says::Deny => "denied",
                Says::Finance | Says::Both => "pending",
            };
            assert_eq!(body["state"], first, "{cell}");
            let asked = first == "pending";
            if old == Says::Both {
                assert_eq!(frank.approve(id).await.0, 200, "{cell}");
            }
            let shown = if asked { fiona.look(id).await } else { Value::Null };
            put(new).await;
            let (more, runs) = expected(old, new);
            if asked && more > 0 {
                let (_, now) = gate.agent_get(&format!("/v1/proposals/{id}")).await;
                let need = &now["needs"][0];
                assert_eq!(
                    need["want"].as_u64().unwrap() - need["have"].as_u64().unwrap(),
                    more as u64,
                    "{cell}"
                );
                // What was shown before answers only to a gate that is still the same.
                let (status, answer) = approve_with(&fiona, id, &shown).await;
                let stale = status == 409 && answer["code"] == "stale";
                assert_eq!(stale, old != new, "{cell}: {answer}");
                if stale {
                    assert_eq!(upstream.writes().len(), before, "{cell}");
                    assert_eq!(fiona.approve(id).await.0, 200, "{cell}");
                }
                if more == 2 {
                    assert_eq!(upstream.writes().len(), before, "{cell}");
                    assert_eq!(frank.approve(id).await.0, 200, "{cell}");
                }
            }
            let state = settled(&olga, id).await;
            let last = match (old, runs) {
                (_, true) => "succeeded",
                (Says::Deny, false) => "denied",
                (_, false) => "refused",
            };
            assert_eq!(state["state"], last, "{cell}");
            if last == "refused" {
                assert_eq!(state["code"], "policy_denies", "{cell}");
            }
            assert_eq!(upstream.writes().len() - before, usize::from(runs), "{cell}");
        }
    }
    gate.stop_with_sound_log();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_approval_rule_asks_again_t04() {
    let upstream = upstream().await;
    let gate = GateDir::new(&upstream).serve();
    let frank = gate.sign_in("frank").await;
    for (n, (from, to)) in
        [("decide_in = \"30m\"", "decide_in = \"29m\""), ("use_in = \"10m\"", "use_in = \"9m\"")]
            .into_iter()
            .enumerate()
    {
        let id = pending(&gate, 20_000 + n as u64).await;
        let shown = frank.look(&id).await;
        gate.dir.edit("approvals.toml", from, to);
        gate.reload().await;
        let (status, answer) = approve_with(&frank, &id, &shown).await;
        assert_eq!((status, &answer["code"]), (409, &json!("stale")), "{to}: {answer}");
        assert_eq!(frank.approve(&id).await.0, 200, "{to}");
        assert_eq!(gate.settled(&id).await["state"], "succeeded", "{to}");
    }
    assert_eq!(upstream.writes().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_with_mistakes_is_refused_whole_and_the_old_one_stays_in_force() {
    let upstream = upstream().await;
    let gate = GateDir::new(&upstream).serve();
    let frank = gate.sign_in("frank").await;
    let id = pending(&gate, 20_000).await;
    let good = gate.dir.read("policies/shop.cedar");
    gate.dir.write("policies/shop.cedar", &format!("{}\nforbid (principal;", Says::Allow.policies(0)));
    gate.signal("HUP");
    crate::support::wait::eventually("the mistakes are reported", async || {
        gate.operator_log().contains("the gate directory has mistakes; the one in force stays")
    })
    .await;
    assert_eq!(gate.agent_get(&format!("/v1/proposals/{id}")).await.1["state"], "pending");
    let (status, _) = gate.propose("shop.price.set", json!({ "id": "i_1", "price": 20_001 })).await;
    assert_eq!(status, 202, "the old gate still asks");
    gate.dir.write("policies/shop.cedar", &good);
    assert_eq!(frank.approve(&id).await.0, 200);
    assert_eq!(gate.settled(&id).await["state"], "succeeded");
    assert_eq!(upstream.writes().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_that_lost_a_link_while_it_waited_is_not_sent_t05() {
    let upstream = upstream().await;
    let gate = GateDir::new(&upstream).serve();
    let (frank, olga) = (gate.sign_in("frank").await, gate.sign_in("olga").await);
    let bot =
        "title = \"Support bot\"\nowner = \"olga\"\nteams = [\"support\"]\nact_for = [\"team:support\"]";
    let ann = "name = \"Ann Archer\"\nteams = [\"support\"]";
    let edits = [
        ("the agent is suspended", bot, format!("{bot}\ndisabled = true")),
        (
            "the delegation is removed",
            bot,
            bot.replace("act_for = [\"team:support\"]", "act_for = [\"person:mallory\"]"),
        ),
        ("the agent only works alone", bot, bot.replace("act_for = [\"team:support\"]", "alone = true")),
        ("the person is disabled", ann, format!("{ann}\ndisabled = true")),
        ("the person left the team", ann, ann.replace("support", "finance")),
        ("the person is gone", "[person.ann]", "[person.anna]".to_owned()),
    ];
    for (n, (what, from, to)) in edits.iter().enumerate() {
        let id = pending(&gate, 20_000 + n as u64).await;
        let shown = frank.look(&id).await;
        gate.dir.edit("directory.toml", from, to);
        gate.reload().await;
        let (status, answer) = approve_with(&frank, &id, &shown).await;
        // The card shows names of the directory, so a person who is gone makes another card.
        let (status, answer) =
            if answer["code"] == "stale" { frank.approve(&id).await } else { (status, answer) };
        assert!(matches!(status, 200 | 409 | 404), "{what}: {status} {answer}");
        let state = settled(&olga, &id).await;
        assert_eq!(state["state"], "refused", "{what}: {state}");
        let why = state["code"].as_str().unwrap();
        assert!(matches!(why, "identity_gone" | "policy_denies"), "{what}: {state}");
        assert!(upstream.writes().is_empty(), "{what}");
        gate.dir.edit("directory.toml", to, from);
        gate.reload().await;
    }
    gate.stop_with_sound_log();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_that_changed_while_it_waited_refuses_what_was_approved_under_the_old_one_t03() {
    let upstream = upstream().await;
    let gate = GateDir::new(&upstream).serve();
    let (frank, olga) = (gate.sign_in("frank").await, gate.sign_in("olga").await);
    let edits = [
        ("path", "path = \"/items/${input.id}/price\"", "path = \"/items/${input.id}/cost\""),
        (
            "body",
            "body = { price = \"${input.price}\" }",
            "body = { price = \"${input.price}\", now = true }",
        ),
        ("method", "method = \"PUT\"", "method = \"PATCH\""),
        ("ok", "method = \"PUT\"", "ok = [200, 202]\nmethod = \"PUT\""),
        ("headers", "method = \"PUT\"", "headers = { \"x-mode\" = \"force\" }\nmethod = \"PUT\""),
        (
            "timeout",
            "[action.\"price.set\".effect]",
            "[action.\"price.set\".limits]\ntimeout = \"9s\"\n[action.\"price.set\".effect]",
        ),
        ("groups", "groups = [\"write\", \"financial\"]", "groups = [\"write\"]"),
        ("title", "title = \"Set a price\"", "title = \"Set the price\""),
        ("description", "Change what an item costs.", "Change what it costs."),
        ("schema", "maximum = 1000000", "maximum = 2000000"),
        ("watch", "watch = [\"/price\"]", "watch = [\"/price\", \"/stock\"]"),
        ("effects", "The price becomes", "The price will be"),
        ("effect class", "class = \"keyed\"\nheader = \"Idempotency-Key\"", "class = \"natural\""),
    ];
    for (n, (what, from, to)) in edits.into_iter().enumerate() {
        let id = pending(&gate, 20_000 + n as u64).await;
        gate.dir.edit("actions/shop.toml", from, to);
        gate.reload().await;
        let (status, answer) = frank.approve(&id).await;
        assert_eq!(status, 200, "{what}: {answer}");
        let state = settled(&olga, &id).await;
        assert_eq!(
            (&state["state"], &state["code"]),
            (&json!("refused"), &json!("action_changed")),
            "{what}"
        );
        assert!(upstream.writes().is_empty(), "{what}");
        gate.dir.edit("actions/shop.toml", to, from);
        gate.reload().await;
    }
    // With the manifest as it was, the same thing can be proposed, approved and done.
    let id = pending(&gate, 20_000).await;
    assert_eq!(frank.approve(&id).await.0, 200);
    assert_eq!(settled(&olga, &id).await["state"], "succeeded");
    gate.stop_with_sound_log();
}

/// What somebody with the database file changes: the column, what is there, what they put in its place.
const ALTERATIONS: [(&str, &str, &str, &str); 12] = [
    ("body of the call", "binding", r#"{\"price\":20000}"#, r#"{\"price\":99999}"#),
    ("a space in the body", "binding", r#"{\"price\":20000}"#, r#"{\"price\": 20000}"#),
    ("target of the call", "binding", "/items/i_1/price\"", "/items/i_2/price\""),
    ("method", "binding", "\"PUT\"", "\"PATCH\""),
    ("credential", "binding", "\"shop-write\"", "\"shop-read\""),
    ("risk", "binding", "\"200.00\"", "\"1.00\""),
    ("effects", "binding", "The price becomes 200.00", "The price becomes 1.00"),
    ("watched value", "binding", "\"/price\":5000", "\"/price\":1"),
    ("input", "body", "\"price\":20000", "\"price\":99999"),
    ("person of the chain", "body", "\"ann\"", "\"mallory\""),
    ("agent of the chain", "body", "\"bot\"", "\"other\""),
    ("action", "body", "\"shop.price.set\"", "\"shop.note.add\""),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_stored_proposal_that_was_altered_is_never_sent_t01() {
    let upstream = upstream().await;
    let gate = GateDir::new(&upstream).serve();
    let frank = gate.sign_in("frank").await;
    for (what, column, from, to) in ALTERATIONS {
        // The same one after another: the former is settled, or nobody would join it.
        let id = pending(&gate, 20_000).await;
        let shown = frank.look(&id).await;
        let stored = gate.dir.query(&format!("SELECT {column} FROM payload WHERE proposal = ?"), &[&id]);
        let stored = stored[0][0].as_str().unwrap();
        assert!(stored.contains(from), "{what}: {from} is not in {stored}");
        let sql = format!("UPDATE payload SET {column} = ? WHERE proposal = ?");
        gate.dir.change(&sql, &[&stored.replace(from, to), &id]);
        // With what was on the screen before, and with what is on it now, twice.
        approve_with(&frank, &id, &shown).await;
        for _ in 0..2 {
            let (status, now) = frank.get(&format!("/v1/proposals/{id}?wait=1")).await;
            if status == 200 && now["state"]["state"] == "pending" {
                let body = json!({ "intent": now["card"]["intent"], "decision": now["card"]["decision"], "view": now["view"] });
                approve_with(&frank, &id, &body).await;
            }
        }
        let (status, last) = frank.get(&format!("/v1/proposals/{id}?wait=5")).await;
        assert!(upstream.writes().is_empty(), "{what}: {:?}", upstream.writes());
        // It is refused for that reason, or it cannot even be read as a proposal.
        let refused = last["state"]["code"] == "altered";
        assert!(refused || status >= 500, "{what}: {status} {}", last["state"]);
        gate.dir.change(
            "UPDATE proposal SET state = 'refused', due = NULL WHERE id = ? AND ? <> ''",
            &[&id, what],
        );
    }
    assert!(gate.operator_log().contains("the stored proposal was altered beside the gate"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approved_proposal_that_was_altered_while_the_gate_was_down_is_never_sent_t01() {
    let upstream = upstream().await;
    for (what, column, from, to) in ALTERATIONS {
        let dir = GateDir::new(&upstream);
        dir.edit("policies/shop.cedar", "@approval(\"finance\")", "@approval(\"both\")");
        let gate = dir.serve();
        let id = pending(&gate, 20_000).await;
        assert_eq!(gate.sign_in("frank").await.approve(&id).await.0, 200);
        let dir = gate.kill();
        let stored = dir.query(&format!("SELECT {column} FROM payload WHERE proposal = ?"), &[&id]);
        let altered = stored[0][0].as_str().unwrap().replace(from, to);
        dir.change(&format!("UPDATE payload SET {column} = ? WHERE proposal = ?"), &[&altered, &id]);
        // As if both had approved and the process had died before it sent anything.
        dir.change(
            "UPDATE proposal SET state = 'ready', moving = json_set(moving, '$.state', \
             json('{\"state\":\"ready\",\"use_by\":9000000000000000}')) WHERE id = ? AND ? <> ''",
            &[&id, what],
        );
        let gate = dir.serve();
        let olga = gate.sign_in("olga").await;
        let (status, last) = olga.get(&format!("/v1/proposals/{id}?wait=3")).await;
        assert!(upstream.writes().is_empty(), "{what}: {:?}", upstream.writes());
        let stopped = last["state"]["code"] == "altered" || status >= 500;
        assert!(stopped, "{what}: {status} {}", last["state"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resource_that_changed_since_the_preview_is_shown_anew_and_asked_again_t07_t32() {
    let upstream = upstream().await;
    let gate = GateDir::new(&upstream).serve();
    let frank = gate.sign_in("frank").await;
    let id = pending(&gate, 20_000).await;
    let shown = frank.look(&id).await;
    upstream.on("GET /items/i_1", item(7_000));
    // The preview is old once this wait is over.
    frank.get(&format!("/v1/proposals/{id}?wait=3")).await;
    let (status, answer) = approve_with(&frank, &id, &shown).await;
    assert_eq!(status, 200, "{answer}");
    crate::support::wait::eventually("it is asked again", async || {
        gate.agent_get(&format!("/v1/proposals/{id}")).await.1["needs"][0]["have"] == 0
    })
    .await;
    assert!(upstream.writes().is_empty());
    let (_, now) = frank.get(&format!("/v1/proposals/{id}")).await;
    assert_eq!(now["state"]["state"], "pending");
    assert_eq!(now["card"]["preview"]["before"]["price"], 7_000);
    assert_ne!(now["card"]["intent"], shown["intent"]);
    let (status, answer) = approve_with(&frank, &id, &shown).await;
    assert_eq!((status, &answer["code"]), (409, &json!("stale")), "{answer}");
    assert_eq!(answer["now"]["intent"], now["card"]["intent"]);
    assert!(upstream.writes().is_empty());
    // What is shown now can be approved, by the same person.
    assert_eq!(frank.approve(&id).await.0, 200);
    assert_eq!(gate.settled(&id).await["state"], "succeeded");
    assert_eq!(upstream.writes().len(), 1);
    let (_, history) = gate.sign_in("olga").await.get(&format!("/v1/proposals/{id}/history")).await;
    let revised =
        history["entries"].as_array().unwrap().iter().find(|e| e["entry"]["event"] == "proposal.revised");
    assert_eq!(revised.unwrap()["entry"]["data"]["because"], "the record changed since it was shown");
    gate.stop_with_sound_log();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_nobody_watches_does_not_ask_again_and_a_record_that_is_gone_is_not_written_t07() {
    let upstream = upstream().await;
    let gate = GateDir::new(&upstream).serve();
    let frank = gate.sign_in("frank").await;
    let unwatched = pending(&gate, 20_000).await;
    let gone = pending(&gate, 20_001).await;
    frank.get(&format!("/v1/proposals/{unwatched}?wait=3")).await;
    let other_stock = json!({ "id": "i_1", "price": 5_000, "currency": "usd", "stock": 2 });
    upstream.on("GET /items/i_1", Reply::json(200, &other_stock));
    assert_eq!(frank.approve(&unwatched).await.0, 200);
    assert_eq!(gate.settled(&unwatched).await["state"], "succeeded");
    assert_eq!(upstream.writes().len(), 1);
    upstream.on("GET /items/i_1", Reply::json(404, &json!({ "error": "gone" })));
    assert_eq!(frank.approve(&gone).await.0, 200);
    let state = gate.settled(&gone).await;
    assert_eq!((&state["state"], &state["cause"]), (&json!("refused"), &json!("preview_failed")), "{state}");
    assert_eq!(upstream.writes().len(), 1);
}

const DEPOT: &str = r#"
[system]
name = "depot"
base_url = "{{URL}}"
credential = { read = "shop-read", write = "shop-write" }
env = "support"
owner = "shop-team"

[action."item.retire"]
title = "Retire an item"
description = "Take one item off the shelf."
groups = ["write"]
[action."item.retire".input]
id = { type = "string", pattern = "^i_[a-z0-9]{1,20}$", required = true }
[action."item.retire".resource]
type = "Item"
id = "${input.id}"
[action."item.retire".preview]
read = { method = "GET", path = "/items/${input.id}" }
bind = "etag"
effects = ["Takes item ${input.id} off the shelf."]
[action."item.retire".request]
method = "DELETE"
path = "/items/${input.id}"
[action."item.retire".effect]
class = "conditional"
"#;

const DEPOT_POLICY: &str = r#"
@id("retire-needs-finance")
@approval("finance")
@reason("Finance retires items.")
forbid (principal, action == Action::"depot.item.retire", resource);
"#;

fn version(etag: &str) -> Reply {
    let headers = vec![("content-type", "application/json".to_owned()), ("etag", etag.to_owned())];
    Reply::Answer(200, headers, json!({ "id": "i_1", "price": 5_000 }).to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_etag_guards_the_record_from_the_preview_to_the_write_t07() {
    let upstream = Upstream::start().await;
    upstream.on("GET /items/i_1", version("\"v1\""));
    let dir = GateDir::new(&upstream);
    dir.write("actions/depot.toml", &DEPOT.replace("{{URL}}", &upstream.url()));
    dir.write("policies/depot.cedar", DEPOT_POLICY);
    let gate = dir.serve();
    let frank = gate.sign_in("frank").await;
    let ask = async || {
        let (status, body) = gate.propose("depot.item.retire", json!({ "id": "i_1" })).await;
        assert_eq!(status, 202, "{body}");
        body["id"].as_str().unwrap().to_owned()
    };
    // Another version since the preview: it is shown anew, and the former approval is void.
    let id = ask().await;
    let shown = frank.look(&id).await;
    upstream.on("GET /items/i_1", version("\"v2\""));
    frank.get(&format!("/v1/proposals/{id}?wait=3")).await;
    assert_eq!(approve_with(&frank, &id, &shown).await.0, 200);
    crate::support::wait::eventually("it is asked again", async || {
        gate.agent_get(&format!("/v1/proposals/{id}")).await.1["needs"][0]["have"] == 0
    })
    .await;
    assert_eq!(approve_with(&frank, &id, &shown).await.1["code"], "stale");
    assert!(upstream.writes().is_empty());
    assert_eq!(frank.approve(&id).await.0, 200);
    assert_eq!(gate.settled(&id).await["state"], "succeeded");
    assert_eq!(upstream.writes()[0].headers["if-match"], "\"v2\"");
    // Another version between the last look and the write: the upstream itself refuses.
    let id = ask().await;
    upstream.on("DELETE /items/i_1", Reply::json(412, &json!({ "error": "version" })));
    assert_eq!(frank.approve(&id).await.0, 200);
    let state = gate.settled(&id).await;
    assert_eq!((&state["state"], &state["status"]), (&json!("failed"), &json!(412)), "{state}");
    assert_eq!(upstream.writes()[1].headers["if-match"], "\"v2\"");
    gate.stop_with_sound_log();
}
