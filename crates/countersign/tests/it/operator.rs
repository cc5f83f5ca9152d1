//! What an operator is told: about a new key, and about what a reload changed.

use serde_json::json;

use crate::support::gate::{assert_done, http, send};
use crate::support::wait::eventually;
use crate::support::{Gate, GateDir, Upstream};

/// The last line of the operator's log with these words.
fn last_line(gate: &Gate, words: &str) -> String {
    let log = gate.operator_log();
    log.lines()
        .rfind(|line| line.contains(words))
        .unwrap_or_else(|| panic!("{words} is not in\n{log}"))
        .to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_written_over_nothing_and_says_that_the_gate_must_be_reloaded() {
    let upstream = Upstream::start().await;
    let gate = GateDir::new(&upstream).serve();
    let (key, directory) = (gate.dir.read("bot.key"), gate.dir.read("directory.toml"));
    let again = gate.dir.run(&["key", "bot", ".", "--out", "bot.key"]);
    let said = String::from_utf8_lossy(&again.stderr).into_owned();
    assert!(!again.status.success() && said.contains("bot.key exists already"), "{said}");
    assert!(said.contains("name another file"), "{said}");
    assert_eq!((gate.dir.read("bot.key"), gate.dir.read("directory.toml")), (key, directory));

    let made = gate.dir.run(&["key", "bot", ".", "--out", "second.key"]);
    assert_done(&made);
    let said = String::from_utf8_lossy(&made.stderr).into_owned();
    assert!(said.contains("401") && said.contains("kill -HUP"), "{said}");
    assert!(said.contains("second.key") && said.contains("directory.toml"), "{said}");
    let key = gate.dir.read("second.key");
    let status =
        async || send(http().get(format!("{}/v1/proposals", gate.agents)).bearer_auth(key.trim())).await.0;
    assert_eq!(status().await, 401, "as it was said");
    gate.reload().await;
    assert_eq!(status().await, 200);
    assert!(
        last_line(&gate, "loaded again").ends_with("loaded again: agents changed `bot`"),
        "the log says why"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_says_what_changed_by_name() {
    let upstream = Upstream::start().await;
    let gate = GateDir::new(&upstream).serve();
    gate.reload().await;
    assert!(last_line(&gate, "loaded again").ends_with(": nothing changed"));
    gate.dir.edit("approvals.toml", "[finance]", "# For money.\n[finance]");
    gate.reload().await;
    assert!(last_line(&gate, "loaded again").contains("the text of its files changed"));

    let (directory, approvals) = (gate.dir.read("directory.toml"), gate.dir.read("approvals.toml"));
    gate.dir.write("directory.toml", &format!("{directory}[person.gil]\nname = \"Gil\"\n[team.legal]\n"));
    gate.dir.edit("directory.toml", "[person.mallory]\nname = \"Mallory\"\n", "");
    gate.dir.write(
        "approvals.toml",
        &format!("{approvals}[legal]\nwho = [\"person:gil\"]\ndecide_in = \"1h\"\nuse_in = \"1h\"\n"),
    );
    gate.dir.edit("policies/shop.cedar", "context.risk.amount > 1000", "context.risk.amount > 2000");
    gate.dir.edit("actions/shop.toml", "title = \"Add a note\"", "title = \"Write a note\"");
    let config = gate.dir.read("countersign.toml");
    gate.dir.secret("secrets/more", "more-secret-4711-abcdefgh\n");
    let more = format!(
        "[limits]\nstreams = 3\n[credential.more]\norigin = \"{}\"\nuse = \"read\"\nfrom = \"file:secrets/more\"\n",
        upstream.url()
    );
    gate.dir.write("countersign.toml", &(config + &more));
    gate.reload().await;
    let said = last_line(&gate, "loaded again");
    assert!(said.contains(" INFO "), "{said}");
    for words in [
        "actions changed `shop.note.add`",
        "policies changed `price-over-1000`",
        "approval rules added `legal`",
        "people added `gil`; removed `mallory`",
        "teams added `legal`",
        "credentials added `more`",
        "`[limits]` changed",
    ] {
        assert!(said.contains(words), "{words} is not in {said}");
    }
    assert!(!said.contains("agents") && !said.contains("more-secret"), "{said}");
    // The next reload is compared with this one.
    gate.dir.edit("countersign.toml", &more, "");
    gate.reload().await;
    assert!(
        last_line(&gate, "loaded again").ends_with(": credentials removed `more` | `[limits]` changed"),
        "{}",
        last_line(&gate, "loaded again")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_reload_is_a_warning_with_its_reasons_and_no_error() {
    let upstream = Upstream::start().await;
    let gate = GateDir::new(&upstream).serve();
    gate.dir.edit("approvals.toml", "who = [\"team:finance\"]", "who = [\"team:nobody\"]");
    gate.signal("HUP");
    eventually("the reload is refused", async || gate.operator_log().contains("the one in force stays"))
        .await;
    let refused = last_line(&gate, "the one in force stays");
    let reason = last_line(&gate, "team:nobody");
    assert!(refused.contains(" WARN ") && reason.contains(" WARN "), "{refused}\n{reason}");
    assert!(reason.contains("approvals.toml:"), "the place is named: {reason}");
    let log = gate.operator_log();
    assert!(!log.contains(" ERROR "), "{log}");
    let (status, answer) =
        gate.propose("shop.note.add", json!({ "id": "i_1", "text": "The old rules are in force." })).await;
    assert_eq!(status, 200, "{answer}");
}
