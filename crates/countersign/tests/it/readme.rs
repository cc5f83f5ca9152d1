//! The README's blocks of shell commands, in order, in one shell: the built binary stands in for `cargo run` and
//! `cargo install`, `make test` is left out, and the demo is stopped after its story.

use std::fs;

use crate::demo::in_order;
use crate::examples::{free_port, replace_number, shell};
use crate::support::tools::repository;

/// The ports that the README names: agents, people, Acme.
const PORTS: [u16; 3] = [4180, 4181, 4190];

/// What a reader does in a browser during the demo is done on the command line, and Ctrl-C after the story.
const CARGO: &str = r#"
cargo() {
    [ "$1" = install ] && return
    [ "$*" = "run --profile demo -- demo" ]
    countersign demo > demo.out &
    local demo=$!
    until grep -q /sign-in/ demo.out; do sleep 0.1; done
    countersign person login "$(grep -o 'http://[^ ]*/sign-in/[^ ]*' demo.out)"
    echo yes | countersign approve "$(grep -o 'prp_[0-9a-z]*' demo.out | tail -1)" > card.out
    until grep -q '^  Log' demo.out; do sleep 0.1; done
    kill -TERM $demo
    wait $demo
    cat demo.out
}
"#;

/// The fenced blocks of one language.
pub(crate) fn blocks(text: &str, language: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        if let Some(fence) = line.strip_prefix("```") {
            inside = !inside && fence == language;
            if inside {
                found.push(String::new());
            }
        } else if inside {
            let block = found.last_mut().unwrap();
            block.push_str(line);
            block.push('\n');
        }
    }
    found
}

fn readme() -> String {
    fs::read_to_string(repository().join("README.md")).unwrap()
}

#[test]
fn the_blocks_of_the_readme_reach_a_first_own_action() {
    let ports = PORTS.map(|port| (port, free_port()));
    let moved =
        |text: &str| ports.iter().fold(text.to_owned(), |text, (from, to)| replace_number(&text, *from, *to));
    let blocks: Vec<String> =
        blocks(&readme(), "sh").into_iter().filter(|block| block != "make test\n").collect();
    assert!(blocks.len() >= 7 && blocks[0] == "cargo run --profile demo -- demo\n", "{blocks:?}");
    // The example names the ports that the README does, so they are moved in its files, too.
    let made = "countersign init gate --example\n";
    let edits: String =
        ports.iter().fold(String::new(), |edits, (from, to)| format!("{edits}s/:{from}/:{to}/;"));
    let moves = format!("{made}sed -i '{edits}' gate/countersign.toml gate/actions/acme.toml\n");
    let story = blocks.concat();
    assert_eq!(story.matches(made).count(), 1, "{story}");
    let story = moved(&story).replace(made, &moves);
    let script = format!(
        "set -eo pipefail\nexport COUNTERSIGN_URL=http://127.0.0.1:{}\n{CARGO}\n{story}\necho all blocks ran\n",
        ports[0].1
    );
    let temp = tempfile::tempdir().unwrap();
    let (dir, home) = (temp.path().join("work"), temp.path().join("home"));
    fs::create_dir(&dir).unwrap();
    fs::create_dir(&home).unwrap();
    let printed = shell(&script, &dir, &home);
    let parts = [
        // The demo, as the README quotes it.
        "[1/6] the agent proposes: read a customer",
        "202 pending: NOT DONE. Waiting for approval (0 of 1 from finance).",
        "200 succeeded: Done.",
        "UNANCHORED: 21 entries are what the log signed; no checkpoint held elsewhere was given",
        "The gate stays up until Ctrl-C.",
        // The first own action.
        "ok: 1 action, policy set sha256:",
        "dry run  pending",
        "effect: Add a note to Ada Lovelace: Called back.",
        "NOT DONE. Waiting for approval (0 of 1 from second-pair-of-eyes).",
        "who can decide: Alex (team:approvers)",
        "exit status 3",
        "signed in as alex",
        "Add a note to Ada Lovelace: Called back.",
        "approved; the proposal is succeeded",
        "succeeded",
        "UNANCHORED: ",
        "all blocks ran",
    ];
    in_order(&printed, &parts);
    // Once by `check` and once by `serve`; nothing else is warned of.
    assert_eq!(printed.matches("warning: ").count(), 2, "{printed}");
    // It is really in Acme's books.
    let books = fs::read_dir(dir.join("gate/acme")).unwrap();
    let books: String =
        books.map(|file| fs::read_to_string(file.unwrap().path()).unwrap_or_default()).collect();
    assert!(books.contains("Called back."), "{books}");
}

#[test]
fn what_the_readme_shows_of_the_example_is_the_example() {
    let readme = readme();
    let example = repository().join("crates/countersign/gate/example");
    for (language, file) in [("toml", "acme.toml"), ("cedar", "support.cedar")] {
        let text = fs::read_to_string(example.join(file)).unwrap();
        let shown = blocks(&readme, language);
        assert!(!shown.is_empty(), "{language}");
        for block in shown {
            assert!(text.contains(&block), "{file} does not have\n{block}");
        }
    }
}

#[test]
fn the_example_is_a_new_directory_and_its_secrets_are_private() {
    use std::os::unix::fs::PermissionsExt as _;

    let temp = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        std::process::Command::new(crate::support::gate::binary())
            .args(arguments)
            .current_dir(temp.path())
            .output()
            .unwrap()
    };
    assert!(run(&["init", "gate", "--example"]).status.success());
    for secret in ["secrets/acme-read", "secrets/acme-write", "acme-clients"] {
        let path = temp.path().join("gate").join(secret);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "{secret}");
    }
    let again = run(&["init", "gate", "--example"]);
    let said = String::from_utf8_lossy(&again.stderr).into_owned();
    assert!(!again.status.success() && said.contains("name another one"), "{said}");
}
