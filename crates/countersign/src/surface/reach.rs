//! What an agent may at least propose: what every surface lists, and the same decision that a proposal meets (R18).

use std::sync::Arc;

use countersign_core::action::Action;
use countersign_core::refusal::Refusal;
use countersign_core::ruleset::Ruleset;

use super::auth::KnownAgent;

/// The actions that policy could permit for this agent, by name, when it acts for this person.
pub(crate) fn reachable<'a>(
    rules: &'a Ruleset,
    agent: &KnownAgent,
    on_behalf_of: Option<&str>,
) -> Result<Vec<&'a Arc<Action>>, Refusal> {
    let chain = rules.directory.chain_proved(&agent.name, &agent.proof(), on_behalf_of)?;
    let names = rules.policies.reachable(&chain, &rules.registry);
    Ok(names.iter().filter_map(|name| rules.registry.get(name.as_str())).collect())
}
