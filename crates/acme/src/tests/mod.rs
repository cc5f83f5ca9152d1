//! The shop over a real socket.

mod money;
mod records;
mod tokens;

use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::world::World;
use crate::{AcmeArgs, AcmeError, run};

const READ_SECRET: &str = "0123456789abcdef0123456789abcdef";
const WRITE_SECRET: &str = "fedcba9876543210fedcba9876543210";
const ALL_SCOPES: &str = "acme.read notes.write refunds.write customers.write";

/// A running shop.
struct Acme {
    base: String,
    client: Client,
    world: World,
    serving: JoinSet<Result<(), AcmeError>>,
    stop: oneshot::Sender<()>,
}

/// Hands on what is written before a flush.
struct Ready {
    text: Vec<u8>,
    tell: Option<oneshot::Sender<String>>,
}

impl Write for Ready {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        if let Some(tell) = self.tell.take() {
            tell.send(String::from_utf8_lossy(&self.text).into_owned()).map_err(io::Error::other)?;
        }
        Ok(())
    }
}

fn secrets(dir: &Path) -> AcmeArgs {
    let file = dir.join("clients");
    std::fs::write(&file, format!("gate-read:{READ_SECRET}\ngate-write:{WRITE_SECRET}\n")).unwrap();
    protect(&file, 0o600);
    AcmeArgs { port: 0, data: dir.join("data"), client_secret_file: file, stop_with_stdin: false }
}

fn protect(file: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[expect(clippy::disallowed_methods, reason = "this client talks to the test's own loopback server only")]
fn http_client() -> Client {
    // A second test of this process finds the provider installed, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().no_proxy().build().unwrap()
}

impl Acme {
    async fn start(dir: &TempDir) -> Self {
        let args = secrets(dir.path());
        let world = World::manual();
        let (tell, told) = oneshot::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let mut ready = Ready { text: Vec::new(), tell: Some(tell) };
        let mut serving = JoinSet::new();
        let its_world = world.clone();
        serving.spawn(async move {
            let stop = async move {
                let _ = stopped.await;
            };
            run(&args, its_world, &mut ready, stop).await
        });
        let line = told.await.unwrap();
        let base = line.strip_prefix("acme listening on ").unwrap().trim_end().to_owned();
        Self { base, client: http_client(), world, serving, stop }
    }

    /// Ends the process, as it were, and waits until the database is free.
    async fn stop(mut self) {
        self.stop.send(()).unwrap();
        drop(self.client);
        self.serving.join_next().await.unwrap().unwrap().unwrap();
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base)).timeout(Duration::from_secs(10))
    }

    async fn token_answer(&self, client: &str, secret: &str, form: &str) -> (StatusCode, Value) {
        let request = self
            .request(Method::POST, "/oauth/token")
            .basic_auth(client, Some(secret))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form.to_owned());
        answer(request).await
    }

    async fn token(&self, scopes: &str) -> String {
        let form = format!("grant_type=client_credentials&scope={}", scopes.replace(' ', "+"));
        let (status, body) = self.token_answer("gate-write", WRITE_SECRET, &form).await;
        assert_eq!(status, 200, "{body}");
        body["access_token"].as_str().unwrap().to_owned()
    }

    async fn get(&self, token: &str, path: &str) -> (StatusCode, Value) {
        answer(self.request(Method::GET, path).bearer_auth(token)).await
    }

    fn post(&self, token: &str, path: &str, body: &Value) -> RequestBuilder {
        self.request(Method::POST, path)
            .bearer_auth(token)
            .header("content-type", "application/json")
            .body(body.to_string())
    }

    fn refund(&self, token: &str, invoice: &str, amount: i64, key: &str) -> RequestBuilder {
        let body = json!({ "invoice": invoice, "amount": amount, "reference": "prp_1" });
        self.post(token, "/v1/refunds", &body).header("idempotency-key", key)
    }
}

async fn answer(request: RequestBuilder) -> (StatusCode, Value) {
    let response = request.send().await.unwrap();
    let status = response.status();
    let text = response.text().await.unwrap();
    let body = if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() };
    (status, body)
}
