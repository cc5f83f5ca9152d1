//! Known answers for everything that is hashed or signed, in `testdata/vectors.json`. Each says from which fields, as
//! the architecture document lists them, its digest is made. `testdata/check_vectors.py` is a second implementation
//! that makes them again from those fields, and says so when one of them does not matter.
//!
//! The file is never changed for a format that was released: a changed format is a new domain beside the old one.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::{Value, json};

use crate::action::{
    Action, Call, EffectClass, HttpCall, Method, Precondition, Registry, Rendering, Resource, Risk,
};
use crate::approval::Rules;
use crate::audit::{Checkpoint, LogKey, entry_hash, root_of};
use crate::decision::{Answer, Decision, Gate, PolicyRef, decision_digest};
use crate::digest::{Digest, Hasher, domain};
use crate::directory::{Chain, Directory};
use crate::intent::{Intent, IntentVersion};
use crate::json::{CanonicalInput, canonical, canonical_v1};
use crate::policy::Policies;
use crate::problem::SourceFile;
use crate::proposal::{PartName, Salts};
use crate::ruleset::{GateFiles, Ruleset};
use crate::time::Timestamp;

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/vectors.json");
const CHECKER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/check_vectors.py");
const STRIPE: &str = include_str!("../testdata/actions/stripe.toml");
const DIRECTORY: &str = "[team.finance]\n[person.ann]\nname = \"Ann\"\nteams = [\"finance\"]\n";
const APPROVALS: &str =
    "[finance]\nwho = [\"team:finance\"]\nnot = [\"agent-owner\"]\ndecide_in = \"1h\"\nuse_in = \"10m\"\n";

fn file(path: &str, text: &str) -> SourceFile {
    SourceFile { path: path.to_owned(), text: text.to_owned() }
}

fn utf8(text: &str) -> Value {
    json!({ "utf8": text })
}

fn hex(digest: &Digest) -> Value {
    json!({ "hex": digest.to_hex() })
}

fn number(bytes: &[u8]) -> Value {
    let digits: Vec<String> = bytes.iter().map(|b| format!("{b:02x}")).collect();
    json!({ "hex": digits.concat() })
}

fn vector(name: &str, domain: &str, fields: &[Value], digest: &Digest) -> Value {
    json!({ "name": name, "domain": domain, "fields": fields, "digest": digest })
}

fn rendering() -> Rendering {
    Rendering {
        resource: Resource { kind: "Charge".into(), id: "ch_1".into(), system: "stripe".into() },
        environment: "support".into(),
        risk: Risk {
            mutating: true,
            reversible: false,
            external: true,
            financial: true,
            amount: 13,
            exact: "12.34".into(),
            currency: "eur".into(),
            count: 1,
        },
        effects: vec!["Sends 12.34 eur to the customer's card.".into(), "Cannot be undone.".into()],
        precondition: Precondition::Watched {
            values: [("/amount".to_owned(), json!(2000)), ("/rate".to_owned(), json!(4.5))].into(),
            gone: BTreeSet::new(),
        },
        call: Call::Http(HttpCall {
            method: Method::Post,
            url: "https://api.stripe.com/v1/refunds".into(),
            headers: vec![("idempotency-key".into(), "prp_1".into())],
            body: Some(("application/json".into(), "{\"amount\":1234,\"ref\":\"prp_1\"}".into())),
            credential: Some("stripe-refunds".into()),
            ok: BTreeSet::from([200, 201]),
            timeout_ms: 30_000,
            effect: EffectClass::Keyed,
        }),
        after: None,
    }
}

const TOKEN_INTENT: &str = "intent of version 2, by an agent with a token";

/// A chain of Ann and an agent that is known like this, and its JSON.
fn chain(proof: &[(&str, &str)]) -> (Value, Chain) {
    let mut agent = json!({ "kind": "agent", "id": "bot" });
    agent.as_object_mut().unwrap().extend(proof.iter().map(|(k, v)| ((*k).to_owned(), json!(v))));
    let links = json!([{ "kind": "person", "id": "ann", "proof": "claimed" }, agent]);
    (links.clone(), serde_json::from_value(links).unwrap())
}

