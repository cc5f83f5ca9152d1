//! The HTTP surface. One table of routes makes the two routers, the OpenAPI documents and the authorization test.
//!
//! Agents and people have a listener each, with a route set each: an agent's key cannot reach an approval
//! because the route is not there (I11).

mod agents;
mod guard;
mod metrics;
mod openapi;
mod parameters;
mod people;
mod prefer;
mod process;
mod reply;
mod resource;
mod routes;
mod schema;

use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::{Extension, Router};
use countersign_core::limits;

pub(crate) use guard::Hosts;
pub(crate) use metrics::router as for_metrics;
pub(crate) use openapi::{Listener, text as openapi};
use routes::{Access, Audience, ROUTES};

use crate::surface::{App, not_found, wrong_method};

/// The agents' router: their API, and the endpoint of another surface beside it, which only agents reach.
pub(crate) fn for_agents(app: &App, endpoint: Router<App>, hosts: Hosts) -> Router {
    let guarded = endpoint.layer(from_fn_with_state(app.clone(), guard::agent));
    build(app, (Audience::Agent, Listener::Agents), guarded, hosts)
}

/// The people's router: their API, and the pages of another surface beside it.
pub(crate) fn for_people(app: &App, pages: Router<App>, hosts: Hosts) -> Router {
    build(app, (Audience::Person, Listener::People), pages, hosts)
}

/// Builds the router of one listener: its routes, each behind its guard, then the guards for all.
fn build(app: &App, (audience, listener): (Audience, Listener), pages: Router<App>, hosts: Hosts) -> Router {
    let mut router = pages;
    for route in ROUTES.iter().filter(|route| route.is_on(audience)) {
        let handler = (route.handler)();
        let guarded = match route.audience {
            Audience::Anyone => handler,
            Audience::Agent => handler.layer(from_fn_with_state(app.clone(), guard::agent)),
            Audience::Person if route.access == Access::LogCopy => {
                handler.layer(from_fn_with_state(app.clone(), guard::log_reader))
            }
            Audience::Person => handler.layer(from_fn_with_state(app.clone(), guard::person)),
        };
        router = router.route(route.path, guarded);
    }
    router
        .fallback(not_found)
        .method_not_allowed_fallback(wrong_method)
        .layer(Extension(listener))
        .layer(DefaultBodyLimit::max(limits::BODY_BYTES_MAX))
        .layer(from_fn_with_state(hosts, guard::host))
        .layer(from_fn(guard::not_done))
        .layer(from_fn_with_state((app.clone(), listener), guard::challenge))
        .layer(from_fn(guard::headers))
        .layer(from_fn_with_state((app.clone(), listener), guard::count))
        .with_state(app.clone())
}
