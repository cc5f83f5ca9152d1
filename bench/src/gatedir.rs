//! The gate directory that is measured: one system whose upstream is the echo, an action that policy allows at
//! once, one that a person has to approve, and policies for other actions beside them.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use countersign_core::digest::{Digest, domain};

use crate::policies;

/// Allowed at once: the call is made and its outcome recorded before the answer.
pub(crate) const EXECUTED: &str = "bench.item.create";
/// Waits for a person: recorded as pending before the answer.
pub(crate) const PARKED: &str = "bench.item.parked";
/// The name of the log.
pub(crate) const ORIGIN: &str = "countersign.example/bench";
/// Registered, and permitted by no policy.
pub(crate) const DENIED: &str = "bench.item.denied";
/// Allowed at once; its upstream never answers.
pub(crate) const HUNG: &str = "hung.item.create";
/// Limits that no figure of speed comes near: one agent there does the work of many.
const WIDE: &str = "[limits]\nconcurrent = 100000\nopen_proposals = 10000000\nstreams = 100000\n\
    proposals = { per_second = 10000000, burst = 10000000 }\nrefusals = { per_second = 10000000, burst = 10000000 }\n\
    dry_runs = { per_second = 10000000, burst = 10000000 }\nreads = { per_second = 10000000, burst = 10000000 }\n";

/// What one agent of the measured gate may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Limits {
    /// What a new gate directory says: for floods.
    Default,
    /// Far more than anybody needs: for figures of speed.
    Wide,
}

/// On whose behalf the agents propose.
pub(crate) const REQUESTER: &str = "ann";
/// Who approves, and sees everything.
pub(crate) const APPROVER: &str = "fay";
/// Policies besides those that decide, each for an action of its own.
const OTHER_POLICIES: usize = 8;

/// Where the gate listens, and what it calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Addresses {
    /// The agents' listener.
    pub(crate) agents: String,
    /// The people's listener.
    pub(crate) people: String,
    /// The upstream.
    pub(crate) upstream: String,
    /// An upstream that never answers; none when nobody calls it.
    pub(crate) hung: Option<String>,
}

/// The key of agent number `n`: as long as a real one, and always the same.
pub(crate) fn agent_key(n: usize) -> String {
    format!("csk_{}", Digest::of(domain::TOKEN, format!("countersign-bench agent {n}").as_bytes()).to_hex())
}

/// Writes the directory. `agents` share the pending proposals, because one agent may only have so many.
pub(crate) fn write(dir: &Path, addresses: &Addresses, agents: usize, limits: Limits) -> Result<()> {
    for folder in ["actions", "policies"] {
        fs::create_dir_all(dir.join(folder))?;
    }
    let hung = addresses.hung.as_deref().unwrap_or("127.0.0.1:9");
    let files = [
        ("actions/hung.toml", system("hung", hung) + &ACTION.replace("NAME", "item.create")),
        ("countersign.toml", configuration(addresses, limits)),
        ("directory.toml", directory(agents)),
        ("approvals.toml", APPROVALS.to_owned()),
        ("actions/bench.toml", manifest(&addresses.upstream)),
        ("actions/other.toml", policies::other_actions(OTHER_POLICIES)),
        ("policies/bench.cedar", POLICIES.to_owned()),
        ("policies/hung.cedar", HUNG_POLICY.to_owned()),
        ("policies/other.cedar", policies::other_policies(OTHER_POLICIES, OTHER_POLICIES)),
    ];
    for (name, text) in files {
        let path = dir.join(name);
        fs::write(&path, text).with_context(|| format!("failed to write {}", path.display()))?;
    }
    Ok(())
}

fn configuration(addresses: &Addresses, limits: Limits) -> String {
    let Addresses { agents, people, .. } = addresses;
    let limits = if limits == Limits::Wide { WIDE } else { "" };
    format!(
        "[gate]\norigin = \"{ORIGIN}\"\nenvironments = [\"{}\"]\n\n\
         [listen]\nagents = \"{agents}\"\npeople = \"{people}\"\n\n\
         [network]\nallow = [\"127.0.0.1/32\"]\n{limits}",
        policies::ENVIRONMENT
    )
}

/// The people and `agents` agents.
pub(crate) fn directory(agents: usize) -> String {
    let people = format!(
        "[team.support]\n[team.approvers]\n\n\
         [person.{REQUESTER}]\nname = \"Ann\"\nteams = [\"support\"]\n\n\
         [person.{APPROVER}]\nname = \"Fay\"\nteams = [\"approvers\"]\nroles = [\"operator\", \"auditor\"]\n\n\
         [person.olga]\nname = \"Olga\"\n"
    );
    (0..agents).map(agent).fold(people, |text, agent| text + &agent)
}