fn intents() -> Vec<Value> {
    let (rendering, revision) = (rendering(), Digest::from_bytes([7; 32]));
    let document = json!({ "amount": 1234, "charge": "ch_1", "rate": 1.5, "\u{1f600}": 1, "\u{fb33}": 2 });
    let input = CanonicalInput::new(document.clone());
    let (links, chain_by_key) = chain(&[("proof", "key")]);
    let (links_by_token, chain_by_token) = chain(&[("proof", "token"), ("issuer", "https://login.example")]);
    let manifest = file("stripe.toml", STRIPE);
    let action: std::sync::Arc<Action> = std::sync::Arc::clone(
        Registry::load(&[manifest], &["support".to_owned()]).unwrap().0.get("stripe.refund.create").unwrap(),
    );
    let intent = |version, chain: &Chain| {
        let (action, revision, input) = (&action.name, &revision, &input);
        Intent { version, action, revision, input, chain, rendering: &rendering, proposal_id: "prp_1" }
            .digest()
            .unwrap()
    };
    let risk = json!({ "mutating": true, "reversible": false, "external": true, "financial": true, "amount": 13,
        "exact": "12.34", "currency": "eur", "count": 1 });
    let resource = json!({ "type": "Charge", "id": "ch_1", "system": "stripe" });
    let precondition = json!({ "kind": "watched", "values": { "/amount": 2000, "/rate": 4.5 } });
    let effects = json!({ "list": ["Sends 12.34 eur to the customer's card.", "Cannot be undone."] });
    let body = "{\"amount\":1234,\"ref\":\"{proposal.id}\"}";
    let begin = [utf8("stripe.refund.create"), hex(&revision)];
    let v2 = [
        &begin[..],
        &[
            json!({ "jcs": document }),
            json!({ "jcs": links }),
            json!({ "jcs": resource }),
            utf8("support"),
            json!({ "jcs": risk }),
            utf8("http"),
            json!({ "jcs": { "method": "POST", "url": "https://api.stripe.com/v1/refunds",
                "headers": [["idempotency-key", "{proposal.id}"]], "body": ["application/json", body],
                "credential": "stripe-refunds", "ok": [200, 201], "timeout_ms": 30000, "effect": "keyed" } }),
            json!({ "jcs": precondition }),
            effects.clone(),
        ],
    ]
    .concat();
    // The chain is the fourth field.
    let mut by_token = v2.clone();
    by_token[3] = json!({ "jcs": links_by_token });
    let v1_input = String::from_utf8(canonical_v1(&document).unwrap()).unwrap();
    let v1 = [
        &begin[..],
        &[
            utf8(&v1_input),
            json!({ "jcs": links }),
            json!({ "jcs": resource }),
            utf8("support"),
            json!({ "jcs": risk }),
            utf8("POST"),
            utf8("https://api.stripe.com/v1/refunds"),
            json!({ "list": ["idempotency-key: {proposal.id}"] }),
            utf8("application/json"),
            utf8(body),
            json!({ "jcs": "stripe-refunds" }),
            json!({ "jcs": [200, 201] }),
            number(&30_000_u64.to_be_bytes()),
            json!({ "jcs": "keyed" }),
            json!({ "jcs": precondition }),
            effects,
        ],
    ]
    .concat();
    vec![
        vector("intent of version 2", domain::INTENT, &v2, &intent(IntentVersion::V2, &chain_by_key)),
        vector(TOKEN_INTENT, domain::INTENT, &by_token, &intent(IntentVersion::V2, &chain_by_token)),
        vector("intent of version 1", domain::INTENT_V1, &v1, &intent(IntentVersion::V1, &chain_by_key)),
    ]
}

