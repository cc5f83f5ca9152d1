//! Logs that were signed by the log's own key and tell of what no gate may do.
#![expect(clippy::arithmetic_side_effects, reason = "the numbers of these tests are small and fixed")]

use serde_json::Value;

use super::*;
use crate::audit::{
    Expected, ExportHeader, Finding, Frontier, LogKey, Replayed, Verification, Verifier, data, entry_hash,
    export_end, export_line,
};

/// Verifies the part of a log from `from` on, every entry of which its own key signed.
fn verify_from(from: usize, entries: &[Value]) -> Verification {
    let key = LogKey::from_seed("gate.example/log", &[7; 32]).unwrap();
    let body = |entry: &Value| crate::json::canonical(entry);
    let leaf = |entry: &Value| entry_hash(serde_json::from_value(entry["at"].clone()).unwrap(), &body(entry));
    let mut before = Frontier::default();
    entries[..from].iter().for_each(|e| before.push(leaf(e)));
    let mut tree = before.clone();
    let count = u64::try_from(entries.len() - from).unwrap();
    let mut export = ExportHeader { key: key.public(), before, count, proof: vec![] }.to_line();
    for entry in &entries[from..] {
        tree.push(leaf(entry));
        export.extend(export_line(&leaf(entry), &body(entry)));
    }
    let head =
        crate::audit::Checkpoint { origin: "gate.example/log".into(), size: tree.size(), root: tree.root() };
    export.extend(export_end(&key.sign(&head)));
    let mut verifier = Verifier::new(Expected::default());
    export.split_inclusive(|b| *b == b'\n').for_each(|line| verifier.line(line));
    verifier.finish()
}

fn verify(entries: &[Value]) -> Verification {
    verify_from(0, entries)
}

/// Why the log is broken; none when it is not.
fn broken(entries: &[Value]) -> Option<String> {
    match verify(entries).finding {
        Finding::Broken { at, why } => Some(format!("{}: {why}", at.expect("the entry is named"))),
        Finding::Unanchored { .. } => None,
        Finding::Verified { .. } => panic!("there is no anchor"),
    }
}

/// The entries of a proposal with this first decision, moved by these events.
fn history(decision: Decision, events: &[&dyn Fn(&Record) -> Event]) -> Vec<Value> {
    let standing = standing(&[], &binding(100).intent, &decision);
    let mut step = open(proposal(), binding(100), decision, standing, (DUE, DUE));
    let mut entries = step.entries.clone();
    for event in events {
        let event = event(&step.record);
        let now = if matches!(event, Event::Expire) { DUE } else { at(1) };
        step = apply(&step.record, &event, now).unwrap();
        entries.extend(step.entries.clone());
    }
    entries.iter().map(written).collect()
}

fn ann(record: &Record) -> Event {
    approve(record, "ann")
}

fn bob(record: &Record) -> Event {
    approve(record, "bob")
}

fn send(record: &Record) -> Event {
    dispatch(record.binding.intent, allow())
}

fn finish(outcome: usize) -> impl Fn(&Record) -> Event {
    move |_| Event::Finish { attempt: attempt(1), outcome: outcomes()[outcome].clone() }
}

fn changed(record: &Record) -> Event {
    revise(record, binding(200), ask("large"), DUE)
}

/// A proposal that two people approved and that was sent.
fn approved() -> Vec<Value> {
    history(ask("large"), &[&ann, &bob, &send, &finish(0)])
}

fn histories() -> Vec<Vec<Value>> {
    vec![
        approved(),
        history(allow(), &[&send, &|_| Event::OwnerGone]),
        history(ask("large"), &[&ann, &changed, &ann, &bob, &send, &finish(1)]),
        history(ask("large"), &[&ann, &|_| reject()]),
        history(ask("large"), &[&|_| Event::Expire]),
        history(ask("large"), &[&|_| supersede()]),
        history(allow(), &[&|_| cancel()]),
        history(allow(), &[&changed, &|_| refuse()]),
        history(deny(), &[]),
    ]
}

