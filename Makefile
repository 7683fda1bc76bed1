# `make help` lists what there is.

# On a machine that tests the same project again and again, what was built is kept outside the checkout.
ifdef CI
export CARGO_TARGET_DIR ?= $(HOME)/.cache/ringwood/target
export CARGO_INCREMENTAL = 0
endif

.DEFAULT_GOAL := help
.PHONY: help test packages lint unit

help: ## List the targets.
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

packages:
	@xtask/toolchain/packages test

test: packages lint unit ## Check everything that CI checks.

lint: packages
	cargo fmt --all --check
	cargo xtask tidy
	cargo clippy --workspace --all-targets --quiet -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --quiet

# The summary of the test runner comes last.
unit: packages
	cargo test --workspace --quiet