fn rules() -> Vec<Value> {
    let directory = Directory::load(&file("directory.toml", DIRECTORY)).unwrap();
    let rules = Rules::load(&file("approvals.toml", APPROVALS), &directory).unwrap();
    let rule = rules.get("finance").unwrap().digest;
    let policy = Digest::of(domain::POLICY, b"forbid (principal, action, resource);");
    let gate = Gate {
        policy: PolicyRef { id: "large".into(), digest: policy, reason: "money".into() },
        rules: vec!["finance".into()],
    };
    let decision = decision_digest(&[gate], |_| rule);
    let cedar = file("policies/a.cedar", "@id(\"all\")\npermit (principal, action, resource);\n");
    let registry = Registry::load(&[], &[]).unwrap().0;
    let set =
        Policies::load(std::slice::from_ref(&cedar), &registry, &directory, &rules, &[]).unwrap().0.digest();
    let text = Digest::of(domain::POLICY, cedar.text.as_bytes());
    vec![
        vector(
            "an approval rule",
            domain::RULE,
            &[
                utf8("finance"),
                json!({ "list": ["team:finance"] }),
                number(&1_u32.to_be_bytes()),
                utf8("1h"),
                utf8("10m"),
                json!({ "jcs": ["agent-owner"] }),
                json!({ "jcs": "click" }),
            ],
            &rule,
        ),
        vector("a policy", domain::POLICY, &[utf8("forbid (principal, action, resource);")], &policy),
        vector(
            "a decision",
            domain::DECISION,
            &[utf8("large"), hex(&policy), utf8("finance"), hex(&rule)],
            &decision,
        ),
        vector("a set of policies", domain::POLICY_SET, &[utf8("policies/a.cedar"), hex(&text)], &set),
    ]
}

fn gate_directory() -> Vec<Value> {
    let action = Registry::load(&[file("stripe.toml", STRIPE)], &["support".to_owned()]).unwrap().0;
    let action = action.get("stripe.charge.get").unwrap();
    let table: toml::Table = STRIPE.parse().unwrap();
    let as_json = |value: &toml::Value| serde_json::to_value(value).unwrap();
    let (system, own) = (as_json(&table["system"]), as_json(&table["action"]["charge.get"]));
    let v1 = |value: &Value| utf8(&String::from_utf8(canonical_v1(value).unwrap()).unwrap());
    let files = GateFiles {
        directory: Some(file("directory.toml", DIRECTORY)),
        environments: vec!["support".to_owned()],
        ..GateFiles::default()
    };
    let whole = Ruleset::load(&files).unwrap().0.digest();
    let count = |n: u64| number(&n.to_be_bytes());
    // What this build makes of the files; directory, approval rules, actions and policies, each with their number.
    let fields = [
        number(&crate::ruleset::SEMANTICS_VERSION.to_be_bytes()),
        count(1),
        utf8("directory.toml"),
        utf8(DIRECTORY),
        count(0),
        count(0),
        count(0),
        json!({ "list": ["support"] }),
    ];
    vec![
        vector(
            "an action",
            domain::ACTION,
            &[utf8("charge.get"), json!({ "jcs": system }), json!({ "jcs": own })],
            &action.revision,
        ),
        vector("an action of version 1", domain::ACTION_V1, &[utf8("charge.get"), v1(&system), v1(&own)], &{
            let digest = Hasher::new(domain::ACTION_V1)
                .field(b"charge.get")
                .field(&canonical_v1(&system).unwrap())
                .field(&canonical_v1(&own).unwrap())
                .finish();
            assert!(action.is_revision(&digest), "proposals of version 1 are still of this manifest");
            digest
        }),
        vector("a gate directory", domain::RULESET, &fields, &whole),
    ]
}

fn stored() -> Vec<Value> {
    let salts = Salts::new(|| "00112233445566778899aabbccddeeff".to_owned());
    let text = canonical(&json!({ "charge": "ch_1", "rate": 4.0 }));
    let part = salts.digest(PartName::Input, &text);
    let salt = utf8("00112233445566778899aabbccddeeff");
    let request = json!(["shop.note.add", { "id": "i_1" }, [], null, null, []]);
    let (request, v2) = (canonical(&request), canonical_v1(&request).unwrap());
    let as_text = |bytes: &[u8]| utf8(std::str::from_utf8(bytes).unwrap());
    let of = |domain, bytes: &[u8]| vector(domain, domain, &[as_text(bytes)], &Digest::of(domain, bytes));
    vec![
        vector(
            "a part",
            domain::PART,
            &[utf8("input"), salt, json!({ "jcs": { "charge": "ch_1", "rate": 4.0 } })],
            &part,
        ),
        of(domain::PART_V1, b"{\"id\":\"prp_1\"}"),
        of(domain::VIEW, &canonical(&json!({ "headline": "Refund", "input": { "rate": 4.0 } }))),
        of(domain::REQUEST, &request),
        of(domain::REQUEST_V2, &v2),
        of(domain::TOKEN, b"csk_example"),
        of(domain::SEAL_KEY, b"0123456789abcdef0123456789abcdef"),
    ]
}

