//! The headers of every answer.

use crate::support::gate::http;
use crate::support::{GateDir, Upstream};

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_carries_the_headers_that_keep_browsers_out() {
    let upstream = Upstream::start().await;
    let gate = GateDir::new(&upstream).serve();
    let csp = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
               form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
    let expected = [
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("x-frame-options", "DENY"),
        ("content-security-policy", csp),
    ];
    for base in [&gate.agents, &gate.people] {
        let cases = [
            ("GET", "/livez", None, 200),
            ("GET", "/v1/proposals", None, 401),
            ("GET", "/v1/nowhere", None, 404),
            ("DELETE", "/livez", None, 405),
            ("GET", "/livez", Some(("host", "evil.example")), 421),
            ("GET", "/livez", Some(("origin", "http://evil.example")), 403),
        ];
        for (method, path, extra, status) in cases {
            let mut request = http().request(method.parse().unwrap(), format!("{base}{path}"));
            if let Some((name, value)) = extra {
                request = request.header(name, value);
            }
            let response = request.send().await.unwrap();
            assert_eq!(response.status().as_u16(), status, "{method} {path}");
            for (name, value) in expected {
                assert_eq!(response.headers()[name], value, "{name} of {method} {path}");
            }
            for absent in ["access-control-allow-origin", "server", "set-cookie", "x-powered-by"] {
                assert!(!response.headers().contains_key(absent), "{absent} of {method} {path}");
            }
            if status == 401 {
                assert_eq!(response.headers()["www-authenticate"], "Bearer");
            }
        }
    }
}
