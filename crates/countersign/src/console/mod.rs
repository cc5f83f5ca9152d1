//! The console: server-rendered pages for people, over the same verbs as the API.
//!
//! One table lists every page. Which kind of handler a page has says what stands before it: a page for
//! people gets a [`Visit`], which only a live session makes, and a page that changes something also gets
//! a [`Form`], which only a request from this site with the session's token makes (T34, T129). So a page
//! cannot forget its guard. Nothing here decides anything.

mod browser;
mod cookie;
mod decide;
mod find;
mod form;
mod help;
mod live;
mod next;
mod pages;
mod proposal;
mod session;
mod show;
mod stop;

use std::future::ready;
use std::pin::Pin;

use axum::Router;
use axum::extract::{FromRequestParts as _, RawPathParams, Request, State};
use axum::http::header::{CONTENT_TYPE, REFERRER_POLICY};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use countersign_core::id::ProposalId;
use countersign_core::refusal::Refusal;
use countersign_engine::fault::Stop;

use self::form::Form;
use self::session::Visit;
use crate::surface::App;

pub(crate) use self::browser::pages_for_browsers;

/// What a handler gives.
type PageFuture = Pin<Box<dyn Future<Output = Response> + Send>>;

/// One page.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Page {
    /// `get` or `post`.
    pub(crate) method: &'static str,
    /// The path, with `{…}` for a parameter.
    pub(crate) path: &'static str,
    /// Whether it answers without a session.
    #[cfg_attr(not(test), expect(dead_code, reason = "tests of who may see what go by it"))]
    pub(crate) public: bool,
    handler: Handler,
}

/// A page's handler, by what it needs.
#[derive(Debug, Clone, Copy)]
enum Handler {
    /// Anybody may look.
    Open(fn(App, Ask) -> PageFuture),
    /// Anybody may post, from this site.
    OpenForm(fn(App, Ask, Form) -> PageFuture),
    /// A signed-in person may look.
    View(fn(Visit) -> PageFuture),
    /// A signed-in person may post, from this site, with the session's form token.
    Act(fn(Visit, Form) -> PageFuture),
}

/// A request without its body.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    parameter: String,
    query: Option<String>,
    path: String,
    headers: HeaderMap,
}

const fn open(path: &'static str, handler: fn(App, Ask) -> PageFuture) -> Page {
    Page { method: "get", path, public: true, handler: Handler::Open(handler) }
}

const fn open_form(path: &'static str, handler: fn(App, Ask, Form) -> PageFuture) -> Page {
    Page { method: "post", path, public: true, handler: Handler::OpenForm(handler) }
}

const fn view(path: &'static str, handler: fn(Visit) -> PageFuture) -> Page {
    Page { method: "get", path, public: false, handler: Handler::View(handler) }
}

const fn act(path: &'static str, handler: fn(Visit, Form) -> PageFuture) -> Page {
    Page { method: "post", path, public: false, handler: Handler::Act(handler) }
}

/// Every page of the console.
pub(crate) const PAGES: &[Page] = &[
    open("/assets/console.css", |_, _| Box::pin(ready(asset("text/css; charset=utf-8", CSS)))),
    open("/assets/console.js", |_, _| Box::pin(ready(asset("text/javascript; charset=utf-8", JS)))),
    open("/assets/mark.svg", |_, _| Box::pin(ready(asset("image/svg+xml", MARK)))),
    open("/sign-in/{token}", |_, ask| Box::pin(ready(session::offer(ask)))),
    open_form("/sign-in", |app, ask, form| Box::pin(session::sign_in(app, ask, form))),
    act("/sign-out", |visit, _| Box::pin(session::sign_out(visit))),
    view("/", |visit| Box::pin(pages::inbox(visit))),
    view("/events", |visit| Box::pin(ready(live::events(visit)))),
    view("/proposals/{id}", |visit| Box::pin(proposal::proposal(visit))),
    act("/proposals/{id}/approve", |visit, form| Box::pin(decide::approve(visit, form))),
    act("/proposals/{id}/reject", |visit, form| Box::pin(decide::reject(visit, form))),
    act("/proposals/{id}/confirm", |visit, form| Box::pin(decide::confirm(visit, form))),
    act("/proposals/{id}/cancel", |visit, _| Box::pin(decide::cancel(visit))),
    view("/history", |visit| Box::pin(pages::history(visit))),
    view("/log", |visit| Box::pin(pages::log(visit))),
    view("/log/export", |visit| Box::pin(pages::export(visit))),
    view("/help/keys", |visit| Box::pin(help::keys(visit))),
];

const CSS: &str = include_str!("../../assets/console.css");
const JS: &str = include_str!("../../assets/console.js");
const MARK: &str = include_str!("../../assets/mark.svg");

