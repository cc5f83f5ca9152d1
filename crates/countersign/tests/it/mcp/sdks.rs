//! The official SDKs of MCP as clients of a running gate: list, call, wait for people through a restart, withdraw.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

use super::upstream;
use crate::support::gate::binary;
use crate::support::tools::{self, tools};
use crate::support::{Gate, GateDir};

/// For one story.
const PATIENCE: Duration = Duration::from_mins(2);
/// What an agent may propose, then the gate's own.
const TOOLS: [&str; 6] =
    ["shop_item_read", "shop_note_add", "shop_price_set", "gate_status", "gate_cancel", "gate_preview"];

/// How a client negotiates, and what it comes to.
const MODES: [(&str, &str); 2] = [("auto", "2026-07-28"), ("legacy", "2025-11-25")];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/clients/mcp")
}

/// The same gate again on the agents' address that its client knows.
fn restarted(gate: Gate) -> Gate {
    let address = gate.agents.trim_start_matches("http://").to_owned();
    let dir = gate.stop();
    dir.edit("countersign.toml", "agents = \"127.0.0.1:0\"", &format!("agents = \"{address}\""));
    dir.serve()
}

/// Runs one client's story, and Frank's part in it.
async fn story(program: &str, script: &str, (mode, revision): (&str, &str)) {
    let upstream = upstream().await;
    let dir = GateDir::new(&upstream);
    // The clients themselves check an answer against it.
    let output = "[action.\"note.add\".output]\nok = { type = \"boolean\", required = true }\n";
    dir.write("actions/shop.toml", &(dir.read("actions/shop.toml") + output));
    let gate = dir.serve();
    let mut child = Command::new(tools().join("venv/bin").join(program))
        .arg(folder().join(script))
        .env("PATH", tools::path())
        .envs([("NO_PROXY", "127.0.0.1"), ("MODE", mode), ("REVISION", revision), ("NOTE", "Called back.")])
        .envs([
            ("GATE_URL", gate.agents.clone()),
            ("AGENT_KEY", gate.key("bot")),
            ("TOOLS", json!(TOOLS).to_string()),
        ])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut said = Vec::new();
    let mut gate = Some(gate);
    let told = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            if let Some(id) = line.strip_prefix("waiting ") {
                let again = restarted(gate.take().unwrap());
                let (status, body) = again.sign_in("frank").await.approve(id).await;
                assert_eq!(status, 200, "{body}");
                gate = Some(again);
            }
            said.push(line);
        }
        child.wait().await.unwrap()
    };
    let status = tokio::time::timeout(PATIENCE, told).await.expect("the story ends in time");
    assert!(
        status.success() && said.last().is_some_and(|line| line == "finished"),
        "{script} {mode}: {said:#?}"
    );
    let writes: Vec<String> = upstream.writes().into_iter().map(|call| call.path).collect();
    assert_eq!(writes, ["/items/i_1/notes", "/items/i_1/price"], "{script} {mode}");
    gate.unwrap().stop_with_sound_log();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_python_sdk_waits_for_people_through_a_restart() {
    if tools::has(&tools().join("venv/bin/python")) {
        for mode in MODES {
            story("python", "agent.py", mode).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_typescript_sdk_waits_for_people_through_a_restart() {
    if tools::has(&folder().join("node_modules")) {
        for mode in MODES {
            story("node", "agent.mjs", mode).await;
        }
    }
}

/// One line of a client on standard input, and the gate's line on standard output.
#[tokio::test(flavor = "multi_thread")]
async fn the_bridge_answers_each_line_and_says_when_the_gate_is_away() {
    let upstream = upstream().await;
    let gate = GateDir::new(&upstream).serve();
    let mut child = Command::new(binary())
        .args(["mcp", "--gate", &gate.agents, "--key-file", "bot.key", "--on-behalf-of", "ann"])
        .current_dir(gate.dir.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut ask = async |message: String, answers: bool| -> Value {
        use tokio::io::AsyncWriteExt as _;
        input.write_all(format!("{message}\n").as_bytes()).await.unwrap();
        if !answers {
            return Value::Null;
        }
        let line = tokio::time::timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap().unwrap();
        serde_json::from_str(&line).unwrap()
    };
    let request = |id: u32, method: &str, params: Value| {
        json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }).to_string()
    };
    let info = json!({ "name": "test", "version": "1" });
    let initialize = json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": info });
    let answer = ask(request(1, "initialize", initialize), true).await;
    assert_eq!(answer["result"]["protocolVersion"], "2025-11-25", "{answer}");
    ask(json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }).to_string(), false).await;
    let answer = ask(request(2, "tools/list", json!({})), true).await;
    let names: Vec<&str> = answer["result"]["tools"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tool| tool["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, TOOLS);
    let note = json!({ "name": "shop_note_add", "arguments": { "id": "i_1", "text": "Called back." } });
    let answer = ask(request(3, "tools/call", note.clone()), true).await;
    assert_eq!((&answer["id"], &answer["result"]["isError"]), (&json!(3), &json!(false)), "{answer}");
    // The revision of a message that names its own.
    let meta = json!({ "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                       "io.modelcontextprotocol/clientCapabilities": {}, "io.modelcontextprotocol/clientInfo": info });
    let mut current = note.clone();
    current["_meta"] = meta;
    let answer = ask(request(4, "tools/call", current), true).await;
    assert!(
        answer["result"]["content"][0]["text"].as_str().unwrap().starts_with("ALREADY DONE."),
        "{answer}"
    );
    assert_eq!(ask("no JSON".to_owned(), true).await["error"]["code"], -32700);
    assert_eq!(upstream.writes().len(), 1);
    let dir = gate.stop();
    let answer = ask(request(5, "tools/call", note), true).await;
    let said = answer["error"]["message"].as_str().unwrap();
    assert!(said.contains("failed to reach the gate") && said.contains("it is not done twice"), "{said}");
    // Its input ends, and so does it.
    drop(input);
    let status = tokio::time::timeout(PATIENCE, child.wait()).await.unwrap().unwrap();
    assert!(status.success());
    drop(dir);
}
