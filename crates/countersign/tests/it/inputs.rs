//! Inputs that real tools have: null, any fields, several forms, references, a schema in a file of its own.

use serde_json::{Value, json};

use crate::support::{GateDir, Reply, Upstream};

/// Takes the whole input as its body.
const ACTION: &str = r#"
[action."issue.update"]
title = "Update an issue"
description = "Changes an issue."
groups = ["write"]
schema = "issue.json"
[action."issue.update".resource]
type = "Issue"
id = "${string(input.number)}"
[action."issue.update".preview]
effects = ["Changes issue ${input.number}."]
[action."issue.update".request]
method = "POST"
path = "/issues/${input.number}"
encoding = "json"
body = { title = "${input.title}", milestone = "${input.milestone}", labels = "${input.labels}", to = "${input.to}", state = "${input.state}" }
"#;

const SCHEMA: &str = r##"{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "required": ["number"],
  "properties": {
    "number": { "type": "integer", "minimum": 1 },
    "title": { "type": "string", "maxLength": 80 },
    "state": { "type": "string", "enum": ["open", "closed"], "default": "open" },
    "milestone": { "type": ["integer", "null"] },
    "labels": { "type": "object", "additionalProperties": { "type": "boolean" }, "maxProperties": 5 },
    "to": { "oneOf": [{ "$ref": "#/$defs/user" }, { "$ref": "#/$defs/team" }] }
  },
  "$defs": {
    "name": { "type": "string", "pattern": "^[a-z]{1,20}$" },
    "user": { "type": "object", "required": ["user"], "properties": { "user": { "$ref": "#/$defs/name" } } },
    "team": { "type": "object", "required": ["team"], "properties": { "team": { "$ref": "#/$defs/name" } } }
  }
}"##;

const POLICY: &str = r#"
@id("milestones")
@approval("finance")
@reason("Milestones over 10 need finance.")
forbid (principal, action == Action::"shop.issue.update", resource)
when { context.input has milestone && context.input.milestone > 10 };
"#;

#[tokio::test(flavor = "multi_thread")]
async fn null_any_fields_and_several_forms_are_decided_and_sent_as_the_schema_in_the_file_says() {
    let upstream = Upstream::start().await;
    upstream.on("POST /issues/7", Reply::json(200, &json!({ "ok": true })));
    let dir = GateDir::new(&upstream);
    dir.write("actions/shop.toml", &(dir.read("actions/shop.toml") + ACTION));
    dir.write("actions/issue.json", SCHEMA);
    dir.write("policies/shop.cedar", &(dir.read("policies/shop.cedar") + POLICY));
    // Whoever reviews the directory learns what policies do not see.
    let checked = dir.run(&["check", "."]);
    let said = String::from_utf8(checked.stdout).unwrap() + &String::from_utf8(checked.stderr).unwrap();
    for field in ["labels", "to"] {
        let place = format!("`issue.json` at /properties/{field}: policies do not see");
        assert!(said.contains(&place), "{place}: {said}");
    }
    let gate = dir.serve();
    let mut sent = 0;
    for (input, body) in [
        // Null for an optional field is absent, and its default applies; where null is a value, it is sent.
        (json!({ "number": 7, "title": null, "state": null }), json!({ "state": "open" })),
        (json!({ "number": 7, "milestone": null }), json!({ "state": "open", "milestone": null })),
        (
            json!({ "number": 7, "labels": { "bug": true }, "to": { "team": "ops" } }),
            json!({ "state": "open", "labels": { "bug": true }, "to": { "team": "ops" } }),
        ),
    ] {
        let (status, answer) = gate.propose("shop.issue.update", input).await;
        assert_eq!((status, &answer["state"]), (200, &json!("succeeded")), "{answer}");
        let writes = upstream.writes();
        sent += 1;
        assert_eq!(writes.len(), sent);
        assert_eq!(serde_json::from_str::<Value>(&writes[sent - 1].body).unwrap(), body);
    }
    // Null is absent to a policy, and a value is not.
    let (status, answer) = gate.propose("shop.issue.update", json!({ "number": 7, "milestone": 11 })).await;
    assert_eq!((status, &answer["state"]), (202, &json!("pending")), "{answer}");
    for (input, pointer, detail) in [
        (json!({ "number": null }), "/number", "must be of the type integer"),
        (json!({ "number": 7, "milestone": "x" }), "/milestone", "must be of the type integer or null"),
        (json!({ "number": 7, "labels": { "bug": null } }), "/labels/bug", "must be of the type boolean"),
        (json!({ "number": 7, "to": { "user": "a", "team": "b" } }), "/to", "fits none of the 2 forms"),
        (json!({ "number": 7, "to": {} }), "/to", "fits none of the 2 forms"),
    ] {
        let (status, answer) = gate.propose("shop.issue.update", input).await;
        assert_eq!(status, 422, "{answer}");
        let error = &answer["errors"][0];
        assert_eq!(error["pointer"], pointer, "{answer}");
        assert!(error["detail"].as_str().unwrap().starts_with(detail), "{answer}");
    }
    assert_eq!(upstream.writes().len(), sent);
    // The file is read again with the directory.
    gate.dir.write("actions/issue.json", &SCHEMA.replace("\"maxLength\": 80", "\"maxLength\": 3"));
    gate.reload().await;
    let (status, answer) = gate.propose("shop.issue.update", json!({ "number": 7, "title": "Long" })).await;
    assert_eq!((status, &answer["errors"][0]["pointer"]), (422, &json!("/title")), "{answer}");
    gate.stop_with_sound_log();
}
