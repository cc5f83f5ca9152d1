//! Each promise, broken in a small set of ledgers: a checker that cannot fail proves nothing.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::log::exported;
use super::{Promise, Report, check};

/// The ledgers of one proposal that people approved and that was applied, told as `succeeded`.
struct Case {
    agents: Vec<Value>,
    people: Vec<Value>,
    upstream: Vec<Value>,
    entries: Vec<Value>,
}

fn entry(proposal: &str, event: &str, actor: &str, data: &Value) -> Value {
    json!({ "at": 1, "event": format!("proposal.{event}"), "proposal": proposal, "version": 1,
            "actor": { "id": actor }, "data": data })
}

fn ask(n: u64, marker: &str, key: Option<&str>) -> Value {
    json!({ "what": "ask", "n": n, "agent": "bot", "marker": marker, "key": key, "t": n })
}

fn answer(n: u64, status: u16, code: &str, id: &str, state: &str) -> Value {
    json!({ "what": "answer", "n": n, "status": status, "code": code, "id": id, "state": state })
}

fn read_at_the_end(id: &str, status: u16, state: &str) -> Value {
    json!({ "what": "final", "id": id, "status": status, "state": state })
}

fn applied(id: &str, marker: &str, price: u64) -> Value {
    json!({ "ref": id, "marker": marker, "method": "PUT", "price": price, "applied": true, "t": 10 })
}

/// A call of an MCP client without a key.
fn call(n: u64, marker: &str) -> Value {
    json!({ "what": "ask", "n": n, "via": "mcp", "agent": "bot", "marker": marker, "key": null, "tool": "shop_note_add",
            "body": { "id": "i_1", "marker": marker }, "t": n })
}

/// What an MCP client read: `said` is the parser's.
fn heard(n: u64, said: &str, id: &str, state: &str) -> Value {
    json!({ "what": "answer", "n": n, "via": "mcp", "status": 200, "code": "", "id": id, "state": state,
            "said": said, "t": n.saturating_add(1) })
}

/// The same of an answer to `gate_status` or `tasks/get`.
fn asked_later(t: u64, said: &str, id: &str, state: &str) -> Value {
    json!({ "what": "read", "via": "mcp", "status": 200, "id": id, "state": state, "said": said, "asked": t, "t": t.saturating_add(1) })
}

/// The life of what policy allows.
fn life(id: &str, end: &str) -> Vec<Value> {
    vec![
        entry(id, "allowed", "bot", &json!({ "decision": { "answer": "allow" } })),
        entry(id, "dispatched", "", &json!({})),
        entry(id, end, "", &json!({})),
    ]
}

impl Case {
    /// A call over MCP came to these proposals, one after the other, which ended like this.
    fn proposals(&mut self, ends: &[(&str, &str)]) {
        for (id, end) in ends {
            self.agents.push(read_at_the_end(id, 200, end));
            self.entries.extend(life(id, end));
        }
    }

    fn sound() -> Self {
        let gates = json!({ "decision": { "answer": "needs_approval", "gates": [{ "rules": ["both"] }] } });
        Self {
            agents: vec![
                ask(1, "m_1", Some("k")),
                answer(1, 202, "", "prp_a", "pending"),
                read_at_the_end("prp_a", 200, "succeeded"),
            ],
            people: vec![json!({ "person": "frank", "verdict": "approve", "id": "prp_a", "status": 200 })],
            upstream: vec![applied("prp_a", "m_1", 200_000)],
            entries: vec![
                entry("prp_a", "pending", "bot", &gates),
                entry("prp_a", "approved", "frank", &json!({})),
                entry("prp_a", "approved", "fiona", &json!({})),
                entry("prp_a", "dispatched", "", &json!({})),
                entry("prp_a", "succeeded", "", &json!({})),
            ],
        }
    }