/// The console's pages.
pub(crate) fn router() -> Router<App> {
    PAGES.iter().fold(Router::new(), |router, page| {
        let page = *page;
        let handler = move |State(app): State<App>, request: Request| answer(app, page, request);
        router.route(page.path, if page.method == "post" { post(handler) } else { get(handler) })
    })
}

async fn answer(app: App, page: Page, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    let parameter = RawPathParams::from_request_parts(&mut parts, &app).await.ok();
    let parameter = parameter.and_then(|all| all.iter().next().map(|(_, value)| value.to_owned()));
    let ask = Ask {
        parameter: parameter.unwrap_or_default(),
        query: parts.uri.query().map(str::to_owned),
        path: parts.uri.path().to_owned(),
        headers: parts.headers,
    };
    match page.handler {
        Handler::Open(handler) => handler(app, ask).await,
        Handler::OpenForm(handler) => match Form::read(&app, &ask.headers, body).await {
            Ok(form) => handler(app, ask, form).await,
            Err(stop) => stop::stopped(&app, None, &stop),
        },
        Handler::View(handler) => match Visit::open(app, ask).await {
            Ok(visit) => handler(visit).await,
            Err(response) => response,
        },
        Handler::Act(handler) => match Visit::open(app, ask).await {
            Ok(visit) => match visit.form(body).await {
                Ok(form) => handler(visit, form).await,
                Err(stop) => visit.stopped(&stop).await,
            },
            Err(response) => response,
        },
    }
}

impl Ask {
    /// The id in the path; anything that is not one is a proposal that does not exist.
    fn id(&self) -> Result<ProposalId, Stop> {
        let missing = |_| Refusal::ProposalNotFound { id: self.parameter.clone() };
        Ok(self.parameter.parse().map_err(missing)?)
    }

    /// One parameter of the query, decoded; empty is the same as not there.
    fn query(&self, name: &str) -> Option<String> {
        let query = self.query.as_deref()?;
        let mut pairs = url::form_urlencoded::parse(query.as_bytes());
        pairs.find(|(n, v)| n == name && !v.is_empty()).map(|(_, v)| v.into_owned())
    }
}

/// A page as an answer. The guard's `no-referrer` would make browsers post forms with `Origin: null`, so
/// pages ask for `same-origin` instead; no other site learns an address from either.
fn html(status: StatusCode, page: &impl askama::Template) -> Response {
    match page.render() {
        Ok(text) => {
            let kind = HeaderValue::from_static("text/html; charset=utf-8");
            let referrer = HeaderValue::from_static("same-origin");
            (status, [(CONTENT_TYPE, kind), (REFERRER_POLICY, referrer)], text).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "failed to print a page");
            (StatusCode::INTERNAL_SERVER_ERROR, "this page could not be printed\n").into_response()
        }
    }
}

fn asset(kind: &'static str, text: &'static str) -> Response {
    ([(CONTENT_TYPE, HeaderValue::from_static(kind))], text).into_response()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn only_signing_in_and_assets_are_public() {
        let public: Vec<&str> = PAGES.iter().filter(|p| p.public).map(|p| p.path).collect();
        assert_eq!(
            public,
            ["/assets/console.css", "/assets/console.js", "/assets/mark.svg", "/sign-in/{token}", "/sign-in"]
        );
    }

    #[test]
    fn whatever_changes_something_is_posted_and_carries_a_checked_form_t34_t129() {
        for page in PAGES {
            let posted = matches!(page.handler, Handler::Act(_) | Handler::OpenForm(_));
            assert_eq!(posted, page.method == "post", "{}", page.path);
            let open = matches!(page.handler, Handler::Open(_) | Handler::OpenForm(_));
            assert_eq!(open, page.public, "{}", page.path);
        }
    }

    #[test]
    fn the_page_of_shortcuts_lists_those_of_the_script() {
        let (_, rest) = JS.split_once("const keys = {").expect("the script's table");
        let (table, _) = rest.split_once("};").expect("its end");
        let key =
            |line: &str| line.trim().strip_prefix('"')?.split_once("\":").map(|(key, _)| key.to_owned());
        // A link has the focus, so the browser itself opens it.
        let scripted: BTreeSet<String> = table.lines().filter_map(key).chain(["Enter".to_owned()]).collect();
        let shown: BTreeSet<String> = help::SHORTCUTS.iter().map(|s| s.keys.join(" ")).collect();
        assert_eq!(scripted, shown);
        for deciding in ["approve", "reject", "submit(", "requestSubmit", ".click("] {
            assert!(!table.contains(deciding), "no key decides: {deciding}");
        }
    }

    #[test]
    fn pages_and_assets_need_nothing_from_elsewhere_and_no_inline_code_t128() {
        for text in [CSS, JS, MARK] {
            for foreign in ["http:", "https:", "data:", "@import", "innerHTML", "eval(", "document.write"] {
                let allowed = foreign == "http:" && text == MARK;
                assert!(allowed || !text.contains(foreign), "{foreign}");
            }
        }
    }
}
