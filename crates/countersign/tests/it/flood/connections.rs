//! Connections that are opened and never finished.

use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::gate::{http, send};
use crate::support::{Gate, GateDir, Upstream, raw};

/// How many connections the one client opens.
const MANY: usize = 4_096;
/// Enough for any answer of a gate that answers at all.
const PATIENCE: Duration = Duration::from_secs(10);

/// Every route of the agents' listener that reads a body, and one that does not.
const AGENTS: &[(&str, &str)] = &[
    ("POST", "/v1/proposals"),
    ("POST", "/v1/proposals/prp_00000000000000000000000000/cancel"),
    ("GET", "/v1/actions"),
    ("POST", "/nowhere"),
];
/// The same of the people's listener.
const PEOPLE: &[(&str, &str)] = &[
    ("POST", "/sign-in"),
    ("POST", "/sign-out"),
    ("POST", "/proposals/prp_00000000000000000000000000/approve"),
    ("POST", "/proposals/prp_00000000000000000000000000/reject"),
    ("POST", "/proposals/prp_00000000000000000000000000/confirm"),
    ("POST", "/proposals/prp_00000000000000000000000000/cancel"),
    ("POST", "/v1/sign-in"),
    ("POST", "/v1/sign-out"),
    ("POST", "/v1/proposals/prp_00000000000000000000000000/approve"),
    ("POST", "/v1/proposals/prp_00000000000000000000000000/reject"),
    ("POST", "/v1/proposals/prp_00000000000000000000000000/confirm"),
    ("POST", "/v1/proposals/prp_00000000000000000000000000/cancel"),
    ("GET", "/"),
];

/// A request whose body never comes whole.
fn begun(url: &str, (method, path): (&str, &str), token: &str) -> String {
    let host = url.trim_start_matches("http://");
    let kind =
        if path.starts_with("/v1/") { "application/json" } else { "application/x-www-form-urlencoded" };
    format!(
        "{method} {path} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\ncookie: __Host-countersign={token}\r\n\
         origin: {url}\r\nsec-fetch-site: same-origin\r\ncontent-type: {kind}\r\ncontent-length: 100\r\n\r\nx"
    )
}

/// Opens that many connections and sends each the start of a request.
async fn open(url: &str, starts: &[String]) -> Vec<TcpStream> {
    let mut held = Vec::new();
    for n in 0..MANY {
        // One that the gate closes again is no failure of this client.
        let Ok(mut stream) = TcpStream::connect(url.trim_start_matches("http://")).await else { continue };
        let _ = stream.write_all(starts[n % starts.len()].as_bytes()).await;
        held.push(stream);
    }
    held
}

/// Another agent proposes, and a person reads, while the connections are open.
async fn others_are_served(gate: &Gate, session: &str) {
    let agent = http()
        .post(format!("{}/v1/proposals", gate.agents))
        .bearer_auth(gate.key("other"))
        .header("content-type", "application/json")
        .body(
            json!({ "action": "shop.item.read", "input": { "id": "i_1" }, "on_behalf_of": "ann" })
                .to_string(),
        );
    let (status, body) =
        tokio::time::timeout(PATIENCE, send(agent)).await.expect("another agent is answered");
    assert_eq!(status, 200, "{body}");
    let person = http().get(format!("{}/v1/proposals", gate.people)).bearer_auth(session);
    let (status, body) = tokio::time::timeout(PATIENCE, send(person)).await.expect("a person is answered");
    assert_eq!(status, 200, "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_forms_of_nobody_keep_nobody_out_b1_t111() {
    let upstream = Upstream::start().await;
    let gate = GateDir::new(&upstream).serve_logging("warn");
    let frank = gate.sign_in("frank").await;
    let held = open(&gate.people, &[begun(&gate.people, ("POST", "/sign-in"), "nobody")]).await;
    others_are_served(&gate, &frank.session).await;
    drop(held);
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_bodies_on_every_route_keep_nobody_out_b1_t111() {
    let upstream = Upstream::start().await;
    let gate = GateDir::new(&upstream).serve_logging("warn");
    let (frank, mallory) = (gate.sign_in("frank").await, gate.sign_in("mallory").await);
    let key = gate.key("bot");
    let starts = |url: &str, routes: &[(&str, &str)], token: &str| -> Vec<String> {
        routes.iter().map(|route| begun(url, *route, token)).collect()
    };
    let people = open(&gate.people, &starts(&gate.people, PEOPLE, &mallory.session)).await;
    let agents = open(&gate.agents, &starts(&gate.agents, AGENTS, &key)).await;
    others_are_served(&gate, &frank.session).await;
    drop((people, agents));
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_never_say_anything_keep_nobody_out_t111() {
    let upstream = Upstream::start().await;
    let gate = GateDir::new(&upstream).serve_logging("warn");
    let frank = gate.sign_in("frank").await;
    let starts = [String::new(), "GET / HTTP/1.1\r\nhost: ".to_owned()];
    let (people, agents) = (open(&gate.people, &starts).await, open(&gate.agents, &starts).await);
    others_are_served(&gate, &frank.session).await;
    drop((people, agents));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_drips_is_not_waited_for_b1_t111() {
    let upstream = Upstream::start().await;
    let gate = GateDir::new(&upstream).serve();
    let mut stream = raw::connect(&gate.people).await;
    stream.write_all(begun(&gate.people, ("POST", "/sign-in"), "nobody").as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let ended = tokio::time::timeout(4 * PATIENCE, stream.read_to_end(&mut answer)).await;
    ended.expect("the gate gives the form up").unwrap();
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("did not arrive in time"), "{answer}");
}
