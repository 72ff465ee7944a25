# make run, make web and make test work on a fresh clone with Python 3.11 or newer: they set up .venv from the locks
# first.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python3.14; do \
	"$$p" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo "$$p"; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
JOBS ?= 2
SECONDS_EACH ?= 20

.DEFAULT_GOAL := help
.PHONY: help pictures run web demo test check lint bench fuzz lock clean dev simulate-sync

help:
	@echo 'make run     set up, build the web interface, and run wildbach: the daemon, and a link for the browser'
	@echo 'make web     build the web interface, where its sources changed (with Node 20.19 or newer, or one from PyPI)'
	@echo 'make demo    set up and run the demonstration: a tracker, a seed and three downloaders on this machine'
	@echo 'make test    set up and run the tests (unit, simulation, core interop)'
	@echo 'make check   the reliability goals and the full interop matrix'
	@echo 'make lint    ruff, mypy --strict, import-linter'
	@echo 'make bench   side by side with libtorrent; writes bench/results/ (ARGS="--only one_to_one" for a part)'
	@echo 'make fuzz    every parser harness for SECONDS_EACH seconds (default $(SECONDS_EACH))'
	@echo 'make lock    renew requirements/*.lock (needs uv)'
	@echo 'make clean   remove what was built'

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo 'wildbach needs Python 3.11 or newer with venv and ensurepip (Debian: python3-venv)' >&2; exit 1; }
	"$(PYTHON)" -m venv $(VENV)

# The package is built without isolation and installed without dependencies, so that nothing unlocked is fetched.
$(VENV)/.runtime: requirements/runtime.lock pyproject.toml | $(VENV)/bin/python
	$(PIP) install --require-hashes -r requirements/runtime.lock
	$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: requirements/dev.lock $(VENV)/.runtime
	$(PIP) install --require-hashes -r requirements/dev.lock
	@touch $@

dev: $(VENV)/.dev

run: $(VENV)/.runtime
	@$(BIN)/python tools/build_web.py || true
	$(BIN)/wildbach

web: $(VENV)/.runtime
	@$(BIN)/python tools/build_web.py

# The pictures of the guides are taken by the browser tests.
pictures: web
	WILDBACH_PICTURES=$(CURDIR)/docs/pictures WILDBACH=$(CURDIR)/$(BIN)/wildbach node --test --test-concurrency=1 \
		web/e2e/journey.test.mjs web/e2e/play.test.mjs web/e2e/sites.test.mjs \
		web/e2e/channels.test.mjs web/e2e/sync.test.mjs

demo: $(VENV)/.runtime
	$(BIN)/wildbach demo

test: $(VENV)/.dev
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal -m 'not goal and not slow' $(ARGS)

check: $(VENV)/.dev
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal -m 'goal or slow' $(ARGS)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.dev
	$(BIN)/python -m bench.run $(ARGS)

fuzz: $(VENV)/.dev
	$(BIN)/python fuzz/run.py --seconds $(SECONDS_EACH) $(ARGS)

simulate-sync: $(VENV)/.dev
	$(BIN)/python -m tests.syncsim --seconds $(or $(SECONDS),60) $(ARGS)

LOCK := uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links \
	--python-version 3.11 --custom-compile-command 'make lock'
lock:
	$(LOCK) --extra tui --extra media --extra devchain pyproject.toml requirements/build.in -o requirements/runtime.lock
	$(LOCK) pyproject.toml requirements/build.in requirements/dev.in -o requirements/dev.lock
	$(LOCK) requirements/web.in -o requirements/web.lock

clean:
	rm -rf $(VENV) .stamps src/wildbach/interfaces/web/dist web/node_modules build dist
	rm -rf .mypy_cache .ruff_cache .import_linter_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
