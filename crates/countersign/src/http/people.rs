//! What people may do over HTTP, by session token. The console uses the same verbs.

use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use countersign_core::proposal::Record;
use countersign_core::refusal::Refusal;
use countersign_core::time::Timestamp;
use countersign_engine::fault::Stop;
use countersign_engine::gate::{LogOrder, Until, Verdict, Viewer};
use countersign_engine::store::LinkRefusal;

use super::guard::Person;
use super::parameters::{ENTRIES, LIST, NO_QUERY, WAIT};
use super::reply::{answer, json_response};
use crate::surface::{self, App, Problem, Query, auth, proposal_id, read_body, read_limited};
use crate::wire::{
    ConfirmBody, Counts, Done, LogEntries, Me, NewSession, PersonPage, SignInBody, VerdictBody, Writes,
};

/// Entries on one page of the log, when the query does not say how many.
const PAGE: u32 = 500;

fn viewer(person: &Person) -> Viewer {
    Viewer::Person { id: person.id.clone() }
}

pub(super) async fn list(
    State(app): State<App>,
    Extension(person): Extension<Person>,
    RawQuery(query): RawQuery,
) -> Response {
    let work = async {
        let summary = |r: &Record| surface::summary(&app.gate, r, &person.id);
        let (query, viewer) = (Query::read(query.as_deref(), LIST)?, viewer(&person));
        let filter = query.filter()?;
        let body = if query.get("order") == Some("due") {
            let from = query.number("from")?.unwrap_or(0);
            let page = app.gate.inbox(from, &filter, &viewer, summary).await?;
            let next = page.next.map(|from| from.to_string());
            PersonPage { proposals: page.items, next, stopped: page.stopped, searched_to: None }
        } else {
            let page = app.gate.list(&filter, &viewer, summary).await?;
            let searched_to = page.next.filter(|_| page.stopped).map(|id| surface::made_at(id).to_rfc3339());
            let next = page.next.map(|id| id.to_string());
            PersonPage { proposals: page.items, next, stopped: page.stopped, searched_to }
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
        let wait = Query::read(query.as_deref(), WAIT)?.wait()?;
        let id = proposal_id(&id)?;
        let found = app.gate.wait(id, &viewer(&person), (Until::Settled, wait)).await?;
        if !wait.is_zero() {
            // The session may have ended meanwhile.
            auth::person(&app.gate, &person.token).await?;
        }
        let record = found.ok_or_else(|| Refusal::ProposalNotFound { id: id.to_string() })?;
        Ok(shown(&app, &record, &person))
    };
    answer(&app, work.await)
}

fn shown(app: &App, record: &Record, person: &Person) -> Response {
    json_response(StatusCode::OK, &surface::for_person(&app.gate, record, &person.id))
}

pub(super) async fn history(
    State(app): State<App>,
    Extension(person): Extension<Person>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let work = async {
        Query::read(query.as_deref(), NO_QUERY)?;
        let entries = app.gate.history(proposal_id(&id)?, &viewer(&person)).await?;
        let entries = entries.iter().map(surface::log_entry).collect();
        Ok(json_response(StatusCode::OK, &LogEntries { entries, next: None, searched_to: None }))
    };
    answer(&app, work.await)
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
        Ok(shown(&app, &record, &person))
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
        Ok(shown(&app, &record, &person))
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
        let body: ConfirmBody = read_body(&bytes)?;
        let record = app.gate.confirm(proposal_id(&id)?, person.id.clone(), body.intent).await?;
        Ok(shown(&app, &record, &person))
    };
    answer(&app, work.await)
}

/// What a person decided, from a body that was read whole.
async fn verdict(person: &Person, headers: &HeaderMap, body: Body) -> Result<Verdict, Stop> {
    let bytes = read_limited(headers, body).await?;
    Ok(surface::verdict(read_body::<VerdictBody>(&bytes)?, &person.id, channel(headers))?)
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
    RawQuery(query): RawQuery,
) -> Response {
    let work = async {
        Query::read(query.as_deref(), NO_QUERY)?;
        let record = app.gate.cancel(proposal_id(&id)?, &viewer(&person)).await?;
        Ok(shown(&app, &record, &person))
    };
    answer(&app, work.await)
}

