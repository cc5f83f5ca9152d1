//! What the console's tests take for granted: the browser obeys, and it keeps the cookies that the console sets.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::http::{HeaderMap, header};
use axum::response::{AppendHeaders, Html};
use axum::routing::get;

use crate::support::webdriver::Browser;

const PAGE: &str = r"<!doctype html>
<title>Smoke</title>
<style>
  p { color: rgb(0, 0, 0) }
  @media (prefers-color-scheme: dark) { p { color: rgb(255, 255, 255) } }
</style>
<p id=greeting>Hello <span hidden>unseen</span></p>
<form><input name=who maxlength=20><button>Greet</button></form>
<script>
  document.forms[0].addEventListener('submit', (event) => {
    event.preventDefault();
    const who = event.target.who.value;
    setTimeout(() => {
      greeting.textContent = 'Hello ' + who;
      greeting.after(Object.assign(document.createElement('b'), { id: 'late', textContent: 'done' }));
    }, 50);
  });
  console.error('a complaint');
</script>";

/// Serves on a free port of this address; gives the port.
async fn serve(address: &str, router: Router) -> u16 {
    let listener = tokio::net::TcpListener::bind((address, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    port
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_reads_types_clicks_waits_and_takes_pictures() {
    let Some(browser) = Browser::start().await else { return };
    let port = serve("127.0.0.1", Router::new().route("/", get(|| async { Html(PAGE) }))).await;
    let page = format!("http://127.0.0.1:{port}/");
    browser.goto(&page).await;
    assert_eq!(browser.url().await, page);
    assert_eq!(browser.text("#greeting").await, "Hello");
    assert_eq!(browser.attribute("input", "maxlength").await.as_deref(), Some("20"));
    assert_eq!(browser.attribute("input", "placeholder").await, None);
    assert_eq!(browser.count("#late").await, 0);

    browser.type_text("input", "Ada").await;
    browser.click("button").await;
    assert_eq!(browser.text("#late").await, "done");
    browser.wait_until("greeting.textContent === 'Hello Ada'").await;
    assert_eq!(browser.execute("return [1, document.title]").await, serde_json::json!([1, "Smoke"]));
    let complaints = browser.complaints().await;
    assert!(complaints.iter().any(|line| line.contains("a complaint")), "{complaints:?}");

    browser.set_window(390, 844).await;
    assert_eq!(browser.execute("return [innerWidth, innerHeight]").await, serde_json::json!([390, 844]));
    let color = "return getComputedStyle(greeting).color";
    browser.dark_mode(true).await;
    assert_eq!(browser.execute(color).await, "rgb(255, 255, 255)");
    browser.dark_mode(false).await;
    assert_eq!(browser.execute(color).await, "rgb(0, 0, 0)");
    let folder = tempfile::tempdir().unwrap();
    let picture = folder.path().join("page.png");
    browser.screenshot(&picture).await;
    assert!(std::fs::read(picture).unwrap().starts_with(b"\x89PNG\r\n"));
}

/// Serves `/set`, which sets four cookies, one of them against the rule of its prefix, and remembers the `Cookie` header of `/get`.
fn cookie_pages(seen: &Arc<Mutex<Option<String>>>) -> Router {
    let write = || async {
        AppendHeaders([
            (header::SET_COOKIE, "__Host-session=s1; Secure; HttpOnly; SameSite=Strict; Path=/"),
            (header::SET_COOKIE, "__Host-bad=b1; HttpOnly; SameSite=Strict; Path=/"),
            (header::SET_COOKIE, "secure=x1; Secure; Path=/"),
            (header::SET_COOKIE, "plain=p1; Path=/"),
        ])
    };
    let seen = Arc::clone(seen);
    let read = move |headers: HeaderMap| async move {
        let cookies = headers.get(header::COOKIE);
        *seen.lock().unwrap() = cookies.map(|value| value.to_str().unwrap().to_owned());
    };
    Router::new().route("/set", get(write)).route("/get", get(read))
}

/// The console on 127.0.0.1 has no TLS and sets `__Host-` cookies all the same: Chromium takes loopback for secure.
#[tokio::test(flavor = "multi_thread")]
async fn a_host_cookie_set_over_plain_http_on_loopback_is_kept_and_sent_back() {
    let Some(browser) = Browser::start().await else { return };
    let seen = Arc::new(Mutex::new(None));
    let port = serve("127.0.0.1", cookie_pages(&seen)).await;
    for host in ["127.0.0.1", "localhost"] {
        browser.goto(&format!("http://{host}:{port}/set")).await;
        browser.goto(&format!("http://{host}:{port}/get")).await;
        let sent = seen.lock().unwrap().take().unwrap_or_default();
        let mut kept: Vec<String> =
            browser.cookies().await.iter().map(|c| c["name"].as_str().unwrap().to_owned()).collect();
        kept.sort();
        assert_eq!(kept, ["__Host-session", "plain", "secure"], "{host}");
        assert_eq!(sent, "__Host-session=s1; secure=x1; plain=p1", "{host}");
    }
}
