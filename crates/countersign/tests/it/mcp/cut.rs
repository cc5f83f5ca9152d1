//! Streams that break at each byte of a call and of its answer.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::json;

use super::{CURRENT, Client, upstream};
use crate::support::GateDir;

/// A call as it stands on the wire.
fn on_the_wire(client: &Client<'_>, call: &serde_json::Value) -> (String, Vec<u8>) {
    let body = client.message(1, "tools/call", call.clone()).to_string();
    let request = client.post("tools/call", "shop_note_add").header("content-type", "application/json");
    let request = request.build().unwrap();
    let address = client.gate.agents.trim_start_matches("http://").to_owned();
    let mut head = format!("POST /mcp HTTP/1.1\r\nhost: {address}\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in request.headers() {
        head.push_str(&format!("{name}: {}\r\n", value.to_str().unwrap()));
    }
    (address, [head.as_bytes(), b"\r\n", body.as_bytes()].concat())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_breaks_at_each_byte_of_a_call_does_nothing_twice_t94_t95() {
    let upstream = upstream().await;
    let gate = GateDir::new(&upstream).with_wide_limits().serve();
    let client = Client::new(&gate, CURRENT);
    let note = json!({ "id": "i_1", "text": "Called back." });
    let (address, bytes) = on_the_wire(&client, &json!({ "name": "shop_note_add", "arguments": note }));
    let connected = |end: usize| {
        let mut stream = TcpStream::connect(&address).unwrap();
        stream.write_all(&bytes[..end]).unwrap();
        stream
    };
    // Half a call is none.
    for end in 0..bytes.len() {
        drop(connected(end));
    }
    let (failed, text, _) =
        client.call(2, "gate_preview", json!({ "tool": "shop_note_add", "arguments": note })).await;
    assert!(!failed && upstream.writes().is_empty(), "{text}");

    // A whole one whose answer nobody reads to its end.
    let answer = {
        let mut stream = connected(bytes.len());
        let mut start = vec![0; 1];
        stream.read_exact(&mut start).unwrap();
        stream.set_read_timeout(Some(std::time::Duration::from_millis(300))).unwrap();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        [start, rest].concat()
    };
    assert!(String::from_utf8_lossy(&answer).starts_with("HTTP/1.1 200"), "{answer:?}");
    for end in 0..answer.len() {
        let mut stream = connected(bytes.len());
        stream.read_exact(&mut vec![0; end]).unwrap();
    }
    let (failed, text, _) = client.call(3, "shop_note_add", note).await;
    assert!(!failed && text.starts_with("ALREADY DONE."), "{text}");
    assert_eq!(upstream.writes().len(), 1);
    gate.stop_with_sound_log();
}

/// The first call of all is the one whose answer is lost, while it is on its way.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_whose_client_has_gone_is_done_once_and_found_again_t94() {
    let upstream = upstream().await;
    let gate = GateDir::new(&upstream).serve();
    let client = Client::new(&gate, CURRENT);
    let go = std::sync::Arc::new(tokio::sync::Notify::new());
    upstream.on("POST /items/i_1/notes", crate::support::Reply::Held(std::sync::Arc::clone(&go)));
    let note = json!({ "id": "i_1", "text": "Called back." });
    let (address, bytes) = on_the_wire(&client, &json!({ "name": "shop_note_add", "arguments": note }));
    let mut stream = TcpStream::connect(&address).unwrap();
    stream.write_all(&bytes).unwrap();
    crate::support::wait::eventually("the call is on its way", async || upstream.writes().len() == 1).await;
    drop(stream);
    let again = client.call(2, "shop_note_add", note);
    let (answer, ()) = tokio::join!(again, async {
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        go.notify_one();
    });
    assert!(!answer.0 && answer.1.starts_with("ALREADY DONE."), "{}", answer.1);
    assert_eq!(upstream.writes().len(), 1);
    gate.stop_with_sound_log();
}
