//! `countersign check` on gate directories with mistakes: each is said with file, line and remedy, all of them
//! at once, and `serve` refuses what `check` refuses.

use std::process::Output;

use crate::support::gate::assert_done;
use crate::support::{GateDir, Upstream};

/// What is wrong, and where it must be said.
struct Mistake {
    /// The file, and what stands on the line that is to blame.
    place: (&'static str, &'static str),
    /// A part of the message.
    says: &'static str,
    /// A part of the remedy.
    remedy: &'static str,
}

const fn mistake(place: (&'static str, &'static str), says: &'static str, remedy: &'static str) -> Mistake {
    Mistake { place, says, remedy }
}

impl Mistake {
    /// The beginning of the line that says it: `file:line: error: `.
    fn prefix(&self, dir: &GateDir) -> String {
        let (file, on_line) = self.place;
        let line = dir.read(file).lines().position(|l| l.contains(on_line)).expect(on_line) + 1;
        format!("{file}:{line}: error: ")
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Fails unless `check` says exactly these mistakes, and `serve` the same.
fn refused(dir: &GateDir, mistakes: &[Mistake]) -> String {
    let checked = dir.run(&["check", "."]);
    let served = dir.run(&["serve", "."]);
    for (command, Output { status, .. }) in [("check", &checked), ("serve", &served)] {
        assert_eq!(status.code(), Some(6), "{command} {checked:?} {served:?}");
    }
    let (checked, served) = (text(&checked.stdout), text(&served.stderr));
    for mistake in mistakes {
        let prefix = mistake.prefix(dir);
        for printed in [&checked, &served] {
            let said =
                |l: &str| l.contains(&prefix) && l.contains(mistake.says) && l.contains(mistake.remedy);
            assert!(printed.lines().any(said), "{prefix} … {} … {}\n{printed}", mistake.says, mistake.remedy);
        }
    }
    let errors = checked.lines().filter(|l| l.contains(": error: ")).count();
    assert_eq!(errors, mistakes.len(), "nothing else is wrong:\n{checked}");
    let warnings = checked.lines().filter(|l| l.contains(": warning: ")).count();
    let several = |n: usize, word: &str| format!("{n} {word}{}", if n == 1 { "" } else { "s" });
    let (errors, warnings) = (several(errors, "error"), several(warnings, "warning"));
    let end = format!("{errors}, {warnings}; the gate does not start with this directory\n");
    assert!(checked.ends_with(&end), "{checked}");
    assert!(served.ends_with("the gate does not start with this directory\n"), "{served}");
    checked
}

async fn dir() -> GateDir {
    let dir = GateDir::new(&Upstream::start().await);
    assert_done(&dir.run(&["check", "."]));
    dir
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_with_a_typo_is_refused_with_its_line() {
    let dir = dir().await;
    dir.edit("policies/shop.cedar", "forbid (principal, action in", "forbit (principal, action in");
    refused(&dir, &[mistake(("policies/shop.cedar", "forbit"), "invalid policy effect: forbit", "forbid")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_about_an_action_that_does_not_exist_is_refused() {
    let dir = dir().await;
    dir.edit(
        "policies/shop.cedar",
        "Action::\"shop.price.set\", resource)\nwhen { context.risk.amount > 1000 }",
        "Action::\"shop.price.sett\", resource)",
    );
    let place = ("policies/shop.cedar", "shop.price.sett");
    let printed = dir.run(&["check", "."]);
    assert_eq!(printed.status.code(), Some(6));
    let prefix = mistake(place, "", "").prefix(&dir);
    let said = text(&printed.stdout);
    let meant = "Did you mean `Action::\"shop.price.set\"`?";
    assert!(said.lines().any(|l| l.contains(&prefix) && l.ends_with(meant)), "{prefix}\n{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_with_an_unknown_field_is_refused_and_the_known_ones_named() {
    let dir = dir().await;
    dir.edit("actions/shop.toml", "title = \"Set a price\"", "titel = \"Set a price\"");
    let place = ("actions/shop.toml", "titel = ");
    refused(&dir, &[mistake(place, "unknown field `titel`, expected one of `title`", "never ignored")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_names_an_unknown_approval_rule_is_refused() {
    let dir = dir().await;
    dir.edit("policies/shop.cedar", "@approval(\"both\")", "@approval(\"boht\")");
    let place = ("policies/shop.cedar", "@approval(\"boht\")");
    refused(&dir, &[mistake(place, "approval rule `boht` is not defined", "approvals.toml")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_names_an_unknown_team_is_refused() {
    let dir = dir().await;
    dir.edit("policies/shop.cedar", "Team::\"support\"", "Team::\"suport\"");
    let place = ("policies/shop.cedar", "Team::\"suport\"");
    refused(&dir, &[mistake(place, "`Team::\"suport\"` does not exist", "directory.toml")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_that_is_missing_or_for_something_else_is_refused_where_it_is_named() {
    let dir = dir().await;
    dir.edit("countersign.toml", "[credential.shop-write]", "[credential.shop-wrote]");
    dir.edit("countersign.toml", "use = \"read\"", "use = \"write\"");
    let place = ("actions/shop.toml", "credential = ");
    refused(
        &dir,
        &[
            mistake(
                place,
                "credential `shop-write`, which is not in countersign.toml",
                "[credential.shop-write]",
            ),
            mistake(place, "credential `shop-read` for `read`", "use = \"read\""),
        ],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_that_others_can_reach_needs_a_tls_proxy_t135() {
    let dir = dir().await;
    dir.edit("countersign.toml", "people = \"127.0.0.1:0\"", "people = \"0.0.0.0:0\"");
    let place = ("countersign.toml", "people = ");
    let says = "the people listener 0.0.0.0:0 can be reached from other machines without TLS";
    refused(&dir, &[mistake(place, says, "behind_tls_proxy = true")]);
    dir.edit("countersign.toml", "[listen]", "[listen]\nbehind_tls_proxy = true");
    assert_done(&dir.run(&["check", "."]));
}

#[tokio::test(flavor = "multi_thread")]
async fn agents_and_people_never_share_a_listener() {
    let dir = dir().await;
    dir.edit("countersign.toml", "127.0.0.1:0", "127.0.0.1:4199");
    let place = ("countersign.toml", "people = ");
    refused(&dir, &[mistake(place, "agents and people share one listener", "must not reach an approval")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_in_place_of_its_source_is_refused_and_not_repeated() {
    let secret = "sk_live_4711abcdefgh";
    let dir = dir().await;
    for written in
        [format!("\"{secret}\""), secret.to_owned(), format!("[\"{secret}\"]"), format!("\"vault:{secret}\"")]
    {
        let kept = dir.read("countersign.toml");
        dir.edit("countersign.toml", "\"file:secrets/write\"", &written);
        for command in ["check", "serve", "init"] {
            let Output { status, stdout, stderr } = dir.run(&[command, "."]);
            assert_eq!(status.code(), Some(6), "{command} {written}");
            let printed = text(&stdout) + &text(&stderr);
            assert!(printed.contains("countersign.toml:"), "{command} {written}: {printed}");
            assert!(!printed.contains(secret), "{command} {written}: {printed}");
        }
        dir.write("countersign.toml", &kept);
    }
    dir.edit("countersign.toml", "\"file:secrets/write\"", &format!("\"{secret}\""));
    let place = ("countersign.toml", "[credential.shop-write]");
    let remedy = "Write `env:NAME` or `file:PATH`; a secret never stands here.";
    refused(&dir, &[mistake(place, "credential `shop-write`: the source is not known", remedy)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_mistakes_are_said_at_once_and_none_that_only_follows() {
    let dir = dir().await;
    dir.edit("countersign.toml", "people = \"127.0.0.1:0\"", "people = \"0.0.0.0:0\"");
    dir.edit("countersign.toml", "\"127.0.0.1/32\"", "\"localhost\"");
    dir.edit("countersign.toml", "[credential.shop-write]", "[credential.shop-wrote]");
    dir.edit("directory.toml", "owner = \"olga\"", "owner = \"ogla\"");
    dir.edit("policies/shop.cedar", "@id(\"no-deletes\")", "@id(\"no-deletes\")\n@idd(\"x\")");
    dir.write("policies/more.cedar", "permit (principal, action, resource) whenn { true };\n");
    let printed = text(&dir.run(&["check", "."]).stdout);
    for part in [
        "countersign.toml:6: error: the people listener",
        "countersign.toml:10: error: `localhost` is not a network",
        "credential `shop-write`, which is not in countersign.toml",
        "directory.toml:",
        "policies/more.cedar:1: error: ",
    ] {
        assert!(printed.contains(part), "{part}\n{printed}");
    }
    assert!(!printed.contains("environment"), "what is right is not blamed:\n{printed}");
    // With the directory in order, the policies are looked at more closely.
    dir.edit("directory.toml", "owner = \"ogla\"", "owner = \"olga\"");
    dir.edit("actions/shop.toml", "title = \"Set a price\"", "titel = \"Set a price\"");
    let printed = text(&dir.run(&["check", "."]).stdout);
    for part in [
        "actions/shop.toml:",
        "unknown field `titel`",
        "unknown annotation `@idd`",
        "policies/more.cedar:1: ",
    ] {
        assert!(printed.contains(part), "{part}\n{printed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_is_no_gate_directory_is_refused_with_what_to_do() {
    let dir = dir().await;
    std::fs::remove_file(dir.path().join("countersign.toml")).unwrap();
    for command in ["check", "serve", "init"] {
        let Output { status, stdout, stderr } = dir.run(&[command, "nowhere"]);
        let printed = text(&stdout) + &text(&stderr);
        if command == "init" {
            assert_eq!(status.code(), Some(0), "init makes one: {printed}");
        } else {
            assert_eq!(status.code(), Some(6), "{command}: {printed}");
            assert!(printed.contains("Run `countersign init DIR`"), "{command}: {printed}");
        }
    }
}

/// A directory with one agent, one rule that is asked for, and Frank as its only approver, whom the agent may
/// act for.
async fn one_approver() -> GateDir {
    let dir = dir().await;
    dir.edit("policies/shop.cedar", "@approval(\"both\")", "@approval(\"finance\")");
    dir.edit("approvals.toml", "quorum = 2\n", "");
    dir.edit("directory.toml", "title = \"Other bot\"", "title = \"Other bot\"\ndisabled = true");
    dir.edit("directory.toml", "name = \"Fiona Fay\"\nteams = [\"finance\"]", "name = \"Fiona Fay\"");
    dir.edit(
        "directory.toml",
        "name = \"Frank Field\"\nteams = [\"finance\"]",
        "name = \"Frank Field\"\nteams = [\"finance\", \"support\"]",
    );
    dir
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_that_an_agents_proposals_could_never_meet_is_refused_a4() {
    let dir = one_approver().await;
    dir.edit("directory.toml", "act_for = [\"team:support\"]", "act_for = [\"person:frank\"]");
    let says = "nobody can meet rule `finance` for proposals of agent `bot`";
    refused(&dir, &[mistake(("approvals.toml", "[finance]"), says, "whom the agent may not act for")]);
    // What policy never asks of the agent is nobody's mistake.
    dir.edit("policies/shop.cedar", "@approval(\"finance\")", "@approval(\"both\")");
    dir.edit("approvals.toml", "[both]\nwho = [\"team:finance\"]", "[both]\nwho = [\"person:fiona\"]");
    assert_done(&dir.run(&["check", "."]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_that_needs_a_confirmation_first_is_warned_of_a4() {
    let dir = one_approver().await;
    let warned = |dir: &GateDir| {
        let printed = dir.run(&["check", "."]);
        assert_done(&printed);
        let printed = text(&printed.stdout);
        let line = dir.read("approvals.toml").lines().position(|l| l == "[finance]").unwrap() + 1;
        let says = format!(
            "approvals.toml:{line}: warning: rule `finance` can be met for agent `bot` only after the person it \
             names has confirmed"
        );
        printed.lines().any(|l| l.starts_with(&says))
    };
    assert!(warned(&dir));
    dir.edit("directory.toml", "name = \"Fiona Fay\"", "name = \"Fiona Fay\"\nteams = [\"finance\"]");
    assert!(!warned(&dir), "Fiona may decide whomever the agent names");
}
