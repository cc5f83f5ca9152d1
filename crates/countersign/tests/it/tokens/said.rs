//! What the gate says to clients of OAuth: challenges and metadata.

use serde_json::json;

use super::{Scene, note};
use crate::support::gate::http;
use crate::support::issuer::{AUDIENCE, now, with};
use crate::support::{Gate, GateDir, Upstream};

const PLACE: &str = "/.well-known/oauth-protected-resource";

/// The challenge of a 401 for who sends this in `Authorization`.
async fn challenge(gate: &Gate, authorization: Option<&str>) -> String {
    let mut request = http().post(format!("{}/v1/proposals", gate.agents));
    if let Some(value) = authorization {
        request = request.header("authorization", value);
    }
    let request = request.header("content-type", "application/json").body(note().to_string());
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 401);
    let values: Vec<_> = response.headers().get_all("www-authenticate").iter().collect();
    assert_eq!(values.len(), 1, "{values:?}");
    values[0].to_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_401_says_what_is_wrong_with_a_token_and_where_tokens_come_from() {
    let scene = Scene::start().await;
    let at = format!("resource_metadata=\"{AUDIENCE}{PLACE}\"");
    let late =
        scene.issuer.sign(&scene.issuer.header(), &with(scene.issuer.claims(), "exp", json!(now() - 1)));
    // RFC 6750 section 3.1: who sent nothing is told no error.
    assert_eq!(challenge(&scene.gate, None).await, format!("Bearer {at}"));
    assert_eq!(challenge(&scene.gate, Some("Basic YTpi")).await, format!("Bearer {at}"));
    assert_eq!(challenge(&scene.gate, Some("Bearer csk_0")).await, format!("Bearer {at}"));
    let told = |why: &str| format!("Bearer error=\"invalid_token\", error_description=\"{why}\", {at}");
    assert_eq!(challenge(&scene.gate, Some(&format!("Bearer {late}"))).await, told("it has expired"));
    let malformed = told("it is not a signed JWT in compact form");
    assert_eq!(challenge(&scene.gate, Some("bearer \".\\.x")).await, malformed);
    // The metadata are for everybody, and only on the agents' listener.
    let response = http().get(format!("{}{PLACE}", scene.gate.agents)).send().await.unwrap();
    assert_eq!(
        (response.status().as_u16(), response.headers()["content-type"].to_str().unwrap()),
        (200, "application/json")
    );
    let found: serde_json::Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
    let expect = json!({ "resource": AUDIENCE, "authorization_servers": [scene.issuer.url()],
        "bearer_methods_supported": ["header"], "resource_name": "Countersign" });
    assert_eq!(found, expect);
    let response = http().get(format!("{}{PLACE}", scene.gate.people)).send().await.unwrap();
    assert_eq!(response.status(), 404);
    // People's listener says nothing of tokens.
    let response = http().get(format!("{}/v1/me", scene.gate.people)).send().await.unwrap();
    assert_eq!(response.headers()["www-authenticate"], "Bearer");
    assert_eq!(scene.issuer.fetches(), 1, "only the token whose signature holds needed a key");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gate_without_an_address_at_its_issuer_offers_no_metadata() {
    let upstream = Upstream::start().await;
    let without = GateDir::new(&upstream).serve();
    let urn = GateDir::new(&upstream).trusting("https://login.test", "");
    urn.edit("countersign.toml", AUDIENCE, "urn:example:gate");
    for gate in [without, urn.serve()] {
        let status = http().get(format!("{}{PLACE}", gate.agents)).send().await.unwrap().status();
        assert_eq!(status, 404);
        assert_eq!(challenge(&gate, None).await, "Bearer");
    }
}
