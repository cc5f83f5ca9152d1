//! A secret goes to its origin only, and does not come back (T72, T82, T89).

use base64::Engine as _;

use super::toxic::{Step, Toxic, answer};
use super::*;

fn with_key(call: HttpCall) -> Grant {
    grant(HttpCall { credential: Some("key".to_owned()), ..call })
}

async fn ok_upstream() -> Toxic {
    Toxic::start(vec![Step::Read, Step::Send(answer("200 OK", "{}"))]).await
}

#[tokio::test]
async fn a_secret_is_placed_as_configured() {
    let basic = base64::engine::general_purpose::STANDARD.encode(format!("{CANARY}:"));
    for (placement, line) in [
        (Placement::Bearer, format!("authorization: Bearer {CANARY}\r\n")),
        (Placement::Basic, format!("authorization: Basic {basic}\r\n")),
        (Placement::Header("X-Api-Key".to_owned()), format!("x-api-key: {CANARY}\r\n")),
    ] {
        let upstream = ok_upstream().await;
        let secret = secret(&upstream.origin(), Use::Write, placement).await;
        let outcome = HttpConnector::new(loopback())
            .call(&with_key(write_call(&upstream.url("/"))), Some(&secret))
            .await;
        assert_eq!(class(&outcome), "succeeded");
        assert_eq!(upstream.received().concat().matches(&line).count(), 1, "{line}");
    }
}

#[tokio::test]
async fn a_secret_of_another_origin_name_or_use_is_not_sent_t89() {
    let (here, there) = (ok_upstream().await, ok_upstream().await);
    let connector = HttpConnector::new(loopback());
    let write = secret(&here.origin(), Use::Write, Placement::Bearer).await;
    let read = secret(&here.origin(), Use::Read, Placement::Bearer).await;
    let other_name = HttpCall { credential: Some("other".to_owned()), ..write_call(&here.url("/")) };
    for (grant, secret, expected) in [
        (with_key(write_call(&there.url("/"))), Some(&write), "failed credential_unavailable"),
        (with_key(write_call(&here.url("/"))), Some(&read), "failed credential_unavailable"),
        (with_key(read_call(&here.url("/"))), Some(&write), "failed credential_unavailable"),
        (with_key(write_call(&here.url("/"))), None, "failed credential_unavailable"),
        (grant(other_name), Some(&write), "failed credential_unavailable"),
        (grant(write_call(&here.url("/"))), Some(&write), "failed intent_mismatch"),
    ] {
        assert_eq!(class(&connector.call(&grant, secret).await), expected, "{grant:?}");
    }
    let account = vec![("x-account".to_owned(), "1".to_owned())];
    let clash = HttpCall { headers: account, ..write_call(&here.url("/")) };
    let header = secret_in_header(&here.origin(), "x-account").await;
    assert_eq!(class(&connector.call(&with_key(clash), Some(&header)).await), "failed intent_mismatch");
    assert_eq!((here.requests(), there.requests()), (0, 0));
}

async fn secret_in_header(origin: &str, name: &str) -> Secret {
    secret(origin, Use::Write, Placement::Header(name.to_owned())).await
}

fn each(text: &str, spell: fn(u8) -> String) -> String {
    text.bytes().map(spell).collect()
}

