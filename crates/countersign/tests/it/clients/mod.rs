//! The OpenAPI documents from outside: clients that are generated from what a running gate serves tell a story on each
//! listener, and schemathesis compares the listener with its document. Beside them, the adapters for agent frameworks.

mod agents;

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::process::Command;

use crate::support::gate::{http, send};
use crate::support::tools::{self, tools};
use crate::support::{Gate, GateDir, Reply, Upstream};

/// For one command; the slowest takes about twenty seconds.
const PATIENCE: Duration = Duration::from_mins(3);
/// What the generator of TypeScript is told beside the document: a member with a default may be left out of a request.
const OPTIONAL_DEFAULTS: &str = "--default-non-nullable=false";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Story {
    Agents,
    People,
}

impl Story {
    const fn name(self) -> &'static str {
        match self {
            Self::Agents => "agents",
            Self::People => "people",
        }
    }

    fn url(self, gate: &Gate) -> &str {
        match self {
            Self::Agents => &gate.agents,
            Self::People => &gate.people,
        }
    }

    /// What a story may know of its gate.
    fn environment(self, gate: &Gate) -> Vec<(String, String)> {
        let mut known = vec![("GATE_URL".to_owned(), self.url(gate).to_owned())];
        match self {
            Self::Agents => known.push(("AGENT_KEY".to_owned(), gate.key("bot"))),
            Self::People => {
                let link =
                    |person: &str| (format!("LINK_{}", person.to_ascii_uppercase()), gate.link(person));
                known.extend(["ann", "frank", "olga"].map(link));
            }
        }
        known
    }
}

/// A gate directory, and an item at its upstream.
fn directory(upstream: &Upstream) -> GateDir {
    upstream.on("GET /items/i_1", Reply::json(200, &json!({ "id": "i_1", "price": 900, "currency": "eur" })));
    GateDir::new(upstream).with_wide_limits()
}

