//! The console as a person meets it: a real gate, a real browser, and pages of others that try to use it.

use std::path::Path;

use axum::response::Html;
use serde_json::{Value, json};

use crate::support::gate::{assert_done, http};
use crate::support::log::count;
use crate::support::wait::eventually;
use crate::support::webdriver::Browser;
use crate::support::{Gate, GateDir, Reply, Upstream};

async fn upstream() -> Upstream {
    let upstream = Upstream::start().await;
    let item = json!({ "id": "i_1", "price": 5_000, "currency": "usd", "stock": 3 });
    upstream.on("GET /items/i_1", Reply::json(200, &item));
    upstream
}

/// Proposes a price that needs approval, and gives the proposal's id.
async fn pending(gate: &Gate) -> String {
    let (status, body) = gate.propose("shop.price.set", json!({ "id": "i_1", "price": 20_000 })).await;
    assert_eq!((status, &body["state"]), (202, &json!("pending")), "{body}");
    body["id"].as_str().unwrap().to_owned()
}

/// A one-time link of this person, on the address where the gate listens.
fn link(gate: &Gate, person: &str) -> String {
    let output = gate.dir.run(&["person", "link", person, "."]);
    assert_done(&output);
    let printed = String::from_utf8(output.stdout).unwrap();
    format!("{}/sign-in/{}", gate.people, printed.trim().rsplit('/').next().unwrap())
}

async fn sign_in(browser: &Browser, gate: &Gate, person: &str) {
    browser.goto(&link(gate, person)).await;
    browser.click("main form button").await;
    browser.find("#yours").await;
}

fn card(gate: &Gate, id: &str) -> String {
    format!("{}/proposals/{id}", gate.people)
}

/// Waits until an expression is true, in whichever page the browser has come to.
async fn until(browser: &Browser, js: &str) {
    eventually(js, async || browser.execute(&format!("return Boolean({js})")).await == true).await;
}

/// Waits for the page with this heading: a click does not wait for what a form leads to.
async fn heading(browser: &Browser, text: &str) {
    until(browser, &format!("document.querySelector('h1')?.textContent === {}", json!(text))).await;
}