pub(super) async fn counts(State(app): State<App>) -> Response {
    let work = async {
        let proposals = app.gate.counts().await?;
        let activity = app.gate.activity();
        let writes = Writes {
            commits: activity.writes.commits,
            statements: activity.writes.statements,
            bytes: activity.writes.bytes,
        };
        let (reads, altered_sign_in_rows) = (activity.reads, activity.altered_sign_in_rows);
        Ok(json_response(StatusCode::OK, &Counts { proposals, writes, reads, altered_sign_in_rows }))
    };
    answer(&app, work.await)
}

pub(super) async fn me(State(app): State<App>, Extension(person): Extension<Person>) -> Response {
    let rules = app.gate.ruleset();
    let name = rules.directory.person(&person.id).map(|p| p.name.clone());
    json_response(StatusCode::OK, &Me { person: person.id, name })
}

pub(super) async fn sign_in(State(app): State<App>, headers: HeaderMap, body: Body) -> Response {
    let work = async {
        let bytes = read_limited(&headers, body).await?;
        let body: SignInBody = read_body(&bytes)?;
        match auth::redeem(&app.gate, &body.link).await {
            Ok((session, person)) => Ok(json_response(StatusCode::OK, &NewSession { session, person })),
            Err(Stop::Refused(Refusal::Unauthenticated)) => {
                let why = auth::why_refused(&app.gate, &body.link).await?;
                Ok(Problem::plain(401, "unauthenticated", link_refused(why)).into_response())
            }
            Err(stop) => Err(stop),
        }
    };
    answer(&app, work.await)
}

/// Why a link signs nobody in, and what to do.
fn link_refused(why: Option<LinkRefusal>) -> &'static str {
    match why {
        Some(LinkRefusal::Used) => {
            "this link was used already, and a link works once; make a new one with `countersign person link NAME`"
        }
        Some(LinkRefusal::TooOld) => {
            "this link is older than 15 minutes; make a new one with `countersign person link NAME`"
        }
        None => {
            "this gate does not know this link, or it is older than 15 minutes; make a new one with \
             `countersign person link NAME`"
        }
    }
}

pub(super) async fn sign_out(State(app): State<App>, Extension(person): Extension<Person>) -> Response {
    let work = async {
        auth::sign_out(&app.gate, &person.token).await?;
        Ok(json_response(StatusCode::OK, &Done {}))
    };
    answer(&app, work.await)
}

pub(super) async fn checkpoint(State(app): State<App>, Extension(person): Extension<Person>) -> Response {
    let work = async {
        let note = app.gate.checkpoint(&person.id).await?.unwrap_or_default();
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
        let query = Query::read(query.as_deref(), ENTRIES)?;
        let filter = query.log_filter()?;
        let limit = query.number("limit")?.unwrap_or(PAGE);
        let about = |r: &Record| surface::log_about(&app.gate, r);
        let newest = query.get("order").map_or(filter.before.is_some(), |order| order == "newest");
        let order = if newest { LogOrder::Newest } else { LogOrder::Oldest };
        let found = app.gate.find_entries(&person.id, &filter, (order, limit), about).await?;
        let entries =
            found.entries.iter().map(|(logged, about)| surface::log_entry_about(logged, about.clone()));
        let entries = entries.collect();
        let searched_to = found.searched_to.map(Timestamp::to_rfc3339);
        Ok(json_response(StatusCode::OK, &LogEntries { entries, next: found.next, searched_to }))
    };
    answer(&app, work.await)
}

pub(super) async fn export(State(app): State<App>, Extension(person): Extension<Person>) -> Response {
    let work = async {
        let pieces = app.gate.export_log(&person.id).await?;
        Ok(text_response(Body::from_stream(pieces)))
    };
    answer(&app, work.await)
}

fn text_response(text: impl Into<Body>) -> Response {
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    (StatusCode::OK, [(CONTENT_TYPE, kind)], text.into()).into_response()
}
