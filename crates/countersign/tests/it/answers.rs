//! What agents are told: always what happened, what to do next and where, and how long they may wait.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::gate::{http, send};
use crate::support::{Gate, GateDir, Reply, Upstream};

async fn gate() -> (Upstream, Gate) {
    let upstream = Upstream::start().await;
    let item = json!({ "id": "i_1", "price": 5_000, "currency": "usd" });
    upstream.on("GET /items/i_1", Reply::json(200, &item));
    let gate = GateDir::new(&upstream).serve();
    (upstream, gate)
}

fn price() -> Value {
    json!({ "action": "shop.price.set", "input": { "id": "i_1", "price": 90_000 }, "on_behalf_of": "ann" })
}

/// The answer to a proposal with this `Prefer`, and what was applied of it.
async fn preferring(gate: &Gate, prefer: &str, body: &Value) -> (u16, Value, Option<String>) {
    let request = http()
        .post(format!("{}/v1/proposals", gate.agents))
        .bearer_auth(gate.key("bot"))
        .header("content-type", "application/json")
        .header("idempotency-key", "one")
        .header("prefer", prefer)
        .body(body.to_string());
    let answer =
        tokio::time::timeout(Duration::from_secs(20), request.send()).await.expect("no answer").unwrap();
    let applied = answer.headers().get("preference-applied").map(|v| v.to_str().unwrap().to_owned());
    (answer.status().as_u16(), serde_json::from_str(&answer.text().await.unwrap()).unwrap(), applied)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_says_what_happened_and_what_to_do_next() {
    let (_upstream, gate) = gate().await;
    let of = |action: &str, input: Value| json!({ "action": action, "input": input, "on_behalf_of": "ann" });
    let note = json!({ "id": "i_1", "text": "x" });
    let table = [
        (of("shop.note.add", note.clone()), 200, "stop", "Done."),
        (price(), 202, "wait", "NOT DONE. Waiting for approval (0 of 1 from finance)."),
        (of("shop.item.delete", json!({ "id": "i_1" })), 403, "stop", "NOT DONE. "),
        (of("shop.note.add", json!({ "id": "i_1" })), 422, "change_input", "NOT DONE: "),
        (of("shop.nothing", json!({})), 404, "change_input", "NOT DONE: "),
        (
            json!({ "action": "shop.note.add", "input": note, "on_behalf_of": "olga" }),
            403,
            "stop",
            "NOT DONE: ",
        ),
    ];
    for (body, status, next, message) in table {
        let (answered, answer) = gate.propose_with(body.clone()).await;
        assert_eq!((answered, &answer["next"]), (status, &json!(next)), "{body}: {answer}");
        assert!(answer["message"].as_str().unwrap().starts_with(message), "{body}: {answer}");
        // What was recorded says where to ask for it, and where people see it.
        let proposal = if answer["proposal"].is_object() { &answer["proposal"] } else { &answer };
        if let Some(id) = proposal["id"].as_str() {
            assert_eq!(proposal["url"], format!("/v1/proposals/{id}"));
            let page = proposal["console_url"].as_str().unwrap();
            assert!(page.ends_with(&format!("/proposals/{id}")) && page.starts_with("http"), "{page}");
            let (status, again) = gate.agent_get(proposal["url"].as_str().unwrap()).await;
            assert_eq!((status, &again["state"]), (200, &proposal["state"]), "{again}");
        }
    }
    // Nobody can say of another's proposal that it was not done.
    let (status, answer) = gate.agent_get("/v1/proposals/prp_01kawkbx1re0003g40r40m30e2").await;
    assert_eq!((status, &answer["next"]), (404, &json!("stop")), "{answer}");
    assert!(!answer["message"].as_str().unwrap().contains("NOT DONE"), "{answer}");
    // Nor of one that was proposed before: by its key, or by asking how it stands.
    let done =
        preferring(&gate, "wait=5", &of("shop.note.add", json!({ "id": "i_1", "text": "once" }))).await;
    assert_eq!((done.0, &done.1["state"]), (200, &json!("succeeded")), "{}", done.1);
    let url = format!("{}{}", gate.agents, done.1["url"].as_str().unwrap());
    let stranger = http().get(url).bearer_auth("csk_wrong");
    let again = http().post(format!("{}/v1/proposals", gate.agents)).bearer_auth("csk_wrong");
    let again = again.header("idempotency-key", "one").header("content-type", "application/json").body("{}");
    for request in [stranger, again] {
        let (status, answer) = send(request).await;
        assert_eq!(status, 401, "{answer}");
        assert!(!answer["message"].as_str().unwrap().contains("NOT DONE"), "{answer}");
    }
    let fresh = http().post(format!("{}/v1/proposals", gate.agents)).bearer_auth("csk_wrong").body("{}");
    let (_, answer) = send(fresh).await;
    assert!(answer["message"].as_str().unwrap().starts_with("NOT DONE: "), "{answer}");
    // A waiting proposal names who can decide.
    let (_, pending) = gate.propose_with(price()).await;
    let people = pending["needs"][0]["people"].as_str().unwrap();
    assert!(people.contains("Frank Field") && people.contains("(team:finance)"), "{pending}");
    gate.stop_with_sound_log();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_waits_for_the_call_and_only_on_request_for_people() {
    let (_upstream, gate) = gate().await;
    // People are not waited for: the answer does not take the 60 seconds.
    let (status, pending, applied) = preferring(&gate, "wait=60", &price()).await;
    assert_eq!((status, &pending["state"]), (202, &json!("pending")), "{pending}");
    assert_eq!(applied.as_deref(), Some("wait=60"));
    // People are waited for.
    let id = pending["id"].as_str().unwrap();
    let frank = gate.sign_in("frank").await;
    let body = price();
    let waiting = preferring(&gate, "wait=60, wait-for-people", &body);
    let deciding = async {
        // The key says that it is the same proposal, whether it is approved before or while the agent waits.
        assert_eq!(frank.approve(id).await.0, 200);
    };
    let ((status, done, applied), ()) = tokio::join!(waiting, deciding);
    assert_eq!((status, &done["state"]), (200, &json!("succeeded")), "{done}");
    assert_eq!(applied.as_deref(), Some("wait=60, wait-for-people"));
    // What cannot be read is refused, and nothing is proposed.
    let (status, answer, applied) = preferring(&gate, "wait=soon", &price()).await;
    assert_eq!((status, applied), (400, None), "{answer}");
    let url = format!("{}/v1/proposals?wait=5", gate.agents);
    let both = http().post(url).bearer_auth(gate.key("bot")).header("prefer", "wait=5");
    let (status, answer) =
        send(both.header("content-type", "application/json").body(price().to_string())).await;
    assert_eq!(status, 400, "{answer}");
    gate.stop_with_sound_log();
}
