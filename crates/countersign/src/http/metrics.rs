//! `GET /metrics` on a listener of its own, and nothing else: OpenMetrics text for Prometheus.

use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use countersign_engine::gate::{Gate, Gauges};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use super::guard::{self, Hosts};
use crate::surface::{not_found, wrong_method};

/// The media type of the text: <https://prometheus.io/docs/specs/om/open_metrics_spec/>.
const OPEN_METRICS: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");

/// The router of the listener for metrics.
pub(crate) fn router(gate: Gate, hosts: Hosts) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .fallback(not_found)
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn_with_state(hosts, guard::host))
        .layer(from_fn(guard::headers))
        .with_state(gate)
}

async fn metrics(State(gate): State<Gate>) -> Response {
    let gauges = gate.gauges().await;
    let mut registry = Registry::with_prefix("countersign");
    registry.register("build", "The running build", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
    gate.metrics().register(&mut registry);
    let readable = ConstGauge::new(i64::from(gauges.is_some()));
    registry.register(
        "store_readable",
        "1 when the database answered; 0 when what it holds is missing",
        readable,
    );
    if let Some(gauges) = gauges {
        register_gauges(&mut registry, &gauges);
    }
    let mut text = String::new();
    match encode(&mut text, &registry) {
        Ok(()) => ([(CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "failed to write the metrics");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// What the database holds at this moment.
fn register_gauges(registry: &mut Registry, gauges: &Gauges) {
    let whole = |n: u64| ConstGauge::new(i64::try_from(n).unwrap_or(i64::MAX));
    let waiting: Family<[(&str, String); 1], Gauge> = Family::default();
    let oldest: Family<[(&str, String); 1], Gauge<f64, std::sync::atomic::AtomicU64>> = Family::default();
    for (name, rule) in &gauges.by_rule {
        let label = [("rule", name.clone())];
        waiting.get_or_create(&label).set(i64::try_from(rule.proposals).unwrap_or(i64::MAX));
        oldest.get_or_create(&label).set(rule.oldest.as_secs_f64());
    }
    registry.register("pending", "Proposals that wait for people", whole(gauges.pending));
    registry.register(
        "pending_by_rule",
        "Proposals that wait for approvals under a rule, of the 1,000 oldest",
        waiting,
    );
    registry.register_with_unit(
        "pending_oldest_age",
        "How long the oldest proposal has waited for approvals under a rule; 0 without one",
        Unit::Seconds,
        oldest,
    );
    registry.register("unknown", "Proposals whose outcome nobody knows", whole(gauges.unknown));
    registry.register("log_backlog", "Log entries that no checkpoint covers yet", whole(gauges.log_entries));
    registry.register_with_unit(
        "log_backlog_age",
        "Age of the oldest log entry that no checkpoint covers yet; 0 without one",
        Unit::Seconds,
        ConstGauge::new(gauges.log_oldest.as_secs_f64()),
    );
}
