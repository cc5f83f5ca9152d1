//! Every route of the JSON API, one row each: where it is, who it is for and what decides that, what it takes and what
//! it answers. The routers, the OpenAPI documents and the authorization test are made from this table.

use axum::routing::{MethodRouter, get, post};
use schemars::{JsonSchema, Schema, SchemaGenerator};

use super::parameters::{ACTIONS, ENTRIES, LIST, LIST_OWN, NO_QUERY, WAIT};
use super::{agents, people, process, resource};
use crate::surface::{App, Parameter};
use crate::wire;

/// Who a route is for. Each audience has a listener of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Audience {
    /// Anybody who reaches a listener; answers nothing about anything.
    Anyone,
    /// An agent, by its key or by an access token.
    Agent,
    /// A person, by a session.
    Person,
}

/// What decides whether a caller of the audience may. The authorization test has a case for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Nothing: anybody may.
    Open,
    /// Nothing, on the agents' listener only: anybody may learn where tokens come from.
    Discovery,
    /// A one-time link.
    Link,
    /// The agent's own proposals.
    Own,
    /// What its chain could be permitted.
    Chain,
    /// Any session.
    Session,
    /// Proposals that the person may see.
    Related,
    /// Whom an approval rule lets decide.
    Approver,
    /// The person whom the agent named.
    Named,
    /// The person it is for, or an operator.
    Withdraws,
    /// Auditors and operators.
    LogReader,
    /// The same, or a program with a token that one of them was given for it.
    LogCopy,
}

impl Access {
    /// The name in the OpenAPI document.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Discovery => "discovery",
            Self::Link => "link",
            Self::Own => "own",
            Self::Chain => "chain",
            Self::Session => "session",
            Self::Related => "related",
            Self::Approver => "approver",
            Self::Named => "named",
            Self::Withdraws => "withdraws",
            Self::LogReader => "log-reader",
            Self::LogCopy => "log-reader-or-token",
        }
    }
}

/// Makes the schema of a shape.
pub(crate) type Shape = fn(&mut SchemaGenerator) -> Schema;

/// What a route answers when all is well.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Success {
    /// JSON of this shape, with 200.
    Json(Shape),
    /// JSON of this shape: 200 when it is done, 202 while it is not.
    Proposed(Shape),
    /// JSON of this shape: 200 when all is well, 503 when not.
    Readiness(Shape),
    /// Any JSON document.
    Document,
    /// Plain text.
    Text,
    /// Server-sent events, each with JSON of this shape.
    Events(Shape),
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
    /// What decides.
    pub(crate) access: Access,
    /// One sentence.
    pub(crate) summary: &'static str,
    /// The parameters of its query.
    pub(crate) query: &'static [Parameter],
    /// The shape of its body.
    pub(crate) body: Option<Shape>,
    /// What it answers.
    pub(crate) success: Success,
    /// The handler.
    pub(super) handler: fn() -> MethodRouter<App>,
}

impl Route {
    /// Whether it is on the listener of this audience. People sign in on theirs, agents find issuers on theirs.
    pub(crate) fn is_on(&self, listener: Audience) -> bool {
        match self.audience {
            Audience::Anyone if self.access == Access::Discovery => listener == Audience::Agent,
            Audience::Anyone => self.access == Access::Open || listener == Audience::Person,
            Audience::Agent | Audience::Person => self.audience == listener,
        }
    }

    const fn with_query(self, query: &'static [Parameter]) -> Self {
        Self { query, ..self }
    }

    const fn with_body(self, body: Shape) -> Self {
        Self { body: Some(body), ..self }
    }
}

/// The schema of a type.
fn of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

#[expect(clippy::too_many_arguments, reason = "one row of the table, in which names would hide the rows")]
const fn route(
    id: &'static str,
    (method, path): (&'static str, &'static str),
    (audience, access): (Audience, Access),
    summary: &'static str,
    success: Success,
    handler: fn() -> MethodRouter<App>,
) -> Route {
    Route { id, method, path, audience, access, summary, query: NO_QUERY, body: None, success, handler }
}

const ANYONE: (Audience, Access) = (Audience::Anyone, Access::Open);
const OWN: (Audience, Access) = (Audience::Agent, Access::Own);
const RELATED: (Audience, Access) = (Audience::Person, Access::Related);
const SESSION: (Audience, Access) = (Audience::Person, Access::Session);
const LOG: (Audience, Access) = (Audience::Person, Access::LogReader);
const LOG_COPY: (Audience, Access) = (Audience::Person, Access::LogCopy);
const FOR_AGENT: Success = Success::Json(of::<wire::AgentProposal>);
const FOR_PERSON: Success = Success::Json(of::<wire::PersonProposal>);

