//! Access tokens beside agents' keys: the gate as a resource server of OAuth 2.1.

mod bad;
mod lasting;
mod real;
mod said;

use serde_json::{Value, json};

use crate::support::gate::{http, send};
use crate::support::issuer::Issuer;
use crate::support::{Gate, GateDir, Reply, Upstream};

/// An upstream, an issuer, and a gate that takes its tokens.
struct Scene {
    upstream: Upstream,
    issuer: Issuer,
    gate: Gate,
}

impl Scene {
    async fn start() -> Self {
        Self::with_settings("").await
    }

    /// With further settings of the issuer's table.
    async fn with_settings(settings: &str) -> Self {
        let (upstream, issuer) = (Upstream::start().await, Issuer::start().await);
        upstream.on("GET /items/i_1", item());
        let gate = GateDir::new(&upstream).trusting(&issuer.url(), settings).serve();
        Self { upstream, issuer, gate }
    }

    /// A note that policy allows, proposed for Ann with this bearer token.
    async fn note(&self, bearer: &str) -> (u16, Value) {
        propose(&self.gate, bearer, &note()).await
    }

    /// `GET` on the agents' listener with this bearer token.
    async fn get(&self, bearer: &str, path: &str) -> (u16, Value) {
        send(http().get(format!("{}{path}", self.gate.agents)).bearer_auth(bearer)).await
    }

    /// The id of a price that waits for people, proposed with this bearer token.
    async fn pending(&self, bearer: &str) -> String {
        let body = json!({ "action": "shop.price.set", "input": { "id": "i_1", "price": 20_000 },
            "on_behalf_of": "ann" });
        let (status, answer) = propose(&self.gate, bearer, &body).await;
        assert_eq!(status, 202, "{answer}");
        answer["id"].as_str().unwrap().to_owned()
    }
}

fn note() -> Value {
    json!({ "action": "shop.note.add", "input": { "id": "i_1", "text": "hello" }, "on_behalf_of": "ann" })
}

fn item() -> Reply {
    Reply::json(200, &json!({ "id": "i_1", "price": 5_000, "currency": "usd" }))
}

