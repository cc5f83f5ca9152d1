//! Problems as pages: whatever a browser asks this listener for, it gets no JSON for people to read.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, REFERRER_POLICY};
use axum::middleware::Next;
use axum::response::Response;

use super::Ask;
use super::next::LocalPath;
use super::session::Visit;
use super::show::{NextStep, PagePerson};
use super::stop::{inbox, page};
use crate::surface::{App, ProblemText};

/// Turns problems into pages for browsers. Programs, which do not ask for HTML, get the problem as it is.
pub(crate) async fn pages_for_browsers(State(app): State<App>, request: Request, next: Next) -> Response {
    if !wants_page(request.headers()) {
        return next.run(request).await;
    }
    let ask = Ask {
        parameter: String::new(),
        query: None,
        path: request.uri().path().to_owned(),
        headers: request.headers().clone(),
    };
    let answer = next.run(request).await;
    let Some(text) = answer.extensions().get::<ProblemText>().cloned() else { return answer };
    let same = ask.path.strip_prefix("/v1").and_then(LocalPath::read);
    let link = same.map_or_else(inbox, |page| NextStep {
        href: page.as_str().to_owned(),
        label: "Open it in the console",
    });
    // Another host's page gets nothing that a session could say.
    let foreign = matches!(text.code.as_str(), "wrong_host" | "wrong_origin");
    let me = if foreign { None } else { me(app, ask).await };
    let (shown, page) = page(me, &text, link).into_parts();
    let (mut parts, _) = answer.into_parts();
    // Everything else that the answer says stays: when to try again, and the policy for content.
    for name in [CONTENT_TYPE, REFERRER_POLICY] {
        if let Some(value) = shown.headers.get(&name) {
            parts.headers.insert(name, value.clone());
        }
    }
    parts.headers.remove(CONTENT_LENGTH);
    Response::from_parts(parts, Body::new(page))
}

/// Who looks, for the top of the page; nobody without a live session.
async fn me(app: App, ask: Ask) -> Option<PagePerson> {
    Visit::open(app, ask).await.ok()?.me().await.ok()
}

/// Whether the request asks for HTML by name, as browsers do for pages.
fn wants_page(headers: &HeaderMap) -> bool {
    let ranges = headers.get_all(ACCEPT).iter().filter_map(|v| v.to_str().ok()).flat_map(|v| v.split(','));
    ranges.map(str::trim).any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let html = parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case("text/html"));
        html && !parts.any(|p| matches!(p.strip_prefix("q="), Some("0" | "0." | "0.0" | "0.00" | "0.000")))
    })
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn only_who_asks_for_html_by_name_gets_a_page() {
        let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        for (accept, expect) in [
            (None, false),
            (Some("*/*"), false),
            (Some("application/json"), false),
            (Some("text/event-stream"), false),
            (Some("text/html"), true),
            (Some("TEXT/HTML;charset=utf-8"), true),
            (Some("application/json, text/html;q=0"), false),
            (Some("text/htmlx"), false),
            (Some(browser), true),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(accept) = accept {
                headers.insert(ACCEPT, HeaderValue::from_static(accept));
            }
            assert_eq!(wants_page(&headers), expect, "{accept:?}");
        }
    }
}
