#!/bin/sh
# Builds the fuzz targets and runs each for some seconds, from its seeds and what earlier runs found.
# usage: scripts/fuzz.sh [SECONDS] [TARGET...]
#
# libFuzzer needs the compiler's coverage counters and nothing that only a nightly toolchain has. Address checks are
# left out: the code under test is safe Rust. An explicit --target keeps the counters out of build scripts.
set -eu
cd "$(dirname "$0")/../fuzz"
seconds=${1:-15}
[ $# -gt 0 ] && shift
[ $# -gt 0 ] || set -- json_reader note merkle export manifest

host=$(rustc -vV | sed -n 's/^host: //p')
coverage="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4"
coverage="$coverage -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table"
coverage="$coverage -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 --cfg fuzzing"
RUSTFLAGS="$coverage" cargo build --release --locked --target "$host"

for target in "$@"; do
    mkdir -p "corpus/$target" "artifacts/$target"
    seeds="seeds/$target"
    # The manifests of the demo and of the tests are seeds, too.
    [ "$target" = manifest ] && seeds="$seeds ../crates/core/testdata/actions ../crates/countersign/src/demo/gate/actions"
    log="artifacts/$target/log"
    # shellcheck disable=SC2086 # one word per folder
    if ! "${CARGO_TARGET_DIR:-target}/$host/release/$target" -seed=1 -max_total_time="$seconds" -timeout=10 \
        -rss_limit_mb=2048 -max_len=32768 -artifact_prefix="artifacts/$target/" "corpus/$target" $seeds >"$log" 2>&1
    then
        tail -n 40 "$log" >&2
        echo "fuzz: $target failed; the input is in fuzz/artifacts/$target" >&2
        exit 1
    fi
    echo "fuzz: $target: $(sed -n 's/^Done \(.*\)/\1/p' "$log"), nothing found"
done
