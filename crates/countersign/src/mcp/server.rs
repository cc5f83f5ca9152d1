//! The server as `rmcp` asks it: what it is, which tools there are, and what a call comes to.

use std::sync::Arc;

use axum::http::request::Parts;
use countersign_core::refusal::Refusal;
use rmcp::model::{
    CacheScope, CallToolRequestParams, CallToolResponse, CancelTaskParams, GetTaskParams, GetTaskResult,
    Implementation, ListToolsResult, PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool,
    UpdateTaskParams,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde_json::Value;

use super::caller::Caller;
use super::tools::ToolCache;
use super::{StrictMessage, call, own, task};
use crate::surface::auth::KnownAgent;
use crate::surface::{App, only, reachable};

/// How long a client may keep the list of tools, in milliseconds: rules are loaded again while the gate runs.
const LIST_TTL_MS: u64 = 30_000;
/// The header that names the person for whom the agent acts.
const ON_BEHALF_OF: &str = "countersign-on-behalf-of";

const INSTRUCTIONS: &str = "These tools propose actions to a gate. Policy and people decide; the gate makes the call. \
     A result that begins with NOT DONE was not done. When it waits for people, do not call the tool again: \
     gate_status tells how it stands. The same call, sent again, gets the proposal that is there.";

/// The server; nothing of a request stays in it.
#[derive(Debug, Clone)]
pub(super) struct ToolServer {
    app: App,
    tools: Arc<ToolCache>,
}

impl ToolServer {
    pub(super) fn new(app: App) -> Self {
        Self { app, tools: Arc::default() }
    }

    /// Who asks, and for whom.
    fn caller(&self, context: &RequestContext<RoleServer>) -> Result<Caller, ErrorData> {
        // The endpoint puts both into every request; without them nobody was authenticated.
        let missing = || ErrorData::internal_error("the request was not authenticated", None);
        let parts = context.extensions.get::<Parts>().ok_or_else(missing)?;
        let agent: KnownAgent = parts.extensions.get().cloned().ok_or_else(missing)?;
        let StrictMessage(message) = parts.extensions.get().cloned().ok_or_else(missing)?;
        let once = "the header `Countersign-On-Behalf-Of` must be sent once, with the name of a person";
        let person = only(&parts.headers, ON_BEHALF_OF).map_err(|_| ErrorData::invalid_params(once, None))?;
        let person = person.map(|value| value.to_str().map(ToOwned::to_owned)).transpose();
        let on_behalf_of = person.map_err(|_| ErrorData::invalid_params(once, None))?;
        Ok(Caller { app: self.app.clone(), agent, on_behalf_of, message })
    }
}

impl ServerHandler for ToolServer {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().enable_tasks().build())
            .with_server_info(Implementation::new("countersign", env!("CARGO_PKG_VERSION")))
            .with_instructions(INSTRUCTIONS)
    }

    async fn list_tools(
        &self,
        _page: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let caller = self.caller(&context)?;
        let refused = |refusal: Refusal| caller.protocol_error(&refusal.into());
        self.app.gate.charge_read(&caller.agent.name).map_err(refused)?;
        let rules = self.app.gate.ruleset();
        let actions = reachable(&rules, &caller.agent, caller.on_behalf_of.as_deref()).map_err(refused)?;
        let tools = self.tools.of(&rules);
        let mut list: Vec<Tool> =
            actions.into_iter().filter_map(|action| tools.get(&action.tool).cloned()).collect();
        list.extend_from_slice(own::tools());
        let mut result = ListToolsResult::with_all_items(list);
        result.ttl_ms = Some(LIST_TTL_MS);
        // What one agent may propose is no other agent's to know.
        result.cache_scope = Some(CacheScope::Private);
        Ok(result)
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let caller = self.caller(&context)?;
        // The endpoint has seen that they are an object, if they are there.
        let arguments = caller.message.pointer("/params/arguments").and_then(Value::as_object).cloned();
        let arguments = arguments.unwrap_or_default();
        let result = match own::Own::of(&request.name) {
            Some(own) => own::call(own, &caller, arguments).await,
            None => {
                let with_tasks = context.client_capabilities().is_some_and(|client| client.supports_tasks());
                return call::action(&caller, &request.name, arguments, with_tasks).await;
            }
        };
        Ok(result.into())
    }

    async fn get_task(
        &self,
        request: GetTaskParams,
        context: RequestContext<RoleServer>,
    ) -> Result<GetTaskResult, ErrorData> {
        task::get(&self.caller(&context)?, &request.task_id).await
    }

    async fn update_task(
        &self,
        request: UpdateTaskParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        task::update(&self.caller(&context)?, &request.task_id).await
    }

    async fn cancel_task(
        &self,
        request: CancelTaskParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        task::cancel(&self.caller(&context)?, &request.task_id).await
    }

    /// For the check that headers say what the body says.
    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.tools.of(&self.app.gate.ruleset()).get(name).cloned()
    }
}
