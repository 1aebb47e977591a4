# Two commands matter: `make demo` shows the product, `make test` proves it. `make help` lists the rest.

SWIFT ?= swift
# The release build has its own folder, so that it and the debug build never undo each other.
RELEASE = $(SWIFT) build -c release --scratch-path .build-release --product plimsoll
BINARY = .build-release/release/plimsoll

.PHONY: help setup demo test bench bench-judge bench-deploys bench-rollouts bench-rollback bench-queue bench-ramps bench-migrations bench-proxy bench-flags accept lint format clean

help: ## List what can be made.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Install what is missing (Debian packages, Python peers of flags); idempotent.
	scripts/setup

demo: setup ## Build release and play the article's first page on real components.
	$(RELEASE)
	$(BINARY) demo $(DEMO)

# Explorers and simulations fill every core, and may. Tests with real peers and clocks wait for processes and sockets:
# they run after those, and one at a time, so that nothing but the peer decides how long they wait.
PEERS = DriverTests|RuntimeTests|EndToEndTests|MigrationOracleTests|StatementProxyTests|SchemaTrialsTests|FlagServingTests|FlagdServingTests|FlagEvidenceTests

test: ## Build once, run every test; no wall-clock promises.
	$(SWIFT) build --product plimsoll
	$(SWIFT) build --product plimsollPackageTests
	$(SWIFT) test --skip-build --skip '$(PEERS)'
	$(SWIFT) test --skip-build --no-parallel --filter '$(PEERS)'

bench: ## Ratios and medians, side by side in one run.
	$(RELEASE)
	$(BINARY) bench $(BENCH)

bench-judge: ## The judge and its rivals on the same simulated deploys, healthy and bad.
	$(RELEASE)
	$(BINARY) bench judge $(BENCH)

bench-deploys: ## Labelled deploys through the judge of production: precision, recall, causes, times. Minutes.
	$(RELEASE)
	$(BINARY) bench deploys $(BENCH)

bench-rollouts: ## What watching 1,000 rollouts at once costs.
	$(RELEASE)
	$(BINARY) bench rollouts $(BENCH)

bench-rollback: setup ## Bad releases on real components: first bad response to restored. About eleven minutes.
	$(RELEASE)
	$(BINARY) bench rollback $(BENCH)

bench-queue: ## The merge queue and its rivals on the same simulated changes. Hours; BENCH="--seeds 2" is shorter.
	$(RELEASE)
	$(BINARY) bench queue --plots .build-release/bench-queue $(BENCH)

bench-ramps: ## The judge of guarded ramps and its rivals on the same simulated ramps. Minutes.
	$(RELEASE)
	$(BINARY) bench ramps $(BENCH)

bench-migrations: ## The check of a migration: 600 statements on 200 tables, 40 on 50. A minute.
	$(RELEASE)
	$(BINARY) bench migrations $(BENCH)

bench-proxy: setup ## What the recording proxy adds to a round trip, beside the same without it. A minute.
	$(RELEASE)
	scripts/bench-proxy $(BINARY) $(BENCH)

bench-flags: setup ## Evaluating flags beside Unleash's and Flipt's engines, side by side in one run.
	$(RELEASE)
	$(BINARY) bench flags $(BENCH)

accept: setup ## Wall-clock promises on real components, repeated runs, medians. About an hour.
	$(RELEASE)
	$(BINARY) accept $(ACCEPT)

lint: ## The style that a machine can hold.
	$(SWIFT) format lint --strict --recursive Package.swift Sources Tests

format: ## Rewrite in that style.
	$(SWIFT) format --in-place --recursive Package.swift Sources Tests

clean: ## Remove what was built.
	rm -rf .build .build-release .build-peers
