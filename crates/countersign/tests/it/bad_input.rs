//! What an agent may send wrongly: each mistake has its status, its code and its place, reaches nothing, and
//! leaves an entry where something was proposed.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::support::gate::{http, send};
use crate::support::log::count;
use crate::support::{Gate, GateDir, Reply, Upstream, raw};

const GOOD: &str = r#"{"action":"shop.note.add","input":{"id":"i_1","text":"x"},"on_behalf_of":"ann"}"#;
/// `limits::BODY_BYTES_MAX`.
const BODY_BYTES_MAX: usize = 256 * 1024;

/// What is no integer that every reader agrees on.
const NUMBERS: [&str; 15] = [
    "9007199254740992",
    "-9007199254740992",
    "123456789012345678901234567890",
    "1e2",
    "1E2",
    "1e400",
    "-0",
    "-0.0",
    "01",
    "+1",
    ".5",
    "1.",
    "NaN",
    "Infinity",
    "-Infinity",
];

/// A good body with one text replaced.
fn with(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "{from}");
    GOOD.replacen(from, to, 1)
}

/// A price proposal with this number, spelled like this.
fn price(lexeme: &str) -> String {
    format!(r#"{{"action":"shop.price.set","input":{{"id":"i_1","price":{lexeme}}},"on_behalf_of":"ann"}}"#)
}

async fn post(gate: &Gate, body: impl Into<reqwest::Body>) -> (u16, Value) {
    let request = http().post(format!("{}/v1/proposals", gate.agents)).bearer_auth(gate.key("bot"));
    send(request.header("content-type", "application/json").body(body)).await
}

async fn assert_untouched(gate: &Gate, upstream: &Upstream) {
    assert_eq!(upstream.calls().len(), 0, "{:?}", upstream.calls());
    assert_eq!(gate.agent_get("/v1/proposals").await.1["proposals"], json!([]));
}

fn assert_problem(name: &str, (status, body): &(u16, Value), expected: (u16, &str, Option<&str>)) {
    let (want, code, pointer) = expected;
    assert_eq!((*status, body["code"].as_str()), (want, Some(code)), "{name}: {body}");
    assert!(body["detail"].as_str().is_some_and(|d| !d.is_empty()), "{name}: {body}");
    if let Some(pointer) = pointer {
        assert_eq!(body["errors"][0]["pointer"], pointer, "{name}: {body}");
        assert!(body["errors"][0]["detail"].as_str().is_some_and(|d| !d.is_empty()), "{name}: {body}");
    }
}

/// Bodies that say nothing that could be proposed: `(name, body, pointer)`, all `400 malformed_request`.
fn malformed() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let mut rows: Vec<(&str, String, &str)> = vec![
        ("an extra field", with("{\"action", "{\"extra\":1,\"action"), "/extra"),
        ("a gate's own field", with("{\"action", "{\"approved\":true,\"action"), "/approved"),
        ("an action that is a number", with("\"shop.note.add\"", "5"), "/action"),
        ("an action that is null", with("\"shop.note.add\"", "null"), "/action"),
        ("a person that is a list", with("\"ann\"", "[\"ann\"]"), "/on_behalf_of"),
        ("a dry run that is a text", with("{\"action", "{\"dry_run\":\"yes\",\"action"), "/dry_run"),
        ("evidence that is a text", with("{\"action", "{\"evidence\":\"x\",\"action"), "/evidence"),
        ("no action", "{}".to_owned(), ""),
        ("a list", "[]".to_owned(), ""),
        ("a text", "\"x\"".to_owned(), ""),
        ("null", "null".to_owned(), ""),
        ("nothing", String::new(), ""),
        ("white space", " \n".to_owned(), ""),
        ("a duplicate key", with("{\"action", "{\"action\":\"shop.item.read\",\"action"), "/action"),
        (
            "an escaped duplicate",
            with("{\"action", "{\"\\u0061ction\":\"shop.item.read\",\"action"),
            "/action",
        ),
        ("a duplicate in the input", with("\"text\"", "\"id\":\"i_2\",\"text\""), "/input/id"),
        ("an escaped duplicate inside", with("\"text\"", "\"i\\u0064\":\"i_2\",\"text\""), "/input/id"),
        ("a case twin", with("\"text\"", "\"ID\":\"i_2\",\"text\""), "/input/ID"),
        ("a compatibility twin", with("\"text\"", "\"\u{ff49}d\":\"i_2\",\"text\""), "/input/\u{ff49}d"),
        ("more after the end", format!("{GOOD}x"), ""),
        ("two documents", format!("{GOOD}{GOOD}"), ""),
        ("a NUL after the end", format!("{GOOD}\0"), ""),
        ("a NUL in a string", with("\"x\"", "\"x\0\""), "/input/text"),
        ("a byte order mark", format!("\u{feff}{GOOD}"), ""),
        ("a hexadecimal number", price("0x10"), "/input"),
        ("a number with a separator", price("1_000"), "/input"),
        ("a comment", with("{\"action", "{/**/\"action"), ""),
        ("a trailing comma", with("\"ann\"}", "\"ann\",}"), ""),
        ("single quotes", GOOD.replace('"', "'"), ""),
        ("half a surrogate pair", with("\"x\"", "\"\\ud800\""), "/input/text"),
        (
            "the private key of a number",
            price("{\"$serde_json::private::Number\":\"1\"}"),
            "/input/price/$serde_json::private::Number",
        ),
        (
            "the private key of raw text",
            price("{\"$serde_json::private::RawValue\":\"1\"}"),
            "/input/price/$serde_json::private::RawValue",
        ),
    ];
    for lexeme in NUMBERS {
        rows.push(("a number", price(lexeme), "/input/price"));
    }
    let mut rows: Vec<_> = rows.into_iter().map(|(name, body, at)| (name, body.into_bytes(), at)).collect();
    let mut not_utf8 = GOOD.as_bytes().to_vec();
    not_utf8[60] = 0xff;
    rows.push(("not UTF-8", not_utf8, ""));
    let utf16: Vec<u8> = GOOD.encode_utf16().flat_map(u16::to_le_bytes).collect();
    rows.push(("UTF-16", utf16, ""));
    rows
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_not_one_strict_document_is_refused_at_its_place_t50_t51_t53() {
    let upstream = Upstream::start().await;
    let gate = GateDir::new(&upstream).serve();
    for (name, body, pointer) in malformed() {
        let shown = format!("{name}: {}", String::from_utf8_lossy(&body));
        let answer = post(&gate, body).await;
        assert_problem(&shown, &answer, (400, "malformed_request", Some(pointer)));
    }
    for end in 0..GOOD.len() {
        let answer = post(&gate, &GOOD[..end]).await;
        assert_problem(&GOOD[..end], &answer, (400, "malformed_request", None));
    }
    assert_untouched(&gate, &upstream).await;
    let (_, entries) = gate.stop_and_verify();
    assert_eq!(count(&entries, "proposal.invalid"), 0, "nothing was proposed: {entries:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bomb_of_depth_or_of_keys_is_refused_and_the_gate_lives_t62() {
    let upstream = Upstream::start().await;
    let gate = GateDir::new(&upstream).serve();
    let input = |inner: &str| format!(r#"{{"action":"shop.note.add","input":{inner}}}"#);
    let keys = |count: usize| {
        let mut text = String::from("{");
        (0..count).for_each(|n| write!(text, "\"k{n}\":1,").unwrap());
        format!("{}}}", text.trim_end_matches(','))
    };
    let bombs = [
        input(&"[".repeat(100_000)),
        input(&"{\"a\":".repeat(40_000)),
        input(&format!("{}1{}", "[".repeat(33), "]".repeat(33))),
        input(&keys(1_001)),
        input(&format!("[{}1]", "1,".repeat(20_000))),
        input(&format!("{{\"text\":\"{}\"}}", "x".repeat(64 * 1024 + 1))),
    ];
    for bomb in bombs {
        let answer = post(&gate, bomb.clone()).await;
        assert_problem(&bomb[..60], &answer, (400, "malformed_request", None));
        assert!(answer.1["errors"][0]["pointer"].as_str().unwrap().starts_with("/input"), "{}", answer.1);
        assert!(answer.1.to_string().len() < 2_000, "{}", answer.1);
    }
    assert_untouched(&gate, &upstream).await;
    gate.stop_and_verify();
}

/// Name, body, status, code and pointer.
type Row = (&'static str, String, u16, Option<&'static str>, Option<&'static str>);

#[tokio::test(flavor = "multi_thread")]
async fn a_proposal_that_does_not_fit_is_refused_at_its_place_and_leaves_an_entry_t40_t57() {
    let upstream = Upstream::start().await;
    let gate = GateDir::new(&upstream).serve();
    let long = format!("\"{}\"", "x".repeat(2_001));
    let entity = r#"{"__entity":{"type":"Agent","id":"root"}}"#;
    let extension = r#"{"__extn":{"fn":"decimal","arg":"1.0"}}"#;
    let invalid = Some("invalid_input");
    let rows: Vec<Row> = vec![
        ("unknown action", with("shop.note.add", "shop.note.burn"), 404, Some("unknown_action"), None),
        ("another case", with("shop.note.add", "Shop.Note.Add"), 404, Some("unknown_action"), None),
        ("an empty name", with("shop.note.add", ""), 404, Some("unknown_action"), None),
        ("a path as a name", with("shop.note.add", "../../secrets/write"), 404, Some("unknown_action"), None),
        ("a number as text", with("\"x\"", "5"), 422, invalid, Some("/text")),
        ("null as text", with("\"x\"", "null"), 422, invalid, Some("/text")),
        ("a pattern that does not fit", with("i_1", "../i_1"), 422, invalid, Some("/id")),
        ("a line break after the pattern", with("i_1", "i_1\\n"), 422, invalid, Some("/id")),
        ("too long", with("\"x\"", &long), 422, invalid, Some("/text")),
        ("an extra field inside", with("\"text\"", "\"extra\":1,\"text\""), 422, invalid, Some("/extra")),
        ("a missing field", with(",\"text\":\"x\"", ""), 422, invalid, Some("/text")),
        ("an input that is a list", with("{\"id\":\"i_1\",\"text\":\"x\"}", "[]"), 422, invalid, Some("")),
        (
            "an entity as a field",
            with("\"text\"", "\"__entity\":{\"type\":\"A\",\"id\":\"b\"},\"text\""),
            422,
            invalid,
            Some("/__entity"),
        ),
        ("an entity as a text", with("\"x\"", entity), 422, invalid, Some("/text")),
        ("an extension as a text", with("\"x\"", extension), 422, invalid, Some("/text")),
        ("an entity as a price", price(entity), 422, invalid, Some("/price")),
        ("1.5 as an integer", price("1.5"), 422, invalid, Some("/price")),
        ("a text as an integer", price("\"5\""), 422, invalid, Some("/price")),
        ("below the minimum", price("0"), 422, invalid, Some("/price")),
        ("the largest integer", price("9007199254740991"), 422, invalid, Some("/price")),
        ("an unknown person", with("\"ann\"", "\"zoe\""), 403, Some("delegation_not_allowed"), None),
        ("a person of another team", with("\"ann\"", "\"frank\""), 403, Some("delegation_not_allowed"), None),
        ("nobody", with("\"ann\"", "\"\""), 403, Some("delegation_not_allowed"), None),
        ("an agent as a person", with("\"ann\"", "\"bot\""), 403, Some("delegation_not_allowed"), None),
        ("another case of a person", with("\"ann\"", "\"Ann\""), 403, Some("delegation_not_allowed"), None),
    ];
    for (name, body, status, code, pointer) in &rows {
        let answer = post(&gate, body.clone()).await;
        assert_problem(name, &answer, (*status, code.unwrap(), *pointer));
    }
    assert_untouched(&gate, &upstream).await;
    let olga = gate.sign_in("olga").await;
    let entries = olga.log_until(|entries| count(entries, "proposal.invalid") >= rows.len()).await;
    let noted: Vec<&Value> = entries.iter().filter(|e| e["event"] == "proposal.invalid").collect();
    assert_eq!(noted.len(), rows.len());
    for (entry, (name, _, _, code, _)) in noted.iter().zip(&rows) {
        assert_eq!(entry["data"]["code"].as_str(), *code, "{name}: {entry}");
        assert_eq!(entry["data"]["agent"], "bot", "{name}: {entry}");
    }
    gate.stop_and_verify();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_looks_like_an_entity_is_an_opaque_text_t57() {
    let upstream = Upstream::start().await;
    let gate = GateDir::new(&upstream).serve();
    for text in [r#"{"__entity":{"type":"Agent","id":"root"}}"#, "__extn", r#"Action::"destructive""#] {
        let (status, body) = gate.propose("shop.note.add", json!({ "id": "i_1", "text": text })).await;
        assert_eq!((status, &body["state"]), (200, &json!("succeeded")), "{body}");
        let last: Value = serde_json::from_str(&upstream.calls().last().unwrap().body).unwrap();
        assert_eq!(last["text"], text);
    }
    gate.stop_and_verify();
}

#[tokio::test(flavor = "multi_thread")]
async fn only_plain_json_in_utf_8_is_read_t60() {
    let upstream = Upstream::start().await;
    let gate = GateDir::new(&upstream).serve();
    let send_as = async |headers: &[(&str, &str)]| {
        let mut request = http().post(format!("{}/v1/proposals", gate.agents)).bearer_auth(gate.key("bot"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        send(request.body(GOOD)).await
    };
    let refused = [
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/yaml",
        "text/yaml",
        "application/xml",
        "text/json",
        "application/json5",
        "application/jsonx",
        "application/problem+json",
        "application/vnd.api+json",
        "application/x-ndjson",
        "application/json; charset=utf-16",
        "application/json; charset=iso-8859-1",
        "application/json; charset=utf-8; charset=utf-16",
        "application/json; charset=utf-8; x=1",
        "application/json, text/plain",
        "application/json, application/json",
        "application / json",
        "app lication/json",
        "application/json; charset=utf -8",
        "application/json/",
        "*/*",
        "application/*",
        "json",
        "application/octet-stream",
        "application/graphql",
    ];
    for kind in refused {
        let answer = send_as(&[("content-type", kind)]).await;
        assert_problem(kind, &answer, (415, "unsupported_media_type", None));
    }
    let none = send_as(&[]).await;
    assert_problem("no content type", &none, (415, "unsupported_media_type", None));
    let twice = send_as(&[("content-type", "application/json"), ("content-type", "application/json")]).await;
    assert_problem("two content types", &twice, (415, "unsupported_media_type", None));
    for encoding in ["gzip", "br", "deflate", "identity", "zstd", ""] {
        let answer = send_as(&[("content-type", "application/json"), ("content-encoding", encoding)]).await;
        assert_problem(encoding, &answer, (415, "unsupported_media_type", None));
    }
    assert_untouched(&gate, &upstream).await;
    let accepted = [
        "application/json",
        "APPLICATION/JSON",
        "application/json;charset=utf-8",
        "application/json; charset=UTF-8",
        " application/json ",
    ];
    for kind in accepted {
        let (status, body) = send_as(&[("content-type", kind)]).await;
        assert_eq!(status, 200, "{kind}: {body}");
    }
    gate.stop_and_verify();
}

fn head(gate: &Gate, more: &str) -> String {
    let host = gate.agents.trim_start_matches("http://");
    let key = gate.key("bot");
    format!(
        "POST /v1/proposals HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {key}\r\n\
         content-type: application/json\r\nconnection: close\r\n{more}\r\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_is_bounded_by_what_arrives_and_read_whole_before_anything_t59() {
    let upstream = Upstream::start().await;
    let gate = GateDir::new(&upstream).serve();
    let padded = |size: usize| format!("{GOOD}{}", " ".repeat(size - GOOD.len()));
    let large = padded(10 * 1024 * 1024);
    let chunked = |body: &str| format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());

    let told = format!("{}{large}", head(&gate, &format!("content-length: {}\r\n", large.len())));
    let untold = format!("{}{}", head(&gate, "transfer-encoding: chunked\r\n"), chunked(&large));
    let one_more = padded(BODY_BYTES_MAX + 1);
    let over = format!("{}{one_more}", head(&gate, &format!("content-length: {}\r\n", one_more.len())));
    let over_chunked = format!("{}{}", head(&gate, "transfer-encoding: chunked\r\n"), chunked(&one_more));
    for (name, bytes) in
        [("told", told), ("chunked", untold), ("one more", over), ("one more, chunked", over_chunked)]
    {
        let answer = raw::exchange(&gate.agents, bytes.as_bytes()).await;
        assert_problem(name, &answer, (413, "body_too_large", None));
    }

    let short = format!("{}{GOOD}", head(&gate, &format!("content-length: {}\r\n", GOOD.len() - 10)));
    let answer = raw::exchange(&gate.agents, short.as_bytes()).await;
    assert_problem("a length that is too small", &answer, (400, "malformed_request", None));
    let none = format!("{}{GOOD}", head(&gate, ""));
    let answer = raw::exchange(&gate.agents, none.as_bytes()).await;
    assert_problem("no length: no body", &answer, (400, "malformed_request", None));
    let long = format!("{}{GOOD}", head(&gate, &format!("content-length: {}\r\n", GOOD.len() + 10)));
    let cut = format!("{}{:x}\r\n{GOOD}", head(&gate, "transfer-encoding: chunked\r\n"), GOOD.len() + 4);
    for (name, bytes) in [("a length that is too large", long), ("a chunk that is cut", cut)] {
        let (status, body) = raw::exchange_cut(&gate.agents, bytes.as_bytes()).await;
        assert!(matches!(status, 0 | 400), "{name}: {status} {body}");
    }
    assert_untouched(&gate, &upstream).await;

    // Beside chunks a length means nothing (RFC 9112 section 6.3): the whole body is read, not five bytes of it.
    let both = head(&gate, "content-length: 5\r\ntransfer-encoding: chunked\r\n");
    let (status, body) = raw::exchange(&gate.agents, format!("{both}{}", chunked(GOOD)).as_bytes()).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(upstream.calls().len(), 1);
    let (status, body) = post(&gate, padded(BODY_BYTES_MAX)).await;
    assert_eq!((status, &body["state"]), (200, &json!("succeeded")), "exactly the limit is read: {body}");
    assert_eq!(upstream.calls().len(), 2);
    gate.stop_and_verify();
}

async fn post_with_key(gate: &Gate, agent: &str, key: &str, body: String) -> (u16, Value) {
    let request = http().post(format!("{}/v1/proposals", gate.agents)).bearer_auth(gate.key(agent));
    send(request.header("content-type", "application/json").header("idempotency-key", key).body(body)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn one_idempotency_key_means_one_request_of_one_agent_t95_t96() {
    let upstream = Upstream::start().await;
    let gate = GateDir::new(&upstream).serve();
    let (status, first) = post_with_key(&gate, "bot", "k-1", GOOD.to_owned()).await;
    assert_eq!(status, 200, "{first}");
    let (status, again) = post_with_key(&gate, "bot", "k-1", GOOD.to_owned()).await;
    assert_eq!((status, &again["id"], &again["state"]), (200, &first["id"], &first["state"]));
    assert_eq!(upstream.calls().len(), 1);

    let other = post_with_key(&gate, "bot", "k-1", with("\"x\"", "\"y\"")).await;
    assert_problem("another body", &other, (422, "idempotency_key_reused", None));
    assert_eq!(upstream.calls().len(), 1);

    let (status, theirs) = post_with_key(&gate, "other", "k-1", GOOD.to_owned()).await;
    assert_eq!(status, 200, "another agent's key is another key: {theirs}");
    assert_ne!(theirs["id"], first["id"]);
    assert_eq!(upstream.calls().len(), 2);

    let long = "k".repeat(256);
    for key in ["", &long, "a\tb"] {
        let answer = post_with_key(&gate, "bot", key, GOOD.to_owned()).await;
        assert_problem("a key that is none", &answer, (400, "malformed_request", None));
    }
    let gate = gate.kill().serve();
    let (status, again) = post_with_key(&gate, "bot", "k-1", GOOD.to_owned()).await;
    assert_eq!((status, &again["id"]), (200, &first["id"]), "it is remembered over a restart");
    assert_eq!(upstream.calls().len(), 2);
    gate.stop_and_verify();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_equal_requests_at_once_make_one_proposal_and_one_call_t95() {
    let upstream = Upstream::start().await;
    let gate = GateDir::new(&upstream).serve();
    let url = format!("{}/v1/proposals?wait=20", gate.agents);
    let (client, key) = (http(), gate.key("bot"));
    let twins = (0..100).map(|_| {
        let request = client.post(&url).bearer_auth(&key).header("content-type", "application/json");
        send(request.header("idempotency-key", "storm").body(GOOD))
    });
    let answers = futures_util::future::join_all(twins).await;
    let id = &answers[0].1["id"];
    for (status, body) in &answers {
        assert_eq!((*status, &body["id"], &body["state"]), (200, id, &json!("succeeded")), "{body}");
    }
    assert_eq!(upstream.calls().len(), 1);
    assert_eq!(gate.agent_get("/v1/proposals").await.1["proposals"].as_array().unwrap().len(), 1);
    let (_, entries) = gate.stop_and_verify();
    assert_eq!(count(&entries, "proposal.allowed"), 1);
    assert_eq!(count(&entries, "proposal.dispatched"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_previews_write_nothing_and_never_use_the_write_credential_t31() {
    let upstream = Upstream::start().await;
    let gate = GateDir::new(&upstream).with_wide_limits().serve();
    let item = json!({ "id": "i_1", "price": 5_000, "currency": "usd" });
    upstream.on("GET /items/i_1", Reply::json(200, &item));
    let proposals = [
        ("shop.price.set", json!({ "id": "i_1", "price": 9_000 }), "allow", "PUT"),
        ("shop.price.set", json!({ "id": "i_1", "price": 20_000 }), "needs_approval", "PUT"),
        ("shop.note.add", json!({ "id": "i_1", "text": "hello" }), "allow", "POST"),
        ("shop.item.delete", json!({ "id": "i_1" }), "deny", "DELETE"),
    ];
    for number in 0..200 {
        let (action, input, verdict, method) = &proposals[number % proposals.len()];
        let body = json!({ "action": action, "input": input, "on_behalf_of": "ann", "dry_run": true });
        let (status, shown) = gate.propose_with(body).await;
        assert_eq!(status, 200, "{shown}");
        assert_eq!((&shown["dry_run"], shown.get("id")), (&json!(true), None), "{shown}");
        if *verdict == "deny" {
            assert_eq!(shown.get("call"), None, "{shown}");
        } else {
            assert_eq!(shown["call"]["method"], *method, "{shown}");
            assert_eq!(shown["call"]["credential"], "shop-write", "{shown}");
        }
        assert!(shown["decision"].to_string().contains(verdict), "{verdict}: {shown}");
        assert!(!shown.to_string().contains("secret-"), "{shown}");
    }
    for call in upstream.calls() {
        assert_eq!(call.method, "GET");
        assert_eq!(call.headers["authorization"], "Bearer read-secret-4711-abcdefgh");
    }
    assert_eq!(upstream.calls().len(), 100, "one read for each price");
    assert_eq!(gate.agent_get("/v1/proposals").await.1["proposals"], json!([]));
    let (_, entries) = gate.stop_and_verify();
    assert_eq!(count(&entries, "proposal.previewed"), 200);
    assert_eq!(count(&entries, "proposal.dispatched"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_number_has_one_text_in_what_is_shown_hashed_and_sent_t51() {
    let upstream = Upstream::start().await;
    let record = json!({ "price": 5_000, "currency": "eur" });
    upstream.on("GET /items/i_1", crate::support::Reply::json(200, &record));
    let gate = GateDir::new(&upstream).serve();
    let frank = gate.sign_in("frank").await;
    let mut ids = Vec::new();
    for lexeme in ["20000", "20000.0", "20000.00"] {
        let (status, body) = post(&gate, price(lexeme)).await;
        assert_eq!((status, &body["state"]), (202, &json!("pending")), "{lexeme}: {body}");
        ids.push(body["id"].as_str().unwrap().to_owned());
    }
    assert!(ids.iter().all(|id| *id == ids[0]), "equal requests are one proposal: {ids:?}");
    let (_, shown) = frank.get(&format!("/v1/proposals/{}", ids[0])).await;
    assert_eq!(shown["card"]["input"].to_string(), r#"{"id":"i_1","price":20000}"#);
    assert_eq!(shown["card"]["call"]["body"][1], r#"{"price":20000}"#);
    assert_eq!(frank.approve(&ids[0]).await.0, 200);
    assert_eq!(gate.settled(&ids[0]).await["state"], "succeeded");
    assert_eq!(upstream.writes()[0].body, r#"{"price":20000}"#);
    gate.stop_and_verify();
}
