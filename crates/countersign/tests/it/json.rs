//! `--json`: one document on standard output, which holds exactly what there is to say.

use serde_json::{Value, json};

use crate::support::gate::{http, send};
use crate::support::{Gate, GateDir, Reply, Upstream};

/// Runs a command with `--json`; its exit code and its document, and that there is nothing else.
fn run(dir: &GateDir, arguments: &[&str]) -> (i32, Value) {
    let output = dir.run(&[arguments, &["--json"]].concat());
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.is_ascii(), "{text}");
    let said = String::from_utf8_lossy(&output.stderr);
    let document =
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{arguments:?}: {error}\n{text}\n{said}"));
    (output.status.code().unwrap(), document)
}

/// What a command that does its work prints.
fn done(dir: &GateDir, arguments: &[&str]) -> Value {
    let (code, document) = run(dir, arguments);
    assert_eq!(code, 0, "{arguments:?}: {document}");
    document
}

async fn gate() -> (Upstream, Gate) {
    let upstream = Upstream::start().await;
    upstream.on("GET /items/i_1", Reply::json(200, &json!({ "id": "i_1", "price": 900, "currency": "eur" })));
    let gate = GateDir::new(&upstream).serve();
    (upstream, gate)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_holds_exactly_what_the_gate_answered() {
    let (_upstream, gate) = gate().await;
    let reason = "p\u{430}ypal      says \u{202e}so, \u{1f600}";
    let body = json!({
        "action": "shop.price.set", "input": { "id": "i_1", "price": 90_000 }, "on_behalf_of": "ann", "reason": reason,
    });
    let (status, answer) = gate.propose_with(body).await;
    assert_eq!(status, 202, "{answer}");
    let id = answer["id"].as_str().unwrap();
    let url = format!("{}/sign-in/{}", gate.people, gate.link("frank"));
    assert_eq!(done(&gate.dir, &["person", "login", &url]), json!({ "person": "frank" }));
    let shown = done(&gate.dir, &["show", id]);
    assert_eq!(shown["written_by_the_agent"]["reason"], reason, "{shown}");
    assert_eq!(done(&gate.dir, &["list"])["proposals"][0]["id"], id);
    assert_eq!(done(&gate.dir, &["person", "logout"]), json!({}));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_operator_and_an_auditor_run_has_documents_too() {
    let (_upstream, gate) = gate().await;
    let dir = &gate.dir;
    let key = done(dir, &["key", "bot", "."]);
    assert_eq!((&key["agent"], &key["out"]), (&json!("bot"), &Value::Null), "{key}");
    assert!(key["key"].as_str().unwrap().starts_with("csk_"), "{key}");
    let key = done(dir, &["key", "bot", ".", "--out", "second.key"]);
    assert_eq!((&key["key"], &key["out"]), (&Value::Null, &json!("second.key")), "{key}");

    let link = done(dir, &["person", "link", "olga", "."]);
    assert!(link["until"].is_string() && link["person"] == "olga", "{link}");
    let token = link["url"].as_str().unwrap().rsplit_once('/').unwrap().1;
    assert_eq!(
        done(dir, &["person", "login", &format!("{}/sign-in/{token}", gate.people)])["person"],
        "olga"
    );

    let token = done(dir, &["person", "token", "olga", ".", "--out", "a.token"]);
    assert_eq!((&token["out"], &token["person"]), (&json!("a.token"), &json!("olga")), "{token}");
    let bearer = dir.read("a.token");
    let checkpoint = http().get(format!("{}/v1/log/checkpoint", gate.people)).bearer_auth(bearer.trim());
    assert_eq!(send(checkpoint).await.0, 200);

    let keep = ["log", "checkpoint", "--url", &gate.people, "--token-file", "a.token", "--vkey", &gate.vkey];
    let keep = [&keep[..], &["--out", "head.txt"]].concat();
    let first = done(dir, &keep);
    assert_eq!((&first["result"], &first["before"]), (&json!("written"), &Value::Null), "{first}");
    assert_eq!(done(dir, &["log", "export", "--out", "log.export"]), json!({ "out": "log.export" }));
    let verify = ["log", "verify", "log.export", "--key", &gate.vkey];
    let unanchored = done(dir, &verify);
    assert_eq!(unanchored["answer"], "UNANCHORED", "{unanchored}");
    let verified = done(dir, &[&verify[..], &["--anchor", "head.txt"]].concat());
    assert_eq!((&verified["answer"], &verified["vouched_for"]), (&json!("VERIFIED"), &first["entries"]));
    assert_eq!(verified["key"], json!(gate.vkey), "{verified}");
    let text = dir.read("log.export");
    dir.write("cut.export", &text.replacen("gate.started", "gate.stopped", 1));
    let (code, broken) = run(dir, &["log", "verify", "cut.export"]);
    assert_eq!((code, &broken["answer"]), (6, &json!("BROKEN")), "{broken}");
    assert!(broken["why"].is_string(), "{broken}");
    // A checkpoint of another log is never replaced.
    dir.write("head.txt", "something else");
    let (code, kept) = run(dir, &keep);
    assert_eq!((code, &kept["result"]), (6, &json!("not_touched")), "{kept}");

    assert_eq!(done(dir, &["person", "revoke", "olga", "."]), json!({ "person": "olga", "revoked": 1 }));
    assert_eq!(done(dir, &["repair", "--dir", "."]), json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn so_have_those_that_make_restore_and_refuse_a_directory() {
    let (_upstream, gate) = gate().await;
    let dir = gate.stop();
    assert_eq!(done(&dir, &["restore", "."]), json!({ "differs": null, "accepted": null }));
    let again = done(&dir, &["init", "."]);
    assert_eq!((&again["wrote"], &again["problems"]), (&json!([]), &json!([])), "{again}");
    let new = done(&dir, &["init", "another", "--example"]);
    let wrote = new["wrote"].as_array().unwrap();
    assert!(wrote.contains(&json!("another/countersign.toml")) && new["store"].is_string(), "{new}");
    // Each says what `check` says of a directory that it cannot use.
    dir.edit("countersign.toml", "[gate]", "[gates]");
    let (_, findings) = run(&dir, &["check", "."]);
    for command in [
        &["key", "bot", "."][..],
        &["person", "link", "ann", "."],
        &["person", "revoke", "ann", "."],
        &["repair", "--dir", "."],
        &["restore", "."],
        &["log", "export", "--out", "log.export", "--dir", "."],
    ] {
        let (code, refused) = run(&dir, command);
        assert_eq!((code, &refused["ok"]), (6, &json!(false)), "{command:?}: {refused}");
        assert_eq!(refused["findings"][0], findings["findings"][0], "{command:?}");
    }
}
