//! Where secrets come from, whom they are given to, and that nothing ever shows one.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use countersign_core::action::{HttpCall, Method, ReadCall};

use super::*;
use crate::connector::tests::toxic::{Step, Toxic, answer};
use crate::connector::tests::{CANARY, credentials, grant, loopback, read_call, write_call};

const ORIGIN: &str = "http://127.0.0.1:9";

fn write_file(folder: &Path, content: &[u8], mode: u32) -> PathBuf {
    let path = folder.join("secret");
    std::fs::write(&path, content).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
    path
}

fn spec(kind: Kind) -> CredentialSpec {
    CredentialSpec { origin: ORIGIN.to_owned(), usage: Use::Write, kind, placement: Placement::Bearer }
}

fn one(spec: CredentialSpec) -> Credentials {
    Credentials::new(BTreeMap::from([("key".to_owned(), spec)]), loopback())
}

fn keyed(call: HttpCall) -> HttpCall {
    HttpCall { credential: Some("key".to_owned()), ..call }
}

async fn resolve(spec: CredentialSpec) -> Result<Option<Secret>, CredentialError> {
    let url = format!("{ORIGIN}/v1");
    one(spec).for_grant(&grant(keyed(write_call(&url)))).await
}

#[tokio::test]
async fn a_file_must_be_its_owners_alone_and_hold_one_line_t81() {
    let large = vec![b'x'; 64 * 1024 + 1];
    for (content, mode, expected) in [
        (&b"token"[..], 0o600, None),
        (b"token\n", 0o400, None),
        (b"token\r\n", 0o600, None),
        (b"token", 0o640, Some("others may read")),
        (b"token", 0o604, Some("others may read")),
        (b"token", 0o620, Some("others may read")),
        (b"", 0o600, Some("empty")),
        (b"\n", 0o600, Some("empty")),
        (b"two\nlines\n", 0o600, Some("line break")),
        (b"token\n\n", 0o600, Some("line break")),
        (b"to ken", 0o600, Some("a space")),
        (b"tok\xc3\xa9n", 0o600, Some("outside ASCII")),
        (b"tok\xff\xfen", 0o600, Some("cannot be read")),
        (b"tok\0en", 0o600, Some("character")),
        (&large[..20_000], 0o600, Some("longer than")),
        (&large, 0o600, Some("at most 65536 bytes")),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = write_file(folder.path(), content, mode);
        let result = resolve(spec(Kind::File { path })).await;
        match expected {
            None => assert!(result.unwrap().is_some()),
            Some(part) => {
                let text = result.unwrap_err().to_string();
                assert!(text.contains(part) && !text.contains("tok"), "{mode:o}: {text}");
            }
        }
    }
}

#[tokio::test]
async fn a_link_is_judged_by_the_file_it_leads_to() {
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(write_file(folder.path(), b"token", 0o600), &link).unwrap();
    assert!(resolve(spec(Kind::File { path: link.clone() })).await.is_ok());
    write_file(folder.path(), b"token", 0o644);
    assert!(resolve(spec(Kind::File { path: link })).await.is_err());
}

#[tokio::test]
async fn what_is_not_a_file_is_refused_without_waiting() {
    let folder = tempfile::tempdir().unwrap();
    for path in [folder.path().to_owned(), folder.path().join("missing"), "/dev/zero".into()] {
        assert!(resolve(spec(Kind::File { path })).await.is_err());
    }
}

#[tokio::test]
async fn an_environment_variable_is_read_or_named_in_the_error() {
    // PATH is the one variable that is surely set; its value is header-safe.
    assert!(resolve(spec(Kind::Env { var: "PATH".to_owned() })).await.unwrap().is_some());
    let missing = resolve(spec(Kind::Env { var: "COUNTERSIGN_NO_SUCH".to_owned() })).await.unwrap_err();
    assert_eq!(
        missing.to_string(),
        "credential `key`: the environment variable `COUNTERSIGN_NO_SUCH` is not set"
    );
}

