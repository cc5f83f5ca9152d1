//! The guides' blocks, in order. Those for agents' authors, approvers and auditors run against a demo that stays up
//! after its story, those for operators in a directory of their own; the built binary stands in for the installed one.
//! The manifest and the policies that the other two guides show are put together and checked.

use std::fs;
use std::path::Path;

use crate::demo::in_order;
use crate::examples::{free_port, replace_number, shell};
use crate::readme::blocks;
use crate::support::tools::{self, repository};

/// Tells the demo's story to its end, with Frank's decision on the command line, and leaves the demo running.
const DEMO: &str = r#"
countersign demo > demo.out &
until grep -q /sign-in/ demo.out; do sleep 0.1; done
countersign person login "$(grep -o 'http://[^ ]*/sign-in/[^ ]*' demo.out)"
echo yes | command countersign approve "$(grep -o 'prp_[0-9a-z]*' demo.out | tail -1)" > card.out
until grep -q 'env.sh' demo.out; do sleep 0.1; done
"#;

/// What a reader types, a person who decides meanwhile, and programs under the names that an installation gives them.
const READER: &str = r#"
countersign() {
    case "$1" in
        approve|confirm) echo yes | command countersign "$@" ;;
        *) command countersign "$@" ;;
    esac
}
frank_approves_what_comes_next() {
    until grep -q prp_ waiting.out 2> /dev/null; do sleep 0.2; countersign list > waiting.out; done
    sleep 1
    countersign approve "$(grep -o 'prp_[0-9a-z]*' waiting.out | head -1)" > approved.out
}
npx() { node "node_modules/$1/bin/cli.js" "${@:2}"; }
"#;

fn guide(name: &str) -> String {
    fs::read_to_string(repository().join("docs/guide").join(name).with_extension("md")).unwrap()
}

/// Runs a story in a folder of its own.
fn run(story: &str, prepare: impl FnOnce(&Path)) -> String {
    let temp = tempfile::tempdir().unwrap();
    let (dir, home) = (temp.path().join("work"), temp.path().join("home"));
    fs::create_dir(&dir).unwrap();
    fs::create_dir(&home).unwrap();
    prepare(&dir);
    let story = story.replace("/srv/gate", dir.join("srv/gate").to_str().unwrap());
    shell(&format!("set -e\n{story}\necho all blocks ran\n"), &dir, &home)
}

/// Follows a guide against the demo, and looks for these parts in what is printed.
fn follow(name: &str, parts: &[&str]) {
    let blocks = blocks(&guide(name), "sh").concat();
    all_ran(&run(&format!("{DEMO}{READER}{blocks}\n"), |_| ()), parts);
}

fn all_ran(printed: &str, parts: &[&str]) {
    in_order(printed, &[parts, &["all blocks ran"]].concat());
}

#[test]
fn the_blocks_of_the_guide_for_authors_of_agents() {
    let generator = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/clients/typescript/node_modules");
    if !tools::has(&generator) || !tools::has(&tools::tools().join("venv/bin/openapi-python-client")) {
        return;
    }
    let blocks = blocks(&guide("agent-author"), "sh").concat();
    let story = format!(
        "{DEMO}{READER}frank_approves_what_comes_next &\n{blocks}\ntest -s agents-api.d.ts\ntest -d gate_agents/models\n"
    );
    let printed = run(&story, |dir| {
        std::os::unix::fs::symlink(&generator, dir.join("node_modules")).unwrap();
    });
    let parts = [
        r#""name":"acme.refund.create""#,
        // Proposed, and waited for until Frank has decided.
        r#""state":"pending""#,
        "NOT DONE. Waiting for approval",
        r#""state":"succeeded""#,
        "event: proposal",
        r#""state":"cancelled""#,
        // From a shell.
        "Refund 25.00 USD to Ada Lovelace, invoice inv_1001.",
        "cancelled",
        "exit status 4",
    ];
    all_ran(&printed, &parts);
}

