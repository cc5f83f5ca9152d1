//! The same life on PostgreSQL.

use serde_json::json;

use crate::support::log::events_of;
use crate::support::{GateDir, Reply, Upstream};

#[expect(unreachable_pub, reason = "the file is shared with tests of another crate")]
#[path = "../../../engine/tests/support/postgres.rs"]
pub(crate) mod server;

fn item(price: u64) -> Reply {
    Reply::json(200, &json!({ "id": "i_1", "price": price, "currency": "usd" }))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_life_of_a_proposal_is_the_same_on_postgresql() {
    let Some(url) = server::fresh_url() else { return };
    let upstream = Upstream::start().await;
    let gate = GateDir::new(&upstream).on_database(&upstream, &url).serve();
    upstream.on("GET /items/i_1", item(5_000));
    upstream.on("POST /items/i_1/notes", Reply::json(201, &json!({ "note": 7 })));
    let (status, body) = gate.propose("shop.note.add", json!({ "id": "i_1", "text": "hello" })).await;
    assert_eq!(
        (status, &body["state"], &body["result"]),
        (200, &json!("succeeded"), &json!({ "note": 7 })),
        "{body}"
    );
    let allowed = body["id"].as_str().unwrap().to_owned();

    let (status, body) = gate.propose("shop.price.set", json!({ "id": "i_1", "price": 20_000 })).await;
    assert_eq!((status, &body["state"]), (202, &json!("pending")), "{body}");
    let id = body["id"].as_str().unwrap().to_owned();
    let gate = gate.kill().serve();
    let frank = gate.sign_in("frank").await;
    let verdict = frank.look(&id).await;
    let path = format!("/v1/proposals/{id}/approve");
    assert_eq!(frank.post(&path, &verdict).await.0, 200);
    let (status, twice) = frank.post(&path, &verdict).await;
    assert_eq!(status, 409, "an approval counts once: {twice}");
    let done = gate.settled(&id).await;
    assert_eq!(done["state"], "succeeded", "{done}");
    assert_eq!(upstream.writes().len(), 2);
    let (_, entries) = gate.stop_and_verify();
    assert_eq!(
        events_of(&entries, &allowed),
        ["proposal.allowed", "proposal.dispatched", "proposal.succeeded"]
    );
    let events = ["proposal.pending", "proposal.approved", "proposal.dispatched", "proposal.succeeded"];
    assert_eq!(events_of(&entries, &id), events);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_equal_requests_makes_one_call_on_postgresql_t95() {
    let Some(url) = server::fresh_url() else { return };
    let upstream = Upstream::start().await;
    let gate = GateDir::new(&upstream).on_database(&upstream, &url).serve();
    let client = crate::support::gate::http();
    let body =
        json!({ "action": "shop.note.add", "input": { "id": "i_1", "text": "x" }, "on_behalf_of": "ann" });
    let (path, key, body) =
        (format!("{}/v1/proposals?wait=20", gate.agents), gate.key("bot"), body.to_string());
    let twins = (0..50).map(|_| {
        let request = client.post(&path).bearer_auth(&key).header("content-type", "application/json");
        crate::support::gate::send(request.header("idempotency-key", "storm").body(body.clone()))
    });
    let answers = futures_util::future::join_all(twins).await;
    for (status, body) in &answers {
        assert_eq!((*status, &body["id"]), (200, &answers[0].1["id"]), "{body}");
    }
    assert_eq!(upstream.calls().len(), 1);
    gate.stop_and_verify();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_text_that_json_can_hold_can_be_kept_on_postgresql() {
    let Some(url) = server::fresh_url() else { return };
    let upstream = Upstream::start().await;
    let gate = GateDir::new(&upstream).on_database(&upstream, &url).serve();
    for text in ["a\u{0}b", "\u{1b}[2J", "\u{10ffff}", "\\u0000", "\u{2028}", "a'; DROP TABLE proposal; --"] {
        let body = json!({ "action": "shop.note.add", "input": { "id": "i_1", "text": text }, "on_behalf_of": "ann",
            "reason": text, "run": text });
        upstream.on("POST /items/i_1/notes", Reply::json(200, &json!({ "echo": text })));
        let (status, body) = gate.propose_with(body).await;
        assert_eq!((status, &body["result"]["echo"]), (200, &json!(text)), "{text:?}: {body}");
        let (status, body) = gate.propose(text, json!({ "id": text })).await;
        assert_eq!(status, 404, "{text:?}: {body}");
        let (status, body) = gate.agent_get("/v1/proposals/prp_%00").await;
        assert_eq!(status, 404, "{body}");
    }
    gate.stop_and_verify();
}

/// A database of its own that can be taken away and given back.
pub(crate) struct Database {
    pub(crate) url: String,
}

impl Database {
    /// None when there is no PostgreSQL and none is required.
    pub(crate) fn new() -> Option<Self> {
        server::fresh_url().map(|url| Self { url })
    }

    fn name(&self) -> &str {
        self.url.split('?').next().unwrap().rsplit('/').next().unwrap()
    }

    /// Runs SQL on the server's own database.
    fn admin(&self, sql: &str) {
        let admin = self.url.replacen(&format!("/{}", self.name()), "/postgres", 1);
        let psql = server::programs().unwrap().join("psql");
        let output = std::process::Command::new(psql).args([&admin, "-qAtc", sql]).output().unwrap();
        crate::support::gate::assert_done(&output);
    }

    /// Ends every connection and lets nobody in.
    pub(crate) fn close(&self) {
        self.admin(&format!("ALTER DATABASE {} ALLOW_CONNECTIONS false", self.name()));
        self.admin(&format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}'",
            self.name()
        ));
    }

    /// Lets everybody in again.
    pub(crate) fn open(&self) {
        self.admin(&format!("ALTER DATABASE {} ALLOW_CONNECTIONS true", self.name()));
    }
}