fn agent(n: usize) -> String {
    let hash = Digest::of(domain::TOKEN, agent_key(n).as_bytes());
    format!(
        "\n[agent.bench-{n:04}]\ntitle = \"Bench {n}\"\nowner = \"olga\"\nteams = [\"support\"]\n\
         act_for = [\"team:support\"]\nkey = [{{ hash = \"{hash}\" }}]\n"
    )
}

/// One rule, so that somebody can be asked.
pub(crate) const APPROVALS: &str =
    "[approvers]\nwho = [\"team:approvers\"]\ndecide_in = \"7d\"\nuse_in = \"10m\"\n";

/// One permit for both actions, and a gate that people can lift on one of them.
pub(crate) const POLICIES: &str = r#"
@id("bench-items")
permit (principal in Team::"support", action in [Action::"bench.item.create", Action::"bench.item.parked"], resource)
when { context.env == Environment::"support" };

@id("bench-approval")
@approval("approvers")
@reason("Somebody looks at parked items.")
forbid (principal, action == Action::"bench.item.parked", resource);
"#;

/// What never answers is allowed, too.
const HUNG_POLICY: &str = r#"
@id("hung-items")
permit (principal in Team::"support", action == Action::"hung.item.create", resource)
when { context.env == Environment::"support" };
"#;

/// Three equal actions of ten fields; policy tells them apart.
pub(crate) fn manifest(upstream: &str) -> String {
    let actions = ["item.create", "item.parked", "item.denied"].into_iter();
    actions.fold(system("bench", upstream), |text, name| text + &ACTION.replace("NAME", name))
}

fn system(name: &str, upstream: &str) -> String {
    format!(
        "[system]\nname = \"{name}\"\nbase_url = \"http://{upstream}\"\nenv = \"{}\"\nowner = \"olga\"\n",
        policies::ENVIRONMENT
    )
}

const ACTION: &str = r#"
[action."NAME"]
title       = "Make an item"
description = "Makes one item at the upstream."
groups      = ["write"]

[action."NAME".input]
ref      = { type = "string", pattern = "^r[0-9]{12}$", required = true }
customer = { type = "string", pattern = "^cus_[a-z0-9]{1,40}$", required = true }
currency = { type = "string", pattern = "^[a-z]{3}$", required = true }
amount   = { type = "integer", minimum = 1, maximum = 99999999, required = true }
quantity = { type = "integer", minimum = 1, maximum = 100, required = true }
priority = { type = "integer", minimum = 0, maximum = 9 }
urgent   = { type = "boolean" }
channel  = { type = "string", enum = ["mail", "phone", "chat"] }
region   = { type = "string", enum = ["eu", "us", "apac"] }
note     = { type = "string", maxLength = 200 }

[action."NAME".resource]
type = "Item"
id   = "${input.ref}"

[action."NAME".preview]
effects = ["Makes item ${input.ref} for customer ${input.customer}."]

[action."NAME".request]
method   = "POST"
path     = "/items"
encoding = "json"
body     = { ref = "${input.ref}", customer = "${input.customer}", currency = "${input.currency}", amount = "${input.amount}", quantity = "${input.quantity}", priority = "${input.priority}", urgent = "${input.urgent}", channel = "${input.channel}", region = "${input.region}", note = "${input.note}" }
ok       = [200]

[action."NAME".effect]
class = "opaque"

[action."NAME".undo]
kind = "none"
why  = "The upstream keeps every item."
"#;

#[cfg(test)]
mod tests {
    use countersign_core::directory::Directory;
    use countersign_core::problem::SourceFile;

    use super::*;

    #[test]
    fn every_agent_of_the_directory_opens_with_its_own_key() {
        let text = directory(3);
        let loaded = Directory::load(&SourceFile { path: "directory.toml".into(), text }).unwrap();
        for n in 0..3 {
            let hash = Digest::of(domain::TOKEN, agent_key(n).as_bytes());
            let (name, _) = loaded.agent_by_key(&hash).unwrap();
            assert_eq!(name, format!("bench-{n:04}"));
            assert!(loaded.chain(name, Some(REQUESTER)).is_ok());
        }
        assert_eq!(agent_key(1).len(), agent_key(999).len());
    }
}
