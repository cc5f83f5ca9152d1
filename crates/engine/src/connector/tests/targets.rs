//! What may be dialled, through the whole connector (T22, T65, T69).

use super::toxic::{Step, Toxic, answer};
use super::*;

async fn upstream() -> Toxic {
    Toxic::start(vec![Step::Read, Step::Send(answer("200 OK", "{}"))]).await
}

#[tokio::test]
async fn a_special_address_is_refused_as_a_literal_and_as_a_name_t65() {
    let upstream = upstream().await;
    let port = upstream.address.port();
    let closed = HttpConnector::new(NetworkPolicy::default());
    for host in ["127.0.0.1", "localhost", "[::1]", "[::ffff:7f00:1]", "169.254.169.254"] {
        for make in [write_call, read_call] {
            let outcome = closed.call(&grant(make(&format!("http://{host}:{port}/"))), None).await;
            assert_eq!(class(&outcome), "failed address_refused", "{host}");
        }
    }
    assert_eq!(upstream.requests(), 0);
}

#[tokio::test]
async fn the_gates_own_listener_is_refused_by_every_name_t22() {
    let upstream = upstream().await;
    let port = upstream.address.port();
    for own in [upstream.address.to_string(), format!("0.0.0.0:{port}"), format!("[::]:{port}")] {
        let policy = NetworkPolicy {
            allow: vec!["0.0.0.0/0".parse().unwrap(), "::/0".parse().unwrap()],
            own: vec![own.parse().unwrap()],
        };
        let connector = HttpConnector::new(policy);
        for host in ["127.0.0.1", "localhost", "0.0.0.0", "[::ffff:7f00:1]"] {
            let outcome = connector.call(&grant(write_call(&format!("http://{host}:{port}/"))), None).await;
            // `localhost` may also resolve to ::1, where nobody listens.
            assert!(
                ["failed address_refused", "failed not_connected"].contains(&class(&outcome).as_str()),
                "own {own}, {host}: {}",
                class(&outcome)
            );
        }
    }
    assert_eq!(upstream.requests(), 0);
}

#[tokio::test]
async fn a_url_that_the_parser_would_write_differently_is_not_sent() {
    let upstream = upstream().await;
    let port = upstream.address.port();
    for url in [
        format!("http://127.0.0.1:{port}"),
        format!("http://0x7f.1:{port}/"),
        format!("http://user@127.0.0.1:{port}/"),
        format!("http://127.0.0.1:{port}/a/../b"),
        format!("http://127.0.0.1:{port}/a/%2e%2e/b"),
        format!("http://127.0.0.1:{port}/a\\b"),
        format!("http://127.0.0.1:{port}/a\tb"),
        format!("http://127.0.0.1:{port}/a b"),
        format!("http://127.0.0.1:{port}/#x"),
        format!(" http://127.0.0.1:{port}/"),
        format!("HTTP://127.0.0.1:{port}/"),
        "ftp://127.0.0.1/".to_owned(),
        "file:///etc/passwd".to_owned(),
        "nonsense".to_owned(),
    ] {
        assert_eq!(class(&call(write_call(&url)).await), "failed intent_mismatch", "{url}");
    }
    assert_eq!(upstream.requests(), 0);
}

#[tokio::test]
async fn a_header_that_steers_the_message_or_holds_more_than_text_is_not_sent_t69() {
    let upstream = upstream().await;
    for (name, value) in [
        ("host", "evil.example"),
        ("Content-Length", "0"),
        ("transfer-encoding", "chunked"),
        ("connection", "close"),
        ("authorization", "Bearer x"),
        ("cookie", "a=b"),
        ("content-type", "text/plain"),
        ("idempotency-key", "twice"),
        ("x y", "z"),
        ("x:", "z"),
        ("", "z"),
        ("x", "a\r\nevil: 1"),
        ("x", "a\nb"),
        ("x", "a\0b"),
        ("x", "a\tb"),
        ("x", "é"),
        ("x", " a"),
        ("x", "a "),
    ] {
        let mut call_ = write_call(&upstream.url("/"));
        call_.headers.push((name.to_owned(), value.to_owned()));
        assert_eq!(class(&call(call_).await), "failed intent_mismatch", "{name:?}: {value:?}");
    }
    let mut bad_type = write_call(&upstream.url("/"));
    bad_type.body = Some(("text/plain\r\nevil: 1".to_owned(), String::new()));
    assert_eq!(class(&call(bad_type).await), "failed intent_mismatch");
    assert_eq!(upstream.requests(), 0);
}
