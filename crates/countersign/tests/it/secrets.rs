//! Credentials, keys, sessions and links leave the gate only where they belong: a credential to its upstream,
//! the others to whoever they were made for.

use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use serde_json::json;

use crate::support::gate::{http, send};
use crate::support::{Gate, GateDir, Person, Reply, Upstream, raw};

const WRITE_SECRET: &str = "write-secret-0815-stuvwxyz";
const READ_SECRET: &str = "read-secret-4711-abcdefgh";

/// A secret in the spellings that a leak may have.
fn spellings(secret: &str) -> Vec<Vec<u8>> {
    let each = |lead: &str| {
        secret.bytes().fold(String::new(), |mut text, byte| {
            write!(text, "{lead}{byte:02x}").unwrap();
            text
        })
    };
    let (hex, percent) = (each(""), each("%"));
    let wide = secret.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut all = vec![
        secret.as_bytes().to_vec(),
        hex.to_ascii_uppercase().into_bytes(),
        hex.into_bytes(),
        percent.to_ascii_uppercase().into_bytes(),
        percent.into_bytes(),
        wide,
    ];
    // Inside a longer text the secret stands at one of three places of a group; its inner part is looked for.
    for lead in 0..3 {
        let padded = format!("{}{secret}", "x".repeat(lead));
        for text in [STANDARD_NO_PAD.encode(&padded), URL_SAFE_NO_PAD.encode(&padded)] {
            let end = padded.len() / 3 * 4;
            all.push(text.as_bytes()[(lead * 8).div_ceil(6)..end].to_vec());
        }
    }
    all
}

fn holds(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

/// Every output so far, with its name.
#[derive(Default)]
struct Outputs(Vec<(String, Vec<u8>)>);

impl Outputs {
    fn add(&mut self, name: &str, bytes: impl Into<Vec<u8>>) {
        self.0.push((name.to_owned(), bytes.into()));
    }

    /// All files below a folder. A running gate replaces some of them by renaming a temporary file, so one
    /// that is listed may be gone when it is read; the folder is read again after the gate has stopped.
    fn add_folder(&mut self, path: &Path) {
        for entry in std::fs::read_dir(path).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                self.add_folder(&path);
                continue;
            }
            match std::fs::read(&path) {
                Ok(bytes) => self.add(&path.display().to_string(), bytes),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => panic!("cannot read {}: {error}", path.display()),
            }
        }
    }

    fn run(&mut self, gate: &Gate, arguments: &[&str]) -> String {
        let output = gate.dir.run(arguments);
        let name = arguments.join(" ");
        self.add(&format!("{name}: stderr"), output.stderr);
        self.add(&format!("{name}: stdout"), output.stdout.clone());
        String::from_utf8(output.stdout).unwrap()
    }

    fn assert_free_of(&self, what: &str, secret: &str) {
        for spelling in spellings(secret) {
            for (name, bytes) in &self.0 {
                assert!(
                    !holds(bytes, &spelling),
                    "{name} holds {what} as {}",
                    String::from_utf8_lossy(&spelling)
                );
            }
        }
    }
}

#[test]
fn the_search_finds_each_spelling_inside_a_longer_text() {
    for spelling in spellings(WRITE_SECRET) {
        let mut outputs = Outputs::default();
        outputs.add("a leak", [b"before ", &spelling[..], b" after"].concat());
        let found = std::panic::catch_unwind(|| outputs.assert_free_of("it", WRITE_SECRET));
        assert!(found.is_err(), "{spelling:?} is not found");
    }
    for lead in 0..3 {
        let mut outputs = Outputs::default();
        outputs.add("a leak", STANDARD_NO_PAD.encode(format!("{}{WRITE_SECRET}:x", "u".repeat(lead))));
        assert!(std::panic::catch_unwind(|| outputs.assert_free_of("it", WRITE_SECRET)).is_err(), "{lead}");
    }
}

/// An answer whose page, header and content type repeat the secret in many spellings.
fn echo(status: u16, secret: &str) -> Reply {
    let mut page =
        format!("<pre>authorization: Bearer {secret}</pre> \"{}\"", secret.replace('-', "\\u002d"));
    for spelling in spellings(secret) {
        page.push(' ');
        page.push_str(&String::from_utf8_lossy(&spelling));
    }
    let headers = vec![
        ("content-type", format!("text/html; hint={secret}")),
        ("www-authenticate", format!("Bearer realm=\"{secret}\"")),
        ("x-debug", secret.to_owned()),
        ("etag", format!("\"{secret}\"")),
    ];
    Reply::Answer(status, headers, page)
}