    /// The names of the promises that the checker finds broken.
    fn broken(&self, name: &str) -> Vec<&'static str> {
        self.report(name).violations.all().iter().map(|(promise, _)| promise.name()).collect()
    }

    fn report(&self, name: &str) -> Report {
        let work = Folder::new(name);
        for (file, lines) in [
            ("agents.jsonl", &self.agents),
            ("people.jsonl", &self.people),
            ("upstream.jsonl", &self.upstream),
        ] {
            let lines: Vec<String> = lines.iter().map(Value::to_string).collect();
            std::fs::write(work.0.join(file), lines.join("\n")).unwrap();
        }
        std::fs::write(work.0.join("log"), exported(&self.entries)).unwrap();
        check(&work.0, &work.0.join("log")).unwrap()
    }
}

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("chaos-checker-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let path: &Path = &self.0;
        std::fs::remove_dir_all(path).unwrap_or_default();
    }
}

#[test]
fn a_run_that_keeps_every_promise_has_no_violation() {
    assert_eq!(Case::sound().broken("sound"), Vec::<&str>::new());
}

#[test]
fn each_broken_promise_is_found() {
    let mut kept = Vec::new();
    for (name, promise, break_it) in cases().into_iter().chain(cases_over_mcp()) {
        let mut case = Case::sound();
        break_it(&mut case);
        let broken = case.broken(name);
        if !broken.contains(&promise.name()) {
            kept.push(format!("{name}: {broken:?}"));
        }
    }
    assert_eq!(kept, Vec::<String>::new(), "these were not noticed");
}

type Break = fn(&mut Case);

fn cases() -> Vec<(&'static str, Promise, Break)> {
    vec![
        ("sent-twice", Promise::SentOnce, |c| c.upstream.push(applied("prp_a", "m_1", 200_000))),
        ("dispatched-twice", Promise::SentOnce, |c| {
            c.entries.push(entry("prp_a", "dispatched", "", &json!({})));
        }),
        ("unrecorded", Promise::SentOnce, |c| c.entries.retain(|e| e["event"] != "proposal.dispatched")),
        ("two-for-one-key", Promise::OneKeyOneProposal, |c| {
            c.agents.extend([ask(2, "m_1", Some("k")), answer(2, 202, "", "prp_b", "pending")]);
        }),
        ("busy-and-done", Promise::NoMeansNo, |c| {
            c.agents.extend([ask(2, "m_2", None), answer(2, 503, "busy", "", "")]);
            c.upstream.push(applied("prp_b", "m_2", 1));
        }),
        ("internal-and-done", Promise::NoMeansNo, |c| {
            c.agents.extend([ask(2, "m_2", Some("k2")), answer(2, 500, "internal", "", "")]);
            c.upstream.push(applied("prp_b", "m_2", 1));
        }),
        ("no-then-done-then-named", Promise::NoMeansNo, |c| {
            c.agents.extend([ask(2, "m_2", Some("k2")), answer(2, 503, "busy", "", "")]);
            c.agents.extend([ask(12, "m_2", Some("k2")), answer(12, 200, "", "prp_b", "succeeded")]);
            c.agents.push(read_at_the_end("prp_b", 200, "succeeded"));
            c.upstream.push(applied("prp_b", "m_2", 1));
        }),
        ("lost-once-done-twice", Promise::NoMeansNo, |c| {
            c.agents.push(ask(2, "m_2", None));
            c.upstream.extend([applied("prp_b", "m_2", 1), applied("prp_c", "m_2", 1)]);
        }),
        ("gone", Promise::Kept, |c| c.agents[2] = read_at_the_end("prp_a", 404, "")),
        ("never-read", Promise::Kept, |c| drop(c.agents.pop())),
        ("open", Promise::Closed, |c| c.agents[2] = read_at_the_end("prp_a", 200, "ready")),
        ("failed-and-done", Promise::True, |c| c.agents[2] = read_at_the_end("prp_a", 200, "failed")),
        ("succeeded-not-done", Promise::True, |c| c.upstream.clear()),
        ("taken-back", Promise::Final, |c| c.agents[1] = answer(1, 424, "failed", "prp_a", "failed")),
        ("one-approval", Promise::Approved, |c| drop(c.entries.remove(2))),
        ("cheap-decision", Promise::Approved, |c| {
            c.entries[0] = entry("prp_a", "allowed", "bot", &json!({ "decision": { "answer": "allow" } }));
            c.entries.drain(1..3);
        }),
        ("after-rejection", Promise::Approved, |c| {
            c.entries.insert(1, entry("prp_a", "rejected", "fiona", &json!({})));
        }),
        ("rejected", Promise::Approved, |c| {
            c.people.push(json!({ "person": "fiona", "verdict": "reject", "id": "prp_a", "status": 200 }));
        }),
        ("forgotten-approval", Promise::Logged, |c| c.entries.retain(|e| e["actor"]["id"] != "frank")),
        ("forbidden", Promise::Approved, |c| {
            c.upstream.push(json!({ "ref": "", "marker": "m_9", "method": "DELETE", "applied": true }));
        }),
    ]
}

