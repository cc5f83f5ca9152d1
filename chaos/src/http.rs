//! The smallest client that can be cut off at any moment: one connection for each request, no retries.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use crate::Result;

/// More than any answer of a gate.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// How the error begins when there was nobody to send anything to.
const UNSENT: &str = "no connection: ";

/// Whether a request with this error was certainly not sent.
pub(crate) fn was_not_sent(error: &str) -> bool {
    error.starts_with(UNSENT)
}

/// One request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Request {
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) bearer: String,
    pub(crate) key: Option<String>,
    /// Headers beside those that every request has.
    pub(crate) more: Vec<(&'static str, String)>,
    pub(crate) body: Option<Value>,
    /// The client hangs up when the answer has begun, and reads nothing of it.
    pub(crate) hang_up_in_answer: bool,
}

/// A status and what was read as JSON; text that is not JSON, such as a stream of events, becomes a string.
pub(crate) type Answer = (u16, Value);

/// Sends it and reads the answer, within the limit.
pub(crate) async fn send(address: &str, request: Request, limit: Duration) -> Result<Answer> {
    let late = |_| format!("no answer within {} ms", limit.as_millis());
    tokio::time::timeout(limit, exchange(address, request)).await.map_err(late)?
}

async fn exchange(address: &str, request: Request) -> Result<Answer> {
    let stream = TcpStream::connect(address).await.map_err(|e| format!("{UNSENT}{e}"))?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let mut head = hyper::Request::builder()
        .method(request.method)
        .uri(request.path)
        .header("host", address)
        .header("connection", "close");
    if !request.bearer.is_empty() {
        head = head.header("authorization", format!("Bearer {}", request.bearer));
    }
    if let Some(key) = &request.key {
        head = head.header("idempotency-key", key);
    }
    for (name, value) in &request.more {
        head = head.header(*name, value);
    }
    let hang_up = request.hang_up_in_answer;
    let message = match request.body {
        Some(body) => head.header("content-type", "application/json").body(Body::from(body.to_string()))?,
        None => head.body(Body::empty())?,
    };
    let talk = async move {
        let response = sender.send_request(message).await?;
        let status = response.status().as_u16();
        if hang_up {
            return Err("the client hung up in the middle of the answer".into());
        }
        let bytes = to_bytes(Body::new(response.into_body()), ANSWER_BYTES_MAX).await?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Ok((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
    };
    tokio::pin!(talk, connection);
    tokio::select! {
        biased;
        answer = &mut talk => answer,
        // The connection's work may be over before what it has read was taken.
        _ = &mut connection => talk.await,
    }
}