/// Everything that agents and people see while all kinds of proposals live and die.
async fn live(gate: &Gate, upstream: &Upstream, outputs: &mut Outputs) {
    let item = json!({ "id": "i_1", "price": 5_000, "currency": "usd", "debug": READ_SECRET,
        READ_SECRET: [{ "header": format!("Bearer {READ_SECRET}") }] });
    upstream.on("GET /items/i_1", Reply::json(200, &item));
    upstream.on("POST /items/i_1/notes", Reply::Echo);
    upstream.on("POST /items/i_2/notes", echo(500, WRITE_SECRET));
    upstream.on("POST /items/i_3/notes", echo(400, WRITE_SECRET));
    upstream.on("POST /items/i_4/notes", echo(200, WRITE_SECRET));
    upstream.on("PUT /items/i_1/price", Reply::Echo);
    upstream.on("GET /items/i_5", echo(500, READ_SECRET));
    upstream.on("GET /items/i_6", echo(200, READ_SECRET));
    let stolen = vec![("location", format!("http://127.0.0.1:1/?token={WRITE_SECRET}"))];
    upstream.on("POST /items/i_7/notes", Reply::Answer(307, stolen, WRITE_SECRET.to_owned()));
    for id in ["i_1", "i_2", "i_3", "i_4", "i_7"] {
        let (_, body) = gate.propose("shop.note.add", json!({ "id": id, "text": "x" })).await;
        outputs.add("a note", body.to_string());
    }
    for id in ["i_1", "i_5", "i_6"] {
        let (_, body) = gate.propose("shop.item.read", json!({ "id": id })).await;
        outputs.add("a read", body.to_string());
        let (_, body) = gate.propose("shop.price.set", json!({ "id": id, "price": 1 })).await;
        outputs.add("a price", body.to_string());
    }
    let dry = json!({ "action": "shop.price.set", "input": { "id": "i_1", "price": 7 }, "on_behalf_of": "ann",
        "dry_run": true });
    outputs.add("a dry run", gate.propose_with(dry).await.1.to_string());
    let (_, body) = gate.propose("shop.item.delete", json!({ "id": "i_1" })).await;
    outputs.add("a denial", body.to_string());
    // What an agent may try to be told: the names and places of credentials in every field it can fill.
    for text in ["${credential.shop-write}", "shop-write", "file:secrets/write", "{{secrets.write}}"] {
        let (_, body) = gate.propose("shop.note.add", json!({ "id": "i_8", "text": text })).await;
        outputs.add("a wish", body.to_string());
        let body = json!({ "action": "shop.note.add", "input": { "id": "i_8", "text": "x", "credential": text },
            "credential": text, "on_behalf_of": "ann" });
        outputs.add("a field for a credential", gate.propose_with(body).await.1.to_string());
    }
    let granted = |text: &str| text.contains("secret-");
    assert!(
        !upstream.calls().iter().any(|call| granted(&call.body) || granted(&call.path)),
        "a wish was granted"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn no_output_of_the_gate_holds_a_secret_t81_t82_t84_t85_t138() {
    let upstream = Upstream::start().await;
    let gate = GateDir::new(&upstream).serve_logging("trace");
    let mut outputs = Outputs::default();
    live(&gate, &upstream, &mut outputs).await;

    let olga = gate.sign_in("olga").await;
    let frank = gate.sign_in("frank").await;
    let (_, body) = gate.propose("shop.price.set", json!({ "id": "i_1", "price": 20_000 })).await;
    let id = body["id"].as_str().unwrap().to_owned();
    let (status, answer) = frank.approve(&id).await;
    assert_eq!(status, 200, "{answer}");
    outputs.add("an approval", answer.to_string());
    outputs.add("its result", gate.settled(&id).await.to_string());
    let (_, body) = gate.propose("shop.price.set", json!({ "id": "i_1", "price": 30_000 })).await;
    let pending = body["id"].as_str().unwrap().to_owned();

    let link_output = gate.dir.run(&["person", "link", "frank", "."]);
    let link = String::from_utf8(link_output.stdout).unwrap().trim().rsplit('/').next().unwrap().to_owned();
    let output = gate.dir.run(&["person", "login", &format!("{}/sign-in/{link}", gate.people)]);
    assert!(output.status.success(), "{output:?}");
    outputs.add("login", [output.stdout, output.stderr].concat());
    for arguments in [
        &["show", &id, "--json"][..],
        &["show", &pending],
        &["list", "--state", "all", "--json"],
        &["approve", &pending, "--intent", "sha256:0"],
        &["reject", &pending, "--reason", "no"],
        &["check", "."],
        &["log", "export", "--dir", ".", "--out", "log.export"],
        &["log", "verify", "log.export"],
        &["key", "nobody", "."],
        &["reference"],
    ] {
        outputs.run(&gate, arguments);
    }
    as_auditor(&olga, &mut outputs).await;
    outputs.add("the agent's list", gate.agent_get("/v1/proposals?limit=200").await.1.to_string());
    outputs.add("the actions", gate.agent_get("/v1/actions?on_behalf_of=ann").await.1.to_string());
    broken_requests(&gate, &mut outputs).await;

    // The file is changed and taken away while the gate runs: the old value is not remembered (T84).
    let file = gate.dir.path().join("secrets/write");
    std::fs::write(&file, "rotated-secret-1234-zyxw").unwrap();
    let (status, body) = gate.propose("shop.note.add", json!({ "id": "i_9", "text": "x" })).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(upstream.calls().last().unwrap().headers["authorization"], "Bearer rotated-secret-1234-zyxw");
    std::fs::remove_file(&file).unwrap();
    outputs.add(
        "no secret",
        gate.propose("shop.note.add", json!({ "id": "i_9", "text": "x" })).await.1.to_string(),
    );

    let (key, sessions) = (gate.key("bot"), [olga.session.clone(), frank.session.clone()]);
    outputs.add("the operator's log", gate.operator_log());
    outputs.add_folder(&gate.dir.path().join("state"));
    let dir = gate.stop();
    outputs.add_folder(&dir.path().join("state"));
    outputs.add("the operator's last words", dir.read("serve.log"));
    outputs.add("the export", dir.exported());
    outputs.add("the directory", dir.read("directory.toml"));
    assert!(outputs.0.iter().any(|(name, bytes)| name.ends_with("countersign.db") && bytes.len() > 4096));
    assert!(outputs.0.iter().any(|(name, bytes)| name.contains("operator") && bytes.len() > 10_000));

    outputs.assert_free_of("the write credential", WRITE_SECRET);
    outputs.assert_free_of("the read credential", READ_SECRET);
    outputs.assert_free_of("the rotated credential", "rotated-secret-1234-zyxw");
    outputs.assert_free_of("an agent's key", &key);
    outputs.assert_free_of("a sign-in link", &link);
    for session in &sessions {
        outputs.assert_free_of("a session", session);
    }
}

/// Everything that an auditor can read.
async fn as_auditor(olga: &Person, outputs: &mut Outputs) {
    let everything = ["/v1/proposals?limit=200", "/v1/log/entries", "/v1/log/export", "/v1/counts", "/v1/me"];
    for path in everything {
        outputs.add(path, olga.get(path).await.1.to_string());
    }
    let (_, all) = olga.get("/v1/proposals?limit=200").await;
    for item in all["proposals"].as_array().unwrap() {
        for more in ["", "/history"] {
            let path = format!("/v1/proposals/{}{more}", item["id"].as_str().unwrap());
            outputs.add(&path, olga.get(&path).await.1.to_string());
        }
    }
}

/// Requests that fail while they hold a key: no error repeats it.
async fn broken_requests(gate: &Gate, outputs: &mut Outputs) {
    let key = gate.key("bot");
    let host = gate.agents.trim_start_matches("http://");
    for request in [
        format!(
            "GET /v1/{key} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {key}x\r\nconnection: close\r\n\r\n"
        ),
        format!(
            "POST /v1/proposals HTTP/1.1\r\nhost: evil\r\nauthorization: Bearer {key}\r\nconnection: close\r\n\r\n"
        ),
        format!(
            "BREW /v1/proposals HTTP/1.1\r\nhost: {host}\r\nauthorization: Basic {key}\r\nconnection: close\r\n\r\n"
        ),
        format!("nonsense {key}\r\n\r\n"),
    ] {
        let (status, body) = raw::exchange(&gate.agents, request.as_bytes()).await;
        assert!(status >= 400 || status == 0, "{status} {body}");
        outputs.add("a broken request", body.to_string());
    }
    // An agent's key opens nothing on the people's listener, and the answer does not repeat it.
    let (status, body) = send(http().get(format!("{}/v1/me", gate.people)).bearer_auth(&key)).await;
    assert_eq!(status, 401);
    outputs.add("a key as a session", body.to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_hold_a_secret_are_for_their_owner_alone_t47_t138() {
    let upstream = Upstream::start().await;
    let gate = GateDir::new(&upstream).serve();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&gate.dir.path().join("bot.key")), 0o600);
    let output = gate.dir.run(&["person", "link", "frank", "."]);
    let token = String::from_utf8(output.stdout).unwrap().trim().rsplit('/').next().unwrap().to_owned();
    let login = gate.dir.run(&["person", "login", &format!("{}/sign-in/{token}", gate.people)]);
    assert!(login.status.success(), "{login:?}");
    let session = gate.dir.config_home().join("countersign/session.json");
    assert_eq!(mode(&session), 0o600);
    let files = std::fs::read_dir(gate.dir.path().join("state")).unwrap();
    let open: Vec<_> = files.map(|f| f.unwrap().path()).filter(|p| mode(p) & 0o077 != 0).collect();
    assert!(open.is_empty(), "others may read {open:?}");
    // A link works once.
    let body = json!({ "link": token }).to_string();
    let again = http().post(format!("{}/v1/sign-in", gate.people)).header("content-type", "application/json");
    assert_eq!(send(again.body(body)).await.0, 401);
    // A session that was ended is over.
    let olga = gate.sign_in("olga").await;
    assert_eq!(olga.post("/v1/sign-out", &json!({})).await.0, 200);
    assert_eq!(olga.get("/v1/me").await.0, 401);
    gate.stop_and_verify();
}
