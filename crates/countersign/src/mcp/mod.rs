//! MCP (<https://modelcontextprotocol.io>): each action that an agent may propose is a tool, at `POST /mcp` of the agents'
//! listener. The protocol itself is `rmcp`'s; here is what the tools are and what a call comes to.
//!
//! Every revision is served without a session: an answer never depends on which process gets the request, and a broken
//! stream loses nothing, because a call that is sent again gets the proposal that is there (T95).

mod answer;
mod call;
mod caller;
mod own;
mod server;
mod task;
mod tools;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use countersign_core::{json, limits};
use rmcp::ErrorData;
use rmcp::model::{RequestId, ServerJsonRpcMessage};
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use serde_json::Value;

use crate::surface::{App, problem, read_limited};
use server::ToolServer;

/// Where the endpoint is.
const PATH: &str = "/mcp";

/// The message as the strict reader read it. What a tool is called with is taken from here: another reader would take a
/// repeated key or a rounded number without a word (T50, T51).
#[derive(Debug, Clone)]
struct StrictMessage(Arc<Value>);

/// The endpoint. Its listener authenticates the agent, and checks `Host` and `Origin` (T131), before it gets here.
pub(crate) fn router(app: &App) -> Router<App> {
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_json_response(true)
        .with_max_request_body_bytes(limits::BODY_BYTES_MAX)
        .disable_allowed_hosts();
    let server = ToolServer::new(app.clone());
    let service = StreamableHttpService::new(
        move || Ok(server.clone()),
        Arc::new(NeverSessionManager::default()),
        config,
    );
    let app = app.clone();
    Router::new().route(PATH, post(async move |request: Request| answer(&app, &service, request).await))
}

async fn answer(
    app: &App,
    service: &StreamableHttpService<ToolServer, NeverSessionManager>,
    request: Request,
) -> Response {
    let (mut parts, body) = request.into_parts();
    let bytes = match read_limited(&parts.headers, body).await {
        Ok(bytes) => bytes,
        Err(stop) => return problem(app, &stop).into_response(),
    };
    match json::read(&bytes) {
        Ok(message @ Value::Object(_)) => {
            if let Some(fault) = fault_of_request(&message) {
                return refused(ErrorData::invalid_request(fault, None), None);
            }
            if let Some(fault) = fault_of_call(&message) {
                return refused(ErrorData::invalid_params(fault, None), id_of(&message));
            }
            parts.extensions.insert(StrictMessage(Arc::new(message)));
        }
        Ok(_) => {
            let detail = "send one request at a time: an object, no batch";
            return refused(ErrorData::invalid_request(detail, None), None);
        }
        Err(error) => {
            let detail = format!("{} at byte {}", error.detail, error.offset);
            return refused(ErrorData::parse_error(detail, None), None);
        }
    }
    service.handle(Request::from_parts(parts, Body::from(bytes))).await.map(Body::new)
}

/// What is wrong with a message as a request or a notification (JSON-RPC 2.0, section 4; MCP takes no null as an id).
fn fault_of_request(message: &Value) -> Option<&'static str> {
    if message.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
        return Some("`jsonrpc` must be \"2.0\"");
    }
    if !message.get("method").is_some_and(Value::is_string) {
        return Some("`method` must be a text: this endpoint takes requests and notifications");
    }
    match message.get("id") {
        None | Some(Value::String(_)) => None,
        Some(Value::Number(id)) if id.is_i64() => None,
        Some(_) => Some("`id` must be a text or an integer"),
    }
}

/// What is wrong with the parameters of a `tools/call`. The protocol's own reader would say that there is no such method.
fn fault_of_call(message: &Value) -> Option<&'static str> {
    let text = |pointer: &str| message.pointer(pointer).and_then(Value::as_str);
    if text("/method") != Some("tools/call") {
        return None;
    }
    if text("/params/name").is_none() {
        return Some("`params.name` must be the name of a tool");
    }
    match message.pointer("/params/arguments") {
        None | Some(Value::Object(_)) => None,
        Some(_) => Some("`params.arguments` must be an object"),
    }
}

fn id_of(message: &Value) -> Option<RequestId> {
    serde_json::from_value(message.get("id")?.clone()).ok()
}

/// What is not even a request has no id to answer to (JSON-RPC 2.0, section 5).
fn refused(error: ErrorData, id: Option<RequestId>) -> Response {
    let body = serde_json::to_vec(&ServerJsonRpcMessage::error(error, id)).unwrap_or_default();
    (StatusCode::BAD_REQUEST, [(CONTENT_TYPE, "application/json")], body).into_response()
}
