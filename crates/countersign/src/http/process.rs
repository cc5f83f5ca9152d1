//! What anybody may ask of the process.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::{Extension, http::HeaderValue, response::IntoResponse as _};
use countersign_engine::gate::{Condition, ReadinessPart};

use super::openapi::{self, Listener};
use super::reply::json_response;
use crate::surface::App;
use crate::wire::{Ready, ReadyPart, ReadyStatus};

pub(super) async fn livez() -> &'static str {
    "ok\n"
}

pub(super) async fn readyz(State(app): State<App>) -> Response {
    let readiness = app.gate.readiness().await;
    let status = match readiness.status {
        Condition::Ready | Condition::Degraded => StatusCode::OK,
        Condition::NotReady => StatusCode::SERVICE_UNAVAILABLE,
    };
    let part = |part: ReadinessPart| ReadyPart { status: status_of(part.status), detail: part.detail };
    let parts = readiness.parts.into_iter().map(|(name, found)| (name.to_owned(), part(found))).collect();
    json_response(status, &Ready { status: status_of(readiness.status), parts })
}

const fn status_of(condition: Condition) -> ReadyStatus {
    match condition {
        Condition::Ready => ReadyStatus::Ready,
        Condition::Degraded => ReadyStatus::Degraded,
        Condition::NotReady => ReadyStatus::NotReady,
    }
}

/// The document of the listener that is asked.
pub(super) async fn openapi(Extension(listener): Extension<Listener>) -> Response {
    let kind = HeaderValue::from_static("application/json");
    ([(axum::http::header::CONTENT_TYPE, kind)], openapi::text(listener)).into_response()
}
