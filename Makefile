# The one front of this project; `make` alone lists the targets. On a fresh Debian 12 with the Swift 6.3 toolchain, git
# and make, `make run` and `make test` install what else they need (Scripts/packages.txt).

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
# One target after the other, but for those that are run side by side.
ifndef SIDE_BY_SIDE
.NOTPARALLEL:
endif
MAKEFLAGS += --no-print-directory

# Swift's runtime is linked in and symbols are left out: against dynamic linking it starts in 4.7 ms instead of 6.0,
# with 2.5 MB less resident memory; one file of 7 MB.
# Addresses of libraries' functions are fixed at start and read-only after; libraries are those of the system, wherever
# the binary was built (Scripts/check-binary).
# Functions that call no other need no frame: 3 % fewer instructions.
# Without the last option, each module has a checksum of what it was built from, with the paths of this machine.
RELEASE := -c release --static-swift-stdlib --omit-frame-pointers -Xlinker -s \
	-Xlinker -z -Xlinker relro -Xlinker -z -Xlinker now --disable-local-rpath \
	-Xswiftc -Xfrontend -Xswiftc -disable-incremental-llvm-codegen

# What `make fuzz` tries, and with how many inputs each.
FUZZ_TARGETS ?= request-parser answer-decoder event-stream multipart chat-body tool-answer mask
FUZZ_RUNS ?= 200000

# How many runs `make simulate` makes.
SEEDS ?= 10000

# Where `make install` puts the program: into the folder `bin` of this one.
PREFIX ?= /usr/local

# How many states `make model` looks for in each of its searches.
STATES ?= 100000

# Suites that keep all cores busy for minutes: others beside them would wait longer than their own time-outs.
SEARCHES := SimulationTests|ModelTests

# The walks have an environment of their own: Playwright's package is large.
PAGE_TESTS = RELAY_BINARY="$${RELAY_BINARY:-$(CURDIR)/.build/debug/relay}" .build/page/bin/python -m pytest -c Tests/Pages/pytest.ini \
	--rootdir Tests/Pages Tests/Pages

say = @printf '\n== %s\n'

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

run: release ## build and serve on port 5001 (settings: environment or .env)
	$(say) 'Serving (Ctrl-C ends)'
	@exec .build/release/relay

demo: release ## serve the offline vendor: model `echo`, no key, no network
	$(say) 'Serving the offline vendor (Ctrl-C ends)'
	@HOST=127.0.0.1 PROVIDER_DEMO_KIND=echo ANONYMOUS_MODELS=all exec .build/release/relay

release: setup-run ## build .build/release/relay, and relay.tokens beside it
	$(say) 'Release build'
	@swift build $(RELEASE) --product relay
	@swift build $(RELEASE) --product make-tokens
	@Scripts/check-binary .build/release/relay
	@Scripts/tokens .build/release
	@Scripts/stamp .build/release/relay

install: ## copy the release build to PREFIX/bin (/usr/local/bin), after `make release`
	@[ -x .build/release/relay ] || { echo 'Nothing is built yet: run `make release` first' >&2; exit 1; }
	@install -D -t '$(DESTDIR)$(PREFIX)/bin' .build/release/relay .build/release/relay.tokens

build: setup-run ## debug build of everything, tests too; warnings are errors
	$(say) 'Build'
	@swift build --build-tests
	@Scripts/tokens .build/debug

test: setup-test checks build unit-test e2e-test short-tests ## set up, lint, build, Swift tests, end-to-end tests, short walks of the pages, the Debian package, seconds of random inputs, half a minute of faults
	$(say) 'All passed'

checks: setup-test ## lint, tests of the scripts and a short fuzz, side by side: each uses one core for half of its time
	@$(MAKE) SIDE_BY_SIDE=1 --jobs=3 --output-sync=target lint script-test fuzz-test

unit-test: setup-run setup-schemas ## Swift tests alone (after `make build`)
	$(say) 'Swift tests'
	@Scripts/swift-test --skip '$(SEARCHES)'
	@Scripts/swift-test --filter '$(SEARCHES)'

e2e-test: setup-test ## end-to-end tests alone (after `make build`)
	$(say) 'End-to-end tests'
	@Scripts/e2e-test

