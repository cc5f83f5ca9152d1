//! The echo: axum parses the JSON and writes it again. The yardstick of a plain HTTP exchange, and the upstream
//! that executed actions call, in a process of its own.

use std::io::Read as _;

use anyhow::Result;
use axum::Router;
use axum::body::Bytes;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::Value;

use crate::process::{Guarded, serve_helper};
use crate::template::{NUMBER, Target};
use crate::{output, subject};

/// The running echo.
#[derive(Debug)]
pub(crate) struct Echo {
    /// `127.0.0.1:40123`.
    pub(crate) address: String,
    _process: Guarded,
}

impl Echo {
    /// Starts it.
    pub(crate) fn start() -> Result<Self> {
        let (process, address) = serve_helper("echo")?;
        Ok(Self { address, _process: process })
    }

    /// The same bytes as an agent sends to the gate.
    pub(crate) fn target(&self) -> Target {
        Target::post(&self.address, "/items", subject::body("bench.item.create", NUMBER))
    }
}

/// The helper process: serves until standard input ends, so it cannot outlive the benchmark.
pub(crate) fn serve() -> Result<()> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_io().enable_time().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        output::line(&listener.local_addr()?.to_string());
        let app = Router::new().fallback(|body: Bytes| async move { answer(&body) });
        let parent_gone = tokio::task::spawn_blocking(|| {
            let mut rest = Vec::new();
            std::io::stdin().lock().read_to_end(&mut rest).map(|_| ())
        });
        tokio::select! {
            served = axum::serve(listener, app) => served?,
            gone = parent_gone => gone??,
        }
        Ok(())
    })
}

fn answer(body: &[u8]) -> Response {
    match serde_json::from_slice::<Value>(body).and_then(|value| serde_json::to_vec(&value)) {
        Ok(bytes) => ([(header::CONTENT_TYPE, "application/json")], bytes).into_response(),
        Err(error) => (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
    }
}
