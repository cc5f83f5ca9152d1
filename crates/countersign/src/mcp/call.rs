//! A call of an action's tool: a proposal, and its answer.

use std::time::Duration;

use countersign_core::proposal::{Record, StateName};
use countersign_engine::fault::Stop;
use countersign_engine::gate::{Proposal, RequestKey, Until};
use rmcp::ErrorData;
use rmcp::model::CallToolResponse;
use serde_json::{Map, Value};

use super::caller::Caller;
use super::{answer, task};
use crate::surface;
use crate::wire::ProposeBody;

/// How long a call is waited for that is on its way. Nobody waits for people here.
const ON_ITS_WAY: Duration = Duration::from_secs(20);
/// The same for a client that follows it as a task.
const ON_ITS_WAY_WITH_TASKS: Duration = Duration::from_secs(1);
/// The member of `_meta` that makes a call safe to repeat for as long as an idempotency key is kept.
const KEY: &str = "countersign.dev/idempotency-key";

/// Proposes the action of this tool.
pub(super) async fn action(
    caller: &Caller,
    tool: &str,
    arguments: Map<String, Value>,
    with_tasks: bool,
) -> Result<CallToolResponse, ErrorData> {
    let key = idempotency_key(caller)?;
    let body = caller.body(caller.action_of(tool)?, arguments)?;
    let patience = if with_tasks { ON_ITS_WAY_WITH_TASKS } else { ON_ITS_WAY };
    Ok(match proposed(caller, body, key, patience).await {
        Ok((record, _)) if with_tasks && task::goes_on(&record) => task::created(&caller.app, &record).into(),
        Ok((record, was_there)) => answer::of_record(&caller.app, &record, was_there).into(),
        Err(stop) => caller.not_done(&stop).into(),
    })
}

fn idempotency_key(caller: &Caller) -> Result<RequestKey, ErrorData> {
    let Some(key) = caller.meta(KEY)? else { return Ok(RequestKey::Derived) };
    let most = countersign_core::limits::LABEL_BYTES_MAX;
    if (1..=most).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic() || b == b' ') {
        return Ok(RequestKey::Given(key));
    }
    let detail = format!("`{KEY}` in `_meta` must have 1 to {most} visible ASCII characters");
    Err(ErrorData::invalid_params(detail, None))
}

async fn proposed(
    caller: &Caller,
    body: ProposeBody,
    key: RequestKey,
    patience: Duration,
) -> Result<(Record, bool), Stop> {
    let proposal = surface::proposal(body, &caller.agent, Some(key))?;
    let proposed = caller.app.gate.propose(Proposal { patience: Some(patience), ..proposal }).await?;
    let mut record = proposed.record;
    if proposed.was_there && matches!(record.state.name(), StateName::Ready | StateName::Dispatched) {
        let until = (Until::PeopleMustDecide, patience);
        let waited = caller.app.gate.wait(record.proposal.id, &caller.viewer(), until).await;
        record = surface::after_waiting(&caller.app, record, waited, &caller.agent)?;
    }
    Ok((record, proposed.was_there))
}
