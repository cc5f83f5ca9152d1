//! Tokens of an authorization server that nobody here wrote: `oidc-provider`, as `crates/engine/tests/oidc` has it.

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use super::{item, note, propose};
use crate::support::gate::{http, send};
use crate::support::issuer::AUDIENCE;
use crate::support::{GateDir, Upstream, tools, wait::eventually};

/// The server; it ends with this value.
struct Server {
    node: Child,
    /// Held open: the server ends when nobody can read what it says.
    _said: Lines<BufReader<ChildStdout>>,
    url: String,
}

impl Server {
    /// None when its packages are not installed and nobody insists on them.
    async fn start(port: u16, algorithm: &str, kid: &str) -> Option<Self> {
        let folder = tools::repository().join("crates/engine/tests/oidc");
        if !tools::has(&folder.join("node_modules/oidc-provider")) {
            return None;
        }
        let mut node = Command::new("node")
            .args(["issuer.mjs", &port.to_string(), algorithm, kid])
            .current_dir(folder)
            .env("PATH", tools::path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(node.stdout.take().unwrap()).lines();
        let first = tokio::time::timeout(std::time::Duration::from_mins(1), lines.next_line()).await.unwrap();
        Some(Self { node, _said: lines, url: first.unwrap().unwrap() })
    }

    fn port(&self) -> u16 {
        self.url.rsplit(':').next().unwrap().parse().unwrap()
    }

    async fn stop(mut self) {
        self.node.kill().await.unwrap();
    }

    /// A token of a client for a resource, by client credentials.
    async fn token(&self, client: &str, resource: &str) -> String {
        let request = http().post(format!("{}/token", self.url));
        let form = format!("grant_type=client_credentials&scope=propose&resource={resource}");
        let request = request.basic_auth(client, Some(format!("{client}-secret")));
        let (status, answer) =
            send(request.header("content-type", "application/x-www-form-urlencoded").body(form)).await;
        assert_eq!(status, 200, "{answer}");
        answer["access_token"].as_str().unwrap().to_owned()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_a_real_authorization_server_are_good_with_each_algorithm() {
    for algorithm in ["RS256", "ES256", "EdDSA"] {
        let Some(server) = Server::start(0, algorithm, "first").await else { return };
        let upstream = Upstream::start().await;
        upstream.on("GET /items/i_1", item());
        let gate = GateDir::new(&upstream).trusting(&server.url, "").serve();
        let token = server.token("bot", AUDIENCE).await;
        let (status, done) = propose(&gate, &token, &note()).await;
        assert_eq!((status, &done["state"]), (200, &json!("succeeded")), "{algorithm}: {done}");
        let refused = |answer: (u16, Value)| {
            assert_eq!((answer.0, &answer.1["code"]), (401, &json!("invalid_token")), "{algorithm}");
            answer.1["detail"].as_str().unwrap().to_owned()
        };
        // A token for another resource, and one of a program that is no agent here.
        let other = server.token("bot", "https://other.test").await;
        assert!(refused(propose(&gate, &other, &note()).await).ends_with("it is not for this gate alone"));
        let stranger = server.token("stranger", AUDIENCE).await;
        assert!(
            refused(propose(&gate, &stranger, &note()).await).ends_with("it names no agent of this gate")
        );
        assert_eq!(upstream.writes().len(), 1);
        gate.stop_with_sound_log();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_authorization_server_replaces_its_key_and_the_gate_goes_on() {
    let Some(server) = Server::start(0, "RS256", "first").await else { return };
    let upstream = Upstream::start().await;
    let gate = GateDir::new(&upstream).trusting(&server.url, "").serve();
    let old = server.token("bot", AUDIENCE).await;
    assert_eq!(propose(&gate, &old, &note()).await.0, 200);
    let (port, pid) = (server.port(), gate.pid());
    server.stop().await;
    // What is held is good while the issuer is away.
    assert_eq!(propose(&gate, &old, &note()).await.0, 200);
    let mut started = None;
    eventually("the port is free again", async || {
        let free = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.is_ok();
        if free && started.is_none() {
            started = Server::start(port, "RS256", "second").await;
        }
        started.is_some()
    })
    .await;
    let server = started.unwrap();
    let new = server.token("bot", AUDIENCE).await;
    let (status, problem) = propose(&gate, &new, &note()).await;
    assert_eq!(status, 200, "{problem}: {}", gate.operator_log());
    let (status, problem) = propose(&gate, &old, &note()).await;
    assert_eq!((status, &problem["code"]), (401, &json!("invalid_token")), "{problem}");
    assert_eq!(gate.pid(), pid);
    gate.stop_with_sound_log();
}
