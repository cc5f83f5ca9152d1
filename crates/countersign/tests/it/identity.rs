//! On whose behalf: what an agent claims about the person, and what that person says themselves.

use serde_json::{Value, json};

use crate::support::gate::assert_done;
use crate::support::log::events_of;
use crate::support::{Gate, GateDir, Person, Reply, Upstream};

async fn upstream() -> Upstream {
    let upstream = Upstream::start().await;
    upstream
        .on("GET /items/i_1", Reply::json(200, &json!({ "id": "i_1", "price": 5_000, "currency": "usd" })));
    upstream
}

/// A gate whose agents may act for Ann and for Frank, who is also one of the two approvers.
fn acting_for_an_approver(upstream: &Upstream) -> GateDir {
    let dir = GateDir::new(upstream);
    dir.edit(
        "directory.toml",
        "name = \"Frank Field\"\nteams = [\"finance\"]",
        "name = \"Frank Field\"\nteams = [\"finance\", \"support\"]",
    );
    dir
}

/// The same, and Frank is the only approver.
fn one_approver(upstream: &Upstream) -> GateDir {
    let dir = acting_for_an_approver(upstream);
    dir.edit("directory.toml", "name = \"Fiona Fay\"\nteams = [\"finance\"]", "name = \"Fiona Fay\"");
    dir.edit("approvals.toml", "quorum = 2\n", "");
    dir
}

async fn propose_for(gate: &Gate, person: &str, price: u64) -> (u16, Value) {
    let input = json!({ "id": "i_1", "price": price });
    gate.propose_with(json!({ "action": "shop.price.set", "input": input, "on_behalf_of": person })).await
}

/// Proposes a price that needs approval, and gives the proposal's id.
async fn pending_for(gate: &Gate, person: &str, price: u64) -> String {
    let (status, body) = propose_for(gate, person, price).await;
    assert_eq!((status, &body["state"]), (202, &json!("pending")), "{body}");
    body["id"].as_str().unwrap().to_owned()
}

/// Confirms what is shown now.
async fn confirm(person: &Person, id: &str) -> (u16, Value) {
    let shown = person.look(id).await;
    person.post(&format!("/v1/proposals/{id}/confirm"), &json!({ "intent": shown["intent"] })).await
}

fn says(answer: &Value, part: &str) -> bool {
    answer["detail"].as_str().is_some_and(|detail| detail.contains(part))
}

