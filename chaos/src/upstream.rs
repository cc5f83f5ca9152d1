//! The system that agents want to change: it applies effects, misbehaves as the seed says, and keeps a ledger of
//! what it really did. It never refuses to apply the same thing twice: that is what is looked for.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::arena::Arena;
use crate::ledger::text;
use crate::random::Random;
use crate::{Error, Result};

/// Longer than the 2 s that the manifests give a call.
const LATE: Duration = Duration::from_secs(3);

/// What becomes of one write.
#[derive(Debug, Clone, Copy)]
enum Mode {
    Applied,
    AppliedSlowly,
    /// Applied; the connection closes without an answer.
    ReplyLost,
    /// Applied; the answer comes after the gate has given up.
    ReplyLate,
    /// Not applied, and a status that says so.
    Refused,
    /// Not applied, and a status that does not say so.
    Overloaded,
    /// Not applied; the connection closes without an answer.
    Dropped,
}

const WRITES: [(u64, Mode); 7] = [
    (70, Mode::Applied),
    (10, Mode::AppliedSlowly),
    (4, Mode::ReplyLost),
    (4, Mode::ReplyLate),
    (4, Mode::Refused),
    (4, Mode::Overloaded),
    (4, Mode::Dropped),
];

/// The server; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Upstream {
    _tasks: JoinSet<()>,
}

#[derive(Debug)]
struct Shared {
    arena: Arc<Arena>,
    random: Mutex<Random>,
}

impl Upstream {
    /// Answers on this listener.
    pub(crate) fn start(arena: Arc<Arena>, listener: TcpListener) -> Self {
        let random = Mutex::new(Random::new(arena.seed, "upstream"));
        let shared = Arc::new(Shared { arena, random });
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, shared));
        Self { _tasks: tasks }
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            let service = service_fn(move |request| answer(Arc::clone(&shared), request));
            let server = hyper::server::conn::http1::Builder::new();
            // A connection that breaks is a part of the plan.
            let _ = server.serve_connection(TokioIo::new(stream), service).await;
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn answer(
    shared: Arc<Shared>,
    request: hyper::Request<Incoming>,
) -> std::result::Result<hyper::Response<Body>, Error> {
    if request.method() == hyper::Method::GET {
        return shared.preview(request.uri().path()).await;
    }
    let (method, path) = (request.method().to_string(), request.uri().path().to_owned());
    let bytes = to_bytes(Body::new(request.into_body()), 1 << 20).await?;
    let body: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    shared.write(&method, &path, &body).await
}

impl Shared {
    fn random<T>(&self, choose: impl FnOnce(&mut Random) -> T) -> T {
        choose(&mut self.random.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The record before a change. Its price never changes, so that nothing is revised for that reason.
    async fn preview(&self, path: &str) -> Result<hyper::Response<Body>> {
        let (trouble, slow) = self.random(|r| (r.below(100), r.percent(5)));
        if slow {
            tokio::time::sleep(Duration::from_millis(400)).await;
        }
        match trouble {
            0..=1 => reply(503, &json!({ "error": "overloaded" })),
            2..=3 => reply(429, &json!({ "error": "slow down" })),
            _ => reply(200, &json!({ "id": path, "price": 5_000, "currency": "usd" })),
        }
    }

    async fn write(&self, method: &str, path: &str, body: &Value) -> Result<hyper::Response<Body>> {
        let (mode, pause) = self.random(|r| (r.weighted(&WRITES), r.between(100, 900)));
        let mode = mode.unwrap_or(Mode::Applied);
        let applied = match mode {
            Mode::Applied | Mode::AppliedSlowly | Mode::ReplyLost | Mode::ReplyLate => true,
            Mode::Refused | Mode::Overloaded | Mode::Dropped => false,
        };
        // A deletion carries its marker in the path; it must never arrive.
        let marker = match text(body, "/marker") {
            "" => path.rsplit('/').next().unwrap_or_default(),
            marker => marker,
        };
        self.arena.upstream.write(json!({
            "ref": text(body, "/ref"),
            "marker": marker,
            "method": method,
            "price": body.get("price"),
            "applied": applied,
            "mode": format!("{mode:?}"),
        }))?;
        if applied {
            self.arena.effects.fetch_add(1, Ordering::Relaxed);
        }
        let done = json!({ "done": true });
        match mode {
            Mode::Applied => reply(200, &done),
            Mode::AppliedSlowly => {
                tokio::time::sleep(Duration::from_millis(pause)).await;
                reply(200, &done)
            }
            Mode::ReplyLate => {
                tokio::time::sleep(LATE).await;
                reply(200, &done)
            }
            Mode::Refused => reply(422, &json!({ "error": "no such thing" })),
            Mode::Overloaded => {
                reply(if pause.is_multiple_of(2) { 503 } else { 429 }, &json!({ "error": "overloaded" }))
            }
            Mode::ReplyLost | Mode::Dropped => Err("the connection is closed without an answer".into()),
        }
    }
}

fn reply(status: u16, body: &Value) -> Result<hyper::Response<Body>> {
    let response = hyper::Response::builder().status(status).header("content-type", "application/json");
    Ok(response.body(Body::from(body.to_string()))?)
}
