//! The official conformance suite against a gate whose manifests provide the tools that its scenarios name. What does
//! not apply is listed in a file for each revision, with a reason, and the lists may only shrink.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Path as PathOf, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};
use tokio::process::Command;

use super::{BEFORE, CURRENT, Client, upstream};
use crate::support::gate::http;
use crate::support::tools::{self, tools};
use crate::support::{Gate, GateDir};

/// For one revision.
const PATIENCE: Duration = Duration::from_mins(5);
/// Scenarios that do not apply, of both revisions together. Never more.
const NOT_APPLICABLE_MAX: usize = 61;
/// A little more than the suite's own second, so that what takes a second is a task.
const A_WHILE: Duration = Duration::from_millis(1_600);

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/mcp/conformance")
}

fn json_of(value: &Value) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], value.to_string()).into_response()
}

/// What the tools do.
async fn lab() -> String {
    let text = |text: &'static str| async move { json_of(&json!({ "text": text })) };
    let router = Router::new()
        .route("/text", get(move || text("This is a simple text response for testing.")))
        .route(
            "/error",
            get(async || (StatusCode::UNPROCESSABLE_ENTITY, json_of(&json!({ "error": "As asked." })))),
        )
        .route(
            "/greetings/{name}",
            get(async |PathOf(name): PathOf<String>| json_of(&json!(format!("Hello, {name}!")))),
        )
        .route(
            "/jobs/{seconds}",
            post(async |PathOf(seconds): PathOf<u64>| {
                tokio::time::sleep(if seconds == 0 { Duration::ZERO } else { A_WHILE }).await;
                json_of(&json!({ "seconds": seconds }))
            }),
        )
        .route(
            "/failing",
            post(async || {
                tokio::time::sleep(A_WHILE).await;
                (StatusCode::UNPROCESSABLE_ENTITY, json_of(&json!({ "error": "As asked." })))
            }),
        )
        .route(
            "/breaking",
            post(async || {
                tokio::time::sleep(A_WHILE).await;
                let cut = futures_util::stream::once(async { Err::<Bytes, _>(std::io::Error::other("cut")) });
                Response::new(Body::from_stream(cut))
            }),
        );
    serve(router).await
}

async fn serve(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    format!("http://{address}")
}

/// Stands before the gate and adds what the suite cannot send: the agent's key, and whom it acts for.
async fn relay(gate: &Gate) -> String {
    let (gate_url, key) = (gate.agents.clone(), gate.key("bot"));
    let own = std::sync::Arc::new(std::sync::OnceLock::<String>::new());
    let state = (gate_url, key, std::sync::Arc::clone(&own));
    let url = serve(Router::new().fallback(relayed).with_state(state)).await;
    own.set(url.trim_start_matches("http://").to_owned()).unwrap();
    url
}

type Relay = (String, String, std::sync::Arc<std::sync::OnceLock<String>>);

async fn relayed(State((gate, key, own)): State<Relay>, request: Request) -> Result<Response, Infallible> {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 1 << 21).await.unwrap();
    let mut headers = parts.headers;
    // Its own name stands for the gate's; any other is the gate's to refuse.
    let gate_host = gate.trim_start_matches("http://");
    let own = own.get().unwrap();
    for name in [header::HOST, header::ORIGIN] {
        if let Some(value) = headers.get(&name).and_then(|value| value.to_str().ok())
            && value.trim_start_matches("http://").replace("localhost", "127.0.0.1") == *own
        {
            let value = if name == header::HOST { gate_host.to_owned() } else { gate.clone() };
            headers.insert(name, HeaderValue::from_str(&value).unwrap());
        }
    }
    headers.remove(header::CONTENT_LENGTH);
    headers.remove(header::TRANSFER_ENCODING);
    headers.remove(header::CONNECTION);
    headers.insert("countersign-on-behalf-of", HeaderValue::from_static("ann"));
    let url = format!("{gate}{}", parts.uri.path_and_query().unwrap());
    let sent =
        http().request(parts.method, url).headers(headers).bearer_auth(key).body(body).send().await.unwrap();
    let mut response = Response::builder().status(sent.status());
    for (name, value) in sent.headers().iter().filter(|(name, _)| *name != header::TRANSFER_ENCODING) {
        response = response.header(name, value);
    }
    Ok(response.body(Body::from(sent.bytes().await.unwrap())).unwrap().into_response())
}

