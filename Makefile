# The project's everyday jobs. Each sets up what it needs: see scripts/setup.

BUILT := $(or $(CARGO_TARGET_DIR),target)

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

.PHONY: help
help: ## List the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

.PHONY: setup
setup: ## Install missing system packages (libhdf5, pkg-config, a C toolchain)
	@scripts/setup

.PHONY: build
build: setup ## Build the program with optimisation
	cargo build --release

.PHONY: package
package: setup ## Make a Debian package, with manual page and completions; needs cargo-deb
	@scripts/package

.PHONY: demo
demo: build ## Record the sample model, interrupt and resume, and show the ranges
	@scripts/demo $(BUILT)/release/record-minmax

.PHONY: session
session: build ## Record the terminal session that README shows; needs tmux
	@scripts/session $(BUILT)/release/record-minmax

.PHONY: test
test: setup ## Run all tests
	if cargo nextest --version >/dev/null 2>&1; then \
	    cargo nextest run; cargo test --doc; \
	else \
	    cargo test; \
	fi

.PHONY: neon
neon: ## Run all tests for AArch64 under qemu; CHROOT=FOLDER where rustup has no target
	@scripts/test-neon $(CHROOT)

.PHONY: format
format: ## Format the code
	cargo fmt

.PHONY: lint
lint: setup ## Check formatting, lints, documentation and dependencies
	cargo fmt --check
	cargo clippy --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --no-deps
	if cargo deny --version >/dev/null 2>&1; then cargo deny check; fi

.PHONY: check
check: lint test ## Everything that must pass before a change is done

.PHONY: large
large: setup ## Record and write a model of more than 2 GB
	cargo test --release --test cli large -- --ignored

.PHONY: exhaustive
exhaustive: setup ## Check for all floats that the logistic function does not fall
	cargo test --release --lib falls_nowhere -- --ignored

.PHONY: kill
kill: setup ## Kill the program KILLS=200 times at random moments, and resume it each time
	KILLS=$(or $(KILLS),200) cargo test --test cli kills -- --nocapture

.PHONY: stress
stress: setup ## Run the pipeline STRESS=20000 times with random delays, errors and stops
	STRESS=$(or $(STRESS),20000) cargo test --lib pipeline::tests::delays

.PHONY: scale
scale: setup ## Write, recover and estimate RECORDS=10000000 records of 300 tensors (24 GB) in FOLDER
	cargo bench --bench scale -- $(or $(RECORDS),10000000) $(FOLDER)

.PHONY: browser
browser: build ## Try a report of 100,000 records, and an output model in Netron, in headless Chromium
	@scripts/browser-setup
	cargo build --release --example synthetic
	@scripts/check-report $(BUILT)/release/record-minmax $(BUILT)/release/examples/synthetic
	@scripts/check-netron $(BUILT)/release/record-minmax

.PHONY: fuzz
fuzz: setup ## Fuzz TARGET (model, recording or run) for SECONDS; needs cargo-fuzz
	mkdir -p fuzz/corpus/$(TARGET)
	cd fuzz && RUSTC_BOOTSTRAP=1 cargo fuzz run --fuzz-dir . --sanitizer none $(TARGET) corpus/$(TARGET) \
	    -- -timeout=20 -max_total_time=$(or $(SECONDS),1800)

# Arguments of the benchmark; those that are not given have defaults.
BENCH_ARGUMENTS = $(if $(MODELS),--models $(MODELS)) $(if $(PEERS),--peers $(PEERS)) \
    $(if $(SECONDS),--seconds $(SECONDS)) $(if $(ROUNDS),--rounds $(ROUNDS)) \
    $(if $(CORES),--cores $(CORES)) $(if $(ISA),--isa $(ISA))

.PHONY: bench
bench: build ## Compare with other runtimes: MODELS="resnet50 mlp" SECONDS=5 ROUNDS=3 ISA=avx2
	@scripts/bench-setup
	@.venv/bench/bin/python benches/peers/bench.py $(BENCH_ARGUMENTS)
