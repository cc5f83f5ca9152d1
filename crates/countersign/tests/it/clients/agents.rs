//! The adapters for agent frameworks, on the real frameworks and a real gate: whatever becomes of the agent's process
//! and of the gate's, there is one proposal and one effect for each call, and only people's approval makes it happen.

use std::path::Path;
use std::process::{Output, Stdio};
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::process::Command;
use tokio::sync::Notify;

use super::directory;
use crate::examples::free_port;
use crate::support::tools::{self, tools};
use crate::support::wait::eventually;
use crate::support::{Gate, Reply, Upstream};

/// An agent on each framework, and what of it is installed.
const AGENTS: [(&str, &str); 2] = [("sdk.py", "agents"), ("graph.py", "langgraph")];

/// An agent's program, the folder in which it keeps its runs, and its gate.
struct Agent {
    program: &'static str,
    folder: tempfile::TempDir,
    url: String,
    key: String,
}

impl Agent {
    /// A command of the agent. It ends in seconds, and with the test at the latest.
    fn command(&self, folder: &Path, arguments: &[&str]) -> Command {
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/clients/agents");
        let mut command = Command::new(tools().join("venv/bin/python"));
        command
            .arg(scripts.join(self.program))
            .args(arguments)
            .current_dir(folder)
            .env("PYTHONPATH", tools::adapters())
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .envs([("NO_PROXY", "127.0.0.1"), ("GATE_URL", &self.url), ("AGENT_KEY", &self.key)])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// Runs the agent, and gives the line that it printed last.
    async fn run(&self, arguments: &[&str]) -> Value {
        said(&self.command(self.folder.path(), arguments).output().await.unwrap())
    }

    /// The same in a folder with a copy of its runs, as a second process that was started by mistake.
    async fn run_copy(&self, arguments: &[&str]) -> Value {
        let copy = tempfile::tempdir().unwrap();
        for entry in std::fs::read_dir(self.folder.path()).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_file() {
                std::fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
            }
        }
        said(&self.command(copy.path(), arguments).output().await.unwrap())
    }
}

fn said(output: &Output) -> Value {
    let printed = String::from_utf8_lossy(&output.stdout);
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{printed}\n{complaint}");
    serde_json::from_str(printed.lines().last().unwrap_or_default()).unwrap_or_else(|_| panic!("{printed}"))
}

/// What the model read about each call, in their order.
fn read(said: &Value) -> Vec<&str> {
    assert_eq!(said["ended"], true, "{said}");
    said["read"].as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect()
}

/// The same of a run with one call.
fn read_one(said: &Value) -> &str {
    let read = read(said);
    assert_eq!(read.len(), 1, "{said}");
    read[0]
}

/// A gate on an address that it keeps when it is started again, and agents of it. None without the tools.
async fn gate_and_agents() -> Option<(Upstream, Gate, Vec<Agent>)> {
    if !AGENTS.iter().all(|(_, package)| tools::has_python(package)) {
        return None;
    }
    let upstream = Upstream::start().await;
    let dir = directory(&upstream);
    dir.edit(
        "countersign.toml",
        "agents = \"127.0.0.1:0\"",
        &format!("agents = \"127.0.0.1:{}\"", free_port()),
    );
    let gate = dir.serve();
    let agent = |(program, _): (&'static str, &str)| Agent {
        program,
        folder: tempfile::tempdir().unwrap(),
        url: gate.agents.clone(),
        key: gate.key("bot"),
    };
    let agents = AGENTS.map(agent).into();
    Some((upstream, gate, agents))
}

/// The ids of all proposals, the newest first.
async fn proposals(gate: &Gate) -> Vec<String> {
    let (status, body) = gate.agent_get("/v1/proposals").await;
    assert_eq!(status, 200, "{body}");
    body["proposals"].as_array().unwrap().iter().map(|p| p["id"].as_str().unwrap().to_owned()).collect()
}

