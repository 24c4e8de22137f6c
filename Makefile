# Everything is set up in .venv and tests/clients/node_modules, again when what they are made from changes.
# Debian packages are installed only where one is missing and needed; each time it is said which and why.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules --no-print-directory
.DELETE_ON_ERROR:
.SUFFIXES:

CONFIG ?= etc/web.json5
JOBS ?= 2

# The first Python that is new enough; `make PYTHON=/path/to/python3` chooses another.
PYTHON ?= $(shell for name in python3 python3.13 python3.12 python3.11; do \
	if "$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then echo "$$name"; break; fi; done)

VENV := .venv
BIN := $(VENV)/bin
# Twice quiet: errors only. A machine may have package folders configured that pip warns of one by one.
PIP := $(BIN)/python -m pip --quiet --quiet --disable-pip-version-check --no-input
DEBIAN := .ci/debian-install
# Where the environment forbids Python to keep what it compiled, as many a container does, every start would
# compile every module: this takes longer than all the rest of a start.
BYTECODE := $(BIN)/python -m compileall -q ioto_server
# What is compiled in place, where a compiler is at hand, is made again when its sources change.
TYPES := $(wildcard ioto_server/*/*.pxd ioto_server/*/*.pyx ioto_server/*/*.h)
BUILT_FROM := pyproject.toml $(wildcard setup.py ioto_server/build.py) $(TYPES) $(wildcard $(patsubst %.pxd,%.py,$(TYPES)))
# pip says nothing meanwhile.
COMPILING = where a C compiler is at hand, $$(sed -n '/^COMPILED/,/^)/s/^ *".*/x/p' ioto_server/build.py | wc -l) modules \
	are compiled: about a minute on two cores
# Unpacked and not installed: as a service it would start and take port 80.
UNPACKED := $(VENV)/debian
CLIENTS := tests/clients/node_modules/.package-lock.json
# What the benches compare with, in an environment of its own.
PEERS := artefacts/bench-venv/.installed

.PHONY: help
help: ## print the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1 \2/p' $(MAKEFILE_LIST) | \
		while read -r target text; do printf '  make %-12s %s\n' "$$target" "$$text"; done

.PHONY: start
start: $(VENV)/.installed ## run the server in the foreground with etc/web.json5 (CONFIG=FILE for another); saved files are live at once
	@exec $(BIN)/ioto-server start --watch --config $(CONFIG)

.PHONY: lint
lint: $(VENV)/.test-installed ## ruff (rules and format) and mypy --strict
	$(BIN)/ruff check --quiet .
	$(BIN)/ruff format --quiet --check .
	$(BIN)/mypy --strict

# Two passes: what keeps both cores busy would make the others miss their deadlines.
.PHONY: test
test: lint $(CLIENTS) programs bytecode ## lint and all tests but the long ones
	@$(call pytest_passes,)

.PHONY: test-long
test-long: $(VENV)/.test-installed $(CLIENTS) programs long-programs bytecode ## all tests, also those that take minutes
	@export PATH="$(CURDIR)/$(UNPACKED)/usr/sbin:$$PATH"; $(call pytest_passes,--long)

.PHONY: mutants
mutants: $(VENV)/.test-installed $(CLIENTS) programs ## break the code on purpose, one way at a time: the tests must notice each
	$(BIN)/python tests/mutants/run.py

.PHONY: mutation
mutation: $(VENV)/.test-installed ## have mutmut change the codec in 2,400 ways: the tests must notice
	@$(PIP) install --editable '.[mutation]'
	$(BIN)/python tests/mutation/run.py $(MUTATION)

# Of the sources: what is compiled from them has no lines.
.PHONY: coverage
coverage: $(VENV)/.test-installed ## every line and every branch of the codec is reached by its own tests
	IOTO_PURE=1 $(BIN)/python -m coverage run --data-file=artefacts/coverage --branch --source=ioto_server/websocket \
		-m pytest -q tests/websocket tests/rfc/test_rfc6455_*.py -k 'not sources and not any_cut'
	$(BIN)/python -m coverage report --data-file=artefacts/coverage --show-missing --fail-under=100

# As root, the storm's own clients take no time from who is measured; ARGUMENTS=--no-realtime lets them.
.PHONY: soak
soak: $(VENV)/.test-installed ## bad weather for FOR=10m: misbehaving clients by the thousand, memory and latency watched
	$(BIN)/python -m tests.soak --for $(or $(FOR),10m) --clients $(or $(CLIENTS_OF_SOAK),10000) $(ARGUMENTS)

.PHONY: soak-day
soak-day: $(VENV)/.test-installed ## a day of visitors and operators in FOR=1h: does anything grow? draws artefacts/soak-day.svg
	$(BIN)/python -m tests.soak.day --for $(or $(FOR),1h)

.PHONY: scale
scale: $(VENV)/.test-installed ## workers killed, upgrades, 19,000 and 100,000 connections: half an hour
	$(BIN)/python -m tests.scale kill
	$(BIN)/python -m tests.scale upgrade
	$(BIN)/python -m tests.scale idle
	$(BIN)/python -m tests.scale idle --workers 8 --count 100000

.PHONY: fuzz
fuzz: $(VENV)/.test-installed ## feed the codec with what reaches new code, for FOR=10m
	@$(PIP) install --editable '.[fuzz]'
	$(BIN)/python tests/fuzz/run.py --for $(or $(FOR),10m)

.PHONY: bench-codec
bench-codec: $(VENV)/.test-installed ## the codec's speed beside others', in one run
	@$(PIP) install --editable '.[bench]'
	$(BIN)/python tests/bench/codec/run.py

# Under three minutes with QUICK=1; ARGUMENTS='--only echo-64 --servers ioto,uvloop' for a part of it.
.PHONY: bench
bench: $(VENV)/.test-installed $(PEERS) $(CLIENTS) compiler ## messages beside other WebSocket servers, in one run
	@echo '#include <openssl/ssl.h>' | cc -E - >/dev/null 2>&1 || $(DEBIAN) libssl-dev 'gives the load generator TLS'
	$(BIN)/python tests/bench/ws/run.py $(if $(QUICK),--quick) $(ARGUMENTS)

.PHONY: bench-http
bench-http: $(VENV)/.test-installed $(PEERS) ## files over HTTP beside nginx and Python's servers, in one run
	@command -v wrk >/dev/null || $(DEBIAN) wrk 'is the client'
	@command -v nginx >/dev/null || PATH="/usr/sbin:$$PATH" command -v nginx >/dev/null || $(DEBIAN) nginx-light 'is compared with'
	$(BIN)/python tests/bench/http/run.py

.PHONY: bench-start
bench-start: $(VENV)/.installed bytecode ## the time from the command to listening, with the shipped file
	@command -v hyperfine >/dev/null || $(DEBIAN) hyperfine 'measures how long commands take'
	@hyperfine --warmup 2 --runs $(or $(RUNS),20) --command-name 'start to listening' \
		'tests/bench/start/until-listening.sh $(BIN)/ioto-server'

.PHONY: docs
docs: $(VENV)/.test-installed ## build the documentation in build/docs, without a network and without a warning
	$(BIN)/python -m tests.state_tables --write
	$(BIN)/python -m sphinx -q -W -b html docs build/docs

.PHONY: wheel
wheel: $(BIN)/python ## build dist/*.whl, which installs without a compiler
	@$(PIP) wheel --no-deps --wheel-dir dist .

PIP_FOR := $(BIN)/python -m pip --python $(or $(SYSTEM_PYTHON),/usr/bin/python3)
.PHONY: install uninstall deb
install: $(BIN)/python ## install below DESTDIR and PREFIX (/usr/local)
	@PIP="$(PIP_FOR)" DESTDIR="$(DESTDIR)" PREFIX="$(or $(PREFIX),/usr/local)" packaging/install.sh

uninstall: ## remove what install made; configuration stays
	@DESTDIR="$(DESTDIR)" PREFIX="$(or $(PREFIX),/usr/local)" packaging/uninstall.sh

deb: $(BIN)/python ## build dist/ioto-server_*.deb
	@command -v strip >/dev/null || $(DEBIAN) binutils 'takes out of the libraries what only a debugger wants'
	@PIP="$(PIP_FOR)" packaging/build-deb.sh

.PHONY: clean
clean: ## remove all that was made here, also .venv
	rm -rf $(VENV) tests/clients/node_modules artefacts build dist *.egg-info
	rm -rf .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Both passes run also when the first fails, and each fails when it finds no test.
define pytest_passes
status=0; \
echo "== tests that run side by side ($(JOBS) at a time)"; \
$(BIN)/python -m pytest -q $(1) -n $(JOBS) --dist loadfile --no-loadscope-reorder -m 'not alone' tests || status=1; \
echo "== tests that run alone"; \
$(BIN)/python -m pytest -q $(1) -m alone tests || status=1; \
exit $$status
endef

# What it takes

$(BIN)/python:
	@if [ -z "$(PYTHON)" ]; then \
		echo "Python 3.11 or newer was not found. Install it, or name it: make PYTHON=/path/to/python3" >&2; exit 1; fi
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || $(DEBIAN) \
		"$$($(PYTHON) -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')" 'makes the virtual environment .venv'
	@echo "Making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(BUILT_FROM) | $(BIN)/python
	@echo "Installing ioto-server and what it needs into $(VENV); $(COMPILING)"
	@$(PIP) install --editable .
	@$(BYTECODE)
	@touch $@

$(VENV)/.test-installed: $(BUILT_FROM) | $(BIN)/python
	@echo "Installing ioto-server and what its tests need into $(VENV); $(COMPILING)"
	@$(PIP) install --editable '.[test,lint,docs]'
	@$(BYTECODE)
	@rm -rf .mypy_cache # it remembers packages that were missing before
	@touch $(VENV)/.installed $@

$(CLIENTS): tests/clients/package.json tests/clients/package-lock.json
	@command -v node >/dev/null || $(DEBIAN) nodejs 'runs a test client that is written for Node.js'
	@command -v npm >/dev/null || $(DEBIAN) npm 'installs that client, tests/clients/package.json'
	@echo "Installing the npm test client, and pyright, which checks types as editors do"
	@npm ci --prefix tests/clients --no-audit --no-fund --loglevel error
	@touch $@

$(PEERS): tests/bench/requirements.txt | $(BIN)/python
	@echo "Installing the peers of the benches into artefacts/bench-venv"
	@$(BIN)/python -m venv artefacts/bench-venv
	@artefacts/bench-venv/bin/pip install --quiet --quiet --upgrade --requirement tests/bench/requirements.txt
	@touch $@

.PHONY: compiler
compiler:
	@command -v cc >/dev/null || $(DEBIAN) gcc 'compiles the load generator of the benches'
	@echo '#include <stdio.h>' | cc -E - >/dev/null 2>&1 || $(DEBIAN) libc6-dev 'is the C library of that generator'

.PHONY: bytecode
bytecode: $(VENV)/.installed
	@$(BYTECODE)

# From Debian: the browser that playwright would fetch by itself is not in any package registry.
.PHONY: programs
programs: $(VENV)/.test-installed compiler
	@command -v chromium >/dev/null || $(DEBIAN) chromium 'shows the site in the browser tests'
	@$(BIN)/playwright --version >/dev/null 2>&1 || $(DEBIAN) libatomic1 'is a library of playwright, which drives chromium'
	@command -v curl >/dev/null || $(DEBIAN) curl 'is one of the clients of the tests'
	@command -v wget >/dev/null || $(DEBIAN) wget 'is one of the clients of the tests'
	@command -v redis-server >/dev/null || command -v valkey-server >/dev/null || command -v redis-check-rdb >/dev/null || \
		$(DEBIAN) redis-tools 'holds a Redis server, without a service: it carries topics'
	@command -v systemd-analyze >/dev/null || $(DEBIAN) systemd 'judges the service files'

.PHONY: long-programs
long-programs: | $(BIN)/python
	@command -v slowhttptest >/dev/null || $(DEBIAN) slowhttptest 'attacks slowly, a thousand connections at a time'
	@command -v lintian >/dev/null || $(DEBIAN) lintian 'judges the Debian package'
	@command -v debootstrap >/dev/null || $(DEBIAN) debootstrap 'makes the Debian in which the package is installed'
	@command -v testssl >/dev/null || $(DEBIAN) testssl.sh 'looks for weaknesses of our TLS'
	@PATH="$(UNPACKED)/usr/sbin:/usr/sbin:$$PATH" command -v nginx >/dev/null || { \
		echo "Unpacking the Debian package nginx into $(UNPACKED): a corpus of requests is compared with it"; \
		mkdir -p $(UNPACKED); cd $(UNPACKED); apt-get -qq download nginx; dpkg -x nginx_*.deb .; }
