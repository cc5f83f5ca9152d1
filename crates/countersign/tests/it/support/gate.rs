//! A gate process on a gate directory of its own, and the people and agents who talk to it.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::{Value, json};

use super::{Person, Upstream};

/// The binary under test.
pub(crate) fn binary() -> &'static str {
    env!("CARGO_BIN_EXE_countersign")
}

const DIRECTORY: &str = r#"
[team.support]
[team.finance]
[person.ann]
name = "Ann Archer"
teams = ["support"]
[person.frank]
name = "Frank Field"
teams = ["finance"]
[person.fiona]
name = "Fiona Fay"
teams = ["finance"]
[person.olga]
name = "Olga Ortiz"
roles = ["operator", "auditor"]
[person.mallory]
name = "Mallory"
[agent.bot]
title = "Support bot"
owner = "olga"
teams = ["support"]
act_for = ["team:support"]
[agent.other]
title = "Other bot"
owner = "olga"
teams = ["support"]
act_for = ["team:support"]
"#;

const APPROVALS: &str = r#"
[finance]
who = ["team:finance"]
decide_in = "30m"
use_in = "10m"
[both]
who = ["team:finance"]
quorum = 2
decide_in = "30m"
use_in = "10m"
"#;

const ACTIONS: &str = r#"
[system]
name = "shop"
base_url = "{{URL}}"
credential = { read = "shop-read", write = "shop-write" }
env = "support"
owner = "shop-team"

[action."item.read"]
title = "Read an item"
description = "Look one item up."
groups = ["read"]
[action."item.read".input]
id = { type = "string", pattern = "^i_[a-z0-9]{1,20}$", required = true }
[action."item.read".resource]
type = "Item"
id = "${input.id}"
[action."item.read".request]
method = "GET"
path = "/items/${input.id}"

[action."note.add"]
title = "Add a note"
description = "Write a note on an item."
groups = ["write"]
[action."note.add".input]
id = { type = "string", pattern = "^i_[a-z0-9]{1,20}$", required = true }
text = { type = "string", maxLength = 2000, required = true }
[action."note.add".resource]
type = "Item"
id = "${input.id}"
[action."note.add".preview]
effects = ["Adds a note to item ${input.id}."]
[action."note.add".request]
method = "POST"
path = "/items/${input.id}/notes"
encoding = "json"
body = { text = "${input.text}", ref = "${proposal.id}" }

[action."price.set"]
title = "Set a price"
description = "Change what an item costs."
groups = ["write", "financial"]
[action."price.set".input]
id = { type = "string", pattern = "^i_[a-z0-9]{1,20}$", required = true }
price = { type = "integer", minimum = 1, maximum = 1000000, required = true }
[action."price.set".resource]
type = "Item"
id = "${input.id}"
[action."price.set".preview]
read = { method = "GET", path = "/items/${input.id}" }
watch = ["/price"]
after = { price = "${input.price}" }
effects = ["The price becomes ${money_text(input.price, before.currency)}."]
fields = { "/price" = { format = "money", currency = "/currency" } }
[action."price.set".risk]
amount = "${money(input.price, before.currency)}"
currency = "${before.currency}"
[action."price.set".request]
method = "PUT"
path = "/items/${input.id}/price"
encoding = "json"
body = { price = "${input.price}" }
[action."price.set".effect]
class = "keyed"
header = "Idempotency-Key"

[action."item.delete"]
title = "Delete an item"
description = "Remove an item for good."
groups = ["destructive"]
[action."item.delete".input]
id = { type = "string", pattern = "^i_[a-z0-9]{1,20}$", required = true }
[action."item.delete".resource]
type = "Item"
id = "${input.id}"
[action."item.delete".preview]
effects = ["Removes item ${input.id}."]
[action."item.delete".request]
method = "DELETE"
path = "/items/${input.id}"
"#;

const POLICIES: &str = r#"
@id("support-all")
permit (principal in Team::"support", action, resource)
when { context.env == Environment::"support" };

@id("price-over-100")
@approval("finance")
@reason("Prices over 100 need finance.")
forbid (principal, action == Action::"shop.price.set", resource)
when { context.risk.amount > 100 };

@id("price-over-1000")
@approval("both")
@reason("Prices over 1000 need two of finance.")
forbid (principal, action == Action::"shop.price.set", resource)
when { context.risk.amount > 1000 };

@id("no-deletes")
@reason("Items are never deleted by an agent.")
forbid (principal, action in Action::"destructive", resource);
"#;

/// A gate directory that a test may change before and after it is served.
#[derive(Debug)]
pub(crate) struct GateDir {
    temp: tempfile::TempDir,
    config_home: tempfile::TempDir,
}

