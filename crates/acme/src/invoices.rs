//! `/v1/invoices`

use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde_json::json;

use crate::clients::Scope;
use crate::http::{Answer, Request};
use crate::problem::Problem;
use crate::shop::Shop;

/// `GET /v1/invoices/{id}`: `balance` is what could still be refunded.
pub(crate) async fn show(
    State(shop): State<Shop>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Answer, Problem> {
    shop.authorize(&request.headers, Scope::AcmeRead)?;
    shop.read(|book| {
        let invoice = book.invoice(&id)?;
        // An invoice outlives its customer.
        let name = book.customer(&invoice.customer).map_or(&invoice.customer, |customer| &customer.name);
        let view = json!({
            "id": invoice.id,
            "customer": invoice.customer,
            "customer_name": name,
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
