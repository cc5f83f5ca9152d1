//! The gate's own tools: how a proposal stands, withdrawing it, and what would happen.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use countersign_core::refusal::Refusal;
use countersign_engine::fault::Stop;
use countersign_engine::gate::Until;
use rmcp::model::{CallToolResult, Tool, ToolAnnotations};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::answer;
use super::caller::Caller;
use crate::surface::{self, proposal_id, shape};

/// The longest wait for a status: less than the time after which clients give a request up.
const WAIT_SECONDS_MAX: u32 = 50;

/// One of the gate's own tools.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Own {
    Status,
    Cancel,
    Preview,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct StatusInput {
    /// The proposal's id, `prp_…`.
    proposal: String,
    /// Seconds to wait at most until it is settled.
    #[serde(default)]
    #[schemars(range(max = WAIT_SECONDS_MAX))]
    wait_seconds: u32,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CancelInput {
    /// The proposal's id, `prp_…`.
    proposal: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PreviewInput {
    /// The name of the tool.
    tool: String,
    /// What it would be called with.
    #[serde(default)]
    arguments: Map<String, Value>,
}

impl Own {
    const ALL: [Self; 3] = [Self::Status, Self::Cancel, Self::Preview];

    /// The tool of this name.
    pub(super) fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|own| own.name() == name)
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Status => "gate_status",
            Self::Cancel => "gate_cancel",
            Self::Preview => "gate_preview",
        }
    }
}

/// As a client lists them.
pub(super) fn tools() -> &'static [Tool; 3] {
    static TOOLS: LazyLock<[Tool; 3]> = LazyLock::new(|| Own::ALL.map(described));
    &TOOLS
}

fn described(own: Own) -> Tool {
    match own {
        Own::Status => tool::<StatusInput>(
            own,
            "How a proposal stands",
            "Tells how a proposal stands that waited for people or was on its way, and its result once there is one. \
             Waits for up to wait_seconds. Use it instead of calling the same tool again.",
            ToolAnnotations::new().read_only(true).open_world(false),
        ),
        Own::Cancel => tool::<CancelInput>(
            own,
            "Withdraw a proposal",
            "Withdraws a proposal that has not been sent. What was sent cannot be taken back here.",
            ToolAnnotations::new().read_only(false).destructive(false).idempotent(true).open_world(false),
        ),
        Own::Preview => tool::<PreviewInput>(
            own,
            "What a tool would do",
            "Tells what calling a tool would do, what would be sent and who would have to approve it. \
             Nothing is done, and nothing waits.",
            ToolAnnotations::new().read_only(true).open_world(false),
        ),
    }
}

fn tool<T: JsonSchema>(own: Own, title: &str, description: &'static str, hints: ToolAnnotations) -> Tool {
    let schema = schemars::SchemaGenerator::default().into_root_schema_for::<T>();
    let schema = schema.as_object().cloned().unwrap_or_default();
    Tool::new(own.name(), description, Arc::new(schema)).with_title(title).with_annotations(hints)
}

/// Calls one of them.
pub(super) async fn call(own: Own, caller: &Caller, arguments: Map<String, Value>) -> CallToolResult {
    let answered = match own {
        Own::Status => status(caller, arguments).await,
        Own::Cancel => cancel(caller, arguments).await,
        Own::Preview => preview(caller, arguments).await,
    };
    answered.unwrap_or_else(|stop| caller.unanswered(&stop))
}

async fn status(caller: &Caller, arguments: Map<String, Value>) -> Result<CallToolResult, Stop> {
    let input: StatusInput = shape(Value::Object(arguments))?;
    if input.wait_seconds > WAIT_SECONDS_MAX {
        return Err(malformed("/wait_seconds".to_owned(), format!("at most {WAIT_SECONDS_MAX}")).into());
    }
    caller.app.gate.charge_read(&caller.agent.name)?;
    let wait = Duration::from_secs(input.wait_seconds.into());
    let wait = caller.agent.time_left(&caller.app).map_or(wait, |left| wait.min(left));
    let id = proposal_id(&input.proposal)?;
    let found = caller.app.gate.wait(id, &caller.viewer(), (Until::Settled, wait)).await?;
    if let Some(refusal) = caller.agent.lost(&caller.app) {
        return Err(refusal.into());
    }
    let record = found.ok_or_else(|| Refusal::ProposalNotFound { id: id.to_string() })?;
    Ok(answer::of_status(&caller.app, &record))
}

async fn cancel(caller: &Caller, arguments: Map<String, Value>) -> Result<CallToolResult, Stop> {
    let input: CancelInput = shape(Value::Object(arguments))?;
    let record = caller.app.gate.cancel(proposal_id(&input.proposal)?, &caller.viewer()).await?;
    Ok(answer::of_status(&caller.app, &record))
}

async fn preview(caller: &Caller, arguments: Map<String, Value>) -> Result<CallToolResult, Stop> {
    let input: PreviewInput = shape(Value::Object(arguments))?;
    let action = caller.action_of(&input.tool);
    let body = action.and_then(|action| caller.body(action, input.arguments));
    let body = body.map_err(|error| malformed(String::new(), error.message.into_owned()))?;
    let previewed = caller.app.gate.preview(surface::proposal(body, &caller.agent, None)?).await?;
    Ok(answer::of_preview(&caller.app, &previewed.record))
}

const fn malformed(pointer: String, detail: String) -> Refusal {
    Refusal::MalformedRequest { pointer, detail }
}
