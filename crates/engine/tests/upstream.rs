//! Preview reads through the public face of the engine, against upstreams that misbehave.
#![expect(clippy::unwrap_used, reason = "a failed step must fail the test")]
#![expect(clippy::indexing_slicing, reason = "a failed step must fail the test")]

#[expect(dead_code, reason = "each test uses a part of what the upstream can do")]
#[path = "support/toxic.rs"]
mod toxic;

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;

use countersign_core::action::{Method, ReadCall};
use countersign_core::limits;
use countersign_engine::connector::{HttpConnector, LookFailure, NetworkPolicy};
use countersign_engine::credential::{CredentialSpec, Credentials, Kind, Placement, Secret, Use};
use countersign_engine::grant::Look;

use toxic::{Step, Toxic, answer, send};

const CANARY: &str = "sk_live_C4n4ry.0123456789";

fn loopback() -> NetworkPolicy {
    NetworkPolicy { allow: vec!["127.0.0.0/8".parse().unwrap()], own: vec![] }
}

fn look(url: String, credential: Option<&str>) -> Look {
    Look::new(ReadCall { method: Method::Get, url, credential: credential.map(str::to_owned) }).unwrap()
}

fn json(head: &str, body: &str) -> Step {
    Step::Send(answer(&format!("{head}\r\ncontent-type: application/json"), body))
}

