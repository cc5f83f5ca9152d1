//! A decision in the log is asked again: its entry, the input that it commits to, and the gate directory that the log
//! names give the same decision.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::action::{
    Call, EffectClass, HttpCall, Method, Precondition, Rendering, Resource, Risk,
};
use countersign_core::audit::Actor;
use countersign_core::decision::Decision;
use countersign_core::directory::{Chain, Link};
use countersign_core::policy::{Query, Unread};
use countersign_core::problem::SourceFile;
use countersign_core::ruleset::{GateFiles, Ruleset};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::support::{GateDir, Reply, Upstream};

/// Decides on what people read at night.
const AT_NIGHT: &str = r#"
@id("runs")
@reason("Runs of the night may not set prices.")
forbid (principal, action == Action::"shop.price.set", resource)
when { context has run && context.run == "night" };
"#;

fn source(dir: &GateDir, path: &str) -> SourceFile {
    SourceFile { path: path.to_owned(), text: dir.read(path) }
}

fn rules(dir: &GateDir) -> Ruleset {
    let files = GateFiles {
        directory: Some(source(dir, "directory.toml")),
        approvals: Some(source(dir, "approvals.toml")),
        actions: vec![source(dir, "actions/shop.toml")],
        policies: vec![source(dir, "policies/night.cedar"), source(dir, "policies/shop.cedar")],
        environments: vec!["staging".to_owned(), "support".to_owned()],
    };
    Ruleset::load(&files).unwrap().0
}

fn read<T: DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).unwrap_or_else(|e| panic!("{e}: {value}"))
}

/// What policy reads of a rendering; the rest of it is nothing that policy sees.
fn rendering(data: &Value) -> Rendering {
    let (resource, risk): (Resource, Risk) = (read(&data["resource"]), read(&data["risk"]));
    let call = HttpCall {
        method: Method::Get,
        url: String::new(),
        headers: Vec::new(),
        body: None,
        credential: None,
        ok: BTreeSet::new(),
        timeout_ms: 0,
        effect: EffectClass::Opaque,
    };
    Rendering {
        resource,
        environment: read(&data["environment"]),
        risk,
        effects: Vec::new(),
        precondition: Precondition::None,
        call: Call::Http(call),
        after: None,
    }
}

/// Asks the question of an entry again.
fn decided_again(rules: &Ruleset, data: &Value, chain: &Chain, input: &Value, was: &Decision) -> Decision {
    let given = was.given.as_ref().expect("a decision says what it was given");
    let action = rules.registry.get(data["action"].as_str().unwrap()).unwrap();
    let input = action.validate(input.clone()).unwrap();
    let rendering = rendering(data);
    let query = Query {
        action,
        input: &input,
        chain,
        directory: &rules.directory,
        rendering: &rendering,
        fidelity: given.fidelity,
        run: given.run.as_deref(),
        now: given.at,
    };
    match rules.policies.decide_unread(&query) {
        Unread::Denied(denied) => *denied,
        Unread::Read { .. } => rules.policies.decide(&query, &given.approved.iter().cloned().collect()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_of_the_log_is_asked_again_and_is_the_same() {
    let upstream = Upstream::start().await;
    upstream
        .on("GET /items/i_1", Reply::json(200, &json!({ "id": "i_1", "price": 5_000, "currency": "usd" })));
    let dir = GateDir::new(&upstream);
    dir.write("policies/night.cedar", AT_NIGHT);
    let gate = dir.serve();
    let mut inputs = BTreeMap::new();
    for (action, input, run, state) in [
        ("shop.note.add", json!({ "id": "i_1", "text": "ä" }), None, "succeeded"),
        ("shop.price.set", json!({ "id": "i_1", "price": 6_000 }), Some("day"), "succeeded"),
        ("shop.price.set", json!({ "id": "i_1", "price": 6_001 }), Some("night"), "denied"),
        ("shop.price.set", json!({ "id": "i_1", "price": 20_000 }), None, "pending"),
        ("shop.item.delete", json!({ "id": "i_1" }), None, "denied"),
    ] {
        let body = json!({ "action": action, "input": input, "on_behalf_of": "ann", "run": run });
        let (_, answer) = gate.propose_with(body).await;
        assert_eq!(answer["state"].as_str().or(answer["code"].as_str()), Some(state), "{answer}");
        let id = answer["id"].as_str().or_else(|| answer["proposal"]["id"].as_str()).unwrap();
        inputs.insert(id.to_owned(), input);
    }
    let (dir, entries) = gate.stop_and_verify();
    let rules = rules(&dir);
    let started = entries.iter().rfind(|entry| entry["event"] == "gate.started").unwrap();
    assert_eq!(
        started["data"]["rule_set"],
        json!(rules.digest()),
        "the log names the directory that decided"
    );
    let mut asked = 0;
    for entry in entries.iter().filter(|entry| entry["data"]["decision"].is_object()) {
        let Some(input) = entry["proposal"].as_str().and_then(|id| inputs.get(id)) else { continue };
        let (data, was): (_, Decision) = (&entry["data"], read(&entry["data"]["decision"]));
        let Actor::Agent { chain } = read(&entry["actor"]) else { continue };
        let again = decided_again(&rules, data, &chain, input, &was);
        assert_eq!((&again.answer, again.digest), (&was.answer, was.digest), "{entry}");
        assert_eq!(again.policies, was.policies, "{entry}");
        // The links are as the directory knew them.
        let links: Vec<&str> =
            was.given.as_ref().unwrap().links.iter().map(|link| link.id.as_str()).collect();
        let ids = chain.links().iter().map(|link| match link {
            Link::Person { id, .. } | Link::Agent { id, .. } => id.as_str(),
        });
        assert_eq!(links, ids.collect::<Vec<_>>());
        asked += 1;
    }
    assert_eq!(asked, inputs.len(), "every decision was asked again");
    // A rule less gives another answer, so this can fail.
    dir.write("policies/night.cedar", "");
    let other = self::rules(&dir);
    let night = entries.iter().find(|entry| entry["data"]["run"] == "night").unwrap();
    let Actor::Agent { chain } = read(&night["actor"]) else { panic!("{night}") };
    let was: Decision = read(&night["data"]["decision"]);
    let input = &inputs[night["proposal"].as_str().unwrap()];
    assert_ne!(decided_again(&other, &night["data"], &chain, input, &was).answer, was.answer);
}