short-tests: setup-page ## some walks of the pages, the Debian package and half a minute of faults, side by side (after `make build`)
	@Scripts/setup package package-test
	@$(MAKE) SIDE_BY_SIDE=1 --jobs=3 --output-sync=target page-test package-test faults-test

release-test: release setup-test ## end-to-end tests of the release build, which the compiler changes most: before each release
	$(say) 'End-to-end tests of the release build'
	@RELAY_BINARY=$(CURDIR)/.build/release/relay Scripts/e2e-test

test-clients: setup-test ## LangChain's standard tests, the Agents SDK, pydantic-ai and instructor (after `make build`)
	@PYTHON_VENV=.build/clients Scripts/setup-python Tests/Clients/requirements.txt
	$(say) 'Clients'
	@RELAY_BINARY="$${RELAY_BINARY:-$(CURDIR)/.build/debug/relay}" .build/clients/bin/python -m pytest \
		-c Tests/Clients/pytest.ini --rootdir Tests/Clients Tests/Clients

test-agents: setup-test ## Claude Code and Codex do jobs through the relay (after `make build`); RECORD=1 writes the shapes of their requests again
	@PYTHON_VENV=.build/agents Scripts/setup-python Tests/Agents/requirements.txt
	$(say) 'Agents'
	@RELAY_BINARY="$${RELAY_BINARY:-$(CURDIR)/.build/debug/relay}" .build/agents/bin/python -W ignore -m pytest \
		-c Tests/Agents/pytest.ini --rootdir Tests/Agents Tests/Agents

test-page: setup-page ## walks through the admin page and /usage in Debian's Chromium, 360 and 1280 px wide, light and dark (after `make build`)
	$(say) 'Pages'
	@$(PAGE_TESTS)

page-test: setup-page # some of these walks, in half a minute
	$(say) 'Pages, a few walks'
	@$(PAGE_TESTS) -m short

docs-pictures: setup-page ## the pictures of docs/admin.md made anew (after `make build`)
	@RELAY_BINARY="$${RELAY_BINARY:-$(CURDIR)/.build/debug/relay}" .build/page/bin/python docs/pictures/make

package: package-build ## make packages of the release build, in .build/package: Debian, tarball, list of contents
	$(say) 'Packages'
	@Scripts/package .build/release .build/package

package-build: setup-run # what the packages are made of
	@Scripts/setup package
	$(say) 'Release build with simdjson built in'
	@export SIMDJSON; SIMDJSON=$$(Scripts/simdjson .build/simdjson); \
		swift build $(RELEASE) --product relay; swift build $(RELEASE) --product make-tokens
	@Scripts/check-binary .build/release/relay
	@Scripts/tokens .build/release

prove-build: ## build and package the commit twice, in two folders and with two clocks: equal byte by byte (16 minutes)
	@Scripts/setup package build-proof
	@Scripts/prove-build

prove-package: ## install these packages in fresh systems of Debian 12 and 13 with systemd (root; after `make package`); BEFORE=FOLDER of older ones
	@Scripts/setup package package-proof
	@Scripts/prove-package

package-test: setup-test # the Debian package of the debug build, not installed
	@Scripts/setup package package-test
	$(say) 'Package'
	@.venv/bin/python -m pytest -q -p no:cacheprovider Tests/Package

faults: release setup-test ## vendors fail in each way, several at once: MINUTES=10, SEED=n; or CRASHES=50 bursts that once ended the process
	$(say) 'Faults'
	@RELAY_BINARY=$(CURDIR)/.build/release/relay .venv/bin/python Tests/Faults/faults --minutes $(or $(MINUTES),10) \
		$(if $(SEED),--seed $(SEED)) $(if $(CRASHES),--crashes $(CRASHES))

faults-test: setup-test # the same on the debug build for half a minute, with a fixed seed
	$(say) 'Faults'
	@RELAY_BINARY="$${RELAY_BINARY:-$(CURDIR)/.build/debug/relay}" .venv/bin/python Tests/Faults/faults --minutes 0.5 --seed 1

script-test: setup-test ## tests of Scripts and Benchmarks, seconds
	$(say) 'Tests of the scripts'
	@.venv/bin/python -m pytest -q -p no:cacheprovider Tests/Scripts

