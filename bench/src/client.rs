//! A blocking client on one kept-alive connection: for the open loop, whose threads wake at scheduled times,
//! and for the few requests that the benchmark sends itself.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::http::{Incoming, READ_BYTES, Response};
use crate::template::{Target, Template};

/// An answer that takes longer is counted as broken.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// One connection.
#[derive(Debug)]
pub(crate) struct Client {
    stream: TcpStream,
    incoming: Incoming,
    buffer: Vec<u8>,
}

impl Client {
    /// Connects.
    pub(crate) fn connect(address: &str) -> Result<Self> {
        let stream = TcpStream::connect(address).with_context(|| format!("failed to reach {address}"))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(ANSWER_WITHIN))?;
        Ok(Self { stream, incoming: Incoming::default(), buffer: vec![0; READ_BYTES] })
    }

    /// Sends one rendered request and waits for the whole answer.
    pub(crate) fn send(&mut self, request: &[u8]) -> Result<Response> {
        self.incoming.clear();
        self.stream.write_all(request)?;
        loop {
            let count = self.stream.read(&mut self.buffer)?;
            if count == 0 {
                bail!("the server closed the connection before its answer was whole");
            }
            if self.incoming.push(self.buffer.get(..count).unwrap_or_default())?.is_some() {
                return self.incoming.take().context("the answer was lost");
            }
        }
    }

    /// Sends a request once, and wants one of the statuses it expects.
    pub(crate) fn call(&mut self, target: &Target) -> Result<Response> {
        let mut request = Vec::new();
        Template::new(target)?.render(0, &mut request);
        let response = self.send(&request)?;
        if !target.expect.contains(&response.status) {
            let body: String = String::from_utf8_lossy(&response.body).chars().take(400).collect();
            bail!("{} {} was answered {}: {body}", target.method, target.path, response.status);
        }
        Ok(response)
    }
}
