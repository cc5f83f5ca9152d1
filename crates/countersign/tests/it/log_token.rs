//! A daily checkpoint without a person: a token that copies the log and does nothing else, and `log checkpoint`.

use std::process::Output;

use countersign_core::audit::{Checkpoint, LogKey, LogPublicKey};
use countersign_core::digest::Digest;
use serde_json::{Value, json};

use crate::support::gate::{assert_done, http, send};
use crate::support::log::count;
use crate::support::{Gate, GateDir, Upstream};

const BROKEN: i32 = 6;

fn said(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned()).concat()
}

async fn with_token(gate: &Gate, file: &str, path: &str) -> (u16, Value) {
    let token = gate.dir.read(file);
    send(http().get(format!("{}{path}", gate.people)).bearer_auth(token.trim())).await
}

/// `log checkpoint` into `head.txt`, as an auditor's timer runs it.
fn keep(gate: &Gate, vkey: &str) -> Output {
    let url = gate.people.as_str();
    let arguments =
        ["log", "checkpoint", "--url", url, "--token-file", "a.token", "--vkey", vkey, "--out", "head.txt"];
    gate.dir.run(&arguments)
}

fn open(gate: &Gate, note: &str) -> Checkpoint {
    LogPublicKey::from_vkey(&gate.vkey).unwrap().open(note).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_made_for_who_may_read_the_log_and_is_shown_to_nobody() {
    use std::os::unix::fs::PermissionsExt as _;
    let upstream = Upstream::start().await;
    let gate = GateDir::new(&upstream).serve();
    for (person, why) in [("frank", "may not read the log"), ("nobody", "no active person")] {
        let refused = gate.dir.run(&["person", "token", person, ".", "--out", "a.token"]);
        assert!(!refused.status.success() && said(&refused).contains(why), "{}", said(&refused));
    }
    for days in ["0", "401", "-1"] {
        let days = format!("--days={days}");
        assert!(!gate.dir.run(&["person", "token", "olga", ".", "--out", "a.token", &days]).status.success());
    }
    assert!(!gate.dir.path().join("a.token").exists());
    let made = gate.dir.run(&["person", "token", "olga", ".", "--out", "a.token", "--days", "400"]);
    assert_done(&made);
    let token = gate.dir.read("a.token");
    assert!(
        !said(&made).contains(token.trim()) && said(&made).contains("person revoke olga"),
        "{}",
        said(&made)
    );
    let mode = std::fs::metadata(gate.dir.path().join("a.token")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let again = gate.dir.run(&["person", "token", "olga", ".", "--out", "a.token"]);
    assert!(!again.status.success() && said(&again).contains("exists already"), "{}", said(&again));
    let (dir, entries) = gate.stop_and_verify();
    assert_eq!(count(&entries, "person.log_token_made"), 1, "the refused ones left none");
    let entry = entries.iter().find(|e| e["event"] == "person.log_token_made").unwrap();
    assert_eq!(entry["data"]["person"], "olga");
    let life = entry["data"]["expires"].as_i64().unwrap() - entry["at"].as_i64().unwrap();
    assert_eq!(life, 400 * 24 * 60 * 60 * 1_000_000);
    let stored = std::fs::read(dir.path().join("state/countersign.db")).unwrap();
    let kept = stored.windows(token.trim().len()).any(|bytes| bytes == token.trim().as_bytes());
    assert!(!kept, "the database holds no token");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_ends_with_its_revocation_its_person_or_their_role() {
    let upstream = Upstream::start().await;
    let gate = GateDir::new(&upstream).serve();
    for (person, file) in [("olga", "a.token"), ("olga", "b.token")] {
        assert_done(&gate.dir.run(&["person", "token", person, ".", "--out", file]));
        for path in ["/v1/log/checkpoint", "/v1/log/export"] {
            assert_eq!(with_token(&gate, file, path).await.0, 200, "{path}");
        }
    }
    let olga = gate.sign_in("olga").await;
    // Somebody who left, and who no longer is an auditor.
    let directory = gate.dir.read("directory.toml");
    gate.dir.edit("directory.toml", "roles = [\"operator\", \"auditor\"]", "roles = []");
    gate.reload().await;
    let (status, body) = with_token(&gate, "a.token", "/v1/log/checkpoint").await;
    assert_eq!((status, &body["code"]), (403, &json!("not_permitted")));
    gate.dir.write("directory.toml", &directory);
    gate.dir.edit("directory.toml", "name = \"Olga Ortiz\"", "name = \"Olga Ortiz\"\ndisabled = true");
    gate.reload().await;
    assert_eq!(with_token(&gate, "a.token", "/v1/log/checkpoint").await.0, 401);
    gate.dir.write("directory.toml", &directory);
    gate.reload().await;
    assert_eq!(with_token(&gate, "a.token", "/v1/log/checkpoint").await.0, 200);

    let revoked = gate.dir.run(&["person", "revoke", "olga", "."]);
    assert_done(&revoked);
    assert!(said(&revoked).contains("2 tokens of `olga` were revoked"), "{}", said(&revoked));
    for file in ["a.token", "b.token"] {
        assert_eq!(with_token(&gate, file, "/v1/log/checkpoint").await.0, 401, "at once, without a reload");
    }
    assert!(said(&gate.dir.run(&["person", "revoke", "olga", "."])).contains("has no token"));
    assert_eq!(olga.get("/v1/me").await.0, 200, "her session goes on");
    let (_, entries) = gate.stop_and_verify();
    let of = |event: &str| count(&entries, event);
    assert_eq!((of("person.log_token_made"), of("person.log_tokens_revoked")), (2, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daily_checkpoint_is_replaced_only_by_one_that_goes_on_from_it() {
    let upstream = Upstream::start().await;
    let gate = GateDir::new(&upstream).serve();
    assert_done(&gate.dir.run(&["person", "token", "olga", ".", "--out", "a.token"]));
    let first = keep(&gate, &gate.vkey);
    assert_done(&first);
    assert!(
        said(&first).contains("wrote head.txt") && said(&first).contains("none before"),
        "{}",
        said(&first)
    );
    let before = open(&gate, &gate.dir.read("head.txt"));

    for text in ["one", "two"] {
        let (status, body) = gate.propose("shop.note.add", json!({ "id": "i_1", "text": text })).await;
        assert_eq!(status, 200, "{body}");
    }
    let olga = gate.sign_in("olga").await;
    olga.log_until(|entries| count(entries, "proposal.succeeded") == 2).await;
    let second = keep(&gate, &gate.vkey);
    assert_done(&second);
    let compared = format!("the first {} are those of the checkpoint before", before.size);
    assert!(said(&second).contains(&compared), "{}", said(&second));
    let after = open(&gate, &gate.dir.read("head.txt"));
    assert!(after.size >= before.size + 5, "{before:?} {after:?}");
    // It is one that an export is verified against.
    std::fs::copy(gate.dir.path().join("head.txt"), gate.dir.path().join("anchor.txt")).unwrap();
    gate.export();
    let verify = ["log", "verify", "log.export", "--key", &gate.vkey, "--anchor", "anchor.txt"];
    let verified = gate.dir.run(&verify);
    assert!(said(&verified).starts_with("VERIFIED"), "{}", said(&verified));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_was_cut_changed_or_signed_by_another_replaces_no_checkpoint() {
    let upstream = Upstream::start().await;
    let gate = GateDir::new(&upstream).serve();
    assert_done(&gate.dir.run(&["person", "token", "olga", ".", "--out", "a.token"]));
    let (status, body) = gate.propose("shop.note.add", json!({ "id": "i_1", "text": "one" })).await;
    assert_eq!(status, 200, "{body}");
    let olga = gate.sign_in("olga").await;
    olga.log_until(|entries| count(entries, "proposal.succeeded") == 1).await;
    assert_done(&keep(&gate, &gate.vkey));
    let again = keep(&gate, &gate.vkey);
    assert_done(&again);
    assert!(said(&again).contains("head.txt is the newest checkpoint"), "{}", said(&again));
    let held = open(&gate, &gate.dir.read("head.txt"));
    let seed = gate.dir.read("state/log.key");
    let bytes: Vec<u8> = (0..32).map(|n| u8::from_str_radix(&seed[2 * n..2 * n + 2], 16).unwrap()).collect();
    let key = LogKey::from_seed("gate.test", &bytes.try_into().unwrap()).unwrap();
    assert_eq!(key.public().to_vkey(), gate.vkey);
    let other = Digest::from_bytes([7; 32]);
    let signed = |size, root| key.sign(&Checkpoint { origin: "gate.test".to_owned(), size, root });
    let stranger = LogKey::from_seed("gate.test", &[9; 32]).unwrap();
    for (what, note, why) in [
        ("an earlier head of another tree", signed(1, other), "differs from the checkpoint held elsewhere"),
        ("more entries than there are", signed(held.size + 1_000, held.root), "end was cut off"),
        ("another key's", stranger.sign(&held), "not signed by the key"),
        ("no checkpoint", "hello\n".to_owned(), "the checkpoint that is held"),
    ] {
        gate.dir.write("head.txt", &note);
        let output = keep(&gate, &gate.vkey);
        assert_eq!(output.status.code(), Some(BROKEN), "{what}: {}", said(&output));
        assert!(said(&output).contains("BROKEN") && said(&output).contains(why), "{what}: {}", said(&output));
        assert_eq!(gate.dir.read("head.txt"), note, "{what}: it stays for whoever looks into it");
    }
    std::fs::remove_file(gate.dir.path().join("head.txt")).unwrap();
    let output = keep(&gate, &stranger.public().to_vkey());
    assert_eq!(output.status.code(), Some(BROKEN), "{}", said(&output));
    assert!(!gate.dir.path().join("head.txt").exists(), "what another key signed is not kept");

    let url = gate.people.as_str();
    let without = ["log", "checkpoint", "--url", url, "--token-file", "a.token", "--out", "head.txt"];
    let output = gate.dir.run(&without);
    assert!(!output.status.success() && said(&output).contains("countersign serve"), "{}", said(&output));
    assert_done(&gate.dir.run(&["person", "revoke", "olga", "."]));
    let output = keep(&gate, &gate.vkey);
    assert!(!output.status.success() && said(&output).contains("unauthenticated"), "{}", said(&output));
    assert!(!gate.dir.path().join("head.txt").exists());
}