/// The scenarios in a list, each with a reason behind it.
fn listed(revision: &str) -> BTreeSet<String> {
    let text = std::fs::read_to_string(folder().join(format!("{revision}.yml"))).unwrap();
    let mut names = BTreeSet::new();
    for line in text.lines().filter_map(|line| line.strip_prefix("  - ")) {
        let (name, reason) = line.split_once(" # ").unwrap_or_else(|| panic!("no reason for {line}"));
        assert!(reason.len() > 10 && names.insert(name.trim().to_owned()), "{line}");
    }
    names
}

/// The scenarios that the suite calls failed: in its summary, or in its comparison with the list, where a warning counts.
fn failed(printed: &str) -> BTreeSet<String> {
    let (_, summary) = printed.split_once("=== SUMMARY ===").unwrap_or_else(|| panic!("{printed}"));
    let named = |line: &str| {
        let rest = line.trim().strip_prefix(['✗', '~'])?;
        let name = rest.trim().split([':', ' ']).next()?;
        Some(name.to_owned())
    };
    summary.lines().filter_map(named).collect()
}

/// What is wrong, check by check, in the scenarios that are not listed.
fn findings(results: &Path, listed: &BTreeSet<String>) -> String {
    let mut findings = String::new();
    for folder in std::fs::read_dir(results).unwrap().map(|entry| entry.unwrap()) {
        let name = folder.file_name().into_string().unwrap();
        if listed.iter().any(|scenario| name.starts_with(&format!("server-{scenario}-2"))) {
            continue;
        }
        let checks = std::fs::read_to_string(folder.path().join("checks.json")).unwrap_or_default();
        let checks: Value = serde_json::from_str(&checks).unwrap_or_default();
        for check in checks.as_array().into_iter().flatten() {
            if check["status"] == "FAILURE" || check["status"] == "WARNING" {
                findings.push_str(&format!("{name}: {} {}\n", check["id"], check["errorMessage"]));
            }
        }
    }
    findings
}

async fn conforms(revision: &'static str) {
    if !tools::has(&folder().join("node_modules")) {
        return;
    }
    let shop = upstream().await;
    let dir = GateDir::new(&shop).with_wide_limits();
    let lab = lab().await;
    let config = dir.read("countersign.toml").replace(&shop.url(), &lab);
    dir.write("countersign.toml", &config);
    let read = |name: &str| std::fs::read_to_string(folder().join(name)).unwrap();
    dir.write("actions/shop.toml", &read("actions.toml").replace("{{URL}}", &lab));
    dir.write("policies/shop.cedar", &read("policies.cedar"));
    let gate = dir.serve();
    // The suite counts passes against a server that is not there.
    let names: Vec<String> = Client::new(&gate, revision)
        .tools()
        .await
        .iter()
        .map(|t| t["name"].as_str().unwrap().to_owned())
        .collect();
    assert!(names.contains(&"slow_compute".to_owned()), "{names:?}");
    let suite = folder().join("node_modules/@modelcontextprotocol/conformance/dist/index.js");
    let expected = folder().join(format!("{revision}.yml"));
    let results = tempfile::tempdir().unwrap();
    let run = Command::new(tools().join("venv/bin/node"))
        .arg(suite)
        .args(["server", "--url", &format!("{}/mcp", relay(&gate).await), "--requirements", revision])
        .args([
            "--expected-failures",
            expected.to_str().unwrap(),
            "--output-dir",
            results.path().to_str().unwrap(),
        ])
        .env("NO_PROXY", "127.0.0.1")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(PATIENCE, run).await.expect("the suite ends in time").unwrap();
    let printed = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    println!(
        "{revision}\n{}",
        printed.split_once("=== SUMMARY ===").map_or(&*printed, |(_, summary)| summary)
    );
    let listed = listed(revision);
    let findings = findings(results.path(), &listed);
    assert_eq!(failed(&printed), listed, "what fails, and what is listed as not applicable\n{findings}");
    assert!(output.status.success(), "{}\n{printed}", output.status);
    gate.stop_with_sound_log();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_current_revision_conforms() {
    conforms(CURRENT).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_revision_before_conforms() {
    conforms(BEFORE).await;
}

#[test]
fn the_lists_of_what_does_not_apply_only_get_shorter() {
    assert_eq!(
        [CURRENT, BEFORE].map(|revision| listed(revision).len()).iter().sum::<usize>(),
        NOT_APPLICABLE_MAX
    );
}
