//! Filters of lists and of the log, over the API, the console and the command line.

use serde_json::{Value, json};

use crate::support::gate::{assert_done, http, send};
use crate::support::wait::eventually;
use crate::support::{Gate, GateDir, Person, Reply, Upstream};

/// A gate with a price that waits for people, one that was cancelled, and a note that was added.
async fn story(upstream: &Upstream) -> (Gate, [String; 3]) {
    for item in ["i_1", "i_2"] {
        let body = json!({ "id": item, "price": 5_000, "currency": "usd" });
        upstream.on(&format!("GET /items/{item}"), Reply::json(200, &body));
    }
    upstream.on("POST /items/i_1/notes", Reply::json(200, &json!({})));
    let gate = GateDir::new(upstream).serve();
    let mut ids = Vec::new();
    for (action, input) in [
        ("shop.price.set", json!({ "id": "i_1", "price": 20_000 })),
        ("shop.price.set", json!({ "id": "i_2", "price": 30_000 })),
        ("shop.note.add", json!({ "id": "i_1", "text": "hello" })),
    ] {
        let (_, body) = gate.propose(action, input).await;
        ids.push(body["id"].as_str().unwrap().to_owned());
    }
    assert_eq!(cancel(&gate, &ids[1]).await, 200);
    (gate, ids.try_into().unwrap())
}

async fn cancel(gate: &Gate, id: &str) -> u16 {
    let request = http().post(format!("{}/v1/proposals/{id}/cancel", gate.agents));
    send(request.bearer_auth(gate.key("bot"))).await.0
}

