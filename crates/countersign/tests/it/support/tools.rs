//! What the tests run that is not Rust, as `scripts/setup-tools.sh` installs it.

use std::path::{Path, PathBuf};

/// The workspace.
pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Where `scripts/setup-tools.sh` puts what the tests need beside Rust.
pub(crate) fn tools() -> PathBuf {
    std::env::var_os("COUNTERSIGN_TOOLS").map_or_else(|| repository().join(".tools"), PathBuf::from)
}

/// The `PATH` on which the programs of the virtual environment are first.
pub(crate) fn path() -> String {
    format!("{}:{}", tools().join("venv/bin").display(), std::env::var("PATH").unwrap())
}

/// The Python package of the adapters, as `PYTHONPATH` takes it.
pub(crate) fn adapters() -> PathBuf {
    repository().join("adapters/python")
}

/// Whether this is installed. A line that says so when it is not; a failed test when `COUNTERSIGN_REQUIRE_TOOLS=1`.
pub(crate) fn has(file: &Path) -> bool {
    let there = file.exists();
    if !there {
        let advice = format!("{} is not there; run scripts/setup-tools.sh", file.display());
        assert!(!std::env::var("COUNTERSIGN_REQUIRE_TOOLS").is_ok_and(|v| v == "1"), "{advice}");
        eprintln!("skipped: {advice}");
    }
    there
}

/// Whether the virtual environment has this Python package; if not, as [`has`].
pub(crate) fn has_python(package: &str) -> bool {
    let python = std::fs::read_dir(tools().join("venv/lib")).into_iter().flatten().find_map(Result::ok);
    let lib = python.map_or_else(|| tools().join("venv/lib"), |python| python.path());
    has(&lib.join("site-packages").join(package))
}