/// The same entries with versions that count up again, as a careful forger would write them.
fn counted(mut entries: Vec<Value>) -> Vec<Value> {
    (1..).zip(&mut entries).for_each(|(version, entry): (u32, _)| entry["version"] = json!(version));
    entries
}

/// One entry, with one text in place of another everywhere.
fn replaced(mut entries: Vec<Value>, at: usize, from: &str, to: &str) -> Vec<Value> {
    let text = entries[at].to_string();
    assert!(text.contains(from), "{from} is not in {text}");
    entries[at] = serde_json::from_str(&text.replace(from, to)).unwrap();
    entries
}

fn with(mut entries: Vec<Value>, at: usize, pointer: &str, value: Value) -> Vec<Value> {
    *entries[at].pointer_mut(pointer).unwrap() = value;
    entries
}

fn other_proposal(entries: &[Value]) -> Vec<Value> {
    let (one, two) = (ProposalId::from_parts(0, [1; 10]), ProposalId::from_parts(0, [2; 10]));
    let text = json!(entries).to_string().replace(&one.to_string(), &two.to_string());
    serde_json::from_str(&text).unwrap()
}

fn rules_in_force() -> Value {
    let (rule_set, previous, policy_set) = (digest("new"), digest("old"), digest("policies"));
    written(&Entry::new(at(0), Actor::Gate, data::GateReloaded { rule_set, previous, policy_set }))
}

#[test]
fn what_a_gate_writes_is_sound_and_counted_a8() {
    for entries in histories() {
        assert_eq!(broken(&entries), None, "{entries:#?}");
    }
    let open = other_proposal(&history(ask("large"), &[&ann]));
    let replayed = verify(&[approved(), open].concat()).replayed;
    let expect =
        Replayed { proposals: 2, approvals: 3, dispatches: 1, outcomes: 1, open: 1, begun_before: 0 };
    assert_eq!(replayed, expect);
}

#[test]
fn an_entry_that_is_dropped_doubled_or_moved_is_found_though_all_is_signed_a8() {
    // What is left when all versions are counted again may be a life that a gate could have written.
    let mut sound = Vec::new();
    for (number, entries) in histories().into_iter().enumerate() {
        for n in 0..entries.len() {
            let event = entries[n]["event"].as_str().unwrap();
            let what = format!("{event}, entry {n} of history {number}");
            let mut check = |how: &'static str, changed: Vec<Value>| {
                assert!(broken(&changed).is_some(), "{how} {what}");
                if broken(&counted(changed)).is_none() {
                    sound.push((number, n, how));
                }
            };
            // What is cut at the end is found by the checkpoint, not by what the entries mean.
            if n + 1 < entries.len() {
                let mut dropped = entries.clone();
                dropped.remove(n);
                check("dropped", dropped);
                let mut swapped = entries.clone();
                swapped.swap(n, n + 1);
                check("swapped", swapped);
            }
            let mut doubled = entries.clone();
            doubled.insert(n, entries[n].clone());
            check("doubled", doubled);
        }
    }
    let expect = [
        (2, 1, "dropped"), // an approval that did not count any more
        (2, 2, "doubled"), // decided again twice, to the same
        (3, 1, "dropped"), // an approval before a rejection
        (7, 1, "dropped"), // a revision before a refusal
    ];
    assert_eq!(sound, expect);
}

#[test]
fn an_outcome_or_a_dispatch_after_the_end_is_found_a8() {
    let (sent, done) = (approved()[3].clone(), approved()[4].clone());
    for entries in histories() {
        for more in [&sent, &done] {
            let mut longer = entries.clone();
            longer.push(more.clone());
            let settles = entries.last().unwrap()["event"] == "proposal.unknown" && more == &done;
            assert_eq!(broken(&counted(longer)).is_none(), settles, "{} after {entries:#?}", more["event"]);
        }
    }
}

