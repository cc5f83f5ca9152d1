//! A gate whose clock is set by hand: it steps back, as a clock does that ran ahead and is set right, and it moves on.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a failed step must fail the test, and the upstream serves in a task of its own"
)]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use countersign_core::audit::LogKey;
use countersign_core::directory::AgentProof;
use countersign_core::limits::RESEND_WINDOW;
use countersign_core::problem::SourceFile;
use countersign_core::proposal::{Record, StateName};
use countersign_core::ruleset::{GateFiles, Ruleset};
use countersign_core::time::Timestamp;
use countersign_engine::connector::{HttpConnector, NetworkPolicy};
use countersign_engine::credential::Credentials;
use countersign_engine::gate::{
    Gate, Limits, Parts, Proposal, Proposed, RequestKey, Supervisor, Verdict, Viewer,
};
use countersign_engine::seal::SealKeys;
use countersign_engine::store::{Store, Witness};
use countersign_engine::world::World;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// Monday, 2026-11-23, 12:00 UTC.
const NOON: Timestamp = Timestamp::from_micros(1_795_435_200_000_000);
/// An hour before.
const ELEVEN: Timestamp = Timestamp::from_micros(1_795_431_600_000_000);

const DIRECTORY: &str = r#"
[team.finance]
[person.frank]
name = "Frank"
teams = ["finance"]
[person.olga]
name = "Olga"
[agent.bot]
title = "Bot"
owner = "olga"
alone = true
"#;

const APPROVALS: &str = r#"
[finance]
who = ["team:finance"]
decide_in = "3h"
use_in = "3h"
"#;

const ACTIONS: &str = r#"
[system]
name = "shop"
base_url = "{{URL}}"
env = "support"
owner = "shop-team"

[action."price.set"]
title = "Set a price"
description = "Change what an item costs."
groups = ["write"]
[action."price.set".input]
price = { type = "integer", minimum = 1, maximum = 1000000, required = true }
[action."price.set".resource]
type = "Item"
id = "i_1"
[action."price.set".preview]
read = { path = "/items/i_1" }
watch = ["/price"]
effects = ["The price becomes ${input.price}."]
[action."price.set".request]
method = "PUT"
path = "/items/i_1/price"
body = { price = "${input.price}" }
"#;

const POLICIES: &str = r#"
@id("all")
permit (principal, action, resource);
@id("prices-need-finance")
@approval("finance")
@reason("Finance sets prices.")
forbid (principal, action == Action::"shop.price.set", resource);
"#;

/// An upstream with one record, which counts what is written.
#[derive(Debug, Clone)]
struct Shop(Arc<Mutex<(u64, usize)>>);

impl Shop {
    async fn start() -> (Self, String) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shop = Self(Arc::new(Mutex::new((5_000, 0))));
        let serving = shop.clone();
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut head = Vec::new();
                while !head.windows(4).any(|w| w == b"\r\n\r\n") {
                    if stream.read_buf(&mut head).await.unwrap() == 0 {
                        break;
                    }
                }
                let body = serving.answer(&head);
                let answer = format!(
                    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\
                     content-length: {}\r\n\r\n{body}",
                    body.len()
                );
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        (shop, url)
    }

    fn answer(&self, head: &[u8]) -> String {
        let mut state = self.0.lock().unwrap();
        if !head.starts_with(b"GET ") {
            state.1 = state.1.saturating_add(1);
        }
        json!({ "price": state.0 }).to_string()
    }

    fn set_price(&self, price: u64) {
        self.0.lock().unwrap().0 = price;
    }

    fn writes(&self) -> usize {
        self.0.lock().unwrap().1
    }
}

fn file(path: &str, text: &str) -> SourceFile {
    SourceFile { path: path.to_owned(), text: text.to_owned() }
}

fn ruleset(url: &str) -> Ruleset {
    let files = GateFiles {
        directory: Some(file("directory.toml", DIRECTORY)),
        approvals: Some(file("approvals.toml", APPROVALS)),
        actions: vec![file("actions/shop.toml", &ACTIONS.replace("{{URL}}", url))],
        policies: vec![file("policies/shop.cedar", POLICIES)],
        environments: vec!["support".to_owned()],
    };
    match Ruleset::load(&files) {
        Ok((ruleset, _)) => ruleset,
        Err(problems) => panic!("{problems:#?}"),
    }
}

async fn propose(gate: &Gate) -> Record {
    proposed(gate, None).await.record
}

async fn proposed(gate: &Gate, key: Option<RequestKey>) -> Proposed {
    let ask = Proposal {
        agent: "bot".to_owned(),
        proof: AgentProof::Key,
        on_behalf_of: None,
        action: "shop.price.set".to_owned(),
        input: json!({ "price": 20_000 }),
        reason: None,
        run: None,
        evidence: Vec::new(),
        key,
        patience: None,
    };
    gate.propose(ask).await.unwrap()
}

