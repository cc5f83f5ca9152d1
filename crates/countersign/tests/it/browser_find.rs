//! Finding things in the console, with a real browser: filters, links, titles, keys, pages for errors.

use serde_json::json;

use crate::support::gate::{assert_done, http, send};
use crate::support::wait::eventually;
use crate::support::webdriver::Browser;
use crate::support::{Gate, GateDir, Reply, Upstream};

async fn upstream() -> Upstream {
    let upstream = Upstream::start().await;
    for item in ["i_1", "i_2"] {
        let body = json!({ "id": item, "price": 5_000, "currency": "usd" });
        upstream.on(&format!("GET /items/{item}"), Reply::json(200, &body));
    }
    upstream
}

/// Proposes a price that needs approval, and gives the proposal's id.
async fn pending(gate: &Gate, item: &str, price: u64) -> String {
    let (status, body) = gate.propose("shop.price.set", json!({ "id": item, "price": price })).await;
    assert_eq!((status, &body["state"]), (202, &json!("pending")), "{body}");
    body["id"].as_str().unwrap().to_owned()
}

async fn sign_in(browser: &Browser, gate: &Gate, person: &str) {
    let output = gate.dir.run(&["person", "link", person, "."]);
    assert_done(&output);
    let printed = String::from_utf8(output.stdout).unwrap();
    browser.goto(&format!("{}/sign-in/{}", gate.people, printed.trim().rsplit('/').next().unwrap())).await;
    browser.click("main form button").await;
}

async fn until(browser: &Browser, js: &str) {
    eventually(js, async || browser.execute(&format!("return Boolean({js})")).await == true).await;
}

async fn path(browser: &Browser, gate: &Gate) -> String {
    browser.url().await.strip_prefix(&gate.people).unwrap().to_owned()
}