async fn propose(gate: &Gate, bearer: &str, body: &Value) -> (u16, Value) {
    let request = http().post(format!("{}/v1/proposals", gate.agents)).bearer_auth(bearer);
    send(request.header("content-type", "application/json").body(body.to_string())).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_as_good_as_a_key_and_people_see_which_it_was() {
    let scene = Scene::start().await;
    let token = scene.issuer.token();
    let (status, done) = scene.note(&token).await;
    assert_eq!((status, &done["state"]), (200, &json!("succeeded")), "{done}");
    assert_eq!(scene.upstream.writes().len(), 1);
    let id = scene.pending(&token).await;
    let frank = scene.gate.sign_in("frank").await;
    let (_, shown) = frank.get(&format!("/v1/proposals/{id}")).await;
    let agent = &shown["card"]["who"][1];
    assert_eq!((&agent["id"], &agent["proof"]), (&json!("bot"), &json!("token")), "{agent}");
    let known = format!("known by its token from {}", scene.issuer.url());
    assert_eq!(agent["known"], json!(known), "{agent}");
    let (_, page) = frank.page(&format!("/proposals/{id}")).await;
    assert!(page.contains(&known) && !page.contains("known by its key"), "{page}");
    // MCP stands behind the same guard.
    let listed = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" }).to_string();
    let mcp = async |bearer: &str| {
        let request = http().post(format!("{}/mcp", scene.gate.agents)).bearer_auth(bearer);
        let request = request.header("accept", "application/json, text/event-stream");
        let request =
            request.header("countersign-on-behalf-of", "ann").header("content-type", "application/json");
        send(request.body(listed.clone())).await
    };
    let (status, answer) = mcp(&token).await;
    assert_eq!((status, answer["result"]["tools"].as_array().map(Vec::len)), (200, Some(6)), "{answer}");
    assert_eq!(mcp(&format!("{token}x")).await.0, 401);
    // It is the same agent: what it proposed by its token it reads by its key, and the other way round.
    let (_, own) = scene.gate.agent_get(&format!("/v1/proposals/{id}")).await;
    assert_eq!(own["state"], "pending", "{own}");
    let (_, by_key) = scene.gate.propose("shop.item.read", json!({ "id": "i_1" })).await;
    let (status, _) = scene.get(&token, &format!("/v1/proposals/{}", by_key["id"].as_str().unwrap())).await;
    assert_eq!(status, 200);
    let (_, listed) = scene.get(&token, "/v1/proposals").await;
    assert_eq!(listed["proposals"].as_array().unwrap().len(), 3, "{listed}");
    assert_eq!(scene.get(&token, "/v1/actions?on_behalf_of=ann").await.0, 200);
    assert_eq!(frank.approve(&id).await.0, 200);
    assert_eq!(scene.gate.settled(&id).await["state"], "succeeded");
    assert_eq!(scene.issuer.fetches(), 1, "keys are kept");
    let (dir, entries) = scene.gate.stop_and_verify();
    let chains: Vec<&Value> = entries.iter().map(|e| &e["actor"]["chain"]).filter(|c| c.is_array()).collect();
    let with_token = json!({ "kind": "agent", "id": "bot", "proof": "token", "issuer": scene.issuer.url() });
    assert!(chains.iter().any(|c| c[1] == with_token), "{chains:?}");
    assert!(
        chains.iter().any(|c| c[1] == json!({ "kind": "agent", "id": "bot", "proof": "key" })),
        "{chains:?}"
    );
    drop(dir);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_and_a_token_of_one_agent_are_two_chains_and_neither_stands_in_for_the_other() {
    let scene = Scene::start().await;
    let by_key = scene.pending(&scene.gate.key("bot")).await;
    let by_token = scene.pending(&scene.issuer.token()).await;
    assert_ne!(by_key, by_token, "people approve who asked, and how it is known");
    // The same token proof again is the same request.
    assert_eq!(scene.pending(&scene.issuer.token()).await, by_token);
    let frank = scene.gate.sign_in("frank").await;
    let (first, second) = (frank.look(&by_key).await, frank.look(&by_token).await);
    assert_ne!(first["intent"], second["intent"]);
    let (status, answer) = frank.post(&format!("/v1/proposals/{by_token}/approve"), &first).await;
    assert_eq!((status, &answer["code"]), (409, &json!("stale")), "{answer}");
    scene.gate.stop_with_sound_log();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_names_the_agents_that_its_table_says_and_no_others() {
    use crate::support::issuer::with;
    let settings = "agent = \"sub\"\n[issuer.login.agents]\n\"0oa1\" = \"bot\"\n\"0oa2\" = \"other\"\n";
    let scene = Scene::with_settings(settings).await;
    let token = |claim: &str, value: Value| {
        scene.issuer.sign(&scene.issuer.header(), &with(scene.issuer.claims(), claim, value))
    };
    let (first, second) = (token("sub", json!("0oa1")), token("sub", json!("0oa2")));
    assert_eq!(scene.note(&first).await.0, 200);
    assert_eq!(scene.note(&second).await.0, 200);
    let own = |listed: &Value| listed["proposals"].as_array().unwrap().len();
    assert_eq!(own(&scene.get(&first, "/v1/proposals").await.1), 1);
    assert_eq!(own(&scene.gate.agent_get("/v1/proposals").await.1), 1, "`0oa1` is `bot`");
    // The claim of another setting, the agent's own name, a value of another type.
    for (name, refused) in [
        ("the agent's own name", token("sub", json!("bot"))),
        ("a value that is not listed", token("sub", json!("0oa3"))),
        ("a value in another case", token("sub", json!("0OA1"))),
        ("a list", token("sub", json!(["0oa1"]))),
        ("no claim", token("sub", json!(null))),
    ] {
        let (status, problem) = scene.note(&refused).await;
        assert_eq!((status, &problem["code"]), (401, &json!("invalid_token")), "{name}: {problem}");
        let detail = problem["detail"].as_str().unwrap();
        assert_eq!(detail, "the access token is not accepted: it names no agent of this gate", "{name}");
    }
    scene.gate.stop_with_sound_log();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_the_directory_does_not_have_or_has_suspended_is_refused() {
    use crate::support::issuer::with;
    let scene = Scene::start().await;
    let token = scene.issuer.token();
    assert_eq!(scene.note(&token).await.0, 200);
    let stranger =
        scene.issuer.sign(&scene.issuer.header(), &with(scene.issuer.claims(), "client_id", json!("eve")));
    let entries = scene.gate.dir.entries_written();
    assert_eq!(scene.note(&stranger).await.1["code"], "invalid_token");
    scene.gate.dir.edit(
        "directory.toml",
        "title = \"Support bot\"",
        "title = \"Support bot\"\ndisabled = true",
    );
    scene.gate.reload().await;
    let (status, problem) = scene.note(&token).await;
    assert_eq!((status, &problem["code"]), (401, &json!("invalid_token")), "{problem}");
    // Only the reload itself left an entry.
    assert_eq!(scene.gate.dir.entries_written(), entries + 1);
    scene.gate.stop_with_sound_log();
}