async fn secret(upstream: &Toxic) -> Secret {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    std::fs::write(&path, CANARY).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
    let spec = CredentialSpec {
        origin: upstream.origin(),
        usage: Use::Read,
        kind: Kind::File { path },
        placement: Placement::Basic,
    };
    let credentials = Credentials::new(BTreeMap::from([("key".to_owned(), spec)]), loopback());
    credentials.for_look(&look(upstream.url("/"), Some("key"))).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_preview_brings_the_record_its_tag_and_its_source() {
    let reply = json("200 OK\r\netag: W/\"7\"", r#"{"amount":12.50,"note":"é"}"#);
    let upstream = Toxic::start(vec![Step::Read, reply]).await;
    let secret = secret(&upstream).await;
    let url = upstream.url("/v1/charges/ch_1");
    let before =
        HttpConnector::new(loopback()).look(&look(url.clone(), Some("key")), Some(&secret)).await.unwrap();
    assert_eq!(before.body, serde_json::json!({"amount": 12.5, "note": "é"}));
    assert_eq!(before.etag.as_deref(), Some("W/\"7\""));
    assert_eq!(before.source, format!("GET {url}"));
    let sent = upstream.received().concat();
    assert!(sent.starts_with("GET /v1/charges/ch_1 HTTP/1.1\r\nauthorization: Basic "), "{sent}");
    assert_eq!(upstream.requests(), 1);
}

#[tokio::test]
async fn a_preview_that_brings_nothing_says_why_without_the_answers_text() {
    let large = format!("\"{}\"", "x".repeat(limits::RESPONSE_BYTES_MAX));
    let cases = [
        (json("404 No", r#""canary""#), "the upstream answered 404 (Not Found) instead of 200"),
        (json("500 No", r#""canary""#), "the upstream answered 500 (Internal Server Error) instead of 200"),
        (json("201 Created", r#""canary""#), "the upstream answered 201 (Created) instead of 200"),
        (json("302 Found\r\nlocation: /canary", ""), "the upstream answered 302 (Found) instead of 200"),
        (json("200 OK", "canary"), "the upstream's answer says JSON and is not"),
        (json("200 OK", ""), "the upstream's answer says JSON and is not"),
        (
            json("200 OK\r\ncontent-encoding: br", "canary"),
            "the answer is compressed, which was not asked for",
        ),
        (json("200 OK", &large), "the answer is too large"),
        (
            Step::Send(answer("200 OK\r\ncontent-type: text/html", "canary")),
            "the upstream's answer is not JSON",
        ),
        (Step::Send(answer("200 OK", "{}")), "the upstream's answer is not JSON"),
        (send("canary\r\n\r\n"), "the answer is not HTTP"),
        (
            send("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{}"),
            "the answer was cut",
        ),
        (Step::Reset, "the connection broke before there was an answer"),
    ];
    for (reply, expected) in cases {
        let upstream = Toxic::start(vec![Step::Read, reply]).await;
        let error =
            HttpConnector::new(loopback()).look(&look(upstream.url("/"), None), None).await.unwrap_err();
        assert_eq!(error.to_string(), expected);
        assert_eq!(upstream.requests(), 1, "{expected}");
    }
}

#[tokio::test]
async fn a_preview_never_shows_the_credential_t82() {
    let echo = |request: &str| {
        let value = request.lines().find_map(|l| l.strip_prefix("authorization: Basic ")).unwrap().to_owned();
        let body = serde_json::json!({"sent": value, "key": CANARY}).to_string();
        answer(&format!("200 OK\r\ncontent-type: application/json\r\netag: \"{CANARY}\""), &body)
    };
    let upstream = Toxic::start(vec![Step::Read, Step::Reply(echo)]).await;
    let secret = secret(&upstream).await;
    let look = look(upstream.url("/"), Some("key"));
    let before = HttpConnector::new(loopback()).look(&look, Some(&secret)).await.unwrap();
    let text = before.body.to_string();
    assert_eq!(text.matches("[removed by countersign]").count(), 2, "{text}");
    assert!(!text.contains(CANARY) && before.etag.is_none());
}

#[tokio::test]
async fn a_preview_has_no_unsafe_method_t31() {
    for method in [Method::Post, Method::Put, Method::Patch, Method::Delete] {
        assert!(
            Look::new(ReadCall { method, url: "https://a.example/".to_owned(), credential: None }).is_none()
        );
    }
}

#[tokio::test]
async fn a_preview_dials_no_special_address_t65() {
    let upstream = Toxic::start(vec![Step::Read, json("200 OK", "{}")]).await;
    let closed = HttpConnector::new(NetworkPolicy::default());
    for host in ["127.0.0.1", "localhost"] {
        let url = format!("http://{host}:{}/", upstream.address.port());
        let error = closed.look(&look(url, None), None).await.unwrap_err();
        assert_eq!(error.to_string(), "the address is not one this gate may call");
    }
    assert_eq!(upstream.requests(), 0);
}

#[tokio::test]
async fn a_proxy_in_the_environment_is_not_used_t72() {
    let proxy = Toxic::start(vec![Step::Read, json("200 OK", r#"{"amount":0}"#)]).await;
    let mut child = tokio::process::Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "a_preview_brings_the_record_its_tag_and_its_source"]);
    for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        child.env(name, proxy.origin());
    }
    let output = child.env_remove("NO_PROXY").env_remove("no_proxy").output().await.unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    assert_eq!(proxy.requests(), 0);
}

#[tokio::test]
async fn a_failed_preview_says_whether_another_try_could_help_a3() {
    let status = |line: &str| Step::Send(answer(&format!("{line}\r\ncontent-type: application/json"), "{}"));
    for (reply, kind) in [
        (status("404 No"), LookFailure::NotFound),
        (status("410 No"), LookFailure::NotFound),
        (status("408 No"), LookFailure::Transient),
        (status("429 No"), LookFailure::Transient),
        (status("500 No"), LookFailure::Transient),
        (status("503 No"), LookFailure::Transient),
        (Step::Reset, LookFailure::Transient),
        (
            send("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{}"),
            LookFailure::Transient,
        ),
        (status("400 No"), LookFailure::Permanent),
        (status("401 No"), LookFailure::Permanent),
        (status("403 No"), LookFailure::Permanent),
        (status("201 Created"), LookFailure::Permanent),
        (send("canary\r\n\r\n"), LookFailure::Permanent),
        (Step::Send(answer("200 OK", "{}")), LookFailure::Permanent),
    ] {
        let upstream = Toxic::start(vec![Step::Read, reply]).await;
        let error =
            HttpConnector::new(loopback()).look(&look(upstream.url("/"), None), None).await.unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
    }
}
