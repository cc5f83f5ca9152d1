//! The HTTP surface. One table of routes makes the two routers, the OpenAPI document and the authorization test.
//!
//! Agents and people have a listener each, with a route set each: an agent's key cannot reach an approval
//! because the route is not there (I11).

mod agents;
mod codes;
mod error;
mod guard;
mod openapi;
mod people;
mod routes;

use std::sync::Arc;

use axum::Router;
use countersign_engine::gate::Gate;

pub(crate) use codes::{ErrorCode, of_outcomes, of_refusals, of_surface};
pub(crate) use error::{Problem, problem};
pub(crate) use guard::{Hosts, read_whole};
pub(crate) use openapi::document;

/// What every handler may use.
#[derive(Debug, Clone)]
pub(crate) struct App {
    /// The gate.
    pub(crate) gate: Gate,
    /// The console's address as people type it.
    pub(crate) people_url: Arc<str>,
}

/// The agents' router.
pub(crate) fn for_agents(app: &App, hosts: Hosts) -> Router {
    routes::build(app, routes::Audience::Agent, Router::new(), hosts)
}

/// The people's router: their API, and the console's pages.
pub(crate) fn for_people(app: &App, hosts: Hosts) -> Router {
    routes::build(app, routes::Audience::Person, crate::console::router(), hosts)
}
