//! stub
use axum::Router;

use crate::http::App;

/// The console's pages.
pub(crate) fn router() -> Router<App> {
    Router::new()
}