#[test]
fn a_late_definite_result_settles_what_is_unknown_once_a8() {
    let late = |entries: &[Value], code: &str, n: u8| {
        let mut entry = approved()[4].clone();
        entry["event"] = json!(code);
        entry["data"]["attempt"] = json!(attempt(n));
        counted([entries, &[entry]].concat())
    };
    let unknown = history(allow(), &[&send, &finish(2)]);
    assert_eq!(broken(&late(&unknown, "proposal.failed", 1)), None);
    let settled = late(&unknown, "proposal.succeeded", 1);
    assert_eq!(broken(&settled), None);
    assert!(broken(&late(&settled, "proposal.failed", 1)).is_some());
    assert!(broken(&late(&unknown, "proposal.unknown", 1)).is_some());
    let why = broken(&late(&unknown, "proposal.succeeded", 2)).unwrap();
    assert!(why.contains(&format!("is about attempt {}", attempt(2))), "{why}");
    // Evidence beside it has no version, and must be of an attempt that was dispatched.
    for (n, sound) in [(1, true), (2, false)] {
        let record = opened(allow());
        let evidence = late_result(&record, attempt(n), &outcomes()[0], at(2));
        let entries = [settled.clone(), vec![written(&evidence)]].concat();
        assert_eq!(broken(&entries).is_none(), sound, "{n}");
    }
}

#[test]
fn every_forged_approval_is_found_and_the_entry_is_named_a8() {
    let without = |range: std::ops::Range<usize>| {
        let mut entries = approved();
        entries.drain(range);
        counted(entries)
    };
    let by = |person: &str| replaced(approved(), 1, "\"ann\"", &format!("\"{person}\""));
    let other = json!(digest("another"));
    let nobody =
        with(with(by("mallory"), 1, "/data/eligible", json!([])), 1, "/data/needs/0/approvers", json!([]));
    let table: Vec<(&str, Vec<Value>)> = vec![
        ("1: rule `finance` has 0 of the 2 approvals", without(1..3)),
        ("2: rule `finance` has 1 of the 2 approvals", {
            let mut entries = approved();
            entries.remove(2);
            counted(entries)
        }),
        ("1: `carol` approved but may not: rule `finance` excluded them before", by("carol")),
        ("1: `carol` approved but may not: rule `finance` excluded them before", {
            with(by("carol"), 1, "/data/needs/0/excluded", json!([]))
        }),
        ("1: `eve` approved but may not: it was proposed on their behalf", by("eve")),
        ("1: `mallory` approved but may not: no approval rule names them", nobody),
        ("1: an approval was recorded by somebody else", with(approved(), 1, "/actor/id", json!("bob"))),
        (
            "1: an approval is counted under other rules",
            with(approved(), 1, "/data/eligible/0/rule", json!("x")),
        ),
        ("2: `ann` approved twice", replaced(approved(), 2, "\"bob\"", "\"ann\"")),
        ("1: `ann` approved another intent", with(approved(), 1, "/data/approval/intent", other.clone())),
        ("1: `ann` approved another intent", with(approved(), 1, "/data/approval/decision", other.clone())),
        ("1: whether the approvals are complete", with(approved(), 1, "/data/complete", json!(true))),
        ("1: an approval changes what its rules ask for", {
            with(with(approved(), 1, "/data/complete", json!(true)), 1, "/data/needs/0/want", json!(1))
        }),
        ("1: `ann` approved but may not: rule `finance` names somebody else", {
            replaced(approved(), 1, "team:finance", "person:frank")
        }),
        ("1: `ann` approved but may not: rule `finance` asks the requester alone", {
            replaced(approved(), 1, "team:finance", "requester")
        }),
        ("0: an approval by `zoe` is counted", {
            let zoe = json!([{ "person": "zoe", "through": "team:finance" }]);
            with(approved(), 0, "/data/needs/0/approvers", zoe)
        }),
        ("0: an approval rule asks for nobody", with(approved(), 0, "/data/needs/0/want", json!(0))),
        ("0: it asks for other approval rules", with(approved(), 0, "/data/needs", json!([]))),
        ("0: it was opened in another state", with(approved(), 0, "/event", json!("proposal.allowed"))),
    ];
    assert_all_found(table);
}

