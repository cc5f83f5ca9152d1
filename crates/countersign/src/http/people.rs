//! What people may do over HTTP, by session token. The console uses the same verbs.

use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use countersign_core::audit::{Actor, Entry, EventData};
use countersign_core::directory::Role;
use countersign_core::proposal::Record;
use countersign_core::refusal::Refusal;
use countersign_engine::fault::Stop;
use countersign_engine::gate::{Verdict, Viewer};
use serde::Deserialize;
use serde_json::{Value, json};

use super::App;
use super::agents::{answer, filter_of, json_response, malformed, parameter, proposal_id, wait_of};
use super::guard::{Person, read_limited};
use crate::auth;
use crate::wire::{self, ConfirmBody, VerdictBody};

/// Entries on one page of the log.
const ENTRIES: u32 = 500;

fn viewer(person: &Person) -> Viewer {
    Viewer::Person { id: person.id.clone() }
}

pub(super) async fn list(
    State(app): State<App>,
    Extension(person): Extension<Person>,
    RawQuery(query): RawQuery,
) -> Response {
    let work = async {
        let summary = |r: &Record| wire::summary(&app.gate, r, &person.id);
        let (query, viewer) = (query.as_deref(), viewer(&person));
        let body = match parameter(query, "order").as_deref() {
            None | Some("newest") => {
                let page = app.gate.list(&filter_of(query)?, &viewer, summary).await?;
                json!({ "proposals": page.items, "next": page.next })
            }
            Some("due") => {
                let page = app.gate.inbox(from_of(query)?, &viewer, summary).await?;
                json!({ "proposals": page.items, "next": page.next })
            }
            Some(_) => return Err(malformed("`order` is `newest` or `due`").into()),
        };
        Ok(json_response(StatusCode::OK, &body))
    };
    answer(&app, work.await)
}

pub(super) async fn read(
    State(app): State<App>,
    Extension(person): Extension<Person>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let work = async {
        let (id, wait) = (proposal_id(&id)?, wait_of(query.as_deref())?);
        let found = app.gate.wait(id, &viewer(&person), wait).await?;
        if !wait.is_zero() {
            // The session may have ended meanwhile.
            auth::person(&app.gate, &person.token).await?;
        }
        let record = found.ok_or_else(|| Refusal::ProposalNotFound { id: id.to_string() })?;
        Ok(json_response(StatusCode::OK, &wire::for_person(&app.gate, &record, &person.id)))
    };
    answer(&app, work.await)
}

pub(super) async fn history(
    State(app): State<App>,
    Extension(person): Extension<Person>,
    Path(id): Path<String>,
) -> Response {
    let work = async {
        let id = proposal_id(&id)?;
        let found = app.gate.read(id, &viewer(&person)).await?;
        found.ok_or_else(|| Refusal::ProposalNotFound { id: id.to_string() })?;
        let entries = app.gate.store().history(id).await?;
        let items: Vec<Value> = entries.iter().map(entry).collect();
        Ok(json_response(StatusCode::OK, &json!({ "entries": items })))
    };
    answer(&app, work.await)
}

fn entry(logged: &countersign_engine::store::LoggedEntry) -> Value {
    let body: Value = serde_json::from_slice(&logged.body).unwrap_or_default();
    json!({ "index": logged.index, "entry": body })
}

pub(super) async fn approve(
    State(app): State<App>,
    Extension(person): Extension<Person>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let work = async {
        let verdict = verdict(&person, &headers, body).await?;
        let record = app.gate.approve(proposal_id(&id)?, verdict).await?;
        Ok(json_response(StatusCode::OK, &wire::for_person(&app.gate, &record, &person.id)))
    };
    answer(&app, work.await)
}

pub(super) async fn reject(
    State(app): State<App>,
    Extension(person): Extension<Person>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let work = async {
        let verdict = verdict(&person, &headers, body).await?;
        let record = app.gate.reject(proposal_id(&id)?, verdict).await?;
        Ok(json_response(StatusCode::OK, &wire::for_person(&app.gate, &record, &person.id)))
    };
    answer(&app, work.await)
}

pub(super) async fn confirm(
    State(app): State<App>,
    Extension(person): Extension<Person>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let work = async {
        let bytes = read_limited(&headers, body).await?;
        let body: ConfirmBody = wire::read_body(&bytes)?;
        let record = app.gate.confirm(proposal_id(&id)?, person.id.clone(), body.intent).await?;
        Ok(json_response(StatusCode::OK, &wire::for_person(&app.gate, &record, &person.id)))
    };
    answer(&app, work.await)
}

/// What a person decided, from a body that was read whole.
async fn verdict(person: &Person, headers: &HeaderMap, body: Body) -> Result<Verdict, Stop> {
    let bytes = read_limited(headers, body).await?;
    Ok(wire::read_body::<VerdictBody>(&bytes)?.into_verdict(person.id.clone(), channel(headers))?)
}

