//! The gate as it is released: started as a process, spoken to over HTTP. Everything that knows its API is here
//! and in `gatedir`.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use tempfile::TempDir;

use crate::client::Client;
use crate::clock;
use crate::echo::Echo;
use crate::gatedir::{self, Addresses, Limits};
use crate::process::{self, Guarded, Usage};
use crate::template::{KEY, NUMBER, Target};

/// How long the gate may take to answer for the first time, even over a large store.
const READY_WITHIN: Duration = Duration::from_mins(1);
/// A process that uses less of a core than this does nothing that would disturb.
const IDLE_SHARE: f64 = 0.02;
/// How long to wait for that.
const IDLE_WITHIN: Duration = Duration::from_mins(5);
/// How often to look, and for how long it has to be quiet.
const QUIET_LOOK: Duration = Duration::from_millis(500);
const QUIET_FOR: Duration = Duration::from_secs(2);
/// What the gate logs: what goes wrong, and what its store counted when it closes.
const LOG: &str = "warn,countersign_engine::store=info";
/// Proposals on the largest page.
pub(crate) const PAGE_MAX: u64 = 200;
/// A connection that was idle for longer is not used again: the listener closes it after thirty seconds.
const IDLE_MAX: Duration = Duration::from_secs(20);
/// The body of every proposal, so that all figures speak of the same work.
#[cfg(test)]
const BODY_BYTES: usize = 279;

/// A proposal's body: ten fields, 279 bytes once the number has its twelve digits.
pub(crate) fn body(action: &str, number: &str) -> String {
    format!(
        "{{\"action\":\"{action}\",\"input\":{{\"ref\":\"r{number}\",\"customer\":\"cus_ada\",\"currency\":\"usd\",\
         \"amount\":4000,\"quantity\":2,\"priority\":3,\"urgent\":false,\"channel\":\"mail\",\"region\":\"eu\",\
         \"note\":\"One item as it was agreed on the phone, to be sent this month.\"}},\"on_behalf_of\":\"{}\"}}",
        gatedir::REQUESTER
    )
}

/// A gate directory with its store, whose gate is not running.
#[derive(Debug)]
pub(crate) struct Prepared {
    binary: PathBuf,
    dir: TempDir,
    addresses: Addresses,
    keys: Vec<String>,
}

/// A running gate.
#[derive(Debug)]
pub(crate) struct Gate {
    process: Guarded,
    prepared: Prepared,
    /// From the start of the process to its first answer.
    pub(crate) ready: Duration,
    /// A person's session token.
    session: String,
    /// The connection to the people's listener, and when it was last used.
    connection: Option<(Client, Instant)>,
}

impl Prepared {
    /// Writes a gate directory and lets the gate make its store.
    pub(crate) fn new(binary: &Path, work: &Path, echo: &Echo, agents: usize) -> Result<Self> {
        let addresses =
            Addresses { agents: free()?, people: free()?, upstream: echo.address.clone(), hung: None };
        Self::with(binary, work, addresses, (agents, Limits::Wide))
    }

    /// A gate with the limits of a new gate directory, and an upstream that never answers beside the usual one.
    pub(crate) fn to_flood(
        binary: &Path,
        work: &Path,
        echo: &Echo,
        hung: String,
        agents: usize,
    ) -> Result<Self> {
        let addresses =
            Addresses { agents: free()?, people: free()?, upstream: echo.address.clone(), hung: Some(hung) };
        Self::with(binary, work, addresses, (agents, Limits::Default))
    }