/// Presses a key, wherever the focus is.
async fn press(browser: &Browser, key: &str, modifiers: u32) {
    let text = if key == "Enter" { "\r" } else { key };
    for kind in ["keyDown", "keyUp"] {
        let event = json!({ "type": kind, "key": key, "text": text, "modifiers": modifiers });
        browser.devtools("Input.dispatchKeyEvent", event).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_is_a_form_whose_address_finds_the_same_again_also_without_scripts() {
    let Some(browser) = Browser::start().await else { return };
    let upstream = upstream().await;
    let gate = GateDir::new(&upstream).serve();
    pending(&gate, "i_1", 20_000).await;
    let second = pending(&gate, "i_2", 20_000).await;
    sign_in(&browser, &gate, "frank").await;
    until(&browser, "document.querySelectorAll('.rows .row').length === 2").await;
    for scripts in [true, false] {
        let off = json!({ "value": !scripts });
        browser.devtools("Emulation.setScriptExecutionDisabled", off).await;
        for page in ["/", "/history"] {
            browser.goto(&format!("{}{page}", gate.people)).await;
            browser.type_text("#text", "I_2").await;
            browser.click("form.filter button").await;
            eventually("the filtered page", async || path(&browser, &gate).await.contains("text=I_2")).await;
            let found = path(&browser, &gate).await;
            for again in [false, true] {
                if again {
                    browser.goto(&format!("{}{found}", gate.people)).await;
                }
                assert_eq!(browser.count(".rows .row").await, 1, "{page} {scripts}");
                assert_eq!(browser.count(&format!("a[href='/proposals/{second}']")).await, 1);
                assert_eq!(browser.attribute("#text", "value").await.as_deref(), Some("I_2"));
            }
        }
        browser.goto(&format!("{}/history?agent=nobody&since=2020-01-01", gate.people)).await;
        let said = browser.text(".empty").await;
        assert!(
            said.contains("Nothing matches") && said.contains("Agent: nobody, From: 2020-01-01"),
            "{said}"
        );
        assert_eq!(browser.attribute("#since", "type").await.as_deref(), Some("date"));
        browser.click(".empty a").await;
        eventually("the whole history", async || path(&browser, &gate).await == "/history").await;
        assert_eq!(browser.count(".rows .row").await, 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_to_a_card_opens_it_after_signing_in() {
    let Some(browser) = Browser::start().await else { return };
    let upstream = upstream().await;
    let gate = GateDir::new(&upstream).serve();
    let id = pending(&gate, "i_1", 20_000).await;
    browser.goto(&format!("{}/proposals/{id}", gate.people)).await;
    assert_eq!(browser.text("h1").await, "Sign in to see this page");
    sign_in(&browser, &gate, "frank").await;
    let card = format!("/proposals/{id}");
    eventually("the card", async || path(&browser, &gate).await == card).await;
    // Once: the next sign-in leads to the inbox.
    sign_in(&browser, &gate, "frank").await;
    eventually("the inbox", async || path(&browser, &gate).await == "/").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_title_and_the_badge_say_how_much_of_the_inbox_waits_and_stay_current_g10() {
    let Some(browser) = Browser::start().await else { return };
    let upstream = upstream().await;
    let gate = GateDir::new(&upstream).serve();
    sign_in(&browser, &gate, "frank").await;
    until(&browser, "document.title === 'Inbox – Countersign'").await;
    let id = pending(&gate, "i_1", 20_000).await;
    until(&browser, "document.title === '(1) Inbox – Countersign'").await;
    pending(&gate, "i_2", 20_000).await;
    until(&browser, "document.title === '(2) Inbox – Countersign'").await;
    assert_eq!(browser.text("#count").await, "2");
    assert_eq!(browser.count(".rows .row").await, 2);
    // On a card the count changes, and the rest of the title stays.
    browser.goto(&format!("{}/proposals/{id}", gate.people)).await;
    let title = browser.execute("return document.title").await;
    assert!(title.as_str().unwrap().starts_with("(2) "), "{title}");
    let cancel = http().post(format!("{}/v1/proposals/{id}/cancel", gate.agents));
    assert_eq!(send(cancel.bearer_auth(gate.key("bot"))).await.0, 200);
    let rest = title.as_str().unwrap().strip_prefix("(2) ").unwrap();
    until(&browser, &format!("document.title === {}", json!(format!("(1) {rest}")))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_page_says_what_to_do_in_the_console_s_layout_g18() {
    let Some(browser) = Browser::start().await else { return };
    let upstream = upstream().await;
    let gate = GateDir::new(&upstream).serve();
    sign_in(&browser, &gate, "frank").await;
    until(&browser, "document.querySelector('#yours')").await;
    browser.complaints().await;
    browser.goto(&format!("{}/no/such/page", gate.people)).await;
    assert_eq!(browser.text("h1").await, "There is no such page");
    assert_eq!(browser.count(".top nav a").await, 2);
    browser.click("main a.button").await;
    until(&browser, "document.querySelector('#yours')").await;
    let complaints = browser.complaints().await;
    assert!(complaints.iter().all(|line| line.contains("404")), "{complaints:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_move_and_open_and_decide_nothing() {
    let Some(browser) = Browser::start().await else { return };
    let upstream = upstream().await;
    let gate = GateDir::new(&upstream).serve();
    let first = pending(&gate, "i_1", 20_000).await;
    let second = pending(&gate, "i_2", 20_000).await;
    sign_in(&browser, &gate, "frank").await;
    until(&browser, "document.querySelectorAll('.rows .row').length === 2").await;
    let focus = async |id: &str| {
        let at = format!("document.activeElement.getAttribute('href') === '/proposals/{id}'");
        until(&browser, &at).await;
    };
    press(&browser, "j", 0).await;
    focus(&first).await;
    press(&browser, "j", 0).await;
    focus(&second).await;
    press(&browser, "k", 0).await;
    focus(&first).await;
    press(&browser, "Enter", 0).await;
    let card = format!("/proposals/{first}");
    eventually("the card", async || path(&browser, &gate).await == card).await;
    until(&browser, "document.readyState === 'complete'").await;
    // Every key there is, and none of them decides; nor do they move while somebody writes.
    browser.click("#comment").await;
    for key in ["g", "h", "?", "j"] {
        press(&browser, key, 0).await;
    }
    until(&browser, "document.querySelector('#comment').value === 'gh?j'").await;
    browser.execute("document.activeElement.blur()").await;
    for key in "abcdefhijklmnopqrstuvwxyz".chars() {
        press(&browser, &key.to_string(), 0).await;
    }
    press(&browser, "g", 2).await;
    press(&browser, "h", 0).await;
    assert_eq!(path(&browser, &gate).await, card, "with Ctrl held down it is no shortcut");
    press(&browser, "g", 0).await;
    press(&browser, "h", 0).await;
    eventually("the history", async || path(&browser, &gate).await == "/history").await;
    until(&browser, "document.readyState === 'complete'").await;
    press(&browser, "/", 0).await;
    until(&browser, "document.activeElement.id === 'text'").await;
    browser.execute("document.activeElement.blur()").await;
    press(&browser, "?", 0).await;
    eventually("the page of keys", async || path(&browser, &gate).await == "/help/keys").await;
    assert!(browser.text("main").await.contains("No key approves or rejects"));
    assert!(upstream.writes().is_empty());
    let (_, shown) = gate.sign_in("frank").await.get(&format!("/v1/proposals/{first}")).await;
    assert_eq!(shown["state"]["state"], "pending", "{shown}");
}
