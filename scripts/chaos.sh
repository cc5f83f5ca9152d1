#!/bin/sh
# Real gates under real faults, checked from outside; docs/chaos.md says how to read the result.
#
# STORE=sqlite|postgres (both without it), DURATION=seconds of load, SEED=number (the time without it),
# GUARDS=1: switches off one guard of the gate after the other and demands that each is noticed.
set -eu
cd "$(dirname "$0")/.."
seed=${SEED:-$(date +%s)}
if [ -n "${GUARDS:-}" ]; then
    cargo build -p countersign --features weakened
    cp target/debug/countersign target/debug/countersign-weakened
    # Nothing that could be weakened stays where the next command looks for the gate.
    cargo build -p countersign -p countersign-chaos
    COUNTERSIGN_BIN=target/debug/countersign-weakened exec target/debug/countersign-chaos \
        --guards --store "${STORE:-sqlite}" --seconds "${DURATION:-40}" --seed "$seed"
fi
cargo build -p countersign -p countersign-chaos
for store in ${STORE:-sqlite postgres}; do
    target/debug/countersign-chaos --store "$store" --seconds "${DURATION:-60}" --seed "$seed"
done