/// Answers with the credential, in one of the spellings that echoes use.
fn echo(request: &str) -> Vec<u8> {
    let value = request.lines().find_map(|l| l.strip_prefix("x-api-key: ")).unwrap();
    let path = request.split(' ').nth(1).unwrap();
    let standard = base64::engine::general_purpose::STANDARD;
    let percent = each(value, |b| format!("%{b:02x}"));
    let body = match path {
        "/json" => serde_json::json!({"headers": {"x-api-key": value}}).to_string(),
        "/key" => serde_json::json!({value: 1, "deep": [[{"a": format!("x{value}y")}]]}).to_string(),
        "/base64" => serde_json::json!({"a": standard.encode(value)}).to_string(),
        "/basic" => serde_json::json!({"a": standard.encode(format!("user:{value}:x"))}).to_string(),
        "/hex" => serde_json::json!({"a": each(value, |b| format!("{b:02X}"))}).to_string(),
        "/percent" => serde_json::json!({"url": format!("https://x/?k={percent}&z=1")}).to_string(),
        "/nested" => {
            serde_json::json!({"a": serde_json::json!({"b": value.replace('/', "\\/")}).to_string()})
                .to_string()
        }
        "/slashes" => format!(r#"{{"a":"{}"}}"#, value.replace('/', "\\/")),
        "/lines" => {
            let digits = standard.encode(value);
            let (first, second) = digits.split_at(20);
            format!("{first}\r\n{second}")
        }
        "/html" => {
            format!("<p>{}</p>", value.replace('/', "&#x2F;").replace('+', "&#43;").replace('=', "%3D"))
        }
        "/broken" => format!("{{\"a\":\"{value}"),
        "/type" => "{}".to_owned(),
        other => panic!("{other}"),
    };
    let extra = if path == "/type" { format!("; k={value}") } else { String::new() };
    answer(&format!("200 OK\r\ncontent-type: application/json{extra}\r\nwww-authenticate: {value}"), &body)
}

#[tokio::test]
async fn an_echoed_secret_is_removed_in_every_spelling_t82() {
    let upstream = Toxic::start(vec![Step::Read, Step::Reply(echo)]).await;
    let secret = secret_in_header(&upstream.origin(), "x-api-key").await;
    let connector = HttpConnector::new(loopback());
    for path in [
        "/json", "/key", "/base64", "/basic", "/hex", "/percent", "/nested", "/slashes", "/lines", "/html",
        "/broken", "/type",
    ] {
        let outcome = connector.call(&with_key(write_call(&upstream.url(path))), Some(&secret)).await;
        let kept = response(&outcome);
        assert!(kept.scrubbed, "{path}: {kept:?}");
        let text = serde_json::to_string(&kept).unwrap();
        assert!(text.contains("[removed by countersign]"), "{path}: {text}");
        for part in ["C4n4ry", "QzRuNHJ5", "0123456789", "433466"] {
            assert!(!text.contains(part), "{path} still holds {part}: {text}");
        }
    }
}

#[tokio::test]
async fn an_answer_without_the_secret_is_kept_as_it_is() {
    let upstream = Toxic::start(vec![
        Step::Read,
        Step::Send(answer("200 OK\r\ncontent-type: application/json", r#"{"a":"100% & <\\/>","n":12.50}"#)),
    ])
    .await;
    let secret = secret_in_header(&upstream.origin(), "x-api-key").await;
    let outcome =
        HttpConnector::new(loopback()).call(&with_key(write_call(&upstream.url("/"))), Some(&secret)).await;
    let kept = response(&outcome);
    assert!(!kept.scrubbed);
    assert_eq!(kept.body, serde_json::json!({"a": "100% & <\\/>", "n": 12.5}));
}

#[tokio::test]
async fn a_connection_carries_one_credential_only_t72() {
    let ok = || Step::Send(answer("200 OK", "{}"));
    let steps = vec![Step::Read, ok(), Step::Read, ok(), Step::Read, ok(), Step::Read, ok(), Step::Hang];
    let upstream = Toxic::start(steps).await;
    let connector = HttpConnector::new(loopback());
    let write = secret(&upstream.origin(), Use::Write, Placement::Bearer).await;
    for round in 0..3 {
        let plain = connector.call(&grant(write_call(&upstream.url("/plain"))), None).await;
        let signed = connector.call(&with_key(write_call(&upstream.url("/signed"))), Some(&write)).await;
        assert_eq!((class(&plain).as_str(), class(&signed).as_str()), ("succeeded", "succeeded"), "{round}");
    }
    let connections = upstream.received();
    assert_eq!(connections.len(), 2, "one connection for each");
    for text in connections {
        assert!(text.contains("/plain") != text.contains("/signed"), "{text}");
        assert_eq!(text.matches("/signed").count(), text.matches(CANARY).count());
    }
}
