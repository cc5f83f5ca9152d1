//! `countersign.toml` and the files beside it: read, checked, never guessed. Relative paths are relative to
//! the gate directory.

mod credentials;
mod issuers;
mod limits;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use countersign_core::action::Registry;
use countersign_core::problem::{Problem, SourceFile, in_order, read_toml};
use countersign_core::ruleset::{GateFiles, Ruleset};
use countersign_engine::connector::NetworkPolicy;
use countersign_engine::credential::CredentialSpec;
use countersign_engine::gate::Limits;
use countersign_engine::token::IssuerSpec;
use serde::Deserialize;

pub(crate) use self::credentials::unusable;
use self::credentials::{CredentialTable, Declared};

/// The name of the configuration file in a gate directory.
pub(crate) const FILE: &str = "countersign.toml";

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct ConfigFile {
    gate: GateTable,
    #[serde(default)]
    listen: ListenTable,
    #[serde(default)]
    metrics: MetricsTable,
    #[serde(default)]
    store: StoreTable,
    #[serde(default)]
    log: LogTable,
    #[serde(default)]
    network: NetworkTable,
    #[serde(default)]
    limits: limits::LimitsTable,
    #[serde(default)]
    issuer: BTreeMap<String, issuers::IssuerTable>,
    #[serde(default)]
    credential: BTreeMap<String, CredentialTable>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct GateTable {
    origin: String,
    environments: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ListenTable {
    agents: SocketAddr,
    people: SocketAddr,
    people_url: Option<String>,
    hosts: Vec<String>,
    behind_tls_proxy: bool,
}

impl Default for ListenTable {
    fn default() -> Self {
        Self {
            agents: SocketAddr::from(([127, 0, 0, 1], 4180)),
            people: SocketAddr::from(([127, 0, 0, 1], 4181)),
            people_url: None,
            hosts: Vec::new(),
            behind_tls_proxy: false,
        }
    }
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct MetricsTable {
    listen: Option<SocketAddr>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct StoreTable {
    url: String,
    key_file: PathBuf,
    old_key_files: Vec<PathBuf>,
}

impl Default for StoreTable {
    fn default() -> Self {
        Self {
            url: "sqlite:state/countersign.db".to_owned(),
            key_file: PathBuf::from("state/record.key"),
            old_key_files: Vec::new(),
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct LogTable {
    key_file: PathBuf,
}

impl Default for LogTable {
    fn default() -> Self {
        Self { key_file: PathBuf::from("state/log.key") }
    }
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct NetworkTable {
    allow: Vec<String>,
}

/// What `countersign.toml` says, checked.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    /// The gate directory.
    pub(crate) dir: PathBuf,
    /// The log's name in checkpoints.
    pub(crate) origin: String,
    /// Where agents connect.
    pub(crate) agents: SocketAddr,
    /// Where people connect.
    pub(crate) people: SocketAddr,
    /// The address of the console as people type it; none until the port is known.
    pub(crate) people_url: Option<String>,
    /// `Host` values that are answered besides the listeners' own.
    pub(crate) hosts: Vec<String>,
    /// Where metrics are read; none when nobody may.
    pub(crate) metrics: Option<SocketAddr>,
    /// The database.
    pub(crate) store_url: String,
    /// The key that seals what is stored.
    pub(crate) record_key_file: PathBuf,
    /// Former keys of that kind: they only verify.
    pub(crate) old_record_key_files: Vec<PathBuf>,
    /// The log's private key.
    pub(crate) key_file: PathBuf,
    /// Which addresses may be called.
    pub(crate) networks: NetworkPolicy,
    /// What one agent may take.
    pub(crate) limits: Limits,
    /// Whose access tokens agents may present, by the name of the table.
    pub(crate) issuers: BTreeMap<String, IssuerSpec>,
    /// Names to secrets.
    pub(crate) credentials: BTreeMap<String, CredentialSpec>,
}

impl Config {
    /// The file that remembers which database was served last: beside a SQLite file; for a server, beside the record
    /// key.
    pub(crate) fn witness_file(&self) -> PathBuf {
        match self.store_url.strip_prefix("sqlite:") {
            Some(path) => PathBuf::from(format!("{path}.witness")),
            None => self.record_key_file.with_file_name("witness.json"),
        }
    }
}

/// Reads and checks a whole gate directory. Gives what is careless in it beside it, or every mistake.
pub(crate) fn load(dir: &Path) -> Result<(Config, Ruleset, Vec<Problem>), Vec<Problem>> {
    let mut errors = Vec::new();
    let config = load_config(dir).map_err(|p| errors.extend(p)).ok();
    // A file that is no TOML says nothing that the others could be checked against.
    let Some(declared) = Declared::read(dir) else { return Err(errors) };
    // Without its environments every action would look wrong.
    if config.is_none() && declared.environments.is_empty() {
        return Err(errors);
    }
    let files = match read_files(dir, declared.environments.clone()) {
        Ok(files) => files,
        Err(problem) => {
            errors.push(problem);
            return Err(errors);
        }
    };
    let ruleset = Ruleset::load(&files);
    // The registry may be in order where the rest is not.
    if let Ok((registry, _)) = Registry::load(&files.actions, &files.environments) {
        errors.extend(credentials::unfit(&declared, &registry, &files.actions));
    }
    if let (Some(config), Ok((ruleset, _)), Ok(Some(file))) = (&config, &ruleset, read(dir, FILE)) {
        errors.extend(issuers::strangers(&file, &config.issuers, &ruleset.directory));
    }
    match (config, ruleset) {
        (Some(config), Ok((ruleset, warnings))) if errors.is_empty() => {
            Ok((config, ruleset, in_order(warnings)))
        }
        (_, Ok((_, warnings))) => {
            errors.extend(warnings);
            Err(in_order(errors))
        }
        (_, Err(problems)) => {
            errors.extend(problems);
            Err(in_order(errors))
        }
    }
}

/// Reads and checks `countersign.toml` alone.
pub(crate) fn load_config(dir: &Path) -> Result<Config, Vec<Problem>> {
    let file = read(dir, FILE).map_err(|p| vec![p])?.ok_or_else(|| {
        vec![Problem::error(
            FILE,
            0,
            "the file is missing",
            "Run `countersign init DIR` to make a gate directory.",
        )]
    })?;
    let parsed: ConfigFile = read_toml(&file).map_err(|p| vec![p])?;
    let mut found = Vec::new();
    check_listeners(&file, &parsed, &mut found);
    if parsed.gate.environments.is_empty() {
        found.push(at_key(
            &file,
            "environments",
            "no environment is named",
            "Name at least one, such as `support`.",
        ));
    }
    let mut allow = Vec::new();
    for text in &parsed.network.allow {
        match text.parse() {
            Ok(network) => allow.push(network),
            Err(_) => {
                found.push(file.error_at(
                    text,
                    format!("`{text}` is not a network"),
                    "Write `127.0.0.1/32`.",
                ));
            }
        }
    }
    let mut credentials = BTreeMap::new();
    for (name, table) in &parsed.credential {
        match credentials::spec(dir, name, table) {
            Ok(spec) => {
                credentials.insert(name.clone(), spec);
            }
            Err((message, remedy)) => {
                found.push(file.error_at(
                    &format!("[credential.{name}]"),
                    format!("credential `{name}`: {message}"),
                    remedy,
                ));
            }
        }
    }
    let networks = NetworkPolicy { allow, own: vec![parsed.listen.agents, parsed.listen.people] };
    let (issuers, wrong) = issuers::specs(&file, &parsed.issuer, &networks);
    found.extend(wrong);
    if !found.is_empty() {
        return Err(found);
    }
    Ok(Config {
        dir: dir.to_owned(),
        origin: parsed.gate.origin,
        agents: parsed.listen.agents,
        people: parsed.listen.people,
        people_url: parsed.listen.people_url.map(|u| u.trim_end_matches('/').to_owned()),
        hosts: parsed.listen.hosts,
        metrics: parsed.metrics.listen,
        store_url: store_url(dir, &parsed.store.url),
        record_key_file: dir.join(parsed.store.key_file),
        old_record_key_files: parsed.store.old_key_files.iter().map(|file| dir.join(file)).collect(),
        key_file: dir.join(parsed.log.key_file),
        limits: parsed.limits.limits(),
        networks,
        issuers,
        credentials,
    })
}

/// A listener that others can reach without TLS would send sessions in the clear (T135).
fn check_listeners(file: &SourceFile, parsed: &ConfigFile, found: &mut Vec<Problem>) {
    for (name, address) in [("agents", parsed.listen.agents), ("people", parsed.listen.people)] {
        if !address.ip().is_loopback() && !parsed.listen.behind_tls_proxy {
            let message =
                format!("the {name} listener {address} can be reached from other machines without TLS");
            let remedy =
                "Listen on 127.0.0.1, or put a TLS proxy in front and say `behind_tls_proxy = true`.";
            found.push(at_key(file, name, &message, remedy));
        }
    }
    if parsed.listen.agents == parsed.listen.people && parsed.listen.agents.port() != 0 {
        let remedy = "Give people a port of their own: an agent's key must not reach an approval.";
        found.push(at_key(file, "people", "agents and people share one listener", remedy));
    }
    if let Some(metrics) = parsed.metrics.listen
        && metrics.port() != 0
        && [parsed.listen.agents, parsed.listen.people].contains(&metrics)
    {
        let remedy = "Give metrics a port of their own, such as `127.0.0.1:9464`.";
        found.push(at_key(file, "listen", "metrics share the listener of agents or people", remedy));
    }
}

fn store_url(dir: &Path, url: &str) -> String {
    match url.strip_prefix("sqlite:") {
        Some(path) => format!("sqlite:{}", dir.join(path.trim_start_matches("//")).display()),
        None => url.to_owned(),
    }
}

fn read_files(dir: &Path, environments: Vec<String>) -> Result<GateFiles, Problem> {
    Ok(GateFiles {
        directory: read(dir, "directory.toml")?,
        approvals: read(dir, "approvals.toml")?,
        actions: read_all(dir, "actions", &["toml", "json"])?,
        policies: read_all(dir, "policies", &["cedar"])?,
        environments,
    })
}

fn read(dir: &Path, path: &str) -> Result<Option<SourceFile>, Problem> {
    match std::fs::read_to_string(dir.join(path)) {
        Ok(text) => Ok(Some(SourceFile { path: path.to_owned(), text })),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => {
            Err(Problem::error(path, 0, format!("cannot be read: {e}"), "Make it a readable UTF-8 file."))
        }
    }
}

fn read_all(dir: &Path, folder: &str, extensions: &[&str]) -> Result<Vec<SourceFile>, Problem> {
    let mut paths = Vec::new();
    let entries = match std::fs::read_dir(dir.join(folder)) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => {
            return Err(Problem::error(
                folder,
                0,
                format!("cannot be listed: {e}"),
                "Make it a readable folder.",
            ));
        }
    };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if Path::new(&name).extension().is_some_and(|e| extensions.iter().any(|known| e == *known)) {
            paths.push(format!("{folder}/{name}"));
        }
    }
    paths.sort();
    paths.iter().filter_map(|path| read(dir, path).transpose()).collect()
}

/// The same at the line that sets a key; comments may have the word, too.
fn at_key(file: &SourceFile, key: &str, message: &str, remedy: &str) -> Problem {
    let sets =
        |line: &str| line.trim_start().strip_prefix(key).is_some_and(|l| l.trim_start().starts_with('='));
    let line = file.text.lines().position(sets).map_or(0, |at| at.saturating_add(1));
    Problem::error(&file.path, line, message, remedy)
}

/// Where a person's own settings live: `$XDG_CONFIG_HOME`, or `~/.config`.
#[expect(clippy::disallowed_methods, reason = "the environment is read here")]
pub(crate) fn home() -> Option<PathBuf> {
    let set = |name: &str| std::env::var(name).ok().filter(|v| !v.is_empty()).map(PathBuf::from);
    set("XDG_CONFIG_HOME").or_else(|| set("HOME").map(|home| home.join(".config")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_settings_that_init_writes_are_the_defaults() {
        let parse = |text: &str| -> ConfigFile {
            read_toml(&SourceFile { path: FILE.to_owned(), text: text.to_owned() }).unwrap()
        };
        let written = parse(include_str!("../gate/countersign.toml"));
        let least = parse(
            "[gate]\norigin = \"gate.example\"\nenvironments = [\"staging\", \"support\", \"finance\", \"ops\"]\n",
        );
        assert_eq!(format!("{written:?}"), format!("{least:?}"));
    }
}