fn cases_over_mcp() -> Vec<(&'static str, Promise, Break)> {
    vec![
        ("sent-again-done-again", Promise::SentAgainOnce, |c| {
            c.agents.extend([call(2, "m_2"), heard(2, "done", "prp_b", "succeeded")]);
            c.agents.extend([call(12, "m_2"), heard(12, "done", "prp_c", "succeeded")]);
            c.proposals(&[("prp_b", "succeeded"), ("prp_c", "succeeded")]);
            c.upstream.extend([applied("prp_b", "m_2", 1), applied("prp_c", "m_2", 1)]);
        }),
        ("broken-streams-done-twice", Promise::SentAgainOnce, |c| {
            c.agents.extend([call(2, "m_2"), call(3, "m_2")]);
            c.upstream.extend([applied("prp_b", "m_2", 1), applied("prp_c", "m_2", 1)]);
        }),
        ("made-another-while-open", Promise::SentAgainOnce, |c| {
            c.agents.extend([call(2, "m_2"), heard(2, "not done", "prp_b", "pending")]);
            c.agents.extend([call(12, "m_2"), heard(12, "not done", "prp_c", "pending")]);
            c.proposals(&[("prp_b", "expired"), ("prp_c", "expired")]);
            let end = c.entries.iter().position(|e| e["event"] == "proposal.expired").unwrap();
            let end = c.entries.remove(end);
            c.entries.push(end);
        }),
        ("rejected-and-asked-again", Promise::SentAgainOnce, |c| {
            c.agents.extend([call(2, "m_2"), heard(2, "not done", "prp_b", "rejected")]);
            c.agents.extend([call(12, "m_2"), heard(12, "done", "prp_c", "succeeded")]);
            c.proposals(&[("prp_b", "rejected"), ("prp_c", "succeeded")]);
            c.upstream.push(applied("prp_c", "m_2", 1));
        }),
        ("two-for-one-key-over-mcp", Promise::OneKeyOneProposal, |c| {
            for (n, id) in [(2, "prp_b"), (3, "prp_c")] {
                let mut keyed = call(n, "m_2");
                keyed["key"] = json!("k2");
                c.agents.extend([keyed, heard(n, "not done", id, "failed")]);
            }
            c.proposals(&[("prp_b", "failed"), ("prp_c", "failed")]);
        }),
        ("refused-and-done-over-mcp", Promise::NoMeansNo, |c| {
            c.agents.extend([call(2, "m_2"), heard(2, "not done", "", "")]);
            c.upstream.push(applied("prp_b", "m_2", 1));
        }),
        ("never-sent-and-done", Promise::NoMeansNo, |c| {
            c.agents.extend([call(2, "m_2"), json!({ "what": "lost", "n": 2, "unsent": true })]);
            c.upstream.push(applied("prp_b", "m_2", 1));
        }),
        ("done-and-called-not-done", Promise::NoMeansNo, |c| {
            c.agents.push(asked_later(11, "not done", "prp_a", ""));
        }),
        ("both-at-once", Promise::NoMeansNo, |c| c.agents.push(asked_later(11, "both", "prp_a", ""))),
        ("called-done-too-early", Promise::True, |c| {
            c.agents.push(asked_later(2, "done", "prp_a", "succeeded"));
        }),
    ]
}

