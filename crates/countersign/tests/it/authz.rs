//! Who reaches what: every route of the table against everybody who must not pass.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::gate::{assert_done, http, send};
use crate::support::{Gate, GateDir, Person, Reply, Upstream};

/// Routes without a caller. This list may only shrink.
const FOR_ANYONE: [(&str, &str); 8] = [
    ("agents", "resource_metadata"),
    ("agents", "livez"),
    ("agents", "openapi"),
    ("agents", "readyz"),
    ("people", "livez"),
    ("people", "openapi"),
    ("people", "readyz"),
    ("people", "sign_in"),
];

/// One route as the generated document lists it.
#[derive(Debug, Clone)]
struct Route {
    listener: String,
    id: String,
    method: String,
    path: String,
    scheme: Option<String>,
    /// What decides whether a caller of the audience may.
    access: String,
    /// The name of its body's shape.
    body: Option<String>,
}

/// The route table, from the documents that each listener serves of itself.
async fn routes(gate: &Gate) -> Vec<Route> {
    let mut routes = Vec::new();
    for (listener, base) in [("agents", &gate.agents), ("people", &gate.people)] {
        let (status, document) = send(http().get(format!("{base}/openapi.json"))).await;
        assert_eq!(status, 200, "{document}");
        for (path, operations) in document["paths"].as_object().unwrap() {
            for (method, operation) in operations.as_object().unwrap() {
                let scheme = operation["security"][0].as_object().map(|s| s.keys().next().unwrap().clone());
                let body = &operation["requestBody"]["content"]["application/json"]["schema"]["$ref"];
                routes.push(Route {
                    listener: listener.to_owned(),
                    id: operation["operationId"].as_str().unwrap().to_owned(),
                    method: method.to_ascii_uppercase(),
                    path: path.clone(),
                    scheme,
                    access: operation["x-access"].as_str().unwrap().to_owned(),
                    body: body.as_str().map(|name| name.rsplit('/').next().unwrap().to_owned()),
                });
            }
        }
    }
    routes
}

/// Somebody at the door: a name for messages and the headers they send.
type Caller = (&'static str, Vec<(&'static str, String)>);

fn bearer(token: &str) -> Vec<(&'static str, String)> {
    vec![("authorization", format!("Bearer {token}"))]
}

/// A gate with everybody who ever had a credential, and one pending proposal.
struct Scene {
    gate: Gate,
    frank: Person,
    olga: Person,
    /// The person whom the agent named.
    ann: Person,
    /// A pending proposal of `bot`.
    id: String,
    /// What a verdict on it carries.
    shown: Value,
    wrong: Vec<Caller>,
    /// A program that may copy the log for olga, and may do nothing else.
    copier: Caller,
}

impl Scene {
    async fn start(upstream: &Upstream) -> Self {
        // An issuer whose tokens nobody here has.
        let dir = GateDir::new(upstream).trusting("https://login.test", "");
        dir.edit(
            "directory.toml",
            "[agent.bot]",
            "[person.gil]\nname = \"Gil\"\nteams = [\"finance\"]\n[agent.idle]\ntitle = \"Idle\"\nowner = \"olga\"\n\
             act_for = [\"team:support\"]\n[agent.bot]",
        );
        assert_done(&dir.run(&["key", "idle", ".", "--out", "idle.key"]));
        let gate = dir.serve();
        assert_done(&gate.dir.run(&["person", "token", "olga", ".", "--out", "olga.token"]));
        let copier = ("a token for the log", bearer(gate.dir.read("olga.token").trim()));
        upstream.on("GET /items/i_1", item());
        let (_, pending) = gate.propose("shop.price.set", json!({ "id": "i_1", "price": 20_000 })).await;
        let id = pending["id"].as_str().unwrap().to_owned();
        let (frank, olga) = (gate.sign_in("frank").await, gate.sign_in("olga").await);
        let ann = gate.sign_in("ann").await;
        let shown = frank.look(&id).await;
        let wrong = wrong_callers(&gate, &frank).await;
        Self { gate, frank, olga, ann, id, shown, wrong, copier }
    }

