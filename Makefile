.PHONY: help demo test test-browser mcp-conformance bless bench chaos fuzz lint
help: ## show this menu
	@sed -n 's/^\([a-z-]*\):.*## /\1	/p' Makefile | expand -t 14
demo: ## the whole story in one minute: an agent, a policy, a person, a log
	cargo run --profile demo -- demo
test: ## install what the tests need (Debian, as root) and run them all
	scripts/setup-tools.sh && scripts/test.sh
test-browser: ## only the tests that drive Chromium
	scripts/setup-tools.sh && scripts/test.sh -p countersign --test it browser_
mcp-conformance: ## the official conformance suite of MCP against a gate, with its own totals
	scripts/setup-tools.sh && scripts/test.sh -p countersign --test it mcp::conformance --no-capture
bless: ## accept what the tests see now as right: snapshots and generated documents; read the diff
	scripts/setup-tools.sh && BLESS=1 INSTA_UPDATE=always scripts/test.sh --workspace --no-fail-fast
bench: ## measure the gate beside its yardsticks; QUICK=1 for a short run
	cargo build --release -p countersign && cargo run --release -p countersign-bench -- $(if $(QUICK),--quick)
chaos: ## break real gates and check them from outside; STORE=, DURATION=, SEED=, GUARDS=1
	scripts/chaos.sh
fuzz: ## run each fuzz target for SECONDS= (15)
	scripts/fuzz.sh $(or $(SECONDS),15)
lint: ## formatting, lints and documentation
	cargo fmt --all --check && cargo clippy --workspace --all-targets -- -D warnings && RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --workspace
