//! The one route table.

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::Response;
use axum::routing::{MethodRouter, get, post};
use countersign_core::limits;
use countersign_engine::gate::Condition;
use serde_json::json;

use super::{App, Hosts, agents, error, guard, people};

/// Who a route is for. Each audience has a listener of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Audience {
    /// Anybody who reaches a listener; answers nothing about anything.
    Anyone,
    /// An agent, by its key.
    Agent,
    /// A person, by a session.
    Person,
}

/// One route.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Route {
    /// Stable name, the OpenAPI operation id.
    pub(crate) id: &'static str,
    /// `get` or `post`.
    pub(crate) method: &'static str,
    /// The path, with `{id}` for a parameter.
    pub(crate) path: &'static str,
    /// Who it is for.
    pub(crate) audience: Audience,
    /// One sentence.
    pub(crate) summary: &'static str,
    /// The handler.
    handler: fn() -> MethodRouter<App>,
}

impl Route {
    /// Whether it is on the listener of this audience. People sign in on theirs.
    pub(crate) fn is_on(&self, listener: Audience) -> bool {
        match self.audience {
            Audience::Anyone => matches!(self.id, "livez" | "readyz") || listener == Audience::Person,
            Audience::Agent | Audience::Person => self.audience == listener,
        }
    }
}

const fn route(
    id: &'static str,
    (method, path): (&'static str, &'static str),
    audience: Audience,
    summary: &'static str,
    handler: fn() -> MethodRouter<App>,
) -> Route {
    Route { id, method, path, audience, summary, handler }
}

/// Every route of the JSON API.
pub(crate) const ROUTES: &[Route] = &[
    route("livez", ("get", "/livez"), Audience::Anyone, "Whether the process answers.", || get(livez)),
    route(
        "readyz",
        ("get", "/readyz"),
        Audience::Anyone,
        "Whether the gate lets anything through: store, log, rules, secrets, durability, each with its reason.",
        || get(readyz),
    ),
    route(
        "propose",
        ("post", "/v1/proposals"),
        Audience::Agent,
        "Propose an action, or preview it with `dry_run`.",
        || post(agents::propose),
    ),
    route(
        "list_own",
        ("get", "/v1/proposals"),
        Audience::Agent,
        "The agent's own proposals, newest first.",
        || get(agents::list),
    ),
    route(
        "read_own",
        ("get", "/v1/proposals/{id}"),
        Audience::Agent,
        "One of the agent's proposals; `?wait=30` waits for it.",
        || get(agents::read),
    ),
    route(
        "watch_own",
        ("get", "/v1/proposals/{id}/events"),
        Audience::Agent,
        "Server-sent events until the proposal is settled.",
        || get(agents::events),
    ),
    route(
        "cancel_own",
        ("post", "/v1/proposals/{id}/cancel"),
        Audience::Agent,
        "Withdraw a proposal that was not sent.",
        || post(agents::cancel),
    ),
    route(
        "actions",
        ("get", "/v1/actions"),
        Audience::Agent,
        "The actions that policy could let this chain propose.",
        || get(agents::actions),
    ),
    route(
        "list",
        ("get", "/v1/proposals"),
        Audience::Person,
        "Proposals this person may see, newest first.",
        || get(people::list),
    ),
    route(
        "read",
        ("get", "/v1/proposals/{id}"),
        Audience::Person,
        "The card, its digest, and the agent's words apart.",
        || get(people::read),
    ),
    route(
        "history",
        ("get", "/v1/proposals/{id}/history"),
        Audience::Person,
        "The log entries of one proposal.",
        || get(people::history),
    ),
    route(
        "approve",
        ("post", "/v1/proposals/{id}/approve"),
        Audience::Person,
        "Approve what was shown; the digests must match.",
        || post(people::approve),
    ),
    route(
        "reject",
        ("post", "/v1/proposals/{id}/reject"),
        Audience::Person,
        "Reject what was shown.",
        || post(people::reject),
    ),
    route(
        "confirm",
        ("post", "/v1/proposals/{id}/confirm"),
        Audience::Person,
        "Say that a proposal is for you, as the person whom its agent named.",
        || post(people::confirm),
    ),
    route(
        "cancel",
        ("post", "/v1/proposals/{id}/cancel"),
        Audience::Person,
        "Withdraw a proposal, as its person or an operator.",
        || post(people::cancel),
    ),
    route(
        "counts",
        ("get", "/v1/counts"),
        Audience::Person,
        "How many proposals are in each state, and what this process has written.",
        || get(people::counts),
    ),
    route("me", ("get", "/v1/me"), Audience::Person, "Who is signed in.", || get(people::me)),
    route("sign_out", ("post", "/v1/sign-out"), Audience::Person, "End this session.", || {
        post(people::sign_out)
    }),
    route("checkpoint", ("get", "/v1/log/checkpoint"), Audience::Person, "The log's signed head.", || {
        get(people::checkpoint)
    }),
    route("entries", ("get", "/v1/log/entries"), Audience::Person, "Log entries from an index on.", || {
        get(people::entries)
    }),
    route(
        "export",
        ("get", "/v1/log/export"),
        Audience::Person,
        "The whole log, verifiable offline.",
        || get(people::export),
    ),
    route(
        "sign_in",
        ("post", "/v1/sign-in"),
        Audience::Anyone,
        "Trade a one-time link's token for a session.",
        || post(people::sign_in),
    ),
];

/// Builds the router of one listener: its routes, each behind its guard, then the guards for all.
pub(super) fn build(app: &App, audience: Audience, pages: Router<App>, hosts: Hosts) -> Router {
    let mut router = pages;
    for route in ROUTES.iter().filter(|route| route.is_on(audience)) {
        let handler = (route.handler)();
        let guarded = match route.audience {
            Audience::Anyone => handler,
            Audience::Agent => handler.layer(from_fn_with_state(app.clone(), guard::agent)),
            Audience::Person => handler.layer(from_fn_with_state(app.clone(), guard::person)),
        };
        router = router.route(route.path, guarded);
    }
    router
        .fallback(error::not_found)
        .method_not_allowed_fallback(error::wrong_method)
        .layer(DefaultBodyLimit::max(limits::BODY_BYTES_MAX))
        .layer(from_fn_with_state(hosts, guard::host))
        .layer(from_fn(guard::headers))
        .with_state(app.clone())
}

async fn livez() -> &'static str {
    "ok\n"
}

async fn readyz(State(app): State<App>) -> Response {
    let readiness = app.gate.readiness().await;
    let status = match readiness.status {
        Condition::Ready | Condition::Degraded => StatusCode::OK,
        Condition::NotReady => StatusCode::SERVICE_UNAVAILABLE,
    };
    agents::json_response(status, &json!(readiness))
}
