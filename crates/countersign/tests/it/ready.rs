//! `/readyz` says whether anything is let through, part by part, on both listeners.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::disk::Stall;
use crate::support::gate::{http, send};
use crate::support::wait::eventually;
use crate::support::{Gate, GateDir, Upstream};

async fn readyz(listener: &str) -> (u16, Value) {
    send(http().get(format!("{listener}/readyz"))).await
}

/// Waits until a part is as it is expected.
async fn until(gate: &Gate, part: &str, status: &str) -> (u16, Value) {
    let mut last = (0, Value::Null);
    eventually("the part is in that condition", async || {
        last = readyz(&gate.agents).await;
        last.1["parts"][part]["status"] == status
    })
    .await;
    last
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gate_in_order_is_ready_on_both_listeners() {
    let upstream = Upstream::start().await;
    let gate = GateDir::new(&upstream).serve();
    for listener in [&gate.agents, &gate.people] {
        let (status, body) = readyz(listener).await;
        assert_eq!((status, &body["status"]), (200, &json!("ready")), "{body}");
        let parts: Vec<&String> = body["parts"].as_object().unwrap().keys().collect();
        assert_eq!(parts, ["durability", "log", "rules", "secrets", "store"]);
        assert!(
            body["parts"]["durability"]["detail"].as_str().unwrap().contains("synchronous=FULL"),
            "{body}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_secret_degrades_and_names_no_path() {
    let upstream = Upstream::start().await;
    let gate = GateDir::new(&upstream).serve();
    std::fs::remove_file(gate.dir.path().join("secrets/write")).unwrap();
    let (status, body) = until(&gate, "secrets", "degraded").await;
    assert_eq!((status, &body["status"]), (200, &json!("degraded")), "{body}");
    let detail = body["parts"]["secrets"]["detail"].as_str().unwrap();
    assert!(detail.contains("`shop-write`") && !detail.contains("secrets/"), "{detail}");
    gate.dir.secret("secrets/write", "write-secret-0815-stuvwxyz\n");
    assert_eq!(until(&gate, "secrets", "ready").await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_that_are_not_those_in_force_are_not_ready() {
    let upstream = Upstream::start().await;
    let gate = GateDir::new(&upstream).serve();
    gate.dir.change("UPDATE active_rules SET epoch = epoch + ? WHERE id = 1", &["1"]);
    let (status, body) = until(&gate, "rules", "not_ready").await;
    assert_eq!((status, &body["status"]), (503, &json!("not_ready")), "{body}");
    gate.reload().await;
    assert_eq!(until(&gate, "rules", "ready").await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_another_gate_took_is_not_ready() {
    let upstream = Upstream::start().await;
    let gate = GateDir::new(&upstream).serve();
    gate.dir.change("DELETE FROM process WHERE owner <> ?", &[""]);
    let (status, body) = until(&gate, "store", "not_ready").await;
    assert_eq!(status, 503, "{body}");
    assert!(body["parts"]["store"]["detail"].as_str().unwrap().contains("another gate"), "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_readiness_check_waits_for_no_writer() {
    let upstream = Upstream::start().await;
    let gate = GateDir::new(&upstream).serve();
    let _held = Stall::of(&gate.dir, 60_000, 0);
    let answer = tokio::time::timeout(Duration::from_secs(10), readyz(&gate.people)).await;
    assert_eq!(answer.expect("it answers").0, 200);
}
