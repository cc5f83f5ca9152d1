//! One request: who asks, for whom, and what was sent.

use std::sync::Arc;

use countersign_engine::fault::Stop;
use countersign_engine::gate::Viewer;
use rmcp::ErrorData;
use rmcp::model::CallToolResult;
use serde_json::{Map, Value};

use super::answer;
use crate::surface::auth::KnownAgent;
use crate::surface::{App, Problem, problem};
use crate::wire::{ProblemBody, ProposeBody};

/// The member of `_meta` with the agent's own words.
const REASON: &str = "countersign.dev/reason";

/// One request: who asks, for whom, and what was sent.
#[derive(Debug)]
pub(super) struct Caller {
    pub(super) app: App,
    pub(super) agent: KnownAgent,
    pub(super) on_behalf_of: Option<String>,
    pub(super) message: Arc<Value>,
}

impl Caller {
    pub(super) fn viewer(&self) -> Viewer {
        Viewer::Agent { id: self.agent.name.clone() }
    }

    /// A text in `_meta`.
    pub(super) fn meta(&self, name: &str) -> Result<Option<String>, ErrorData> {
        match self.message.get("params").and_then(|params| params.get("_meta")?.get(name)) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(ErrorData::invalid_params(format!("`{name}` in `_meta` must be a text"), None)),
        }
    }

    /// What the agent would propose.
    pub(super) fn body(&self, action: String, input: Map<String, Value>) -> Result<ProposeBody, ErrorData> {
        Ok(ProposeBody {
            action,
            input: Value::Object(input),
            on_behalf_of: self.on_behalf_of.clone(),
            reason: self.meta(REASON)?,
            run: None,
            evidence: Vec::new(),
            dry_run: false,
        })
    }

    /// The action of a tool. A name that is nothing's is proposed as it is, so that the log has it.
    pub(super) fn action_of(&self, tool: &str) -> Result<String, ErrorData> {
        let rules = self.app.gate.ruleset();
        match (rules.registry.tool(tool), rules.registry.get(tool)) {
            (Some(action), _) => Ok(action.name.to_string()),
            (None, None) => Ok(tool.to_owned()),
            (None, Some(action)) => {
                let detail = format!("`{tool}` is an action; its tool is `{}`", action.tool);
                Err(ErrorData::invalid_params(detail, None))
            }
        }
    }

    /// A stop as the answer to a request that is no call.
    pub(super) fn protocol_error(&self, stop: &Stop) -> ErrorData {
        let problem = self.counted(stop);
        let ProblemBody { status, detail, .. } = problem.body();
        // What the client can mend is in its parameters; a limit and a fault are not.
        if *status == 429 || *status >= 500 {
            ErrorData::internal_error(detail.clone(), None)
        } else {
            ErrorData::invalid_params(detail.clone(), None)
        }
    }

    /// A stop as the answer to a call that was to do something.
    pub(super) fn not_done(&self, stop: &Stop) -> CallToolResult {
        answer::of_refused_call(self.counted(stop).of_a_proposal().body())
    }

    /// A stop as the answer to a question. It says nothing of what became of the proposal that was asked for.
    pub(super) fn unanswered(&self, stop: &Stop) -> CallToolResult {
        answer::of_problem(self.counted(stop).body())
    }

    /// A stop as a problem, counted as the HTTP API counts them.
    fn counted(&self, stop: &Stop) -> Problem {
        let problem = problem(&self.app, stop);
        if let Some(code) = problem.refused() {
            self.app.gate.metrics().refused("agents", code.0);
        }
        problem
    }
}