    async fn call(&self, route: &Route, listener: &str, headers: &[(&str, String)]) -> (u16, Value) {
        let base = if listener == "agents" { &self.gate.agents } else { &self.gate.people };
        let url = format!("{base}{}", route.path.replace("{id}", &self.id));
        let mut request = http().request(route.method.parse().unwrap(), url);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let body = route.body.as_deref().map(|shape| match shape {
            "ProposeBody" => {
                json!({ "action": "shop.note.add", "input": { "id": "i_1", "text": "x" }, "on_behalf_of": "ann" })
            }
            "VerdictBody" => self.shown.clone(),
            "ConfirmBody" => json!({ "intent": self.shown["intent"] }),
            "SignInBody" => json!({ "link": "csl_nobody" }),
            other => panic!("this test has no body for the shape {other} of {route:?}"),
        });
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        if route.id == "watch_own" {
            // A stream that is let in does not end while the proposal waits; its head is all that matters.
            let response = request.send().await.unwrap();
            let status = response.status().as_u16();
            let text = if status == 200 { "null".to_owned() } else { response.text().await.unwrap() };
            let body = serde_json::from_str(&text).unwrap();
            return (status, body);
        }
        send(request).await
    }

    /// Whoever this route is for.
    fn right(&self, route: &Route) -> Vec<(&'static str, String)> {
        match route.access.as_str() {
            "open" | "discovery" | "link" => Vec::new(),
            "own" | "chain" => bearer(&self.gate.key("bot")),
            // Olga's own session is still needed afterwards.
            "session" if route.id == "sign_out" => bearer(&self.frank.session),
            "approver" => bearer(&self.frank.session),
            "named" => bearer(&self.ann.session),
            "log-reader-or-token" => self.copier.1.clone(),
            "session" | "related" | "withdraws" | "log-reader" => bearer(&self.olga.session),
            other => panic!("this test has no case for the access {other} of {route:?}"),
        }
    }
}

fn item() -> Reply {
    Reply::json(200, &json!({ "id": "i_1", "price": 5_000, "currency": "usd" }))
}

