# Every target does all of its own set-up on a fresh clone.
# Needed on the machine: Python 3.11 or newer, make, git.

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || command -v python3)

.DEFAULT_GOAL := help
.PHONY: help setup demo test check format lint imports types sweep lock clean

help: ## Show the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 18

$(STAMP): requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Surefoot needs Python 3.11 or newer; set PYTHON=/path/to/python"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

setup: $(STAMP) ## Install everything, pinned and hashed, into .venv

demo: $(STAMP) ## See bots die and come back, on a simulated exchange
	@$(BIN)/surefoot demo

test: $(STAMP) ## Run the tests
	@$(BIN)/python -m pytest -q -m "not slow"

check: format-check lint imports types test ## Everything that CI runs

format: $(STAMP) ## Format the code
	@$(BIN)/ruff format src tests

.PHONY: format-check
format-check: $(STAMP)
	@$(BIN)/ruff format --check src tests

lint: $(STAMP) ## Lint
	@$(BIN)/ruff check src tests

imports: $(STAMP) ## Check that rooms import downwards only
	@$(BIN)/lint-imports

types: $(STAMP) ## Check types, strictly
	@$(BIN)/mypy

sweep: $(STAMP) ## The long crash sweeps (results: docs/results.md)
	@$(BIN)/python -m pytest -q -m slow

lock: $(STAMP) ## Renew requirements/dev.txt
	@$(BIN)/python -m pip install --quiet uv
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-header --group dev pyproject.toml --output-file requirements/dev.txt

clean: ## Remove what was built
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache build dist