#[tokio::test]
async fn a_credential_is_given_only_for_its_name_use_and_origin_t31_t89() {
    let (write, _f1) = credentials("https://api.example.com", Use::Write, Placement::Bearer);
    let (read, _f2) = credentials("https://api.example.com", Use::Read, Placement::Bearer);
    let url = "https://api.example.com/v1";
    for (credentials, call, given) in [
        (&write, keyed(write_call(url)), true),
        (&read, keyed(read_call(url)), true),
        (&write, keyed(write_call("https://api.example.com:443/")), true),
        (&write, keyed(read_call(url)), false),
        (&read, keyed(write_call(url)), false),
        (&write, HttpCall { credential: Some("other".to_owned()), ..write_call(url) }, false),
        (&write, keyed(write_call("http://api.example.com/v1")), false),
        (&write, keyed(write_call("https://api.example.com:444/v1")), false),
        (&write, keyed(write_call("https://api.example.com./v1")), false),
        (&write, keyed(write_call("https://api.example.com.evil.example/v1")), false),
        (&write, keyed(write_call("https://api.example.com@evil.example/v1")), false),
        (&write, keyed(write_call("https://evil.example/?https://api.example.com")), false),
        (&write, keyed(write_call("nonsense")), false),
    ] {
        let result = credentials.for_grant(&grant(call.clone())).await;
        assert_eq!(result.is_ok(), given, "{call:?}: {result:?}");
        let look = ReadCall { method: Method::Get, url: call.url, credential: call.credential };
        let looked = credentials.for_look(&Look::new(look).unwrap()).await;
        assert!(
            looked.is_err() || std::ptr::eq(credentials, &raw const read),
            "a preview got a write credential"
        );
    }
    assert!(write.for_grant(&grant(write_call(url))).await.unwrap().is_none());
}

#[test]
fn a_spec_that_cannot_be_right_is_refused_before_anything_is_read() {
    let env = || Kind::Env { var: "X".to_owned() };
    let oauth = |token_url: &str, scope: &str, client_secret: Kind| Kind::OAuth {
        token_url: token_url.to_owned(),
        client_id: "gate".to_owned(),
        client_secret: Box::new(client_secret),
        scopes: vec![scope.to_owned()],
        resource: None,
    };
    for origin in ["", "api.example.com", "https://", "https://a/b", "https://a?x", "https://u@a", "ftp://a"]
    {
        assert!(CredentialSpec { origin: origin.to_owned(), ..spec(env()) }.check("k").is_err(), "{origin}");
    }
    for header in ["", "a b", "host", "Content-Length", "connection", "a:b", "ä"] {
        let placement = Placement::Header(header.to_owned());
        assert!(CredentialSpec { placement, ..spec(env()) }.check("k").is_err(), "{header}");
    }
    let good = "https://id.example.com/token";
    for (kind, fits) in [
        (oauth(good, "crm.read", env()), true),
        (oauth("http://127.0.0.1:1/token", "a", env()), true),
        (oauth("http://[::1]:1/token", "a", env()), true),
        (oauth("http://localhost:1/token", "a", env()), true),
        (oauth("http://id.example.com/token", "a", env()), false),
        (oauth("http://localhost.example.com/token", "a", env()), false),
        (oauth("https://u:p@id.example.com/token", "a", env()), false),
        (oauth("token", "a", env()), false),
        (oauth(good, "a b", env()), false),
        (oauth(good, "", env()), false),
        (oauth(good, "a", oauth(good, "a", env())), false),
    ] {
        assert_eq!(spec(kind.clone()).check("k").is_ok(), fits, "{kind:?}");
    }
}

