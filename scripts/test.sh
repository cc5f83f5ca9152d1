#!/bin/sh
# Runs every test and lets none be skipped for a missing tool; scripts/setup-tools.sh installs the tools.
# With arguments, runs only what they select: scripts/test.sh -p countersign --test it browser_
set -eu
cd "$(dirname "$0")/.."
export COUNTERSIGN_TOOLS="$PWD/.tools" COUNTERSIGN_REQUIRE_TOOLS=1 COUNTERSIGN_REQUIRE_POSTGRES=1

# cargo-nextest runs the same tests faster where it is installed, and is not needed. It knows no doc tests.
if cargo nextest --version >/dev/null 2>&1; then
    if [ $# -gt 0 ]; then exec cargo nextest run "$@"; fi
    cargo nextest run --workspace --no-fail-fast
else
    if [ $# -gt 0 ]; then exec cargo test "$@"; fi
    cargo test --workspace --lib --bins --tests
fi
cargo test --workspace --doc
