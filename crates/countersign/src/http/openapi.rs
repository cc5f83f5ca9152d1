//! The OpenAPI document, made from the route table. A golden test keeps it in `docs/reference/openapi.json`.

use countersign_core::refusal::CODES;
use serde_json::{Map, Value, json};

use super::routes::{Audience, ROUTES, Route};

/// The document of both listeners. Paths that exist on both are told apart by their server.
pub(crate) fn document() -> Value {
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Countersign",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Agents propose on one listener, people decide on the other. Errors are RFC 9457 problem details.",
        },
        "x-listeners": { "agents": paths(Audience::Agent), "people": paths(Audience::Person) },
        "paths": paths(Audience::Agent),
        "components": {
            "schemas": schemas(),
            "securitySchemes": {
                "agentKey": { "type": "http", "scheme": "bearer", "bearerFormat": "csk_…" },
                "session": { "type": "http", "scheme": "bearer", "bearerFormat": "css_…" },
            },
        },
    })
}

fn paths(listener: Audience) -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for route in ROUTES.iter().filter(|r| r.is_on(listener)) {
        let slot = paths.entry(route.path.to_owned()).or_insert_with(|| json!({}));
        if let Some(map) = slot.as_object_mut() {
            map.insert(route.method.to_owned(), operation(route));
        }
    }
    Value::Object(paths)
}

fn operation(route: &Route) -> Value {
    let security = match route.audience {
        Audience::Anyone => json!([]),
        Audience::Agent => json!([{ "agentKey": [] }]),
        Audience::Person => json!([{ "session": [] }]),
    };
    let mut parameters = Vec::new();
    if route.path.contains("{id}") {
        parameters.push(json!({ "name": "id", "in": "path", "required": true, "schema": { "type": "string", "pattern": "^prp_[0-9a-z]{26}$" } }));
    }
    for (name, about) in query_of(route.id) {
        parameters.push(json!({ "name": name, "in": "query", "required": false, "description": about, "schema": { "type": "string" } }));
    }
    if route.id == "propose" {
        parameters.push(json!({ "name": "Idempotency-Key", "in": "header", "required": false,
            "description": "Makes the request safe to repeat.", "schema": { "type": "string", "maxLength": 255 } }));
    }
    let mut operation = json!({
        "operationId": route.id,
        "summary": route.summary,
        "security": security,
        "parameters": parameters,
        "responses": responses(route),
    });
    if let (Some(schema), Some(map)) = (body_of(route.id), operation.as_object_mut()) {
        let content = json!({ "required": true, "content": { "application/json": { "schema": { "$ref": format!("#/components/schemas/{schema}") } } } });
        map.insert("requestBody".to_owned(), content);
    }
    operation
}

fn query_of(id: &str) -> &'static [(&'static str, &'static str)] {
    match id {
        "propose" | "read_own" | "read" => &[("wait", "Seconds to wait for a result, at most 60.")],
        "list_own" => &[
            ("state", "State names, separated by commas."),
            ("limit", "How many, at most 200."),
            ("before", "Only older than this proposal."),
        ],
        "list" => &[
            ("state", "State names, separated by commas."),
            ("limit", "How many, at most 200."),
            ("before", "Only older than this proposal."),
            ("agent", "Only of this agent."),
            ("order", "`newest`, or `due` for what waits for people, by deadline and fair by agent."),
            ("from", "With `order=due`: the `next` of the page before."),
        ],
        "actions" => &[("on_behalf_of", "The person the agent acts for.")],
        "entries" => &[("from", "The first index.")],
        _ => &[],
    }
}

fn body_of(id: &str) -> Option<&'static str> {
    match id {
        "propose" => Some("Propose"),
        "approve" | "reject" => Some("Verdict"),
        "confirm" => Some("Confirm"),
        "sign_in" => Some("SignIn"),
        _ => None,
    }
}

fn responses(route: &Route) -> Value {
    let mut responses = Map::new();
    let ok = match route.id {
        "livez" | "checkpoint" | "export" => json!({ "text/plain": { "schema": { "type": "string" } } }),
        "watch_own" => json!({ "text/event-stream": { "schema": { "type": "string" } } }),
        _ => json!({ "application/json": { "schema": { "type": "object" } } }),
    };
    responses.insert("200".to_owned(), json!({ "description": "Done.", "content": ok }));
    if route.id == "propose" {
        let content = json!({ "application/json": { "schema": { "type": "object" } } });
        responses.insert(
            "202".to_owned(),
            json!({ "description": "Not done yet; `Location` says where to ask.", "content": content }),
        );
    }
    let content =
        json!({ "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } });
    responses
        .insert("default".to_owned(), json!({ "description": "A problem; see `code`.", "content": content }));
    Value::Object(responses)
}

fn schemas() -> Value {
    let digest = json!({ "type": "string", "pattern": "^sha256:[0-9a-f]{64}$" });
    let codes: Vec<&str> = CODES.iter().map(|c| c.code).collect();
    json!({
        "Propose": {
            "type": "object",
            "required": ["action"],
            "additionalProperties": false,
            "properties": {
                "action": { "type": "string", "description": "For example `crm.add_note_to_customer`." },
                "input": { "type": "object", "description": "Fits the action's schema." },
                "on_behalf_of": { "type": "string", "description": "The person the agent acts for." },
                "reason": { "type": "string", "maxLength": 2000, "description": "The agent's own words; shown apart from the card." },
                "run": { "type": "string", "maxLength": 255, "description": "An opaque label of the agent's run." },
                "evidence": { "type": "array", "maxItems": 16, "items": {
                    "type": "object", "required": ["title", "body"], "additionalProperties": false,
                    "properties": { "title": { "type": "string" }, "body": {} } } },
                "dry_run": { "type": "boolean", "default": false, "description": "Decide and preview only." },
            },
        },
        "Verdict": {
            "type": "object",
            "required": ["intent", "decision", "view"],
            "additionalProperties": false,
            "properties": {
                "intent": digest, "decision": digest, "view": digest,
                "comment": { "type": "string", "maxLength": 2000 },
            },
        },
        "Confirm": {
            "type": "object", "required": ["intent"], "additionalProperties": false,
            "properties": { "intent": digest },
        },
        "SignIn": {
            "type": "object", "required": ["link"], "additionalProperties": false,
            "properties": { "link": { "type": "string", "description": "The token of a one-time link, `csl_…`." } },
        },
        "Problem": {
            "type": "object",
            "required": ["type", "title", "status", "detail", "code"],
            "properties": {
                "type": { "type": "string" }, "title": { "type": "string" }, "status": { "type": "integer" },
                "detail": { "type": "string" },
                "code": { "type": "string", "examples": codes },
                "errors": { "type": "array", "items": { "type": "object", "properties": {
                    "pointer": { "type": "string" }, "detail": { "type": "string" } } } },
            },
        },
    })
}
