//! A redirect is an outcome, never a second request (T67, R28).

use super::toxic::{Step, Toxic, answer};
use super::*;

#[tokio::test]
async fn no_redirect_is_followed_and_no_credential_leaves_its_origin_t67_r28() {
    let other = Toxic::start(vec![Step::Read, Step::Send(answer("200 OK", ""))]).await;
    for status in [300, 301, 302, 303, 305, 307, 308] {
        for location in [
            other.url("/stolen"),
            "/same-origin".to_owned(),
            "//evil.example/".to_owned(),
            "http://[::1]/".to_owned(),
        ] {
            let head = format!("{status} Elsewhere\r\nlocation: {location}\r\nrefresh: 0; url={location}");
            let upstream = Toxic::start(vec![Step::Read, Step::Send(answer(&head, "moved"))]).await;
            for (usage, call) in
                [(Use::Write, write_call(&upstream.url("/"))), (Use::Read, read_call(&upstream.url("/")))]
            {
                let placement = Placement::Header("x-api-key".to_owned());
                let secret = secret(&upstream.origin(), usage, placement).await;
                let call = HttpCall { credential: Some("key".to_owned()), ..call };
                let outcome = HttpConnector::new(loopback()).call(&grant(call), Some(&secret)).await;
                assert!(class(&outcome).ends_with(" redirected"), "{status} {location}: {}", class(&outcome));
                assert_eq!(response(&outcome).status, status);
            }
            assert_eq!(upstream.requests(), 2, "one for the write and one for the read");
            assert_eq!(upstream.received().concat().matches(CANARY).count(), 2);
        }
    }
    assert_eq!(other.requests(), 0, "nothing may reach the other origin");
}
