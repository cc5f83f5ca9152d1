//! OpenAPI documents as manifests: what is imported loads and works, and what is not is listed with its reason.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::support::tools::{self, tools};
use crate::support::{GateDir, Reply, Upstream};

/// A tracker of issues, with everything that a document can have wrong.
fn document(url: &str) -> Value {
    let number = json!({ "name": "number", "in": "path", "required": true, "schema": { "type": "integer", "minimum": 1 } });
    let text = json!({ "type": "string", "maxLength": 80 });
    let mut levels = serde_json::Map::new();
    for level in 0..26 {
        let next = json!({ "$ref": format!("#/components/schemas/level{}", level + 1) });
        levels.insert(
            format!("level{level}"),
            json!({ "type": "object", "required": ["x"], "properties": { "x": next } }),
        );
    }
    levels.insert("level26".to_owned(), json!({ "type": "boolean" }));
    levels.insert(
        "circle".to_owned(),
        json!({ "type": "object", "required": ["x"],
        "properties": { "x": { "$ref": "#/components/schemas/circle" } } }),
    );
    levels.insert(
        "issue".to_owned(),
        json!({ "type": "object", "properties": {
        "id": { "type": "integer", "readOnly": true },
        "title": text, "milestone": { "type": "integer", "nullable": true },
        "assignee": { "anyOf": [{ "type": "string", "maxLength": 20 }, { "type": "integer" }] },
        "parent": { "$ref": "#/components/schemas/circle" },
        "labels": { "type": "object", "additionalProperties": { "type": "boolean" } } } }),
    );
    let body =
        |schema: Value| json!({ "required": true, "content": { "application/json": { "schema": schema } } });
    let issue = || body(json!({ "$ref": "#/components/schemas/issue" }));
    let answer = json!({ "200": { "description": "It.", "content": { "application/json": {} } } });
    json!({
        "openapi": "3.0.3",
        "servers": [{ "url": url }],
        "paths": {
            "/issues/{number}": {
                "parameters": [number],
                "get": { "operationId": "issues/get", "summary": "Get an issue", "tags": ["issues"], "responses": answer },
                "patch": { "operationId": "issues/update", "summary": "Update an issue", "tags": ["issues"],
                           "requestBody": issue() },
                "delete": { "operationId": "issues/delete", "summary": "Delete an issue", "tags": ["issues"] },
            },
            "/issues": {
                "get": { "operationId": "issues/list", "summary": "List issues", "tags": ["issues"], "parameters": [
                    { "name": "in", "in": "query", "schema": { "type": "string", "enum": ["open", "closed"] } },
                    { "name": "labels", "in": "query", "schema": { "type": "array", "items": text } } ] },
                "post": { "operationId": "issues/create", "summary": "Create an issue", "tags": ["issues"],
                          "requestBody": issue() },
            },
            "/issues/again": { "post": { "operationId": "issues/create", "tags": ["bad"] } },
            "/undeclared/{id}": { "get": { "operationId": "bad/undeclared", "tags": ["bad"] } },
            "/circle": { "post": { "operationId": "bad/circle", "tags": ["bad"],
                                   "requestBody": body(json!({ "$ref": "#/components/schemas/circle" })) } },
            "/deep": { "post": { "operationId": "bad/deep", "tags": ["bad"],
                                 "requestBody": body(json!({ "$ref": "#/components/schemas/level0" })) } },
            "/nothing": { "post": { "operationId": "bad/nothing", "tags": ["bad"],
                                    "requestBody": body(json!({ "$ref": "#/components/schemas/none" })) } },
            "/far": { "post": { "operationId": "bad/far", "tags": ["bad"],
                                "requestBody": body(json!({ "$ref": "https://example.com/schema.json" })) } },
            "/file": { "post": { "operationId": "bad/file", "tags": ["bad"],
                                 "requestBody": { "required": true, "content": { "multipart/form-data": {} } } } },
            "/cookie": { "get": { "operationId": "bad/cookie", "tags": ["bad"], "parameters": [
                { "name": "session", "in": "cookie", "required": true, "schema": text } ] } },
            "/odd": { "get": 7, "post": { "operationId": "bad/odd", "tags": ["bad"], "requestBody": "none" } },
        },
        "components": { "schemas": levels },
    })
}

const POLICY: &str = r#"
@id("tracker")
permit (principal in Team::"support", action, resource) when { resource.system == System::"tracker" };
"#;