#[tokio::test(flavor = "multi_thread")]
async fn who_could_have_been_named_approves_only_after_the_named_person_confirmed_a4_t11() {
    let upstream = upstream().await;
    let gate = acting_for_an_approver(&upstream).serve();
    let id = pending_for(&gate, "ann", 20_000).await;
    let (ann, frank) = (gate.sign_in("ann").await, gate.sign_in("frank").await);
    let (status, answer) = frank.approve(&id).await;
    assert_eq!((status, &answer["code"]), (403, &json!("not_eligible")), "{answer}");
    assert!(says(&answer, "agent `bot` could have named you") && says(&answer, "`ann` confirms"), "{answer}");

    // Nobody but Ann can say so, and only of what she was shown.
    let (fiona, mallory) = (gate.sign_in("fiona").await, gate.sign_in("mallory").await);
    let shown = ann.look(&id).await;
    let path = format!("/v1/proposals/{id}/confirm");
    let body = json!({ "intent": shown["intent"] });
    for (person, code) in
        [(&frank, "not_eligible"), (&fiona, "not_eligible"), (&mallory, "proposal_not_found")]
    {
        let (_, answer) = person.post(&path, &body).await;
        assert_eq!(answer["code"], code, "{answer}");
    }
    let (status, answer) = ann.post(&path, &json!({ "intent": shown["view"] })).await;
    assert_eq!((status, &answer["code"]), (409, &json!("stale")), "{answer}");
    let (status, answer) = ann.post(&path, &body).await;
    assert_eq!((status, &answer["card"]["who"][0]["proof"]), (200, &json!("confirmed")), "{answer}");
    assert_ne!(answer["card"]["intent"], shown["intent"], "how Ann is known is part of what is approved");
    let (status, again) = ann.post(&path, &body).await;
    assert_eq!((status, &again["version"]), (200, &answer["version"]), "a repeat changes nothing");

    let (status, answer) = ann.approve(&id).await;
    assert_eq!((status, &answer["code"]), (403, &json!("not_eligible")), "{answer}");
    assert!(upstream.writes().is_empty());
    assert_eq!(frank.approve(&id).await.0, 200);
    assert_eq!(gate.settled(&id).await["state"], "succeeded");
    assert_eq!(upstream.writes().len(), 1);

    let (_, entries) = gate.stop_and_verify();
    let steps =
        ["pending", "confirmed", "approved", "dispatched", "succeeded"].map(|s| format!("proposal.{s}"));
    assert_eq!(events_of(&entries, &id), steps);
    let entry = entries.iter().find(|e| e["event"] == "proposal.confirmed").unwrap();
    assert_eq!(entry["actor"], json!({ "kind": "person", "id": "ann" }));
    assert_eq!(entry["data"]["previous_intent"], shown["intent"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_named_person_never_approves_confirmed_or_not_a4_t11() {
    let upstream = upstream().await;
    let gate = acting_for_an_approver(&upstream).serve();
    let id = pending_for(&gate, "frank", 20_000).await;
    let (frank, fiona) = (gate.sign_in("frank").await, gate.sign_in("fiona").await);
    for what in ["claimed", "confirmed"] {
        let (status, answer) = frank.approve(&id).await;
        assert_eq!((status, &answer["code"]), (403, &json!("not_eligible")), "{what}: {answer}");
        assert_eq!(confirm(&frank, &id).await.0, 200, "{what}");
    }
    assert_eq!(fiona.approve(&id).await.0, 200);
    assert_eq!(gate.settled(&id).await["state"], "succeeded");
    assert_eq!(upstream.writes().len(), 1);
    gate.stop_with_sound_log();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_of_a_claim_does_not_count_for_what_was_confirmed_a4_t09() {
    let upstream = upstream().await;
    let dir = acting_for_an_approver(&upstream);
    dir.edit("policies/shop.cedar", "@approval(\"finance\")", "@approval(\"both\")");
    let gate = dir.serve();
    let id = pending_for(&gate, "ann", 20_000).await;
    let (ann, frank, fiona) =
        (gate.sign_in("ann").await, gate.sign_in("frank").await, gate.sign_in("fiona").await);
    assert_eq!(fiona.approve(&id).await.0, 200);
    let have = |body: &Value| body["needs"][0]["have"].clone();
    assert_eq!(have(&gate.agent_get(&format!("/v1/proposals/{id}")).await.1), 1);
    assert_eq!(confirm(&ann, &id).await.0, 200);
    assert_eq!(have(&gate.agent_get(&format!("/v1/proposals/{id}")).await.1), 0);
    assert_eq!(frank.approve(&id).await.0, 200);
    assert_eq!(gate.agent_get(&format!("/v1/proposals/{id}")).await.1["state"], "pending");
    assert_eq!(fiona.approve(&id).await.0, 200);
    assert_eq!(gate.settled(&id).await["state"], "succeeded");
    assert_eq!(upstream.writes().len(), 1);
    gate.stop_with_sound_log();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_could_approve_is_denied_at_once_and_says_what_to_change_a4() {
    let upstream = upstream().await;
    let gate = one_approver(&upstream).serve();
    let (status, body) = propose_for(&gate, "frank", 20_000).await;
    assert_eq!((status, &body["code"]), (403, &json!("denied")), "{body}");
    assert_eq!(body["proposal"]["cause"], "nobody_may_decide", "{body}");
    let message = body["proposal"]["message"].as_str().unwrap();
    assert!(message.contains("nobody may decide under rule `finance`"), "{message}");
    let dry = json!({ "action": "shop.price.set", "input": { "id": "i_1", "price": 20_000 },
                      "on_behalf_of": "frank", "dry_run": true });
    let (_, preview) = gate.propose_with(dry).await;
    assert_eq!(preview["decision"], json!({ "answer": "deny", "code": "nobody_may_decide" }), "{preview}");

    // For Ann it waits, because after her confirmation Frank may decide.
    let (status, body) = propose_for(&gate, "ann", 20_000).await;
    assert_eq!((status, &body["state"]), (202, &json!("pending")), "{body}");
    let message = body["message"].as_str().unwrap();
    assert!(message.contains("`ann` must confirm"), "{message}");
    let id = body["id"].as_str().unwrap();
    let (ann, frank) = (gate.sign_in("ann").await, gate.sign_in("frank").await);
    let (_, shown) = ann.get(&format!("/v1/proposals/{id}")).await;
    assert!(shown["card"]["asks"].as_str().unwrap().contains("`ann` must confirm"), "{shown}");
    assert_eq!(confirm(&ann, id).await.0, 200);
    assert_eq!(frank.approve(id).await.0, 200);
    assert_eq!(gate.settled(id).await["state"], "succeeded");
    gate.stop_with_sound_log();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_that_leaves_nobody_to_decide_ends_what_waits_a4() {
    let upstream = upstream().await;
    let dir = acting_for_an_approver(&upstream);
    dir.edit("approvals.toml", "quorum = 2\n", "");
    let gate = dir.serve();
    let id = pending_for(&gate, "frank", 20_000).await;
    gate.dir.edit("directory.toml", "name = \"Fiona Fay\"", "name = \"Fiona Fay\"\ndisabled = true");
    gate.reload().await;
    let after = gate.settled(&id).await;
    assert_eq!((&after["state"], &after["cause"]), (&json!("refused"), &json!("policy_denies")), "{after}");
    assert!(says(&after, "nobody may decide under rule `finance`"), "{after}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_can_ask_for_people_only_while_the_person_is_claimed_a4() {
    let upstream = upstream().await;
    let dir = GateDir::new(&upstream);
    let policies = dir.read("policies/shop.cedar");
    let gate = "@id(\"claimed\")\n@approval(\"finance\")\n@reason(\"Ann has not said so.\")\n\
                forbid (principal, action == Action::\"shop.note.add\", resource)\n\
                when { context.chain.proof == \"claimed\" };\n";
    dir.write("policies/shop.cedar", &format!("{policies}{gate}"));
    let gate = dir.serve();
    let (status, body) = gate.propose("shop.note.add", json!({ "id": "i_1", "text": "x" })).await;
    assert_eq!((status, &body["state"]), (202, &json!("pending")), "{body}");
    let id = body["id"].as_str().unwrap();
    let ann = gate.sign_in("ann").await;
    assert_eq!(confirm(&ann, id).await.0, 200);
    assert_eq!(gate.settled(id).await["state"], "succeeded");
    assert_eq!(upstream.writes().len(), 1);
    gate.stop_with_sound_log();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_confirms_what_it_has_shown() {
    let upstream = upstream().await;
    let gate = acting_for_an_approver(&upstream).serve();
    let id = pending_for(&gate, "ann", 20_000).await;
    let link = String::from_utf8(gate.dir.run(&["person", "link", "ann", "."]).stdout).unwrap();
    let token = link.trim().rsplit('/').next().unwrap();
    assert_done(&gate.dir.run(&["person", "login", &format!("{}/sign-in/{token}", gate.people)]));
    let shown = gate.dir.run(&["show", &id]);
    let text = String::from_utf8(shown.stdout).unwrap();
    assert!(text.contains("Ann Archer (person ann, claimed by the agent)"), "{text}");
    let intent = text.lines().find_map(|l| l.trim().strip_prefix("intent")).unwrap().trim().to_owned();
    let done = gate.dir.run(&["confirm", &id, "--intent", &intent]);
    let text = String::from_utf8(done.stdout).unwrap();
    assert!(done.status.success() && text.contains("confirmed; the proposal is pending"), "{text}");
    let stale = gate.dir.run(&["confirm", &id, "--intent", &intent]);
    assert!(!stale.status.success(), "{stale:?}");
}
