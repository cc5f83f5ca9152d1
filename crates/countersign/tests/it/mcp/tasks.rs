//! What waits, as a task.

use serde_json::{Value, json};

use super::{CURRENT, Client, upstream};
use crate::support::{Gate, GateDir, Reply};

/// A client that follows what waits as a task.
fn with_tasks(gate: &Gate) -> Client<'_> {
    Client { tasks: true, ..Client::new(gate, CURRENT) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_with_tasks_follows_a_proposal_through_a_restart_and_an_approval_t44() {
    let upstream = upstream().await;
    let gate = GateDir::new(&upstream).serve();
    let price = json!({ "name": "shop_price_set", "arguments": { "id": "i_1", "price": 90_000 } });
    let (status, created) = with_tasks(&gate).send(1, "tools/call", price.clone()).await;
    assert_eq!((status, &created["result"]["resultType"]), (200, &json!("task")), "{created}");
    let task = &created["result"];
    assert_eq!(
        (&task["status"], &task["pollIntervalMs"], &task["ttlMs"]),
        (&json!("working"), &json!(1_000), &Value::Null)
    );
    let said = task["statusMessage"].as_str().unwrap();
    assert!(said.starts_with("NOT DONE. Waiting for approval (0 of 1 from finance)."), "{said}");
    assert!(said.contains("Fiona Fay and Frank Field (team:finance) can decide, until 20"), "{said}");
    let id = task["taskId"].as_str().unwrap().to_owned();
    let get = json!({ "taskId": id });
    // Sent again, it is the same task; an update answers nothing; nobody else sees it.
    let (_, again) = with_tasks(&gate).send(2, "tools/call", price.clone()).await;
    assert_eq!(again["result"]["taskId"], id.as_str(), "{again}");
    let update = json!({ "taskId": id, "inputResponses": {} });
    let (status, answer) = with_tasks(&gate).send(3, "tasks/update", update).await;
    assert_eq!((status, &answer["error"]), (200, &Value::Null), "{answer}");
    let other = Client { key: gate.key("other"), ..with_tasks(&gate) };
    for method in ["tasks/get", "tasks/cancel"] {
        let (_, answer) = other.send(4, method, get.clone()).await;
        assert_eq!(answer["error"]["code"], -32602, "{answer}");
    }
    let undeclared = Client::new(&gate, CURRENT).send(5, "tasks/get", get.clone()).await.1;
    assert_eq!(undeclared["error"]["code"], -32021, "{undeclared}");

    let gate = gate.stop().serve();
    let (_, answer) = with_tasks(&gate).send(6, "tasks/get", get.clone()).await;
    assert_eq!(answer["result"]["status"], "working", "{answer}");
    let (status, body) = gate.sign_in("frank").await.approve(&id).await;
    assert_eq!(status, 200, "{body}");
    gate.settled(&id).await;
    let (_, answer) = with_tasks(&gate).send(7, "tasks/get", get.clone()).await;
    let result = &answer["result"];
    assert_eq!(
        (&result["status"], &result["result"]["isError"]),
        (&json!("completed"), &json!(false)),
        "{answer}"
    );
    assert_eq!(result["result"]["structuredContent"], json!({ "ok": true }), "{answer}");
    // What is done stays done.
    let (_, answer) = with_tasks(&gate).send(8, "tasks/cancel", get.clone()).await;
    assert_eq!(answer["error"], Value::Null, "{answer}");
    assert_eq!(with_tasks(&gate).send(9, "tasks/get", get).await.1["result"]["status"], "completed");
    assert_eq!(upstream.writes().len(), 1);
    gate.stop_with_sound_log();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_is_cancelled_rejected_or_still_on_its_way() {
    let upstream = upstream().await;
    let gate = GateDir::new(&upstream).serve();
    let client = with_tasks(&gate);
    let price =
        |price: u64| json!({ "name": "shop_price_set", "arguments": { "id": "i_1", "price": price } });
    let task = async |id: u32, call: Value| {
        let (_, created) = client.send(id, "tools/call", call).await;
        created["result"]["taskId"].as_str().unwrap_or_else(|| panic!("{created}")).to_owned()
    };
    let status =
        async |task: &str| client.send(20, "tasks/get", json!({ "taskId": task })).await.1["result"].clone();

    let withdrawn = task(1, price(90_000)).await;
    client.send(2, "tasks/cancel", json!({ "taskId": withdrawn })).await;
    let now = status(&withdrawn).await;
    assert_eq!(
        (&now["status"], &now["statusMessage"]),
        (&json!("cancelled"), &json!("NOT DONE. It was cancelled."))
    );

    let rejected = task(3, price(80_000)).await;
    let frank = gate.sign_in("frank").await;
    assert_eq!(frank.decide(&rejected, "reject", "Too dear.").await.0, 200);
    let now = status(&rejected).await;
    // Not done, and no fault of the protocol: the tool's own result is the error.
    assert_eq!((&now["status"], &now["result"]["isError"]), (&json!("completed"), &json!(true)), "{now}");
    let text = now["result"]["content"][0]["text"].as_str().unwrap();
    assert!(text.starts_with("NOT DONE. frank rejected it: Too dear."), "{now}");

    // What policy allows is waited for a second, and then it is a task, too.
    let go = std::sync::Arc::new(tokio::sync::Notify::new());
    upstream.on("POST /items/i_1/notes", Reply::Held(std::sync::Arc::clone(&go)));
    let slow =
        task(4, json!({ "name": "shop_note_add", "arguments": { "id": "i_1", "text": "Slow." } })).await;
    let now = status(&slow).await;
    assert_eq!((&now["status"], &now["pollIntervalMs"]), (&json!("working"), &json!(1_000)), "{now}");
    assert!(now["statusMessage"].as_str().unwrap().starts_with("Being sent;"), "{now}");
    go.notify_one();
    gate.settled(&slow).await;
    assert_eq!(status(&slow).await["result"]["isError"], false);
    // Nothing waits: a result at once.
    upstream.on("POST /items/i_1/notes", Reply::json(200, &json!({ "ok": true })));
    let (failed, text, _) = client.call(5, "shop_note_add", json!({ "id": "i_1", "text": "Quick." })).await;
    assert!(!failed, "{text}");
    assert_eq!(upstream.writes().len(), 2);
    gate.stop_with_sound_log();
}
