# `make help` lists everything.
SHELL := /bin/sh
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/.stamps
# A folder that is a pack or holds packs, such as MODELS=~/models. Empty: the starter pack that comes
# with facesearch. Tests and benchmarks take the test data's pack, where that lies beside the
# checkout: their figures are about it.
MODELS ?=
SHARED := $(or $(FACESEARCH_SHARED),../shared)
PACK := $(or $(MODELS),$(wildcard $(SHARED)/models/mbf128))
STARTER := $(wildcard inference/models/packs/starter/pack.toml)
DEMO_PACK := $(or $(MODELS),$(if $(STARTER),,$(PACK)))
# A folder of your own photos for the demo and the benchmarks.
PHOTOS ?=
# Names of benchmarks; empty: all of them.
ONLY ?=
# Files side by side on all cores, in order, because the slow ones come first.
PYTEST ?= $(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder
export FACESEARCH_MODELS := $(PACK)

.DEFAULT_GOAL := help

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

# An environment works in the folder it was made in: after a move it is made anew.
ifneq ($(shell cat $(STAMPS)/python 2>/dev/null),$(CURDIR))
.PHONY: $(STAMPS)/python
endif
$(STAMPS)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "facesearch needs Python 3.11 or newer; $(PYTHON) is older. Try: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -m venv --clear $(VENV) \
	  || { echo "Python cannot make a virtual environment. On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@mkdir -p $(STAMPS) && echo "$(CURDIR)" > $@

# Everything is pinned, so pip need not resolve: --no-deps also keeps the other opencv build out.
$(STAMPS)/setup: requirements/setup.txt pyproject.toml proto/pyproject.toml $(STAMPS)/python
	@echo "Installing what facesearch needs (once; a minute or a few) ..."
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements/setup.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --no-index -e proto -e .
	@touch $@

$(STAMPS)/dev: requirements/dev.txt $(STAMPS)/setup
	@echo "Installing what the tests and checks need (once) ..."
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements/dev.txt
	@touch $@

.PHONY: setup
setup: $(STAMPS)/setup ## Make .venv with the `facesearch` command in it
	@echo "Ready: $(BIN)/facesearch --help"

.PHONY: demo
demo: $(STAMPS)/setup ## Enrol real photos, search with selfies, write a contact sheet (MODELS=dir, PHOTOS=dir)
	@$(BIN)/facesearch demo $(if $(DEMO_PACK),--models-dir "$(DEMO_PACK)") $(if $(PHOTOS),--photos "$(PHOTOS)")

.PHONY: run
run: $(STAMPS)/setup ## Run the service on this machine (data in ./data)
	@$(BIN)/facesearch up $(if $(MODELS),--models-dir "$(MODELS)")

.PHONY: test
test: $(STAMPS)/dev ## Run every test
	@$(PYTEST)

.PHONY: fast
fast: $(STAMPS)/dev lint ## Lint and the unit tests: under a minute, also as a pre-commit hook
	@$(PYTEST) tests/unit -q -m "not slow"

.PHONY: lint
lint: $(STAMPS)/dev ## ruff, mypy, import-linter, buf, generated code up to date
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/buf lint
	@$(BIN)/buf format --diff --exit-code
	@PATH="$(CURDIR)/$(BIN):$$PATH" sh proto/check.sh

.PHONY: check
check: lint test ## lint and test

.PHONY: proto
proto: $(STAMPS)/dev ## Write the Python code of the contract anew
	@PATH="$(CURDIR)/$(BIN):$$PATH" sh proto/generate.sh

BENCH = $(BIN)/python -m bench $(if $(PACK),--pack "$(PACK)") $(if $(PHOTOS),--photos "$(PHOTOS)") \
  $(foreach name,$(ONLY),--only $(name))
.PHONY: bench
bench: $(STAMPS)/dev ## Measure everything briefly; one report in bench/results (ONLY=names, PHOTOS=dir)
	@$(BENCH)

.PHONY: bench-full
bench-full: $(STAMPS)/dev ## Measure everything as the targets ask: takes hours
	@$(BENCH) --full

# More of the command line, such as OPTIONS="--short" or OPTIONS="--url https://faces.example.org".
OPTIONS ?=
.PHONY: acceptance
acceptance: $(STAMPS)/dev ## Accept as the specification asks: 15 minutes, acceptance-report.md (OPTIONS=--short)
	@$(BIN)/python -m bench.acceptance $(if $(MODELS),--pack "$(MODELS)") \
	  $(if $(PHOTOS),--photos-dir "$(PHOTOS)") $(OPTIONS)

.PHONY: docs
docs: $(STAMPS)/dev ## Write anew what is made of code: docs/configuration.md, .env.example, rules for the Prometheus operator
	@$(BIN)/python -m tests.unit.docs.configuration_page
	@$(BIN)/python -m tests.unit.deploy.prometheus_rule

.PHONY: hook
hook: ## Install `make fast` as git's pre-commit hook
	@printf '#!/bin/sh\nexec make fast\n' > "$$(git rev-parse --git-path hooks)/pre-commit"
	@chmod +x "$$(git rev-parse --git-path hooks)/pre-commit"

.PHONY: clean
clean: ## Remove .venv and caches (not ./data)
	@rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
