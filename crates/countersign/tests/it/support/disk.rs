//! What somebody can do who reaches the gate's disk.

use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use super::gate::assert_done;
use super::{Gate, GateDir};

const SCRIPT: &str = r"
import json, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], timeout=20)
cursor = connection.execute(sys.argv[2], json.loads(sys.argv[3]))
rows = cursor.fetchall()
connection.commit()
print(json.dumps({'rows': rows, 'changed': cursor.rowcount}))
";

impl GateDir {
    fn sqlite(&self, sql: &str, values: &[&str]) -> Value {
        let path = self.path().join("state/countersign.db");
        let output = Command::new("python3")
            .args(["-c", SCRIPT])
            .arg(path)
            .args([sql, &json!(values).to_string()])
            .output()
            .unwrap();
        assert_done(&output);
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// The rows of a query on the gate's SQLite file.
    pub(crate) fn query(&self, sql: &str, values: &[&str]) -> Vec<Value> {
        self.sqlite(sql, values)["rows"].as_array().unwrap().clone()
    }

    /// Changes exactly one row of the gate's SQLite file.
    pub(crate) fn change(&self, sql: &str, values: &[&str]) {
        assert_eq!(self.sqlite(sql, values)["changed"], 1, "{sql}");
    }

    /// Replaces text in the header of a stored proposal or in one of its parts; the text must be there.
    pub(crate) fn alter(&self, id: &str, place: &str, (from, to): (&str, &str)) {
        let (column, rows) = match place {
            "header" => ("header", "proposal WHERE id = ?".to_owned()),
            part => ("body", format!("proposal_part WHERE name = '{part}' AND proposal = ?")),
        };
        let stored = self.query(&format!("SELECT {column} FROM {rows}"), &[id]);
        let stored = stored[0][0].as_str().unwrap();
        assert!(stored.contains(from), "{from} is not in {stored}");
        let sql = format!("UPDATE {}", rows.replacen(" WHERE", &format!(" SET {column} = ? WHERE"), 1));
        self.change(&sql, &[&stored.replace(from, to), id]);
    }

    /// How many entries were ever written, integrated or not.
    pub(crate) fn entries_written(&self) -> u64 {
        self.query("SELECT COUNT(*) FROM log_entry", &[])[0][0].as_u64().unwrap()
    }
}

impl Gate {
    /// Stops the gate; its whole log must verify under the key that it named at its start.
    pub(crate) fn stop_with_sound_log(self) {
        let vkey = self.vkey.clone();
        let dir = self.stop();
        assert_done(&dir.run(&["log", "export", "--dir", ".", "--out", "log.export"]));
        assert_done(&dir.run(&["log", "verify", "log.export", "--key", &vkey]));
    }
}

/// Holds the write lock of a SQLite file for a while, again and again, until it is dropped.
#[derive(Debug)]
pub(crate) struct Stall(Child);

impl Stall {
    pub(crate) fn of(dir: &GateDir, held_ms: u32, free_ms: u32) -> Self {
        let script = r"
import sqlite3, sys, time
c = sqlite3.connect(sys.argv[1], timeout=20, isolation_level=None)
while True:
    c.execute('BEGIN IMMEDIATE')
    time.sleep(int(sys.argv[2]) / 1000)
    c.execute('ROLLBACK')
    time.sleep(int(sys.argv[3]) / 1000)
";
        let child = Command::new("python3")
            .args(["-c", script])
            .arg(dir.path().join("state/countersign.db"))
            .args([held_ms.to_string(), free_ms.to_string()])
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        Self(child)
    }
}

impl Drop for Stall {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