#[test]
fn what_may_be_is_no_violation() {
    let mut case = Case::sound();
    // No answer: at most one effect. In doubt: the proposal may be there or not.
    case.agents.extend([
        ask(2, "m_2", None),
        ask(3, "m_3", Some("k3")),
        answer(3, 503, "in_doubt", "prp_x", ""),
    ]);
    case.agents.push(read_at_the_end("prp_x", 404, ""));
    case.upstream.push(applied("prp_b", "m_2", 1));
    // Busy, then done under the same key.
    case.agents.extend([ask(4, "m_4", Some("k4")), answer(4, 503, "busy", "", "")]);
    case.agents.extend([ask(5, "m_4", Some("k4")), answer(5, 200, "", "prp_d", "succeeded")]);
    case.agents.push(read_at_the_end("prp_d", 200, "succeeded"));
    case.upstream.push(applied("prp_d", "m_4", 1));
    for id in ["prp_b", "prp_d"] {
        case.entries.extend([
            entry(id, "allowed", "bot", &json!({ "decision": { "answer": "allow" } })),
            entry(id, "dispatched", "", &json!({})),
        ]);
    }
    // A call over MCP failed for certain, was made again, and was then found by the same call. Its answers before the
    // effect say that it was not done.
    case.agents.extend([call(6, "m_5"), heard(6, "not done", "prp_e", "failed"), call(7, "m_5")]);
    case.agents.extend([call(8, "m_5"), heard(8, "not done", "prp_f", "pending"), call(12, "m_5")]);
    case.agents.push(heard(12, "already done", "prp_f", "succeeded"));
    case.proposals(&[("prp_e", "failed"), ("prp_f", "succeeded")]);
    case.upstream.push(applied("prp_f", "m_5", 1));
    // The same, and no answer names the proposal that had the effect.
    case.agents.extend([call(9, "m_6"), heard(9, "not done", "prp_g", "failed"), call(10, "m_6")]);
    case.proposals(&[("prp_g", "failed")]);
    case.upstream.push(applied("prp_h", "m_6", 1));
    case.entries.extend(life("prp_h", "succeeded"));
    // Unknown becomes known.
    case.agents[1] = answer(1, 202, "", "prp_a", "unknown");
    assert_eq!(case.broken("may-be"), Vec::<&str>::new());
}

#[test]
fn calls_that_were_sent_again_are_counted() {
    let mut case = Case::sound();
    case.agents.extend([call(2, "m_2"), call(3, "m_2"), call(12, "m_2"), call(4, "m_3")]);
    case.upstream.extend([applied("prp_b", "m_2", 1), applied("prp_c", "m_2", 1)]);
    let mcp = case.report("counted").mcp;
    assert_eq!((mcp.calls, mcp.sent, mcp.again(), mcp.after_effect), (2, 4, 2, 1));
    assert_eq!((mcp.effects, mcp.double_effects), (2, 1));
}

#[test]
fn an_edited_log_is_noticed() {
    let case = Case::sound();
    let work = Folder::new("edited");
    for file in ["agents.jsonl", "people.jsonl", "upstream.jsonl"] {
        std::fs::write(work.0.join(file), "").unwrap();
    }
    let log = exported(&case.entries);
    // An entry that was edited fits neither its own hash nor the root.
    for (from, to, found) in [("frank", "fiora", 2), ("\n5\n", "\n4\n", 1)] {
        std::fs::write(work.0.join("log"), log.replace(from, to)).unwrap();
        let report = check(&work.0, &work.0.join("log")).unwrap();
        assert_eq!(report.violations.all().len(), found, "{from} {:?}", report.violations);
    }
}
