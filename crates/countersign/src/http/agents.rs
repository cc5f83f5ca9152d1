//! What agents may do over HTTP.

use std::convert::Infallible;
use std::time::Duration;

use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::header::{CONTENT_TYPE, LOCATION, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use countersign_core::id::ProposalId;
use countersign_core::limits;
use countersign_core::proposal::{Record, StateName};
use countersign_core::refusal::Refusal;
use countersign_engine::fault::Stop;
use countersign_engine::gate::{Following, Viewer};
use countersign_engine::store::Filter;
use futures_util::stream::{self, Stream};
use serde_json::{Value, json};

use super::error::ended;
use super::guard::{Agent, AgentKey, read_limited};
use super::{App, Problem, problem};
use crate::wire::{self, ProposeBody};

/// Seconds an agent should let pass before it asks again.
const ASK_AGAIN: &str = "5";

pub(super) async fn propose(
    State(app): State<App>,
    (Extension(Agent(agent)), Extension(key)): (Extension<Agent>, Extension<AgentKey>),
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Response {
    answer(&app, propose_inner(&app, (agent, &key), (query, headers), body).await)
}

async fn propose_inner(
    app: &App,
    (agent, agent_key): (String, &AgentKey),
    (query, headers): (Option<String>, HeaderMap),
    body: Body,
) -> Result<Response, Stop> {
    let key = idempotency_key(&headers)?;
    let wait = wait_of(query.as_deref())?;
    let bytes = read_limited(&headers, body).await?;
    let body: ProposeBody = wire::read_body(&bytes)?;
    let dry_run = body.dry_run();
    let proposal = body.into_proposal(agent.clone(), key)?;
    if dry_run {
        let previewed = app.gate.preview(proposal).await?;
        let mut shown = wire::for_agent(&previewed.record);
        if let Some(map) = shown.as_object_mut() {
            map.insert("dry_run".to_owned(), json!(true));
            if let Some(call) = wire::call_for_agent(&previewed.record) {
                map.insert("call".to_owned(), call);
            }
            map.remove("id");
            map.insert("decision".to_owned(), json!(wire::answer_for_agent(&previewed.record)));
            map.insert("message".to_owned(), json!("A dry run: nothing was done and nothing is waiting."));
        }
        return Ok(json_response(StatusCode::OK, &shown));
    }
    let proposed = app.gate.propose(proposal).await?;
    let mut record = proposed.record;
    if !wait.is_zero() && !record.state.name().is_settled() {
        let viewer = Viewer::Agent { id: agent.clone() };
        let waited = app.gate.wait(record.proposal.id, &viewer, wait).await?;
        // Who lost the key meanwhile learns no more than what was there before.
        record = waited.filter(|_| agent_key.is_still(app, &agent)).unwrap_or(record);
    }
    Ok(outcome(&record))
}

/// A proposal as the answer to `POST`: the status says whether it was done.
fn outcome(record: &Record) -> Response {
    let body = wire::for_agent(record);
    let state = record.state.name();
    if let Some((status, _)) = ended(state) {
        let message = wire::at(&body, "/message").as_str().unwrap_or_default();
        return Problem::plain(status, state.as_str(), message)
            .with("policies", wire::at(&body, "/policies").clone())
            .with("proposal", body)
            .into_response();
    }
    if state == StateName::Succeeded {
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
    Extension(Agent(agent)): Extension<Agent>,
    RawQuery(query): RawQuery,
) -> Response {
    let work = async {
        let filter = filter_of(query.as_deref())?;
        let page = app.gate.list(&filter, &Viewer::Agent { id: agent }, wire::summary_for_agent).await?;
        Ok(json_response(StatusCode::OK, &json!({ "proposals": page.items, "next": page.next })))
    };
    answer(&app, work.await)
}

pub(super) async fn read(
    State(app): State<App>,
    (Extension(Agent(agent)), Extension(key)): (Extension<Agent>, Extension<AgentKey>),
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let work = async {
        let wait = wait_of(query.as_deref())?;
        let id = proposal_id(&id)?;
        let found = app.gate.wait(id, &Viewer::Agent { id: agent.clone() }, wait).await?;
        if !key.is_still(&app, &agent) {
            return Err(Refusal::Unauthenticated.into());
        }
        let record = found.ok_or_else(|| Refusal::ProposalNotFound { id: id.to_string() })?;
        Ok(json_response(StatusCode::OK, &wire::for_agent(&record)))
    };
    answer(&app, work.await)
}

pub(super) async fn cancel(
    State(app): State<App>,
    Extension(Agent(agent)): Extension<Agent>,
    Path(id): Path<String>,
) -> Response {
    let work = async {
        let record = app.gate.cancel(proposal_id(&id)?, &Viewer::Agent { id: agent }).await?;
        Ok(json_response(StatusCode::OK, &wire::for_agent(&record)))
    };
    answer(&app, work.await)
}

pub(super) async fn events(
    State(app): State<App>,
    (Extension(Agent(agent)), Extension(key)): (Extension<Agent>, Extension<AgentKey>),
    Path(id): Path<String>,
) -> Response {
    let work = async {
        let id = proposal_id(&id)?;
        let followed = app.gate.follow(id, Viewer::Agent { id: agent.clone() }).await?;
        let following = followed.ok_or_else(|| Refusal::ProposalNotFound { id: id.to_string() })?;
        let changes = changes(app.clone(), following, (agent, key));
        Ok(Sse::new(changes).keep_alive(KeepAlive::default()).into_response())
    };
    let response = work.await;
    answer(&app, response)
}

/// One event for each version of the proposal, until it is settled or its agent's key is no longer good.
fn changes(
    app: App,
    following: Following,
    agent: (String, AgentKey),
) -> impl Stream<Item = Result<Event, Infallible>> {
    stream::unfold((app, following, agent), async |(app, mut following, (name, key))| {
        let record = following.next(|| key.is_still(&app, &name)).await?;
        let data = serde_json::to_string(&wire::for_agent(&record)).unwrap_or_default();
        let event = Event::default().event("proposal").id(record.version.to_string()).data(data);
        Some((Ok(event), (app, following, (name, key))))
    })
}

pub(super) async fn actions(
    State(app): State<App>,
    Extension(Agent(agent)): Extension<Agent>,
    RawQuery(query): RawQuery,
) -> Response {
    let behalf = parameter(query.as_deref(), "on_behalf_of");
    let rules = app.gate.ruleset();
    let work = || -> Result<Response, Stop> {
        let chain = rules.directory.chain(&agent, behalf.as_deref())?;
        let names = rules.policies.reachable(&chain, &rules.directory, &rules.registry);
        let items: Vec<Value> = names
            .iter()
            .filter_map(|name| rules.registry.get(name.as_str()))
            .map(|a| {
                json!({ "name": a.name, "title": a.title, "description": a.description, "input": a.schema,
                "groups": a.groups, "effect": a.effect, "reversible": a.reversible })
            })
            .collect();
        Ok(json_response(StatusCode::OK, &json!({ "actions": items })))
    };
    answer(&app, work())
}

/// A stop becomes a problem; everything else is the answer.
pub(super) fn answer(app: &App, result: Result<Response, Stop>) -> Response {
    result.unwrap_or_else(|stop| problem(app, &stop).into_response())
}

/// A JSON answer.
pub(super) fn json_response(status: StatusCode, body: &Value) -> Response {
    let bytes = serde_json::to_vec(body).unwrap_or_default();
    (status, [(CONTENT_TYPE, HeaderValue::from_static("application/json"))], bytes).into_response()
}

/// An id in a path; anything that is not one is a proposal that does not exist.
pub(super) fn proposal_id(text: &str) -> Result<ProposalId, Refusal> {
    text.parse().map_err(|_| Refusal::ProposalNotFound { id: countersign_core::text::visible(text).text })
}

/// One parameter of a query, decoded.
pub(super) fn parameter(query: Option<&str>, name: &str) -> Option<String> {
    let query = query?;
    url::form_urlencoded::parse(query.as_bytes()).find(|(n, _)| n == name).map(|(_, v)| v.into_owned())
}

/// `?wait=30`: seconds, at most a minute.
pub(super) fn wait_of(query: Option<&str>) -> Result<Duration, Refusal> {
    let Some(text) = parameter(query, "wait") else { return Ok(Duration::ZERO) };
    let seconds: u64 = text.trim_end_matches('s').parse().map_err(|_| Refusal::MalformedRequest {
        pointer: String::new(),
        detail: "`wait` is not a number of seconds".to_owned(),
    })?;
    Ok(Duration::from_secs(seconds).min(limits::WAIT_MAX))
}

/// A query that cannot be read.
pub(super) fn malformed(detail: &str) -> Refusal {
    Refusal::MalformedRequest { pointer: String::new(), detail: detail.to_owned() }
}

/// `?state=pending&limit=50&before=prp_…`.
pub(super) fn filter_of(query: Option<&str>) -> Result<Filter, Refusal> {
    let mut filter = Filter { limit: 50, ..Filter::default() };
    if let Some(states) = parameter(query, "state") {
        for name in states.split(',') {
            filter
                .states
                .push(StateName::from_name(name).ok_or_else(|| malformed("`state` names no state"))?);
        }
    }
    if let Some(limit) = parameter(query, "limit") {
        filter.limit = limit.parse().map_err(|_| malformed("`limit` is not a number"))?;
    }
    if let Some(before) = parameter(query, "before") {
        filter.before = Some(before.parse().map_err(|_| malformed("`before` is not a proposal's id"))?);
    }
    filter.agent = parameter(query, "agent");
    Ok(filter)
}

/// `Idempotency-Key`: opaque, at most once, at most 255 bytes of visible ASCII.
fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Refusal> {
    let mut values = headers.get_all("idempotency-key").iter();
    let Some(first) = values.next() else { return Ok(None) };
    let text = first.to_str().ok().filter(|t| !t.is_empty() && t.len() <= limits::LABEL_BYTES_MAX);
    match (text, values.next()) {
        (Some(text), None) => Ok(Some(text.to_owned())),
        _ => Err(Refusal::MalformedRequest {
            pointer: String::new(),
            detail: format!(
                "`Idempotency-Key` must be sent once, with 1 to {} visible characters",
                limits::LABEL_BYTES_MAX
            ),
        }),
    }
}