/// Where a test keeps what is generated, beside copies of its helpers.
fn folder(helpers: &str) -> tempfile::TempDir {
    let temp = tempfile::tempdir().unwrap();
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/clients").join(helpers);
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = temp.path().join(entry.file_name());
        if entry.file_name() == "node_modules" {
            std::os::unix::fs::symlink(entry.path(), target).unwrap();
        } else if entry.file_type().unwrap().is_file() {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
    temp
}

/// Runs a tool to its good end in this folder; gives what it printed.
async fn run(folder: &Path, arguments: &[&str], environment: &[(String, String)]) -> String {
    let (program, rest) = arguments.split_first().unwrap();
    let command = Command::new(tools().join("venv/bin").join(program))
        .args(rest)
        .current_dir(folder)
        .env("PATH", tools::path())
        .env("PYTHONPATH", folder)
        .envs([("NO_PROXY", "127.0.0.1"), ("NO_COLOR", "1")])
        .envs(environment.iter().cloned())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(PATIENCE, command).await.expect("it ends in time").unwrap();
    let printed = [output.stdout, output.stderr].concat();
    let printed = String::from_utf8_lossy(&printed).into_owned();
    assert!(output.status.success(), "{arguments:?}\n{}\n{printed}", output.status);
    printed
}

/// The ids of the operations that a listener's document names.
async fn operations(url: &str) -> Vec<String> {
    let (status, document) = send(http().get(format!("{url}/openapi.json"))).await;
    assert_eq!(status, 200, "{document}");
    let paths = document["paths"].as_object().unwrap().values();
    let operations = paths.flat_map(|path| path.as_object().unwrap().values());
    operations.map(|operation| operation["operationId"].as_str().unwrap().to_owned()).collect()
}

/// Generates a client in Python, looks at its types, and lets it tell its story.
async fn python(story: Story) {
    if !tools::has(&tools().join("venv/bin/openapi-python-client")) {
        return;
    }
    let (upstream, folder) = (Upstream::start().await, folder("python"));
    let gate = directory(&upstream).serve();
    let (name, url) = (story.name(), story.url(&gate));
    let (package, document) = (format!("gate_{name}"), format!("{url}/openapi.json"));
    let generate = ["openapi-python-client", "generate", "--url", &document, "--output-path", &package];
    let printed =
        run(folder.path(), &[&generate[..], &["--meta", "none", "--fail-on-warning"]].concat(), &[]).await;
    assert!(!printed.to_lowercase().contains("warning"), "{printed}");
    let operations = operations(url).await;
    let operations = operations.iter().map(String::as_str);
    let shapes: Vec<&str> = ["python", "shapes.py", &package].into_iter().chain(operations).collect();
    run(folder.path(), &shapes, &[]).await;
    tell(story, &gate, folder.path(), &["python", &format!("{name}.py")]).await;
}

/// Generates the types of a client in TypeScript, checks a story with them, and lets Node tell it.
async fn typescript(story: Story) {
    let folder = folder("typescript");
    if !tools::has(&folder.path().join("node_modules/openapi-typescript")) {
        return;
    }
    let upstream = Upstream::start().await;
    let gate = directory(&upstream).serve();
    let (name, url) = (story.name(), story.url(&gate));
    let (document, types) = (format!("{url}/openapi.json"), format!("{name}-api.d.ts"));
    let generator = "node_modules/openapi-typescript/bin/cli.js";
    run(folder.path(), &["node", generator, &document, "-o", &types, OPTIONAL_DEFAULTS], &[]).await;
    let program = format!("{name}.ts");
    let settings = json!({ "extends": "./tsconfig.json", "files": [program, types] });
    std::fs::write(folder.path().join("story.json"), settings.to_string()).unwrap();
    run(folder.path(), &["node", "node_modules/typescript/bin/tsc", "--project", "story.json"], &[]).await;
    tell(story, &gate, folder.path(), &["node", &program]).await;
}

/// Prepares what a story begins with, and lets it be told.
async fn tell(story: Story, gate: &Gate, folder: &Path, arguments: &[&str]) {
    if story == Story::People {
        for price in [20_000, 30_000, 40_000] {
            proposed(gate, "shop.price.set", json!({ "id": "i_1", "price": price })).await;
        }
    }
    run(folder, arguments, &story.environment(gate)).await;
}

/// The id of a new proposal, whatever came of it.
async fn proposed(gate: &Gate, action: &str, input: Value) -> String {
    let (_, body) = gate.propose(action, input).await;
    let id = body["id"].as_str().or_else(|| body["proposal"]["id"].as_str());
    id.unwrap_or_else(|| panic!("{body}")).to_owned()
}

/// Lets schemathesis look for requests to which a listener answers otherwise than its document says.
async fn schemathesis(story: Story) {
    if !tools::has(&tools().join("venv/bin/schemathesis")) {
        return;
    }
    let (upstream, folder) = (Upstream::start().await, folder("schemathesis"));
    let dir = directory(&upstream);
    // One person who decides, withdraws and reads the log.
    dir.edit(
        "directory.toml",
        "name = \"Frank Field\"",
        "name = \"Frank Field\"\nroles = [\"operator\", \"auditor\"]",
    );
    let gate = dir.serve();
    let mut ids = vec![
        proposed(&gate, "shop.note.add", json!({ "id": "i_1", "text": "Called back." })).await,
        proposed(&gate, "shop.item.delete", json!({ "id": "i_1" })).await,
    ];
    for price in 0..10 {
        ids.push(proposed(&gate, "shop.price.set", json!({ "id": "i_1", "price": 20_000 + price })).await);
    }
    let known: Vec<String> = ids.iter().map(|id| format!("\"{id}\"\n")).collect();
    std::fs::write(folder.path().join("proposals.txt"), known.concat()).unwrap();
    let token = match story {
        Story::Agents => gate.key("bot"),
        Story::People => gate.sign_in("frank").await.session,
    };
    let (config, document) = (format!("{}.toml", story.name()), format!("{}/openapi.json", story.url(&gate)));
    let known = [("TOKEN".to_owned(), token)];
    // A stream of events ends with its proposal, and some proposals wait for people. Signing out ends the session that
    // all other requests need, so it comes last, in a run of its own.
    let runs: &[&str] = match story {
        Story::Agents => &["--exclude-operation-id=watch_own"],
        Story::People => &["--exclude-operation-id=sign_out", "--include-operation-id=sign_out"],
    };
    for operations in runs {
        let command = ["schemathesis", "--config-file", &config, "run", &document, operations];
        let printed = run(folder.path(), &command, &known).await;
        assert!(printed.contains("Test cases:"), "{printed}");
    }
}

#[tokio::test]
async fn a_python_client_made_from_the_document_tells_the_agents_story() {
    python(Story::Agents).await;
}

#[tokio::test]
async fn a_python_client_made_from_the_document_tells_the_people_s_story() {
    python(Story::People).await;
}

#[tokio::test]
async fn a_typescript_client_made_from_the_document_tells_the_agents_story() {
    typescript(Story::Agents).await;
}

#[tokio::test]
async fn a_typescript_client_made_from_the_document_tells_the_people_s_story() {
    typescript(Story::People).await;
}

#[tokio::test]
async fn schemathesis_finds_the_agents_listener_as_its_document_says() {
    schemathesis(Story::Agents).await;
}

#[tokio::test]
async fn schemathesis_finds_the_people_s_listener_as_its_document_says() {
    schemathesis(Story::People).await;
}
