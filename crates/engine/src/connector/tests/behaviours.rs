//! What every misbehaviour is called, and that nothing is ever sent twice (T77, T93).

use super::toxic::{Step, Toxic, answer, send};
use super::*;

type Make = fn(&str) -> HttpCall;

#[derive(Clone)]
struct Case {
    name: &'static str,
    steps: Vec<Step>,
    /// For a write of unknown effect.
    write: &'static str,
    /// For an action of class `read`.
    read: &'static str,
}

fn case(name: &'static str, steps: Vec<Step>, write: &'static str, read: &'static str) -> Case {
    Case { name, steps, write, read }
}

const OK_HEAD: &str = "HTTP/1.1 200 OK\r\n";

fn after_read(text: &str) -> Vec<Step> {
    vec![Step::Read, send(text)]
}

fn broken_connections() -> Vec<Case> {
    use Step::{Drip, Hang, Read, ReadBytes, Reset};
    let (lost, read_lost) = ("unknown connection_lost", "failed connection_lost");
    let (late, read_late) = ("unknown timed_out", "failed timed_out");
    let slow_body =
        || vec![Read, send(&format!("{OK_HEAD}content-length: 90\r\n\r\n")), Drip(vec![b'x'; 90])];
    vec![
        case("closes at once", vec![], lost, read_lost),
        case("resets at once", vec![Reset], lost, read_lost),
        case("resets within the head", vec![ReadBytes(20), Reset], lost, read_lost),
        case("reads all, closes", vec![Read], lost, read_lost),
        case("reads all, resets", vec![Read, Reset], lost, read_lost),
        case("hangs without reading", vec![Hang], late, read_late),
        case("hangs after reading", vec![Read, Hang], late, read_late),
        case("sends half a status line, closes", after_read("HTTP/1.1 2"), lost, read_lost),
        case("sends half a head, closes", after_read("HTTP/1.1 200 OK\r\ncontent-le"), lost, read_lost),
        case("sends half a head, hangs", vec![Read, send("HTTP/1.1 200 OK\r\n"), Hang], late, read_late),
        case(
            "drips the head",
            vec![
                Read,
                Drip(vec![b'H'; 1]),
                Drip(b"TTP/1.1 200 OK\r\nx: 12345678901234567890\r\n\r\n".to_vec()),
            ],
            late,
            read_late,
        ),
        case("drips the body", slow_body(), late, read_late),
        case(
            "says 100, then hangs",
            vec![Read, send("HTTP/1.1 100 Continue\r\n\r\n"), Hang],
            late,
            read_late,
        ),
    ]
}

const BAD: &str = "unknown unreadable_answer";
const READ_BAD: &str = "failed unreadable_answer";

