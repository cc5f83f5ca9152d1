//! Waiting as a durable task (`io.modelcontextprotocol/tasks`, SEP-2663): the task is the proposal and its id is the
//! proposal's, so that it survives whatever the gate survives, and is its own agent's alone (T44).

use std::time::Duration;

use countersign_core::proposal::{Record, State, StateName};
use countersign_core::refusal::Refusal;
use countersign_core::time::Timestamp;
use countersign_engine::fault::Stop;
use rmcp::ErrorData;
use rmcp::model::{CreateTaskResult, DetailedTask, GetTaskResult, JsonObject, Task, TaskPayload, TaskStatus};
use serde::Serialize;
use serde_json::Value;

use super::answer;
use super::caller::Caller;
use crate::surface::{self, App, proposal_id};

/// What a client should wait at least and at most before it asks again.
const POLL_MIN: Duration = Duration::from_secs(1);
const POLL_MAX: Duration = Duration::from_mins(1);
/// A client that asks each tenth of the time that it has waited learns the end at most a tenth later than it was.
const POLL_PART: u32 = 10;

/// Whether a call that came to this record goes on as a task.
pub(super) const fn goes_on(record: &Record) -> bool {
    matches!(record.state.name(), StateName::Pending | StateName::Ready | StateName::Dispatched)
}

/// The task that stands for a proposal which goes on.
pub(super) fn created(app: &App, record: &Record) -> CreateTaskResult {
    CreateTaskResult::new(task(app, record))
}

/// `tasks/get`.
pub(super) async fn get(caller: &Caller, task_id: &str) -> Result<GetTaskResult, ErrorData> {
    let read = async {
        caller.app.gate.charge_read(&caller.agent.name)?;
        read(caller, task_id).await
    };
    let record = read.await.map_err(|stop| caller.protocol_error(&stop))?;
    let payload = payload(&caller.app, &record)?;
    Ok(GetTaskResult::new(DetailedTask::new(task(&caller.app, &record), payload)))
}

/// `tasks/update`. The gate asks its client for nothing, so there is nothing that an update could answer.
pub(super) async fn update(caller: &Caller, task_id: &str) -> Result<(), ErrorData> {
    read(caller, task_id).await.map(drop).map_err(|stop| caller.protocol_error(&stop))
}

/// `tasks/cancel`. What has been sent, or is settled, stays as it is: the next `tasks/get` says so.
pub(super) async fn cancel(caller: &Caller, task_id: &str) -> Result<(), ErrorData> {
    let cancelled = async {
        let id = proposal_id(task_id)?;
        match caller.app.gate.cancel(id, &caller.viewer()).await {
            Ok(_) | Err(Stop::Refused(Refusal::WrongState { .. })) => Ok(()),
            Err(stop) => Err(stop),
        }
    };
    cancelled.await.map_err(|stop: Stop| caller.protocol_error(&stop))
}

async fn read(caller: &Caller, task_id: &str) -> Result<Record, Stop> {
    let id = proposal_id(task_id)?;
    let found = caller.app.gate.read(id, &caller.viewer()).await?;
    Ok(found.ok_or_else(|| Refusal::ProposalNotFound { id: id.to_string() })?)
}

/// What is true of a task in every state. Where it goes on, it is `working`; otherwise its payload says what it is.
fn task(app: &App, record: &Record) -> Task {
    let id = record.proposal.id.to_string();
    let created_at = record.proposal.created_at.to_rfc3339();
    // Proposals are kept for good, so a task has no end of its own.
    let task = Task::new(id, TaskStatus::Working, created_at, moved_at(record).to_rfc3339())
        .with_status_message(status_message(app, record));
    if !goes_on(record) {
        return task;
    }
    let now = app.gate.world().now();
    let waited = moved_at(record).age_at(now).unwrap_or_default();
    let left = record.due().and_then(|due| now.age_at(due));
    task.with_poll_interval_ms(poll_interval_ms(waited, left))
}

/// Milliseconds until asking again is worth it: longer the longer it has waited, and not much past its deadline.
fn poll_interval_ms(waited: Duration, left: Option<Duration>) -> u64 {
    let interval = waited.checked_div(POLL_PART).unwrap_or(POLL_MAX).clamp(POLL_MIN, POLL_MAX);
    let interval = left.map_or(interval, |left| interval.min(left.saturating_add(POLL_MIN)));
    u64::try_from(interval.as_millis()).unwrap_or(u64::MAX)
}

/// When it last moved, as far as the record says.
fn moved_at(record: &Record) -> Timestamp {
    let moved =
        if let State::Dispatched { at, .. } = &record.state { Some(*at) } else { record.settled_at() };
    let approved = record.approvals.iter().map(|approval| approval.at).max();
    moved.or(approved).unwrap_or(record.proposal.created_at)
}

/// What a model can act on: whether it was done, whom it waits for, how far that has come, until when.
fn status_message(app: &App, record: &Record) -> String {
    let again = "this task tells how it stands";
    let message = surface::message_for_agent(record, again);
    let proposal = surface::for_agent(app, record);
    let missing = proposal.needs.iter().flatten().filter(|need| need.have < need.want);
    let missing: Vec<String> = missing.map(|need| need.people.clone()).collect();
    match &proposal.decide_by {
        Some(due) => format!("{message} {} can decide, until {due}.", missing.join("; ")),
        None => message,
    }
}

fn payload(app: &App, record: &Record) -> Result<TaskPayload, ErrorData> {
    Ok(match record.state.name() {
        StateName::Pending | StateName::Ready | StateName::Dispatched => TaskPayload::Working,
        StateName::Cancelled => TaskPayload::Cancelled,
        // What the call would have been answered with, had it waited. What was not done is a result of the tool that is
        // an error, and no fault of the protocol.
        StateName::Denied
        | StateName::Succeeded
        | StateName::Failed
        | StateName::Rejected
        | StateName::Expired
        | StateName::Superseded
        | StateName::Refused => {
            TaskPayload::Completed { result: object(&answer::of_record(app, record, false))? }
        }
        // There is no result, and nobody knows whether there was one: the message says so.
        StateName::Unknown => {
            let error = ErrorData::internal_error(status_message(app, record), None);
            TaskPayload::Failed { error: object(&error)? }
        }
    })
}

fn object(value: &impl Serialize) -> Result<JsonObject, ErrorData> {
    match serde_json::to_value(value) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) | Err(_) => Err(ErrorData::internal_error("the result cannot be written as JSON", None)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_asks_less_often_the_longer_it_has_waited() {
        let seconds = Duration::from_secs;
        for (waited, left, expect) in [
            (0, None, 1_000),
            (20, None, 2_000),
            (600, Some(86_400), 60_000),
            (86_400 * 3, Some(86_400), 60_000),
            // What is due soon is settled soon.
            (600, Some(5), 6_000),
            (600, Some(0), 1_000),
        ] {
            assert_eq!(poll_interval_ms(seconds(waited), left.map(seconds)), expect, "{waited} {left:?}");
        }
    }
}
