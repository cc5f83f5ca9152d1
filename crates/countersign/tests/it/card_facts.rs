//! The terminal and the console say the same of a proposal: every fact of the card is in both.

use serde_json::{Value, json};

use crate::support::gate::assert_done;
use crate::support::webdriver::Browser;
use crate::support::{Gate, GateDir, Reply, Upstream};

/// Text without white space and without the codes that the terminal puts behind look-alike letters.
fn plain(text: &str) -> String {
    let mut kept = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("[U+") {
        kept.push_str(before);
        rest = after.split_once(']').map_or("", |(_, rest)| rest);
    }
    kept.push_str(rest);
    kept.retain(|c| !c.is_whitespace());
    kept
}

fn texts<'a>(card: &'a Value, pointers: &[&str]) -> Vec<&'a str> {
    pointers.iter().filter_map(|pointer| card.pointer(pointer)).filter_map(Value::as_str).collect()
}

/// Every fact that a person decides on, from the API.
fn facts(shown: &Value) -> Vec<String> {
    let card = &shown["card"];
    let fixed = [
        "/headline",
        "/title",
        "/money",
        "/action",
        "/environment",
        "/undo",
        "/guard",
        "/intent",
        "/decision",
        "/policy_set",
        "/id",
        "/preview/fidelity",
        "/preview/source",
        "/call/url",
        "/call/method",
        "/call/credential",
        "/call/body/0",
        "/call/body/1",
    ];
    let mut facts: Vec<String> = texts(card, &fixed).into_iter().map(str::to_owned).collect();
    let mut all = |value: &Value, fields: &[&str]| {
        for item in value.as_array().unwrap() {
            facts.extend(texts(item, fields).into_iter().map(str::to_owned));
        }
    };
    all(&card["who"], &["/name", "/id", "/known"]);
    all(&card["gates"], &["/policy/reason", "/policy/id", "/rules/0"]);
    all(&card["call"]["headers"], &["/0", "/1"]);
    all(&shown["written_by_the_agent"]["evidence"], &["/title", "/body"]);
    facts.extend(card["effects"].as_array().unwrap().iter().map(|e| e.as_str().unwrap().to_owned()));
    facts.extend(
        texts(shown, &["/view", "/owner", "/written_by_the_agent/reason", "/written_by_the_agent/run"])
            .into_iter()
            .map(str::to_owned),
    );
    facts.extend(card["preview"]["patch"].as_array().unwrap().iter().map(|op| op["value"].to_string()));
    facts.push(card["input"].to_string());
    facts
}

/// A one-time link of this person, on the address where the gate listens.
fn link(gate: &Gate, person: &str) -> String {
    format!("{}/sign-in/{}", gate.people, gate.link(person))
}

fn terminal(gate: &Gate, arguments: &[&str]) -> String {
    let output = gate.dir.run(arguments);
    assert_done(&output);
    String::from_utf8(output.stdout).unwrap()
}

/// What the agent's command says of its proposal.
fn agents_status(gate: &Gate, id: &str) -> String {
    gate.dir.write("bot.key", &gate.key("bot"));
    let output = gate.dir.run(&["status", id, "--gate", &gate.agents, "--key-file", "bot.key"]);
    plain(&String::from_utf8(output.stdout).unwrap())
}

