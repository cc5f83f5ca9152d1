//! MCP over HTTP, message by message: both revisions, what waits, what is sent twice, and what is no request at all.

mod conformance;
mod cut;
mod guide;
mod output;
mod sdks;
mod tasks;

use serde_json::{Value, json};

use crate::support::gate::http;
use crate::support::{Gate, GateDir, Reply, Upstream};

/// The current revision, without a session, and the one before it.
const CURRENT: &str = "2026-07-28";
const BEFORE: &str = "2025-11-25";

/// A client of one gate with an agent's key.
struct Client<'a> {
    gate: &'a Gate,
    key: String,
    revision: &'static str,
    /// Whether it declares tasks.
    tasks: bool,
}

impl<'a> Client<'a> {
    fn new(gate: &'a Gate, revision: &'static str) -> Self {
        Self { gate, key: gate.key("bot"), revision, tasks: false }
    }

    /// A request with the headers that a client of this revision sends.
    fn post(&self, method: &str, name: &str) -> reqwest::RequestBuilder {
        let request = http()
            .post(format!("{}/mcp", self.gate.agents))
            .bearer_auth(&self.key)
            .header("accept", "application/json, text/event-stream")
            .header("mcp-protocol-version", self.revision)
            .header("countersign-on-behalf-of", "ann");
        if self.revision != CURRENT {
            return request;
        }
        let request = request.header("mcp-method", method);
        if name.is_empty() { request } else { request.header("mcp-name", name) }
    }

    fn message(&self, id: u32, method: &str, mut params: Value) -> Value {
        if self.revision == CURRENT {
            params["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!(CURRENT);
            let tasks = json!({ "extensions": { "io.modelcontextprotocol/tasks": {} } });
            params["_meta"]["io.modelcontextprotocol/clientCapabilities"] =
                if self.tasks { tasks } else { json!({}) };
            params["_meta"]["io.modelcontextprotocol/clientInfo"] = json!({ "name": "test", "version": "1" });
        }
        json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })
    }

    async fn send(&self, id: u32, method: &str, params: Value) -> (u16, Value) {
        let name = params
            .get("name")
            .or(params.get("taskId"))
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned();
        let message = self.message(id, method, params);
        read(with(self.post(method, &name), message.to_string())).await
    }

    async fn tools(&self) -> Vec<Value> {
        let (status, answer) = self.send(1, "tools/list", json!({})).await;
        assert_eq!(status, 200, "{answer}");
        answer["result"]["tools"].as_array().unwrap().clone()
    }

    /// The result of a call: whether it is an error, its texts, and the whole.
    async fn call(&self, id: u32, tool: &str, arguments: Value) -> (bool, String, Value) {
        let (status, answer) =
            self.send(id, "tools/call", json!({ "name": tool, "arguments": arguments })).await;
        assert_eq!(status, 200, "{answer}");
        outcome(&answer)
    }
}

/// With a JSON body.
fn with(request: reqwest::RequestBuilder, body: String) -> reqwest::RequestBuilder {
    request.header("content-type", "application/json").body(body)
}

fn outcome(answer: &Value) -> (bool, String, Value) {
    let result = &answer["result"];
    let texts = result["content"].as_array().unwrap_or_else(|| panic!("{answer}"));
    let texts: Vec<&str> = texts.iter().map(|block| block["text"].as_str().unwrap()).collect();
    (result["isError"].as_bool().unwrap(), texts.join("\n"), result.clone())
}

