//! Who imports whom in the binary, which type names stand for one thing only, and where untyped JSON is made.

use std::collections::{BTreeMap, BTreeSet};

use super::{nothing, product, source, word};

/// What people and programs speak to. Each stands on `surface` and `wire`, none on another.
const SURFACES: [&str; 3] = ["http", "console", "cli"];

/// Whether a line of code imports a module of its crate.
fn takes(line: &str, module: &str) -> bool {
    let listed = line.contains("use crate::{") && line.split([' ', '{', ',', ':', '}']).any(|w| w == module);
    let named = line.match_indices("crate::").any(|(at, m)| word(&line[at + m.len()..]) == module);
    listed || named
}

#[test]
fn surfaces_do_not_import_each_other() {
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    for file in product("crates/countersign/src") {
        let inside = file.path.strip_prefix("crates/countersign/src/").unwrap();
        let from = word(inside);
        let refused: Vec<&str> = match from {
            surface if SURFACES.contains(&surface) => {
                SURFACES.into_iter().filter(|other| *other != surface).collect()
            }
            // Shared parts know none of those who share them.
            "surface" | "wire" => [&SURFACES[..], &["demo", "serve", "listen", "shell"]].concat(),
            "shell" => vec!["http", "console", "cli", "demo"],
            // The start of the process is the only one that knows the command line.
            "main" => Vec::new(),
            _ => vec!["cli"],
        };
        seen.extend(SURFACES.into_iter().filter(|s| *s == from));
        for to in refused {
            found.extend(file.lines_where(|l| takes(l, to)));
        }
    }
    nothing(&found, "what surfaces share stands in `surface` and `wire`, what commands share in `shell`");
    assert_eq!(seen.len(), SURFACES.len(), "a surface has moved; this rule must know where to");
    assert!(takes("use crate::{console, surface::App};", "console") && takes("crate::cli::run()", "cli"));
}

#[test]
fn the_store_is_the_engine_s_own() {
    let names = |l: &str| l.contains("fn store(") && l.contains("pub fn");
    let found: Vec<String> =
        product("crates/engine/src/gate").iter().flat_map(|f| f.lines_where(names)).collect();
    nothing(&found, "surfaces ask the gate by verbs, never its store");
}

/// Type names that stand twice in a crate, and why they may.
const SAME_NAME: [(&str, &str, &str); 0] = [];

#[test]
fn no_type_name_stands_twice_in_a_crate() {
    let mut found = Vec::new();
    for name in ["core", "engine", "acme", "countersign"] {
        let mut types: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for file in product(&format!("crates/{name}/src")) {
            for (line, item) in source::types(&file.path, &file.text) {
                types.entry(item).or_default().push(format!("{}:{line}", file.path));
            }
        }
        assert!(!types.is_empty(), "{name} has no types: this rule no longer finds them");
        let twice = types.into_iter().filter(|(item, places)| {
            places.len() > 1 && !SAME_NAME.iter().any(|(of, known, _)| *of == name && known == item)
        });
        found.extend(twice.map(|(item, places)| format!("{name}: {item}: {}", places.join(", "))));
    }
    nothing(&found, "one name, one thing");
}

/// Where untyped JSON is made in product code, and why it has no type.
const UNTYPED: [(&str, &str); 6] = [
    ("crates/core/src/policy/schema.rs", "Cedar's JSON schema format, which Cedar gives no types for"),
    ("crates/core/src/policy/est.rs", "Cedar's JSON policy format, which Cedar gives no types for"),
    ("crates/core/src/action/schema/lint.rs", "JSON Schema documents"),
    ("crates/core/src/action/schema/short.rs", "JSON Schema documents"),
    ("crates/countersign/src/demo/story.rs", "the inputs that the demo's agent sends"),
    ("crates/acme/src/", "a company's own API, which the gate knows by its manifest alone"),
];

#[test]
fn untyped_json_is_made_only_where_the_list_says_why() {
    let makes = |l: &str| l.contains("json!(") || l.contains("json!{") || l.contains("json! {");
    let mut found = Vec::new();
    let mut used = BTreeSet::new();
    for file in product("crates") {
        let lines = file.lines_where(makes);
        match UNTYPED.iter().find(|(path, _)| file.path.starts_with(path)) {
            Some((path, _)) if !lines.is_empty() => drop(used.insert(*path)),
            Some(_) => {}
            None => found.extend(lines),
        }
    }
    nothing(&found, "give it a type, or a line in the list");
    let unused: Vec<String> =
        UNTYPED.iter().filter(|(path, _)| !used.contains(path)).map(|(p, _)| (*p).to_owned()).collect();
    nothing(&unused, "take these out of the list");
}
