//! `/v1/invoices`

use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde_json::json;

use super::clients::Scope;
use super::http::{Answer, Request};
use super::problem::Problem;
use super::shop::Shop;

/// `GET /v1/invoices/{id}`: `balance` is what could still be refunded.
pub(super) async fn show(
    State(shop): State<Shop>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Answer, Problem> {
    shop.authorize(&request.headers, Scope::AcmeRead)?;
    shop.read(|book| {
        let invoice = book.invoice(&id)?;
        let view = json!({
            "id": invoice.id,
            "customer": invoice.customer,
            "description": invoice.description,
            "currency": invoice.currency,
            "amount": invoice.amount,
            "amount_refunded": invoice.amount_refunded,
            "balance": invoice.balance(),
            "status": invoice.status(),
        });
        Answer::json(StatusCode::OK, &view)
    })
}
