//! The card on a laptop and on a phone: what a decision needs is on the first screen, what must be opened holds
//! Approve back, and no page breaks a rule of axe.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::gate::http;
use crate::support::wait::eventually;
use crate::support::webdriver::Browser;
use crate::support::{Gate, GateDir, Reply, Upstream};

/// Width and height of a laptop and of a phone.
const SIZES: [(u32, u32); 2] = [(1280, 900), (390, 844)];

/// A gate with a price that waits for Frank, and its id.
async fn waiting(edit: impl FnOnce(&GateDir)) -> (Upstream, Gate, String) {
    let upstream = Upstream::start().await;
    let item = json!({ "id": "i_1", "price": 5_000, "currency": "usd", "stock": 3 });
    upstream.on("GET /items/i_1", Reply::json(200, &item));
    let dir = GateDir::new(&upstream);
    edit(&dir);
    let gate = dir.serve();
    let (status, body) = gate.propose("shop.price.set", json!({ "id": "i_1", "price": 90_000 })).await;
    assert_eq!(status, 202, "{body}");
    let id = body["id"].as_str().unwrap().to_owned();
    (upstream, gate, id)
}

/// A one-time link of this person, on the address where the gate listens.
fn link(gate: &Gate, person: &str) -> String {
    format!("{}/sign-in/{}", gate.people, gate.link(person))
}

async fn sign_in(browser: &Browser, gate: &Gate, person: &str) {
    browser.goto(&link(gate, person)).await;
    browser.click("main form button").await;
    browser.find("#yours").await;
}

/// Whether an element that matches is wholly inside what is seen without scrolling.
async fn on_screen(browser: &Browser, css: &str) -> bool {
    let js = format!(
        "return [...document.querySelectorAll({})].some(e => {{ const r = e.getBoundingClientRect(); \
         return e.checkVisibility() && r.width > 0 && r.top >= 0 && r.left >= 0 && r.bottom <= innerHeight && \
         r.right <= innerWidth }})",
        json!(css)
    );
    browser.execute(&js).await == true
}

