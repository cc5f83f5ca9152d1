//! Requests down to the bytes, for what no polite client sends.

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Connects to the address of a URL.
pub(crate) async fn connect(url: &str) -> TcpStream {
    TcpStream::connect(url.trim_start_matches("http://")).await.unwrap()
}

/// Sends bytes and gives the status and the body of the first answer; 0 for none. The bytes should make the
/// gate close the connection.
pub(crate) async fn exchange(url: &str, bytes: &[u8]) -> (u16, Value) {
    send(url, bytes, false).await
}

/// The same from a client that stops sending there and then. The gate may go away without a word.
pub(crate) async fn exchange_cut(url: &str, bytes: &[u8]) -> (u16, Value) {
    send(url, bytes, true).await
}

async fn send(url: &str, bytes: &[u8], cut: bool) -> (u16, Value) {
    let (mut from, mut to) = connect(url).await.into_split();
    // Both directions at once, because a gate that has read enough answers before everything was sent.
    let send = async {
        // The other side may have enough before the end; then its answer says so.
        let _ = to.write_all(bytes).await;
        if cut {
            let _ = to.shutdown().await;
        }
    };
    let mut answer = Vec::new();
    let both = async { tokio::join!(send, from.read_to_end(&mut answer)) };
    let _ = tokio::time::timeout(std::time::Duration::from_secs(30), both).await.unwrap();
    let text = String::from_utf8_lossy(&answer).into_owned();
    let status = text.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or(0);
    let body = text.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default();
    (status, serde_json::from_str(&body).unwrap_or(Value::String(body)))
}
