//! OAuth client credentials against an authorization server that nobody here wrote: `tests/oidc/server.mjs`,
//! which needs Node 22 and `npm ci` in its folder: `scripts/setup-tools.sh` does both.
#![expect(clippy::unwrap_used, reason = "a failed step must fail the test")]
#![expect(clippy::indexing_slicing, reason = "a failed step must fail the test")]

#[expect(dead_code, reason = "each test uses a part of what the upstream can do")]
#[path = "support/toxic.rs"]
mod toxic;

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_core::action::{Method, ReadCall};
use countersign_engine::connector::{HttpConnector, NetworkPolicy};
use countersign_engine::credential::{
    CredentialError, CredentialSpec, Credentials, Kind, Placement, Secret, Use,
};
use countersign_engine::grant::Look;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use toxic::{Step, Toxic, answer};

const CLIENT_SECRET: &str = "s3cr+t/=~ok-0123456789012345%25";
const RESOURCE: &str = "urn:countersign:crm";

/// The authorization server; it ends with this value.
struct Server {
    _node: Child,
    token_url: String,
}

/// None when its packages are not installed and nobody insists on them.
async fn server() -> Option<Server> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oidc");
    if !folder.join("node_modules/oidc-provider").exists() {
        missing(&folder);
        return None;
    }
    let mut node = Command::new(node())
        .arg("server.mjs")
        .current_dir(folder)
        .env("CLIENT_SECRET", CLIENT_SECRET)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(node.stdout.take().unwrap()).lines();
    let first = tokio::time::timeout(Duration::from_mins(1), lines.next_line()).await.unwrap();
    Some(Server { _node: node, token_url: first.unwrap().unwrap() })
}

/// Node as `scripts/setup-tools.sh` put it below `COUNTERSIGN_TOOLS`, or the one of the system.
#[expect(clippy::disallowed_methods, reason = "where tools are is the runner's choice")]
fn node() -> PathBuf {
    let tools = std::env::var("COUNTERSIGN_TOOLS");
    tools.map_or_else(|_| "node".into(), |folder| Path::new(&folder).join("venv/bin/node"))
}

#[expect(clippy::disallowed_methods, reason = "whether a missing tool is a failure is the runner's choice")]
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
fn missing(folder: &Path) {
    let advice = format!(
        "oidc-provider is not installed; run scripts/setup-tools.sh, or `npm ci` in {}",
        folder.display()
    );
    let required = std::env::var("COUNTERSIGN_REQUIRE_TOOLS").is_ok_and(|v| v == "1");
    assert!(!required, "{advice}");
    eprintln!("skipped: {advice}");
}

/// What a test varies of the credential.
struct Ask<'a> {
    token_url: &'a str,
    client_secret: &'a str,
    scopes: &'a [&'a str],
    resource: Option<&'a str>,
}

async fn ask(upstream: &Toxic, ask: Ask<'_>) -> Result<Secret, CredentialError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("client-secret");
    std::fs::write(&path, ask.client_secret).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
    let kind = Kind::OAuth {
        token_url: ask.token_url.to_owned(),
        client_id: "the gate".to_owned(),
        client_secret: Box::new(Kind::File { path }),
        scopes: ask.scopes.iter().map(|s| (*s).to_owned()).collect(),
        resource: ask.resource.map(str::to_owned),
    };
    let spec =
        CredentialSpec { origin: upstream.origin(), usage: Use::Read, kind, placement: Placement::Bearer };
    let credentials = Credentials::new(BTreeMap::from([("crm".to_owned(), spec)]), loopback());
    credentials.for_look(&look(upstream.url("/customers/1"))).await.map(Option::unwrap)
}

fn loopback() -> NetworkPolicy {
    NetworkPolicy { allow: vec!["127.0.0.0/8".parse().unwrap()], own: vec![] }
}

fn look(url: String) -> Look {
    Look::new(ReadCall { method: Method::Get, url, credential: Some("crm".to_owned()) }).unwrap()
}

async fn crm() -> Toxic {
    let reply = answer("200 OK\r\ncontent-type: application/json", "{}");
    Toxic::start(vec![Step::Read, Step::Send(reply)]).await
}

/// Looks with this secret; gives the token that arrived.
async fn token_on_the_wire(upstream: &Toxic, secret: &Secret) -> String {
    let connector = HttpConnector::new(loopback());
    connector.look(&look(upstream.url("/customers/1")), Some(secret)).await.unwrap();
    let sent = upstream.received().concat();
    sent.lines().find_map(|l| l.strip_prefix("authorization: Bearer ")).unwrap().to_owned()
}

#[tokio::test]
async fn a_token_is_fetched_with_the_requested_scopes_and_goes_to_its_origin_only_t84_t89() {
    let Some(server) = server().await else { return };
    let (crm_, other) = (crm().await, crm().await);
    let wanted = Ask {
        token_url: &server.token_url,
        client_secret: CLIENT_SECRET,
        scopes: &["crm.read"],
        resource: Some(RESOURCE),
    };
    let secret = ask(&crm_, wanted).await.unwrap();
    let elsewhere =
        HttpConnector::new(loopback()).look(&look(other.url("/customers/1")), Some(&secret)).await;
    assert_eq!(elsewhere.unwrap_err().to_string(), "the credential cannot be sent to this address");
    assert_eq!(other.requests(), 0);
    let token = token_on_the_wire(&crm_, &secret).await;
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap();
    assert_eq!((&claims["scope"], &claims["aud"]), (&"crm.read".into(), &RESOURCE.into()));
    assert!(!format!("{secret:?}").contains(&token));
}

#[tokio::test]
async fn an_opaque_token_is_as_good_as_a_jwt() {
    let Some(server) = server().await else { return };
    let crm = crm().await;
    let wanted = Ask {
        token_url: &server.token_url,
        client_secret: CLIENT_SECRET,
        scopes: &["crm.read", "crm.write"],
        resource: None,
    };
    let secret = ask(&crm, wanted).await.unwrap();
    let token = token_on_the_wire(&crm, &secret).await;
    assert!(token.len() > 20 && !token.contains('.'), "{token}");
}

#[tokio::test]
async fn a_refused_token_is_an_error_that_holds_no_secret_t81_t86() {
    let Some(server) = server().await else { return };
    let crm = crm().await;
    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}/token", listener.local_addr().unwrap())
    };
    for (token_url, client_secret, scopes, resource, expected) in [
        (&server.token_url, "wrong-canary", ["crm.read"], None, "status 401, `invalid_client`"),
        (&server.token_url, CLIENT_SECRET, ["crm.admin"], None, "status 400, `invalid_scope`"),
        (&server.token_url, CLIENT_SECRET, ["crm.read"], Some("urn:other"), "status 400, `invalid_target`"),
        (&server.token_url.replace("/token", "/nothing"), CLIENT_SECRET, ["crm.read"], None, "status 404"),
        (&closed, CLIENT_SECRET, ["crm.read"], None, "no connection, or no TLS session"),
    ] {
        let wanted = Ask { token_url, client_secret, scopes: &scopes, resource };
        let error = ask(&crm, wanted).await.unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        let everything = format!("{error} {error:?}");
        assert!(!everything.contains("canary") && !everything.contains("s3cr"), "{everything}");
    }
    assert_eq!(crm.requests(), 0);
}