fn documents() -> Vec<Value> {
    let texts = [
        "4.0",
        "4",
        "-0.0",
        "1e21",
        "1e-7",
        "333333333.33333329",
        "1E30",
        "4.50",
        "2e-3",
        "0.000001",
        "9007199254740991",
        "[null,true,false]",
        r#"{"b":1,"a":{"z":[],"y":{}}}"#,
        "\"\\u20ac$\\u000f\\nA'B\\\"\\\\\\\"/\"",
        "{\"\\u20ac\":\"Euro Sign\",\"\\r\":\"Carriage Return\",\"\\ufb33\":\"Hebrew Letter Dalet With Dagesh\",\
         \"1\":\"One\",\"\\ud83d\\ude00\":\"Emoji: Grinning Face\",\"\\u0080\":\"Control\",\
         \"\\u00f6\":\"Latin Small Letter O With Diaeresis\"}",
    ];
    let document = |text: &str| {
        let value: Value = serde_json::from_str(text).unwrap();
        json!({ "text": text, "canonical": String::from_utf8(canonical(&value)).unwrap() })
    };
    texts.into_iter().map(document).collect()
}

fn log() -> Value {
    let bodies = ["{\"n\":1}", "{\"n\":2}", "{\"n\":3}"];
    let leaves: Vec<Digest> = bodies
        .iter()
        .zip(5..)
        .map(|(body, at)| entry_hash(Timestamp::from_micros(at), body.as_bytes()))
        .collect();
    let key = LogKey::from_seed("gate.example/log", &[7; 32]).unwrap();
    let root = root_of(&leaves);
    let note = key.sign(&Checkpoint { origin: "gate.example/log".into(), size: 3, root });
    json!({ "first_at": 5, "bodies": bodies, "leaves": leaves, "root": root, "vkey": key.public().to_vkey(), "note": note })
}

fn all() -> Value {
    let digests = [intents(), rules(), gate_directory(), stored()].concat();
    json!({ "digests": digests, "canonical": documents(), "log": log() })
}

#[test]
fn every_digest_is_the_known_one_and_a_second_implementation_agrees() {
    let all = all();
    let mut text = serde_json::to_string_pretty(&all).unwrap();
    text.push('\n');
    #[expect(clippy::disallowed_methods, reason = "tests are configured by their environment")]
    if std::env::var("BLESS").is_ok_and(|v| v == "1") {
        std::fs::write(GOLDEN, &text).unwrap();
    }
    assert_eq!(text, std::fs::read_to_string(GOLDEN).unwrap(), "a released format changed");
    let output = Command::new("python3").args([CHECKER, GOLDEN]).output().unwrap();
    let told = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&told));
}

#[test]
fn every_domain_has_a_known_answer() {
    let text = std::fs::read_to_string(GOLDEN).unwrap();
    let source = include_str!("digest.rs");
    let domains: Vec<&str> =
        source.split('"').filter(|t| t.starts_with("countersign/") && !t.contains('\\')).collect();
    assert!(domains.len() > 12, "{domains:?}");
    for domain in domains {
        assert!(text.contains(&format!("\"domain\": \"{domain}\"")), "{domain} has no known answer");
    }
}

#[test]
fn a_decision_of_version_1_is_read_and_one_with_an_unknown_member_is_not() {
    let stored = json!({ "verdict": "deny", "code": "forbidden", "policies": [], "policy_set": Digest::from_bytes([1; 32]),
        "digest": Digest::from_bytes([2; 32]) });
    let old = Decision::deserialize_v1(stored).unwrap();
    assert!(matches!(old.answer, Answer::Deny { .. }) && old.given.is_none());
}
