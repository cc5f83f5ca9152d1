//! The reference says what the code does: `docs/reference` is compared with what the binary says of itself.
//! `BLESS=1 cargo test -p countersign --test it golden::` writes it anew.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::gate::{assert_done, binary};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference")
}

fn compare(document: &str, file: &str) {
    let output = Command::new(binary()).args(["reference", document]).output().unwrap();
    assert_done(&output);
    let now = String::from_utf8(output.stdout).unwrap();
    let path = folder().join(file);
    if std::env::var_os("BLESS").is_some() {
        std::fs::create_dir_all(folder()).unwrap();
        std::fs::write(&path, &now).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    let place = now.lines().zip(kept.lines()).position(|(now, kept)| now != kept);
    assert!(
        kept == now,
        "{} is not what the code says from line {} on; if the change is meant, run with BLESS=1",
        path.display(),
        place.unwrap_or_else(|| now.lines().count().min(kept.lines().count())) + 1
    );
}

#[test]
fn the_reference_of_the_api_is_the_one_of_the_code() {
    compare("openapi-agents", "openapi-agents.json");
    compare("openapi-people", "openapi-people.json");
}

#[test]
fn the_reference_of_the_command_line_is_the_one_of_the_code() {
    compare("cli", "cli.md");
}

#[test]
fn the_reference_of_errors_is_the_one_of_the_code() {
    compare("errors", "errors.md");
}

#[test]
fn the_reference_of_the_log_is_the_one_of_the_code() {
    compare("audit", "audit.md");
}

#[test]
fn the_reference_of_settings_is_the_one_of_the_code() {
    compare("config", "config.md");
}

#[test]
fn a_new_gate_directory_passes_its_check() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("gate");
    assert_done(&Command::new(binary()).arg("init").arg(&dir).output().unwrap());
    let checked = Command::new(binary()).arg("check").arg(&dir).output().unwrap();
    assert_done(&checked);
    assert!(String::from_utf8_lossy(&checked.stdout).starts_with("ok: 0 actions"), "{checked:?}");
}
