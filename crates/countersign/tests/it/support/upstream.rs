//! An upstream that remembers every request and answers as it is told.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{Response, StatusCode};
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use tokio::sync::Notify;

/// One request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

/// What to answer to one path.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// Status, headers and body.
    Answer(u16, Vec<(&'static str, String)>, String),
    /// Status 200 and JSON whose end never comes: the connection is closed after these bytes.
    Cut(&'static str),
    /// Answers every header of the request back as JSON.
    Echo,
    /// Answers `200 {"ok":true}` once it is told to.
    Held(Arc<Notify>),
    /// Never answers.
    Hang,
}

impl Reply {
    /// A JSON answer.
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self::Answer(status, vec![("content-type", "application/json".into())], body.to_string())
    }
}

#[derive(Debug, Default)]
struct Inner {
    calls: Mutex<Vec<Call>>,
    replies: Mutex<BTreeMap<String, Reply>>,
    arrived: Notify,
}

/// The upstream. It stops with the test's runtime.
#[derive(Debug, Clone)]
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    inner: Arc<Inner>,
}

impl Upstream {
    /// Starts it. Every path answers `200 {"ok":true}` until it is told otherwise.
    pub(crate) async fn start() -> Self {
        Self::start_at("127.0.0.1:0").await
    }

    /// The same at an address that its actions know already.
    pub(crate) async fn start_at(address: &str) -> Self {
        let inner = Arc::new(Inner::default());
        let listener = tokio::net::TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(answer).with_state(Arc::clone(&inner));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, inner }
    }

    /// `http://127.0.0.1:PORT`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on, `METHOD /path` answers this.
    pub(crate) fn on(&self, method_and_path: &str, reply: Reply) {
        self.inner.replies.lock().unwrap().insert(method_and_path.to_owned(), reply);
    }

    /// Every request so far.
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.inner.calls.lock().unwrap().clone()
    }

    /// Waits until this many requests have arrived.
    pub(crate) async fn until(&self, count: usize) {
        let enough = async {
            loop {
                let next = self.inner.arrived.notified();
                tokio::pin!(next);
                next.as_mut().enable();
                if self.calls().len() >= count {
                    return;
                }
                next.await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(30), enough).await.unwrap();
    }

    /// Every request that was not a safe one.
    pub(crate) fn writes(&self) -> Vec<Call> {
        self.calls().into_iter().filter(|c| c.method != "GET" && c.method != "HEAD").collect()
    }
}

async fn answer(State(inner): State<Arc<Inner>>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap_or_default();
    let path = parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    let key = format!("{} {path}", parts.method);
    let text = |v: &[u8]| String::from_utf8_lossy(v).into_owned();
    let seen: BTreeMap<String, String> =
        parts.headers.iter().map(|(n, v)| (n.to_string(), text(v.as_bytes()))).collect();
    inner.calls.lock().unwrap().push(Call {
        method: parts.method.to_string(),
        path,
        headers: seen.clone(),
        body: String::from_utf8_lossy(&body).into_owned(),
    });
    inner.arrived.notify_waiters();
    let reply = inner.replies.lock().unwrap().get(&key).cloned();
    match reply.unwrap_or_else(|| Reply::json(200, &json!({ "ok": true }))) {
        Reply::Hang => std::future::pending().await,
        Reply::Held(go) => {
            go.notified().await;
            Response::builder()
                .header("content-type", "application/json")
                .body(Body::from(r#"{"ok":true}"#))
                .unwrap()
        }
        Reply::Cut(start) => {
            let end = async {
                // Lets the server send what it has before the connection ends.
                tokio::task::yield_now().await;
                Err(std::io::Error::other("cut"))
            };
            let first = futures_util::stream::iter([Ok(start.as_bytes())]);
            let pieces = first.chain(futures_util::stream::once(end));
            let response = Response::builder().header("content-type", "application/json");
            response.body(Body::from_stream(pieces)).unwrap()
        }
        Reply::Echo => {
            let response = Response::builder().header("content-type", "application/json");
            response.body(Body::from(json!(seen).to_string())).unwrap()
        }
        Reply::Answer(status, headers, body) => {
            let mut response = Response::builder().status(StatusCode::from_u16(status).unwrap());
            for (name, value) in headers {
                response = response.header(name, value);
            }
            response.body(Body::from(body)).unwrap()
        }
    }
}