/// Every route.
pub(crate) const ROUTES: &[Route] = &[
    route("livez", ("get", "/livez"), ANYONE, "Whether the process answers.", Success::Text, || {
        get(process::livez)
    }),
    route(
        "readyz",
        ("get", "/readyz"),
        ANYONE,
        "Whether the gate lets anything through: store, log, rules, secrets, durability, each with its reason.",
        Success::Readiness(of::<wire::Ready>),
        || get(process::readyz),
    ),
    route("openapi", ("get", "/openapi.json"), ANYONE, "This document.", Success::Document, || {
        get(process::openapi)
    }),
    route(
        "resource_metadata",
        ("get", resource::PATH),
        (Audience::Anyone, Access::Discovery),
        "Where agents get access tokens for this gate (RFC 9728), when it accepts any.",
        Success::Json(of::<wire::ProtectedResource>),
        || get(resource::read),
    ),
    route(
        "propose",
        ("post", "/v1/proposals"),
        OWN,
        "Propose an action, or preview it with `dry_run`.",
        Success::Proposed(of::<wire::AgentProposal>),
        || post(agents::propose),
    )
    .with_query(WAIT)
    .with_body(of::<wire::ProposeBody>),
    route(
        "list_own",
        ("get", "/v1/proposals"),
        OWN,
        "The agent's own proposals, newest first.",
        Success::Json(of::<wire::AgentPage>),
        || get(agents::list),
    )
    .with_query(LIST_OWN),
    route(
        "read_own",
        ("get", "/v1/proposals/{id}"),
        OWN,
        "One of the agent's proposals; `?wait=30` waits for it.",
        FOR_AGENT,
        || get(agents::read),
    )
    .with_query(WAIT),
    route(
        "watch_own",
        ("get", "/v1/proposals/{id}/events"),
        OWN,
        "Server-sent events until the proposal is settled.",
        Success::Events(of::<wire::AgentProposal>),
        || get(agents::events),
    ),
    route(
        "cancel_own",
        ("post", "/v1/proposals/{id}/cancel"),
        OWN,
        "Withdraw a proposal that was not sent.",
        FOR_AGENT,
        || post(agents::cancel),
    ),
    route(
        "actions",
        ("get", "/v1/actions"),
        (Audience::Agent, Access::Chain),
        "The actions that policy could let this chain propose.",
        Success::Json(of::<wire::ActionList>),
        || get(agents::actions),
    )
    .with_query(ACTIONS),
    route(
        "list",
        ("get", "/v1/proposals"),
        RELATED,
        "Proposals this person may see, newest first.",
        Success::Json(of::<wire::PersonPage>),
        || get(people::list),
    )
    .with_query(LIST),
    route(
        "read",
        ("get", "/v1/proposals/{id}"),
        RELATED,
        "The card, its digest, and the agent's words apart.",
        FOR_PERSON,
        || get(people::read),
    )
    .with_query(WAIT),
    route(
        "history",
        ("get", "/v1/proposals/{id}/history"),
        RELATED,
        "The log entries of one proposal.",
        Success::Json(of::<wire::LogEntries>),
        || get(people::history),
    ),
    route(
        "approve",
        ("post", "/v1/proposals/{id}/approve"),
        (Audience::Person, Access::Approver),
        "Approve what was shown; the digests must match.",
        FOR_PERSON,
        || post(people::approve),
    )
    .with_body(of::<wire::VerdictBody>),
    route(
        "reject",
        ("post", "/v1/proposals/{id}/reject"),
        (Audience::Person, Access::Approver),
        "Reject what was shown.",
        FOR_PERSON,
        || post(people::reject),
    )
    .with_body(of::<wire::VerdictBody>),
    route(
        "confirm",
        ("post", "/v1/proposals/{id}/confirm"),
        (Audience::Person, Access::Named),
        "Say that a proposal is for you, as the person whom its agent named.",
        FOR_PERSON,
        || post(people::confirm),
    )
    .with_body(of::<wire::ConfirmBody>),
    route(
        "cancel",
        ("post", "/v1/proposals/{id}/cancel"),
        (Audience::Person, Access::Withdraws),
        "Withdraw a proposal, as its person or an operator.",
        FOR_PERSON,
        || post(people::cancel),
    ),
    route(
        "counts",
        ("get", "/v1/counts"),
        SESSION,
        "How many proposals are in each state, and what this process has written.",
        Success::Json(of::<wire::Counts>),
        || get(people::counts),
    ),
    route("me", ("get", "/v1/me"), SESSION, "Who is signed in.", Success::Json(of::<wire::Me>), || {
        get(people::me)
    }),
    route(
        "sign_out",
        ("post", "/v1/sign-out"),
        SESSION,
        "End this session.",
        Success::Json(of::<wire::Done>),
        || post(people::sign_out),
    ),
    route(
        "checkpoint",
        ("get", "/v1/log/checkpoint"),
        LOG_COPY,
        "The log's signed head.",
        Success::Text,
        || get(people::checkpoint),
    ),
    route(
        "entries",
        ("get", "/v1/log/entries"),
        LOG,
        "Log entries from an index on.",
        Success::Json(of::<wire::LogEntries>),
        || get(people::entries),
    )
    .with_query(ENTRIES),
    route(
        "export",
        ("get", "/v1/log/export"),
        LOG_COPY,
        "The whole log, verifiable offline.",
        Success::Text,
        || get(people::export),
    ),
    route(
        "sign_in",
        ("post", "/v1/sign-in"),
        (Audience::Anyone, Access::Link),
        "Trade a one-time link's token for a session.",
        Success::Json(of::<wire::NewSession>),
        || post(people::sign_in),
    )
    .with_body(of::<wire::SignInBody>),
];
