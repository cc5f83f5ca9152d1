//! The terminal and the console say the same of a proposal: the facts that each surface shows are equal as sets.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Output;

use serde_json::{Value, json};

use crate::facts::{self, Facts, named};
use crate::support::gate::assert_done;
use crate::support::webdriver::Browser;
use crate::support::{Gate, GateDir, Reply, Upstream};

/// A one-time link of this person, on the address where the gate listens.
fn link(gate: &Gate, person: &str) -> String {
    format!("{}/sign-in/{}", gate.people, gate.link(person))
}

fn printed(output: Output) -> String {
    String::from_utf8(output.stdout).unwrap()
}

fn terminal(gate: &Gate, arguments: &[&str]) -> String {
    let output = gate.dir.run(arguments);
    assert_done(&output);
    printed(output)
}

/// What the agent's command says of its proposal.
fn agents_status(gate: &Gate, id: &str) -> String {
    printed(gate.dir.run(&["status", id, "--gate", &gate.agents, "--key-file", "bot.key"]))
}

/// A gate directory whose cards have every kind of fact: a second effect, a letter that passes for another, a hidden
/// character, an action that nothing takes back and that reaches somebody outside.
fn of_every_kind(upstream: &Upstream) -> GateDir {
    let dir = GateDir::new(upstream);
    dir.edit(
        "actions/shop.toml",
        "effects = [\"The price becomes ${money_text(input.price, before.currency)}.\"]",
        "agent = \"effects\"\neffects = [\"The price of ${before.name} becomes ${money_text(input.price, \
         before.currency)}.\", \"Labels are printed.\"]",
    );
    dir.edit(
        "actions/shop.toml",
        "description = \"Write a note on an item.\"\ngroups = [\"write\"]",
        "description = \"Write a note on an item.\"\ngroups = [\"write\", \"external\"]\nreversible = \"never\"",
    );
    // Two rules of one team ask three different people.
    let more = "[person.felix]\nname = \"Felix Ford\"\nteams = [\"finance\"]\n[person.fleur]\nname = \"Fleur Frost\"\nteams = [\"finance\"]\n";
    dir.write("directory.toml", &format!("{}{more}", dir.read("directory.toml")));
    let policies = dir.read("policies/shop.cedar");
    let notes = "@id(\"notes\")\n@approval(\"finance\")\n@reason(\"The customer reads notes.\")\n\
                 forbid (principal, action == Action::\"shop.note.add\", resource);";
    dir.write("policies/shop.cedar", &format!("{policies}\n{notes}\n"));
    dir
}

