//! Every way to propose meets the same decision (T41, R18): a matrix of agents, people, actions and inputs, asked over
//! HTTP, MCP and the command line, as a dry run and in earnest.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::gate::{http, send};
use crate::support::{Gate, GateDir, Reply, Upstream};

const AGENTS: [&str; 2] = ["bot", "other"];
/// Whom an agent may act for, whom it may not, and nobody.
const PEOPLE: [Option<&str>; 3] = [Some("ann"), Some("mallory"), None];

/// Rules besides those of every test directory.
const MORE_POLICIES: [&str; 3] = [
    "",
    "@id(\"other-never\")\nforbid (principal == Agent::\"other\", action, resource);\n",
    "@id(\"no-notes\")\n@reason(\"No notes today.\")\nforbid (principal, action == Action::\"shop.note.add\", resource);\n\
     @id(\"reads\")\n@approval(\"finance\")\n@reason(\"Finance looks.\")\n\
     forbid (principal == Person::\"ann\", action == Action::\"shop.item.read\", resource);\n",
];

fn cases() -> Vec<(&'static str, Value)> {
    vec![
        ("shop.item.read", json!({ "id": "i_1" })),
        ("shop.item.read", json!({ "id": "no item" })),
        ("shop.note.add", json!({ "id": "i_1", "text": "Called back." })),
        ("shop.note.add", json!({ "id": "i_1" })),
        ("shop.price.set", json!({ "id": "i_1", "price": 6_000 })),
        ("shop.price.set", json!({ "id": "i_1", "price": 90_000 })),
        ("shop.price.set", json!({ "id": "i_1", "price": 900_000 })),
        ("shop.price.set", json!({ "id": "i_gone", "price": 6_000 })),
        ("shop.item.delete", json!({ "id": "i_1" })),
        ("shop.item.paint", json!({ "id": "i_1" })),
    ]
}

/// One question, however it is asked.
#[derive(Debug, Clone, Copy)]
struct Asked<'a> {
    agent: &'a str,
    person: Option<&'a str>,
    action: &'a str,
    input: &'a Value,
}

/// What was decided: allowed, left to people under which rules, denied with which cause, or the code of the refusal.
fn verdict(answer: &Value) -> String {
    // A refusal of what was decided has the proposal in it.
    let proposal = answer.get("proposal").unwrap_or(answer);
    match (proposal["state"].as_str(), answer["code"].as_str()) {
        (Some("succeeded" | "ready"), _) => "allowed".to_owned(),
        (Some("pending"), _) => {
            let rules = proposal["needs"].as_array().unwrap_or_else(|| panic!("{answer}")).iter();
            let rules: Vec<&str> = rules.map(|need| need["rule"].as_str().unwrap()).collect();
            format!("waits for {}", rules.join(", "))
        }
        (Some("denied"), _) => {
            format!("denied: {}", proposal["cause"].as_str().unwrap_or_else(|| panic!("{answer}")))
        }
        (_, Some(code)) => code.to_owned(),
        _ => panic!("neither a state nor a code: {answer}"),
    }
}

async fn over_http(gate: &Gate, asked: Asked<'_>, dry_run: bool) -> String {
    let mut body = json!({ "action": asked.action, "input": asked.input, "dry_run": dry_run });
    if let Some(person) = asked.person {
        body["on_behalf_of"] = json!(person);
    }
    let request = http().post(format!("{}/v1/proposals", gate.agents)).bearer_auth(gate.key(asked.agent));
    let request = request.header("content-type", "application/json").body(body.to_string());
    verdict(&send(request).await.1)
}

