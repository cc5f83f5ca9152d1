//! The agent behind a request, as the guard of its listener hands it to a handler.

use std::sync::Arc;

use countersign_core::proposal::Record;
use countersign_engine::fault::{Stop, chain_text};
use zeroize::Zeroizing;

use super::{App, auth};

/// The agent behind a request, for its handler.
#[derive(Debug, Clone)]
pub(crate) struct Agent(pub(crate) String);

/// The key that an agent presented, for what lasts: it is asked again whether the agent still holds it.
#[derive(Clone)]
pub(crate) struct AgentKey(Arc<Zeroizing<String>>);

impl std::fmt::Debug for AgentKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AgentKey(..)")
    }
}

impl AgentKey {
    /// The key that a request came with.
    pub(crate) fn new(token: &str) -> Self {
        Self(Arc::new(Zeroizing::new(token.to_owned())))
    }

    /// Whether the agent still holds this key.
    pub(crate) fn is_still(&self, app: &App, agent: &str) -> bool {
        auth::agent(&app.gate, &self.0).is_ok_and(|name| name == agent)
    }
}

/// The record that the answer to a proposal shows after waiting for it. What is recorded stays the answer: who lost the
/// key meanwhile learns no more than what was there before, and a failed wait does not mean that nothing was done.
pub(crate) fn after_waiting(
    app: &App,
    before: Record,
    waited: Result<Option<Record>, Stop>,
    (key, agent): (&AgentKey, &str),
) -> Record {
    match waited {
        Ok(found) => found.filter(|_| key.is_still(app, agent)).unwrap_or(before),
        Err(Stop::Refused(_)) => before,
        Err(Stop::Fault(fault)) => {
            let proposal = before.proposal.id;
            tracing::error!(%proposal, error = %chain_text(&fault), "a recorded proposal cannot be waited for");
            before
        }
    }
}