/// One proposal of each kind, by what it is.
struct Proposals(BTreeMap<&'static str, String>);

impl Proposals {
    async fn made(gate: &Gate) -> Self {
        let price =
            |price: u64| json!({ "action": "shop.price.set", "input": { "id": "i_1", "price": price } });
        let note = json!({
            "action": "shop.note.add", "input": { "id": "i_1", "text": "Dear p\u{430}ypal,\n\n\tall\u{202e} is well." },
        });
        let waits = json!({
            "action": "shop.price.set", "input": { "id": "i_1", "price": 90_000 },
            "reason": "The supplier asked.\n  Twice.", "run": "run-7",
            "evidence": [{ "title": "Mail", "body": "Please raise it.\nThanks!" },
                         { "title": "Stock", "body": { "left": [1, 2] } }],
        });
        let read = json!({ "action": "shop.item.read", "input": { "id": "i_1" } });
        let bodies = [
            ("waits", waits),
            ("half", price(200_000)),
            ("done", price(80_000)),
            ("rejected", price(70_000)),
            ("note", note),
            ("read", read),
        ];
        let mut made = BTreeMap::new();
        for (name, mut body) in bodies {
            body["on_behalf_of"] = json!("ann");
            let (status, body) = gate.propose_with(body).await;
            assert!(status < 300, "{name}: {body}");
            made.insert(name, body["id"].as_str().unwrap().to_owned());
        }
        let fiona = gate.sign_in("fiona").await;
        for (name, verb, comment) in [
            ("half", "approve", "Half of it is mine.\nThe other half is Frank's."),
            ("done", "approve", "Right."),
            ("rejected", "reject", "Too dear."),
        ] {
            let id = &made[name];
            let (status, body) = fiona.decide(id, verb, comment).await;
            assert_eq!(status, 200, "{body}");
        }
        gate.settled(&made["done"]).await;
        Self(made)
    }
}

/// The console's label of a state.
async fn labels(browser: &Browser, gate: &Gate) -> BTreeMap<String, String> {
    browser.goto(&format!("{}/history", gate.people)).await;
    let js = "return [...document.querySelectorAll('select[name=state] option')].map(o => [o.value, o.textContent])";
    let read = browser.execute(js).await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    read.as_array().unwrap().iter().map(|pair| (text(&pair[0]), text(&pair[1]))).collect()
}

async fn signed_in(gate: &Gate, browser: &Browser, person: &str) {
    browser.goto(&link(gate, person)).await;
    browser.click("main form button").await;
    browser.find("#live").await;
    terminal(gate, &["person", "login", &link(gate, person)]);
}

/// What is on one surface alone.
#[derive(Default)]
struct Differences(Vec<String>);

impl Differences {
    fn compare(&mut self, what: &str, console: &Facts, terminal: &Facts) {
        for (name, text) in console.symmetric_difference(terminal) {
            let only = if console.contains(&(name.clone(), text.clone())) { "console" } else { "terminal" };
            self.0.push(format!("{what}: only in the {only}: {name}: {text}"));
        }
    }

    fn assert_none(&self) {
        assert!(self.0.is_empty(), "{:#?}", self.0);
    }
}

/// What changes from run to run, as a name for it.
fn masked(text: &str, proposals: &Proposals, addresses: &[&str]) -> String {
    let mut text = text.to_owned();
    for (name, id) in &proposals.0 {
        text = text.replace(id, &format!("prp_{name:.<26}"));
    }
    for address in addresses {
        text = text.replace(address, "http://[..]");
    }
    let patterns = [
        (r"sha256:[0-9a-f]{64}", "sha256:[..]"),
        (r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z", "[time]"),
        (r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}", "[to the minute]"),
    ];
    for (pattern, name) in patterns {
        text = regex::Regex::new(pattern).unwrap().replace_all(&text, name).into_owned();
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn the_terminal_shows_the_facts_of_the_console_and_no_others() {
    let Some(browser) = Browser::start().await else { return };
    let upstream = Upstream::start().await;
    let item = json!({
        "id": "i_1", "price": 5_000, "currency": "usd", "name": "p\u{430}ypal \u{202e}x", "tags": ["a", "b"],
    });
    upstream.on("GET /items/i_1", Reply::json(200, &item));
    let gate = of_every_kind(&upstream).serve();
    let proposals = Proposals::made(&gate).await;
    let addresses = [gate.people.as_str(), &gate.agents, &upstream.url()];
    let mut seen = BTreeSet::new();
    let mut differences = Differences::default();
    for person in ["frank", "ann"] {
        signed_in(&gate, &browser, person).await;
        let labels = labels(&browser, &gate).await;
        // What no rule put before Frank is not his to see.
        for (name, id) in proposals.0.iter().filter(|(name, _)| person == "ann" || **name != "read") {
            browser.goto(&format!("{}/proposals/{id}", gate.people)).await;
            let console = facts::of_page(&browser).await;
            seen.extend(console.iter().map(|(name, _)| name.clone()));
            let show = terminal(&gate, &["show", id]);
            let what = format!("{name} for {person}");
            differences.compare(&format!("show, {what}"), &console, &facts::of_card(&show));
            // `approve` shows the same card before it asks; nobody types yes here.
            let approve = printed(gate.dir.run(&["approve", id]));
            let asked = approve.split_once("Approve this? Type yes: ");
            assert_eq!(asked.is_some(), !named(&console, "yours").is_empty(), "{approve}");
            if let Some((card, _)) = asked {
                differences.compare(&format!("approve, {what}"), &console, &facts::of_card(card));
            }
            let status = agents_status(&gate, id);
            let url = format!("{}/proposals/{id}", gate.people);
            differences.compare(
                &format!("status, {what}"),
                &for_the_agent(&console, &labels, &url),
                &facts::of_status(&status, |state| labels[state].clone()),
            );
            if person == "frank" || *name == "read" {
                insta::assert_snapshot!(format!("show-{name}"), masked(&show, &proposals, &addresses));
                insta::assert_snapshot!(format!("status-{name}"), masked(&status, &proposals, &addresses));
                insta::assert_snapshot!(format!("approve-{name}"), masked(&approve, &proposals, &addresses));
            }
        }
        lists(&browser, &gate, &labels, &mut differences).await;
    }
    differences.assert_none();
    // Every kind of fact was there to be compared.
    assert!(seen.iter().eq(KINDS), "{seen:?}");
    signed_in(&gate, &browser, "frank").await;
    let list = terminal(&gate, &["list"]);
    let all = terminal(&gate, &["list", "--state", "all"]);
    insta::assert_snapshot!("list", masked(&list, &proposals, &addresses));
    insta::assert_snapshot!("list-all", masked(&all, &proposals, &addresses));
    gate.stop_with_sound_log();
}

/// Names of the facts that these proposals have, in order.
const KINDS: [&str; 41] = [
    "action",
    "also",
    "answer",
    "approvals",
    "approved",
    "asks",
    "attached,mail",
    "attached,stock",
    "body",
    "call",
    "card",
    "caution",
    "changed",
    "credential",
    "decideby",
    "decision",
    "foryou",
    "guard",
    "header",
    "headline",
    "input",
    "intent",
    "itsreason",
    "itsrun",
    "letter",
    "madeat",
    "note",
    "notyours",
    "owner",
    "policies",
    "preview",
    "proposal",
    "proposed",
    "readwith",
    "risk",
    "senttwice",
    "state",
    "unchanged",
    "wayback",
    "who",
    "yours",
];

/// The inbox is `list`, the history is `list --state all`, on a wide terminal and on a narrow one.
async fn lists(
    browser: &Browser,
    gate: &Gate,
    labels: &BTreeMap<String, String>,
    differences: &mut Differences,
) {
    let label = |state: &str| labels[state].clone();
    for (path, arguments) in [("/", &["list"][..]), ("/history", &["list", "--state", "all"])] {
        browser.goto(&format!("{}{path}", gate.people)).await;
        let console = facts::of_list_page(browser).await;
        assert!(console.len() >= 3, "{console:?}");
        let narrow = gate.dir.command(arguments).env("COLUMNS", "40").output().unwrap();
        let wide = facts::of_list(&terminal(gate, arguments), label);
        for (what, list) in [("wide", wide), ("narrow", facts::of_narrow_list(&printed(narrow), label))] {
            assert!(console.keys().eq(list.keys()), "{what} {path}: {console:#?}\n{list:#?}");
            console
                .iter()
                .for_each(|(id, facts)| differences.compare(&format!("{what} {path}"), facts, &list[id]));
        }
    }
}

/// The letter of `U+0430`.
fn letter(code: &str) -> char {
    let code = u32::from_str_radix(code.trim_start_matches("U+"), 16).unwrap();
    char::from_u32(code).unwrap()
}

/// Of the console's facts, those that an agent is told.
fn for_the_agent(console: &Facts, labels: &BTreeMap<String, String>, url: &str) -> Facts {
    let mut told = Facts::new();
    let mut tell = |name: &str, text: String| told.insert((name.to_owned(), text));
    let state = named(console, "state").remove(0);
    let waits = state.starts_with("Waitingforapproval.");
    let says = !named(console, "caution").contains(&"Theactiondoesnotsaywhatwillhappen.".to_owned());
    let told_of = ["headline", "also", "answer"].map(|name| named(console, name).concat()).concat();
    for (name, text) in console {
        match name.as_str() {
            // Without an effect, the headline is the title.
            "headline" | "also" if says => tell("effect", text.clone()),
            "letter" if told_of.contains(letter(text)) => tell(name, text.clone()),
            // The rule's name is in how far it has come.
            "asks" if waits => tell("asks", format!("{})", text.rsplit_once(',').unwrap().0)),
            "proposal" | "approvals" | "decideby" => tell(name, text.clone()),
            "answer" => tell("result", text.split_once(':').unwrap().1.to_owned()),
            _ => continue,
        };
    }
    let label = labels.values().map(|label| label.replace(' ', ""));
    let label = label.filter(|label| state.starts_with(&format!("{label}."))).collect::<Vec<_>>().remove(0);
    tell("label", label);
    if waits {
        tell("where", url.to_owned());
    }
    told
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
