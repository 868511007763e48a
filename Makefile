# One command for each thing that one does with this repository. `make` alone lists them.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help demo build image test test-fast test-real real-cluster bench bench-real seeds soak plans bugs model fuzz faults lint clean tools \
	played test-tools real-tools components

# Arguments for `make demo`, such as ARGS="--tour -o json".
ARGS ?=

CARGO := cargo
LOCKED := --locked
# What `make test` builds and runs: see Cargo.toml.
CHECKED := $(LOCKED) --profile checked --workspace --features otlp
# The binary, with the features of all tests: with others much of it would be built a second time.
CHECKED_BINARY := $(CARGO) build $(CHECKED) --bin reef --test arrows
# The tests on the real parties, in two halves that run beside each other on clusters of their own: the stories take as long as all others together.
STORIES := --test end_to_end
OTHERS := $(addprefix --test ,$(sort $(filter-out end_to_end,$(basename $(notdir $(wildcard tests/real/tests/*))))))

# Tools live outside the tree, so that `make clean` and a fresh clone do not build them again.
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/reef
DENY_VERSION := 0.20.2
# The first seed of `make test`: fresh for each change, and the same whenever what is committed is tested again. `make seeds` takes others each time.
TESTED_FIRST = $$(( 0x$$(git rev-parse --short=8 'HEAD^{tree}' 2>/dev/null | head -c 8 || true) + 0 ))0000
# As in tests/real/src/options.rs.
KUBERNETES_VERSION := 1.35.4
DENY := $(CACHE)/cargo-deny-$(DENY_VERSION)/bin/cargo-deny

help: ## Lists the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

demo: tools ## Runs Reef on an embedded cluster: eight VMs, resized by git push (ARGS="--tour" shows it by itself)
	@$(CARGO) run $(LOCKED) --bin reef -- demo $(ARGS)

build: tools ## Builds the binary, optimised: target/release/reef
	$(CARGO) build $(LOCKED) --release --bin reef

# Stripped of lines, not of names: half of it would be for debuggers.
image: tools ## Packs Reef as a container image, without a container engine: target/image/reef.tar (NAME=registry/reef:tag)
	$(CARGO) build $(LOCKED) --release --bin reef
	@mkdir -p target/image
	@strip --strip-debug -o target/image/reef target/release/reef
	@$(CARGO) run $(LOCKED) --quiet --package reef-image -- --binary target/image/reef --output target/image/reef.tar \
		--revision "$$(git describe --always --abbrev=40 --dirty --exclude '*')" $(if $(NAME),--name "$(NAME)")

# What the real tier needs is built in the pauses of the other tests.
test: lint test-tools ## Everything that a change must pass: lint and all tests
	@! tests/real/able 2>/dev/null || chrt -i 0 $(MAKE) --no-print-directory real-tools >/dev/null 2>&1 &
	$(CARGO) test $(CHECKED) --lib --bins
	$(CARGO) test $(CHECKED) --exclude reef-real --test '*'
	@if [ "$${CI:-}" != true ] && ! why=$$(tests/real/able 2>&1); then \
		$(MAKE) --no-print-directory played; \
		echo "The real tier is skipped: $$why" >&2; \
	else \
		chrt -i 0 $(MAKE) --no-print-directory played & played=$$!; \
		$(MAKE) --no-print-directory test-real && real=0 || real=$$?; \
		wait $$played && exit $$real; \
	fi

# Virtual time: nothing here hurries, so it takes what the machines of the real tier leave of the processors.
played:
	first=$(TESTED_FIRST); $(MAKE) --no-print-directory seeds SEEDS="$$first..$$((first + 10000))"
	$(MAKE) --no-print-directory plans
	$(MAKE) --no-print-directory bugs FIRST=1000 FOR=5m

test-fast: tools ## The unit tests only, without lint
	$(CARGO) test $(LOCKED) --workspace --lib --bins

test-real: real-tools ## The tests on a real Kubernetes, as root (K8S=1.36.3 for another version)
	$(CHECKED_BINARY)
	@rm -rf target/real/logs
	$(CARGO) test $(CHECKED) --no-run $(STORIES) $(OTHERS)
	@mkdir -p target/real; others=target/real/others.txt; \
	$(CARGO) test $(CHECKED) --no-fail-fast $(OTHERS) >$$others 2>&1 & beside=$$!; \
	$(CARGO) test $(CHECKED) $(STORIES) && stories=0 || stories=$$?; \
	wait $$beside && rest=0 || rest=$$?; \
	cat $$others; [ $$stories -eq 0 ] && [ $$rest -eq 0 ]
	@target/checked/real-cluster rights

seeds: tools ## Plays the kept scripts of the simulation, and fresh seeds: 10,000 or three minutes of them (FOR=10m, SEEDS=0..500)
	$(CHECKED_BINARY)
	first=$$(date +%s)0000; target/checked/reef sim --script tests/seeds --seeds "$(or $(SEEDS),$$first..$$((first + 10000)))" --for "$(or $(FOR),3m)"

soak: tools ## Plays fresh seeds of the simulation until it is stopped or one fails
	$(CARGO) build $(LOCKED) --profile soak --bin reef
	while first=$$(date +%s)0000; do target/soak/reef sim --seeds "$$first..$$((first + 10000))" --for 10m; done

plans: tools ## Holds 2,000 plans against what then happens on the embedded cluster, and tells which share came true (PLANS=0..400)
	$(CHECKED_BINARY)
	target/checked/reef sim --plans "$(or $(PLANS),0..400)"

bugs: tools ## Proves that each bug of tests/bugs is caught by the simulation, and after how many seeds (BUGS="NAME NAME", FIRST=0)
	@tests/bugs/run $(BUGS)

real-cluster: real-tools ## Starts a real Kubernetes with Reef on it to play with (SHAPE=control-plane, K8S=1.36.3)
	@$(CARGO) build $(LOCKED) --bin reef
	@$(CARGO) run $(LOCKED) -p reef-real --bin real-cluster -- up $(if $(filter-out node,$(SHAPE)),,--reef)

bench: tools ## Measures Reef on this machine: a table, and target/bench.json
	$(CARGO) bench $(LOCKED) --bench reef

# The targets of fuzz/Cargo.toml, each for so many seconds.
FUZZED := manifest qemu qmp quantity refusal vm_info
TIME ?= 60

# Built as for development. A finding is a file in target/fuzz, and its bytes on the terminal.
fuzz: tools ## Gives hostile input to what reads others' words, each target for a while (TIME=60, FUZZED="qmp qemu")
	@command -v c++ >/dev/null || { echo "a C++ compiler is missing: on Debian, apt-get install g++" >&2; exit 1; }
	@cp Cargo.lock fuzz/Cargo.lock
	RUSTC_WRAPPER="$(CURDIR)/fuzz/rustc" $(CARGO) build --manifest-path fuzz/Cargo.toml --target-dir target
	@for target in $(FUZZED); do \
		mkdir -p "target/fuzz/$$target"; \
		echo "fuzzing: $$target" >&2; \
		"target/debug/$$target" -max_total_time="$(TIME)" -max_len=4096 -timeout=10 -print_final_stats=1 -verbosity=0 \
			-artifact_prefix="target/fuzz/$$target-" "target/fuzz/$$target" "fuzz/corpus/$$target"; \
	done

faults: tools ## Prints which faults and invariants tests prove, and what is open (tests/faults.toml)
	@FAULTS_TABLE="$(CURDIR)/target/faults.txt" $(CARGO) test $(LOCKED) --quiet --test faults >&2
	@cat target/faults.txt

model: tools ## Searches all states of the protocol within the full bounds: docs/model.md (ARGS="minds=3 losses=1" for others)
	@$(CARGO) run $(LOCKED) -p reef-model -- $(ARGS)

lint: tools components $(DENY) ## Format, clippy, dependencies, licences
	$(CARGO) fmt --all --check
	$(CARGO) clippy $(CHECKED) --all-targets -- -D warnings
	$(DENY) --locked check bans licenses sources

clean: ## Removes what was built
	$(CARGO) clean

tools:
	@command -v $(CARGO) >/dev/null || { echo "Rust is missing: install it from https://rustup.rs" >&2; exit 1; }
	@command -v cc >/dev/null || { echo "a C compiler is missing: on Debian, apt-get install build-essential" >&2; exit 1; }
	@command -v git >/dev/null || { echo "git is missing: on Debian, apt-get install git" >&2; exit 1; }
	@perl -MFindBin -MIPC::Cmd -e 1 2>/dev/null || { echo "perl is missing, which builds the vendored OpenSSL: on Debian, apt-get install perl" >&2; exit 1; }

# What tests start that is no part of Reef. Installed here, nothing of it is started or enabled: the tests start their own.
test-tools:
	@tests/real/packages sshd=openssh-server jq=jq curl=curl promtool=prometheus

real-tools: tools
	@tests/real/able
	@tests/real/packages containerd runc /usr/lib/cni/loopback=containernetworking-plugins ip=iproute2 \
		qemu-system-x86_64=qemu-system-x86 lighttpd sshd=openssh-server redis-server
	@tests/real/kube/build "$(or $(K8S),$(KUBERNETES_VERSION))" >/dev/null
	@tests/real/argocd/build >/dev/null
	@for tool in helm prometheus-operator; do tests/real/tools $$tool >/dev/null; done

components:
	@for component in fmt clippy; do \
		$(CARGO) $$component --version >/dev/null 2>&1 && continue; \
		command -v rustup >/dev/null || { echo "cargo $$component is missing, and there is no rustup to add it: install it beside cargo" >&2; exit 1; }; \
		rustup component add "$${component/fmt/rustfmt}"; \
	done

$(DENY):
	$(CARGO) install --locked --debug --version $(DENY_VERSION) --root $(CACHE)/cargo-deny-$(DENY_VERSION) cargo-deny

# The web server stands in front of Git's own program; `diff` is what kubectl compares by.
bench-real: real-tools ## Measures Reef on a real API server, with kubectl beside it, as root (VMS="1000 10000 rest argocd", some half an hour)
	@tests/real/packages /usr/sbin/lighttpd=lighttpd diff=diffutils
	$(CARGO) build $(LOCKED) --release --workspace --bin real-cluster --bench real
	$(CARGO) bench $(LOCKED) --workspace --bench real -- $(VMS)
