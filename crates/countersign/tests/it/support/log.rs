//! The log of a gate that a test looks into.

use serde_json::Value;

use super::gate::assert_done;
use super::{Gate, GateDir, Person};

impl GateDir {
    /// Exports the log of a stopped gate.
    pub(crate) fn exported(&self) -> Vec<u8> {
        assert_done(&self.run(&["log", "export", "--dir", ".", "--out", "log.export"]));
        std::fs::read(self.path().join("log.export")).unwrap()
    }

    /// The entries of a stopped gate's log, after the command line has verified it.
    pub(crate) fn verified_log(&self) -> Vec<Value> {
        let export = self.exported();
        assert_done(&self.run(&["log", "verify", "log.export"]));
        entries_of(&export)
    }
}

impl Gate {
    /// Stops the gate and gives its entries, verified.
    pub(crate) fn stop_and_verify(self) -> (GateDir, Vec<Value>) {
        let dir = self.stop();
        let entries = dir.verified_log();
        (dir, entries)
    }
}

impl Person {
    /// Every entry, as an auditor reads them, once `enough` is content. Entries appear within a tick.
    pub(crate) async fn log_until(&self, enough: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let mut pause = tokio::time::interval(std::time::Duration::from_millis(50));
        for _ in 0..400 {
            pause.tick().await;
            let mut entries: Vec<Value> = Vec::new();
            loop {
                let (status, page) = self.get(&format!("/v1/log/entries?from={}", entries.len())).await;
                assert_eq!(status, 200, "{page}");
                let page = page["entries"].as_array().unwrap();
                if page.is_empty() {
                    break;
                }
                entries.extend(page.iter().map(|e| e["entry"].clone()));
            }
            if enough(&entries) {
                return entries;
            }
        }
        panic!("the log does not hold what was waited for");
    }
}

/// The bodies of an export's entries.
pub(crate) fn entries_of(export: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(export).unwrap();
    let lines = text.lines().skip(1).take_while(|line| !line.is_empty());
    lines.map(|line| serde_json::from_str(line.split_once(' ').unwrap().1).unwrap()).collect()
}

/// The events of one proposal, in order.
pub(crate) fn events_of(entries: &[Value], id: &str) -> Vec<String> {
    let of = entries.iter().filter(|e| e["proposal"] == id);
    of.map(|e| e["event"].as_str().unwrap().to_owned()).collect()
}

/// How many entries are of this event.
pub(crate) fn count(entries: &[Value], event: &str) -> usize {
    entries.iter().filter(|e| e["event"] == event).count()
}
