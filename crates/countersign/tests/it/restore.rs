//! A database that is older than what the gate has recorded, or another one.

use std::process::Command;

use serde_json::json;

use crate::support::gate::assert_done;
use crate::support::{GateDir, Reply, Upstream};

const FILES: [&str; 3] = ["countersign.db", "countersign.db-wal", "countersign.db-shm"];

/// Copies the database of a stopped gate from one folder to another.
fn copy_database(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for file in FILES {
        let _ = std::fs::remove_file(to.join(file));
        if from.join(file).exists() {
            std::fs::copy(from.join(file), to.join(file)).unwrap();
        }
    }
}

async fn upstream() -> Upstream {
    let upstream = Upstream::start().await;
    upstream
        .on("GET /items/i_1", Reply::json(200, &json!({ "id": "i_1", "price": 5_000, "currency": "usd" })));
    upstream
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_copy_of_the_database_is_refused_until_the_loss_is_accepted() {
    let upstream = upstream().await;
    let gate = GateDir::new(&upstream).serve();
    let (status, body) = gate.propose("shop.price.set", json!({ "id": "i_1", "price": 20_000 })).await;
    assert_eq!(status, 202, "{body}");
    let open = body["id"].as_str().unwrap().to_owned();
    // One call is under way when the process dies and the copy is made.
    upstream.on("POST /items/i_1/notes", Reply::Hang);
    let body =
        json!({ "action": "shop.note.add", "input": { "id": "i_1", "text": "x" }, "on_behalf_of": "ann" });
    let (url, key) = (format!("{}/v1/proposals", gate.agents), gate.key("bot"));
    let request = crate::support::gate::http().post(url).bearer_auth(key);
    let hanging = request.header("content-type", "application/json").body(body.to_string());
    tokio::spawn(async move { drop(hanging.send().await) });
    let dispatched = || gate.dir.query("SELECT id FROM proposal WHERE state = 'dispatched'", &[]);
    crate::support::wait::eventually("the call is under way", async || !dispatched().is_empty()).await;
    let sent = dispatched()[0][0].as_str().unwrap().to_owned();
    let dir = gate.kill();
    let state = dir.path().join("state");
    let (old, new) = (dir.path().join("old"), dir.path().join("new"));
    copy_database(&state, &old);

    upstream.on("POST /items/i_1/notes", Reply::json(200, &json!({})));
    let gate = dir.serve();
    let (status, body) = gate.propose("shop.note.add", json!({ "id": "i_1", "text": "later" })).await;
    assert_eq!(status, 200, "{body}");
    let dir = gate.stop();
    copy_database(&state, &new);
    copy_database(&old, &state);
    let why = dir.refusal_to_serve();
    assert!(why.contains("older than what this gate has already recorded"), "{why}");
    assert!(why.contains("countersign restore --accept-loss"), "{why}");
    // The newer one is welcome again.
    copy_database(&new, &state);
    let dir = dir.serve().stop();
    // The loss must be accepted in words, and not beside a gate that runs.
    copy_database(&old, &state);
    assert!(!dir.run(&["restore", "."]).status.success());
    assert_done(&dir.run(&["restore", "--accept-loss", "."]));
    let gate = dir.serve();
    assert!(!gate.dir.run(&["restore", "--accept-loss", "."]).status.success());
    let olga = gate.sign_in("olga").await;
    for (id, state) in [(&open, "cancelled"), (&sent, "unknown")] {
        let (_, body) = olga.get(&format!("/v1/proposals/{id}")).await;
        assert_eq!(body["state"]["state"], state, "{body}");
    }
    let (status, body) = gate.propose("shop.note.add", json!({ "id": "i_1", "text": "on" })).await;
    assert_eq!(status, 200, "{body}");
    let (_, entries) = gate.stop_and_verify();
    let restored = entries.iter().find(|e| e["event"] == "gate.restored").unwrap();
    let size = |which: &str| restored["data"][which]["size"].as_u64().unwrap();
    assert!(size("recorded") > size("found"), "{restored}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_database_under_the_same_name_is_refused() {
    let upstream = upstream().await;
    let dir = GateDir::new(&upstream).serve().stop();
    // More work than the first one ever recorded, so that only its identity differs.
    let gate = GateDir::new(&upstream).serve();
    for text in ["a", "b", "c", "d"] {
        let (status, body) = gate.propose("shop.note.add", json!({ "id": "i_1", "text": text })).await;
        assert_eq!(status, 200, "{body}");
    }
    let other = gate.stop();
    copy_database(&other.path().join("state"), &dir.path().join("state"));
    let why = dir.refusal_to_serve();
    assert!(why.contains("another database"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_grew_from_an_older_copy_is_not_the_one_that_was_recorded() {
    let upstream = upstream().await;
    let dir = GateDir::new(&upstream).serve().stop();
    let state = dir.path().join("state");
    copy_database(&state, &dir.path().join("old"));
    let work = async |dir: GateDir, texts: &[&str]| {
        let gate = dir.serve();
        for text in texts {
            let (status, body) = gate.propose("shop.note.add", json!({ "id": "i_1", "text": text })).await;
            assert_eq!(status, 200, "{body}");
        }
        gate.stop()
    };
    let dir = work(dir, &["a"]).await;
    let witness = state.join("countersign.db.witness");
    std::fs::rename(&witness, dir.path().join("recorded")).unwrap();
    copy_database(&dir.path().join("old"), &state);
    let dir = work(dir, &["b", "c", "d"]).await;
    std::fs::rename(dir.path().join("recorded"), &witness).unwrap();
    let why = dir.refusal_to_serve();
    assert!(why.contains("not the log that this gate has recorded"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gate_without_its_witness_starts_and_says_so() {
    let upstream = upstream().await;
    let dir = GateDir::new(&upstream).serve().stop();
    std::fs::remove_file(dir.path().join("state/countersign.db.witness")).unwrap();
    let gate = dir.serve();
    let warnings = gate.operator_log().matches("there is no witness file").count();
    assert_eq!(warnings, 1, "not at the first start of all: {}", gate.operator_log());
    let (dir, entries) = gate.stop_and_verify();
    let started: Vec<_> = entries.iter().filter(|e| e["event"] == "gate.started").collect();
    let witness = |at: usize| started[at]["data"]["witness"].as_str().unwrap();
    assert_eq!([witness(0), witness(1)], ["new", "new"]);
    let (_, entries) = dir.serve().stop_and_verify();
    let last = entries.iter().rfind(|e| e["event"] == "gate.started").unwrap();
    assert_eq!(last["data"]["witness"], "held");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_on_a_new_machine_is_closed_when_the_operator_says_so() {
    let upstream = upstream().await;
    let gate = GateDir::new(&upstream).serve();
    let (_, body) = gate.propose("shop.price.set", json!({ "id": "i_1", "price": 20_000 })).await;
    let open = body["id"].as_str().unwrap().to_owned();
    let dir = gate.stop();
    let state = |dir: &GateDir| dir.query("SELECT state FROM proposal WHERE id = ?", &[&open])[0][0].clone();
    // With its witness there is nothing to accept.
    assert_done(&dir.run(&["restore", "--accept-loss", "."]));
    assert_eq!(state(&dir), "pending");
    std::fs::remove_file(dir.path().join("state/countersign.db.witness")).unwrap();
    let output = dir.run(&["restore", "."]);
    assert_eq!(output.status.code(), Some(6), "{output:?}");
    assert_eq!(state(&dir), "pending");
    assert_done(&dir.run(&["restore", "--accept-loss", "."]));
    assert_eq!(state(&dir), "cancelled");
    let (_, entries) = dir.serve().stop_and_verify();
    let restored = entries.iter().find(|e| e["event"] == "gate.restored").unwrap();
    assert_eq!(restored["data"]["recorded"], json!(null), "{restored}");
    assert_eq!(entries.last().unwrap()["data"]["witness"], "held", "the new witness is whole");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_copy_on_postgresql_is_refused_and_restored_when_no_gate_runs() {
    let Some(url) = crate::postgres::server::fresh_url() else { return };
    let upstream = upstream().await;
    let address = url.split('?').next().unwrap();
    let name = address.rsplit('/').next().unwrap();
    let admin = url.replacen(&format!("/{name}"), "/postgres", 1);
    let sql = |text: &str| {
        let psql = crate::postgres::server::programs().unwrap().join("psql");
        assert_done(&Command::new(psql).args([&admin, "-qc", text]).output().unwrap());
    };
    let gate = GateDir::new(&upstream).on_database(&upstream, &url).serve();
    let (status, body) = gate.propose("shop.price.set", json!({ "id": "i_1", "price": 20_000 })).await;
    assert_eq!(status, 202, "{body}");
    let open = body["id"].as_str().unwrap().to_owned();
    let dir = gate.stop();
    sql(&format!("CREATE DATABASE {name}_old TEMPLATE {name}"));
    let gate = dir.serve();
    let (status, body) = gate.propose("shop.note.add", json!({ "id": "i_1", "text": "later" })).await;
    assert_eq!(status, 200, "{body}");
    let dir = gate.stop();
    assert!(dir.path().join("state/witness.json").exists());
    sql(&format!("ALTER DATABASE {name} RENAME TO {name}_new"));
    sql(&format!("ALTER DATABASE {name}_old RENAME TO {name}"));
    let why = dir.refusal_to_serve();
    assert!(why.contains("older than what this gate has already recorded"), "{why}");
    assert_done(&dir.run(&["restore", "--accept-loss", "."]));
    let gate = dir.serve();
    let beside = gate.dir.run(&["restore", "--accept-loss", "."]);
    let said = String::from_utf8_lossy(&beside.stderr).into_owned();
    assert!(!beside.status.success() && said.contains("stop the gate first"), "{said}");
    let (_, body) = gate.sign_in("olga").await.get(&format!("/v1/proposals/{open}")).await;
    assert_eq!(body["state"]["state"], "cancelled", "{body}");
    gate.stop_and_verify();
}
