//! What `check` says about rules that an agent's proposals could ask for and that too few people can meet.

use std::collections::{BTreeMap, BTreeSet};

use super::rules::line_of_rule;
use super::{ProposedBy, Reach, Rules, reach};
use crate::action::{ActionName, Registry};
use crate::directory::{Agent, Chain, Directory};
use crate::problem::{Problem, SourceFile};

/// Looks at every agent with every rule that policy could ask for when it proposes. `asked` gives the names of
/// the rules that a chain could be asked for.
pub(crate) fn lint(
    file: &SourceFile,
    rules: &Rules,
    directory: &Directory,
    asked: impl Fn(&Chain) -> Vec<String>,
) -> Vec<Problem> {
    // One finding for each rule and reason, whichever agents it is about.
    let mut found: BTreeMap<(String, bool, &str), Vec<&str>> = BTreeMap::new();
    for (name, agent) in directory.agents().filter(|(_, agent)| !agent.disabled) {
        let mut by_rule: BTreeMap<String, Vec<Chain>> = BTreeMap::new();
        for chain in chains(name, directory) {
            for rule in asked(&chain) {
                by_rule.entry(rule).or_default().push(chain.clone());
            }
        }
        for (rule, chains) in by_rule {
            if let Some((severe, why)) = judge(&rule, agent, &chains, (rules, directory)) {
                found.entry((rule, severe, why)).or_default().push(name);
            }
        }
    }
    let problem = |((rule, severe, why), agents): ((String, bool, &str), Vec<&str>)| {
        let names: Vec<String> = agents.iter().map(|name| format!("`{name}`")).collect();
        let agents = format!("agent{} {}", if names.len() == 1 { "" } else { "s" }, names.join(", "));
        let text = why.replace("{rule}", &format!("`{rule}`")).replace("{agents}", &agents);
        let make = if severe { Problem::error } else { Problem::warning };
        make(&file.path, line_of_rule(file, &rule), text, REMEDY)
    };
    found.into_iter().map(problem).collect()
}

const REMEDY: &str =
    "Add people to `who` whom the agent may not act for, or take approvers out of its `act_for`.";

/// Actions that no policy permits to any agent, whoever it acts for. Policies that permit nothing are a safe state,
/// so this is a warning.
pub(crate) fn unreachable(
    registry: &Registry,
    directory: &Directory,
    reachable: impl Fn(&Chain) -> Vec<ActionName>,
) -> Vec<Problem> {
    let enabled = directory.agents().filter(|(_, agent)| !agent.disabled);
    let chains: Vec<Chain> = enabled.flat_map(|(name, _)| chains(name, directory)).collect();
    let mut never: BTreeSet<&ActionName> = registry.actions().map(|action| &action.name).collect();
    let all = never.len();
    if chains.is_empty() || all == 0 {
        return Vec::new();
    }
    for chain in &chains {
        for name in reachable(chain) {
            never.remove(&name);
        }
    }
    if never.len() == all {
        let remedy = "Write a `permit` in policies/*.cedar for what an agent may do.";
        return vec![Problem::warning("policies", 0, "no policy permits anything to any agent", remedy)];
    }
    let remedy = "Write a `permit` for it, or leave the action out.";
    let message = |name| format!("no policy permits `{name}` to any agent");
    never.into_iter().map(|name| Problem::warning("policies", 0, message(name), remedy)).collect()
}

/// Every chain that this agent can have.
fn chains(agent: &str, directory: &Directory) -> Vec<Chain> {
    let people = directory.people().filter(|(id, _)| directory.may_act_for(agent, id));
    let behalf = people.map(|(id, _)| Some(id)).chain([None]);
    behalf.filter_map(|person| directory.chain(agent, person).ok()).collect()
}

/// What is wrong with this rule for this agent, and whether it is an error. The text has places for `{rule}` and
/// `{agents}`.
fn judge(
    rule: &str,
    agent: &Agent,
    chains: &[Chain],
    (rules, directory): (&Rules, &Directory),
) -> Option<(bool, &'static str)> {
    let reach_of = |chain: &Chain| {
        let could_be = directory.could_be(chain);
        reach(&[rule], ProposedBy { chain, could_be: &could_be }, rules, directory)
    };
    let never = |reach: &Reach| matches!(reach, Reach::Never { .. });
    // A claim excludes the same people whomever it names, so one person for whom it can be met is enough.
    let named = chains.iter().filter(|c| c.person().is_some()).map(reach_of);
    let mut best = None;
    for reach in named {
        let done = !never(&reach);
        best = Some(reach);
        if done {
            break;
        }
    }
    let alone = chains.iter().find(|c| c.person().is_none()).map(reach_of);
    if best.iter().chain(&alone).all(never) {
        return Some((true, "nobody can meet rule {rule} for proposals of {agents}"));
    }
    if best == Some(Reach::AfterConfirmation) {
        let text = "rule {rule} can be met for {agents} only after the person it names has confirmed, because the \
                    agent could name the approvers too";
        return Some((false, text));
    }
    let alone_never = alone.as_ref().is_some_and(never) && !agent.act_for.is_empty();
    alone_never
        .then_some((false, "nobody can meet rule {rule} for {agents} when it proposes on nobody's behalf"))
}
