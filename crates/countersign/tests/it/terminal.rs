//! Commands for agents and people in a shell: beginnings of ids, JSON, exit codes, a narrow terminal.

use std::process::Output;

use serde_json::{Value, json};

use crate::support::gate::assert_done;
use crate::support::{Gate, GateDir, Reply, Upstream};

async fn gate() -> (Upstream, Gate) {
    let upstream = Upstream::start().await;
    let item = json!({ "id": "i_1", "price": 5_000, "currency": "usd" });
    upstream.on("GET /items/i_1", Reply::json(200, &item));
    let gate = GateDir::new(&upstream).serve();
    (upstream, gate)
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {}", text(output)))
}

/// A command of the agent.
fn agent(gate: &Gate, arguments: &[&str]) -> Output {
    let whole = [arguments, &["--gate", &gate.agents, "--key-file", "bot.key"]].concat();
    gate.dir.run(&whole)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_beginning_of_an_id_is_enough_and_every_step_speaks_json() {
    let (upstream, gate) = gate().await;
    let (_, first) = gate.propose("shop.price.set", json!({ "id": "i_1", "price": 90_000 })).await;
    let id = first["id"].as_str().unwrap();
    let beginning = &id[..20];
    let status = agent(&gate, &["status", beginning]);
    assert_eq!(status.status.code(), Some(3), "{}", text(&status));
    assert!(
        text(&status).contains("who can decide: Fiona Fay and Frank Field (team:finance)"),
        "{}",
        text(&status)
    );
    let login =
        gate.dir.run(&["person", "login", &format!("{}/sign-in/{}", gate.people, gate.link("frank"))]);
    assert_done(&login);
    let shown = gate.dir.run(&["show", beginning, "--json"]);
    let intent = json(&shown)["card"]["intent"].as_str().unwrap().to_owned();
    let none = gate.dir.run(&["show", "prp_zzz"]);
    assert!(text(&none).contains("there is no proposal `prp_zzz`"), "{}", text(&none));
    // JSON asks nothing, so it needs the intent.
    let refused = gate.dir.run(&["approve", beginning, "--json"]);
    assert_eq!(refused.status.code(), Some(2), "{}", text(&refused));
    let approved = gate.dir.run(&["approve", beginning, "--intent", &intent, "--json"]);
    assert_done(&approved);
    assert_eq!(json(&approved)["state"]["state"], "succeeded");
    assert_eq!(upstream.writes().len(), 1);
    let waited = agent(&gate, &["wait", id, "--json"]);
    assert_eq!((waited.status.code(), &json(&waited)["state"]), (Some(0), &json!("succeeded")));
    let rejected = {
        let (_, second) = gate.propose("shop.price.set", json!({ "id": "i_1", "price": 80_000 })).await;
        let id = second["id"].as_str().unwrap().to_owned();
        assert_done(&gate.dir.run(&["reject", &id, "--reason", "Too dear.", "--json"]));
        agent(&gate, &["wait", &id, "--timeout", "5"])
    };
    assert_eq!(rejected.status.code(), Some(4), "{}", text(&rejected));
    assert!(text(&rejected).contains("NOT DONE. frank rejected it: Too dear."), "{}", text(&rejected));
    // What waits is still said when the time is up.
    let (_, third) = gate.propose("shop.price.set", json!({ "id": "i_1", "price": 70_000 })).await;
    let waiting = agent(&gate, &["wait", third["id"].as_str().unwrap(), "--timeout", "1"]);
    assert_eq!(waiting.status.code(), Some(3), "{}", text(&waiting));
    gate.stop_with_sound_log();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_has_headers_and_fits_a_terminal_of_forty_columns() {
    let (_upstream, gate) = gate().await;
    gate.propose("shop.price.set", json!({ "id": "i_1", "price": 90_000 })).await;
    let login =
        gate.dir.run(&["person", "login", &format!("{}/sign-in/{}", gate.people, gate.link("frank"))]);
    assert_done(&login);
    let wide = text(&gate.dir.run(&["list"]));
    let mut lines = wide.lines();
    let (header, row) = (lines.next().unwrap(), lines.next().unwrap());
    for name in ["ID", "STATE", "WHEN (UTC)", "AMOUNT", "WHAT"] {
        assert!(header.contains(name), "{wide}");
    }
    assert_eq!(header.find("AMOUNT"), row.find("900.00 USD"), "{wide}");
    let narrow = gate.dir.command(&["list"]).env("COLUMNS", "40").output().unwrap();
    let narrow = text(&narrow);
    assert!(narrow.lines().all(|line| line.chars().count() <= 40), "{narrow}");
    for fact in ["The price becomes 900.00 USD.", "pending, yours, 900.00 USD", "decide by"] {
        assert!(narrow.contains(fact), "{narrow}");
    }
    // No colour where there is no terminal.
    assert!(!wide.contains('\u{1b}') && !narrow.contains('\u{1b}'));
    for shell in ["bash", "zsh", "fish"] {
        let completions = gate.dir.run(&["completions", shell]);
        assert_done(&completions);
        assert!(text(&completions).contains("countersign"), "{shell}");
    }
    gate.stop_with_sound_log();
}

#[tokio::test(flavor = "multi_thread")]
async fn check_lists_its_findings_as_json() {
    let upstream = Upstream::start().await;
    let dir = GateDir::new(&upstream);
    let good = json(&dir.run(&["check", ".", "--json"]));
    assert_eq!(good["ok"], true, "{good}");
    assert!(good["findings"].as_array().unwrap().iter().all(|f| f["severity"] == "warning"), "{good}");
    assert!(
        good["actions"].as_u64() > Some(1) && good["policy_set"].as_str().unwrap().starts_with("sha256:")
    );
    dir.edit("actions/shop.toml", "title = \"Set a price\"", "titel = \"Set a price\"");
    let output = dir.run(&["check", ".", "--json"]);
    assert_eq!(output.status.code(), Some(6));
    let bad = json(&output);
    assert_eq!((&bad["ok"], &bad["actions"]), (&json!(false), &json!(null)), "{bad}");
    let finding = bad["findings"].as_array().unwrap().iter().find(|f| f["severity"] == "error");
    let finding = finding.unwrap_or_else(|| panic!("{bad}"));
    assert_eq!(finding["file"], "actions/shop.toml", "{bad}");
    assert!(
        finding["line"].as_u64() > Some(1) && finding["message"].as_str().unwrap().contains("`titel`"),
        "{bad}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_wrong_before_anything_is_asked_says_what_to_do() {
    let (_upstream, gate) = gate().await;
    let address = gate.agents.strip_prefix("http://").unwrap().to_owned();
    // The port of a running gate is taken for another one.
    let upstream = Upstream::start().await;
    let second = GateDir::new(&upstream);
    let config = second.read("countersign.toml");
    let line = config.lines().find(|line| line.starts_with("agents")).unwrap().to_owned();
    second.edit("countersign.toml", &line, &format!("agents = \"{address}\""));
    let said = second.refusal_to_serve();
    for part in [address.as_str(), "`[listen] agents` in countersign.toml", "name another address"] {
        assert!(said.contains(part), "{said}");
    }
    let missing =
        gate.dir.run(&["propose", "shop.note.add", "--gate", &gate.agents, "--key-file", "nobody.key"]);
    assert!(text(&missing).contains("failed to read the key file nobody.key"), "{}", text(&missing));
    let url = "http://127.0.0.1:1";
    let away = gate.dir.run(&["propose", "shop.note.add", "--gate", url, "--key-file", "bot.key"]);
    assert_eq!(away.status.code(), Some(1), "{}", text(&away));
    assert!(
        text(&away).contains("failed to reach the gate at http://127.0.0.1:1; does `countersign serve` run"),
        "{}",
        text(&away)
    );
    gate.stop_with_sound_log();
}
