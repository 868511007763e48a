# One command for each thing that one does with this repository. `make` alone lists them.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help demo build test test-fast bench lint clean tools test-tools components

# Arguments for `make demo`, such as ARGS="--tour -o json".
ARGS ?=

CARGO := cargo
LOCKED := --locked

# Tools live outside the tree, so that `make clean` and a fresh clone do not build them again.
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/reef
DENY_VERSION := 0.20.2
DENY := $(CACHE)/cargo-deny-$(DENY_VERSION)/bin/cargo-deny

help: ## Lists the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

demo: tools ## Runs Reef on an embedded cluster: eight VMs, resized by git push (ARGS="--tour" shows it by itself)
	@$(CARGO) run $(LOCKED) --bin reef -- demo $(ARGS)

build: tools ## Builds the binary, optimised: target/release/reef
	$(CARGO) build $(LOCKED) --release --bin reef

test: lint test-tools ## Everything that a change must pass: lint and all tests
	$(CARGO) test $(LOCKED) --workspace

test-fast: tools ## The unit tests only, without lint
	$(CARGO) test $(LOCKED) --workspace --lib --bins

bench: tools ## Measures Reef on this machine: a table, and target/bench.json (some six minutes)
	$(CARGO) bench $(LOCKED) --bench reef

lint: tools components $(DENY) ## Format, clippy, dependencies, licences
	$(CARGO) fmt --all --check
	$(CARGO) clippy $(LOCKED) --workspace --all-targets -- -D warnings
	$(DENY) --locked check bans licenses sources

clean: ## Removes what was built
	$(CARGO) clean

tools:
	@command -v $(CARGO) >/dev/null || { echo "Rust is missing: install it from https://rustup.rs" >&2; exit 1; }
	@command -v cc >/dev/null || { echo "a C compiler is missing: on Debian, apt-get install build-essential" >&2; exit 1; }
	@command -v git >/dev/null || { echo "git is missing: on Debian, apt-get install git" >&2; exit 1; }
	@perl -MFindBin -MIPC::Cmd -e 1 2>/dev/null || { echo "perl is missing, which builds the vendored OpenSSL: on Debian, apt-get install perl" >&2; exit 1; }

# The tests of Git over SSH talk to a real sshd. Installed here, it is neither started nor enabled: the tests start their own.
test-tools:
	@PATH="$$PATH:/usr/sbin:/usr/local/sbin"; command -v sshd >/dev/null && exit 0; \
	if [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then \
		echo "the OpenSSH server is missing, which the tests of Git over SSH start: on Debian, apt-get install openssh-server" >&2; exit 1; \
	fi; \
	policy=/usr/sbin/policy-rc.d; \
	if [ ! -e $$policy ]; then trap "rm -f $$policy" EXIT; printf '#!/bin/sh\nexit 101\n' >$$policy; chmod +x $$policy; fi; \
	export DEBIAN_FRONTEND=noninteractive; \
	apt-get install -qq -y --no-install-recommends openssh-server >/dev/null || \
		{ apt-get update -qq; apt-get install -qq -y --no-install-recommends openssh-server >/dev/null; }; \
	if command -v systemctl >/dev/null; then systemctl disable ssh.service >/dev/null 2>&1 || true; fi

components:
	@for component in fmt clippy; do \
		$(CARGO) $$component --version >/dev/null 2>&1 && continue; \
		command -v rustup >/dev/null || { echo "cargo $$component is missing, and there is no rustup to add it: install it beside cargo" >&2; exit 1; }; \
		rustup component add "$${component/fmt/rustfmt}"; \
	done

$(DENY):
	$(CARGO) install --locked --version $(DENY_VERSION) --root $(CACHE)/cargo-deny-$(DENY_VERSION) cargo-deny