#[test]
fn every_forged_dispatch_and_outcome_is_found_and_the_entry_is_named_a8() {
    let other = json!(digest("another"));
    let missing = |at: usize, member: &str| {
        let mut entries = approved();
        entries[at]["data"].as_object_mut().unwrap().remove(member).unwrap();
        entries
    };
    let nameless = with(approved(), 3, "/proposal", json!(null));
    let revised = history(ask("large"), &[&changed]);
    let table: Vec<(&str, Vec<Value>)> = vec![
        ("3: what was sent is not what was decided on", with(approved(), 3, "/data/intent", other)),
        ("3: the dispatch names other approvers", with(approved(), 3, "/data/approved_by", json!(["ann"]))),
        ("4: `proposal.succeeded` is about attempt", with(approved(), 4, "/data/attempt", json!(attempt(9)))),
        ("8: attempt att_", [approved(), other_proposal(&approved())].concat()),
        ("3: the event `proposal.dispatched` names no proposal", nameless),
        ("0: the entry cannot be read: missing field `needs`", missing(0, "needs")),
        ("1: the entry cannot be read: missing field `eligible`", missing(1, "eligible")),
        ("3: the entry cannot be read: missing field `attempt`", missing(3, "attempt")),
        (
            "4: this verifier does not know the event `proposal.x`",
            with(approved(), 4, "/event", json!("proposal.x")),
        ),
        ("1: it was revised to a state", with(revised.clone(), 1, "/data/to", json!("ready"))),
        ("1: it was revised from another state", with(revised, 1, "/data/from", json!("ready"))),
        ("1: `proposal.expired` cannot happen while it is pending", {
            with(history(ask("large"), &[&|_| Event::Expire]), 1, "/data/clock", json!("use_by"))
        }),
        (
            "0: it was opened by somebody who is not an agent",
            with(approved(), 0, "/actor", json!({"kind": "gate"})),
        ),
    ];
    assert_all_found(table);
}

fn assert_all_found(table: Vec<(&str, Vec<Value>)>) {
    for (expect, entries) in table {
        let why = broken(&entries).unwrap_or_else(|| panic!("not found: {expect}"));
        let (at, text) = expect.split_once(": ").unwrap();
        assert!(why.starts_with(&format!("{at}: ")) && why.contains(text), "{why}, not {expect}");
    }
}

/// A new gate directory may lift an exclusion and lower a quorum. Without one the entries contradict each other.
#[test]
fn who_may_approve_changes_only_with_the_gate_directory_a8() {
    let by_carol =
        with(replaced(approved(), 1, "\"ann\"", "\"carol\""), 1, "/data/needs/0/excluded", json!([]));
    assert!(broken(&by_carol[..2]).is_some());
    let mut reloaded = by_carol[..2].to_vec();
    reloaded.insert(1, rules_in_force());
    assert_eq!(broken(&reloaded), None);
}

#[test]
fn a_slice_checks_the_lives_that_begin_in_it_and_counts_the_others_a8() {
    let entries = [approved(), other_proposal(&history(ask("large"), &[&ann, &|_| reject()]))].concat();
    for from in 0..entries.len() {
        let answer = verify_from(from, &entries);
        assert!(matches!(answer.finding, Finding::Unanchored { .. }), "{from}: {answer:?}");
        let begun_before = u64::from((1..5).contains(&from) || from > 5);
        assert_eq!(answer.replayed.begun_before, begun_before, "{from}");
        assert_eq!(
            answer.replayed.proposals,
            [2, 1, 0][usize::from(from > 0) + usize::from(from > 5)],
            "{from}"
        );
    }
    // What begins in the slice is checked in full.
    let mut forged = entries;
    forged[6]["data"]["approval"]["intent"] = json!(digest("another"));
    assert!(matches!(verify_from(3, &forged).finding, Finding::Broken { at: Some(6), .. }));
}