/// Everybody who must not pass, on either listener.
async fn wrong_callers(gate: &Gate, frank: &Person) -> Vec<Caller> {
    let (key, session) = (gate.key("bot"), frank.session.clone());
    let gil = gate.sign_in("gil").await;
    let (ended, expired, unused) =
        (gate.sign_in("frank").await, gate.sign_in("frank").await, gate.sign_in("frank").await);
    assert_eq!(ended.post("/v1/sign-out", &json!({})).await.0, 200);
    for (person, sql) in [
        (&expired, "UPDATE session SET expires = 1 WHERE token = ?"),
        (&unused, "UPDATE session SET seen = seen - 3601000000 WHERE token = ?"),
    ] {
        let digest = countersign_core::digest::Digest::of(
            countersign_core::digest::domain::TOKEN,
            person.session.as_bytes(),
        );
        gate.dir.change(sql, &[&digest.to_string()]);
    }
    gate.dir.edit("directory.toml", "name = \"Gil\"", "name = \"Gil\"\ndisabled = true");
    gate.dir.edit("directory.toml", "title = \"Idle\"", "title = \"Idle\"\ndisabled = true");
    gate.reload().await;
    let same_length = |token: &str| format!("{}{}", &token[..4], "0".repeat(token.len() - 4));
    let cookies = |token: &str| {
        let names = ["session", "countersign", "__Host-session", "__Host-countersign"];
        names.map(|name| format!("{name}={token}")).join("; ")
    };
    vec![
        ("nobody", vec![]),
        ("garbage", bearer("garbage")),
        ("a key that nobody holds", bearer(&same_length(&key))),
        ("a session that nobody has", bearer(&same_length(&session))),
        ("a key with a changed case", bearer(&key.to_uppercase())),
        ("a key and more", bearer(&format!("{key}0"))),
        ("an empty bearer", bearer("")),
        ("the scheme alone", vec![("authorization", "Bearer".to_owned())]),
        ("two keys", [bearer(&key), bearer(&key)].concat()),
        ("two sessions", [bearer(&session), bearer(&session)].concat()),
        ("a key and a session", [bearer(&key), bearer(&session)].concat()),
        ("basic with a key", vec![("authorization", format!("Basic {key}"))]),
        ("a session without a scheme", vec![("authorization", session.clone())]),
        ("two spaces", vec![("authorization", format!("Bearer  {key}"))]),
        ("a disabled agent", bearer(gate.dir.read("idle.key").trim())),
        ("a disabled person", bearer(&gil.session)),
        ("an ended session", bearer(&ended.session)),
        ("an expired session", bearer(&expired.session)),
        ("a session that nobody used for an hour", bearer(&unused.session)),
        ("a cookie with a session", vec![("cookie", cookies(&session))]),
        ("a cookie with a key", vec![("cookie", cookies(&key))]),
        ("another header", vec![("x-api-key", key), ("x-forwarded-user", "olga".to_owned())]),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_refuses_everyone_but_its_audience() {
    let upstream = Upstream::start().await;
    let scene = Scene::start(&upstream).await;
    let routes = routes(&scene.gate).await;
    let anyone: Vec<(&str, &str)> =
        routes.iter().filter(|r| r.scheme.is_none()).map(|r| (r.listener.as_str(), r.id.as_str())).collect();
    assert_eq!(anyone, FOR_ANYONE);
    let copied: Vec<&str> =
        routes.iter().filter(|r| r.access == "log-reader-or-token").map(|r| r.id.as_str()).collect();
    assert_eq!(copied, ["checkpoint", "export"], "a token for the log is good for two routes");
    let (entries, calls) = (scene.gate.dir.entries_written(), upstream.calls().len());
    for route in routes.iter().filter(|r| r.scheme.is_some()) {
        // The credential of the other listener's audience is as good as none.
        let other = match route.listener.as_str() {
            "agents" => ("a session", bearer(&scene.frank.session)),
            _ => ("an agent's key", bearer(&scene.gate.key("bot"))),
        };
        // A program with a token copies the log, and is nobody everywhere else.
        let copier = (route.access != "log-reader-or-token").then_some(&scene.copier);
        for (name, headers) in scene.wrong.iter().chain([&other]).chain(copier) {
            let (status, body) = scene.call(route, &route.listener, headers).await;
            assert_eq!((status, &body["code"]), (401, &json!("unauthenticated")), "{name} at {route:?}");
        }
    }
    // On the other listener the route is not there, for anybody.
    for route in &routes {
        let other = if route.listener == "agents" { "people" } else { "agents" };
        let twin = |r: &&Route| r.listener == other && r.path == route.path && r.method == route.method;
        if routes.iter().any(|r| twin(&r)) {
            continue;
        }
        let known: [Caller; 3] = [
            ("the agent", bearer(&scene.gate.key("bot"))),
            ("olga", bearer(&scene.olga.session)),
            scene.copier.clone(),
        ];
        for (name, headers) in scene.wrong.iter().chain(&known) {
            let (status, body) = scene.call(route, other, headers).await;
            assert!(matches!(status, 401 | 404 | 405), "{name} at {route:?} on {other}: {status} {body}");
        }
    }
    // No handler was reached: nothing was written, sent or changed.
    assert_eq!((scene.gate.dir.entries_written(), upstream.calls().len()), (entries, calls));
    let (_, now) = scene.olga.get(&format!("/v1/proposals/{}", scene.id)).await;
    assert_eq!((&now["state"]["state"], &now["version"]), (&json!("pending"), &json!(1)));
    for route in &routes {
        let (status, body) = scene.call(route, &route.listener, &scene.right(route)).await;
        let let_in = if route.id == "sign_in" { status == 401 } else { !matches!(status, 401 | 404 | 405) };
        assert!(let_in, "whoever it is for at {route:?}: {status} {body}");
    }
    scene.gate.stop_with_sound_log();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agents_key_reaches_no_verdict_on_any_listener_i11() {
    let upstream = Upstream::start().await;
    let scene = Scene::start(&upstream).await;
    let Scene { gate, id, shown, .. } = &scene;
    for verb in ["approve", "reject", "confirm", "edit", "approvals", "dispatch", "execute"] {
        for method in ["POST", "PUT", "PATCH", "GET"] {
            for (base, expected) in [(&gate.agents, vec![404]), (&gate.people, vec![401, 404, 405])] {
                let url = format!("{base}/v1/proposals/{id}/{verb}");
                let request = http().request(method.parse().unwrap(), url).bearer_auth(gate.key("bot"));
                let request = request.header("content-type", "application/json").body(shown.to_string());
                let (status, body) = send(request).await;
                assert!(expected.contains(&status), "{method} {verb} at {base}: {status} {body}");
            }
        }
    }
    assert_eq!(gate.agent_get(&format!("/v1/proposals/{id}")).await.1["state"], "pending");
    assert!(upstream.writes().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_neither_reads_nor_watches_nor_cancels_what_another_proposed() {
    let upstream = Upstream::start().await;
    let scene = Scene::start(&upstream).await;
    let other = scene.gate.key("other");
    let unknown = "prp_01h00000000000000000000000";
    for id in [scene.id.as_str(), unknown, "prp_", "1", "%00", "..%2f..%2fcounts"] {
        for (method, rest) in [("GET", ""), ("GET", "?wait=1"), ("GET", "/events"), ("POST", "/cancel")] {
            let url = format!("{}/v1/proposals/{id}{rest}", scene.gate.agents);
            let (status, body) = send(http().request(method.parse().unwrap(), url).bearer_auth(&other)).await;
            assert_eq!((status, &body["code"]), (404, &json!("proposal_not_found")), "{method} {id}{rest}");
        }
    }
    for query in ["", "?state=pending", "?limit=200"] {
        let url = format!("{}/v1/proposals{query}", scene.gate.agents);
        let (status, body) = send(http().get(url).bearer_auth(&other)).await;
        assert_eq!((status, &body["proposals"]), (200, &json!([])), "{query}");
    }
    assert_eq!(scene.gate.agent_get("/v1/proposals").await.1["proposals"].as_array().unwrap().len(), 1);
    assert_eq!(scene.gate.agent_get(&format!("/v1/proposals/{}", scene.id)).await.1["state"], "pending");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_without_role_or_relation_sees_nothing_and_decides_nothing() {
    let upstream = Upstream::start().await;
    let scene = Scene::start(&upstream).await;
    let mallory = scene.gate.sign_in("mallory").await;
    let id = &scene.id;
    for path in [format!("/v1/proposals/{id}"), format!("/v1/proposals/{id}/history")] {
        let (status, body) = mallory.get(&path).await;
        assert_eq!((status, &body["code"]), (404, &json!("proposal_not_found")), "{path}");
    }
    let intent = json!({ "intent": scene.shown["intent"] });
    for (verb, sent) in
        [("approve", &scene.shown), ("reject", &scene.shown), ("confirm", &intent), ("cancel", &json!({}))]
    {
        let (status, body) = mallory.post(&format!("/v1/proposals/{id}/{verb}"), sent).await;
        assert_eq!((status, &body["code"]), (404, &json!("proposal_not_found")), "{verb}");
    }
    for query in ["", "?state=pending", "?agent=bot", "?limit=200"] {
        let (status, body) = mallory.get(&format!("/v1/proposals{query}")).await;
        assert_eq!((status, &body["proposals"]), (200, &json!([])), "{query}");
    }
    // Who has a relation sees it: the person it is for, whom the rule names, the agent's owner.
    for person in ["ann", "fiona", "olga"] {
        let person = scene.gate.sign_in(person).await;
        assert_eq!(person.get(&format!("/v1/proposals/{id}")).await.0, 200, "{person:?}");
    }
    // And seeing is not deciding, nor withdrawing.
    let ann = scene.gate.sign_in("ann").await;
    let (status, body) = ann.post(&format!("/v1/proposals/{id}/approve"), &scene.shown).await;
    assert_eq!((status, &body["code"]), (403, &json!("not_eligible")));
    for person in [&scene.frank, &scene.olga] {
        let (status, body) = person.post(&format!("/v1/proposals/{id}/confirm"), &intent).await;
        assert_eq!((status, &body["code"]), (403, &json!("not_eligible")), "{person:?} is not Ann");
    }
    let (status, body) = scene.frank.post(&format!("/v1/proposals/{id}/cancel"), &json!({})).await;
    assert_eq!((status, &body["code"]), (403, &json!("not_permitted")));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_log_needs_a_role() {
    let upstream = Upstream::start().await;
    let scene = Scene::start(&upstream).await;
    let (ann, mallory) = (scene.gate.sign_in("ann").await, scene.gate.sign_in("mallory").await);
    let entries = scene.gate.dir.entries_written();
    for path in ["/v1/log/checkpoint", "/v1/log/entries", "/v1/log/entries?from=3", "/v1/log/export"] {
        for (name, person) in [("ann", &ann), ("frank", &scene.frank), ("mallory", &mallory)] {
            let (status, body) = person.get(path).await;
            assert_eq!((status, &body["code"]), (403, &json!("not_permitted")), "{name} at {path}");
        }
    }
    assert_eq!(scene.gate.dir.entries_written(), entries, "an export that was refused is not in the log");
    for path in ["/v1/log/checkpoint", "/v1/log/entries", "/v1/log/export"] {
        assert_eq!(scene.olga.get(path).await.0, 200, "{path}");
    }
}

/// `Host` headers that do not name the listener, given its port. None is no header at all.
fn foreign_hosts(port: &str) -> Vec<Vec<String>> {
    let with_port = [
        "evil.example",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "localhost.",
        "127.0.0.2",
        "127.1",
        "2130706433",
        "0x7f.0.0.1",
        "0.0.0.0",
        "[::]",
        "[::ffff:127.0.0.1]",
        "gate.test",
        "ann@127.0.0.1",
        "127.0.0.1:80",
    ];
    let mut hosts: Vec<Vec<String>> = with_port.iter().map(|h| vec![format!("{h}:{port}")]).collect();
    let bare = ["", "evil.example", "127.0.0.1", "localhost", "127.0.0.1:1", "localhost:1"];
    hosts.extend(bare.iter().map(|h| vec![(*h).to_owned()]));
    let own = format!("127.0.0.1:{port}");
    hosts.push(vec![]);
    hosts.push(vec![own.clone(), own.clone()]);
    hosts.push(vec![own.clone(), "evil.example".to_owned()]);
    hosts.push(vec![format!("{own}, evil.example")]);
    hosts
}

/// `Origin` headers of pages that are not ours.
fn foreign_origins(port: &str, other: &str) -> Vec<Vec<String>> {
    let own = format!("http://127.0.0.1:{port}");
    let one = [
        "http://evil.example".to_owned(),
        "https://evil.example".to_owned(),
        format!("http://evil.example:{port}"),
        format!("http://127.0.0.1.evil.example:{port}"),
        format!("{own}.evil.example"),
        format!("{own}@evil.example"),
        format!("{own}/"),
        "http://127.0.0.1".to_owned(),
        "http://localhost:1".to_owned(),
        other.to_owned(),
        format!("ftp://127.0.0.1:{port}"),
        format!("127.0.0.1:{port}"),
        "chrome-extension://abcdefgh".to_owned(),
        "file://".to_owned(),
        "null".to_owned(),
        String::new(),
    ];
    let mut origins: Vec<Vec<String>> = one.into_iter().map(|o| vec![o]).collect();
    origins.push(vec![own.clone(), own]);
    origins
}

/// Sends a request down to the bytes, as no polite client would, and gives the status and the body.
async fn knock(base: &str, line: &str, headers: &[(&str, &str)]) -> (u16, Value) {
    let sent: String = headers.iter().map(|(name, value)| [name, ": ", value, "\r\n"].concat()).collect();
    let request = format!("{line} HTTP/1.1\r\nConnection: close\r\n{sent}\r\n");
    let mut stream = TcpStream::connect(base.trim_start_matches("http://")).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    (status, serde_json::from_str(body).unwrap_or(Value::String(body.to_owned())))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_host_or_origin_is_refused_on_both_listeners_whatever_it_asks_t131() {
    let upstream = Upstream::start().await;
    let scene = Scene::start(&upstream).await;
    let (key, session) = (scene.gate.key("bot"), scene.olga.session.clone());
    for (base, other, token) in
        [(&scene.gate.agents, &scene.gate.people, &key), (&scene.gate.people, &scene.gate.agents, &session)]
    {
        let port = base.rsplit(':').next().unwrap();
        let authorization = format!("Bearer {token}");
        let own = format!("127.0.0.1:{port}");
        for line in
            ["GET /livez", "GET /v1/proposals", "POST /v1/sign-in", "GET /nowhere", "OPTIONS /v1/proposals"]
        {
            for hosts in foreign_hosts(port) {
                let mut headers = vec![("Authorization", authorization.as_str())];
                headers.extend(hosts.iter().map(|h| ("Host", h.as_str())));
                let (status, body) = knock(base, line, &headers).await;
                assert_eq!((status, &body["code"]), (421, &json!("wrong_host")), "{line} with {hosts:?}");
            }
            for origins in foreign_origins(port, other) {
                let mut headers = vec![("Host", own.as_str()), ("Authorization", authorization.as_str())];
                headers.extend(origins.iter().map(|o| ("Origin", o.as_str())));
                let (status, body) = knock(base, line, &headers).await;
                assert_eq!((status, &body["code"]), (403, &json!("wrong_origin")), "{line} with {origins:?}");
            }
        }
        for host in
            [own.clone(), format!("localhost:{port}"), format!("LocalHost:{port}"), format!("[::1]:{port}")]
        {
            let (status, _) = knock(base, "GET /livez", &[("Host", &host)]).await;
            assert_eq!(status, 200, "{host}");
            let origin = format!("http://{host}");
            let headers = [("Host", host.as_str()), ("Origin", &origin), ("Authorization", &authorization)];
            assert_eq!(knock(base, "GET /v1/proposals", &headers).await.0, 200, "{origin}");
        }
    }
}
