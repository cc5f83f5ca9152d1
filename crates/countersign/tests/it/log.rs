//! The log as a stranger meets it: an export verifies offline, any change of it shows, and what agents write
//! stays inside its entry.

use std::collections::BTreeMap;
use std::process::{Command, Output};

use countersign_core::audit::{
    Checkpoint, Expected, ExportHeader, Finding, Frontier, LogKey, LogPublicKey, Verifier, consistency_proof,
    entry_hash, export_end, export_line,
};
use countersign_core::digest::Digest;
use countersign_core::time::Timestamp;
use serde_json::{Value, json};

use crate::support::log::{entries_of, events_of};
use crate::support::{Gate, GateDir, Person, Reply, Upstream};

const DONE: i32 = 0;
const BROKEN: i32 = 6;

fn item(price: u64) -> Reply {
    Reply::json(200, &json!({ "id": "i_1", "price": price, "currency": "usd" }))
}

/// One proposal of each kind of end. Gives their ids with the events that each must have left.
async fn live(gate: &Gate, upstream: &Upstream) -> Vec<(String, Vec<&'static str>)> {
    let id = |body: &Value| {
        let found = body["id"].as_str().or(body["proposal"]["id"].as_str());
        found.unwrap_or_else(|| panic!("{body}")).to_owned()
    };
    let mut lives = Vec::new();
    upstream.on("GET /items/i_1", item(5_000));
    upstream.on("POST /items/i_2/notes", Reply::json(404, &json!({})));
    upstream.on("POST /items/i_3/notes", Reply::json(500, &json!({})));
    for (item, end) in
        [("i_1", "proposal.succeeded"), ("i_2", "proposal.failed"), ("i_3", "proposal.unknown")]
    {
        let (_, body) = gate.propose("shop.note.add", json!({ "id": item, "text": "x" })).await;
        lives.push((id(&body), vec!["proposal.allowed", "proposal.dispatched", end]));
    }
    let (_, body) = gate.propose("shop.item.delete", json!({ "id": "i_1" })).await;
    lives.push((id(&body), vec!["proposal.denied"]));

    let frank = gate.sign_in("frank").await;
    let price = |price: u64| gate.propose("shop.price.set", json!({ "id": "i_1", "price": price }));
    let approved = id(&price(20_000).await.1);
    assert_eq!(frank.approve(&approved).await.0, 200);
    let found = gate.settled(&approved).await;
    assert_eq!(found["state"], "succeeded", "{found}");
    let ends = ["proposal.pending", "proposal.approved", "proposal.dispatched", "proposal.succeeded"];
    lives.push((approved, ends.to_vec()));

    let rejected = id(&price(30_000).await.1);
    let body = frank.look(&rejected).await;
    assert_eq!(frank.post(&format!("/v1/proposals/{rejected}/reject"), &body).await.0, 200);
    lives.push((rejected, vec!["proposal.pending", "proposal.rejected"]));

    let cancelled = id(&price(40_000).await.1);
    let olga = gate.sign_in("olga").await;
    assert_eq!(olga.post(&format!("/v1/proposals/{cancelled}/cancel"), &json!({})).await.0, 200);
    lives.push((cancelled, vec!["proposal.pending", "proposal.cancelled"]));
    lives.push((id(&price(50_000).await.1), vec!["proposal.pending"]));
    lives
}

/// A small log, and its export.
async fn small() -> (GateDir, Vec<u8>, String) {
    let upstream = Upstream::start().await;
    let gate = GateDir::new(&upstream).serve();
    live(&gate, &upstream).await;
    let vkey = gate.vkey.clone();
    let dir = gate.stop();
    let export = dir.exported();
    (dir, export, vkey)
}

fn verify(dir: &GateDir, more: &[&str]) -> (i32, String) {
    let output: Output = dir.run(&[&["log", "verify", "log.export"], more].concat());
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
}

