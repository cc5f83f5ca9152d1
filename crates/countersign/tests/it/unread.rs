//! Policy before IO: no read for a chain that no policy could permit, and nothing of a record for an agent that
//! may not have it.

use serde_json::{Value, json};

use crate::support::log::count;
use crate::support::{Gate, GateDir, Reply, Upstream};

const SECRET: &str = "ada@secret.example";

/// Permits prices by what the record says, and everything else by the team.
const BY_RECORD: &str = r#"
@id("cheap-only")
permit (principal in Team::"support", action == Action::"shop.price.set", resource)
when { context.risk.currency == "usd" && context.risk.amount <= 1 };
@id("never-in-yen")
@reason("No agent sets a price in yen.")
forbid (principal, action == Action::"shop.price.set", resource)
when { context.risk.currency == "jpy" };
"#;

const NOTES_ONLY: &str = r#"
@id("notes-only")
permit (principal in Team::"support", action == Action::"shop.note.add", resource);
"#;

/// A gate whose sentences quote the record, with these policies.
fn gate_dir(upstream: &Upstream, policies: Option<&str>) -> GateDir {
    let dir = GateDir::new(upstream);
    let sentence = "effects = [\"The price becomes ${money_text(input.price, before.currency)}.\"]";
    let sentences = "effects = [\"Sets the price of ${input.id}.\", \"Its owner is ${before.owner}.\"]";
    dir.edit("actions/shop.toml", sentence, sentences);
    if let Some(policies) = policies {
        dir.write("policies/shop.cedar", policies);
    }
    dir
}

fn share_effects(dir: &GateDir) {
    let watch = "watch = [\"/price\"]";
    dir.edit("actions/shop.toml", watch, &format!("{watch}\nagent = \"effects\""));
}

async fn upstream() -> Upstream {
    let upstream = Upstream::start().await;
    let item = json!({ "id": "i_1", "price": 5_000, "currency": "usd", "owner": SECRET });
    upstream.on("GET /items/i_1", Reply::json(200, &item));
    upstream
}

fn price(id: &str, price: u32, dry_run: bool) -> Value {
    json!({ "action": "shop.price.set", "input": { "id": id, "price": price }, "on_behalf_of": "ann",
        "dry_run": dry_run })
}

/// An answer without what differs between two equal requests: the proposal's id.
fn comparable((status, body): &(u16, Value)) -> String {
    let id = body.pointer("/proposal/id").and_then(Value::as_str).unwrap_or("no id");
    format!("{status} {}", body.to_string().replace(id, "ID"))
}