/// The one pending proposal whose effect, as people read it, names this.
async fn waiting_for(gate: &Gate, effect: &str) -> String {
    let frank = gate.sign_in("frank").await;
    let (_, body) = gate.agent_get("/v1/proposals?state=pending").await;
    let mut found = Vec::new();
    for id in body["proposals"].as_array().unwrap().iter().map(|p| p["id"].as_str().unwrap()) {
        if frank.get(&format!("/v1/proposals/{id}")).await.1["card"]["effects"].to_string().contains(effect) {
            found.push(id.to_owned());
        }
    }
    assert_eq!(found.len(), 1, "{effect}: {found:?}");
    found.remove(0)
}

async fn approve(gate: &Gate, id: &str) {
    let (status, body) = gate.sign_in("frank").await.approve(id).await;
    assert_eq!(status, 200, "{body}");
    gate.settled(id).await;
}

/// Runs a helper to its good end.
fn python(script: &str, arguments: &[&Path]) {
    let output = std::process::Command::new(tools().join("venv/bin/python"))
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/clients/agents").join(script))
        .args(arguments)
        .env("PYTHONPATH", tools::adapters())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_same_call_has_the_same_key_and_an_old_one_is_not_proposed_again() {
    if tools::has_python("langgraph") {
        python("keys.py", &[]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_on_the_framework_s_side_makes_nothing_happen() {
    let Some((upstream, gate, agents)) = gate_and_agents().await else { return };
    for (agent, price) in agents.iter().zip([20_000, 30_000]) {
        let begun = agent.run(&["start", "r1", &price.to_string()]).await;
        assert_eq!(begun["ended"], false, "{begun}");
        let yes = agent.run(&["approve", "r1"]).await;
        // The SDK runs the tool, which asks the gate; a graph is interrupted again.
        let says = if agent.program == "sdk.py" {
            read_one(&yes)
        } else {
            yes["waits"][0]["message"].as_str().unwrap()
        };
        assert!(says.starts_with("NOT DONE. Waiting for approval (0 of 1 from finance)."), "{yes}");
        let ids = proposals(&gate).await;
        assert_eq!(gate.agent_get(&format!("/v1/proposals/{}", ids[0])).await.1["state"], "pending");
    }
    assert_eq!(proposals(&gate).await.len(), 2);
    assert!(upstream.writes().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_resumed_twice_has_one_effect_and_both_learn_of_it() {
    let Some((upstream, gate, agents)) = gate_and_agents().await else { return };
    for (agent, price) in agents.iter().zip([20_000, 30_000]) {
        agent.run(&["start", "r1", &price.to_string()]).await;
        approve(&gate, &proposals(&gate).await[0]).await;
        for said in [agent.run_copy(&["resume", "r1"]).await, agent.run(&["resume", "r1"]).await] {
            assert!(read_one(&said).contains("Done. The upstream answered: {\"ok\": true}"), "{said}");
        }
    }
    assert_eq!(proposals(&gate).await.len(), 2);
    assert_eq!(upstream.writes().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_resumed_after_its_key_was_forgotten_proposes_nothing_again() {
    let Some((upstream, gate, agents)) = gate_and_agents().await else { return };
    for (agent, price) in agents.iter().zip([20_000, 30_000]) {
        agent.run(&["start", "r1", &price.to_string()]).await;
        approve(&gate, &proposals(&gate).await[0]).await;
    }
    let dir = gate.stop();
    python("forget.py", &[&dir.path().join("state/countersign.db")]);
    let gate = dir.serve();
    for agent in &agents {
        let said = agent.run(&["resume", "r1"]).await;
        assert!(read_one(&said).contains("Done. The upstream answered"), "{said}");
    }
    assert_eq!(proposals(&gate).await.len(), 2);
    assert_eq!(upstream.writes().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_is_asked_for_with_the_same_key_and_never_called_not_done() {
    let Some((upstream, mut gate, agents)) = gate_and_agents().await else { return };
    upstream.on("PUT /items/i_1/price", Reply::Hang);
    for (count, (agent, price)) in (1..).zip(agents.iter().zip(["5000", "6000"])) {
        let begun = agent.command(agent.folder.path(), &["start", "r1", price]).spawn().unwrap();
        eventually("the call is under way", async || upstream.writes().len() == count).await;
        let dir = gate.kill();
        let begun = said(&begun.wait_with_output().await.unwrap());
        assert_eq!(begun["ended"], false, "it waits for the answer: {begun}");
        assert!(!begun.to_string().contains("NOT DONE"), "{begun}");
        gate = dir.serve();
        let said = agent.run(&["resume", "r1"]).await;
        assert!(read_one(&said).contains("It is not known whether this was done: "), "{said}");
        assert!(!read_one(&said).contains("NOT DONE"), "{said}");
        assert_eq!(proposals(&gate).await.len(), count);
    }
    assert_eq!(upstream.writes().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_graph_whose_process_is_killed_goes_on_with_the_same_proposal() {
    let Some((upstream, gate, agents)) = gate_and_agents().await else { return };
    let graph = agents.iter().find(|agent| agent.program == "graph.py").unwrap();
    let go = Arc::new(Notify::new());
    upstream.on("PUT /items/i_1/price", Reply::Held(Arc::clone(&go)));
    let mut begun = graph.command(graph.folder.path(), &["start", "r1", "5000"]).spawn().unwrap();
    eventually("the call is under way", async || upstream.writes().len() == 1).await;
    begun.kill().await.unwrap();
    go.notify_one();
    let said = graph.run(&["resume", "r1"]).await;
    assert!(read_one(&said).starts_with("success: Done."), "{said}");
    assert_eq!(proposals(&gate).await.len(), 1);
    assert_eq!(upstream.writes().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_equal_call_of_another_run_is_a_proposal_of_its_own() {
    let Some((upstream, gate, agents)) = gate_and_agents().await else { return };
    for agent in &agents {
        for run in ["r1", "r2"] {
            let said = agent.run(&["start", run, "5000"]).await;
            assert!(read_one(&said).contains("Done."), "{said}");
        }
    }
    assert_eq!(proposals(&gate).await.len(), 4);
    assert_eq!(upstream.writes().len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_of_one_message_wait_and_end_each_for_itself() {
    let Some((upstream, gate, agents)) = gate_and_agents().await else { return };
    for agent in &agents {
        let before = upstream.writes().len();
        let begun = agent.run(&["start", "r1", "5000", "20000", "30000", "40000"]).await;
        assert_eq!(begun["ended"], false, "{begun}");
        let mut open = Vec::new();
        for price in ["200.00", "300.00", "400.00"] {
            open.push(waiting_for(&gate, price).await);
        }
        approve(&gate, &open[0]).await;
        let half = agent.run(&["resume", "r1"]).await;
        assert_eq!(
            (&half["ended"], half["waits"].as_array().unwrap().is_empty()),
            (&json!(false), false),
            "{half}"
        );
        let (status, body) = gate.sign_in("frank").await.decide(&open[1], "reject", "Too much.").await;
        assert_eq!(status, 200, "{body}");
        approve(&gate, &open[2]).await;
        let said = agent.run(&["resume", "r1"]).await;
        let read = read(&said);
        let expected = ["Done.", "Done.", "NOT DONE. frank rejected it: Too much.", "Done."];
        assert_eq!(read.len(), expected.len(), "{said}");
        assert!(read.iter().zip(expected).all(|(read, expected)| read.contains(expected)), "{said}");
        if agent.program == "graph.py" {
            let failed: Vec<bool> = read.iter().map(|text| text.starts_with("error: ")).collect();
            assert_eq!(failed, [false, false, true, false], "{said}");
        }
        assert_eq!(upstream.writes().len(), before + 3);
    }
}