fn finding(export: &[u8], anchor: Option<&str>) -> Finding {
    let mut verifier = Verifier::new(Expected { key: None, anchor: anchor.map(str::to_owned) });
    export.split_inclusive(|b| *b == b'\n').for_each(|line| verifier.line(line));
    verifier.finish().finding
}

async fn checkpoint(person: &Person) -> String {
    let (status, note) = person.get("/v1/log/checkpoint").await;
    assert_eq!(status, 200, "{note}");
    note.as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_verifies_offline_and_better_beside_what_was_kept_elsewhere_t117() {
    let upstream = Upstream::start().await;
    let gate = GateDir::new(&upstream).serve();
    let olga = gate.sign_in("olga").await;
    let kept = olga.log_until(|entries| entries.len() >= 2).await.len();
    let early = checkpoint(&olga).await;
    live(&gate, &upstream).await;
    let vkey = gate.vkey.clone();
    let (status, online) = olga.get("/v1/log/export").await;
    assert_eq!(status, 200);
    assert!(matches!(finding(online.as_str().unwrap().as_bytes(), Some(&early)), Finding::Verified { .. }));
    // Something happens after it, so that what was exported is older than what is signed in the end.
    let (status, body) = gate.propose("shop.note.add", json!({ "id": "i_1", "text": "later" })).await;
    assert_eq!(status, 200, "{body}");
    // Beside the running gate, from its directory.
    assert!(matches!(finding(&gate.export(), Some(&early)), Finding::Verified { .. }));
    let dir = gate.stop();
    let export = dir.exported();
    dir.write("early", &early);

    let (code, said) = verify(&dir, &[]);
    assert!(code == DONE && said.starts_with("UNANCHORED: "), "{code} {said}");
    let (code, said) = verify(&dir, &["--key", &vkey]);
    assert!(code == DONE && said.starts_with("UNANCHORED: "), "{code} {said}");
    assert!(said.contains(&vkey), "{said}");
    let (code, said) = verify(&dir, &["--key", &vkey, "--anchor", "early"]);
    assert!(code == DONE && said.starts_with("VERIFIED: "), "{code} {said}");
    assert!(said.contains(&format!("{} entries", entries_of(&export).len())), "{said}");
    assert!(kept >= 2);

    // Another gate's key and another gate's checkpoint are not this log's.
    let (other, _, other_key) = small().await;
    let (code, said) = verify(&dir, &["--key", &other_key]);
    assert!(code == BROKEN && said.starts_with("BROKEN"), "{code} {said}");
    let foreign = String::from_utf8(other.exported()).unwrap().split_once("\n\n").unwrap().1.to_owned();
    dir.write("foreign", &foreign);
    let (code, said) = verify(&dir, &["--anchor", "foreign"]);
    assert!(code == BROKEN && said.starts_with("BROKEN"), "{code} {said}");

    // A log whose end was cut off and that was signed no further is older than what was kept.
    let late = String::from_utf8(export.clone()).unwrap().split_once("\n\n").unwrap().1.to_owned();
    assert!(matches!(finding(online.as_str().unwrap().as_bytes(), Some(&late)), Finding::Broken { .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_any_byte_of_an_export_is_found_t116() {
    let (dir, export, vkey) = small().await;
    assert!(matches!(finding(&export, None), Finding::Unanchored { .. }));
    let lines: Vec<&[u8]> = export.split_inclusive(|b| *b == b'\n').collect();
    // Everything before the changed line is read once; the verifier goes on from a clone.
    let mut before = Verifier::new(Expected::default());
    for (number, line) in lines.iter().enumerate() {
        for at in 0..line.len() {
            let mut changed = line.to_vec();
            changed[at] ^= 1 << (at % 8);
            let mut verifier = before.clone();
            let rest = lines[number + 1..].iter().copied();
            // A changed line feed joins two lines, a new one makes two of one: the reader would see those.
            let text: Vec<u8> = std::iter::once(changed.as_slice()).chain(rest).flatten().copied().collect();
            for line in text.split_inclusive(|b| *b == b'\n') {
                verifier.line(line);
                if verifier.is_broken() {
                    break;
                }
            }
            let finding = verifier.finish().finding;
            assert!(matches!(finding, Finding::Broken { .. }), "line {number}, byte {at}: {finding:?}");
        }
        before.line(line);
    }

    for part in 0..10 {
        let at = export.len() * part / 10 + 3;
        let mut changed = export.clone();
        changed[at] ^= 0x01;
        std::fs::write(dir.path().join("log.export"), changed).unwrap();
        let (code, said) = verify(&dir, &["--key", &vkey]);
        assert!(code == BROKEN && said.starts_with("BROKEN"), "byte {at}: {code} {said}");
    }
    for cut in [0, 1, export.len() / 2, export.len() - 1] {
        std::fs::write(dir.path().join("log.export"), &export[..cut]).unwrap();
        assert_eq!(verify(&dir, &[]).0, BROKEN, "cut at {cut}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_that_are_dropped_doubled_or_moved_are_found_t116() {
    let (_, export, _) = small().await;
    let lines: Vec<&[u8]> = export.split_inclusive(|b| *b == b'\n').collect();
    let entries = entries_of(&export).len();
    let assert_found = |name: &str, lines: &[&[u8]]| {
        assert!(matches!(finding(&lines.concat(), None), Finding::Broken { .. }), "{name}");
        // The same with a header that counts right.
        let count = lines.iter().skip(1).take_while(|l| **l != b"\n").count();
        let header = String::from_utf8(lines[0].to_vec()).unwrap();
        let header = header.replace(&format!("\"count\":{entries}"), &format!("\"count\":{count}"));
        let counted = [header.as_bytes(), &lines[1..].concat()].concat();
        assert!(matches!(finding(&counted, None), Finding::Broken { .. }), "{name}, counted");
    };
    for at in 1..=entries {
        let without = [&lines[..at], &lines[at + 1..]].concat();
        assert_found("dropped", &without);
        let doubled = [&lines[..=at], &lines[at..]].concat();
        assert_found("doubled", &doubled);
        if at < entries {
            let mut swapped = lines.clone();
            swapped.swap(at, at + 1);
            assert!(matches!(finding(&swapped.concat(), None), Finding::Broken { .. }), "swapped {at}");
        }
    }
}

/// Runs a statement on the gate's database, as somebody with the file would.
fn sql(dir: &GateDir, statement: &str) -> String {
    let script = "import sqlite3,sys\nc=sqlite3.connect(sys.argv[1])\nr=c.execute(sys.argv[2]).fetchall()\n\
                  c.commit()\nc.close()\nprint(r)";
    let database = dir.path().join("state/countersign.db");
    let output = Command::new("python3").args(["-c", script]).arg(database).arg(statement).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_was_edited_in_the_database_is_named_t116() {
    let (dir, export, _) = small().await;
    let entries = entries_of(&export);
    let index = entries.iter().position(|e| e["event"] == "proposal.rejected").unwrap();
    let edit = format!(
        "UPDATE log_entry SET body = CAST(replace(CAST(body AS TEXT), 'proposal.rejected', 'proposal.approved') \
         AS BLOB) WHERE id = (SELECT entry FROM log_leaf WHERE idx = {index})"
    );
    sql(&dir, &edit);
    dir.exported();
    let (code, said) = verify(&dir, &[]);
    assert!(code == BROKEN && said.starts_with(&format!("BROKEN at entry {index}:")), "{code} {said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_was_removed_from_the_database_is_missed_t116() {
    let (dir, export, _) = small().await;
    let last = entries_of(&export).len() - 2;
    sql(&dir, &format!("DELETE FROM log_leaf WHERE idx = {last}"));
    let output = dir.run(&["log", "export", "--dir", ".", "--out", "log.export"]);
    let exported = output.status.success();
    let (code, said) = verify(&dir, &[]);
    assert!(!exported || code == BROKEN, "{code} {said}");
}

/// An export of these entries, every one of them signed by the log's own key.
fn signed(entries: &[Value]) -> Vec<u8> {
    let key = LogKey::from_seed("gate.example/log", &[7; 32]).unwrap();
    let mut tree = Frontier::default();
    let count = u64::try_from(entries.len()).unwrap();
    let header = ExportHeader { key: key.public(), before: tree.clone(), count, proof: Vec::new() };
    let mut bytes = header.to_line();
    for entry in entries {
        let body = entry.to_string().into_bytes();
        let leaf = entry_hash(serde_json::from_value::<Timestamp>(entry["at"].clone()).unwrap(), &body);
        tree.push(leaf);
        bytes.extend(export_line(&leaf, &body));
    }
    let head = Checkpoint { origin: "gate.example/log".to_owned(), size: tree.size(), root: tree.root() };
    bytes.extend(export_end(&key.sign(&head)));
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dispatch_without_its_approval_is_broken_though_the_log_signed_it_a8() {
    let (dir, export, _) = small().await;
    let entries = entries_of(&export);
    let verify = |entries: &[Value]| {
        std::fs::write(dir.path().join("log.export"), signed(entries)).unwrap();
        verify(&dir, &[])
    };
    let (code, said) = verify(&entries);
    let replayed = "replayed: proposals 8, approvals 1, dispatches 4, outcomes 4, still open 1";
    assert!(code == DONE && said.starts_with("UNANCHORED: ") && said.contains(replayed), "{code} {said}");

    // Everything is as a gate would have written it, had nobody been asked.
    let approved = entries.iter().position(|e| e["event"] == "proposal.approved").unwrap();
    let id = entries[approved]["proposal"].as_str().unwrap();
    let mut without = entries.clone();
    without.remove(approved);
    for entry in without.iter_mut().filter(|e| e["proposal"] == id && e["event"] != "proposal.pending") {
        entry["version"] = json!(entry["version"].as_u64().unwrap() - 1);
    }
    let sent =
        without.iter().position(|e| e["proposal"] == id && e["event"] == "proposal.dispatched").unwrap();
    without[sent]["data"]["approved_by"] = json!([]);
    let (code, said) = verify(&without);
    let expect = format!("BROKEN at entry {sent}: proposal {id}: it was dispatched, but rule `");
    assert!(code == BROKEN && said.starts_with(&expect), "{code} {said}");
    assert!(said.contains("has 0 of the 1 approvals that it asks for"), "{said}");

    // The approval is there, but of the person on whose behalf it was proposed.
    let mut own = entries.clone();
    own[approved] = serde_json::from_str(&own[approved].to_string().replace("\"frank\"", "\"ann\"")).unwrap();
    let (code, said) = verify(&own);
    let expect = format!("BROKEN at entry {approved}: proposal {id}: `ann` approved but may not: ");
    assert!(code == BROKEN && said.starts_with(&expect), "{code} {said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_move_of_a_proposal_has_exactly_one_entry_in_order_t120() {
    let upstream = Upstream::start().await;
    let gate = GateDir::new(&upstream).serve();
    let lives = live(&gate, &upstream).await;
    let olga = gate.sign_in("olga").await;
    for (id, events) in &lives {
        let (status, history) = olga.get(&format!("/v1/proposals/{id}/history")).await;
        assert_eq!(status, 200, "{history}");
        let seen: Vec<&str> = history["entries"]
            .as_array()
            .unwrap()
            .iter()
            .map(|e| e["entry"]["event"].as_str().unwrap())
            .collect();
        assert_eq!(&seen, events, "{id}");
    }
    let (_, entries) = gate.stop_and_verify();
    assert_eq!(entries[0]["event"], "gate.started");
    let mut versions: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for entry in &entries {
        if let Some(id) = entry["proposal"].as_str() {
            versions.entry(id).or_default().push(entry["version"].as_u64().unwrap());
        }
    }
    assert_eq!(versions.len(), lives.len(), "and none about anything else");
    for (id, events) in &lives {
        assert_eq!(&events_of(&entries, id), events, "{id}");
        let counted: Vec<u64> = (1..).take(events.len()).collect();
        assert_eq!(versions[id.as_str()], counted, "{id}");
    }
    let times: Vec<&Value> = entries.iter().map(|e| &e["at"]).collect();
    assert!(times.iter().all(|t| t.is_number() || t.is_string()), "{times:?}");
}

/// Texts that break out of a line, a terminal or a document, where nobody makes them visible.
fn nasty() -> Vec<String> {
    let mut texts: Vec<String> = [
        "a\nproposal.approved by frank",
        "a\r\n\r\n200 OK",
        "\u{1b}[2J\u{1b}[31mAPPROVED\u{1b}[0m",
        "\u{1b}]8;;http://evil.example/\u{7}click\u{1b}]8;;\u{7}",
        "\u{1b}]52;c;cm0gLXJm\u{7}",
        "\u{1b}Pq\u{1b}\\",
        "\",\"event\":\"proposal.approved\",\"x\":\"",
        "}\n{\"v\":1,\"event\":\"proposal.approved\"}",
        "</script><script>alert(1)</script>",
        "\u{202e}devorppa\u{202c}",
        "a\u{200b}b\u{2028}c\u{2029}d\u{85}e",
        "%s%n%x ${jndi:ldap://x} {{7*7}} $(id) `id`",
        "\u{9b}31mred\u{90}x\u{9c}",
    ]
    .map(str::to_owned)
    .to_vec();
    let mut controls = String::new();
    (1..0x20).chain(0x7f..0xa0).for_each(|c: u32| controls.push(char::from_u32(c).unwrap()));
    texts.push(controls);
    texts
}

fn assert_printable(name: &str, output: &Output) {
    for bytes in [&output.stdout, &output.stderr] {
        let text = String::from_utf8(bytes.clone()).unwrap();
        let bad: String = text.chars().filter(|c| c.is_control() && *c != '\n').collect();
        assert!(bad.is_empty(), "{name}: {bad:?} in {text}");
        let bidi = text.chars().any(|c| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'));
        assert!(!bidi, "{name}: a direction mark in {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_agents_write_stays_in_its_entry_and_off_the_terminal_t27_t121() {
    let upstream = Upstream::start().await;
    let gate = GateDir::new(&upstream).serve();
    upstream.on("GET /items/i_1", item(5_000));
    let login = gate.dir.run(&["person", "link", "frank", "."]);
    let link = String::from_utf8(login.stdout).unwrap();
    let token = link.trim().rsplit('/').next().unwrap().to_owned();
    let output = gate.dir.run(&["person", "login", &format!("{}/sign-in/{token}", gate.people)]);
    assert!(output.status.success(), "{output:?}");

    let mut proposed = 0;
    for (number, text) in nasty().iter().enumerate() {
        let body = json!({
            "action": "shop.price.set", "input": { "id": "i_1", "price": 20_000 + number }, "on_behalf_of": "ann",
            "reason": text, "run": text.chars().take(40).collect::<String>(),
            "evidence": [{ "label": text, "url": "https://example.com/x" }],
        });
        let (mut status, mut shown) = gate.propose_with(body.clone()).await;
        if status == 400 {
            // Evidence may be refused for its own shape; the words are what matters here.
            let mut without = body;
            without.as_object_mut().unwrap().remove("evidence");
            (status, shown) = gate.propose_with(without).await;
        }
        assert_eq!(status, 202, "{text:?}: {shown}");
        let id = shown["id"].as_str().unwrap();
        proposed += 1;
        for arguments in [vec!["show", id], vec!["show", id, "--json"]] {
            let output = gate.dir.run(&arguments);
            assert!(output.status.success(), "{output:?}");
            assert_printable("show", &output);
        }
        let (status, refused) = gate.propose(text, json!({ "id": text })).await;
        assert_eq!(status, 404, "{refused}");
        let key = gate.dir.path().join("bot.key").display().to_string();
        let input = json!({ "id": "i_1", "text": text }).to_string();
        let arguments =
            ["propose", "shop.note.add", "--input", &input, "--gate", &gate.agents, "--key-file", &key];
        upstream.on("POST /items/i_1/notes", Reply::json(200, &json!({ "echo": text })));
        assert_printable("propose", &gate.dir.run(&[&arguments[..], &["--on-behalf-of", "ann"]].concat()));
        let arguments = ["propose", text, "--gate", &gate.agents, "--key-file", &key];
        assert_printable("propose what is not there", &gate.dir.run(&arguments));
    }
    for arguments in [&["list"][..], &["list", "--state", "all"], &["list", "--json"]] {
        assert_printable("list", &gate.dir.run(arguments));
    }
    let operator = gate.operator_log();
    let bad: Vec<char> = operator.chars().filter(|c| c.is_control() && *c != '\n').collect();
    assert!(bad.is_empty(), "{bad:?} in the operator's log");

    let dir = gate.stop();
    let export = dir.exported();
    assert_printable("verify", &dir.run(&["log", "verify", "log.export"]));
    let breaks = export.iter().filter(|b| **b < 0x20 && **b != b'\n').count();
    assert_eq!(breaks, 0, "an export has control characters");
    let entries = entries_of(&export);
    let pending = entries.iter().filter(|e| e["event"] == "proposal.pending").count();
    assert_eq!(pending, proposed, "one entry each, whatever they wrote");
    assert_eq!(entries.iter().filter(|e| e["event"] == "proposal.approved").count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_slice_of_a_log_verifies_and_a_changed_one_does_not_t125() {
    let (dir, export, vkey) = small().await;
    let text = String::from_utf8(export.clone()).unwrap();
    let (entries, note) = text.split_once("\n\n").unwrap();
    let bodies: Vec<&str> = entries.lines().skip(1).map(|line| line.split_once(' ').unwrap().1).collect();
    let leaves: Vec<Digest> = bodies
        .iter()
        .map(|body| {
            let at = serde_json::from_str::<Value>(body).unwrap()["at"].clone();
            entry_hash(serde_json::from_value::<Timestamp>(at).unwrap(), body.as_bytes())
        })
        .collect();
    let key = LogPublicKey::from_vkey(&vkey).unwrap();
    let slice = |from: usize, to: usize| {
        let mut before = Frontier::default();
        leaves[..from].iter().for_each(|leaf| before.push(*leaf));
        let count = u64::try_from(to - from).unwrap();
        let proof =
            if to == leaves.len() { Vec::new() } else { consistency_proof(&leaves, to).unwrap_or_default() };
        let mut bytes = ExportHeader { key: key.clone(), before, count, proof }.to_line();
        (from..to).for_each(|n| bytes.extend(export_line(&leaves[n], bodies[n].as_bytes())));
        bytes.extend(export_end(note));
        bytes
    };
    assert_eq!(slice(0, leaves.len()), export, "the whole log is a slice of itself");
    for from in 0..leaves.len() {
        for to in from + 1..=leaves.len() {
            let part = slice(from, to);
            let found = finding(&part, None);
            assert!(matches!(found, Finding::Unanchored { .. }), "{from}..{to}: {found:?}");
            let found = finding(&part, Some(note));
            let anchored = matches!(found, Finding::Verified { .. } | Finding::Unanchored { .. });
            assert!(anchored, "{from}..{to}: {found:?}");
            let mut changed = part.clone();
            let at = changed.iter().position(|b| *b == b'\n').unwrap() + 60;
            changed[at] ^= 1;
            let found = finding(&changed, None);
            assert!(matches!(found, Finding::Broken { .. }), "{from}..{to} changed: {found:?}");
        }
    }
    std::fs::write(dir.path().join("log.export"), slice(3, leaves.len() - 2)).unwrap();
    let (code, said) = verify(&dir, &["--key", &vkey]);
    assert!(code == DONE && said.starts_with("UNANCHORED: "), "{code} {said}");
    assert!(said.contains("not checked: the lives of"), "{said}");
}
