//! Metrics, as Prometheus reads them.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::gate::{assert_done, http, send};
use crate::support::tools::{self, tools};
use crate::support::wait::eventually;
use crate::support::{Gate, GateDir, Reply, Upstream};

fn gate(upstream: &Upstream) -> Gate {
    upstream
        .on("GET /items/i_1", Reply::json(200, &json!({ "id": "i_1", "price": 5_000, "currency": "usd" })));
    let dir = GateDir::new(upstream);
    let (config, people) = (dir.read("countersign.toml"), dir.read("directory.toml"));
    dir.write("countersign.toml", &format!("{config}[metrics]\nlisten = \"127.0.0.1:0\"\n"));
    // A third one of finance, so that both rules can be met at once.
    dir.write("directory.toml", &format!("{people}[person.gil]\nname = \"Gil\"\nteams = [\"finance\"]\n"));
    dir.serve()
}

fn url(gate: &Gate) -> &str {
    gate.metrics.as_deref().unwrap()
}

/// What Prometheus's own parser makes of the metrics: `samples` by name and labels, and the `text`. None where the
/// parser is not installed.
fn scrape(gate: &Gate) -> Option<Value> {
    let venv = tools().join("venv");
    let library = std::fs::read_dir(venv.join("lib")).ok().into_iter().flatten().map(Result::unwrap);
    let library = library.map(|python| python.path().join("site-packages/prometheus_client"));
    let parser = library.last().unwrap_or_else(|| venv.join("lib"));
    if !tools::has(&parser.join("openmetrics/parser.py")) {
        return None;
    }
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/metrics/scrape.py");
    let python = Command::new(venv.join("bin/python"))
        .arg(program)
        .arg(url(gate))
        .env("NO_PROXY", "127.0.0.1")
        .output();
    let output = python.unwrap();
    assert_done(&output);
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

/// Requests of every kind: three that run and end differently, a denied one, three that wait, and refused ones.
async fn story(gate: &Gate, upstream: &Upstream) {
    let note = |id: &str| json!({ "id": id, "text": "Called back." });
    upstream.on("POST /items/i_2/notes", Reply::json(400, &json!({ "error": "no" })));
    upstream.on("POST /items/i_3/notes", Reply::Cut("{"));
    for (id, state) in [("i_1", "succeeded"), ("i_2", "failed"), ("i_3", "unknown")] {
        let (_, body) = gate.propose("shop.note.add", note(id)).await;
        assert_eq!(body.get("proposal").unwrap_or(&body)["state"], state, "{body}");
    }
    assert_eq!(gate.propose("shop.item.delete", json!({ "id": "i_1" })).await.0, 403);
    for price in [20_000, 20_001, 200_000] {
        assert_eq!(gate.propose("shop.price.set", json!({ "id": "i_1", "price": price })).await.0, 202);
    }
    assert_eq!(gate.propose("shop.no.such", json!({})).await.0, 404);
    assert_eq!(gate.propose("shop.item.read", json!({ "id": "no id" })).await.0, 422);
    assert_eq!(gate.propose("shop.item.read", json!({ "id": "no id" })).await.0, 422);
    // Nobody's key, session and page.
    for path in ["/v1/proposals", "/v1/nothing"] {
        send(http().get(format!("{}{path}", gate.agents))).await;
    }
    send(http().get(format!("{}/v1/me", gate.people))).await;
    let elsewhere = http().get(format!("{}/livez", gate.people)).header("host", "elsewhere.example");
    assert_eq!(send(elsewhere).await.0, 421);
}

#[tokio::test(flavor = "multi_thread")]
async fn prometheus_reads_what_happened() {
    let upstream = Upstream::start().await;
    let gate = gate(&upstream);
    story(&gate, &upstream).await;
    let olga = gate.sign_in("olga").await;
    let before = olga.get("/v1/counts").await.1["writes"]["commits"].as_u64().unwrap();
    let mut last = None;
    eventually("the log has caught up", async || {
        last = scrape(&gate);
        last.as_ref().is_none_or(|l| l["samples"]["countersign_log_backlog"] == 0.0)
    })
    .await;
    let Some(read) = last else { return };
    let after = olga.get("/v1/counts").await.1["writes"]["commits"].as_u64().unwrap();
    let samples = &read["samples"];
    for (name, value) in [
        ("countersign_proposals_opened_total{decision=allow}", 3.0),
        ("countersign_proposals_opened_total{decision=deny}", 1.0),
        ("countersign_proposals_opened_total{decision=ask}", 3.0),
        ("countersign_dispatches_total{outcome=succeeded}", 1.0),
        ("countersign_dispatches_total{outcome=failed}", 1.0),
        ("countersign_dispatches_total{outcome=unknown}", 1.0),
        ("countersign_refusals_total{code=unknown_action,listener=agents}", 1.0),
        ("countersign_refusals_total{code=invalid_input,listener=agents}", 2.0),
        ("countersign_refusals_total{code=unauthenticated,listener=agents}", 1.0),
        ("countersign_refusals_total{code=route_not_found,listener=agents}", 1.0),
        ("countersign_refusals_total{code=unauthenticated,listener=people}", 1.0),
        ("countersign_refusals_total{code=wrong_host,listener=people}", 1.0),
        ("countersign_pending", 3.0),
        ("countersign_pending_by_rule{rule=finance}", 3.0),
        ("countersign_pending_by_rule{rule=both}", 1.0),
        ("countersign_unknown", 1.0),
        ("countersign_log_backlog_age_seconds", 0.0),
        ("countersign_store_readable", 1.0),
    ] {
        assert_eq!(samples[name], value, "{name} in {samples:#}");
    }
    let number = |name: &str| samples[name].as_f64().unwrap_or_else(|| panic!("{name} in {samples:#}"));
    let refusals = samples.as_object().unwrap().keys().filter(|k| k.contains("refusals_total"));
    assert_eq!(refusals.count(), 6, "nothing else was refused: {samples:#}");
    let commits = number("countersign_store_commit_seconds_count");
    let bounds = [before, after].map(|n| f64::from(u32::try_from(n).unwrap()));
    assert!((bounds[0]..=bounds[1]).contains(&commits), "{commits} of {bounds:?}");
    assert!(number("countersign_store_commit_seconds_sum") > 0.0);
    let (finance, both) = (
        number("countersign_pending_oldest_age_seconds{rule=finance}"),
        number("countersign_pending_oldest_age_seconds{rule=both}"),
    );
    assert!(finance > both && both > 0.0 && finance < 60.0, "{finance} {both}");
    let text = read["text"].as_str().unwrap();
    for never in ["prp_", "\"bot\"", "\"ann\"", "i_1", "elsewhere", "shop."] {
        assert!(!text.contains(never), "{never} is in the metrics:\n{text}");
    }
    gate.stop_with_sound_log();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_decided_leaves_the_gauges_and_a_rule_that_is_gone_leaves_the_labels() {
    let upstream = Upstream::start().await;
    let gate = gate(&upstream);
    let (_, body) = gate.propose("shop.price.set", json!({ "id": "i_1", "price": 20_000 })).await;
    let id = body["id"].as_str().unwrap();
    let frank = gate.sign_in("frank").await;
    assert_eq!(frank.approve(id).await.0, 200);
    assert_eq!(gate.settled(id).await["state"], "succeeded");
    gate.dir.edit("policies/shop.cedar", "@approval(\"both\")", "@approval(\"finance\")");
    let approvals = gate.dir.read("approvals.toml");
    gate.dir.write("approvals.toml", approvals.split("[both]").next().unwrap());
    gate.reload().await;
    eventually("the metrics show it", async || {
        let Some(read) = scrape(&gate) else { return true };
        let of = |name: &str| read["samples"].get(name).and_then(Value::as_f64);
        of("countersign_pending_by_rule{rule=finance}") == Some(0.0)
            && of("countersign_pending_oldest_age_seconds{rule=finance}") == Some(0.0)
            && of("countersign_pending_by_rule{rule=both}").is_none()
            && of("countersign_proposals_opened_total{decision=ask}") == Some(1.0)
            && of("countersign_dispatches_total{outcome=succeeded}") == Some(1.0)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_listener_for_metrics_answers_nothing_else_and_the_others_have_no_metrics() {
    let upstream = Upstream::start().await;
    let gate = gate(&upstream);
    let base = url(&gate).strip_suffix("/metrics").unwrap();
    assert_eq!(send(http().get(url(&gate))).await.0, 200);
    for path in ["/", "/livez", "/readyz", "/openapi.json", "/v1/proposals", "/v1/counts", "/metrics/"] {
        assert_eq!(send(http().get(format!("{base}{path}"))).await.0, 404, "{path}");
    }
    assert_eq!(send(http().post(url(&gate))).await.0, 405);
    assert_eq!(send(http().get(url(&gate)).header("host", "elsewhere.example")).await.0, 421);
    for listener in [&gate.agents, &gate.people] {
        assert_eq!(send(http().get(format!("{listener}/metrics"))).await.0, 404);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_scrapes_read_the_database_about_once_a_second() {
    let upstream = Upstream::start().await;
    let gate = gate(&upstream);
    let olga = gate.sign_in("olga").await;
    let reads = async || olga.get("/v1/counts").await.1["reads"].as_u64().unwrap();
    let before = reads().await;
    let client = http();
    for _ in 0..10 {
        let scrapes = (0..10).map(|_| send(client.get(url(&gate))));
        let answers = futures_util::future::join_all(scrapes).await;
        assert!(answers.iter().all(|(status, _)| *status == 200));
    }
    // Each scrape alone would read three times; meanwhile the gate looks after itself a few times a second.
    let read = reads().await - before;
    assert!(read < 200, "{read} statements for 100 scrapes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_in_use_is_an_error_that_names_it() {
    let upstream = Upstream::start().await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let dir = GateDir::new(&upstream);
    let config = dir.read("countersign.toml");
    dir.write("countersign.toml", &format!("{config}[metrics]\nlisten = \"{address}\"\n"));
    assert_done(&dir.run(&["init", "."]));
    let said = dir.refusal_to_serve();
    assert!(said.contains(&format!("failed to listen on {address}")), "{said}");
    // The port of another listener is a mistake of the file.
    dir.edit("countersign.toml", "agents = \"127.0.0.1:0\"", &format!("agents = \"{address}\""));
    let checked = dir.run(&["check", "."]);
    let said = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(said.contains("metrics share the listener"), "{said}");
}
