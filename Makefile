# `make help` lists what there is.

# On a machine that tests the same project again and again, what was built is kept outside the checkout.
ifdef CI
export CARGO_TARGET_DIR ?= $(HOME)/.cache/ringwood/target
export CARGO_INCREMENTAL = 0
endif

.DEFAULT_GOAL := help
.PHONY: help run cluster cluster-down test build-packages packages lint unit release s3-server real-parts tools bench \
	bench-query fuzz fuzz-promql sweep corpus promqltest-cluster sim sim-one sim-mistakes chaos upgrade figures soak

help: ## List the targets.
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

build-packages:
	@xtask/toolchain/packages build

release: build-packages
	cargo build --release --package ringwood-cli

run: release ## Build and run a whole cluster in one process: http://localhost:9090.
	exec $${CARGO_TARGET_DIR:-target}/release/ringwood --storage.path=data

cluster: release s3-server ## Start three ingesters, two scrapers and a querier on this machine.
	deploy/cluster up

cluster-down: ## End what `make cluster` started.
	deploy/cluster down

packages:
	@xtask/toolchain/packages test

test: packages lint unit ## Check everything that CI checks.

lint: packages
	cargo fmt --all --check
	cargo xtask tidy
	cargo clippy --workspace --all-targets --quiet -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --quiet

# Examples in the documentation go first, so that the last summary is that of tests.
unit: packages real-parts
	cargo test --workspace --quiet --doc
	cargo test --workspace --quiet --lib --bins --tests --examples

# $(call go-part,NAME,PACKAGE) builds a real part that tests use. Where Go or its modules are out of reach, those tests say that
# they were skipped.
define go-part
	@[ -x target/tools/$(1) ] || ! command -v go >/dev/null || \
		(cd tests/tools && GOFLAGS=-mod=mod go build -o ../../target/tools/ $(2)) || \
		echo "$(1) could not be built: tests that need it are skipped"
endef

# Without it buckets are folders.
s3-server:
	$(call go-part,versitygw,github.com/versity/versitygw/cmd/versitygw)

real-parts: s3-server
	$(call go-part,prometheus,github.com/prometheus/prometheus/cmd/prometheus)
	$(call go-part,promtool,github.com/prometheus/prometheus/cmd/promtool)
	$(call go-part,oracle,./oracle)
	$(call go-part,read-chunks,./read-chunks)

tools: ## Build the real Prometheus, promtool, its engine as an oracle and an S3 server into target/tools (needs Go).
	cd tests/tools && GOFLAGS=-mod=mod go build -o ../../target/tools/ \
		github.com/prometheus/prometheus/cmd/prometheus github.com/prometheus/prometheus/cmd/promtool \
		github.com/versity/versitygw/cmd/versitygw ./oracle ./read-chunks

bench: release tools ## Compare with the current Prometheus over a synthetic fleet: CPU, memory, bytes.
	cargo build --release --package ringwood-fleet
	tests/bench

bench-query: release tools ## Compare what dashboards' queries cost: make bench-query WITH='--recent-series=100000 --old-series=10000'.
	cargo build --release --package ringwood-bench-query
	$${CARGO_TARGET_DIR:-target}/release/bench-query --ringwood=$${CARGO_TARGET_DIR:-target}/release/ringwood $(WITH)

fuzz: ## Fuzz one decoder for a minute: make fuzz TARGET=chunk (needs nightly Rust and cargo-fuzz; `ls fuzz/targets`).
	cargo +nightly fuzz run --fuzz-dir fuzz $(if $(filter entry,$(TARGET)),--features raft) $(TARGET) -- -max_total_time=$${SECONDS_PER_TARGET:-60}

fuzz-promql: tools ## Compare our PromQL engine with the real one on random queries: make fuzz-promql SECONDS=60 SEED=1.
	cargo run --release --package ringwood-differential --bin fuzz-promql -- \
		--seconds=$${SECONDS:-60} --seed=$${SEED:-1}

sweep: release tools ## Ask a real Prometheus and the real binary the same, also by chance: make sweep RANDOM_REQUESTS=20000 SEED=1.
	cargo run --release --package ringwood-sweep -- --ringwood=$${CARGO_TARGET_DIR:-target}/release/ringwood \
		api --random=$${RANDOM_REQUESTS:-20000} --seed=$${SEED:-1}

corpus: release tools ## Ask both all queries of dashboards and rules, over recorded pages whose values move.
	cargo run --release --package ringwood-sweep -- --ringwood=$${CARGO_TARGET_DIR:-target}/release/ringwood corpus

promqltest-cluster: release ## Run all test scripts of PromQL through whole clusters: RINGWOOD_SHARED=the folder with conformance/..
	for options in --shards=1 "--shards=1 --ship" --shards=4 "--shards=4 --ship"; do \
		echo "$$options" && $${CARGO_TARGET_DIR:-target}/release/ringwood tool promqltest --cluster $$options \
			$${RINGWOOD_SHARED:-../shared}/conformance/promqltest/*.test || exit 1; \
	done

sim: ## Let clusters live through faults, each decided by a seed: make sim SEEDS=1000 FIRST=1.
	cargo run --release --package ringwood-sim -- --seeds=$${SEEDS:-1000} --first=$${FIRST:-1}

sim-one: ## Show what happens in one of them: make sim-one SEED=7 WITH=--shrink.
	cargo run --release --package ringwood-sim -- --seed=$(SEED) $(WITH)

sim-mistakes: ## Make mistakes on purpose, one after another, and show that each is noticed: make sim-mistakes SEEDS=500.
	cargo run --release --package ringwood-sim --features mistakes -- --mistakes --seeds=$${SEEDS:-500}

figures: release ## Measure how fast a cluster heals and what it costs idle: make figures SERIES=100000 LOSSES=30.
	cargo build --release --package ringwood-stands
	$${CARGO_TARGET_DIR:-target}/release/stands --ringwood=$${CARGO_TARGET_DIR:-target}/release/ringwood \
		figures --series=$${SERIES:-1000000} --losses=$${LOSSES:-30}

soak: release ## Let series come and go for an hour, ten times too many among them, and watch memory: make soak SECONDS=3600.
	cargo build --release --package ringwood-stands --package ringwood-fleet
	$${CARGO_TARGET_DIR:-target}/release/stands --ringwood=$${CARGO_TARGET_DIR:-target}/release/ringwood \
		soak --fleet=$${CARGO_TARGET_DIR:-target}/release/fleet --seconds=$${SECONDS:-3600} --every-seconds=$${EVERY:-60}

upgrade: ## Let yesterday's binary and today's work in one cluster, and replace one by the other.
	tests/upgrade/build
	UPGRADE_FROM=$(CURDIR)/target/upgrade/ringwood-$$(cat tests/upgrade/PREVIOUS) \
		cargo test --package ringwood-cli --test cluster upgrade -- --nocapture --test-threads=1

chaos: release s3-server ## Strike clusters, disks, nets and buckets, and check after each blow: make chaos ROUNDS=500 ONLY=hardware.
	CHAOS_ROUNDS=$${ROUNDS:-100} cargo test --release --package ringwood-cli --test cluster -- --nocapture --test-threads=1 \
		--include-ignored $${ONLY:-chaos:: hardware:: buckets:: elastic:: zones:: flips:: growth:: hot::}