impl GateDir {
    /// A directory whose one system is this upstream.
    pub(crate) fn new(upstream: &Upstream) -> Self {
        let dir = Self { temp: tempfile::tempdir().unwrap(), config_home: tempfile::tempdir().unwrap() };
        let url = upstream.url();
        dir.write("countersign.toml", &config(&url, "sqlite:state/countersign.db"));
        dir.write("directory.toml", DIRECTORY);
        dir.write("approvals.toml", APPROVALS);
        dir.write("actions/shop.toml", &ACTIONS.replace("{{URL}}", &url));
        dir.write("policies/shop.cedar", POLICIES);
        dir.secret("secrets/read", "read-secret-4711-abcdefgh\n");
        dir.secret("secrets/write", "write-secret-0815-stuvwxyz\n");
        dir
    }

    /// A copy of a directory that is kept with the tests.
    pub(crate) fn of(kept: &Path) -> Self {
        let dir = Self { temp: tempfile::tempdir().unwrap(), config_home: tempfile::tempdir().unwrap() };
        copy(kept, dir.path());
        dir
    }

    /// Keeps its proposals in this database instead of SQLite.
    pub(crate) fn on_database(self, upstream: &Upstream, url: &str) -> Self {
        self.write("countersign.toml", &config(&upstream.url(), url));
        self
    }

    /// Lets its agents do far more of everything than by default, for tests that are about something else.
    pub(crate) fn with_wide_limits(self) -> Self {
        let rate = "{ per_second = 10000, burst = 10000 }";
        let limits = ["proposals", "refusals", "dry_runs", "reads"].map(|key| format!("{key} = {rate}\n"));
        let config = self.read("countersign.toml");
        self.write("countersign.toml", &format!("{config}[limits]\nconcurrent = 2000\n{}", limits.concat()));
        self
    }

    /// The folder.
    pub(crate) fn path(&self) -> &Path {
        self.temp.path()
    }

    /// Where its people's command line keeps sessions.
    pub(crate) fn config_home(&self) -> &Path {
        self.config_home.path()
    }

    /// Reads one of its files.
    pub(crate) fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.path().join(path)).unwrap()
    }

    /// Writes one of its files.
    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Writes a file that only its owner may read.
    pub(crate) fn secret(&self, path: &str, text: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        self.write(path, text);
        std::fs::set_permissions(self.path().join(path), std::fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// Replaces text in one of its files; the text must be there.
    pub(crate) fn edit(&self, path: &str, from: &str, to: &str) {
        let text = self.read(path);
        assert!(text.contains(from), "{from} is not in {path}");
        self.write(path, &text.replace(from, to));
    }

    /// Runs a command of the binary to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).stdin(Stdio::null()).output().unwrap()
    }

    /// A command of the binary, in this directory and with a configuration home of its own.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command.args(arguments).current_dir(self.path()).env("XDG_CONFIG_HOME", self.config_home.path());
        command
    }

    /// Serves a directory that must not be served, and gives what the gate says.
    pub(crate) fn refusal_to_serve(&self) -> String {
        let mut child = self.command(&["serve", "."]);
        let child = child.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = child.spawn().unwrap();
        let mut first = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
        if !first.is_empty() {
            child.kill().unwrap();
        }
        let output = child.wait_with_output().unwrap();
        assert!(first.is_empty() && !output.status.success(), "the gate serves: {first}");
        String::from_utf8(output.stderr).unwrap()
    }

    /// Makes the database, the log's key and the agents' keys, if they are not there, and serves.
    pub(crate) fn serve(self) -> Gate {
        self.serve_logging("debug")
    }

    /// The same with this filter of the operator's log.
    pub(crate) fn serve_logging(self, filter: &str) -> Gate {
        assert_done(&self.run(&["init", "."]));
        for agent in ["bot", "other"] {
            if !self.path().join(format!("{agent}.key")).exists() {
                assert_done(&self.run(&["key", agent, ".", "--out", &format!("{agent}.key")]));
            }
        }
        Gate::start(self, filter)
    }
}

fn copy(from: &Path, to: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
            continue;
        }
        std::fs::write(&target, std::fs::read(entry.path()).unwrap()).unwrap();
        // A checkout keeps no permissions, and secrets must be their owner's alone.
        std::fs::set_permissions(&target, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
}

fn config(upstream: &str, store: &str) -> String {
    format!(
        r#"[gate]
origin = "gate.test"
environments = ["staging", "support"]
[listen]
agents = "127.0.0.1:0"
people = "127.0.0.1:0"
[store]
url = "{store}"
[network]
allow = ["127.0.0.1/32"]
[credential.shop-read]
origin = "{upstream}"
use = "read"
from = "file:secrets/read"
[credential.shop-write]
origin = "{upstream}"
use = "write"
from = "file:secrets/write"
"#
    )
}

/// Fails the test with what the command printed.
pub(crate) fn assert_done(output: &Output) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}\n{}\n{}", output.status, text(&output.stdout), text(&output.stderr));
}

