//! What a browser is told when something is not there or a session is over, and where signing in leads.

use reqwest::Response;
use reqwest::redirect::Policy;

use crate::support::gate::http;
use crate::support::{Gate, GateDir, Upstream};

const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

/// `GET` as a browser does it, with these cookies.
async fn browse(gate: &Gate, path: &str, cookies: &str) -> Response {
    let request = http().get(format!("{}{path}", gate.people)).header("accept", BROWSER);
    let request = if cookies.is_empty() { request } else { request.header("cookie", cookies) };
    request.send().await.unwrap()
}

fn header(response: &Response, name: &str) -> String {
    response.headers().get(name).map(|v| v.to_str().unwrap().to_owned()).unwrap_or_default()
}

/// Presses the button of a link's page: the answer, and the cookies that it sets.
async fn press(gate: &Gate, link: &str, next: &str, cookies: &str) -> (Response, Vec<String>) {
    countersign_engine::net::install_tls_provider();
    let client = reqwest::Client::builder().no_proxy().redirect(Policy::none()).build().unwrap();
    let form = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("link", link)
        .append_pair("next", next)
        .finish();
    let request = client
        .post(format!("{}/sign-in", gate.people))
        .header("origin", &gate.people)
        .header("content-type", "application/x-www-form-urlencoded")
        .header("cookie", cookies)
        .body(form);
    let response = request.send().await.unwrap();
    let set = response.headers().get_all("set-cookie").iter();
    let set = set.map(|v| v.to_str().unwrap().split(';').next().unwrap().to_owned()).collect();
    (response, set)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_gets_a_page_and_a_program_a_problem() {
    let upstream = Upstream::start().await;
    let gate = GateDir::new(&upstream).serve();
    let frank = gate.sign_in("frank").await;
    let session = format!("__Host-countersign={}", frank.session);
    let gone = "prp_01kawkbx1re0003g40r40m30e2";
    for (path, cookies, status, heading) in [
        ("/no/such/page", "", 404, "There is no such page"),
        ("/no/such/page", &session, 404, "There is no such page"),
        ("/sign-in", "", 405, "This address does not answer to that"),
        ("/v1/proposals", "", 401, "This address is for programs"),
        (&format!("/proposals/{gone}"), &session, 404, "There is no such proposal"),
        ("/history?state=foo", &session, 400, "The gate cannot read that"),
    ] {
        let response = browse(&gate, path, cookies).await;
        assert_eq!(response.status().as_u16(), status, "{path}");
        assert_eq!(header(&response, "content-type"), "text/html; charset=utf-8", "{path}");
        assert!(header(&response, "content-security-policy").starts_with("default-src 'none'"), "{path}");
        let page = response.text().await.unwrap();
        assert!(page.contains(&format!("<h1>{heading}</h1>")), "{path}: {page}");
        assert_eq!(page.contains("Signed in as"), !cookies.is_empty(), "{path}");
        assert!(page.contains("Back to the inbox") || page.contains("Open it in the console"), "{path}");

        let response = http().get(format!("{}{path}", gate.people)).send().await.unwrap();
        let json =
            path.starts_with("/v1") || status == 404 && !path.starts_with("/proposals") || status == 405;
        if json {
            assert_eq!(header(&response, "content-type"), "application/problem+json", "{path}");
        }
    }
    // A name that is not this gate's learns nothing of the session.
    let request = http().get(format!("{}/no", gate.people)).header("host", "evil.example");
    let response = request.header("accept", BROWSER).header("cookie", &session).send().await.unwrap();
    assert_eq!(response.status().as_u16(), 421);
    assert!(!response.text().await.unwrap().contains("Signed in as"));
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_in_opens_the_page_that_was_asked_for_and_no_other_site_t39() {
    let upstream = Upstream::start().await;
    let gate = GateDir::new(&upstream).serve();
    let wanted = "/history?state=failed&text=a+b";
    let response = browse(&gate, wanted, "").await;
    assert_eq!(response.status().as_u16(), 401);
    let remembered = header(&response, "set-cookie");
    assert!(remembered.ends_with("Max-Age=1800; Secure; HttpOnly; SameSite=Strict; Path=/"), "{remembered}");
    let remembered = remembered.split(';').next().unwrap().to_owned();
    assert_eq!(remembered, format!("__Host-countersign-next={wanted}"));
    // What no page is, or does something, is not remembered.
    for path in ["/log/export", "/events"] {
        assert_eq!(header(&browse(&gate, path, "").await, "set-cookie"), "", "{path}");
    }
    let evil = "__Host-countersign-next=//evil.example/";
    for (next, cookies, expect) in [
        ("", "", "/"),
        ("", remembered.as_str(), wanted),
        ("/log", remembered.as_str(), "/log"),
        ("https://evil.example/", "", "/"),
        ("//evil.example", evil, "/"),
        ("", evil, "/"),
    ] {
        let (response, set) = press(&gate, &gate.link("frank"), next, cookies).await;
        assert_eq!(response.status().as_u16(), 303);
        assert_eq!(header(&response, "location"), expect, "{next} {cookies}");
        assert!(set[0].starts_with("__Host-countersign=css_"), "{set:?}");
        assert_eq!(set[1], "__Host-countersign-next=", "{set:?}");
    }
    // A link may name the page itself.
    let page = browse(&gate, &format!("/sign-in/{}?next=/log", gate.link("frank")), "").await;
    assert!(page.text().await.unwrap().contains("<input type=\"hidden\" name=\"next\" value=\"/log\">"));
    let page = browse(&gate, &format!("/sign-in/{}?next=//evil.example", gate.link("frank")), "").await;
    assert!(!page.text().await.unwrap().contains("evil"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_does_not_work_and_a_session_that_is_over_say_why() {
    let upstream = Upstream::start().await;
    let gate = GateDir::new(&upstream).serve();
    let used = gate.link("frank");
    let (_, set) = press(&gate, &used, "", "").await;
    let old = gate.link("frank");
    gate.dir.change("UPDATE link SET expires = 1 WHERE used_at IS NULL", &[]);
    let unknown = format!("csl_{}", "ab".repeat(32));
    for (link, why, program) in [
        (&used, "It was used already", "was used already"),
        (&old, "older than a quarter of an hour", "older than 15 minutes"),
        (&unknown, "The gate does not know it", "does not know this link"),
    ] {
        let (response, _) = press(&gate, link, "", "").await;
        assert_eq!(response.status().as_u16(), 401);
        let page = response.text().await.unwrap();
        assert!(page.contains("<h1>This link does not work</h1>") && page.contains(why), "{page}");
        assert!(page.contains("countersign person link NAME"));
        let output = gate.dir.run(&["person", "login", &format!("{}/sign-in/{link}", gate.people)]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains(program) && said.contains("countersign person link NAME"), "{said}");
    }
    assert_eq!(browse(&gate, "/", &set[0]).await.status().as_u16(), 200);
    gate.dir.change("DELETE FROM session", &[]);
    let response = browse(&gate, "/history", &set[0]).await;
    assert_eq!(response.status().as_u16(), 401);
    let page = response.text().await.unwrap();
    assert!(page.contains("<h1>Your session is over</h1>"), "{page}");
    assert!(page.contains("countersign person link NAME"));
}
