//! A browser: Chromium, driven over the W3C `WebDriver` protocol by plain HTTP.
//!
//! `find` and what is built on it wait some seconds for an element to appear; `execute` does not wait. Every
//! failed command fails the test with what the driver said.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use base64::Engine as _;
use reqwest::Method;
use serde_json::{Value, json};

use super::gate::http;

/// The key of an element's reference, fixed by the `WebDriver` standard.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
/// For any one command; the first start of Chromium on a busy machine is slow.
const PATIENCE: Duration = Duration::from_secs(90);

const FLAGS: &[&str] = &[
    "--headless=new",
    // A laptop; narrower pages keep a bar at the bottom.
    "--window-size=1280,900",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    // Containers often have a small /dev/shm, and pages crash when it is full.
    "--disable-dev-shm-usage",
    // Chromium ends with the driver, however that ends.
    "--remote-debugging-pipe",
];

/// A running browser with a profile of its own. It ends with this value.
#[derive(Debug)]
pub(crate) struct Browser {
    driver: Child,
    port: u16,
    session: String,
    http: reqwest::Client,
    /// Chromium's profile, home and temporary files.
    home: tempfile::TempDir,
}

impl Browser {
    /// Starts it. None, and a line that says so, when Chromium or its driver is missing; a failed test when
    /// `COUNTERSIGN_REQUIRE_TOOLS=1`.
    pub(crate) async fn start() -> Option<Self> {
        let chromium = ["chromium", "chromium-browser", "google-chrome"].into_iter().find_map(program);
        let (Some(chromium), Some(driver)) = (chromium, program("chromedriver")) else {
            missing();
            return None;
        };
        let home = tempfile::tempdir().unwrap();
        let (driver, port) = start_driver(&driver, home.path());
        let mut browser = Self { driver, port, session: String::new(), http: http(), home };
        let mut flags: Vec<String> = FLAGS.iter().map(|flag| (*flag).to_owned()).collect();
        flags.push(format!("--user-data-dir={}", browser.home.path().join("profile").display()));
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": { "binary": chromium, "args": flags },
            "goog:loggingPrefs": { "browser": "ALL" },
            "timeouts": { "implicit": 5_000, "pageLoad": 30_000, "script": 15_000 },
        }}});
        let made =
            browser.send(Method::POST, "/session", Some(wanted)).await.unwrap_or_else(|e| panic!("{e}"));
        made["sessionId"].as_str().unwrap().clone_into(&mut browser.session);
        Some(browser)
    }

    /// Opens a page and waits until it is loaded.
    pub(crate) async fn goto(&self, url: &str) {
        self.post("/url", json!({ "url": url })).await;
    }

    /// Where the browser is now.
    pub(crate) async fn url(&self) -> String {
        self.get("/url").await.as_str().unwrap().to_owned()
    }

    /// The first element that matches the CSS selector, as the driver's id.
    pub(crate) async fn find(&self, css: &str) -> String {
        let found = self.post("/element", json!({ "using": "css selector", "value": css })).await;
        found[ELEMENT].as_str().unwrap().to_owned()
    }

    /// How many elements match, now.
    pub(crate) async fn count(&self, css: &str) -> usize {
        let count = self.execute(&format!("return document.querySelectorAll({}).length", json!(css))).await;
        usize::try_from(count.as_u64().unwrap()).unwrap()
    }

    /// Clicks as a person would: it fails when something else covers the element.
    pub(crate) async fn click(&self, css: &str) {
        let id = self.find(css).await;
        self.post(&format!("/element/{id}/click"), json!({})).await;
    }

    /// Types into an element. `\u{e007}` is Enter, `\u{e004}` is Tab.
    pub(crate) async fn type_text(&self, css: &str, text: &str) {
        let id = self.find(css).await;
        self.post(&format!("/element/{id}/value"), json!({ "text": text })).await;
    }

    /// The text that is visible.
    pub(crate) async fn text(&self, css: &str) -> String {
        let id = self.find(css).await;
        self.get(&format!("/element/{id}/text")).await.as_str().unwrap().to_owned()
    }

    /// An attribute of an element, if it has it.
    pub(crate) async fn attribute(&self, css: &str, name: &str) -> Option<String> {
        let id = self.find(css).await;
        self.get(&format!("/element/{id}/attribute/{name}")).await.as_str().map(str::to_owned)
    }

    /// What follows is done inside this frame of the page, until the next `goto`.
    pub(crate) async fn enter_frame(&self, css: &str) {
        let id = self.find(css).await;
        self.post("/frame", json!({ "id": { ELEMENT: id } })).await;
    }

    /// Runs the body of a function in the page and gives what it returns, after its promise if it is one.
    pub(crate) async fn execute(&self, js: &str) -> Value {
        self.post("/execute/sync", json!({ "script": js, "args": [] })).await
    }

    /// Waits until an expression in the page is true.
    pub(crate) async fn wait_until(&self, js: &str) {
        let script = format!(
            "const done = arguments[0]; (function look() {{ if ({js}) done(true); else setTimeout(look, 20); }})()"
        );
        let waited = json!({ "script": script, "args": [] });
        let path = self.path("/execute/async");
        if let Err(error) = self.send(Method::POST, &path, Some(waited)).await {
            panic!("never came true: {js}\n{error}");
        }
    }

    /// Writes what is visible to a PNG file.
    pub(crate) async fn screenshot(&self, path: &Path) {
        let image = self.get("/screenshot").await;
        let bytes = base64::engine::general_purpose::STANDARD.decode(image.as_str().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    /// Sets the size of what a page sees, in CSS pixels.
    pub(crate) async fn set_window(&self, width: u32, height: u32) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", size).await;
    }

    /// What `prefers-color-scheme` says from now on.
    pub(crate) async fn dark_mode(&self, dark: bool) {
        let value = if dark { "dark" } else { "light" };
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": value }] });
        self.devtools("Emulation.setEmulatedMedia", features).await;
    }

    /// The cookies that the current page would send, in the driver's form: `name`, `value`, `path`, `secure`,
    /// `httpOnly`, `sameSite`, `domain`, `expiry`.
    pub(crate) async fn cookies(&self) -> Vec<Value> {
        self.get("/cookie").await.as_array().unwrap().clone()
    }

    /// What the browser complained about since the last call: script errors, blocked content, console lines.
    pub(crate) async fn complaints(&self) -> Vec<String> {
        let lines = self.post("/se/log", json!({ "type": "browser" })).await;
        lines.as_array().unwrap().iter().map(|line| line["message"].as_str().unwrap().to_owned()).collect()
    }

    /// A command of the Chrome `DevTools` protocol.
    pub(crate) async fn devtools(&self, command: &str, parameters: Value) -> Value {
        self.post("/goog/cdp/execute", json!({ "cmd": command, "params": parameters })).await
    }

    fn path(&self, command: &str) -> String {
        format!("/session/{}{command}", self.session)
    }

    async fn get(&self, command: &str) -> Value {
        self.send(Method::GET, &self.path(command), None).await.unwrap_or_else(|e| panic!("{command}: {e}"))
    }

    async fn post(&self, command: &str, body: Value) -> Value {
        let sent = body.to_string();
        let answer = self.send(Method::POST, &self.path(command), Some(body)).await;
        answer.unwrap_or_else(|e| panic!("{command} {sent}: {e}"))
    }

    async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Result<Value, String> {
        let url = format!("http://127.0.0.1:{}{path}", self.port);
        let mut request = self.http.request(method, url).timeout(PATIENCE);
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let response = request.send().await.map_err(|e| format!("the driver does not answer: {e}"))?;
        let ok = response.status().is_success();
        let mut answer: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
        let value = answer["value"].take();
        if ok { Ok(value) } else { Err(format!("{}: {}", value["error"], value["message"])) }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The polite end lets Chromium finish writing, so that its folder can be removed. No runtime is left here.
        if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) {
            let _ = stream.set_read_timeout(Some(Duration::from_secs(10)));
            let (port, path) = (self.port, self.path(""));
            let _ = write!(
                stream,
                "DELETE {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nconnection: close\r\n\r\n"
            );
            let _ = stream.read(&mut [0; 1]);
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

/// Starts the driver on a free port and gives the port.
fn start_driver(driver: &Path, home: &Path) -> (Child, u16) {
    let mut child = Command::new(driver)
        .arg("--port=0")
        .env("HOME", home)
        .env("TMPDIR", home)
        .env_remove("XDG_CONFIG_HOME")
        .env_remove("XDG_CACHE_HOME")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut said = String::new();
    let port = loop {
        let start = said.len();
        assert!(output.read_line(&mut said).unwrap() > 0, "the driver did not start: {said}");
        if let Some((_, rest)) = said[start..].split_once("successfully on port ") {
            break rest.trim().trim_end_matches('.').parse().unwrap();
        }
    };
    // Somebody has to read on, or the driver waits for room in the pipe.
    std::thread::spawn(move || std::io::copy(&mut output, &mut std::io::sink()));
    (child, port)
}

/// A program in the path.
fn program(name: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
}

fn missing() {
    let advice = "there is no Chromium with its driver on this machine; run scripts/setup-tools.sh";
    assert!(!std::env::var("COUNTERSIGN_REQUIRE_TOOLS").is_ok_and(|v| v == "1"), "{advice}");
    eprintln!("skipped: {advice}");
}