/// The answers to a proposal, to reading it again, and to a dry run.
async fn answers(gate: &Gate, id: &str) -> Vec<String> {
    let proposed = gate.propose_with(price(id, 9_000, false)).await;
    let proposal = proposed.1["proposal"]["id"].as_str().unwrap_or("none").to_owned();
    let (status, read) = gate.agent_get(&format!("/v1/proposals/{proposal}")).await;
    let read = format!("{status} {}", read.to_string().replace(&proposal, "ID"));
    let dry = gate.propose_with(price(id, 9_000, true)).await;
    // Two gates differ in where they listen.
    [comparable(&proposed), read, comparable(&dry)].map(|text| text.replace(&gate.people, "PEOPLE")).into()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_without_rights_causes_no_read_and_learns_nothing_of_the_record_a3() {
    let upstream = upstream().await;
    let gate = gate_dir(&upstream, Some(NOTES_ONLY)).serve();
    let shown = answers(&gate, "i_1").await;
    assert_eq!(upstream.calls().len(), 0, "{shown:?}");
    assert!(!shown.concat().contains(SECRET), "{shown:?}");
    assert!(shown[0].starts_with("403 ") && shown[0].contains("\"no_permit\""), "{shown:?}");
    assert!(shown[0].contains("Sets the price of i_1."), "{shown:?}");
    assert!(shown[2].starts_with("200 ") && !shown[2].contains("\"call\""), "{shown:?}");
    let (_, entries) = gate.stop_and_verify();
    let denied = entries.iter().find(|e| e["event"] == "proposal.denied").unwrap();
    assert_eq!(denied["data"]["action"], "shop.price.set", "{denied}");
    assert!(denied["data"]["input"].as_str().unwrap().starts_with("sha256:"), "{denied}");
    assert_eq!(denied["data"]["decision"]["answer"], "deny", "{denied}");
    assert!(denied.to_string().contains("ann") && denied.to_string().contains("bot"), "{denied}");
    assert_eq!((count(&entries, "proposal.denied"), count(&entries, "proposal.previewed")), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forbid_that_reads_no_record_denies_before_the_read_and_says_why_a3() {
    let upstream = upstream().await;
    let policies = format!(
        "{BY_RECORD}@id(\"no-nines\") @reason(\"Never 9000.\") forbid (principal, action == \
         Action::\"shop.price.set\", resource) when {{ context.input.price == 9000 }};"
    );
    let gate = gate_dir(&upstream, Some(&policies)).serve();
    let shown = answers(&gate, "i_1").await;
    assert_eq!(upstream.calls().len(), 0, "{shown:?}");
    assert!(shown[0].contains("Never 9000.") && shown[0].contains("no-nines"), "{shown:?}");
    gate.stop_and_verify();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denied_agent_cannot_tell_an_existing_record_from_a_missing_one_a3() {
    let upstream = upstream().await;
    let yen = json!({ "id": "i_1", "price": 5_000, "currency": "jpy", "owner": SECRET });
    let records = [
        (
            "denied by the record",
            Reply::json(200, &json!({ "price": 5, "currency": "usd", "owner": SECRET })),
        ),
        ("forbidden by the record", Reply::json(200, &yen)),
        ("missing", Reply::json(404, &json!({ "error": SECRET }))),
        ("gone", Reply::json(410, &json!({ "error": SECRET }))),
        ("without what the sentences need", Reply::json(200, &json!({ "id": "i_1" }))),
    ];
    let stranger = gate_dir(&upstream, Some(NOTES_ONLY)).serve();
    let expected = answers(&stranger, "i_1").await;
    stranger.stop_and_verify();
    for shared in [false, true] {
        let dir = gate_dir(&upstream, Some(BY_RECORD));
        if shared {
            share_effects(&dir);
        }
        let gate = dir.serve();
        for (name, reply) in records.clone() {
            upstream.on("GET /items/i_1", reply);
            let before = upstream.calls().len();
            assert_eq!(answers(&gate, "i_1").await, expected, "{name}, shared: {shared}");
            assert_eq!(upstream.calls().len(), before + 2, "{name}: policy needs the record");
        }
        gate.stop_and_verify();
    }
    assert!(!expected.concat().contains(SECRET), "{expected:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_permitted_agent_sees_of_the_record_what_the_manifest_says_a3() {
    let upstream = upstream().await;
    for shared in [false, true] {
        let dir = gate_dir(&upstream, None);
        if shared {
            share_effects(&dir);
        }
        let gate = dir.serve();
        let (status, pending) = gate.propose_with(price("i_1", 20_000, false)).await;
        let (_, dry) = gate.propose_with(price("i_1", 20_000, true)).await;
        assert_eq!((status, &pending["state"]), (202, &json!("pending")), "{pending}");
        for shown in [&pending, &dry] {
            assert_eq!(shown["effects"][0], "Sets the price of i_1.", "{shown}");
            assert_eq!(shown["resource"]["id"], "i_1", "{shown}");
            assert_eq!(shown.to_string().contains(SECRET), shared, "{shown}");
            assert_eq!(shown["intent"].is_string(), shared, "{shown}");
        }
        // The price is the input's, so the call holds nothing of the record.
        assert_eq!(dry["call"]["body"], "{\"price\":20000}", "{dry}");
        // People see it all.
        let frank = gate.sign_in("frank").await;
        let (_, card) = frank.get(&format!("/v1/proposals/{}", pending["id"].as_str().unwrap())).await;
        assert!(card["card"]["effects"].to_string().contains(SECRET), "{card}");
        gate.stop_and_verify();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_holds_values_of_the_record_is_not_shown_in_a_dry_run_a3() {
    let upstream = upstream().await;
    for shared in [false, true] {
        let dir = gate_dir(&upstream, None);
        let body = "body = { price = \"${input.price}\" }";
        dir.edit(
            "actions/shop.toml",
            body,
            "body = { price = \"${input.price}\", to = \"${before.owner}\" }",
        );
        if shared {
            share_effects(&dir);
        }
        let gate = dir.serve();
        let (_, dry) = gate.propose_with(price("i_1", 20_000, true)).await;
        assert_eq!(dry.get("call").is_some(), shared, "{dry}");
        assert_eq!(dry.to_string().contains(SECRET), shared, "{dry}");
        gate.stop_and_verify();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_record_has_a_code_of_its_own_for_a_permitted_agent_g13() {
    let upstream = upstream().await;
    let gate = gate_dir(&upstream, None).serve();
    upstream.on("GET /items/i_7", Reply::json(404, &json!({ "error": "no such item" })));
    for dry_run in [false, true] {
        let (status, body) = gate.propose_with(price("i_7", 1, dry_run)).await;
        assert_eq!((status, &body["code"]), (422, &json!("no_such_resource")), "{body}");
        assert_eq!(body["detail"], "there is no Item i_7", "{body}");
    }
    assert_eq!(upstream.writes().len(), 0);
    let (_, entries) = gate.stop_and_verify();
    assert_eq!(count(&entries, "proposal.invalid"), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preview_that_fails_names_the_host_and_the_status_to_agent_and_operator() {
    let upstream = upstream().await;
    let gate = gate_dir(&upstream, None).serve_logging("info");
    for (status, words) in [
        (401, "401 (Unauthorized)"),
        (403, "403 (Forbidden)"),
        (429, "429 (Too Many Requests)"),
        (503, "503 (Service Unavailable)"),
    ] {
        upstream.on("GET /items/i_1", Reply::json(status, &json!({ "trace": SECRET })));
        let (code, body) = gate.propose_with(price("i_1", 1, false)).await;
        assert_eq!((code, &body["code"]), (502, &json!("preview_failed")), "{body}");
        let sentence = format!("GET 127.0.0.1: the upstream answered {words} instead of 200");
        assert_eq!(body["detail"], format!("the preview failed: {sentence}"), "{body}");
        assert!(!body.to_string().contains(SECRET), "{body}");
        let log = gate.operator_log();
        let warned = log.lines().any(|line| line.contains("WARN") && line.contains(&sentence));
        assert!(warned && !log.contains(SECRET), "{log}");
    }
    assert_eq!(upstream.writes().len(), 0);
    gate.stop_and_verify();
}
