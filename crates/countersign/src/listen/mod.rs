//! Listeners that a slow or greedy client cannot hold: bounded connections, bounded time for a header, for a body
//! and for taking an answer, bounded header size (T111). Each audience has its own, so a flood of agents does not
//! keep people out.

mod room;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_io_timeout::TimeoutStream;
use tower::ServiceExt as _;

use self::room::{Place, Room, Then, Tracked};

/// Connections at once on the agents' listener: long polls and streams keep theirs.
pub(crate) const AGENTS_MAX: usize = 4_096;
/// Connections at once on the people's listener. Each open page has one; fewer, because anybody may try to sign in.
pub(crate) const PEOPLE_MAX: usize = 1_024;
/// Connections at once on the listener for metrics: a few monitoring systems.
pub(crate) const METRICS_MAX: usize = 64;
/// Time for a whole request header. An idle connection is closed after it, too.
const HEADER_WITHIN: Duration = Duration::from_secs(30);
/// Time for a client to take the next piece of an answer.
const WRITE_WITHIN: Duration = Duration::from_secs(30);
/// Header fields of one request.
const HEADERS_MAX: usize = 64;
/// Bytes of one request's header, and of what is read ahead of a body.
const BUFFER_BYTES_MAX: usize = 64 * 1024;
/// Time for open requests to finish when the gate stops; long polls end with their connection.
const GRACE: Duration = Duration::from_secs(10);
/// Pause after `accept` failed, for example because no file descriptor was free, and between two looks for a
/// connection that could make room.
const PAUSE: Duration = Duration::from_millis(100);
/// Open files beside those of connections: database, calls, the operator's log.
const FILES_BESIDE: u64 = 10_240;

/// Asks for as many open files as the listeners and the calls may need. Many systems allow 1,024 by default, and
/// more when a process asks. Fewer work, too: then connections that wait for their client make room earlier.
pub(crate) fn raise_open_files() {
    let connections = u64::try_from(AGENTS_MAX.saturating_add(PEOPLE_MAX)).unwrap_or(u64::MAX);
    let want = connections.saturating_add(FILES_BESIDE);
    match rlimit::increase_nofile_limit(want) {
        Ok(open) if open >= want => {}
        Ok(open) => tracing::info!(open, want, "fewer open files are allowed than the gate can use"),
        Err(error) => tracing::warn!(%error, "the limit on open files is not known"),
    }
}

/// Answers until `stop` changes, then lets open requests finish.
#[expect(
    clippy::disallowed_methods,
    reason = "each connection is a task; `room` counts them and the end waits for them"
)]
pub(crate) async fn answer(
    listener: TcpListener,
    router: Router,
    connections: usize,
    mut stop: watch::Receiver<bool>,
) {
    let room = Room::new(connections);
    loop {
        let next = async {
            let place = vacant(&room).await?;
            Some((place, listener.accept().await))
        };
        let accepted = tokio::select! {
            next = next => next,
            _ = stop.changed() => break,
        };
        match accepted {
            Some((place, Ok((stream, _)))) => {
                tokio::spawn(connection(stream, router.clone(), stop.clone(), place));
            }
            Some((place, Err(error))) => {
                tracing::warn!(%error, "a connection could not be accepted");
                drop(place);
                room.make_room();
                tokio::time::sleep(PAUSE).await;
            }
            None => break,
        }
    }
    drop(listener);
    let all = u32::try_from(connections).unwrap_or(u32::MAX);
    if tokio::time::timeout(GRACE, room.empty(all)).await.is_err() {
        tracing::warn!("some connections were still open at the end");
    }
}

/// A place for the next connection; when few are free, one that keeps the gate waiting gives its own.
async fn vacant(room: &Arc<Room>) -> Option<Place> {
    if room.is_tight() {
        room.make_room();
    }
    if let Some(place) = room.try_place() {
        return Some(place);
    }
    loop {
        room.make_room();
        if let Ok(place) = tokio::time::timeout(PAUSE, room.place()).await {
            return place;
        }
    }
}

async fn connection(stream: TcpStream, router: Router, mut stop: watch::Receiver<bool>, place: Place) {
    let _ = stream.set_nodelay(true);
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(WRITE_WITHIN));
    let stream: Pin<Box<TimeoutStream<TcpStream>>> = Box::pin(stream);
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_WITHIN)
        .max_headers(HEADERS_MAX)
        .max_buf_size(BUFFER_BYTES_MAX);
    let seat = place.clone();
    let service = service_fn(move |request| respond(router.clone(), seat.clone(), request));
    let serving = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(serving);
    let ended = tokio::select! {
        ended = &mut serving => ended,
        () = place.closed() => {
            tracing::debug!("a connection that kept the gate waiting made room for another");
            return;
        }
        _ = stop.changed() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// Answers one request, and keeps account of who waits for whom meanwhile.
async fn respond(
    router: Router,
    place: Place,
    request: Request<Incoming>,
) -> Result<Response<Tracked>, std::convert::Infallible> {
    let request = request.map(|body| Body::new(Tracked::new(Body::new(body), &place, Then::Works)));
    let response = router.oneshot(request).await?;
    // The body of the request may still be coming; the answer is given first.
    place.works();
    Ok(response.map(|body| Tracked::new(body, &place, Then::Waits)))
}
