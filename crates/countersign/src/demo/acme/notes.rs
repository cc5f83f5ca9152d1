//! `/v1/customers/{id}/notes`

use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use super::book::{Change, Note};
use super::clients::Scope;
use super::http::{Answer, Request};
use super::problem::Problem;
use super::shop::Shop;

/// Bytes of one note.
const TEXT_BYTES_MAX: usize = 10_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    text: String,
}

#[derive(Serialize)]
struct List<'a> {
    data: Vec<&'a Note>,
}

/// `GET /v1/customers/{id}/notes`, oldest first.
pub(super) async fn list(
    State(shop): State<Shop>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Answer, Problem> {
    shop.authorize(&request.headers, Scope::AcmeRead)?;
    shop.read(|book| {
        book.customer(&id)?;
        Answer::json(StatusCode::OK, &List { data: book.notes_about(&id).collect() })
    })
}

/// `POST /v1/customers/{id}/notes {"text": …}`; `Idempotency-Key` is honoured.
pub(super) async fn add(
    State(shop): State<Shop>,
    Path(customer): Path<String>,
    request: Request,
) -> Result<Answer, Problem> {
    let bearer = shop.authorize(&request.headers, Scope::NotesWrite)?;
    let Wanted { text } = request.json(&["application/json"])?;
    if text.trim().is_empty() || text.len() > TEXT_BYTES_MAX {
        return Err(Problem::invalid(format!("`text` has 1 to {TEXT_BYTES_MAX} bytes.")));
    }
    let note = Note { id: shop.id("note"), customer, text, created: shop.world().now().to_rfc3339() };
    shop.write_once(bearer, request, move |_| {
        let answer = Answer::json(StatusCode::CREATED, &note)?;
        Ok((Change::NoteAdded { note }, answer))
    })
    .await
}
