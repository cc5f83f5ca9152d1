//! Waiting for what nobody announces.

use std::time::Duration;

use super::Gate;

/// Asks every 20 ms until the condition holds. After 20 seconds the test has failed.
pub(crate) async fn eventually(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let mut pause = tokio::time::interval(Duration::from_millis(20));
    for _ in 0..1_000 {
        pause.tick().await;
        if condition().await {
            return;
        }
    }
    panic!("this did not happen in 20 seconds: {what}");
}

impl Gate {
    /// SIGHUP, and waits until the gate directory is in force and everything open was decided again.
    pub(crate) async fn reload(&self) {
        let reloads = || {
            let log = self.operator_log();
            assert!(!log.contains("has mistakes"), "{log}");
            log.matches("the gate directory was loaded again").count()
        };
        let before = reloads();
        self.signal("HUP");
        eventually("the gate loads its directory again", async || reloads() > before).await;
    }
}