#[tokio::test]
async fn nothing_that_can_be_printed_shows_the_secret_t81() {
    let (credentials, _folder) = credentials(ORIGIN, Use::Write, Placement::Basic);
    let call = keyed(write_call(&format!("{ORIGIN}/")));
    let secret = credentials.for_grant(&grant(call)).await.unwrap().unwrap();
    assert_eq!(format!("{secret:?} {secret:#?}"), "Secret(..) Secret(..)");
    assert_eq!(format!("{credentials:?}"), r#"Credentials(["key"])"#);
    let mut headers = reqwest::header::HeaderMap::new();
    secret.apply(&Url::parse(ORIGIN).unwrap(), &mut headers).unwrap();
    assert_eq!(format!("{headers:?}"), r#"{"authorization": Sensitive}"#);
}

/// A token endpoint that answers with this, and a credential that asks it.
async fn tokens(status: &str, body: &str, usage: Use) -> (Toxic, Credentials, tempfile::TempDir) {
    let reply = Step::Send(answer(&format!("{status}\r\ncontent-type: application/json"), body));
    let steps = vec![Step::Read, reply.clone(), Step::Read, reply.clone(), Step::Read, reply];
    let server = Toxic::start(steps).await;
    let folder = tempfile::tempdir().unwrap();
    let path = write_file(folder.path(), CANARY.as_bytes(), 0o600);
    let kind = Kind::OAuth {
        token_url: server.url("/token"),
        client_id: "the gate".to_owned(),
        client_secret: Box::new(Kind::File { path }),
        scopes: vec!["crm.read".to_owned(), "crm.write".to_owned()],
        resource: Some("https://crm.example.com".to_owned()),
    };
    (server, one(CredentialSpec { usage, ..spec(kind) }), folder)
}

const TOKEN: &str = r#"{"access_token":"t-1","token_type":"bearer","expires_in":3600}"#;

#[tokio::test]
async fn the_token_request_is_the_one_of_the_standards() {
    let (server, credentials, _folder) = tokens("200 OK", TOKEN, Use::Write).await;
    let call = keyed(write_call(&format!("{ORIGIN}/")));
    credentials.for_grant(&grant(call)).await.unwrap().unwrap();
    let id = "the+gate";
    let key: String = url::form_urlencoded::byte_serialize(CANARY.as_bytes()).collect();
    let text = server.received().concat();
    assert!(text.starts_with("POST /token HTTP/1.1\r\n"), "{text}");
    assert!(text.contains(&format!("authorization: {}\r\n", secret::basic(id, &key).as_str())), "{text}");
    let form =
        "grant_type=client_credentials&scope=crm.read+crm.write&resource=https%3A%2F%2Fcrm.example.com";
    assert!(text.ends_with(&format!("\r\n\r\n{form}")), "{text}");
}

#[tokio::test]
async fn a_write_token_is_fetched_for_each_dispatch_and_a_read_token_is_kept_shortly_t84() {
    for (usage, body, requests) in [
        (Use::Write, TOKEN, 3),
        (Use::Read, TOKEN, 1),
        (Use::Read, r#"{"access_token":"t-1","token_type":"Bearer","expires_in":10}"#, 3),
        (Use::Read, r#"{"access_token":"t-1","token_type":"Bearer"}"#, 3),
    ] {
        let (server, credentials, _folder) = tokens("200 OK", body, usage).await;
        let url = format!("{ORIGIN}/");
        let call = keyed(if usage == Use::Write { write_call(&url) } else { read_call(&url) });
        for _ in 0..3 {
            credentials.for_grant(&grant(call.clone())).await.unwrap().unwrap();
        }
        assert_eq!(server.requests(), requests, "{usage:?} {body}");
    }
}

#[tokio::test]
async fn a_token_answer_that_is_not_right_is_an_error_without_its_text_t81_t86() {
    let granted = |scope: &str| format!(r#"{{"access_token":"t","token_type":"Bearer","scope":"{scope}"}}"#);
    let (large, fewer, more) = ("x".repeat(70_000), granted("crm.read"), granted("crm.read admin"));
    for (status, body, expected) in [
        ("200 OK", fewer.as_str(), None),
        ("200 OK", &more, Some("more than was asked for")),
        ("200 OK", r#"{"access_token":"t","token_type":"DPoP"}"#, Some("not Bearer")),
        ("200 OK", r#"{"token_type":"Bearer"}"#, Some("RFC 6749")),
        ("200 OK", r#"{"access_token":"","token_type":"Bearer"}"#, Some("empty")),
        ("200 OK", r#"{"access_token":"a\r\nb","token_type":"Bearer"}"#, Some("line break")),
        ("200 OK", "not JSON, canary", Some("RFC 6749")),
        ("200 OK", &large, Some("too large")),
        ("302 Found\r\nlocation: http://127.0.0.1:1/", "canary", Some("status 302")),
        ("401 No", r#"{"error":"invalid_client"}"#, Some("status 401, `invalid_client`")),
        ("400 No", r#"{"error":"canary","error_description":"canary"}"#, Some("status 400")),
        ("500 No", "canary", Some("status 500")),
    ] {
        let (server, credentials, _folder) = tokens(status, body, Use::Write).await;
        let result = credentials.for_grant(&grant(keyed(write_call(&format!("{ORIGIN}/"))))).await;
        assert_eq!(server.requests(), 1);
        match expected {
            None => assert!(result.is_ok()),
            Some(part) => {
                let text = format!("{:?}", result.unwrap_err());
                assert!(text.contains(part), "{text}");
                assert!(!text.contains("canary") && !text.contains("C4n4ry"), "{text}");
            }
        }
    }
}

#[tokio::test]
async fn no_token_is_asked_for_an_origin_that_does_not_match_t89() {
    let (server, credentials, _folder) = tokens("200 OK", TOKEN, Use::Write).await;
    let call = keyed(write_call("https://evil.example/"));
    assert!(credentials.for_grant(&grant(call)).await.is_err());
    assert_eq!(server.requests(), 0);
}
