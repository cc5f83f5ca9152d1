//! Listeners that a slow or greedy client cannot hold: bounded connections, bounded time for a header, bounded
//! header size (T111). Each audience has its own, so a flood of agents does not keep people out.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// Connections at once on one listener. More wait in the kernel's queue.
const CONNECTIONS_MAX: usize = 4_096;
/// Time for a whole request header. An idle connection is closed after it, too.
const HEADER_WITHIN: Duration = Duration::from_secs(30);
/// Header fields of one request.
const HEADERS_MAX: usize = 64;
/// Bytes of one request's header, and of what is read ahead of a body.
const BUFFER_BYTES_MAX: usize = 64 * 1024;
/// Time for open requests to finish when the gate stops; long polls end with their connection.
const GRACE: Duration = Duration::from_secs(10);
/// Pause after `accept` failed, for example because no file descriptor was free.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Answers until `stop` changes, then lets open requests finish.
#[expect(
    clippy::disallowed_methods,
    reason = "each connection is a task; `room` counts them and the end waits for them"
)]
pub(crate) async fn answer(listener: TcpListener, router: Router, mut stop: watch::Receiver<bool>) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else { break };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.changed() => break,
        };
        match accepted {
            Ok((stream, _)) => {
                tokio::spawn(connection(stream, router.clone(), stop.clone(), permit));
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    let all = u32::try_from(CONNECTIONS_MAX).unwrap_or(u32::MAX);
    if tokio::time::timeout(GRACE, room.acquire_many(all)).await.is_err() {
        tracing::warn!("some connections were still open at the end");
    }
}

async fn connection(
    stream: TcpStream,
    router: Router,
    mut stop: watch::Receiver<bool>,
    permit: OwnedSemaphorePermit,
) {
    let _ = stream.set_nodelay(true);
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_WITHIN)
        .max_headers(HEADERS_MAX)
        .max_buf_size(BUFFER_BYTES_MAX);
    let serving = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    tokio::pin!(serving);
    let ended = tokio::select! {
        ended = &mut serving => ended,
        _ = stop.changed() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
    drop(permit);
}