fn import(dir: &GateDir, more: &[&str]) -> std::process::Output {
    let base = ["actions", "import", "openapi", "document.json", "--system", "tracker", "--env", "support"];
    let owner =
        ["--owner", "tracker-team", "--read-credential", "shop-read", "--write-credential", "shop-write"];
    dir.run(&[&base[..], &owner[..], more].concat())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_imported_operation_works_and_each_that_is_not_has_its_reason() {
    let upstream = Upstream::start().await;
    let dir = GateDir::new(&upstream);
    dir.write("document.json", &document(&upstream.url()).to_string());
    let output = import(&dir, &["--json"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let done: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{said}"));
    let names = ["create", "list", "delete", "get", "update"].map(|name| format!("tracker.issues.{name}"));
    let mut imported: Vec<String> = serde_json::from_value(done["actions"].clone()).unwrap();
    imported.sort();
    let mut names = names.to_vec();
    names.sort();
    assert_eq!(imported, names);
    let refused: Vec<(&str, &str)> = done["refused"]
        .as_array()
        .unwrap()
        .iter()
        .map(|refused| (refused["operation"].as_str().unwrap(), refused["why"].as_str().unwrap()))
        .collect();
    insta::assert_debug_snapshot!("not_imported", refused);
    let manifest = dir.read("actions/tracker.toml");
    insta::assert_snapshot!("manifest", manifest.replace(&upstream.url(), "http://upstream"));

    dir.write("policies/tracker.cedar", POLICY);
    let checked = dir.run(&["check", "."]);
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
    // A second import changes nothing unless it is told to.
    let again = import(&dir, &[]);
    assert!(!again.status.success() && String::from_utf8_lossy(&again.stderr).contains("is there already"));
    assert!(import(&dir, &["--replace"]).status.success());
    assert_eq!(dir.read("actions/tracker.toml"), manifest);

    upstream.on("GET /issues/7", Reply::json(200, &json!({ "title": "Old" })));
    let gate = dir.serve();
    let (status, answer) = gate.propose("tracker.issues.get", json!({ "number": 7 })).await;
    assert_eq!((status, &answer["result"]), (200, &json!({ "title": "Old" })), "{answer}");
    let input = json!({ "number": 7, "title": "New", "milestone": null, "labels": { "bug": true } });
    let (status, answer) = gate.propose("tracker.issues.update", input).await;
    assert_eq!((status, &answer["state"]), (200, &json!("succeeded")), "{answer}");
    let (status, _) = gate.propose("tracker.issues.list", json!({ "in_": "open" })).await;
    assert_eq!(status, 200);
    let calls = upstream.calls();
    let update = calls.iter().find(|call| call.method == "PATCH").unwrap();
    let sent: Value = serde_json::from_str(&update.body).unwrap();
    assert_eq!(
        (update.path.as_str(), sent),
        ("/issues/7", json!({ "title": "New", "milestone": null, "labels": { "bug": true } }))
    );
    assert!(calls.iter().any(|call| call.path == "/issues?in=open"), "{calls:?}");
    gate.stop_with_sound_log();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_cannot_be_walked_writes_nothing_and_says_why() {
    let upstream = Upstream::start().await;
    let dir = GateDir::new(&upstream);
    let with = |change: fn(&mut Value)| {
        let mut document = document("https://api.example.com");
        change(&mut document);
        document.to_string()
    };
    for (text, more, said) in [
        ("{".to_owned(), &[][..], "is not JSON"),
        ("{}".to_owned(), &[], "it is no OpenAPI document: `openapi` is missing"),
        (r#"{"swagger":"2.0"}"#.to_owned(), &[], "Swagger 2.0 is not read"),
        (r#"{"openapi":"4.0.0","paths":{}}"#.to_owned(), &[], "OpenAPI 4.0.0 is not read"),
        (r#"{"openapi":"3.1.0"}"#.to_owned(), &[], "it has no `paths`"),
        (with(|d| d["servers"] = json!([])), &[], "the document names no server"),
        (with(|d| d["servers"][0]["url"] = json!("https://{host}/v1")), &[], "has variables"),
        (with(|d| d["servers"][0]["url"] = json!("/v1")), &[], "is no whole address"),
        (with(|_| ()), &["--tag", "none"], "nothing was imported"),
        (with(|_| ()), &["--tag", "bad", "--path", "/undeclared"], "nothing was imported"),
    ] {
        dir.write("document.json", &text);
        let output = import(&dir, more);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && error.contains(said), "{said}: {error}");
        assert!(!dir.path().join("actions/tracker.toml").exists(), "{said}");
    }
    dir.write("document.json", &with(|d| d["servers"] = json!([])));
    assert!(import(&dir, &["--base-url", "https://api.example.com/", "--method", "get"]).status.success());
    let manifest = dir.read("actions/tracker.toml");
    assert!(
        manifest.contains("base_url = \"https://api.example.com\"") && !manifest.contains("PATCH"),
        "{manifest}"
    );
}

/// A large document of the world: how many of its operations are imported and pass `check`.
async fn whole(file: &str, system: &str, percent: usize) {
    let document: PathBuf = tools().join("documents").join(file);
    if !tools::has(&document) {
        return;
    }
    let upstream = Upstream::start().await;
    let dir = GateDir::new(&upstream);
    let arguments = ["actions", "import", "openapi", document.to_str().unwrap(), "--system", system];
    let output = dir.run(&[&arguments[..], &["--env", "support", "--owner", "its-team", "--json"]].concat());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let done: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{said}"));
    let count = |of: &str| done[of].as_array().unwrap().len();
    let (imported, refused) = (count("actions"), count("refused"));
    assert!(said.contains("of ") && said.contains(" operations"), "it shows no progress: {said}");
    let all = imported + refused;
    assert!(imported * 100 >= all * percent, "{imported} of {all}: {:#}", done["refused"]);
    // Loaded all together, as the gate would.
    let checked = dir.run(&["check", "--json", "."]);
    let checked: Value = serde_json::from_slice(&checked.stdout).unwrap();
    let errors: Vec<&Value> =
        checked["findings"].as_array().unwrap().iter().filter(|f| f["severity"] == "error").collect();
    assert!(errors.is_empty(), "{errors:#?}");
    assert_eq!(checked["actions"], imported + 4, "with those of the shop");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_api_of_github_is_imported() {
    whole("api.github.com.json", "github", 95).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_api_of_stripe_is_imported() {
    whole("stripe.com.json", "stripe", 90).await;
}
