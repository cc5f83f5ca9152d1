//! What agents may do over HTTP.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::header::{LOCATION, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use countersign_core::action::{Action, EffectClass};
use countersign_core::limits;
use countersign_core::proposal::{Record, StateName};
use countersign_core::refusal::Refusal;
use countersign_engine::fault::Stop;
use countersign_engine::gate::{Following, RequestKey, Until, Viewer};
use futures_util::stream::{self, Stream};

use super::parameters::{ACTIONS, LIST_OWN, NO_QUERY, WAIT};
use super::prefer;
use super::reply::{answer, json_response};
use crate::surface::auth::KnownAgent;
use crate::surface::{self, App, Problem, Query, ended, only, proposal_id, read_body, read_limited};
use crate::wire::{ActionList, ActionShape, AgentPage, ProposeBody};

/// Seconds an agent should let pass before it asks again.
const ASK_AGAIN: &str = "5";

pub(super) async fn propose(
    State(app): State<App>,
    Extension(agent): Extension<KnownAgent>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Response {
    answer(&app, propose_inner(&app, &agent, (query, headers), body).await)
}

async fn propose_inner(
    app: &App,
    agent: &KnownAgent,
    (query, headers): (Option<String>, HeaderMap),
    body: Body,
) -> Result<Response, Stop> {
    let key = idempotency_key(&headers)?.map(RequestKey::Given);
    let wait = prefer::wait(&headers, Query::read(query.as_deref(), WAIT)?.wait()?)?;
    let bytes = read_limited(&headers, body).await?;
    let body: ProposeBody = read_body(&bytes)?;
    let dry_run = body.dry_run;
    let proposal = surface::proposal(body, agent, key)?;
    if dry_run {
        let previewed = app.gate.preview(proposal).await?;
        return Ok(json_response(StatusCode::OK, &surface::for_dry_run(app, &previewed.record)));
    }
    let proposed = app.gate.propose(proposal).await?;
    let mut record = proposed.record;
    if !wait.time.is_zero() && !record.state.name().is_settled() {
        let viewer = Viewer::Agent { id: agent.name.clone() };
        let time = agent.time_left(app).map_or(wait.time, |left| wait.time.min(left));
        let waited = app.gate.wait(record.proposal.id, &viewer, (wait.until, time)).await;
        record = surface::after_waiting(app, record, waited, agent)?;
    }
    let mut response = outcome(app, &record);
    wait.applied(response.headers_mut());
    Ok(response)
}

/// A proposal as the answer to `POST`: the status says whether it was done.
fn outcome(app: &App, record: &Record) -> Response {
    let body = surface::for_agent(app, record);
    if let Some((status, _)) = ended(record.state.name()) {
        return Problem::ended(status, body).into_response();
    }
    if record.state.name() == StateName::Succeeded {
        return json_response(StatusCode::OK, &body);
    }
    let mut response = json_response(StatusCode::ACCEPTED, &body);
    let location = format!("/v1/proposals/{}", record.proposal.id);
    if let Ok(value) = HeaderValue::from_str(&location) {
        response.headers_mut().insert(LOCATION, value);
    }
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static(ASK_AGAIN));
    response
}

pub(super) async fn list(
    State(app): State<App>,
    Extension(agent): Extension<KnownAgent>,
    RawQuery(query): RawQuery,
) -> Response {
    let work = async {
        let filter = Query::read(query.as_deref(), LIST_OWN)?.filter()?;
        let page =
            app.gate.list(&filter, &Viewer::Agent { id: agent.name }, surface::summary_for_agent).await?;
        Ok(json_response(StatusCode::OK, &AgentPage { proposals: page.items, next: page.next }))
    };
    answer(&app, work.await)
}

pub(super) async fn read(
    State(app): State<App>,
    Extension(agent): Extension<KnownAgent>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let work = async {
        let wait = Query::read(query.as_deref(), WAIT)?.wait()?;
        let id = proposal_id(&id)?;
        let wait = agent.time_left(&app).map_or(wait, |left| wait.min(left));
        let viewer = Viewer::Agent { id: agent.name.clone() };
        let found = app.gate.wait(id, &viewer, (Until::Settled, wait)).await?;
        if let Some(refusal) = agent.lost(&app) {
            return Err(refusal.into());
        }
        let record = found.ok_or_else(|| Refusal::ProposalNotFound { id: id.to_string() })?;
        Ok(json_response(StatusCode::OK, &surface::for_agent(&app, &record)))
    };
    answer(&app, work.await)
}