lint: setup-test ## check format and lint, change nothing
	$(say) 'Lint'
	@Scripts/lint

format: setup-run ## format the Swift sources in place
	@swift format --in-place --recursive Sources Tests Package.swift

test-asan: setup-test ## all tests with AddressSanitizer
	@Scripts/sanitize address

test-tsan: setup-test ## all tests with ThreadSanitizer
	@Scripts/sanitize thread

fuzz: setup-run ## each parser with FUZZ_RUNS random inputs
	@[ -n '$(FUZZ_TARGETS)' ] || { echo 'FUZZ_TARGETS is empty, nothing would be tried' >&2; exit 1; }
	@for name in $(FUZZ_TARGETS); do \
		printf '\n== Fuzzing %s\n' "$$name"; Scripts/fuzz "$$name" $(FUZZ_RUNS); \
	done

fuzz-test: setup-run ## one parser with 20,000 random inputs, seconds
	$(say) 'A short fuzz'
	@mkdir -p .build/fuzz
	@Scripts/fuzz event-stream 20000 >.build/fuzz/short.log 2>&1 || { cat .build/fuzz/short.log; exit 1; }

simulate: setup-run ## limits in virtual time: SEEDS=10000 seeds, or SEED=n alone, with all that happens
	$(say) 'Simulation'
	@swift build -c release --product simulate -Xswiftc -enable-testing --scratch-path .build/simulation
	@SEED='$(SEED)' .build/simulation/release/simulate $(SEEDS)

hostile: release setup-test ## hostile text in each field of the release build: what it costs, and that it is linear
	$(say) 'Hostile texts'
	@.venv/bin/python Tests/Hostile/hostile.py

model: setup-run ## all states of small worlds that use the limits' code: STATES=100000 in each search
	$(say) 'Model'
	@swift build -c release --product check-model -Xswiftc -enable-testing --scratch-path .build/simulation
	@.build/simulation/release/check-model $(STATES)

benchmark: release setup-test ## measure the release build (Benchmarks)
	@Scripts/setup benchmark
	@swift build $(RELEASE) --product decision-benchmark
	$(say) 'Benchmarks'
	@Benchmarks/run

benchmark-limits: release ## what limits admit and cost beside nginx and a Python package, four minutes
	@Scripts/setup test benchmark
	@PYTHON_VENV=.build/peers Scripts/setup-python Benchmarks/peers-requirements.txt
	$(say) 'Peers'
	@Benchmarks/peers

benchmark-peers: release ## the relay beside other gateways from PyPI, four minutes
	@Scripts/setup test benchmark
	$(say) 'Gateways'
	@Benchmarks/gateways

instructions: release ## count a chat's and streams' instructions, beside those recorded: at most 3 % more
	@Scripts/setup benchmark
	$(say) 'Instructions'
	@Benchmarks/instructions

prove-image: ## build the image and run the compose file on an engine of its own (root)
	@Scripts/prove-image

clean: ## remove what was built and .venv
	rm -rf .build .venv

setup-run:
	@command -v swift >/dev/null || { echo 'Swift 6.3 is not in PATH: https://www.swift.org/install/linux/' >&2; exit 1; }
	@Scripts/setup run

setup-schemas:
	@Scripts/setup-schemas

setup-test: setup-run setup-schemas
	@[ -d Tests/EndToEnd ] || { echo 'Tests/EndToEnd is missing: the checkout is not complete' >&2; exit 1; }
	@Scripts/setup test
	@Scripts/setup-python Tests/EndToEnd/requirements.txt Scripts/lint-requirements.txt

setup-page: setup-test
	@Scripts/setup page
	@PYTHON_VENV=.build/page Scripts/setup-python Tests/Pages/requirements.txt

.PHONY: help run demo release release-test install package package-build package-test prove-build prove-package build test checks short-tests script-test unit-test e2e-test test-clients test-agents test-page page-test docs-pictures setup-page faults faults-test lint format test-asan test-tsan fuzz fuzz-test simulate \
	model hostile benchmark benchmark-limits benchmark-peers instructions prove-image clean setup-run setup-schemas setup-test