/// Which surface a person used. A label for the log; it decides nothing.
fn channel(headers: &HeaderMap) -> &'static str {
    let cli = headers
        .get("user-agent")
        .and_then(|v| v.to_str().ok())
        .is_some_and(|v| v.starts_with("countersign-cli"));
    if cli { "cli" } else { "api" }
}

pub(super) async fn cancel(
    State(app): State<App>,
    Extension(person): Extension<Person>,
    Path(id): Path<String>,
) -> Response {
    let work = async {
        let record = app.gate.cancel(proposal_id(&id)?, &viewer(&person)).await?;
        Ok(json_response(StatusCode::OK, &wire::for_person(&app.gate, &record, &person.id)))
    };
    answer(&app, work.await)
}

pub(super) async fn counts(State(app): State<App>) -> Response {
    let work = async {
        let counts = app.gate.store().counts().await?;
        let writes = app.gate.store().counters();
        let reads = app.gate.store().reads();
        let writes =
            json!({ "commits": writes.commits, "statements": writes.statements, "bytes": writes.bytes });
        let altered = app.gate.store().altered_sign_in_rows();
        let body =
            json!({ "counts": counts, "writes": writes, "reads": reads, "altered_sign_in_rows": altered });
        Ok(json_response(StatusCode::OK, &body))
    };
    answer(&app, work.await)
}

pub(super) async fn me(State(app): State<App>, Extension(person): Extension<Person>) -> Response {
    let rules = app.gate.ruleset();
    let name = rules.directory.person(&person.id).map(|p| p.name.clone());
    json_response(StatusCode::OK, &json!({ "person": person.id, "name": name }))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SignInBody {
    link: String,
}

pub(super) async fn sign_in(State(app): State<App>, headers: HeaderMap, body: Body) -> Response {
    let work = async {
        let bytes = read_limited(&headers, body).await?;
        let body: SignInBody = wire::read_body(&bytes)?;
        let (session, person) = auth::redeem(&app.gate, &body.link).await?;
        Ok(json_response(StatusCode::OK, &json!({ "session": session, "person": person })))
    };
    answer(&app, work.await)
}

pub(super) async fn sign_out(State(app): State<App>, Extension(person): Extension<Person>) -> Response {
    let work = async {
        auth::sign_out(&app.gate, &person.token).await?;
        Ok(json_response(StatusCode::OK, &json!({})))
    };
    answer(&app, work.await)
}

pub(super) async fn checkpoint(State(app): State<App>, Extension(person): Extension<Person>) -> Response {
    let work = async {
        may_read_log(&app, &person)?;
        let note = app.gate.store().checkpoint().await?.unwrap_or_default();
        Ok(text_response(note))
    };
    answer(&app, work.await)
}

pub(super) async fn entries(
    State(app): State<App>,
    Extension(person): Extension<Person>,
    RawQuery(query): RawQuery,
) -> Response {
    let work = async {
        may_read_log(&app, &person)?;
        let from = parameter(query.as_deref(), "from").and_then(|t| t.parse().ok()).unwrap_or(0);
        let page = app.gate.store().entries(from, ENTRIES).await?;
        let items: Vec<Value> = page.iter().map(entry).collect();
        Ok(json_response(StatusCode::OK, &json!({ "entries": items })))
    };
    answer(&app, work.await)
}

pub(super) async fn export(State(app): State<App>, Extension(person): Extension<Person>) -> Response {
    let work = async {
        may_read_log(&app, &person)?;
        let actor = Actor::Person { id: person.id.clone() };
        app.gate
            .note(Entry::new(app.gate.world().now(), actor, EventData::LogExported(Box::default())))
            .await?;
        // What was done before it was asked for is in it, and that it was asked for, too.
        app.gate.integrate().await?;
        let pieces = crate::export::export(app.gate.store(), app.gate.log_key().public()).await?;
        Ok(text_response(Body::from_stream(pieces)))
    };
    answer(&app, work.await)
}

/// `?from=20`: where a page of the inbox begins.
fn from_of(query: Option<&str>) -> Result<u32, Refusal> {
    let from = parameter(query, "from").map(|text| text.parse());
    Ok(from.transpose().map_err(|_| malformed("`from` is not a number"))?.unwrap_or(0))
}

/// The whole log is for auditors and operators; everybody sees the entries of the proposals they see.
fn may_read_log(app: &App, person: &Person) -> Result<(), Stop> {
    let rules = app.gate.ruleset();
    let roles = rules.directory.person(&person.id).map(|p| p.roles.clone()).unwrap_or_default();
    if roles.contains(&Role::Auditor) || roles.contains(&Role::Operator) {
        Ok(())
    } else {
        let detail = "the log is for auditors and operators; ask for a role in directory.toml".to_owned();
        Err(Refusal::NotPermitted { detail }.into())
    }
}

fn text_response(text: impl Into<Body>) -> Response {
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    (StatusCode::OK, [(CONTENT_TYPE, kind)], text.into()).into_response()
}