/// Frank approves what the gate shows of this record.
async fn approve(gate: &Gate, record: &Record) -> Record {
    let card = gate.card(record);
    let verdict = Verdict {
        person: "frank".to_owned(),
        intent: card.intent,
        decision: card.decision,
        view: card.digest().unwrap(),
        words: String::new(),
        channel: "api",
    };
    gate.approve(record.proposal.id, verdict).await.unwrap()
}

/// The record once it is no longer ready.
async fn driven(gate: &Gate, record: &Record) -> Record {
    let frank = Viewer::Person { id: "frank".to_owned() };
    let mut pause = tokio::time::interval(Duration::from_millis(10));
    for _ in 0..1_000 {
        pause.tick().await;
        let now = gate.read(record.proposal.id, &frank).await.unwrap().unwrap();
        if !matches!(now.state.name(), StateName::Ready | StateName::Dispatched) {
            return now;
        }
    }
    panic!("it is still ready after ten seconds");
}

/// A gate on this world, whose one system is this shop.
async fn start(world: &World, url: &str, folder: &Path) -> (Gate, Supervisor) {
    let keys = SealKeys::new("gate.test/log", zeroize::Zeroizing::new([9; 32]), Vec::new());
    let database = format!("sqlite:{}", folder.join("gate.db").display());
    Store::create(&database).await.unwrap();
    let networks = NetworkPolicy { allow: vec!["127.0.0.0/8".parse().unwrap()], own: vec![] };
    let parts = Parts {
        store: Store::open(&database, world, keys).await.unwrap(),
        world: world.clone(),
        ruleset: ruleset(url),
        credentials: Credentials::new(BTreeMap::new(), networks.clone()),
        connector: HttpConnector::new(networks),
        log_key: LogKey::from_seed("gate.test/log", &[7; 32]).unwrap(),
        witness: Witness::open(&folder.join("witness.json"), "gate.test/log").unwrap(),
        limits: Limits::default(),
    };
    Gate::start(parts).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_read_in_the_future_is_read_again_before_the_call_a6() {
    let (shop, url) = Shop::start().await;
    let (folder, world) = (tempfile::tempdir().unwrap(), World::manual(1, NOON));
    let (gate, supervisor) = start(&world, &url, folder.path()).await;
    let opened = propose(&gate).await;
    assert_eq!(opened.state.name(), StateName::Pending);

    world.set(ELEVEN);
    shop.set_price(777_777);
    approve(&gate, &opened).await;
    let asked = driven(&gate, &opened).await;
    assert_eq!((asked.state.name(), shop.writes()), (StateName::Pending, 0), "the price had changed");
    let before = asked.binding.preview.before.as_ref().and_then(|b| b.get("price"));
    assert_eq!(before, Some(&Value::from(777_777)));

    // What was read after the step is as good as ever.
    approve(&gate, &asked).await;
    assert_eq!((driven(&gate, &opened).await.state.name(), shop.writes()), (StateName::Succeeded, 1));
    supervisor.shut_down().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_call_is_another_request_once_its_window_is_over_t95() {
    let (shop, url) = Shop::start().await;
    let (folder, world) = (tempfile::tempdir().unwrap(), World::manual(1, NOON));
    let (gate, supervisor) = start(&world, &url, folder.path()).await;
    let again = async || proposed(&gate, Some(RequestKey::Derived)).await;
    let first = again().await;
    assert!(!first.was_there);
    // While it waits for people, however long, and for a while after it was done.
    let id = first.record.proposal.id;
    for (at, writes) in [(NOON, 0), (NOON.plus(Duration::from_hours(2)), 0)] {
        world.set(at);
        let same = again().await;
        assert_eq!((same.was_there, same.record.proposal.id, shop.writes()), (true, id, writes));
    }
    approve(&gate, &first.record).await;
    let done = driven(&gate, &first.record).await;
    assert_eq!((done.state.name(), shop.writes()), (StateName::Succeeded, 1));
    let over = done.settled_at().unwrap().plus(RESEND_WINDOW);
    world.set(Timestamp::from_micros(over.as_micros() - 1));
    let same = again().await;
    assert_eq!((same.was_there, same.record.proposal.id), (true, id));
    world.set(over);
    let next = again().await;
    assert!(!next.was_there && next.record.proposal.id != id);
    assert_eq!((next.record.state.name(), shop.writes()), (StateName::Pending, 1));
    // From now on it is the one that the same call gets.
    assert_eq!(again().await.record.proposal.id, next.record.proposal.id);
    supervisor.shut_down().await.unwrap();
}
