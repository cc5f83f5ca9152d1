//! The gate as a protected resource of OAuth: what its metadata say (RFC 9728), and where they are.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use countersign_engine::token::IssuerSpec;
use url::Url;

use super::reply::json_response;
use crate::surface::{App, not_found};
use crate::wire::ProtectedResource;

/// RFC 9728 section 3.
pub(super) const PATH: &str = "/.well-known/oauth-protected-resource";

/// The metadata. None when no issuer knows this gate by its address: a resource without an address has none.
fn metadata(app: &App) -> Option<ProtectedResource> {
    let specs = app.issuers.specs();
    let resource = specs.iter().find_map(IssuerSpec::resource)?.to_owned();
    // An issuer that knows the gate by another name gives no token for this one.
    let for_it = specs.iter().filter(|spec| spec.audience == resource);
    Some(ProtectedResource {
        authorization_servers: for_it.map(|spec| spec.issuer.clone()).collect(),
        bearer_methods_supported: vec!["header".to_owned()],
        resource_name: "Countersign".to_owned(),
        resource,
    })
}

/// Where the metadata are, as agents reach it.
pub(super) fn place(app: &App) -> Option<String> {
    let found = metadata(app)?;
    let origin = Url::parse(&found.resource).ok()?.origin().ascii_serialization();
    Some(format!("{origin}{PATH}"))
}

/// The metadata, for whoever asks.
pub(super) async fn read(State(app): State<App>) -> Response {
    match metadata(&app) {
        Some(found) => json_response(StatusCode::OK, &found),
        None => not_found().await.into_response(),
    }
}
