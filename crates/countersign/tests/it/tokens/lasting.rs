//! What lasts: streams and long polls, keys that change, issuers that are down, tables that are loaded again.

use std::time::Instant;

use serde_json::{Value, json};

use super::{Scene, note, propose};
use crate::support::gate::http;
use crate::support::issuer::with;
use crate::support::{Reply, wait::eventually};

/// Everything that a stream of one proposal says until the gate ends it.
async fn stream(scene: &Scene, token: &str, id: &str) -> String {
    let url = format!("{}/v1/proposals/{id}/events", scene.gate.agents);
    let response = http().get(url).bearer_auth(token).send().await.unwrap();
    assert_eq!(response.status(), 200);
    tokio::time::timeout(std::time::Duration::from_secs(20), response.text()).await.unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_lasts_ends_with_its_token_t37() {
    let scene = Scene::start().await;
    let id = scene.pending(&scene.issuer.token()).await;
    let (began, token) = (Instant::now(), scene.issuer.token_for(4));
    let price = json!({ "action": "shop.price.set", "input": { "id": "i_1", "price": 30_000 },
        "on_behalf_of": "ann" });
    let (path, proposing) = (format!("/v1/proposals/{id}?wait=30"), async {
        let url = format!("{}/v1/proposals?wait=30", scene.gate.agents);
        let request = http().post(url).bearer_auth(&token).header("content-type", "application/json");
        crate::support::gate::send(request.body(price.to_string())).await
    });
    let (streamed, (status, problem), (proposed, answer)) =
        tokio::join!(stream(&scene, &token, &id), scene.get(&token, &path), proposing);
    let took = began.elapsed().as_secs();
    assert!((2..12).contains(&took), "all three ended with the token, not with their own time: {took} s");
    assert_eq!(streamed.matches("event: proposal").count(), 1, "{streamed}");
    assert!(streamed.contains("\"pending\""), "{streamed}");
    let detail = "the access token is not accepted: it has expired";
    assert_eq!(
        (status, &problem["code"], &problem["detail"]),
        (401, &json!("invalid_token"), &json!(detail))
    );
    // What it proposed while it was good is told as it was then.
    assert_eq!((proposed, &answer["state"]), (202, &json!("pending")), "{answer}");
    assert_eq!(scene.note(&token).await.1["detail"], json!(detail));
    scene.gate.stop_with_sound_log();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_when_its_issuer_or_its_agent_leaves_the_gate_directory() {
    let scene = Scene::with_settings("agent = \"sub\"\n[issuer.login.agents]\nbot = \"bot\"\n").await;
    let token = scene.issuer.token();
    let frank = scene.gate.sign_in("frank").await;
    for (from, to) in [("bot = \"bot\"", "bot = \"other\""), ("[issuer.login", "[issuer.elsewhere")] {
        let id = scene.pending(&token).await;
        let watching = stream(&scene, &token, &id);
        let changing = async {
            // The stream is there before anything changes.
            scene.get(&token, &format!("/v1/proposals/{id}?wait=1")).await;
            scene.gate.dir.edit("countersign.toml", from, to);
            if from.starts_with('[') {
                let url = scene.issuer.url();
                scene.gate.dir.edit(
                    "countersign.toml",
                    &format!("\"{url}\"\naudience"),
                    "\"https://else.test\"\naudience",
                );
            }
            scene.gate.reload().await;
            // Something happens that the reader may not learn any more.
            assert_eq!(
                frank.post(&format!("/v1/proposals/{id}/reject"), &frank.look(&id).await).await.0,
                200
            );
        };
        let (said, ()) = tokio::join!(watching, changing);
        assert!(!said.contains("rejected"), "{from}: {said}");
        let log = scene.gate.operator_log();
        assert!(log.contains("issuers "), "{log}");
        let (status, problem) = scene.note(&token).await;
        let expect = if from.starts_with('[') { 401 } else { 200 };
        assert_eq!(status, expect, "{from}: {problem}");
        if expect == 200 {
            scene.gate.dir.edit("countersign.toml", to, from);
            scene.gate.reload().await;
        }
    }
    scene.gate.stop_with_sound_log();
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_the_issuer_replaces_are_found_without_a_restart() {
    let scene = Scene::start().await;
    let old = scene.issuer.token();
    assert_eq!((scene.note(&old).await.0, scene.issuer.fetches()), (200, 1));
    scene.issuer.rotate("second");
    // What is known is not asked for again.
    assert_eq!((scene.note(&old).await.0, scene.issuer.fetches()), (200, 1));
    let new = scene.issuer.token();
    assert_eq!((scene.note(&new).await.0, scene.issuer.fetches()), (200, 2));
    let (status, problem) = scene.note(&old).await;
    assert_eq!((status, &problem["code"]), (401, &json!("invalid_token")), "the old key is gone: {problem}");
    // Names that nobody knows make the gate ask no more than once in a while.
    for kid in 0..20 {
        let token = scene
            .issuer
            .sign(&with(scene.issuer.header(), "kid", json!(format!("k{kid}"))), &scene.issuer.claims());
        assert_eq!(scene.note(&token).await.0, 401);
    }
    assert_eq!(scene.issuer.fetches(), 2);
    scene.gate.stop_with_sound_log();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_that_is_down_stops_tokens_and_no_key() {
    let scene = Scene::start().await;
    let token = scene.issuer.token();
    for (name, reply) in [
        ("it never answers", Reply::Hang),
        ("it answers nonsense", Reply::Answer(200, vec![], "<html>".to_owned())),
    ] {
        for place in ["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"] {
            scene.issuer.server.on(&format!("GET {place}"), reply.clone());
        }
        let waiting = scene.note(&token);
        let key = scene.gate.key("bot");
        let working = async {
            let began = Instant::now();
            for _ in 0..20 {
                assert_eq!(propose(&scene.gate, &key, &note()).await.0, 200, "{name}");
            }
            began.elapsed()
        };
        let ((status, problem), took) = tokio::join!(waiting, working);
        assert_eq!((status, &problem["code"]), (503, &json!("unavailable")), "{name}: {problem}");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(&scene.issuer.url()) && detail.contains("nothing was recorded"), "{detail}");
        assert!(took.as_secs() < 4, "{name}: keys do not wait for an issuer: {took:?}");
    }
    let log = scene.gate.operator_log();
    assert!(log.contains("the keys of an issuer cannot be read: its metadata: no answer in time"), "{log}");
    let metadata =
        json!({ "issuer": scene.issuer.url(), "jwks_uri": format!("{}/keys", scene.issuer.url()) });
    scene.issuer.server.on("GET /.well-known/oauth-authorization-server", Reply::json(200, &metadata));
    // It is asked again ten seconds after the last time.
    eventually("the token is good again", async || scene.note(&token).await.0 == 200).await;
    scene.gate.stop_with_sound_log();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_cannot_speak_for_another_nor_lead_the_gate_elsewhere() {
    let scene = Scene::start().await;
    let token = scene.issuer.token();
    let url = scene.issuer.url();
    let elsewhere = scene.upstream.url();
    let metadata =
        |issuer: &str, keys: &str| Reply::json(200, &json!({ "issuer": issuer, "jwks_uri": keys }));
    let moved = |to: &str| Reply::Answer(302, vec![("location", to.to_owned())], String::new());
    let keys: Value = json!({ "keys": [scene.issuer.jwk()] });
    scene.upstream.on("GET /keys", Reply::json(200, &keys));
    for (name, at_first, why) in [
        ("another issuer", metadata(&elsewhere, &format!("{url}/keys")), "its metadata name another issuer"),
        (
            "a slash more",
            metadata(&format!("{url}/"), &format!("{url}/keys")),
            "its metadata name another issuer",
        ),
        (
            "keys without TLS",
            metadata(&url, "http://keys.test/"),
            "the `jwks_uri` of its metadata must use https",
        ),
        ("keys at a private address", metadata(&url, "https://10.0.0.1/keys"), "not one this gate may call"),
        ("a redirect", moved(&format!("{elsewhere}/keys")), "status 302"),
    ] {
        scene.issuer.server.on("GET /.well-known/oauth-authorization-server", at_first.clone());
        scene.issuer.server.on("GET /.well-known/openid-configuration", at_first);
        // A table that changed begins anew, so nothing waits for the next try.
        let text = scene.gate.dir.read("countersign.toml");
        let algorithms = if text.contains("algorithms") { "" } else { "algorithms = [\"ES256\"]\n" };
        let table = format!("audience = \"{}\"\n", crate::support::issuer::AUDIENCE);
        let plain = text.replace("algorithms = [\"ES256\"]\n", "");
        scene.gate.dir.write("countersign.toml", &plain.replace(&table, &format!("{table}{algorithms}")));
        scene.gate.reload().await;
        let (status, problem) = scene.note(&token).await;
        assert_eq!((status, &problem["code"]), (503, &json!("unavailable")), "{name}: {problem}");
        assert!(scene.gate.operator_log().contains(why), "{name}: {}", scene.gate.operator_log());
    }
    assert!(scene.upstream.calls().iter().all(|call| call.path != "/keys"), "{:?}", scene.upstream.calls());
}