/// A request of the revision 2026-07-28.
async fn mcp(gate: &Gate, asked: Asked<'_>, method: &str, mut params: Value) -> Value {
    params["_meta"] = json!({ "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                              "io.modelcontextprotocol/clientCapabilities": {} });
    let mut request = http()
        .post(format!("{}/mcp", gate.agents))
        .bearer_auth(gate.key(asked.agent))
        .header("accept", "application/json, text/event-stream")
        .header("content-type", "application/json")
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", method);
    if let Some(name) = params["name"].as_str() {
        request = request.header("mcp-name", name.to_owned());
    }
    if let Some(person) = asked.person {
        request = request.header("countersign-on-behalf-of", person);
    }
    let message = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    send(request.body(message.to_string())).await.1
}

async fn over_mcp(gate: &Gate, asked: Asked<'_>, dry_run: bool) -> String {
    let tool = asked.action.replace('.', "_");
    let params = if dry_run {
        json!({ "name": "gate_preview", "arguments": { "tool": tool, "arguments": asked.input } })
    } else {
        json!({ "name": tool, "arguments": asked.input })
    };
    let answer = mcp(gate, asked, "tools/call", params).await;
    let meta = &answer["result"]["_meta"];
    let told = [&meta["countersign.dev/proposal"], &meta["countersign.dev/problem"]];
    let told = told.into_iter().find(|told| !told.is_null());
    verdict(told.unwrap_or_else(|| panic!("{asked:?}: {answer}")))
}

fn over_the_command_line(gate: &Gate, asked: Asked<'_>, dry_run: bool) -> String {
    let (key, input) = (format!("{}.key", asked.agent), asked.input.to_string());
    let mut arguments = vec!["propose", asked.action, "--json", "--gate", &gate.agents];
    arguments.extend(["--key-file", &key, "--input", &input]);
    arguments.extend(asked.person.iter().flat_map(|person| ["--on-behalf-of", person]));
    arguments.extend(dry_run.then_some("--dry-run"));
    let output = gate.dir.run(&arguments);
    let printed = String::from_utf8(output.stdout).unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    verdict(&serde_json::from_str(&printed).unwrap_or_else(|_| panic!("{asked:?}: {printed} {said}")))
}

/// Asks the same on every surface, and gives the one answer.
async fn everywhere(gate: &Gate, asked: Asked<'_>) -> String {
    let mut heard: BTreeMap<String, String> = BTreeMap::new();
    for dry_run in [true, false] {
        let earnest = if dry_run { "as a dry run" } else { "in earnest" };
        heard.insert(format!("HTTP {earnest}"), over_http(gate, asked, dry_run).await);
        heard.insert(format!("MCP {earnest}"), over_mcp(gate, asked, dry_run).await);
        heard.insert(format!("command line {earnest}"), over_the_command_line(gate, asked, dry_run));
    }
    let answers: std::collections::BTreeSet<&String> = heard.values().collect();
    assert_eq!(answers.len(), 1, "{asked:?}: {heard:#?}");
    heard.into_values().next().unwrap()
}

/// The actions that a list names.
async fn listed(gate: &Gate, asked: Asked<'_>) -> Option<Vec<String>> {
    let path = asked.person.map(|person| format!("?on_behalf_of={person}")).unwrap_or_default();
    let request = http().get(format!("{}/v1/actions{path}", gate.agents)).bearer_auth(gate.key(asked.agent));
    let over_http = send(request).await.1;
    let over_mcp = mcp(gate, asked, "tools/list", json!({})).await;
    let names = |list: &Value| -> Option<Vec<String>> {
        let names = list.as_array()?.iter().map(|item| item["name"].as_str().unwrap().replace('_', "."));
        Some(names.filter(|name| !name.starts_with("gate.")).collect())
    };
    let (actions, tools) = (names(&over_http["actions"]), names(&over_mcp["result"]["tools"]));
    assert_eq!(actions, tools, "{over_http} {over_mcp}");
    actions
}

async fn one_decision(more: &str, people: &[Option<&str>]) -> BTreeMap<String, usize> {
    let upstream = Upstream::start().await;
    let item = json!({ "id": "i_1", "price": 5_000, "currency": "usd" });
    upstream.on("GET /items/i_1", Reply::json(200, &item));
    upstream.on("GET /items/i_gone", Reply::json(404, &json!({})));
    let dir = GateDir::new(&upstream).with_wide_limits();
    dir.write("policies/shop.cedar", &(dir.read("policies/shop.cedar") + more));
    let gate = dir.serve();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let cases = cases();
    for agent in AGENTS {
        for person in people.iter().copied() {
            let asked = |action, input| Asked { agent, person, action, input };
            let list = listed(&gate, asked("", &Value::Null)).await;
            let mut permitted = std::collections::BTreeSet::new();
            for (action, input) in &cases {
                let answer = everywhere(&gate, asked(action, input)).await;
                if answer == "allowed" || answer.starts_with("waits") {
                    permitted.insert((*action).to_owned());
                }
                *seen.entry(answer).or_default() += 1;
            }
            // What is permitted is listed; the list may have more, because only an input can tell.
            let list = list.unwrap_or_default();
            assert!(permitted.iter().all(|action| list.contains(action)), "{list:?} {permitted:?}");
            assert!(!list.iter().any(|action| action == "shop.item.delete"), "{list:?}");
        }
    }
    gate.stop_with_sound_log();
    seen
}

#[tokio::test(flavor = "multi_thread")]
async fn every_surface_meets_one_decision_t41_r18() {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for more in MORE_POLICIES {
        let people = if more.is_empty() { &PEOPLE[..] } else { &PEOPLE[..1] };
        for (answer, times) in one_decision(more, people).await {
            *seen.entry(answer).or_default() += times;
        }
    }
    // The matrix has something of everything that a decision can be.
    for answer in
        ["allowed", "waits for ", "denied: ", "invalid_input", "unknown_action", "delegation_not_allowed"]
    {
        assert!(seen.keys().any(|seen| seen.starts_with(answer)), "{answer}: {seen:#?}");
    }
}