fn not_http() -> Vec<Case> {
    let long_header = format!("{OK_HEAD}x: {}\r\n\r\n", "y".repeat(1024 * 1024));
    let many_headers = format!("{OK_HEAD}{}\r\n", "x: y\r\n".repeat(2_000));
    vec![
        case("not HTTP", after_read("SSH-2.0-OpenSSH_9.2\r\n\r\n"), BAD, READ_BAD),
        case("HTTP/0.9", after_read("<html>hello</html>\r\n\r\n"), BAD, READ_BAD),
        case("HTTP/2 preface", after_read("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), BAD, READ_BAD),
        case("a status of letters", after_read("HTTP/1.1 abc OK\r\n\r\n"), BAD, READ_BAD),
        case("a NUL in a header", after_read("HTTP/1.1 200 OK\r\nx: a\0b\r\n\r\n"), BAD, READ_BAD),
        case(
            "two lengths",
            after_read(&format!("{OK_HEAD}content-length: 1\r\ncontent-length: 2\r\n\r\nab")),
            BAD,
            READ_BAD,
        ),
        case("a negative length", after_read(&format!("{OK_HEAD}content-length: -1\r\n\r\n")), BAD, READ_BAD),
        case("a header of 1 MiB", after_read(&long_header), BAD, READ_BAD),
        case("2000 headers", after_read(&many_headers), BAD, READ_BAD),
    ]
}

fn broken_bodies() -> Vec<Case> {
    use Step::{Hang, Read, Reset};
    let (status, read_status) = ("unknown unclear_status", "failed unclear_status");
    let chunked = "transfer-encoding: chunked\r\n\r\n";
    vec![
        case(
            "a body cut by close",
            after_read(&format!("{OK_HEAD}content-length: 10\r\n\r\nabc")),
            BAD,
            READ_BAD,
        ),
        case(
            "a body cut by reset",
            vec![Read, send(&format!("{OK_HEAD}content-length: 10\r\n\r\nabc")), Reset],
            BAD,
            READ_BAD,
        ),
        case("chunks cut", after_read(&format!("{OK_HEAD}{chunked}5\r\nhel")), BAD, READ_BAD),
        case(
            "chunks without an end",
            after_read(&format!("{OK_HEAD}{chunked}5\r\nhello\r\n")),
            BAD,
            READ_BAD,
        ),
        case(
            "a chunk length that is none",
            after_read(&format!("{OK_HEAD}{chunked}zz\r\nhello\r\n0\r\n\r\n")),
            BAD,
            READ_BAD,
        ),
        case(
            "gzip that nobody asked for",
            vec![Read, Step::Send(answer("200 OK\r\ncontent-encoding: gzip", "\u{1f}x"))],
            BAD,
            READ_BAD,
        ),
        case(
            "switches protocols",
            vec![
                Read,
                send("HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"),
                Hang,
            ],
            status,
            read_status,
        ),
        case(
            "a refusal with a cut body",
            after_read("HTTP/1.1 422 No\r\ncontent-length: 10\r\n\r\nabc"),
            "failed upstream_refused",
            "failed upstream_refused",
        ),
        case(
            "a server error with a cut body",
            after_read("HTTP/1.1 500 No\r\ncontent-length: 10\r\n\r\nabc"),
            status,
            read_status,
        ),
    ]
}

fn too_large_bodies() -> Vec<Case> {
    use Step::{Flood, Read};
    let chunked = "transfer-encoding: chunked\r\n\r\n";
    let large = "x".repeat(limits::RESPONSE_BYTES_MAX + 1);
    vec![
        case(
            "a length of 10 GB",
            vec![
                Read,
                send(&format!("{OK_HEAD}content-length: 10000000000\r\n\r\n")),
                Flood(vec![b'x'; 65536]),
            ],
            BAD,
            READ_BAD,
        ),
        case("a body one byte too large", vec![Read, Step::Send(answer("200 OK", &large))], BAD, READ_BAD),
        case(
            "chunks without end",
            vec![
                Read,
                send(&format!("{OK_HEAD}{chunked}")),
                Flood(format!("4000\r\n{}\r\n", "x".repeat(0x4000)).into_bytes()),
            ],
            BAD,
            READ_BAD,
        ),
        case(
            "a body until close, without end",
            vec![Read, send(&format!("{OK_HEAD}\r\n")), Flood(vec![b'x'; 65536])],
            BAD,
            READ_BAD,
        ),
    ]
}

fn good_answers() -> Vec<Case> {
    use Step::{Drip, Read, Send};
    let good = |name, steps| case(name, steps, "succeeded", "succeeded");
    let whole = "x".repeat(limits::RESPONSE_BYTES_MAX);
    vec![
        good("200", vec![Read, Send(answer("200 OK", "{}"))]),
        good("201 without a body", vec![Read, Send(answer("201 Created", ""))]),
        good(
            "100, then 200",
            vec![Read, send("HTTP/1.1 100 Continue\r\n\r\n"), Send(answer("200 OK", "{}"))],
        ),
        good(
            "103 twice, then 200",
            vec![
                Read,
                send("HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n"),
                send("HTTP/1.1 103 E\r\n\r\n"),
                Send(answer("200 OK", "{}")),
            ],
        ),
        good(
            "a short head, slowly",
            vec![Read, Drip(b"HTTP/1.1".to_vec()), send(" 200 OK\r\ncontent-length: 0\r\n\r\n")],
        ),
        good("a body of exactly the limit", vec![Read, Send(answer("200 OK", &whole))]),
        good("a body until close", after_read(&format!("{OK_HEAD}\r\nhello"))),
        good("HTTP/1.0", after_read("HTTP/1.0 200 OK\r\n\r\nhello")),
        good(
            "chunks with a trailer",
            after_read(&format!("{OK_HEAD}transfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nx: y\r\n\r\n")),
        ),
        good(
            "bytes after the answer",
            vec![Read, Send(answer("200 OK", "{}")), send("HTTP/1.1 500 No\r\n\r\n")],
        ),
    ]
}

#[tokio::test]
async fn every_misbehaviour_has_its_outcome_and_is_sent_once_t77_t93() {
    let cases =
        [broken_connections(), not_http(), broken_bodies(), too_large_bodies(), good_answers()].concat();
    assert!(cases.len() >= 40, "the promise is 40 behaviours");
    let mut wrong = Vec::new();
    for case in cases {
        let makers: [(Make, &str); 2] = [(write_call, case.write), (read_call, case.read)];
        for (make, expected) in makers {
            let upstream = Toxic::start(case.steps.clone()).await;
            let outcome = call(make(&upstream.url("/v1/things"))).await;
            if class(&outcome) != expected || upstream.requests() > 1 {
                wrong.push(format!(
                    "{}: {}, {} requests; expected {expected}",
                    case.name,
                    class(&outcome),
                    upstream.requests()
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn a_status_says_failed_only_when_it_means_not_applied() {
    let refused = [400, 401, 403, 404, 405, 406, 410, 411, 412, 413, 414, 415, 417, 421, 422, 426, 428, 431];
    for status in 200..=599_u16 {
        let expected = match status {
            200 | 201 => "succeeded",
            307 | 308 => "failed redirected",
            300..=399 => "unknown redirected",
            _ if refused.contains(&status) => "failed upstream_refused",
            _ => "unknown unclear_status",
        };
        let steps = vec![Step::Read, Step::Send(answer(&format!("{status} X"), ""))];
        let upstream = Toxic::start(steps).await;
        let outcome = call(write_call(&upstream.url("/"))).await;
        assert_eq!(class(&outcome), expected, "{status}");
        assert_eq!(response(&outcome).status, status);
        // The same status for a read: there is no effect to be unclear about.
        let read = call(read_call(&upstream.url("/"))).await;
        assert_eq!(class(&read), expected.replace("unknown", "failed"), "{status} for a read");
        assert_eq!(upstream.requests(), 2, "{status}");
    }
}

#[tokio::test]
async fn nothing_is_sent_when_nobody_listens() {
    let address = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    for make in [write_call, read_call] {
        assert_eq!(class(&call(make(&format!("http://{address}/"))).await), "failed not_connected");
        assert_eq!(class(&call(make("http://no-such-host.invalid/")).await), "failed not_connected");
    }
}

#[tokio::test]
async fn a_reset_at_any_byte_of_the_request_never_causes_a_second_one_t93() {
    // The request is a little longer than 140 bytes; the port's digits decide how much.
    for count in (0..=140).step_by(5) {
        let upstream = Toxic::start(vec![Step::ReadBytes(count), Step::Reset]).await;
        let outcome = call(write_call(&upstream.url("/v1/things"))).await;
        assert_eq!(class(&outcome), "unknown connection_lost", "after {count} bytes");
        assert!(upstream.requests() <= 1, "after {count} bytes");
    }
}

#[tokio::test]
async fn a_reset_on_a_reused_connection_never_causes_a_second_request_t93() {
    let ok = Step::Send(answer("200 OK", "{}"));
    let upstream = Toxic::start(vec![Step::Read, ok, Step::Read, Step::Reset]).await;
    let connector = HttpConnector::new(loopback());
    for (path, expected) in [("/1", "succeeded"), ("/2", "unknown connection_lost"), ("/3", "succeeded")] {
        let outcome = connector.call(&grant(write_call(&upstream.url(path))), None).await;
        assert_eq!(class(&outcome), expected, "{path}");
    }
    let all = upstream.received().concat();
    for path in ["/1", "/2", "/3"] {
        assert_eq!(all.matches(&format!("POST {path} ")).count(), 1, "{path}");
    }
    assert_eq!(upstream.received().len(), 2, "the first connection was used again");
}

#[tokio::test]
async fn exactly_what_was_approved_is_on_the_wire() {
    let upstream = Toxic::start(vec![Step::Read, Step::Send(answer("200 OK", ""))]).await;
    let mut approved = write_call(&upstream.url("/v1/a%2Fb?x=%26&y=1"));
    approved.body = Some(("application/x-www-form-urlencoded".to_owned(), "a=1&b=%C3%A9".to_owned()));
    assert_eq!(class(&call(approved).await), "succeeded");
    let expected = format!(
        "POST /v1/a%2Fb?x=%26&y=1 HTTP/1.1\r\nidempotency-key: prp_1\r\n\
         content-type: application/x-www-form-urlencoded\r\naccept: */*\r\nhost: {}\r\ncontent-length: 12\r\n\r\n\
         a=1&b=%C3%A9",
        upstream.address
    );
    assert_eq!(upstream.received(), [expected]);
}

#[tokio::test]
async fn a_body_is_json_text_or_null() {
    for (content_type, body, expected) in [
        ("application/json", r#"{"a":1}"#, serde_json::json!({"a": 1})),
        ("Application/Problem+JSON; charset=utf-8", "[1]", serde_json::json!([1])),
        ("application/json", "{broken", serde_json::json!("{broken")),
        ("text/html", "<p>", serde_json::json!("<p>")),
        ("text/json-but-not", "1", serde_json::json!("1")),
        ("application/json", "", serde_json::Value::Null),
    ] {
        let head = format!("200 OK\r\ncontent-type: {content_type}");
        let upstream = Toxic::start(vec![Step::Read, Step::Send(answer(&head, body))]).await;
        let answered = response(&call(write_call(&upstream.url("/"))).await);
        assert_eq!((answered.body, answered.content_type), (expected, content_type.to_owned()));
    }
}