    fn with(
        binary: &Path,
        work: &Path,
        addresses: Addresses,
        (agents, limits): (usize, Limits),
    ) -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("gate-").tempdir_in(work)?;
        gatedir::write(dir.path(), &addresses, agents, limits)?;
        let output = Command::new(binary).arg("init").arg(dir.path()).stdin(Stdio::null()).output();
        let output = output.with_context(|| format!("failed to start {}", binary.display()))?;
        if !output.status.success() {
            bail!("`countersign init` failed: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        let keys = (0..agents).map(gatedir::agent_key).collect();
        Ok(Self { binary: binary.to_path_buf(), dir, addresses, keys })
    }

    /// The gate directory.
    pub(crate) fn folder(&self) -> &Path {
        self.dir.path()
    }

    /// The database file.
    pub(crate) fn database(&self) -> PathBuf {
        self.dir.path().join("state").join("countersign.db")
    }

    /// Signs the approver in by a one-time link, as the operator and the person would.
    fn sign_in(&self) -> Result<String> {
        let mut command = Command::new(&self.binary);
        let output = command.args(["person", "link", gatedir::APPROVER]).arg(self.dir.path()).output()?;
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        let link = printed.trim().rsplit('/').next().filter(|_| output.status.success());
        let link = link.context("`countersign person link` failed")?;
        let body = serde_json::json!({ "link": link }).to_string();
        let target = Target::post(&self.addresses.people, "/v1/sign-in", body);
        let answer: Value = serde_json::from_slice(&Client::connect(&target.address)?.call(&target)?.body)?;
        answer.get("session").and_then(Value::as_str).map(str::to_owned).context("signing in gave no session")
    }

    /// Starts the gate and waits for its first answer.
    pub(crate) fn serve(self) -> Result<Gate> {
        let log = File::create(self.dir.path().join("serve.log"))?;
        let mut command = Command::new(&self.binary);
        command.args(["--log", LOG, "serve"]).arg(self.dir.path());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let begin = clock::now();
        let mut process = Guarded::spawn(&mut command)?;
        let livez = Target::get(&self.addresses.agents, "/livez");
        loop {
            let answered = Client::connect(&livez.address).and_then(|mut client| client.call(&livez));
            if answered.is_ok() {
                let ready = begin.elapsed();
                let session = self.sign_in()?;
                return Ok(Gate { process, prepared: self, ready, session, connection: None });
            }
            if process.has_ended() || begin.elapsed() > READY_WITHIN {
                bail!("the gate did not start: {}", self.log().trim());
            }
            std::thread::sleep(Duration::from_micros(500));
        }
    }

    /// What the gate said on standard error since it was started.
    fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("serve.log")).unwrap_or_default()
    }
}

impl Gate {
    fn propose(&self, action: &str, status: u16, start: u64) -> Target {
        let target = Target::post(&self.prepared.addresses.agents, "/v1/proposals", body(action, NUMBER));
        let target = target.header("authorization", &format!("Bearer {KEY}")).expects(status);
        Target { start, ..target.keys(&self.prepared.keys) }
    }

    /// W-decide: a proposal that is decided, made durable and left to people. `start` makes each one different,
    /// because equal open proposals are joined.
    pub(crate) fn decide(&self, start: u64) -> Target {
        self.propose(gatedir::PARKED, 202, start)
    }

    /// W-exec: a proposal that is allowed at once, sent to the upstream, and answered when its outcome is durable.
    pub(crate) fn execute(&self, start: u64) -> Target {
        self.propose(gatedir::EXECUTED, 200, start)
    }

    /// W-deny: a key that nobody has.
    pub(crate) fn unknown_key(&self) -> Target {
        let stranger = gatedir::agent_key(usize::MAX);
        Target { keys: vec![stranger], ..self.propose(gatedir::EXECUTED, 401, 0) }
    }

    fn as_person(&self, target: Target) -> Target {
        target.header("authorization", &format!("Bearer {}", self.session))
    }

    /// The inbox, as a person's browser asks for it.
    pub(crate) fn inbox(&self) -> Target {
        let target = Target::get(&self.prepared.addresses.people, "/");
        target.header("cookie", &format!("__Host-countersign={}", self.session))
    }

    /// The same proposal as [`Gate::decide`], by these agents only.
    pub(crate) fn decide_as(&self, agents: std::ops::Range<usize>, start: u64) -> Target {
        let keys: Vec<String> = agents.map(gatedir::agent_key).collect();
        self.decide(start).keys(&keys)
    }

    /// Opens a proposal of the first agent that waits for people, and gives its id.
    pub(crate) fn parked_by_first(&self, body: &str) -> Result<String> {
        let target = Target::post(&self.prepared.addresses.agents, "/v1/proposals", body.to_owned());
        let key = gatedir::agent_key(0);
        let target = target.header("authorization", &format!("Bearer {key}")).expects(202);
        let answer: Value = serde_json::from_slice(&Client::connect(&target.address)?.call(&target)?.body)?;
        answer.get("id").and_then(Value::as_str).map(str::to_owned).context("the proposal has no id")
    }

    /// Where agents and where people connect.
    pub(crate) fn listeners(&self) -> (&str, &str) {
        (&self.prepared.addresses.agents, &self.prepared.addresses.people)
    }

    /// A page of fifty pending proposals; `before` are ids to begin at, taken in turn.
    pub(crate) fn list(&self, before: &[String]) -> Target {
        let path = format!("/v1/proposals?state=pending&limit=50&before={KEY}");
        self.as_person(Target::get(&self.prepared.addresses.people, &path)).keys(before)
    }

    /// The ids of the newest pending proposals, a page of them.
    pub(crate) fn newest(&mut self) -> Result<Vec<String>> {
        let path = format!("/v1/proposals?state=pending&limit={PAGE_MAX}");
        let page = self.ask(&self.as_person(Target::get(&self.prepared.addresses.people, &path)))?;
        let items = page.get("proposals").and_then(Value::as_array).context("the list is no list")?;
        Ok(items.iter().filter_map(|p| p.get("id")?.as_str().map(str::to_owned)).collect())
    }