/// A running gate. It is killed with the test.
#[derive(Debug)]
pub(crate) struct Gate {
    pub(crate) dir: GateDir,
    child: Child,
    /// Where agents connect.
    pub(crate) agents: String,
    /// Where people connect.
    pub(crate) people: String,
    /// The log's public key.
    pub(crate) vkey: String,
    /// Where its metrics are, when it has any.
    pub(crate) metrics: Option<String>,
    log: PathBuf,
}

impl Gate {
    fn start(dir: GateDir, filter: &str) -> Self {
        let log = dir.path().join("serve.log");
        let file = std::fs::OpenOptions::new().create(true).append(true).open(&log).unwrap();
        let mut child = dir
            .command(&["--log", filter, "serve", "."])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(file)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut value = |name: &str| {
            let line = lines.next().and_then(Result::ok).unwrap_or_default();
            let rest = line.strip_prefix(name).unwrap_or_else(|| {
                panic!(
                    "the gate did not start: {line}\n{}",
                    std::fs::read_to_string(&log).unwrap_or_default()
                )
            });
            rest.trim().to_owned()
        };
        let (agents, people, vkey) = (value("agents"), value("people"), value("log"));
        let metrics = dir.read("countersign.toml").contains("[metrics]").then(|| value("metrics"));
        Self { dir, child, agents, people, vkey, metrics, log }
    }

    /// The process's number.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What the gate wrote to its standard error.
    pub(crate) fn operator_log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// `kill -9`, then gives the directory back.
    pub(crate) fn kill(mut self) -> GateDir {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.into_dir()
    }

    /// A signal by name.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &pid]).status().unwrap().success());
    }

    /// SIGTERM, waits for the end, and gives the directory back.
    pub(crate) fn stop(mut self) -> GateDir {
        self.signal("TERM");
        assert!(self.child.wait().unwrap().success(), "{}", self.operator_log());
        self.into_dir()
    }

    fn into_dir(mut self) -> GateDir {
        let empty = GateDir { temp: tempfile::tempdir().unwrap(), config_home: tempfile::tempdir().unwrap() };
        std::mem::replace(&mut self.dir, empty)
    }

    /// An agent's key.
    pub(crate) fn key(&self, agent: &str) -> String {
        self.dir.read(&format!("{agent}.key")).trim().to_owned()
    }

    /// `POST /v1/proposals` as `bot` for Ann.
    pub(crate) async fn propose(&self, action: &str, input: Value) -> (u16, Value) {
        self.propose_with(json!({ "action": action, "input": input, "on_behalf_of": "ann" })).await
    }

    /// The same with a whole body.
    pub(crate) async fn propose_with(&self, body: Value) -> (u16, Value) {
        let url = format!("{}/v1/proposals", self.agents);
        send(
            http()
                .post(url)
                .bearer_auth(self.key("bot"))
                .header("content-type", "application/json")
                .body(body.to_string()),
        )
        .await
    }

    /// `GET` on the agents' listener as `bot`.
    pub(crate) async fn agent_get(&self, path: &str) -> (u16, Value) {
        send(http().get(format!("{}{path}", self.agents)).bearer_auth(self.key("bot"))).await
    }

    /// Waits until a proposal of `bot` is settled.
    pub(crate) async fn settled(&self, id: &str) -> Value {
        self.agent_get(&format!("/v1/proposals/{id}?wait=20")).await.1
    }

    /// The token of a one-time link for a person, as the operator makes it.
    pub(crate) fn link(&self, person: &str) -> String {
        let output = self.dir.run(&["person", "link", person, "."]);
        assert_done(&output);
        let link = String::from_utf8(output.stdout).unwrap();
        link.trim().rsplit('/').next().unwrap().to_owned()
    }

    /// Signs a person in by a one-time link, as the operator and the person would.
    pub(crate) async fn sign_in(&self, person: &str) -> Person {
        let body = json!({ "link": self.link(person) }).to_string();
        let url = format!("{}/v1/sign-in", self.people);
        let (status, answer) =
            send(http().post(url).header("content-type", "application/json").body(body)).await;
        assert_eq!(status, 200, "{answer}");
        Person::new(&self.people, answer["session"].as_str().unwrap())
    }

    /// Exports the log offline and gives the file's bytes, after what is written has been integrated.
    pub(crate) fn export(&self) -> Vec<u8> {
        let out = self.dir.path().join("log.export");
        assert_done(&self.dir.run(&["log", "export", "--dir", ".", "--out", "log.export"]));
        std::fs::read(out).unwrap()
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A plain client.
pub(crate) fn http() -> reqwest::Client {
    countersign_engine::net::install_tls_provider();
    reqwest::Client::builder().no_proxy().build().unwrap()
}

/// Sends and reads JSON.
pub(crate) async fn send(request: reqwest::RequestBuilder) -> (u16, Value) {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}
