//! `[issuer.…]`: the authorization servers whose access tokens agents may present, and which agent a token names.

use std::collections::BTreeMap;

use countersign_core::directory::Directory;
use countersign_core::problem::{Problem, SourceFile, line_of};
use countersign_engine::connector::NetworkPolicy;
use countersign_engine::token::{Algorithm, IssuerFault, IssuerSpec};
use serde::Deserialize;

/// The table as it is written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct IssuerTable {
    issuer: String,
    audience: String,
    #[serde(default = "algorithms")]
    algorithms: Vec<String>,
    jwks: Option<String>,
    #[serde(default = "claim")]
    agent: String,
    agents: Option<BTreeMap<String, String>>,
}

fn algorithms() -> Vec<String> {
    Algorithm::ALL.map(|algorithm| algorithm.name().to_owned()).to_vec()
}

/// Every access token of RFC 9068 has this claim, and it names the program, whoever it acts for.
fn claim() -> String {
    "client_id".to_owned()
}

/// What the tables mean, by name, and every mistake in them.
pub(super) fn specs(
    file: &SourceFile,
    tables: &BTreeMap<String, IssuerTable>,
    networks: &NetworkPolicy,
) -> (BTreeMap<String, IssuerSpec>, Vec<Problem>) {
    let (mut specs, mut found) = (BTreeMap::new(), Vec::new());
    for (name, table) in tables {
        let (spec, unknown) = read(table);
        let faults = unknown.into_iter().chain(spec.check(networks));
        found.extend(faults.map(|fault| problem(file, name, &fault)));
        let twice = specs.iter().find(|(_, other): &(_, &IssuerSpec)| other.issuer == spec.issuer);
        if let Some((first, _)) = twice {
            let detail = format!("`{}` is the issuer of `[issuer.{first}]` already", spec.issuer);
            found.push(problem(file, name, &IssuerFault { setting: "issuer", detail }));
        }
        specs.insert(name.clone(), spec);
    }
    (specs, found)
}

fn read(table: &IssuerTable) -> (IssuerSpec, Vec<IssuerFault>) {
    let mut unknown = Vec::new();
    let mut known = Vec::new();
    for name in &table.algorithms {
        match Algorithm::of_name(name) {
            Some(algorithm) => known.push(algorithm),
            None => unknown.push(IssuerFault {
                setting: "algorithms",
                detail: format!("`{}` is not an algorithm that this gate accepts", name.escape_debug()),
            }),
        }
    }
    if table.agents.as_ref().is_some_and(BTreeMap::is_empty) {
        let detail = "it names no agent, so no token could be good".to_owned();
        unknown.push(IssuerFault { setting: "agents", detail });
    }
    // One that is not known is said already; that none is left follows from it.
    if known.is_empty() && !table.algorithms.is_empty() {
        known.extend(Algorithm::ALL);
    }
    let spec = IssuerSpec {
        issuer: table.issuer.clone(),
        audience: table.audience.clone(),
        algorithms: known,
        jwks: table.jwks.clone(),
        claim: table.agent.clone(),
        agents: table.agents.clone(),
    };
    (spec, unknown)
}

fn problem(file: &SourceFile, name: &str, fault: &IssuerFault) -> Problem {
    let remedy = match fault.setting {
        _ if fault.detail.contains("is not allowed:") => {
            "Name a network that holds it in `[network] allow`, or correct the address."
        }
        "issuer" => {
            "Write the `iss` of its tokens: `https://…`, or `http://` on loopback; one table for each."
        }
        "audience" => "Write the gate's name at the issuer, which tokens carry as `aud`.",
        "algorithms" => "Choose from RS256, ES256 and EdDSA; `none` and shared secrets are never accepted.",
        "jwks" => "Write the address of its keys: `https://…`, or `http://` on loopback.",
        "agent" => "Name the claim that says which agent it is, such as `client_id`, `azp` or `sub`.",
        _ => "Name at least one, or leave the table out: then the claim is the agent's name.",
    };
    let message = format!("issuer `{name}`: {}", fault.detail);
    Problem::error(&file.path, line_in(file, &format!("[issuer.{name}]"), fault.setting), message, remedy)
}

/// Agents that a table names and the directory does not have.
pub(super) fn strangers(
    file: &SourceFile,
    specs: &BTreeMap<String, IssuerSpec>,
    directory: &Directory,
) -> Vec<Problem> {
    let mut found = Vec::new();
    for (name, spec) in specs {
        for (value, agent) in spec.agents.iter().flatten() {
            if directory.agent(agent).is_none() {
                let line = line_in(file, &format!("[issuer.{name}.agents]"), value);
                let message = format!("issuer `{name}`: `{agent}` is not an agent of directory.toml");
                let remedy = format!("Add `[agent.{agent}]` there, or correct the name.");
                found.push(Problem::error(&file.path, line, message, remedy));
            }
        }
    }
    found
}

/// The line that sets a key of a table; the table's own when the key is not there, 0 when neither is.
fn line_in(file: &SourceFile, table: &str, key: &str) -> usize {
    let Some(start) = file.text.find(table) else { return 0 };
    let rest = file.text.get(start..).unwrap_or_default();
    let sets = |line: &str| {
        let line = line.trim_start().trim_start_matches('"');
        let after = line.strip_prefix(key).map(|rest| rest.trim_start_matches('"').trim_start());
        after.is_some_and(|rest| rest.starts_with('='))
    };
    let inside = rest.lines().skip(1).take_while(|line| !line.trim_start().starts_with('['));
    let at = inside.into_iter().position(sets).map_or(0, |at| at.saturating_add(1));
    line_of(&file.text, start).saturating_add(at)
}