pub(super) async fn cancel(
    State(app): State<App>,
    Extension(agent): Extension<KnownAgent>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let work = async {
        Query::read(query.as_deref(), NO_QUERY)?;
        let record = app.gate.cancel(proposal_id(&id)?, &Viewer::Agent { id: agent.name }).await?;
        Ok(json_response(StatusCode::OK, &surface::for_agent(&app, &record)))
    };
    answer(&app, work.await)
}

pub(super) async fn events(
    State(app): State<App>,
    Extension(agent): Extension<KnownAgent>,
    Path(id): Path<String>,
) -> Response {
    let work = async {
        let id = proposal_id(&id)?;
        let followed = app.gate.follow(id, Viewer::Agent { id: agent.name.clone() }).await?;
        let following = followed.ok_or_else(|| Refusal::ProposalNotFound { id: id.to_string() })?;
        let changes = changes(app.clone(), following, agent);
        Ok(Sse::new(changes).keep_alive(KeepAlive::default()).into_response())
    };
    let response = work.await;
    answer(&app, response)
}

/// One event for each version of the proposal, until it is settled or its agent's key or token is no longer good.
fn changes(
    app: App,
    following: Following,
    agent: KnownAgent,
) -> impl Stream<Item = Result<Event, Infallible>> {
    stream::unfold((app, following, agent), async |(app, mut following, agent)| {
        let next = following.next(|| agent.lost(&app).is_none());
        let record = match agent.time_left(&app) {
            None => next.await?,
            // A stream that nothing happens on ends with its token, too.
            Some(left) => tokio::time::timeout(left, next).await.ok()??,
        };
        let data = serde_json::to_string(&surface::for_agent(&app, &record)).unwrap_or_default();
        let event = Event::default().event("proposal").id(record.version.to_string()).data(data);
        Some((Ok(event), (app, following, agent)))
    })
}

pub(super) async fn actions(
    State(app): State<App>,
    Extension(agent): Extension<KnownAgent>,
    RawQuery(query): RawQuery,
) -> Response {
    let rules = app.gate.ruleset();
    let work = || -> Result<Response, Stop> {
        let query = Query::read(query.as_deref(), ACTIONS)?;
        let actions = surface::reachable(&rules, &agent, query.get("on_behalf_of"))?;
        let shape = |action: &Arc<Action>| ActionShape {
            name: action.name.clone(),
            title: action.title.clone(),
            description: action.description.clone(),
            input: action.schema.clone(),
            output: action.output.as_ref().map(|output| output.schema().clone()),
            groups: action.groups.iter().copied().collect(),
            effect: action.effect,
            reversible: (action.effect != EffectClass::Read).then_some(action.undo.reversible),
        };
        Ok(json_response(StatusCode::OK, &ActionList { actions: actions.into_iter().map(shape).collect() }))
    };
    answer(&app, work())
}

/// `Idempotency-Key`: opaque, at most once, at most 255 bytes of printable ASCII.
fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Refusal> {
    let plain = |value: &HeaderValue| {
        let text = value.to_str().ok().filter(|t| !t.is_empty() && t.len() <= limits::LABEL_BYTES_MAX);
        // A header value may hold tabs.
        text.filter(|t| !t.contains('\t')).map(ToOwned::to_owned)
    };
    let found = match only(headers, "idempotency-key") {
        Ok(None) => return Ok(None),
        Ok(Some(value)) => plain(value),
        Err(surface::Repeated) => None,
    };
    let most = limits::LABEL_BYTES_MAX;
    let detail = format!("`Idempotency-Key` must be sent once, with 1 to {most} visible characters");
    found.map(Some).ok_or(Refusal::MalformedRequest { pointer: String::new(), detail })
}
