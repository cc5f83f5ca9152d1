//! Who imports whom in the binary, which type names stand for one thing only, and where untyped JSON is made.

use std::collections::{BTreeMap, BTreeSet};

use super::{nothing, product, source, word};

/// What people and programs speak to. Each stands on `surface` and `wire`, none on another.
const SURFACES: [&str; 4] = ["http", "mcp", "console", "cli"];

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
            "shell" => vec!["http", "mcp", "console", "cli", "demo"],
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

/// Neighbours that import each other, and why. This list may only shrink.
const CIRCLES: [(&str, &str); 4] = [
    ("core: action and policy", "a manifest must not take a type name that policy has for itself"),
    ("core: action and preview", "an action says what of a preview its agent may see"),
    ("core: audit and proposal", "entries name states, and steps of a proposal make entries"),
    ("core::policy: shape and value", "a shape knows which values it can hold, a value is made for a shape"),
];

/// The modules of a crate's sources: the place of each, and what it names of its own crate.
fn modules(of: &str) -> BTreeMap<Vec<String>, Vec<Vec<String>>> {
    let root = format!("crates/{of}/src/");
    let place = |path: &str| -> Vec<String> {
        let inside = path.strip_prefix(&root).unwrap().strip_suffix(".rs").unwrap();
        let parts = inside.split('/').filter(|part| !["mod", "lib", "main"].contains(part));
        parts.map(str::to_owned).collect()
    };
    product(&root).iter().map(|file| (place(&file.path), source::own_paths(&file.path, &file.text))).collect()
}

/// The module that a path leads to from another, as far as it is one.
fn leads_to(path: &[String], from: &[String], known: &BTreeSet<Vec<String>>) -> Vec<String> {
    let mut at = if path[0] == "crate" { Vec::new() } else { from.to_vec() };
    for part in path {
        match part.as_str() {
            "crate" | "self" => {}
            "super" => drop(at.pop()),
            name => {
                let next = [at.as_slice(), &[name.to_owned()]].concat();
                if !known.contains(&next) {
                    return at;
                }
                at = next;
            }
        }
    }
    at
}

#[test]
fn neighbours_do_not_import_each_other() {
    let mut found = BTreeSet::new();
    for name in ["core", "engine", "acme", "countersign"] {
        let modules = modules(name);
        let known: BTreeSet<Vec<String>> = modules.keys().cloned().collect();
        let mut arrows = BTreeSet::new();
        for (from, paths) in &modules {
            for to in paths.iter().map(|path| leads_to(path, from, &known)) {
                let shared = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
                if shared < from.len() && shared < to.len() {
                    let folder = [&[name.to_owned()], &from[..shared]].concat().join("::");
                    arrows.insert((folder, from[shared].clone(), to[shared].clone()));
                }
            }
        }
        assert!(arrows.len() > 10, "{name}: this rule no longer finds imports");
        for (folder, from, to) in &arrows {
            if from < to && arrows.contains(&(folder.clone(), to.clone(), from.clone())) {
                found.insert(format!("{folder}: {from} and {to}"));
            }
        }
    }
    let listed: BTreeSet<String> = CIRCLES.iter().map(|(circle, _)| (*circle).to_owned()).collect();
    assert_eq!(found, listed, "of two neighbours one knows the other");
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
const UNTYPED: [(&str, &str); 8] = [
    ("crates/core/src/policy/schema.rs", "Cedar's JSON schema format, which Cedar gives no types for"),
    ("crates/core/src/policy/est.rs", "Cedar's JSON policy format, which Cedar gives no types for"),
    ("crates/core/src/action/schema/lint.rs", "JSON Schema documents"),
    ("crates/core/src/action/schema/short.rs", "JSON Schema documents"),
    ("crates/countersign/src/import/narrow", "JSON Schema documents"),
    ("crates/countersign/src/import/operation.rs", "JSON Schema documents"),
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
