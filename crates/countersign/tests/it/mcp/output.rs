//! What a manifest says of an upstream's answer: listed with the tool, and kept to what comes.

use serde_json::{Value, json};

use super::{BEFORE, CURRENT, Client, upstream};
use crate::support::{GateDir, Reply};

const OUTPUT: &str = r#"
[action."note.add".output]
id    = { type = "string", pattern = "^n_[0-9]{1,9}$", required = true }
lines = { type = "array", items = { type = "object", properties = { text = { type = "string" } } } }
"#;

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_what_the_tools_output_schema_says_or_its_text_says_that_it_was_done() {
    let upstream = upstream().await;
    let dir = GateDir::new(&upstream);
    let actions = dir.read("actions/shop.toml");
    dir.write("actions/shop.toml", &format!("{actions}{OUTPUT}"));
    let gate = dir.serve();
    let listed = gate.agent_get("/v1/actions?on_behalf_of=ann").await.1;
    for revision in [CURRENT, BEFORE] {
        let client = Client::new(&gate, revision);
        let tools = client.tools().await;
        let schema =
            |name: &str| tools.iter().find(|tool| tool["name"] == name).unwrap()["outputSchema"].clone();
        let text = json!({ "type": "object", "properties": { "text": { "type": "string" } } });
        let expect = json!({
            "type": "object", "required": ["id"],
            "properties": {
                "id": { "type": "string", "pattern": "^n_[0-9]{1,9}$" },
                "lines": { "type": "array", "items": text },
            },
        });
        assert_eq!(schema("shop_note_add"), expect);
        assert_eq!(schema("shop_price_set"), Value::Null);
        let of = |name: &str| {
            let mut actions = listed["actions"].as_array().unwrap().iter();
            actions.find(|action| action["name"] == name).unwrap()["output"].clone()
        };
        assert_eq!((of("shop.note.add"), of("shop.price.set")), (expect, Value::Null));
    }

    let client = Client::new(&gate, CURRENT);
    let note = |text: &str| json!({ "id": "i_1", "text": text });
    // An upstream may say more than the manifest names.
    let fits = json!({ "id": "n_7", "lines": [{ "text": "a", "at": 1 }], "more": true });
    upstream.on("POST /items/i_1/notes", Reply::json(200, &fits));
    let (failed, text, result) = client.call(1, "shop_note_add", note("fits")).await;
    assert!(!failed, "{text}");
    assert_eq!(result["structuredContent"], fits);

    for (at, (answer, said)) in [
        (json!({ "lines": [] }), "/id: the field `id` is missing"),
        (json!({ "id": "x" }), "/id: must match `^n_[0-9]{1,9}$`"),
        (json!({ "id": "n_1", "lines": [{ "text": 7 }] }), "/lines/0/text: must be of the type string"),
        (json!(["n_1"]), "the answer: must be of the type object"),
    ]
    .into_iter()
    .enumerate()
    {
        upstream.on("POST /items/i_1/notes", Reply::json(200, &answer));
        let words = format!("odd {at}");
        let (failed, text, result) = client.call(2, "shop_note_add", note(&words)).await;
        assert!(failed && result["structuredContent"].is_null(), "{result}");
        assert!(text.starts_with("DONE, and not to be called again."), "{text}");
        assert!(text.contains(said) && text.ends_with(&answer.to_string()), "{text}");
        assert_eq!(result["_meta"]["countersign.dev/proposal"]["state"], "succeeded");
        // A client that calls again all the same does nothing.
        let (failed, text, _) = client.call(3, "shop_note_add", note(&words)).await;
        assert!(failed && text.starts_with("ALREADY DONE.") && text.contains(said), "{text}");
    }
    assert_eq!(upstream.writes().len(), 5);
    gate.stop_with_sound_log();
}
