//! Tokens that are not good, and what becomes of them: nothing.

use std::path::Path;

use ring::hmac;
use serde_json::{Value, json};

use super::{Scene, note, propose};
use crate::support::issuer::{AUDIENCE, Issuer, b64, now, with};
use crate::support::{GateDir, Reply, Upstream};

/// A token that another party signs with a secret: the issuer's public key.
fn by_shared_secret(issuer: &Issuer, secret: &[u8]) -> String {
    let header = with(issuer.header(), "alg", json!("HS256"));
    let signed = format!("{}.{}", b64(header.to_string()), b64(issuer.claims().to_string()));
    format!("{signed}.{}", b64(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), signed.as_bytes())))
}

/// Every bad token with what is said of it.
fn bad(issuer: &Issuer, evil: &Upstream) -> Vec<(&'static str, String, &'static str)> {
    let claim = |name: &str, value: Value| issuer.sign(&issuer.header(), &with(issuer.claims(), name, value));
    let header =
        |name: &str, value: Value| issuer.sign(&with(issuer.header(), name, value), &issuer.claims());
    let good = issuer.token();
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let (head, _) = signed.split_once('.').unwrap();
    let admin = b64(with(issuer.claims(), "client_id", json!("other")).to_string());
    let elsewhere = json!(format!("{}/keys", evil.url()));
    let (aud, key) =
        ("it is not for this gate alone", "it is not signed with a key that its issuer publishes");
    let (alg, malformed) = (
        "it is not signed with an algorithm that this gate accepts",
        "it is not a signed JWT in compact form",
    );
    let point: String = issuer.jwk().to_string();
    vec![
        ("another audience", claim("aud", json!("https://other.test")), aud),
        ("several audiences", claim("aud", json!([AUDIENCE, "https://other.test"])), aud),
        ("a prefix of the audience", claim("aud", json!("https://gate.tes")), aud),
        ("more than the audience", claim("aud", json!("https://gate.test/v1")), aud),
        ("no audience", claim("aud", json!(null)), aud),
        ("expired", claim("exp", json!(now() - 1)), "it has expired"),
        ("expired long ago", claim("exp", json!(1)), "it has expired"),
        ("without an end", claim("exp", json!(null)), "its claim `exp` is missing or malformed"),
        ("without a beginning", claim("iat", json!(null)), "its claim `iat` is missing or malformed"),
        ("not valid yet", claim("nbf", json!(now() + 120)), "it is not valid yet"),
        ("issued in the future", claim("iat", json!(now() + 120)), "it is not valid yet"),
        ("two days long", claim("exp", json!(now() + 172_800)), "it lives longer than this gate accepts"),
        ("another issuer", claim("iss", json!(evil.url())), "its issuer is not one that this gate trusts"),
        ("no issuer", claim("iss", json!(null)), "its issuer is not one that this gate trusts"),
        ("an unknown key", header("kid", json!("second")), key),
        ("no key", header("kid", json!(null)), key),
        (
            "an unknown key with a place",
            {
                let far = with(issuer.header(), "jku", elsewhere.clone());
                issuer.sign(&with(with(far, "x5u", elsewhere), "kid", json!("evil")), &issuer.claims())
            },
            key,
        ),
        (
            "alg none",
            format!("{}.{}.", b64(with(issuer.header(), "alg", json!("none")).to_string()), admin),
            alg,
        ),
        ("alg none with a signature", header("alg", json!("none")), alg),
        ("HS256 with the public key", by_shared_secret(issuer, point.as_bytes()), alg),
        ("another algorithm", header("alg", json!("RS256")), key),
        (
            "a signature of something else",
            format!("{head}.{admin}.{signature}"),
            "its signature does not hold",
        ),
        ("no signature", format!("{signed}."), "its signature does not hold"),
        ("a critical header", header("crit", json!(["exp"])), "its header has critical extensions"),
        ("another type", header("typ", json!("dpop+jwt")), "its header does not say that it is a JWT"),
        ("oversized", claim("pad", json!("x".repeat(20_000))), "it is longer than 16384 bytes"),
        ("garbage with dots", "gar.ba.ge".to_owned(), malformed),
        ("two dots", "..".to_owned(), malformed),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_bad_token_is_a_401_with_its_reason_and_leaves_nothing_t37_t38() {
    let scene = Scene::start().await;
    let evil = Upstream::start().await;
    assert_eq!(scene.note(&scene.issuer.token()).await.0, 200);
    let (entries, calls) = (scene.gate.dir.entries_written(), scene.upstream.calls().len());
    for (name, token, why) in bad(&scene.issuer, &evil) {
        for path in ["/v1/proposals", "/v1/actions", "/v1/proposals/prp_01h00000000000000000000000/events"] {
            let (status, problem) = match path {
                "/v1/proposals" => scene.note(&token).await,
                other => scene.get(&token, other).await,
            };
            let detail = format!("the access token is not accepted: {why}");
            assert_eq!((status, &problem["code"]), (401, &json!("invalid_token")), "{name}: {problem}");
            assert_eq!(problem["detail"], json!(detail), "{name}");
            assert_eq!(problem["next"], "change_input", "{name}");
        }
    }
    // What has no shape of a token is a key that nobody holds.
    for (name, token) in [
        ("words", "garbage".to_owned()),
        ("a token without its signature", scene.issuer.token().rsplit_once('.').unwrap().0.to_owned()),
        ("a token after a key's word", format!("csk_{}", scene.issuer.token())),
        ("encrypted, in five parts", format!("{}.AA.AA", scene.issuer.token())),
    ] {
        let (status, problem) = scene.note(&token).await;
        assert_eq!((status, &problem["code"]), (401, &json!("unauthenticated")), "{name}: {problem}");
    }
    assert_eq!(scene.gate.dir.entries_written(), entries, "a refused token leaves no entry");
    assert_eq!(scene.upstream.calls().len(), calls, "and reaches no upstream");
    assert!(evil.calls().is_empty(), "no place that a token names is asked: {:?}", evil.calls());
    assert_eq!(scene.issuer.fetches(), 2, "one fetch at the start, and one for all keys that are not known");
    assert_eq!(scene.note(&scene.issuer.token()).await.0, 200);
    scene.gate.stop_with_sound_log();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_nobody_on_the_peoples_listener_and_without_an_issuer() {
    let scene = Scene::start().await;
    let token = scene.issuer.token();
    let person = crate::support::Person::new(&scene.gate.people, &token);
    for path in ["/v1/me", "/v1/proposals", "/v1/log/export", "/v1/log/checkpoint"] {
        let (status, problem) = person.get(path).await;
        assert_eq!((status, &problem["code"]), (401, &json!("unauthenticated")), "{path}: {problem}");
    }
    let gate = GateDir::new(&scene.upstream).serve();
    let (status, problem) = propose(&gate, &token, &note()).await;
    assert_eq!((status, &problem["code"]), (401, &json!("unauthenticated")), "{problem}");
}

/// Every file below a folder that is there when it is read.
fn files(folder: &Path, found: &mut Vec<(String, Vec<u8>)>) {
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            files(&path, found);
        } else if let Ok(bytes) = std::fs::read(&path) {
            found.push((path.display().to_string(), bytes));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_token_reaches_an_upstream_the_log_the_disk_or_an_answer_t37() {
    let (upstream, issuer) = (Upstream::start().await, Issuer::start().await);
    upstream.on("GET /items/i_1", super::item());
    upstream.on("POST /items/i_1/notes", Reply::Echo);
    // Everything that the gate can say of what it does.
    let gate = GateDir::new(&upstream).trusting(&issuer.url(), "").serve_logging("trace");
    let scene = Scene { upstream, issuer, gate };
    let good = scene.issuer.token();
    let late =
        scene.issuer.sign(&scene.issuer.header(), &with(scene.issuer.claims(), "exp", json!(now() - 1)));
    let foreign = scene.issuer.sign(&scene.issuer.header(), &with(scene.issuer.claims(), "aud", json!("x")));
    let unknown = scene.issuer.sign(&with(scene.issuer.header(), "kid", json!("k")), &scene.issuer.claims());
    let mut outputs: Vec<(String, Vec<u8>)> = Vec::new();
    for token in [&good, &late, &foreign, &unknown] {
        outputs.push(("the answer to a proposal".to_owned(), scene.note(token).await.1.to_string().into()));
        let dry = with(note(), "dry_run", json!(true));
        outputs.push(("a dry run".to_owned(), propose(&scene.gate, token, &dry).await.1.to_string().into()));
        outputs.push(("a list".to_owned(), scene.get(token, "/v1/proposals").await.1.to_string().into()));
    }
    let id = scene.pending(&good).await;
    let (olga, frank) = (scene.gate.sign_in("olga").await, scene.gate.sign_in("frank").await);
    outputs
        .push(("the card".to_owned(), frank.get(&format!("/v1/proposals/{id}")).await.1.to_string().into()));
    assert_eq!(frank.approve(&id).await.0, 200);
    scene.gate.settled(&id).await;
    outputs.push(("entries".to_owned(), olga.get("/v1/log/entries").await.1.to_string().into()));
    outputs.push(("the export".to_owned(), scene.gate.export()));
    outputs.push(("the operator's log".to_owned(), scene.gate.operator_log().into()));
    let sent = scene.upstream.calls();
    assert!(sent.iter().any(|call| call.headers.contains_key("authorization")), "{sent:?}");
    outputs.extend(sent.iter().map(|call| ("an upstream".to_owned(), format!("{call:?}").into_bytes())));
    let asked = scene.issuer.server.calls();
    outputs.extend(asked.iter().map(|call| ("the issuer".to_owned(), format!("{call:?}").into_bytes())));
    let dir = scene.gate.stop();
    files(dir.path(), &mut outputs);
    // What may be found is found: who signed, in the chain that the database keeps.
    let (_, database) = outputs.iter().find(|(name, _)| name.ends_with("countersign.db")).unwrap();
    let issuer = scene.issuer.url().into_bytes();
    assert!(database.windows(issuer.len()).any(|window| window == issuer), "the search finds what is there");
    for token in [&good, &late, &foreign, &unknown] {
        // Each part: the payload is what others could read of it, the signature what makes it worth stealing.
        for part in token.split('.').skip(1) {
            for (name, bytes) in &outputs {
                let held = bytes.windows(40).any(|window| window == &part.as_bytes()[..40]);
                assert!(!held, "{name} holds a part of a token");
            }
        }
    }
}