/// What axe finds on the page as it is now.
async fn axe(browser: &Browser) -> Value {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/axe/node_modules/axe-core/axe.min.js");
    let source = std::fs::read_to_string(source).expect("axe is installed by scripts/setup-tools.sh");
    browser.execute(&source).await;
    let run = "return axe.run().then(r => r.violations.map(v => [v.id, v.nodes.map(n => n.target + ': ' + \
               n.failureSummary)]))";
    browser.execute(run).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_screen_has_what_a_decision_needs() {
    let Some(browser) = Browser::start().await else { return };
    let (_upstream, gate, id) = waiting(|_| ()).await;
    sign_in(&browser, &gate, "frank").await;
    for (width, height) in SIZES {
        browser.set_window(width, height).await;
        browser.goto(&format!("{}/proposals/{id}", gate.people)).await;
        assert_eq!(browser.text("#headline").await, "The price becomes 900.00 USD.");
        for css in ["#headline", ".chips .money", "[data-approve]", ".danger"] {
            assert!(on_screen(&browser, css).await, "{css} at {width}");
        }
        assert_eq!(browser.text(".chips .money").await, "900.00 USD");
        // Folded, and there.
        for name in ["Exact request", "Fingerprints and times"] {
            let css = format!("section[aria-label='{name}'] > details");
            assert_eq!(browser.attribute(&css, "open").await, None, "{name}");
        }
        if width < 900 && std::env::var("BLESS").is_ok_and(|v| v == "1") {
            let picture = "../../docs/images/card-phone.png";
            browser.screenshot(&Path::new(env!("CARGO_MANIFEST_DIR")).join(picture)).await;
        }
    }
}

/// Elements that a finger must hit, and are smaller than 44 pixels in one direction.
const SMALL: &str = "return [...document.querySelectorAll('a, button, summary, select, input:not([type=hidden]), textarea')] \
    .filter(e => e.checkVisibility() && !e.closest('.skip, p, dd, .said')).map(e => [e.closest('label') ?? e, e]) \
    .filter(([t]) => { const r = t.getBoundingClientRect(); return r.height > 0 && (r.height < 44 || r.width < 44) }) \
    .map(([t, e]) => e.outerHTML.slice(0, 120) + ' ' + JSON.stringify(t.getBoundingClientRect()))";

/// A gate with a price and a note that wait for Frank, and their ids. The note is long, and a letter of it passes for
/// another.
async fn full_of_traps() -> (Upstream, Gate, String, String) {
    let long = format!("p\u{430}ypal {} \u{202e}end", "pad ".repeat(400));
    let (upstream, gate, price) = waiting(|dir| {
        dir.write(
            "policies/notes.cedar",
            "@id(\"notes\")\n@approval(\"finance\")\n@reason(\"Somebody reads notes first.\")\n\
             forbid (principal, action == Action::\"shop.note.add\", resource);\n",
        );
    })
    .await;
    upstream.on("POST /items/i_1/notes", Reply::json(201, &json!({ "id": "n_1" })));
    let (status, body) = gate.propose("shop.note.add", json!({ "id": "i_1", "text": long })).await;
    assert_eq!(status, 202, "{body}");
    let note = body["id"].as_str().unwrap().to_owned();
    (upstream, gate, price, note)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_decides_on_a_card_full_of_traps_only_after_everything_was_opened() {
    let Some(browser) = Browser::start().await else { return };
    let (upstream, gate, _, note) = full_of_traps().await;
    sign_in(&browser, &gate, "frank").await;
    browser.set_window(390, 844).await;
    browser.goto(&format!("{}/proposals/{note}", gate.people)).await;
    let small = browser.execute(SMALL).await;
    assert_eq!(small, json!([]), "tap targets");
    let bar = ".decision-bar button";
    assert!(on_screen(&browser, bar).await && on_screen(&browser, ".decision-bar .danger").await);
    assert_eq!(browser.attribute(bar, "disabled").await.as_deref(), Some("true"));
    let said = browser.text(".decision-bar").await;
    assert!(said.contains("Open what is hidden first: 0 of"), "{said}");
    // The bar stays when the page is scrolled.
    browser.execute("scrollTo(0, document.body.scrollHeight)").await;
    assert!(on_screen(&browser, bar).await);
    // Each look-alike is marked by itself, and a tap says what it is.
    assert_eq!(browser.execute("return document.querySelector('bdi mark').textContent.length").await, 1);
    browser.execute("for (const d of document.querySelectorAll('details')) d.open = true").await;
    let why = browser.text("details.letters").await;
    assert!(why.contains("is Cyrillic (U+0430) and looks like Latin “a”"), "{why}");
    browser.wait_until("!document.querySelector('[data-seen]').disabled").await;
    browser.click("[data-seen]").await;
    assert!(!browser.text(".decision-bar").await.contains("Open what is hidden"));
    browser.click(bar).await;
    eventually("it is done", async || {
        browser.execute("return document.querySelector('#status')?.textContent === 'Done'").await == true
    })
    .await;
    assert_eq!(upstream.writes().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_page_breaks_a_rule_of_axe_in_light_or_dark() {
    let Some(browser) = Browser::start().await else { return };
    let (_upstream, gate, id, _) = full_of_traps().await;
    browser.goto(&link(&gate, "frank")).await;
    assert_eq!(axe(&browser).await, json!([]), "the sign-in page");
    sign_in(&browser, &gate, "frank").await;
    for (width, height) in SIZES {
        browser.set_window(width, height).await;
        for dark in [false, true] {
            browser.dark_mode(dark).await;
            for path in ["/".to_owned(), "/history".to_owned(), format!("/proposals/{id}")] {
                browser.goto(&format!("{}{path}", gate.people)).await;
                let blessed = std::env::var("BLESS").is_ok_and(|v| v == "1");
                if blessed && path == "/" && !dark && width > 900 {
                    let picture = "../../docs/images/inbox.png";
                    browser.screenshot(&Path::new(env!("CARGO_MANIFEST_DIR")).join(picture)).await;
                }
                browser.execute("for (const d of document.querySelectorAll('details')) d.open = true").await;
                assert_eq!(axe(&browser).await, json!([]), "{path} at {width}, dark {dark}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_without_scripts_finds_reads_and_decides() {
    let Some(browser) = Browser::start().await else { return };
    let (upstream, gate, price, note) = full_of_traps().await;
    browser.set_window(390, 844).await;
    browser.devtools("Emulation.setScriptExecutionDisabled", json!({ "value": true })).await;
    let page = |id: &str| format!("{}/proposals/{id}", gate.people);
    // The page that was asked for opens after signing in.
    browser.goto(&page(&note)).await;
    browser.goto(&link(&gate, "frank")).await;
    browser.click("main form button").await;
    browser.find(".decision-bar").await;
    assert_eq!(browser.url().await.split(['?', '#']).next(), Some(page(&note).as_str()));
    // The page's own script has not run: it would hold the box back.
    assert_eq!(browser.execute("return document.querySelector('[data-seen]').disabled").await, false);
    // Approve without the box stays on the page.
    browser.click(".decision-bar button").await;
    assert_eq!(browser.execute("return document.querySelector('[data-seen]').validity.valid").await, false);
    browser.click("details.letters > summary").await;
    assert!(browser.text("details.letters").await.contains("is Cyrillic (U+0430) and looks like Latin “a”"));
    assert_eq!(upstream.writes().len(), 0);
    // As a finger scrolls: the driver leaves what it finds under the bar where it is.
    browser.execute("document.querySelector('[data-seen]').scrollIntoView({ block: 'center' })").await;
    browser.click("[data-seen]").await;
    browser.click(".decision-bar button").await;
    eventually("the note is written", async || upstream.writes().len() == 1).await;

    // Filters, and a rejection, which needs a reason.
    browser.goto(&format!("{}/?text=nothing-like-that", gate.people)).await;
    assert_eq!(browser.count("main a[href^='/proposals/']").await, 0);
    browser.goto(&format!("{}/?text=900.00", gate.people)).await;
    browser.click("main a[href^='/proposals/']").await;
    assert_eq!(browser.url().await.split(['?', '#']).next(), Some(page(&price).as_str()));
    browser.execute("document.querySelector('#reason').scrollIntoView({ block: 'center' })").await;
    browser.click("form[action$='/reject'] button").await;
    assert_eq!(browser.execute("return document.querySelector('#reason').validity.valueMissing").await, true);
    browser.type_text("#reason", "Too much.").await;
    browser.click("form[action$='/reject'] button").await;
    eventually("it is rejected", async || gate.settled(&price).await["state"] == "rejected").await;
    assert_eq!(upstream.writes().len(), 1);
}

/// On a slow connection, too: styles and scripts are files of their own, which the browser keeps.
#[tokio::test(flavor = "multi_thread")]
async fn a_card_is_no_more_than_60_kilobytes() {
    let (_upstream, gate, price, note) = full_of_traps().await;
    let frank = gate.sign_in("frank").await;
    for id in [price, note] {
        let (status, html) = frank.page(&format!("/proposals/{id}")).await;
        assert!(
            status == 200 && html.contains("data-approve") && html.len() <= 60_000,
            "{} bytes",
            html.len()
        );
    }
}

/// A form field of the page, which is there once in each form that has it.
fn field<'a>(html: &'a str, name: &str) -> &'a str {
    let from = format!("name=\"{name}\" value=\"");
    html.split_once(&from).unwrap_or_else(|| panic!("no {name} in\n{html}")).1.split('"').next().unwrap()
}

/// What the browser's own validation stops first, the server refuses too (T25).
#[tokio::test(flavor = "multi_thread")]
async fn an_approval_unread_and_a_rejection_without_a_reason_are_refused_t25() {
    let (upstream, gate, _, note) = full_of_traps().await;
    let frank = gate.sign_in("frank").await;
    let (_, html) = frank.page(&format!("/proposals/{note}")).await;
    let read = field(&html, "seen");
    let send = async |verb: &str, own: &[(&str, &str)]| {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        for name in ["csrf", "intent", "decision", "view"] {
            form.append_pair(name, field(&html, name));
        }
        let body = form.extend_pairs(own).finish();
        let request = http().post(format!("{}/proposals/{note}/{verb}", gate.people));
        let request = request.header("origin", &gate.people).header("accept", "text/html").body(body);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let request = request.header("cookie", format!("__Host-countersign={}", frank.session));
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    };
    let unread = "Open what is hidden on the page, and say that you have read it";
    let reason = "Say why you reject it";
    for (verb, own, why) in [
        ("approve", &[][..], unread),
        ("approve", &[("seen", "")], unread),
        ("approve", &[("seen", "0")], unread),
        ("approve", &[("seen", "on")], unread),
        ("reject", &[], reason),
        ("reject", &[("comment", " \n")], reason),
    ] {
        let (status, page) = send(verb, own).await;
        assert!(status == 400 && page.contains(why), "{verb} {own:?}: {status}\n{page}");
    }
    assert_eq!(gate.agent_get(&format!("/v1/proposals/{note}")).await.1["state"], "pending");
    assert_eq!(upstream.writes().len(), 0);
    // The same form with the box ticked is an approval.
    let (status, page) = send("approve", &[("seen", read)]).await;
    assert!(status < 400, "{status}\n{page}");
    assert_eq!(gate.settled(&note).await["state"], "succeeded");
    assert_eq!(upstream.writes().len(), 1);
}
