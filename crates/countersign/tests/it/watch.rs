//! `watch` guards what people saw: a pointer that names nothing must not look like a guard.

use serde_json::{Value, json};

use crate::support::{Gate, GateDir, Reply, Upstream, wait::eventually};

const FILES: &str = r#"
[system]
name = "files"
base_url = "{{URL}}"
credential = { read = "shop-read", write = "shop-write" }
env = "support"
owner = "shop-team"

[action."file.write"]
title = "Write a file"
description = "Overwrite one file."
groups = ["destructive"]
[action."file.write".input]
id = { type = "string", pattern = "^f_[a-z0-9]{1,20}$", required = true }
text = { type = "string", maxLength = 200, required = true }
[action."file.write".resource]
type = "File"
id = "${input.id}"
[action."file.write".preview]
read = { method = "GET", path = "/files/${input.id}" }
watch = ["/contents"]
effects = ["Overwrites file ${input.id}."]
[action."file.write".request]
method = "PUT"
path = "/files/${input.id}"
encoding = "json"
body = { text = "${input.text}" }
"#;

const POLICIES: &str = r#"
@id("support-all")
permit (principal in Team::"support", action, resource)
when { context.env == Environment::"support" };

@id("files-need-finance")
@approval("finance")
@reason("Finance looks at files that are overwritten.")
forbid (principal, action == Action::"files.file.write", resource);
"#;

fn record(member: &str, text: &str) -> Reply {
    Reply::json(200, &json!({ "id": "f_1", member: text }))
}

/// A gate whose one action overwrites a file and watches `/contents`.
fn directory(upstream: &Upstream) -> GateDir {
    let dir = GateDir::new(upstream);
    dir.write("actions/shop.toml", &FILES.replace("{{URL}}", &upstream.url()));
    dir.write("policies/shop.cedar", POLICIES);
    dir
}

async fn write_file(gate: &Gate) -> (u16, Value) {
    gate.propose("files.file.write", json!({ "id": "f_1", "text": "new" })).await
}

async fn approvals(gate: &Gate, id: &str) -> Value {
    gate.agent_get(&format!("/v1/proposals/{id}")).await.1["needs"][0]["have"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watched_field_that_the_record_does_not_have_never_lets_it_be_overwritten_a9() {
    let upstream = Upstream::start().await;
    upstream.on("GET /files/f_1", record("text", "as people saw it"));
    let gate = directory(&upstream).serve();
    let (status, refusal) = write_file(&gate).await;
    assert_eq!((status, &refusal["code"]), (422, &json!("not_renderable")), "{refusal}");
    let detail = refusal["detail"].as_str().unwrap();
    assert!(detail.contains("`/contents`") && detail.contains("watch"), "{detail}");
    assert!(!detail.contains("as people saw it"), "{detail}");
    assert!(upstream.writes().is_empty());
    // With the record that the manifest was written for, the same proposal is shown, guarded and sent.
    upstream.on("GET /files/f_1", record("contents", "as people saw it"));
    let (status, body) = write_file(&gate).await;
    assert_eq!(status, 202, "{body}");
    let frank = gate.sign_in("frank").await;
    let id = body["id"].as_str().unwrap();
    let (_, shown) = frank.get(&format!("/v1/proposals/{id}")).await;
    assert!(shown["card"]["guard"].as_str().unwrap().contains("/contents"), "{shown}");
    assert_eq!(frank.approve(id).await.0, 200);
    assert_eq!(gate.settled(id).await["state"], "succeeded");
    assert_eq!(upstream.writes().len(), 1);
    gate.stop_with_sound_log();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watched_field_that_vanished_is_a_change_even_if_it_was_null_a9() {
    let upstream = Upstream::start().await;
    let gate = directory(&upstream).serve();
    let frank = gate.sign_in("frank").await;
    for contents in [json!("as people saw it"), json!(null)] {
        upstream.on("GET /files/f_1", Reply::json(200, &json!({ "id": "f_1", "contents": contents })));
        let (status, body) = write_file(&gate).await;
        assert_eq!(status, 202, "{body}");
        let id = body["id"].as_str().unwrap();
        upstream.on("GET /files/f_1", record("text", "moved"));
        // The preview is old once this wait is over.
        frank.get(&format!("/v1/proposals/{id}?wait=3")).await;
        assert_eq!(frank.approve(id).await.0, 200);
        eventually("it is asked again", async || approvals(&gate, id).await == 0).await;
        let (_, now) = frank.get(&format!("/v1/proposals/{id}")).await;
        assert_eq!(now["state"]["state"], "pending", "{contents}: {now}");
        let guard = now["card"]["guard"].as_str().unwrap();
        assert!(guard.contains("/contents (no longer in the record)"), "{contents}: {guard}");
        assert!(upstream.writes().is_empty(), "{contents}");
    }
    gate.stop_with_sound_log();
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_there_to_ask_so_a_vanished_field_refuses_what_policy_allows_a9() {
    let upstream = Upstream::start().await;
    upstream.on("GET /files/f_1", record("contents", "as people saw it"));
    let gate = directory(&upstream).serve();
    let frank = gate.sign_in("frank").await;
    let (status, body) = write_file(&gate).await;
    assert_eq!(status, 202, "{body}");
    let id = body["id"].as_str().unwrap();
    upstream.on("GET /files/f_1", record("text", "moved"));
    frank.get(&format!("/v1/proposals/{id}?wait=3")).await;
    assert_eq!(frank.approve(id).await.0, 200);
    eventually("it is asked again", async || approvals(&gate, id).await == 0).await;
    // From now on no person is needed.
    let gated = POLICIES.find("@id(\"files-need-finance\")").unwrap();
    gate.dir.write("policies/shop.cedar", &POLICIES[..gated]);
    gate.reload().await;
    let state = gate.settled(id).await;
    assert_eq!((&state["state"], &state["cause"]), (&json!("refused"), &json!("preview_failed")), "{state}");
    assert!(upstream.writes().is_empty());
    gate.stop_with_sound_log();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_that_may_be_absent_is_watched_as_absent_a9() {
    let upstream = Upstream::start().await;
    upstream.on("GET /files/f_1", record("text", "as people saw it"));
    let dir = directory(&upstream);
    dir.edit(
        "actions/shop.toml",
        "watch = [\"/contents\"]",
        "watch = [\"/contents\"]\noptional = [\"/contents\"]",
    );
    let gate = dir.serve();
    let frank = gate.sign_in("frank").await;
    let (status, body) = write_file(&gate).await;
    assert_eq!(status, 202, "{body}");
    let id = body["id"].as_str().unwrap();
    upstream.on("GET /files/f_1", record("contents", "somebody else's"));
    frank.get(&format!("/v1/proposals/{id}?wait=3")).await;
    assert_eq!(frank.approve(id).await.0, 200);
    eventually("it is asked again", async || approvals(&gate, id).await == 0).await;
    assert!(upstream.writes().is_empty());
    assert_eq!(frank.approve(id).await.0, 200);
    assert_eq!(gate.settled(id).await["state"], "succeeded");
    assert_eq!(upstream.writes().len(), 1);
    gate.stop_with_sound_log();
}
