//! The configuration files of the guide, each used to reach the gate.

use serde_json::{Value, json};

use super::{read, upstream, with};
use crate::support::gate::http;
use crate::support::tools::repository;
use crate::support::{Gate, GateDir};

/// What the process answers that a client starts with these arguments.
fn bridged(gate: &Gate, arguments: &[Value]) {
    use std::io::Write as _;
    use std::process::Stdio;
    let arguments: Vec<String> =
        arguments.iter().map(|argument| argument.as_str().unwrap().to_owned()).collect();
    let key = gate.dir.path().join("bot.key").display().to_string();
    let arguments: Vec<String> =
        arguments.into_iter().map(|argument| argument.replace("/etc/countersign/agent.key", &key)).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut command = gate.dir.command(&arguments);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let listed = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" });
    child.stdin.take().unwrap().write_all(format!("{listed}\n").as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["result"]["tools"].as_array().unwrap().len(), 6, "{answer}");
}

/// The values of the settings that a client puts into its file.
fn filled(text: &str, gate: &Gate) -> String {
    let key = gate.key("bot");
    let text = text.replace("http://127.0.0.1:4180", &gate.agents);
    ["${COUNTERSIGN_KEY}", "${env:COUNTERSIGN_KEY}", "${input:gate-key}"]
        .into_iter()
        .fold(text, |text, setting| text.replace(setting, &key))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_configurations_of_the_guide_reach_the_gate() {
    let upstream = upstream().await;
    let gate = GateDir::new(&upstream).serve();
    let guide = std::fs::read_to_string(repository().join("docs/guide/mcp.md")).unwrap();
    let files = crate::readme::blocks(&guide, "json");
    assert_eq!(files.len(), 4, "{files:?}");
    for file in files {
        let file: Value = serde_json::from_str(&filled(&file, &gate)).unwrap();
        let servers = file.get("mcpServers").or(file.get("servers")).unwrap();
        if let Some(arguments) = servers["gate"]["args"].as_array() {
            assert_eq!(servers["gate"]["command"], "countersign");
            bridged(&gate, arguments);
            continue;
        }
        let (url, headers) =
            (servers["gate"]["url"].as_str().unwrap(), servers["gate"]["headers"].as_object().unwrap());
        let mut request = http().post(url).header("accept", "application/json, text/event-stream");
        for (name, value) in headers {
            request = request.header(name, value.as_str().unwrap());
        }
        let listed = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" });
        let (status, answer) = read(with(request, listed.to_string())).await;
        assert_eq!(status, 200, "{answer}");
        assert_eq!(answer["result"]["tools"].as_array().unwrap().len(), 6, "{answer}");
    }
    gate.stop_with_sound_log();
}
