//! `/v1/refunds`

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::book::{Change, Refund};
use crate::clients::Scope;
use crate::http::{Answer, Request};
use crate::problem::Problem;
use crate::shop::Shop;

/// Bytes of a caller's reference.
const REFERENCE_BYTES_MAX: usize = 255;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WantedRefund {
    invoice: String,
    amount: u64,
    reference: String,
}

#[derive(Serialize)]
struct RefundList<'a> {
    data: Vec<&'a Refund>,
}

/// `GET /v1/refunds?invoice=…&reference=…`, oldest first.
pub(crate) async fn list(State(shop): State<Shop>, request: Request) -> Result<Answer, Problem> {
    shop.authorize(&request.headers, Scope::AcmeRead)?;
    let given = request.parameters(&["invoice", "reference"])?;
    let fits = |name: &str, value: &str| given.get(name).is_none_or(|wanted| wanted == value);
    shop.read(|book| {
        let wanted = |r: &&Refund| fits("invoice", &r.invoice) && fits("reference", &r.reference);
        Answer::json(StatusCode::OK, &RefundList { data: book.refunds().filter(wanted).collect() })
    })
}

/// `POST /v1/refunds {"invoice", "amount", "reference"}`; `Idempotency-Key` is honoured.
///
/// The amount is required: a shop that fills it in by itself would send what nobody asked for.
pub(crate) async fn create(State(shop): State<Shop>, request: Request) -> Result<Answer, Problem> {
    let bearer = shop.authorize(&request.headers, Scope::RefundsWrite)?;
    let WantedRefund { invoice, amount, reference } = request.json(&["application/json"])?;
    if reference.is_empty() || reference.len() > REFERENCE_BYTES_MAX {
        return Err(Problem::invalid(format!("`reference` has 1 to {REFERENCE_BYTES_MAX} bytes.")));
    }
    let (id, created) = (shop.id("re"), shop.world().now());
    shop.write_once(bearer, request, move |book| {
        let currency = book.invoice(&invoice)?.currency.clone();
        let refund = Refund { id, invoice, amount, currency, reference, created };
        let answer = Answer::json(StatusCode::CREATED, &refund)?;
        Ok((Change::RefundMade { refund }, answer))
    })
    .await
}
