//! A command as a client of a gate: one HTTP client, problem details as errors, a session kept in a
//! file that only its owner may read (T138).

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use countersign_core::audit::EXPORT_LINE_BYTES_MAX;
use countersign_core::refusal::InputError;
use countersign_core::text::visible;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{REFUSED, WRONG, write_private};
use crate::config;
use crate::wire::{PersonProposal, ProblemBody, VerdictBody};

/// Longer than the longest `?wait=`.
const TIMEOUT: Duration = Duration::from_secs(90);
/// For a whole log.
const EXPORT_TIMEOUT: Duration = Duration::from_hours(6);

/// A client with its bearer token.
#[derive(Debug)]
pub(crate) struct Client {
    http: reqwest::Client,
    base: String,
    token: String,
}

/// An answer: its status and its body.
#[derive(Debug)]
pub(crate) struct Reply {
    /// HTTP status.
    pub(crate) status: u16,
    body: Vec<u8>,
}

/// A person's session on this machine.
#[derive(Debug, Serialize, Deserialize)]
struct Session {
    gate: String,
    token: String,
}

impl Client {
    /// A client of the gate at `base`.
    #[expect(
        clippy::disallowed_methods,
        reason = "this client talks to the gate itself, never to an upstream"
    )]
    pub(crate) fn new(base: &str, token: &str) -> anyhow::Result<Self> {
        countersign_engine::net::install_tls_provider();
        let mut builder = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("countersign-cli/", env!("CARGO_PKG_VERSION")));
        // What is on this machine is not asked through another one, and the token not shown to it.
        if is_loopback(base) {
            builder = builder.no_proxy();
        }
        let http = builder.build()?;
        Ok(Self { http, base: base.trim_end_matches('/').to_owned(), token: token.to_owned() })
    }

    /// A client with the session that `countersign person login` kept.
    pub(crate) fn signed_in() -> anyhow::Result<Self> {
        let path = session_path()?;
        let text = std::fs::read_to_string(&path).context(
            "you are not signed in; ask an operator for a link and run `countersign person login`",
        )?;
        let session: Session = serde_json::from_str(&text).context("the kept session cannot be read")?;
        Self::new(&session.gate, &session.token)
    }

    /// `GET path`.
    pub(crate) async fn get(&self, path: &str) -> anyhow::Result<Reply> {
        self.send(self.http.get(format!("{}{path}", self.base))).await
    }

    /// `GET path` as text; a problem becomes an error in words.
    pub(crate) async fn text(&self, path: &str) -> anyhow::Result<String> {
        let reply = self.get(path).await?;
        if reply.status >= 400 {
            bail!("{}", reply.problem());
        }
        String::from_utf8(reply.body).context("the gate's answer is no text")
    }

    /// `GET path` line by line, each with its line feed, until `take` wants no more. What it holds does not grow with
    /// the answer.
    pub(crate) async fn lines(&self, path: &str, mut take: impl FnMut(&[u8]) -> bool) -> anyhow::Result<()> {
        let request = self.http.get(format!("{}{path}", self.base)).bearer_auth(&self.token);
        let sent = request.timeout(EXPORT_TIMEOUT).send().await;
        let mut response = sent.with_context(|| self.unreachable())?;
        let status = response.status().as_u16();
        if status >= 400 {
            bail!("{}", Reply { status, body: response.bytes().await?.to_vec() }.problem());
        }
        let mut line = Vec::new();
        while let Some(piece) = response.chunk().await.context("failed to read the gate's answer")? {
            for part in piece.split_inclusive(|byte| *byte == b'\n') {
                line.extend_from_slice(part);
                if line.ends_with(b"\n") || line.len() >= EXPORT_LINE_BYTES_MAX {
                    if !take(&line) {
                        return Ok(());
                    }
                    line.clear();
                }
            }
        }
        if !line.is_empty() {
            take(&line);
        }
        Ok(())
    }

    /// `POST path` with a JSON body.
    pub(crate) async fn post<T: Serialize>(&self, path: &str, body: &T) -> anyhow::Result<Reply> {
        let request = self.http.post(format!("{}{path}", self.base));
        self.send(request.header("content-type", "application/json").body(serde_json::to_vec(body)?)).await
    }

    /// `POST path` without a body.
    pub(crate) async fn post_nothing(&self, path: &str) -> anyhow::Result<Reply> {
        self.send(self.http.post(format!("{}{path}", self.base))).await
    }

    /// The same with an idempotency key.
    pub(crate) async fn post_once<T: Serialize>(
        &self,
        path: &str,
        body: &T,
        key: &str,
    ) -> anyhow::Result<Reply> {
        let request = self.http.post(format!("{}{path}", self.base)).header("idempotency-key", key);
        self.send(request.header("content-type", "application/json").body(serde_json::to_vec(body)?)).await
    }

    /// `POST path` with a JSON body as it is, and with more headers.
    pub(crate) async fn post_with(
        &self,
        path: &str,
        body: String,
        headers: &[(&'static str, String)],
    ) -> anyhow::Result<Reply> {
        let mut request =
            self.http.post(format!("{}{path}", self.base)).header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        self.send(request.body(body)).await
    }

    fn unreachable(&self) -> String {
        format!("failed to reach the gate at {}; does `countersign serve` run, and listen there?", self.base)
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> anyhow::Result<Reply> {
        let request = if self.token.is_empty() { request } else { request.bearer_auth(&self.token) };
        let response = request.send().await.with_context(|| self.unreachable())?;
        let status = response.status().as_u16();
        let bytes = response.bytes().await.context("failed to read the gate's answer")?;
        Ok(Reply { status, body: bytes.to_vec() })
    }
}

fn is_loopback(base: &str) -> bool {
    url::Url::parse(base).is_ok_and(|url| match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    })
}

impl Reply {
    /// The body in its shape. An answer of another shape is an error, and never read as an empty one.
    pub(crate) fn read<T: DeserializeOwned>(&self) -> anyhow::Result<T> {
        serde_json::from_slice(&self.body).with_context(|| {
            format!("the gate's answer ({}) cannot be read; is it of another version?", self.status)
        })
    }

    /// The body of a good answer; a problem becomes an error in words.
    pub(crate) fn good<T: DeserializeOwned>(&self) -> anyhow::Result<T> {
        if self.status < 400 { self.read() } else { Err(anyhow!("{}", self.problem())) }
    }

    /// The answer as it came.
    pub(crate) fn json(&self) -> anyhow::Result<Value> {
        self.read()
    }

    /// A problem in words, with the place of each mistake.
    pub(crate) fn problem(&self) -> String {
        let Ok(problem) = self.read::<ProblemBody>() else {
            return format!("the answer has the status {} and is no problem of a gate's", self.status);
        };
        let text = |text: &str| visible(text).text;
        let mut words = format!("{} ({} {})", text(&problem.detail), self.status, text(&problem.code));
        // What the sentence has said already is not said again.
        let new = |e: &&InputError| !e.pointer.is_empty() || !problem.detail.contains(&e.detail);
        for error in problem.errors.iter().flatten().filter(new) {
            words.push_str(&format!("; at `{}`: {}", text(&error.pointer), text(&error.detail)));
        }
        words
    }

    /// The exit code of a problem.
    pub(crate) const fn exit_code(&self) -> u8 {
        if self.status >= 500 { WRONG } else { REFUSED }
    }
}

/// The digests of what was read: the gate compares them with what is bound.
pub(crate) fn verdict(shown: &PersonProposal, comment: &str) -> anyhow::Result<VerdictBody> {
    let view = shown.view.context("the gate gave no digest of the card")?;
    let (intent, decision) = (shown.card.intent, shown.card.decision);
    Ok(VerdictBody { intent, decision, view, comment: comment.to_owned() })
}

/// Keeps a session for the next commands.
pub(crate) fn keep_session(gate: &str, token: &str) -> anyhow::Result<PathBuf> {
    let path = session_path()?;
    let session = Session { gate: gate.to_owned(), token: token.to_owned() };
    write_private(&path, &serde_json::to_string(&session)?)?;
    Ok(path)
}

fn session_path() -> anyhow::Result<PathBuf> {
    Ok(config::home().context("neither XDG_CONFIG_HOME nor HOME is set")?.join("countersign/session.json"))
}