/// Waits until the card says that the action was done.
async fn done(browser: &Browser) {
    until(browser, "document.querySelector('#status')?.textContent === 'Done'").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_signs_in_by_link_and_approves_what_the_card_shows() {
    let Some(browser) = Browser::start().await else { return };
    let upstream = upstream().await;
    let gate = GateDir::new(&upstream).serve();
    let id = pending(&gate).await;
    browser.set_window(1280, 1200).await;
    let link = link(&gate, "frank");
    // Opening it redeems nothing.
    browser.goto(&link).await;
    browser.goto(&link).await;
    assert!(browser.cookies().await.is_empty());
    browser.click("main form button").await;
    let row = format!("section[aria-labelledby=yours] a[href='/proposals/{id}']");
    assert!(browser.text(&row).await.contains("Ann Archer"));
    let cookies = browser.cookies().await;
    assert_eq!((cookies.len(), &cookies[0]["httpOnly"]), (1, &json!(true)), "{cookies:?}");

    browser.click(&row).await;
    assert_eq!(browser.url().await, card(&gate, &id));
    assert!(browser.text("table.diff th[scope=row]").await.starts_with("price"));
    assert_eq!(browser.text("table.diff td.before").await, "50.00 USD\n5000");
    assert_eq!(browser.text("table.diff td.after").await, "200.00 USD\n20000");
    assert_eq!(browser.text("#headline").await, "The price becomes 200.00 USD.");
    let picture = Path::new(env!("CARGO_TARGET_TMPDIR")).join("card.png");
    browser.screenshot(&picture).await;
    if std::env::var("BLESS").is_ok_and(|v| v == "1") {
        let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/images/card.png");
        std::fs::copy(&picture, place).unwrap();
    }
    assert!(upstream.writes().is_empty());

    browser.type_text("#comment", "agreed by phone").await;
    browser.click("form[action$='/approve'] button").await;
    done(&browser).await;
    assert_eq!(browser.count("form[action$='/approve']").await, 0);
    assert!(browser.text("ul.approvals").await.contains("agreed by phone"));
    let writes = upstream.writes();
    assert_eq!(writes.len(), 1);
    assert_eq!(writes[0].body, json!({ "price": 20_000 }).to_string());
    assert_eq!(gate.settled(&id).await["approved_by"], json!(["frank"]));

    // The link is used up, and signing out ends the session.
    browser.goto(&link).await;
    browser.click("main form button").await;
    heading(&browser, "This link does not work").await;
    browser.goto(&card(&gate, &id)).await;
    browser.click("form.me button").await;
    heading(&browser, "Sign in to see this page").await;
    // Chromium reports every page whose status is an error; nothing else is there.
    let complaints = browser.complaints().await;
    assert!(complaints.iter().all(|line| line.contains("401")), "{complaints:?}");
    gate.stop_with_sound_log();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_person_whom_the_agent_named_confirms_it_on_the_card_a4() {
    let Some(browser) = Browser::start().await else { return };
    let upstream = upstream().await;
    let gate = GateDir::new(&upstream).serve();
    let id = pending(&gate).await;
    sign_in(&browser, &gate, "ann").await;
    browser.goto(&card(&gate, &id)).await;
    browser.click("form[action$='/confirm'] button").await;
    until(&browser, "document.querySelector('h1') && !document.querySelector(\"form[action$='/confirm']\")")
        .await;
    assert!(browser.text("main").await.contains("confirmed by Ann Archer"));
    assert!(upstream.writes().is_empty(), "to confirm is no approval");
    let (_, entries) = gate.stop_and_verify();
    assert_eq!(count(&entries, "proposal.confirmed"), 1);
}

/// Text that would be markup, script, a link or a trick of direction if anything took it for more than text.
const HOSTILE: &str = "<script>window.owned=1</script><img src=x onerror='window.owned=1'>\
    <svg onload=window.owned=1></svg><iframe src='javascript:window.owned=1'></iframe>\
    </bdi></div></textarea></title><a href=\"javascript:window.owned=1\">approve</a>\
    [click](javascript:window.owned=1) https://evil.example/ <style>*{display:none}</style>\
    {{7*7}} &lt;b&gt; \u{202e}gnp.exe\u{202c} \u{2066}iso\u{2069} \u{200f}\u{5e9}\u{5dc}\u{5d5}\u{5dd} \u{1b}[31mred\u{1b}[0m \u{200b}\u{feff}\u{e0041}\u{ad}";

/// Every raw control that could hide or turn text around.
const RAW: &str = r"/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\u{e0000}-\u{e007f}]/u";

/// How often each element that could do something is in the page, and every attribute that could.
const ACTIVE: &str = "const counts = {}; \
    for (const tag of ['script','img','a','iframe','svg','style','link','object','embed','base','meta','form','input','textarea','button','video','audio']) \
        counts[tag] = document.querySelectorAll(tag).length; \
    counts.attributes = [...document.querySelectorAll('*')].flatMap(e => [...e.attributes]).filter(a => \
        a.name.startsWith('on') || a.name === 'style' || a.name === 'srcdoc' || /^\\s*(javascript|data):/i.test(a.value)).length; \
    return counts";

/// Fails when the page shows a raw control, or something of an agent ran.
async fn only_text(browser: &Browser, place: &str) {
    browser.execute("for (const d of document.querySelectorAll('details')) d.open = true").await;
    let found = browser
        .execute(&format!(
            "return [window.owned ?? null, {RAW}.test(document.body.innerText), \
             {RAW}.test(document.documentElement.outerHTML), document.body.innerText.includes('<U+202E>')]"
        ))
        .await;
    assert_eq!(found, json!([null, false, false, place != "history"]), "{place}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_an_agent_writes_becomes_markup_or_script_t23_t26_t128() {
    let Some(browser) = Browser::start().await else { return };
    let upstream = upstream().await;
    upstream.on("POST /items/i_1/notes", Reply::json(200, &json!({ HOSTILE: HOSTILE })));
    let dir = GateDir::new(&upstream);
    dir.edit("actions/shop.toml", "maxLength = 2000", "maxLength = 65536");
    dir.write(
        "policies/notes.cedar",
        "@id(\"notes\")\n@approval(\"finance\")\n@reason(\"Somebody reads notes first.\")\n\
         forbid (principal, action == Action::\"shop.note.add\", resource);\n",
    );
    let gate = dir.serve();
    sign_in(&browser, &gate, "frank").await;
    let plain = "x".repeat(HOSTILE.chars().count());
    let mut seen = Vec::new();
    for words in [plain.as_str(), HOSTILE] {
        let long = format!("{words}{}", "y".repeat(65_000 - words.len()));
        let (status, body) = gate
            .propose_with(json!({
                "action": "shop.note.add", "input": { "id": "i_1", "text": long }, "on_behalf_of": "ann",
                "reason": words, "run": "run", "evidence": [{ "title": words, "body": { words: long } }],
            }))
            .await;
        assert_eq!(status, 202, "{body}");
        let id = body["id"].as_str().unwrap();
        browser.goto(&card(&gate, id)).await;
        let before = browser.execute(ACTIVE).await;
        let approve = "form[action$='/approve'] button";
        assert_eq!(browser.attribute(approve, "disabled").await.as_deref(), Some("true"));
        if words == HOSTILE {
            only_text(&browser, "card").await;
        } else {
            browser.execute("for (const d of document.querySelectorAll('details')) d.open = true").await;
        }
        // What is long was opened; only now can it be said to have been read.
        until(&browser, "!document.querySelector('[data-seen]').disabled").await;
        browser.click("[data-seen]").await;
        browser.click(approve).await;
        done(&browser).await;
        let sent: Value = serde_json::from_str(&upstream.writes().last().unwrap().body).unwrap();
        assert_eq!(sent["text"], long, "it is sent as it was written");
        let after = browser.execute(ACTIVE).await;
        if words == HOSTILE {
            only_text(&browser, "answer").await;
        }
        seen.push((before, after));
    }
    assert_eq!(seen[0], seen[1], "the same elements as for plain words");
    browser.goto(&format!("{}/history", gate.people)).await;
    only_text(&browser, "history").await;
    let complaints = browser.complaints().await;
    assert!(complaints.is_empty(), "{complaints:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_page_is_refused_and_shows_what_changed_t19() {
    let Some(browser) = Browser::start().await else { return };
    let upstream = upstream().await;
    let gate = GateDir::new(&upstream).serve();
    let id = pending(&gate).await;
    sign_in(&browser, &gate, "frank").await;
    browser.goto(&card(&gate, &id)).await;
    gate.dir.edit("approvals.toml", "decide_in = \"30m\"", "decide_in = \"29m\"");
    gate.reload().await;
    browser.click("form[action$='/approve'] button").await;
    until(&browser, "document.querySelector('#changed')").await;
    let status = "return performance.getEntriesByType('navigation')[0].responseStatus";
    assert_eq!(browser.execute(status).await, 409);
    let notice = browser.text("section.notice").await;
    for part in ["changed after you opened it", "Who must approve", "Nothing was recorded"] {
        assert!(notice.contains(part), "{notice}");
    }
    assert!(upstream.writes().is_empty());
    assert_eq!(gate.agent_get(&format!("/v1/proposals/{id}")).await.1["state"], "pending");
    // The page now carries what is in force, and can be decided on.
    browser.click("form[action$='/approve'] button").await;
    done(&browser).await;
    assert_eq!(upstream.writes().len(), 1);
    gate.stop_with_sound_log();
}

/// Serves one page as another site on this address, and gives where it is.
async fn other_site(host: &str, page: String) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let router = axum::Router::new().fallback(move || std::future::ready(Html(page.clone())));
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    format!("http://{host}:{port}/")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_from_another_site_decides_nothing_t129_t130() {
    let Some(browser) = Browser::start().await else { return };
    let upstream = upstream().await;
    let gate = GateDir::new(&upstream).serve();
    let id = pending(&gate).await;
    sign_in(&browser, &gate, "frank").await;
    let card = card(&gate, &id);
    browser.goto(&card).await;
    // The worst case: the other site knows every hidden field, the form's token too.
    let form = "const form = document.querySelector(\"form[action$='/approve']\"); \
                return [...form.querySelectorAll('input')].map(i => i.outerHTML).join('')";
    let fields = browser.execute(form).await.as_str().unwrap().to_owned();
    assert!(fields.contains("csrf") && fields.contains("intent"), "{fields}");
    let post = format!(
        "<!doctype html><form method=post action='{card}/approve'>{fields}</form>\
         <script>document.forms[0].submit()</script>"
    );
    let frame = format!("<!doctype html><iframe src='{card}'></iframe>");
    // A browser sends the session's cookie along from 127.0.0.1, which is the same site on another port.
    for host in ["127.0.0.1", "localhost"] {
        browser.goto(&other_site(host, post.clone()).await).await;
        until(&browser, &format!("location.href === '{card}/approve' && document.readyState === 'complete'"))
            .await;
        let said = browser.text("body").await;
        assert!(said.contains("another site"), "{host}: {said}");
        assert_eq!(gate.agent_get(&format!("/v1/proposals/{id}")).await.1["state"], "pending", "{host}");
        browser.complaints().await;
        browser.goto(&other_site(host, frame.clone()).await).await;
        let complaints = browser.complaints().await;
        assert!(complaints.iter().any(|line| line.contains("frame-ancestors")), "{complaints:?}");
        browser.enter_frame("iframe").await;
        assert_eq!(browser.count("form, #live, #main").await, 0, "{host}");
    }
    assert!(upstream.writes().is_empty());
    // The same form, from its own page.
    browser.goto(&card).await;
    browser.click("form[action$='/approve'] button").await;
    done(&browser).await;
    assert_eq!(upstream.writes().len(), 1);
    gate.stop_with_sound_log();
}

/// Every address in the page.
const LINKS: &str = "return [...document.querySelectorAll('[href],[src],[action]')].flatMap(e => \
    [e.href, e.src, e.getAttribute('action')]).filter(Boolean).map(a => new URL(a, location.href).href)";

#[tokio::test(flavor = "multi_thread")]
async fn a_link_scanner_changes_nothing_t34() {
    let Some(browser) = Browser::start().await else { return };
    let upstream = upstream().await;
    let gate = GateDir::new(&upstream).serve();
    let id = pending(&gate).await;
    let link = link(&gate, "frank");
    let olga = gate.sign_in("olga").await;
    let history = format!("/v1/proposals/{id}/history");
    let count = async || olga.get(&history).await.1["entries"].as_array().unwrap().len();
    let before = count().await;
    let scan = async |cookie: &str, start: &str, minimum: usize| {
        let found = browser.execute(LINKS).await;
        let mut links: Vec<&str> = found.as_array().unwrap().iter().map(|l| l.as_str().unwrap()).collect();
        assert!(links.len() >= minimum, "{links:?}");
        links.push(start);
        for link in links {
            for method in [reqwest::Method::HEAD, reqwest::Method::GET] {
                let answer = http().request(method, link).header("cookie", cookie).send().await.unwrap();
                assert!(answer.status().as_u16() < 500, "{link}");
                assert!(answer.headers().get("set-cookie").is_none(), "{link}");
            }
        }
    };
    browser.goto(&link).await;
    scan("", &link, 4).await;
    browser.click("main form button").await;
    browser.find("#yours").await;
    let session = &browser.cookies().await[0];
    let cookie = format!("{}={}", session["name"].as_str().unwrap(), session["value"].as_str().unwrap());
    scan(&cookie, &gate.people, 8).await;
    browser.goto(&card(&gate, &id)).await;
    scan(&cookie, &card(&gate, &id), 9).await;
    assert_eq!(count().await, before);
    assert_eq!(gate.agent_get(&format!("/v1/proposals/{id}")).await.1["state"], "pending");
    assert!(upstream.writes().is_empty());
    // Still signed in, and still theirs to decide.
    browser.click("form[action$='/approve'] button").await;
    done(&browser).await;
    gate.stop_with_sound_log();
}
