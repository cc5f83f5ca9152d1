//! A reload that cannot be done changes nothing, ends nothing, and is in the log.

use serde_json::{Value, json};

use crate::support::wait::eventually;
use crate::support::{Gate, GateDir, Person, Reply, Upstream};

async fn upstream() -> Upstream {
    let upstream = Upstream::start().await;
    upstream
        .on("GET /items/i_1", Reply::json(200, &json!({ "id": "i_1", "price": 5_000, "currency": "usd" })));
    upstream
}

async fn note(gate: &Gate, text: &str) -> Value {
    gate.propose("shop.note.add", json!({ "id": "i_1", "text": text })).await.1
}

/// SIGHUP; waits until the gate says that it refused, and gives the entry.
async fn refused(gate: &Gate, olga: &Person) -> Value {
    let before = gate.operator_log().matches("the one in force stays").count();
    gate.signal("HUP");
    let now = || gate.operator_log().matches("the one in force stays").count();
    eventually("the reload is refused", async || now() > before).await;
    let of = |entries: &[Value]| {
        entries.iter().filter(|e| e["event"] == "gate.reload_refused").nth(before).cloned()
    };
    let entries = olga.log_until(|entries| of(entries).is_some()).await;
    of(&entries).unwrap()
}

/// SIGHUP; waits until the gate directory is in force, after others were refused.
async fn accepted(gate: &Gate) {
    let now = || gate.operator_log().matches("the gate directory was loaded again").count();
    let before = now();
    gate.signal("HUP");
    eventually("the reload is accepted", async || now() > before).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_with_a_mistake_under_load_keeps_the_old_rules_and_the_process_b6() {
    let upstream = upstream().await;
    let gate = GateDir::new(&upstream).serve();
    let olga = gate.sign_in("olga").await;
    let good = gate.dir.read("policies/shop.cedar");
    let load = async {
        let texts: Vec<String> = (0..40).map(|n| n.to_string()).collect();
        futures_util::future::join_all(texts.iter().map(|text| note(&gate, text))).await
    };
    let reload = async {
        gate.dir.write("policies/shop.cedar", &format!("{good}\nforbid (principal;"));
        refused(&gate, &olga).await
    };
    let (answers, entry) = tokio::join!(load, reload);
    for answer in answers {
        assert_eq!(answer["state"], "succeeded", "{answer}");
    }
    let problem = entry["data"]["problems"][0].as_str().unwrap();
    assert!(problem.contains("policies/shop.cedar"), "{entry}");
    assert_eq!(note(&gate, "after").await["state"], "succeeded");
    gate.dir.write("policies/shop.cedar", &good);
    accepted(&gate).await;
    gate.stop_with_sound_log();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_stored_proposal_that_cannot_be_read_neither_stops_a_reload_nor_ends_the_gate_b6() {
    let upstream = upstream().await;
    let gate = GateDir::new(&upstream).serve();
    let mut ids = Vec::new();
    for price in [20_000, 20_001, 20_002] {
        let (_, body) = gate.propose("shop.price.set", json!({ "id": "i_1", "price": price })).await;
        ids.push(body["id"].as_str().unwrap().to_owned());
    }
    gate.dir.change("UPDATE proposal SET header = '{' WHERE id = ?", &[&ids[0]]);
    gate.dir.edit("policies/shop.cedar", "context.risk.amount > 100 }", "context.risk.amount > 100000 }");
    gate.signal("HUP");
    for id in &ids[1..] {
        assert_eq!(gate.settled(id).await["state"], "succeeded", "{id}");
    }
    assert_eq!(note(&gate, "after").await["state"], "succeeded");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_without_a_credentials_file_is_refused_and_only_calls_that_need_it_fail() {
    let upstream = upstream().await;
    let gate = GateDir::new(&upstream).serve();
    let olga = gate.sign_in("olga").await;
    std::fs::remove_file(gate.dir.path().join("secrets/write")).unwrap();
    gate.dir.edit("directory.toml", "Mallory", "Mal");
    let entry = refused(&gate, &olga).await;
    let problem = entry["data"]["problems"][0].as_str().unwrap();
    assert!(problem.contains("shop-write") && problem.contains("secrets/write"), "{entry}");
    let answer = note(&gate, "x").await;
    let answer = answer.get("proposal").unwrap_or(&answer);
    assert_eq!((&answer["state"], &answer["cause"]), (&json!("failed"), &json!("credential_unavailable")));
    let (status, answer) = gate.propose("shop.item.read", json!({ "id": "i_1" })).await;
    assert_eq!(status, 200, "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_that_is_added_works_after_a_reload_without_a_restart() {
    let upstream = upstream().await;
    let gate = GateDir::new(&upstream).serve();
    let added = format!(
        "[credential.shop-notes]\norigin = \"{}\"\nuse = \"write\"\nfrom = \"file:secrets/notes\"\n",
        upstream.url()
    );
    gate.dir.secret("secrets/notes", "notes-secret-9999-mnopqrst\n");
    let config = gate.dir.read("countersign.toml");
    gate.dir.write("countersign.toml", &format!("{config}{added}"));
    gate.dir.edit("actions/shop.toml", "write = \"shop-write\"", "write = \"shop-notes\"");
    gate.reload().await;
    assert_eq!(note(&gate, "x").await["state"], "succeeded");
    assert_eq!(upstream.writes()[0].headers["authorization"], "Bearer notes-secret-9999-mnopqrst");
    gate.stop_with_sound_log();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_that_would_need_a_restart_is_refused_with_the_setting() {
    let upstream = upstream().await;
    let gate = GateDir::new(&upstream).serve();
    let olga = gate.sign_in("olga").await;
    for (from, to, setting) in [
        ("agents = \"127.0.0.1:0\"", "agents = \"127.0.0.1:1\"", "[listen]"),
        ("origin = \"gate.test\"", "origin = \"gate.other\"", "[gate] origin"),
        ("[store]\n", "[metrics]\nlisten = \"127.0.0.1:9464\"\n[store]\n", "[metrics]"),
        ("sqlite:state/countersign.db", "sqlite:state/other.db", "[store]"),
        ("allow = [\"127.0.0.1/32\"]", "allow = [\"127.0.0.0/8\"]", "[network]"),
    ] {
        gate.dir.edit("countersign.toml", from, to);
        let entry = refused(&gate, &olga).await;
        let problem = entry["data"]["problems"][0].as_str().unwrap();
        assert!(problem.contains(setting) && problem.contains("restart"), "{setting}: {entry}");
        gate.dir.edit("countersign.toml", to, from);
    }
    accepted(&gate).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_and_a_reload_name_the_whole_rule_set() {
    let upstream = upstream().await;
    let gate = GateDir::new(&upstream).serve();
    gate.dir.edit("directory.toml", "name = \"Mallory\"", "name = \"Mallory\"\nteams = [\"finance\"]");
    gate.reload().await;
    let (_, entries) = gate.stop_and_verify();
    let of = |event: &str| entries.iter().find(|e| e["event"] == event).unwrap()["data"].clone();
    let (started, reloaded) = (of("gate.started"), of("gate.reloaded"));
    assert_eq!(started["policy_set"], reloaded["policy_set"], "no policy changed");
    assert!(started["rule_set"].is_string(), "{started}");
    assert_ne!(started["rule_set"], reloaded["rule_set"], "who may approve changed");
    assert_eq!(reloaded["previous"], started["rule_set"]);
}