/// Who can decide and how many are missing is on every surface.
fn say_who_can_decide(shown: &Value, surfaces: &[(&str, &String)]) {
    let deciders = shown["deciders"][0]["people"].as_array().unwrap();
    let mut who: Vec<&str> = deciders.iter().map(|person| person["name"].as_str().unwrap()).collect();
    assert!(who.len() > 1, "{shown}");
    who.extend(["finance", "0 of 1"]);
    for (surface, text) in surfaces {
        for fact in &who {
            assert!(text.contains(&plain(fact)), "{surface} lacks {fact}\n{text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fact_of_the_card_is_in_the_console_and_in_the_terminal() {
    let Some(browser) = Browser::start().await else { return };
    let upstream = Upstream::start().await;
    let item = json!({ "id": "i_1", "price": 5_000, "currency": "usd", "name": "p\u{430}ypal \u{202e}x" });
    upstream.on("GET /items/i_1", Reply::json(200, &item));
    let dir = GateDir::new(&upstream);
    dir.edit(
        "actions/shop.toml",
        "effects = [\"The price becomes ${money_text(input.price, before.currency)}.\"]",
        "effects = [\"The price of ${before.name} becomes ${money_text(input.price, before.currency)}.\", \"Labels are printed.\"]",
    );
    let gate = dir.serve();
    let (status, body) = gate
        .propose_with(json!({
            "action": "shop.price.set", "input": { "id": "i_1", "price": 90_000 }, "on_behalf_of": "ann",
            "reason": "The supplier asked.", "run": "run-7",
            "evidence": [{ "title": "Mail", "body": "Please raise it." }],
        }))
        .await;
    assert_eq!(status, 202, "{body}");
    let id = body["id"].as_str().unwrap();
    let shown = gate.sign_in("frank").await.get(&format!("/v1/proposals/{id}")).await.1;
    let facts = facts(&shown);
    assert!(facts.len() > 30, "{facts:?}");

    browser.goto(&link(&gate, "frank")).await;
    browser.click("main form button").await;
    browser.find("#yours").await;
    let row = plain(&browser.text("ul.rows li").await);
    browser.goto(&format!("{}/proposals/{id}", gate.people)).await;
    browser.execute("for (const d of document.querySelectorAll('details')) d.open = true").await;
    let console = plain(&browser.text("main").await);

    terminal(&gate, &["person", "login", &link(&gate, "frank")]);
    let show = plain(&terminal(&gate, &["show", id]));
    let list = plain(&terminal(&gate, &["list"]));
    for fact in &facts {
        // The visible form of what hides is the same on both.
        let fact = plain(&countersign_visible(fact));
        assert!(console.contains(&fact), "the console lacks {fact}\n{console}");
        assert!(show.contains(&fact), "the terminal lacks {fact}\n{show}");
    }
    // `approve` shows the same card before it asks; nobody types yes here.
    let approve = gate.dir.run(&["approve", id]);
    assert_ne!(approve.status.code(), Some(0));
    let approve = plain(&String::from_utf8(approve.stdout).unwrap());
    let lacking: Vec<&String> =
        facts.iter().filter(|f| !approve.contains(&plain(&countersign_visible(f)))).collect();
    assert!(lacking.is_empty(), "approve lacks {lacking:?}\n{approve}");
    let status = agents_status(&gate, id);
    let surfaces = [("console", &console), ("show", &show), ("approve", &approve), ("status", &status)];
    say_who_can_decide(&shown, &surfaces);
    let due = body["decide_by"].as_str().unwrap();
    let time = &due[11..16];
    for (surface, text) in
        [("console", &console), ("show", &show), ("status", &status), ("list", &list), ("the inbox", &row)]
    {
        assert!(text.contains(time), "{surface} lacks {time}\n{text}");
    }
    assert!(list.contains("yours") && list.contains("pending") && list.contains(id), "{list}");
    for pointer in ["/headline", "/money"] {
        let fact = plain(&countersign_visible(shown["card"].pointer(pointer).unwrap().as_str().unwrap()));
        assert!(row.contains(&fact) && list.contains(&fact), "{fact}\n{row}\n{list}");
    }
    assert!(console.contains("Look-alikeletters") && show.contains("passforLatinones"), "{show}");
    gate.stop_with_sound_log();
}

/// What hides as codes, as both surfaces show it.
fn countersign_visible(text: &str) -> String {
    text.replace('\u{202e}', "<U+202E>")
}

#[tokio::test(flavor = "multi_thread")]
async fn approve_says_that_you_may_not_before_it_asks() {
    let upstream = Upstream::start().await;
    let item = json!({ "id": "i_1", "price": 5_000, "currency": "usd" });
    upstream.on("GET /items/i_1", Reply::json(200, &item));
    let gate = GateDir::new(&upstream).serve();
    let (_, body) = gate.propose("shop.price.set", json!({ "id": "i_1", "price": 90_000 })).await;
    let id = body["id"].as_str().unwrap();
    terminal(&gate, &["person", "login", &link(&gate, "ann")]);
    for verb in [&["approve", id][..], &["reject", id, "--reason", "no"]] {
        let output = gate.dir.run(verb);
        let said = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(4), "{said}");
        assert!(said.contains("This is not yours to decide"), "{said}");
        assert!(!said.contains("Type yes"), "{said}");
    }
    assert_eq!(gate.agent_get(&format!("/v1/proposals/{id}")).await.1["state"], "pending");
    gate.stop_with_sound_log();
}
