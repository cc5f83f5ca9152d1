//! `/v1/customers`

use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::book::{Change, Customer};
use crate::clients::Scope;
use crate::http::{Answer, Request};
use crate::problem::Problem;
use crate::shop::Shop;

#[derive(Serialize)]
struct Page<'a> {
    data: Vec<&'a Customer>,
    has_more: bool,
}

/// `GET /v1/customers?query=…&limit=…&after=…`: by id, those whose name or address contains the query.
pub(crate) async fn list(State(shop): State<Shop>, request: Request) -> Result<Answer, Problem> {
    shop.authorize(&request.headers, Scope::AcmeRead)?;
    let given = request.parameters(&["query", "limit", "after"])?;
    let text = |name: &str| given.get(name).map_or("", String::as_str);
    let limit = match text("limit") {
        "" => 20,
        limit => limit
            .parse::<usize>()
            .ok()
            .filter(|n| (1..=100).contains(n))
            .ok_or_else(|| Problem::bad_request("`limit` is a number from 1 to 100."))?,
    };
    let (query, after) = (text("query").to_lowercase(), text("after"));
    let wanted = |c: &&Customer| {
        let email = c.email.as_deref().unwrap_or_default();
        c.id.as_str() > after && [&c.name, email].iter().any(|t| t.to_lowercase().contains(&query))
    };
    shop.read(|book| {
        let mut found = book.customers().filter(wanted);
        let data = found.by_ref().take(limit).collect();
        Answer::json(StatusCode::OK, &Page { data, has_more: found.next().is_some() })
    })
}

/// `GET /v1/customers/{id}`, with an entity tag.
pub(crate) async fn show(
    State(shop): State<Shop>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Answer, Problem> {
    shop.authorize(&request.headers, Scope::AcmeRead)?;
    shop.read(|book| book.customer(&id).and_then(tagged))
}

/// `PATCH /v1/customers/{id}`: a JSON merge patch (RFC 7396) of name, email and plan; `If-Match` is honoured.
pub(crate) async fn change(
    State(shop): State<Shop>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Answer, Problem> {
    shop.authorize(&request.headers, Scope::CustomersWrite)?;
    let patch: Map<String, Value> = request.json(&["application/merge-patch+json", "application/json"])?;
    shop.write(move |ledger| {
        let now = ledger.book().customer(&id)?;
        request.still_matches(&now.etag())?;
        let customer = patched(now, &patch)?;
        let answer = tagged(&customer)?;
        ledger.commit(Change::CustomerChanged { customer }, None).map(|()| answer)
    })
    .await
}

/// `DELETE /v1/customers/{id}`: the customer and the notes about them; `If-Match` is honoured.
pub(crate) async fn delete(
    State(shop): State<Shop>,
    Path(id): Path<String>,
    request: Request,
) -> Result<StatusCode, Problem> {
    shop.authorize(&request.headers, Scope::CustomersWrite)?;
    shop.write(move |ledger| {
        request.still_matches(&ledger.book().customer(&id)?.etag())?;
        ledger.commit(Change::CustomerDeleted { customer: id }, None)
    })
    .await
    .map(|()| StatusCode::NO_CONTENT)
}

fn tagged(customer: &Customer) -> Result<Answer, Problem> {
    Ok(Answer::json(StatusCode::OK, customer)?.with(header::ETAG, customer.etag()))
}

fn patched(now: &Customer, patch: &Map<String, Value>) -> Result<Customer, Problem> {
    let mut next = Customer { version: now.version.saturating_add(1), ..now.clone() };
    for (field, value) in patch {
        let text = value.as_str().filter(|t| !t.trim().is_empty() && t.len() <= 200).map(str::to_owned);
        match (field.as_str(), value, text) {
            ("name", _, Some(text)) => next.name = text,
            ("plan", _, Some(text)) => next.plan = text,
            ("email", _, Some(text)) if text.contains('@') => next.email = Some(text),
            ("email", Value::Null, _) => next.email = None,
            _ => return Err(Problem::invalid(format!("`{field}` cannot be set to that."))),
        }
    }
    Ok(next)
}
