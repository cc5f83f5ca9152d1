//! Every route of the shop.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::routing::{get, post};

use crate::problem::Problem;
use crate::shop::Shop;
use crate::{customers, invoices, notes, oauth, refunds};

/// Bytes of one request body: a note of a few pages.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// Every route.
pub(crate) fn router(shop: Shop) -> Router {
    Router::new()
        .route("/oauth/token", post(oauth::token))
        .route("/v1/customers", get(customers::list))
        .route("/v1/customers/{id}", get(customers::show).patch(customers::change).delete(customers::delete))
        .route("/v1/customers/{id}/notes", get(notes::list).post(notes::add))
        .route("/v1/invoices/{id}", get(invoices::show))
        .route("/v1/refunds", get(refunds::list).post(refunds::create))
        .fallback(async || Problem::new(StatusCode::NOT_FOUND, "not_found", "There is nothing here."))
        .method_not_allowed_fallback(async || {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "Not with this method.")
        })
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(shop)
}