    /// The number beside the inbox.
    pub(crate) fn badge(&self) -> Target {
        self.as_person(Target::get(&self.prepared.addresses.people, "/v1/counts"))
    }

    /// How many proposals the gate says are pending.
    pub(crate) fn pending(&mut self) -> Result<u64> {
        let badge = self.badge();
        let answer = self.ask(&badge)?;
        answer
            .pointer("/counts/pending")
            .and_then(Value::as_u64)
            .context("the counts do not say how many are pending")
    }

    /// Rejects one proposal as a person would: reads the card, then sends back what it showed. Gives how long the
    /// rejection took.
    pub(crate) fn reject(&mut self, id: &str) -> Result<Duration> {
        let path = format!("/v1/proposals/{id}");
        let read = self.as_person(Target::get(&self.prepared.addresses.people, &path));
        let shown = self.ask(&read)?;
        let text = |pointer: &str| {
            shown
                .pointer(pointer)
                .and_then(Value::as_str)
                .with_context(|| format!("the card has no {pointer}"))
        };
        let echo = serde_json::json!({
            "intent": text("/card/intent")?, "decision": text("/card/decision")?, "view": text("/view")?,
        });
        let reject =
            Target::post(&self.prepared.addresses.people, &format!("{path}/reject"), echo.to_string());
        let reject = self.as_person(reject);
        let begin = clock::now();
        self.ask(&reject)?;
        Ok(begin.elapsed())
    }

    fn ask(&mut self, target: &Target) -> Result<Value> {
        // Nothing was sent on a connection that is made anew, so nothing is sent twice.
        self.connection = self.connection.take().filter(|(_, used)| used.elapsed() < IDLE_MAX);
        let (client, used) = match &mut self.connection {
            Some(connection) => connection,
            None => self.connection.insert((Client::connect(&target.address)?, clock::now())),
        };
        let answer = client.call(target)?;
        *used = clock::now();
        Ok(serde_json::from_slice(&answer.body)?)
    }

    /// The process id.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// What Linux counts for it.
    pub(crate) fn usage(&self) -> Result<Usage> {
        process::usage(self.id())
    }

    /// Waits until it does nothing of its own any more, such as integrating log entries. A process that waits for
    /// the disk uses no processor either, so it must have been quiet for a while.
    pub(crate) fn settle(&self) -> Result<()> {
        let last = clock::after(clock::now(), IDLE_WITHIN);
        let mut quiet = Duration::ZERO;
        while quiet < QUIET_FOR {
            let (cpu, written) = (process::cpu_time(self.id())?, self.usage()?.written);
            std::thread::sleep(QUIET_LOOK);
            let used = process::cpu_time(self.id())?.saturating_sub(cpu);
            let idle = used.as_secs_f64() <= QUIET_LOOK.as_secs_f64() * IDLE_SHARE;
            let still = self.usage()?.written == written;
            quiet = if idle && still { quiet.saturating_add(QUIET_LOOK) } else { Duration::ZERO };
            if clock::now() > last {
                bail!("the gate is still busy by itself after {IDLE_WITHIN:?}");
            }
        }
        Ok(())
    }

    /// Stops it as a service manager would, and gives what it counted: `commits=`, `statements=` and others in
    /// the last lines of its log.
    pub(crate) fn stop(self) -> Result<(Prepared, String)> {
        let Self { process, prepared, connection, .. } = self;
        drop(connection);
        process.end("TERM")?;
        let log = prepared.log();
        Ok((prepared, log))
    }
}

/// The last `name=number` in a log. None when the gate does not say.
pub(crate) fn counted(log: &str, name: &str) -> Option<u64> {
    let mark = format!("{name}=");
    log.split_whitespace().rev().find_map(|word| word.strip_prefix(&mark)?.trim_end_matches(',').parse().ok())
}

/// An address of loopback that nobody listens on now.
fn free() -> Result<String> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proposal_has_279_bytes_whatever_its_action() {
        for action in [gatedir::EXECUTED, gatedir::PARKED] {
            assert_eq!(body(action, "100000000000").len(), BODY_BYTES, "{action}");
        }
        let parsed: Value = serde_json::from_str(&body(gatedir::EXECUTED, "100000000000")).unwrap();
        assert_eq!(parsed["input"].as_object().unwrap().len(), 10);
    }

    #[test]
    fn the_last_count_of_a_log_is_taken() {
        let log = "INFO store commits=1 statements=9\nINFO closed commits=12, statements=340\n";
        assert_eq!(counted(log, "commits"), Some(12));
        assert_eq!(counted(log, "statements"), Some(340));
        assert_eq!(counted(log, "bytes"), None);
    }
}
