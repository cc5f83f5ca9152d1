//! The page that lists the keyboard shortcuts. `console.js` does what it says, and a test compares the two.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;

use super::html;
use super::session::Visit;
use super::show::Chrome;

/// A shortcut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shortcut {
    /// The keys, one after the other.
    pub(crate) keys: &'static [&'static str],
    /// What they do.
    pub(crate) does: &'static str,
}

/// Every shortcut. None of them decides anything.
pub(crate) const SHORTCUTS: &[Shortcut] = &[
    Shortcut { keys: &["j"], does: "Next row of a list" },
    Shortcut { keys: &["k"], does: "Row before" },
    Shortcut { keys: &["Enter"], does: "Open the row" },
    Shortcut { keys: &["/"], does: "Search" },
    Shortcut { keys: &["g", "i"], does: "Go to the inbox" },
    Shortcut { keys: &["g", "h"], does: "Go to the history" },
    Shortcut { keys: &["g", "l"], does: "Go to the log" },
    Shortcut { keys: &["?"], does: "This page" },
];

#[derive(Debug, Template)]
#[template(path = "console/keys.html")]
struct Keys {
    chrome: Chrome,
    keys: &'static [Shortcut],
}

/// `GET /help/keys`.
pub(super) async fn keys(visit: Visit) -> Response {
    match visit.me().await {
        Ok(me) => {
            let chrome = Chrome::of("Keyboard shortcuts", me, "");
            html(StatusCode::OK, &Keys { chrome, keys: SHORTCUTS })
        }
        Err(stop) => visit.stopped(&stop).await,
    }
}
