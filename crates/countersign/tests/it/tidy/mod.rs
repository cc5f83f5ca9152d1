//! What the whole repository must stay: arrows between crates and modules, documents that name what exists. Product
//! code is what the parser says it is, wherever in a file its tests stand.

mod source;
mod structure;
mod threats;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A file of the repository, by its path from the root.
struct Text {
    path: String,
    text: String,
}

impl Text {
    /// Whether it holds tests only.
    fn is_test(&self) -> bool {
        self.path.contains("/tests/") || self.path.ends_with("tests.rs")
    }

    /// Its lines with their numbers, without comments and without what is compiled for tests only.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let left_out = if self.is_test() { Vec::new() } else { source::test_lines(&self.path, &self.text) };
        let lines = self.text.lines().enumerate().map(|(n, l)| (n + 1, l));
        lines
            .filter(move |(n, _)| !left_out.iter().any(|range| range.contains(n)))
            .filter(|(_, l)| !l.trim_start().starts_with("//"))
    }

    /// `path:line` of each line of code that this is true of.
    fn lines_where(&self, is: impl Fn(&str) -> bool) -> Vec<String> {
        self.code().filter(|(_, l)| is(l)).map(|(n, l)| format!("{}:{n}: {}", self.path, l.trim())).collect()
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// Every text file under a folder; what builds and runs leave behind is left out.
fn files(folder: &str) -> Vec<Text> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let (name, path) = (entry.file_name().into_string().unwrap(), entry.path());
            let left_out =
                ["target", "state", "node_modules", ".git", ".tools", "__pycache__", "corpus", "artifacts"];
            if left_out.contains(&name.as_str()) || name.ends_with(".snap.new") {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(text) = std::fs::read_to_string(&path) {
                let path = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
                found.push(Text { path, text });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn rust(folder: &str) -> Vec<Text> {
    files(folder)
        .into_iter()
        .filter(|f| std::path::Path::new(&f.path).extension().is_some_and(|e| e == "rs"))
        .collect()
}

fn product(folder: &str) -> Vec<Text> {
    rust(folder).into_iter().filter(|f| !f.is_test()).collect()
}

/// The names under a table of a crate's manifest.
fn dependencies(of: &str, table: &str) -> Vec<String> {
    let manifest = read(&format!("crates/{of}/Cargo.toml"));
    let lines = manifest.lines().skip_while(|l| *l != format!("[{table}]")).skip(1);
    let names = lines.take_while(|l| !l.starts_with('[')).filter(|l| l.contains('='));
    names.map(|l| l.split(['.', ' ', '=']).next().unwrap().to_owned()).collect()
}

/// The word at the start of a text.
fn word(text: &str) -> &str {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap_or_default()
}

#[track_caller]
fn nothing(found: &[String], rule: &str) {
    assert!(found.is_empty(), "{rule}:\n{}", found.join("\n"));
}

#[test]
fn core_does_no_io() {
    let known = "base64 cedar-policy cel ed25519-dalek iso_currency jiff json-patch jsonschema miette ryu-js schemars serde serde_json sha2 \
                 thiserror toml unicode-general-category unicode-normalization unicode-script unicode-security url";
    let known: Vec<&str> = known.split_whitespace().collect();
    assert_eq!(dependencies("core", "dependencies"), known, "a new dependency of core needs an ADR");
    let words = [
        "std::fs",
        "std::env",
        "std::net",
        "std::process",
        "std::thread",
        "std::io",
        "tokio",
        "reqwest",
        "SystemTime",
        "Instant::now",
        "Timestamp::now(",
        "Zoned::now",
        "getrandom",
        "async fn",
        ".await",
    ];
    // An address is a value like any other.
    let is = |l: &str| words.iter().any(|w| l.replace("std::net::IpAddr", "").contains(w));
    let found: Vec<String> = product("crates/core/src").iter().flat_map(|f| f.lines_where(is)).collect();
    nothing(&found, "core asks nobody for anything");
}

#[test]
fn only_the_store_makes_grants() {
    let makes = |l: &str| l.contains("of_recorded_dispatch") && !l.contains("fn of_recorded_dispatch");
    let makers: Vec<String> = product("crates").iter().flat_map(|f| f.lines_where(makes)).collect();
    assert_eq!(makers.len(), 1, "a grant comes from one place: {makers:?}");
    assert!(makers[0].starts_with("crates/engine/src/store/mod.rs:"), "{makers:?}");
}

#[test]
fn nothing_writes_but_the_store() {
    let writes = |l: &str| {
        let l = l.to_ascii_uppercase();
        ["INSERT INTO ", "INSERT OR ", "DELETE FROM ", "TRUNCATE ", "DROP TABLE"]
            .iter()
            .any(|w| l.contains(w))
            || (l.contains("UPDATE ") && l.contains(" SET "))
    };
    let (store, others): (Vec<Text>, Vec<Text>) =
        product("crates").into_iter().partition(|f| f.path.starts_with("crates/engine/src/store/"));
    let found: Vec<String> = others.iter().flat_map(|f| f.lines_where(writes)).collect();
    nothing(&found, "only the store writes to the database");
    assert!(
        store.iter().any(|f| !f.lines_where(writes).is_empty()),
        "this rule no longer knows what writing is"
    );
}

/// The module of the engine that a file belongs to.
fn module(path: &str) -> &str {
    word(path.strip_prefix("crates/engine/src/").unwrap())
}

#[test]
fn the_engine_keeps_its_arrows() {
    let everywhere = ["net", "grant", "fault", "metrics", "seal", "weaken", "world", "party", "bulkhead"];
    // What a connector is handed, and the words in which a credential says where it may stand.
    let handed = ["Secret", "Misplaced", "Use", "usage_of", "Placement"];
    let mut found = Vec::new();
    for file in product("crates/engine/src") {
        let from = module(&file.path);
        for (number, line) in file.code() {
            for (_, rest) in line.match_indices("crate::").map(|(at, m)| (at, &line[at + m.len()..])) {
                let to = word(rest);
                let names = rest.get(to.len()..).unwrap_or_default().trim_start_matches("::");
                let names: Vec<&str> = names
                    .trim_start_matches('{')
                    .split(',')
                    .map(|n| word(n.trim()))
                    .filter(|n| !n.is_empty())
                    .collect();
                let allowed = from == to
                    || from == "gate"
                    || from == "lib"
                    || everywhere.contains(&to)
                    || (from == "connector"
                        && to == "credential"
                        && names.iter().all(|n| handed.contains(n)));
                if !allowed || (everywhere.contains(&from) && !everywhere.contains(&to)) {
                    found.push(format!("{}:{number}: {}", file.path, line.trim()));
                }
            }
        }
    }
    nothing(&found, "an arrow that ARCHITECTURE.md does not draw");
}

#[test]
fn each_crate_keeps_to_its_own_dependencies() {
    let no = |of: &str, names: &[&str]| {
        for table in ["dependencies", "dev-dependencies"] {
            let has = dependencies(of, table);
            let found: Vec<String> = has.into_iter().filter(|n| names.contains(&n.as_str())).collect();
            nothing(&found, &format!("{table} of {of}"));
        }
    };
    let surfaces = ["axum", "clap", "askama", "tower", "countersign"];
    no(
        "core",
        &[&surfaces[..], &["tokio", "sqlx", "rusqlite", "reqwest", "tracing", "countersign-engine"]].concat(),
    );
    no("engine", &surfaces);
    no("countersign", &["sqlx", "rusqlite"]);
}

#[test]
fn acme_and_the_gate_meet_only_in_the_demo() {
    let ours = |of: &str, is: fn(&str) -> bool| {
        for table in ["dependencies", "dev-dependencies"] {
            let found: Vec<String> = dependencies(of, table).into_iter().filter(|n| is(n)).collect();
            nothing(&found, &format!("{table} of {of} (ADR 0023)"));
        }
    };
    ours("acme", |name| name.starts_with("countersign"));
    for of in ["core", "engine", "../bench", "../chaos"] {
        ours(of, |name| name == "countersign-acme");
    }
    let (demo, others): (Vec<Text>, Vec<Text>) =
        product("crates").into_iter().partition(|f| f.path.starts_with("crates/countersign/src/demo/"));
    let links = |l: &str| l.contains("countersign_acme");
    let found: Vec<String> = others.iter().flat_map(|f| f.lines_where(links)).collect();
    nothing(&found, "only the demo links Acme (ADR 0023)");
    assert!(
        demo.iter().any(|f| !f.lines_where(links).is_empty()),
        "this rule no longer knows what linking is"
    );
}

#[test]
fn the_chaos_program_shares_no_code_with_the_gate() {
    let manifest = read("chaos/Cargo.toml");
    let found: Vec<String> = manifest
        .lines()
        .filter(|l| l.trim_start().starts_with("countersign") || l.contains("path ="))
        .map(str::to_owned)
        .collect();
    nothing(&found, "a mistake in shared code would not be seen (ADR 0021)");
    let uses = |l: &str| l.contains("countersign_core") || l.contains("countersign_engine");
    let found: Vec<String> = rust("chaos").iter().flat_map(|f| f.lines_where(uses)).collect();
    nothing(&found, "a mistake in shared code would not be seen (ADR 0021)");
}

#[test]
fn each_guard_that_can_be_weakened_is_in_the_list_of_the_chaos_program() {
    let mut named: BTreeSet<String> = BTreeSet::new();
    for file in product("crates/engine/src").iter().filter(|f| module(&f.path) != "weaken") {
        let calls =
            file.code().flat_map(|(_, l)| l.split("weakened(\"").skip(1).map(word).map(str::to_owned));
        named.extend(calls);
    }
    let list = read("chaos/guards.txt");
    let lines = list.lines().filter(|l| !l.is_empty() && !l.starts_with('#'));
    let listed: BTreeSet<String> = lines.map(|l| word(l).to_owned()).collect();
    assert_eq!(named, listed, "chaos/guards.txt lists the guards of the code (ADR 0015)");
}

#[test]
fn no_rust_file_is_longer_than_500_lines() {
    let long = |f: &Text| (f.text.lines().count() > 500).then(|| f.path.clone());
    let found: Vec<String> =
        ["crates", "bench", "chaos"].iter().flat_map(|d| rust(d)).filter_map(|f| long(&f)).collect();
    nothing(&found, "split these");
}

#[test]
fn migrations_come_in_pairs() {
    let names = |engine: &str| -> BTreeSet<String> {
        let folder = format!("crates/engine/migrations/{engine}");
        files(&folder).iter().map(|f| f.path[folder.len()..].to_owned()).collect()
    };
    assert_eq!(names("sqlite"), names("postgres"));
}

/// The names of all tests: what stands under a test attribute, and the store's suite, which names its own.
fn tests() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for file in ["crates", "bench", "chaos"].iter().flat_map(|d| rust(d)) {
        let mut marked = false;
        for line in file.text.lines().map(str::trim) {
            marked |= line.starts_with("#[test]") || line.starts_with("#[tokio::test");
            if let (true, Some(at)) = (marked, line.find("fn ")) {
                names.insert(word(&line[at + 3..]).to_owned());
                marked = false;
            }
        }
        if file.path == "crates/engine/tests/store.rs" {
            let listed = file.text.lines().filter_map(|l| l.trim().strip_suffix(',')?.split_once("::"));
            names.extend(listed.map(|(_, name)| name.to_owned()));
        }
    }
    names
}

/// What a document puts in backticks and could be a test's name.
fn named_tests(text: &str) -> BTreeSet<&str> {
    let quoted = text.split('`').skip(1).step_by(2);
    let snake = |w: &&str| w.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    quoted.filter(snake).filter(|w| w.matches('_').count() >= 3).collect()
}

#[test]
fn every_invariant_names_a_test_that_exists() {
    let (text, tests) = (read("ARCHITECTURE.md"), tests());
    let table = text.split("## Invariants").nth(1).unwrap().split("\n## ").next().unwrap();
    let rows: Vec<&str> = table.lines().filter(|l| l.starts_with("| I")).collect();
    assert!(rows.len() >= 12, "the table of invariants is gone");
    let unguarded = |row: &&&str| !row.rsplit('|').nth(1).is_some_and(|guards| guards.contains('`'));
    assert_eq!(rows.iter().find(unguarded), None, "an invariant without a test");
    let guards = table.split('`').skip(1).step_by(2).filter(|w| w.contains('_'));
    let named: BTreeSet<&str> = guards.chain(named_tests(&text)).collect();
    let missing: Vec<String> = named.into_iter().filter(|n| !tests.contains(*n)).map(str::to_owned).collect();
    nothing(&missing, "ARCHITECTURE.md names tests that do not exist");
}

#[test]
fn every_decision_is_in_the_index() {
    let index = read("docs/adr/README.md");
    let missing = |f: &Text| {
        let name = f.path.strip_prefix("docs/adr/").unwrap();
        (name != "README.md" && !index.contains(&format!("]({name})"))).then(|| f.path.clone())
    };
    let found: Vec<String> = files("docs/adr").iter().filter_map(missing).collect();
    nothing(&found, "docs/adr/README.md lists every decision");
}

#[test]
fn nothing_is_left_for_later_and_no_path_of_a_workplace_is_left_behind() {
    // Written in two pieces, so that this file does not find itself.
    let words = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("/wo", "rk/"), concat!("todo", "!(")];
    let mut found = Vec::new();
    for file in files(".") {
        for (number, line) in file.text.lines().enumerate() {
            if words.iter().any(|w| line.contains(w)) {
                found.push(format!("{}:{}: {}", file.path, number + 1, line.trim()));
            }
        }
    }
    nothing(&found, "finish it, or say in a document that it is not built");
}
