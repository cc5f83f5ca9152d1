//! `/v1/customers/{id}/notes`

use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::book::{Change, Note};
use crate::clients::Scope;
use crate::http::{Answer, Request};
use crate::problem::Problem;
use crate::shop::Shop;

/// Bytes of one note.
const TEXT_BYTES_MAX: usize = 10_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WantedNote {
    text: String,
}

#[derive(Serialize)]
struct NoteList<'a> {
    data: Vec<&'a Note>,
}

/// `GET /v1/customers/{id}/notes`, oldest first.
pub(crate) async fn list(
    State(shop): State<Shop>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Answer, Problem> {
    shop.authorize(&request.headers, Scope::AcmeRead)?;
    shop.read(|book| {
        book.customer(&id)?;
        Answer::json(StatusCode::OK, &NoteList { data: book.notes_about(&id).collect() })
    })
}

/// `POST /v1/customers/{id}/notes {"text": …}`; `Idempotency-Key` is honoured.
pub(crate) async fn add(
    State(shop): State<Shop>,
    Path(customer): Path<String>,
    request: Request,
) -> Result<Answer, Problem> {
    let bearer = shop.authorize(&request.headers, Scope::NotesWrite)?;
    let WantedNote { text } = request.json(&["application/json"])?;
    if text.trim().is_empty() || text.len() > TEXT_BYTES_MAX {
        return Err(Problem::invalid(format!("`text` has 1 to {TEXT_BYTES_MAX} bytes.")));
    }
    let note = Note { id: shop.id("note"), customer, text, created: shop.world().now() };
    shop.write_once(bearer, request, move |_| {
        let answer = Answer::json(StatusCode::CREATED, &note)?;
        Ok((Change::NoteAdded { note }, answer))
    })
    .await
}