fn ids(page: &Value) -> Vec<&str> {
    page["proposals"].as_array().unwrap().iter().map(|p| p["id"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn proposals_are_found_by_everything_that_lists_know() {
    let upstream = Upstream::start().await;
    let (gate, [one, two, note]) = story(&upstream).await;
    let olga = gate.sign_in("olga").await;
    let all = vec![note.as_str(), &two, &one];
    for (query, expect) in [
        ("", all.clone()),
        ("action=shop.price.set", vec![two.as_str(), &one]),
        ("action=shop.price.set&state=cancelled", vec![two.as_str()]),
        ("action=shop.price", vec![]),
        ("system=shop", all.clone()),
        ("system=sho", vec![]),
        ("environment=support", all.clone()),
        ("environment=staging", vec![]),
        ("agent=bot&person=ann", all.clone()),
        ("person=frank", vec![]),
        ("since=2020-01-01&until=2100-01-01", all.clone()),
        ("until=2020-01-01", vec![]),
        ("since=2100-01-01T00:00:00Z", vec![]),
        ("text=I_2", vec![two.as_str()]),
        ("text=price+becomes+usd", vec![two.as_str(), &one]),
        ("text=price+note", vec![]),
        (&format!("text={}", &one[20..]), vec![one.as_str()]),
        ("order=due", vec![one.as_str()]),
        ("order=due&text=i_2", vec![]),
        ("order=due&state=cancelled", vec![]),
        ("order=due&state=cancelled,pending", vec![one.as_str()]),
        (&format!("order=due&before={one}"), vec![]),
        ("order=due&action=shop.note.add", vec![]),
    ] {
        let (status, page) = olga.get(&format!("/v1/proposals?{query}")).await;
        assert_eq!((status, ids(&page)), (200, expect), "{query}");
        assert_eq!(page["stopped"], false, "{query}");
    }
    // A filter stays on the next page.
    let (_, first) = olga.get("/v1/proposals?action=shop.price.set&limit=1").await;
    let next = first["next"].as_str().unwrap();
    let (_, second) = olga.get(&format!("/v1/proposals?action=shop.price.set&limit=1&before={next}")).await;
    assert_eq!((ids(&first), ids(&second)), (vec![two.as_str()], vec![one.as_str()]));
    // An agent finds its own, and no words: what people are shown is not all for it.
    let (status, own) = gate.agent_get("/v1/proposals?action=shop.note.add&person=ann").await;
    assert_eq!((status, ids(&own)), (200, vec![note.as_str()]));
    assert_eq!(gate.agent_get("/v1/proposals?text=price").await.0, 400);
    // Who may see nothing finds nothing.
    let mallory = gate.sign_in("mallory").await;
    assert_eq!(ids(&mallory.get("/v1/proposals?text=i_1").await.1), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_that_is_wrong_is_refused_by_name_with_what_is_allowed() {
    let upstream = Upstream::start().await;
    let gate = GateDir::new(&upstream).serve();
    let olga = gate.sign_in("olga").await;
    for (path, said) in [
        ("/v1/proposals?state=foo", "the states are denied, pending, ready"),
        ("/v1/proposals?colour=red", "`colour` is no parameter here; known: `state`"),
        ("/v1/proposals?since=yesterday", "`since` must be a day such as `2026-11-27`"),
        ("/v1/proposals?until=2026-02-30", "`until` must be a day such as `2026-11-27`"),
        ("/v1/proposals?agent=a%00b", "`agent` must be a name"),
        ("/v1/proposals?text=", "`text` must have 1 to 200 characters"),
        ("/v1/proposals?order=oldest", "`order` is `newest` or `due`"),
        ("/v1/log/entries?event=foo", "the events are gate.started"),
        ("/v1/log/entries?proposal=x", "`proposal` is not a proposal's id"),
    ] {
        let (status, problem) = olga.get(path).await;
        assert_eq!((status, &problem["code"]), (400, &json!("malformed_request")), "{path}: {problem}");
        assert!(problem["detail"].as_str().unwrap().contains(said), "{path}: {problem}");
    }
    let (status, page) = olga.page("/history?since=yesterday").await;
    assert_eq!(status, 400);
    assert!(page.contains("“since” must be a day"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_for_words_stops_at_its_bound_and_says_how_far_it_came() {
    let upstream = Upstream::start().await;
    upstream.on("GET /items/i_1", Reply::json(200, &json!({ "price": 1, "currency": "usd" })));
    let gate = GateDir::new(&upstream).with_wide_limits().serve_logging("warn");
    let mut first = String::new();
    let last = 1_005;
    for n in 0..=last {
        let (_, body) = gate.propose("shop.item.delete", json!({ "id": format!("i_{n}") })).await;
        if n == 0 {
            first = body["proposal"]["id"].as_str().unwrap().to_owned();
        }
    }
    let olga = gate.sign_in("olga").await;
    let (_, page) = olga.get(&format!("/v1/proposals?text={first}")).await;
    assert_eq!((ids(&page), &page["stopped"]), (vec![], &json!(true)), "{page}");
    assert!(page["searched_to"].as_str().is_some_and(|to| to.ends_with('Z')), "{page}");
    let next = page["next"].as_str().unwrap();
    let (_, page) = olga.get(&format!("/v1/proposals?text={first}&before={next}")).await;
    assert_eq!((ids(&page), &page["next"]), (vec![first.as_str()], &Value::Null));
    let (_, shown) = olga.page(&format!("/history?text={first}")).await;
    assert!(shown.contains("Searched back to ") && shown.contains(&format!("before={next}")), "{shown}");
    let (_, shown) = olga.page(&format!("/history?text={first}&before={next}")).await;
    assert!(shown.contains(&format!("/proposals/{first}")), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_badge_counts_what_the_inbox_shows_g10() {
    let upstream = Upstream::start().await;
    let (gate, _) = story(&upstream).await;
    // `both` asks finance only, so Mallory sees none, Ann the one that is for her, Olga all.
    for (person, waiting) in [("frank", 1), ("ann", 1), ("olga", 1), ("mallory", 0)] {
        let person: Person = gate.sign_in(person).await;
        for path in ["/", "/history", "/help/keys"] {
            let (_, page) = person.page(path).await;
            assert!(page.contains(&format!("title=\"Waiting in your inbox\">{waiting}</span>")), "{page}");
        }
        let (_, inbox) = person.page("/").await;
        assert_eq!(inbox.matches("<li class=\"row").count(), waiting);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_of_the_log_are_found_and_say_what_they_are_about_g17() {
    let upstream = Upstream::start().await;
    let (gate, [one, two, note]) = story(&upstream).await;
    let olga = gate.sign_in("olga").await;
    olga.integrated(&gate).await;
    let found = async |query: &str| -> Vec<(String, String)> {
        let (status, page) = olga.get(&format!("/v1/log/entries?{query}")).await;
        assert_eq!(status, 200, "{query}: {page}");
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let entries = page["entries"].as_array().unwrap().iter();
        entries.map(|e| (text(&e["entry"]["event"]), text(&e["entry"]["proposal"]))).collect()
    };
    let of = |event: &str, id: &str| (event.to_owned(), id.to_owned());
    let pending = of("proposal.pending", &one);
    let cancelled = [of("proposal.pending", &two), of("proposal.cancelled", &two)];
    let dispatched = of("proposal.dispatched", &note);
    assert_eq!(found("event=proposal.cancelled").await, cancelled[1..]);
    assert_eq!(found(&format!("proposal={two}")).await, cancelled);
    let newest: Vec<_> = cancelled.iter().rev().cloned().collect();
    assert_eq!(found(&format!("proposal={two}&order=newest")).await, newest);
    assert_eq!(found("action=shop.price.set&event=proposal.pending").await, [pending, cancelled[0].clone()]);
    assert_eq!(found("action=shop.note.add&text=dispatched").await, [dispatched]);
    assert_eq!(found("agent=nobody").await, []);
    assert_eq!(found("person=ann&agent=bot&event=proposal.cancelled").await, cancelled[1..]);
    assert_eq!(found("until=2020-01-01").await, []);
    assert_eq!(found("since=2020-01-01&event=proposal.cancelled&order=newest").await, cancelled[1..]);
    // Her signing in is the last entry, and becomes a leaf by itself.
    eventually("she signed in", async || found("person=olga").await == [of("person.signed_in", "")]).await;
    let (_, page) = olga.get("/v1/log/entries?event=proposal.dispatched").await;
    let about = &page["entries"][0]["about"];
    assert_eq!(about["action"], "shop.note.add");
    assert!(about["headline"].as_str().unwrap().starts_with("Adds a note to item "), "{about}");

    let (_, page) = olga.page("/log?event=proposal.dispatched").await;
    assert!(page.contains("<strong>Sent to the upstream.</strong>"), "{page}");
    assert!(
        page.contains("<div class=\"event-about\"><code><bdi>shop.note.add</bdi></code> <bdi>Adds a note"),
        "{page}"
    );
    let (_, page) = olga.page("/log?action=shop.price.set&event=proposal.pending").await;
    assert!(page.contains("200.00 USD") || page.contains("200.00"), "{page}");
    let (_, page) = olga.page("/log?agent=nobody").await;
    assert!(page.contains("Nothing matches") && page.contains("Agent: <bdi>nobody</bdi>"), "{page}");
    let (_, page) = olga.get("/v1/log/entries?from=1&before=3").await;
    let indexes: Vec<u64> =
        page["entries"].as_array().unwrap().iter().map(|e| e["index"].as_u64().unwrap()).collect();
    assert_eq!(indexes, [2, 1]);
    // Page by page, and none twice.
    let (mut seen, mut query) = (Vec::new(), "limit=2&order=newest".to_owned());
    loop {
        let (_, page) = olga.get(&format!("/v1/log/entries?{query}")).await;
        let entries = page["entries"].as_array().unwrap().clone();
        seen.extend(entries.iter().map(|e| e["index"].as_u64().unwrap()));
        let Some(next) = page["next"].as_u64() else { break };
        query = format!("limit=2&before={next}");
    }
    assert!(seen.is_sorted_by(|a, b| a > b) && seen.last() == Some(&0), "{seen:?}");
    let frank = gate.sign_in("frank").await;
    assert_eq!(frank.get("/v1/log/entries?event=proposal.pending").await.0, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_has_the_same_filters_g16() {
    let upstream = Upstream::start().await;
    let (gate, [one, two, note]) = story(&upstream).await;
    let link = format!("{}/sign-in/{}", gate.people, gate.link("olga"));
    assert_done(&gate.dir.run(&["person", "login", &link]));
    let run = |arguments: &[&str]| {
        let output = gate.dir.run(arguments);
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
    };
    let (code, out, _) = run(&["list", "--state", "all", "--action", "shop.price.set", "--since", "1h"]);
    assert!(code == 0 && out.contains(&one) && out.contains(&two) && !out.contains(&note), "{out}");
    let (_, out, _) = run(&["list", "--text", "i_1"]);
    assert!(out.contains(&one) && !out.contains(&two), "{out}");
    let (_, out, _) = run(&["list", "--state", "failed", "--agent", "bot"]);
    assert_eq!(out, "nothing matches --agent bot --state failed\n");
    let (_, out, _) = run(&["list", "--state", "all", "--limit", "1"]);
    let next = out.lines().last().unwrap().strip_prefix("there is more: --next ").unwrap();
    let (_, out, _) = run(&["list", "--state", "all", "--limit", "1", "--next", next]);
    assert!(out.contains(&two), "{out}");
    let (code, _, err) = run(&["list", "--state", "foo"]);
    assert_eq!((code, err.matches("foo").count()), (2, 2), "once as typed, once in the reason: {err}");
    assert!(err.contains("the states are denied, pending, ready"), "{err}");
    let (code, _, err) = run(&["list", "--since", "yesterday"]);
    assert_eq!((code, err.matches("`since` must be a day").count()), (1, 1), "{err}");

    gate.sign_in("olga").await.integrated(&gate).await;
    let (_, out, _) = run(&["log", "list", "--event", "proposal.dispatched"]);
    let fields = ["proposal.dispatched", "shop.note.add", "Adds a note to item i_1."];
    assert!(out.lines().count() == 1 && fields.iter().all(|field| out.contains(field)), "{out}");
    let (_, out, _) = run(&["log", "list", "--proposal", &one, "--event", "proposal.rejected"]);
    assert_eq!(out, format!("nothing matches --event proposal.rejected --proposal {one}\n"));
}
