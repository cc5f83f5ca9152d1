//! A person with a session, over HTTP as the command line and the browser use it.

use serde_json::{Value, json};

use super::Gate;
use super::gate::{http, send};

/// A signed-in person.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    people: String,
    pub(crate) session: String,
}

impl Person {
    /// The holder of a session on the people's listener.
    pub(crate) fn new(people: &str, session: &str) -> Self {
        Self { people: people.to_owned(), session: session.to_owned() }
    }

    /// `GET` on the people's listener.
    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        send(http().get(format!("{}{path}", self.people)).bearer_auth(&self.session)).await
    }

    /// A page of the console, as this person's browser asks for it.
    pub(crate) async fn page(&self, path: &str) -> (u16, String) {
        let cookie = format!("__Host-countersign={}", self.session);
        let response = http().get(format!("{}{path}", self.people)).header("cookie", cookie).send().await;
        let response = response.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    /// `POST` on the people's listener.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let request = http().post(format!("{}{path}", self.people)).bearer_auth(&self.session);
        send(request.header("content-type", "application/json").body(body.to_string())).await
    }

    /// What a verdict on this proposal must carry, as it is shown now.
    pub(crate) async fn look(&self, id: &str) -> Value {
        let (status, shown) = self.get(&format!("/v1/proposals/{id}")).await;
        assert_eq!(status, 200, "{shown}");
        json!({ "intent": shown["card"]["intent"], "decision": shown["card"]["decision"], "view": shown["view"] })
    }

    /// Waits until every entry of every proposal is a leaf of the log.
    pub(crate) async fn integrated(&self, gate: &Gate) {
        loop {
            let (_, page) = self.get("/v1/proposals?limit=1").await;
            let Some(id) = page["proposals"][0]["id"].as_str().map(ToOwned::to_owned) else { return };
            let (_, history) = self.get(&format!("/v1/proposals/{id}/history")).await;
            if history["entries"].as_array().unwrap().iter().all(|e| e["index"].is_u64()) {
                return;
            }
            // The gate integrates at every tick; a round trip is a pause of its own.
            let _ = gate.agent_get("/v1/proposals?limit=1").await;
        }
    }

    /// Looks and approves.
    pub(crate) async fn approve(&self, id: &str) -> (u16, Value) {
        self.decide(id, "approve", "").await
    }

    /// Looks, and approves or rejects with these words.
    pub(crate) async fn decide(&self, id: &str, verb: &str, comment: &str) -> (u16, Value) {
        let mut body = self.look(id).await;
        body["comment"] = json!(comment);
        self.post(&format!("/v1/proposals/{id}/{verb}"), &body).await
    }
}
