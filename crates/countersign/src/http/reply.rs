//! How handlers answer.

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use countersign_engine::fault::Stop;
use serde::Serialize;

use crate::surface::{App, Problem, problem};

/// A stop becomes a problem; everything else is the answer.
pub(super) fn answer(app: &App, result: Result<Response, Stop>) -> Response {
    result.unwrap_or_else(|stop| problem(app, &stop).into_response())
}

/// A JSON answer.
pub(super) fn json_response<T: Serialize>(status: StatusCode, body: &T) -> Response {
    match serde_json::to_vec(body) {
        Ok(bytes) => {
            (status, [(CONTENT_TYPE, HeaderValue::from_static("application/json"))], bytes).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "an answer cannot be written as JSON");
            let detail = "the answer cannot be written; what was asked for may have been done";
            Problem::plain(500, "internal", detail).into_response()
        }
    }
}
