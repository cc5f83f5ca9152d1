//! What a proposal is answered with after it was waited for.

use countersign_core::proposal::Record;
use countersign_engine::fault::{Stop, chain_text};

use super::App;
use super::auth::KnownAgent;

/// The record that the answer to a proposal shows after waiting for it. What is recorded stays the answer: who is no
/// longer known learns no more than what was there before, and a record that cannot be read now was recorded all the
/// same. One that is quarantined is refused as such.
pub(crate) fn after_waiting(
    app: &App,
    before: Record,
    waited: Result<Option<Record>, Stop>,
    agent: &KnownAgent,
) -> Result<Record, Stop> {
    match waited {
        Ok(found) => Ok(found.filter(|_| agent.lost(app).is_none()).unwrap_or(before)),
        Err(stop @ Stop::Refused(_)) => Err(stop),
        Err(Stop::Fault(fault)) => {
            let proposal = before.proposal.id;
            tracing::error!(%proposal, error = %chain_text(&fault), "a recorded proposal cannot be waited for");
            Ok(before)
        }
    }
}