async fn read(request: reqwest::RequestBuilder) -> (u16, Value) {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

async fn upstream() -> Upstream {
    let upstream = Upstream::start().await;
    let item = json!({ "id": "i_1", "price": 5_000, "currency": "usd" });
    upstream.on("GET /items/i_1", Reply::json(200, &item));
    upstream
}

fn proposal_of(result: &Value) -> String {
    result["_meta"]["countersign.dev/proposal"]["id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_lists_and_calls_its_tools_in_both_revisions() {
    let upstream = upstream().await;
    let dir = GateDir::new(&upstream);
    dir.edit("actions/shop.toml", "title = \"Read an item\"", "title = \"Read an item\"\ntool = \"look_up\"");
    let gate = dir.serve();
    for (at, revision) in [CURRENT, BEFORE].into_iter().enumerate() {
        let client = Client::new(&gate, revision);
        let (method, params) = if revision == CURRENT {
            ("server/discover", json!({}))
        } else {
            let info = json!({ "name": "test", "version": "1" });
            ("initialize", json!({ "protocolVersion": BEFORE, "capabilities": {}, "clientInfo": info }))
        };
        let (status, answer) = client.send(0, method, params).await;
        assert_eq!(status, 200, "{answer}");
        assert!(answer["result"]["capabilities"]["tools"].is_object(), "{answer}");
        assert!(answer["result"]["instructions"].as_str().unwrap().contains("NOT DONE"), "{answer}");

        let tools = client.tools().await;
        let names: Vec<&str> = tools.iter().map(|tool| tool["name"].as_str().unwrap()).collect();
        // No policy could permit a deletion, so there is no tool for it.
        let expect =
            ["look_up", "shop_note_add", "shop_price_set", "gate_status", "gate_cancel", "gate_preview"];
        assert_eq!(names, expect);
        let price = &tools[2];
        assert_eq!(
            (&price["title"], &price["description"]),
            (&json!("Set a price"), &json!("Change what an item costs."))
        );
        assert_eq!(price["inputSchema"]["properties"]["price"]["maximum"], 1_000_000);
        let hints = json!({ "title": "Set a price", "readOnlyHint": false, "destructiveHint": false,
                            "idempotentHint": true, "openWorldHint": false });
        assert_eq!(price["annotations"], hints);
        assert_eq!(tools[0]["annotations"]["readOnlyHint"], true);

        let (failed, text, result) = client.call(2, "look_up", json!({ "id": "i_1" })).await;
        assert!(!failed, "{text}");
        assert_eq!(result["structuredContent"]["price"], 5_000, "{result}");
        let (failed, text, _) =
            client.call(3, "shop_note_add", json!({ "id": "i_1", "text": revision })).await;
        assert!(!failed && text == r#"{"ok":true}"#, "{text}");
        assert_eq!(upstream.writes().len(), at + 1);
    }
    gate.stop_with_sound_log();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_people_is_an_error_that_names_them_and_the_gates_own_tools_follow_it() {
    let upstream = upstream().await;
    let gate = GateDir::new(&upstream).serve();
    let client = Client::new(&gate, CURRENT);
    let input = json!({ "id": "i_1", "price": 90_000 });

    let would = json!({ "tool": "shop_price_set", "arguments": input });
    let (failed, text, _) = client.call(1, "gate_preview", would).await;
    assert!(!failed && text.starts_with("NOT DONE. A dry run"), "{text}");
    assert!(text.contains("Prices over 100 need finance. (price-over-100)"), "{text}");

    let (failed, text, result) = client.call(2, "shop_price_set", input.clone()).await;
    assert!(failed && text.starts_with("NOT DONE. Waiting for approval (0 of 1 from finance)."), "{text}");
    let id = proposal_of(&result);
    for part in [
        "Do not propose this again; call `gate_status` with",
        &id,
        "Who can decide: Fiona Fay and Frank Field (team:finance), under the rule finance",
        "Why people are asked: Prices over 100 need finance. (price-over-100)",
        "Until: 20",
        &format!("{}/proposals/{id}", gate.people),
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    assert!(result["structuredContent"].is_null() && !text.contains("/v1/"), "{result}");

    let status = json!({ "proposal": id });
    let (failed, text, _) = client.call(3, "gate_status", status.clone()).await;
    assert!(!failed && text.starts_with("NOT DONE. Waiting for approval"), "{text}");
    let waiting = json!({ "proposal": id, "wait_seconds": 30 });
    let (waited, approved) = tokio::join!(client.call(4, "gate_status", waiting), async {
        gate.sign_in("frank").await.approve(&id).await
    });
    assert_eq!(approved.0, 200, "{}", approved.1);
    assert!(waited.1.starts_with("Done.") && waited.1.contains(r#"{"ok":true}"#), "{}", waited.1);
    assert_eq!(upstream.writes().len(), 1);

    // Another one is withdrawn; what is done is not.
    let (_, _, result) = client.call(5, "shop_price_set", json!({ "id": "i_1", "price": 80_000 })).await;
    let second = json!({ "proposal": proposal_of(&result) });
    let (failed, text, _) = client.call(6, "gate_cancel", second).await;
    assert!(!failed && text.starts_with("NOT DONE. It was cancelled."), "{text}");
    let (failed, text, _) = client.call(7, "gate_cancel", status).await;
    assert!(failed, "{text}");
    assert_eq!(upstream.writes().len(), 1);
    gate.stop_with_sound_log();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_sent_again_is_not_done_again_t95() {
    let upstream = upstream().await;
    let gate = GateDir::new(&upstream).serve();
    let (client, other) =
        (Client::new(&gate, CURRENT), Client { key: gate.key("other"), ..Client::new(&gate, CURRENT) });
    let note = json!({ "id": "i_1", "text": "Called back." });
    let (failed, text, first) = client.call(1, "shop_note_add", note.clone()).await;
    assert!(!failed, "{text}");
    // A new request id, and the same call: what a client does whose stream broke.
    for id in [2, 3] {
        let (failed, text, again) = client.call(id, "shop_note_add", note.clone()).await;
        assert!(!failed && text.starts_with("ALREADY DONE. The same call was made before as prp_"), "{text}");
        assert!(text.ends_with(r#"{"ok":true}"#), "{text}");
        assert_eq!(proposal_of(&again), proposal_of(&first));
    }
    assert_eq!(upstream.writes().len(), 1);
    // At once, from many streams.
    let storm = json!({ "id": "i_1", "text": "Storm." });
    let calls = (10..30).map(|id| client.call(id, "shop_note_add", storm.clone()));
    let answers = futures_util::future::join_all(calls).await;
    let ids: std::collections::BTreeSet<String> =
        answers.iter().map(|(_, _, result)| proposal_of(result)).collect();
    assert_eq!((ids.len(), upstream.writes().len()), (1, 2), "{answers:?}");
    // Another input, another agent, and another key are other calls.
    client.call(4, "shop_note_add", json!({ "id": "i_1", "text": "Called again." })).await;
    other.call(5, "shop_note_add", note.clone()).await;
    let keyed = json!({ "name": "shop_note_add", "arguments": note,
                        "_meta": { "countersign.dev/idempotency-key": "k-1" } });
    for id in [6, 7] {
        let (_, text, _) = outcome(&client.send(id, "tools/call", keyed.clone()).await.1);
        assert_eq!(text.starts_with("ALREADY DONE."), id == 7, "{text}");
    }
    assert_eq!(upstream.writes().len(), 5);
    // A key stands for one request.
    let mut reused = keyed;
    reused["arguments"]["text"] = json!("Something else.");
    let (failed, text, _) = outcome(&client.send(8, "tools/call", reused).await.1);
    assert!(failed && text.starts_with("This idempotency key was used for a different request."), "{text}");
    // What only reads is read again.
    for id in [31, 32] {
        client.call(id, "shop_item_read", json!({ "id": "i_1" })).await;
    }
    let reads = upstream.calls().into_iter().filter(|call| call.method == "GET").count();
    assert_eq!((reads, upstream.writes().len()), (2, 5));
    gate.stop_with_sound_log();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_done_can_be_asked_again_and_what_a_person_rejected_is_not() {
    let upstream = upstream().await;
    let gate = GateDir::new(&upstream).serve();
    let client = Client::new(&gate, CURRENT);
    let note = json!({ "id": "i_1", "text": "Called back." });
    upstream.on("POST /items/i_1/notes", Reply::json(422, &json!({ "error": "not now" })));
    let (failed, text, first) = client.call(1, "shop_note_add", note.clone()).await;
    assert!(failed && text.starts_with("NOT DONE"), "{text}");
    assert!(text.contains(r#"The upstream's answer: {"error":"not now"}"#), "{text}");
    upstream.on("POST /items/i_1/notes", Reply::json(200, &json!({ "ok": true })));
    let (failed, text, second) = client.call(2, "shop_note_add", note).await;
    assert!(!failed && !text.contains("ALREADY"), "{text}");
    assert_ne!(proposal_of(&first), proposal_of(&second));

    let price = json!({ "id": "i_1", "price": 90_000 });
    let (_, _, waits) = client.call(3, "shop_price_set", price.clone()).await;
    let id = proposal_of(&waits);
    let (_, _, joined) = client.call(4, "shop_price_set", price.clone()).await;
    assert_eq!(proposal_of(&joined), id);
    let frank = gate.sign_in("frank").await;
    let (status, body) = frank.decide(&id, "reject", "Too dear.").await;
    assert_eq!(status, 200, "{body}");
    // Nobody is asked a second time by a client that only repeats itself.
    let (failed, text, again) = client.call(5, "shop_price_set", price).await;
    assert!(failed && text.starts_with("NOT DONE. frank rejected it: Too dear."), "{text}");
    assert_eq!(proposal_of(&again), id);
    gate.stop_with_sound_log();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_listed_cannot_be_called_and_leaves_an_entry_r18() {
    let upstream = upstream().await;
    let gate = GateDir::new(&upstream).serve();
    let client = Client::new(&gate, CURRENT);
    for (tool, arguments, said) in [
        ("shop_item_delete", json!({ "id": "i_1" }), "NOT DONE. Items are never deleted by an agent."),
        (
            "shop_item_steal",
            json!({ "id": "i_1" }),
            "NOT DONE: no action named `shop_item_steal` is registered",
        ),
        ("gate_approve", json!({}), "NOT DONE: no action named `gate_approve` is registered"),
        ("shop_note_add", json!({ "id": "i_1", "txt": "x" }), "NOT DONE: "),
        ("gate_status", json!({ "proposal": "prp_x" }), ""),
        ("gate_status", json!({ "proposal": 7 }), "Invalid type: integer `7`, expected a string"),
        ("gate_cancel", json!({ "proposal": "prp_x", "force": true }), "Unknown field `force`"),
    ] {
        let (failed, text, _) = client.call(1, tool, arguments).await;
        assert!(failed && text.starts_with(said), "{tool}: {text}");
    }
    // An action's name is no tool's.
    let params = json!({ "name": "shop.note.add", "arguments": { "id": "i_1", "text": "x" } });
    let (_, answer) = client.send(9, "tools/call", params).await;
    assert_eq!(
        answer["error"]["message"], "`shop.note.add` is an action; its tool is `shop_note_add`",
        "{answer}"
    );
    // Another agent's proposal is none of its business.
    let (_, _, waits) = client.call(2, "shop_price_set", json!({ "id": "i_1", "price": 90_000 })).await;
    let other = Client { key: gate.key("other"), ..Client::new(&gate, CURRENT) };
    for tool in ["gate_status", "gate_cancel"] {
        let (failed, text, _) = other.call(3, tool, json!({ "proposal": proposal_of(&waits) })).await;
        assert!(failed && text.starts_with("No proposal"), "{text}");
    }
    assert!(upstream.writes().is_empty());
    let entries = gate.sign_in("olga").await.get("/v1/log/entries?limit=100").await.1;
    let entries = entries["entries"].to_string();
    for name in ["shop.item.delete", "shop_item_steal", "gate_approve"] {
        assert!(entries.contains(name), "{name} left no entry: {entries}");
    }
    gate.stop_with_sound_log();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_request_does_nothing_t63() {
    let upstream = upstream().await;
    let gate = GateDir::new(&upstream).serve();
    let client = Client::new(&gate, CURRENT);
    let note = || json!({ "name": "shop_note_add", "arguments": { "id": "i_1", "text": "x" } });
    let good = || client.message(1, "tools/call", note());
    let post = || client.post("tools/call", "shop_note_add");
    let twice = good().to_string().replace("\"text\":\"x\"", "\"text\":\"x\",\"text\":\"y\"");
    let folded = good().to_string().replace("\"text\":\"x\"", "\"text\":\"x\",\"Text\":\"y\"");
    let mut nameless = good();
    nameless.as_object_mut().unwrap().remove("id");
    let mut null = good();
    null["id"] = Value::Null;
    let mut other_version = good();
    other_version["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!("2031-01-01");
    let mut listed = good();
    listed["params"]["arguments"] = json!(["i_1", "x"]);
    let large = good().to_string().replace("\"x\"", &format!("\"{}\"", "x".repeat(1 << 20)));
    let table = [
        ("a batch", with(post(), format!("[{0},{0}]", good())), 400),
        ("a repeated key", with(post(), twice), 400),
        ("keys that differ by case", with(post(), folded), 400),
        ("no JSON", with(post(), "{".to_owned()), 400),
        ("too large", with(post(), large), 413),
        ("another content type", post().header("content-type", "text/plain").body(good().to_string()), 415),
        ("arguments that are no object", with(post(), listed.to_string()), 400),
        (
            "another tool in the header",
            with(client.post("tools/call", "shop_item_read"), good().to_string()),
            400,
        ),
        ("another method in the header", with(client.post("tools/list", ""), good().to_string()), 400),
        ("an unknown revision", with(post(), other_version.to_string()), 400),
        ("a null id", with(post(), null.to_string()), 400),
        ("another site", with(post().header("origin", "https://evil.test"), good().to_string()), 403),
        ("another host", with(post().header("host", "evil.test"), good().to_string()), 421),
        (
            "a repeated person",
            with(post().header("countersign-on-behalf-of", "frank"), good().to_string()),
            200,
        ),
    ];
    for (what, request, expect) in table {
        let (status, answer) = read(request).await;
        assert_eq!(status, expect, "{what}: {answer}");
        // No result is one of a call.
        assert!(answer["result"].is_null(), "{what}: {answer}");
    }
    // A notification asks for nothing and has no answer.
    let (status, answer) = read(with(post(), nameless.to_string())).await;
    assert!(status == 202 || status == 400, "{status}: {answer}");
    let url = format!("{}/mcp", gate.agents);
    for (what, request, expect) in [
        ("no key", with(http().post(&url), good().to_string()), 401),
        ("a wrong key", with(http().post(&url).bearer_auth("csk_wrong"), good().to_string()), 401),
        ("GET", http().get(&url).bearer_auth(&client.key), 405),
        ("DELETE", http().delete(&url).bearer_auth(&client.key), 405),
        ("no Accept", with(http().post(&url).bearer_auth(&client.key), good().to_string()), 406),
    ] {
        assert_eq!(read(request).await.0, expect, "{what}");
    }
    // The people's listener has no such endpoint.
    let people =
        with(http().post(format!("{}/mcp", gate.people)).bearer_auth(&client.key), good().to_string());
    assert_eq!(read(people).await.0, 404);
    assert!(upstream.calls().is_empty());
    gate.stop_with_sound_log();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_question_says_nothing_of_what_was_done() {
    let upstream = upstream().await;
    let dir = GateDir::new(&upstream);
    let config = dir.read("countersign.toml");
    dir.write("countersign.toml", &format!("{config}[limits]\nreads = {{ per_second = 1, burst = 1 }}\n"));
    let gate = dir.serve();
    let client = Client::new(&gate, CURRENT);
    let (_, _, done) = client.call(1, "shop_note_add", json!({ "id": "i_1", "text": "Called back." })).await;
    let status = json!({ "proposal": proposal_of(&done) });
    let mut refused = Vec::new();
    for id in 2..6 {
        let (failed, text, _) = client.call(id, "gate_status", status.clone()).await;
        assert!(text.starts_with("Done.") || failed, "{text}");
        refused.extend(failed.then_some(text));
    }
    assert!(!refused.is_empty());
    // It was done: an answer about the limit must not be read as one about the proposal.
    for text in refused {
        assert!(!text.contains("NOT DONE") && !text.contains("the same call"), "{text}");
    }
    // The limit is no fault of the parameters, and an id of nothing is.
    let task = json!({ "taskId": proposal_of(&done) });
    let tasks = Client { tasks: true, ..Client::new(&gate, CURRENT) };
    let mut codes = std::collections::BTreeSet::new();
    for id in 6..10 {
        let (_, answer) = tasks.send(id, "tasks/get", task.clone()).await;
        codes.extend(answer["error"]["code"].as_i64());
    }
    assert_eq!(codes, [-32603].into(), "a limit");
    let (_, answer) = tasks.send(10, "tasks/cancel", json!({ "taskId": "prp_x" })).await;
    assert_eq!(answer["error"]["code"], -32602, "{answer}");
    gate.stop_with_sound_log();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agents_reason_reaches_the_card_and_a_wait_is_bounded() {
    let upstream = upstream().await;
    let gate = GateDir::new(&upstream).serve();
    let client = Client::new(&gate, CURRENT);
    let call = json!({ "name": "shop_price_set", "arguments": { "id": "i_1", "price": 90_000 },
                       "_meta": { "countersign.dev/reason": "The supplier asked." } });
    let (_, _, waits) = outcome(&client.send(1, "tools/call", call.clone()).await.1);
    let shown = gate.sign_in("frank").await.get(&format!("/v1/proposals/{}", proposal_of(&waits))).await.1;
    assert_eq!(shown["written_by_the_agent"]["reason"], "The supplier asked.", "{shown}");
    let mut odd = call;
    odd["_meta"]["countersign.dev/reason"] = json!(7);
    assert_eq!(client.send(2, "tools/call", odd).await.1["error"]["code"], -32602);
    // What the schema says is the most.
    let long = json!({ "proposal": proposal_of(&waits), "wait_seconds": 51 });
    let (failed, text, _) = client.call(3, "gate_status", long).await;
    assert!(failed && text.contains("/wait_seconds: at most 50"), "{text}");
    gate.stop_with_sound_log();
}