#[test]
fn the_blocks_of_the_guide_for_approvers() {
    let parts = [
        "signed in as frank",
        "Refund 900.00 USD to Grace Hopper, invoice inv_1002.",
        // Small refunds do not wait.
        "Done.",
        "Refund 150.00 USD to Grace Hopper, invoice inv_1002.",
        // On the card, and after it.
        "balance: ",
        "approved; the proposal is succeeded",
        "approved; the proposal is succeeded",
        "rejected",
        // Over HTTP.
        r#""person":"frank""#,
        "signed in as ann",
        "Refund 125.00 USD to Grace Hopper, invoice inv_1002.",
        "confirmed",
    ];
    follow("approver", &parts);
}

#[test]
fn the_blocks_of_the_guide_for_auditors() {
    let parts = [
        "signed in as olga",
        r#""event":"gate.started""#,
        r#""event":"proposal.approved""#,
        "proposal.approved",
        r#""event":"proposal.dispatched""#,
        "wrote log.export",
        "UNANCHORED: ",
        "VERIFIED: ",
    ];
    follow("auditor", &parts);
}

/// These change the machine. `packaging::` installs the package in a root of its own; nothing builds the container.
const INSTALLS: [&str; 3] = ["cargo build ", "sudo ", "podman "];

#[test]
fn the_blocks_of_the_guide_for_operators() {
    let ports = [4180, 4181].map(|port| (port, free_port()));
    let all = blocks(&guide("operator"), "sh");
    let (left_out, blocks): (Vec<String>, Vec<String>) =
        all.into_iter().partition(|block| INSTALLS.iter().any(|program| block.starts_with(program)));
    assert_eq!(left_out.len(), INSTALLS.len(), "{left_out:?}");
    let made = "countersign init /srv/gate --example\n";
    let edits = ports.iter().fold(String::new(), |edits, (from, to)| format!("{edits}s/:{from}/:{to}/;"));
    let story = blocks.concat();
    assert!(story.starts_with(made), "{story}");
    let story = ports.iter().fold(story, |text, (from, to)| replace_number(&text, *from, *to));
    let story = story.replace(made, &format!("{made}sed -i '{edits}' /srv/gate/countersign.toml\n"));
    // A reader is not as fast as a script.
    let up = format!("until curl -sf http://127.0.0.1:{}/livez > /dev/null; do sleep 0.1; done", ports[0].1);
    let story = story.replace("GATE=$!\n", &format!("GATE=$!\n{up}\n"));
    let printed = run(&format!("{story}sleep 1\nkill $GATE\nwait\n"), |_| ());
    let address = format!("http://127.0.0.1:{}/sign-in/csl_", ports[1].1);
    let parts = ["ok: 1 action", &address, "agents ", "ok: 1 action", "the gate directory was loaded again"];
    all_ran(&printed, &parts);
}

/// Every `toml` block of the guide on actions is a part of one manifest, and the policies name its action.
#[test]
fn the_manifest_and_the_policies_of_the_guides_load() {
    let demo = repository().join("crates/countersign/src/demo/gate");
    let story = "countersign init gate\ncp files/actions/* gate/actions/\ncp files/policies/* gate/policies/\n\
                 cp files/*.toml gate/\ncat files/credentials >> gate/countersign.toml\n\
                 countersign check --without-secrets gate\n";
    let printed = run(story, |dir| {
        let files = dir.join("files");
        fs::create_dir_all(files.join("actions")).unwrap();
        fs::create_dir_all(files.join("policies")).unwrap();
        fs::write(files.join("actions/acme.toml"), blocks(&guide("actions"), "toml").concat()).unwrap();
        fs::write(files.join("policies/support.cedar"), blocks(&guide("policies"), "cedar").concat())
            .unwrap();
        for file in ["directory.toml", "approvals.toml"] {
            fs::copy(demo.join(file), files.join(file)).unwrap();
        }
        let credential = |name: &str, class: &str| {
            format!(
                "[credential.{name}]\norigin = \"https://api.acme.example\"\nuse = \"{class}\"\nfrom = \"env:X\"\n"
            )
        };
        let credentials = credential("acme-read", "read") + &credential("acme-write", "write");
        fs::write(files.join("credentials"), credentials).unwrap();
    });
    all_ran(&printed, &["ok: 1 action"]);
}
