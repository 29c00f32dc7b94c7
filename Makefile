# The front door: every target installs what it needs into .venv; nothing outside this folder is touched.
PYTHON ?= python3
BIN    := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help demo test run check format install lock bench bench-growth bench-soak bench-handover chaos clean

help:             ## this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1 \t/p' Makefile

demo: install     ## the main job from end to end: an order, the fates of its recipients, the central endpoint's answer
	@$(BIN)/varsel demo

test: install     ## all tests, on the embedded PostgreSQL unless VARSEL_TEST_PG_BIN names another
	@$(BIN)/pytest -n 2 --dist worksteal

run: install      ## the service in development mode on http://127.0.0.1:5090, until Ctrl-C
	@$(BIN)/varsel serve --dev

check: install    ## format, lint, types, import contract, tests: what CI runs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -n 2 --dist worksteal

format: install   ## rewrite the code in the house format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: install    ## what is measured, as ratios to yardsticks: bench/results.md [ONLY=get,post QUICK=1]
	$(BIN)/python -m bench.suite $(if $(ONLY),--only $(ONLY)) $(if $(QUICK),--quick)

bench-growth: install ## of these, GET, POST and order to relay up to 5 million notifications [QUICK=1]
	$(BIN)/python -m bench.suite --only growth $(if $(QUICK),--quick)

bench-soak: install ## of these, memory at 300 orders a second [MINUTES=10 QUICK=1]
	$(BIN)/python -m bench.suite --only soak $(if $(MINUTES),--minutes $(MINUTES)) $(if $(QUICK),--quick)

bench-handover: install ## of these, order to relay alone [QUICK=1]
	$(BIN)/python -m bench.suite --only handover $(if $(QUICK),--quick)

bench-classify: install ## what is read rightly of a corpus of real reports: make bench-classify CORPUS=path
	$(BIN)/python -m bench.classify_corpus $(CORPUS)

chaos: install    ## kill -9 of APIs, workers and database under load: is anything lost? [SEED= SECONDS= FAULTS=]
	$(BIN)/python -m bench.chaos $(if $(SEED),--seed $(SEED)) $(if $(SECONDS),--seconds $(SECONDS)) $(if $(FAULTS),--faults $(FAULTS))

install: .venv/installed ## .venv with everything in requirements.lock, and varsel itself

.venv/installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Varsel needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1). Try: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -m venv .venv
	@# uv itself comes from the same hash-pinned file; where it cannot reach the index that pip is set up for, pip does the work
	@sed -n '/^uv==/,/[^\\]$$/p' requirements.lock > .venv/uv.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r .venv/uv.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock \
	  || $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

lock: install     ## rewrite requirements.lock from pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-emit-index-url \
	  --extra embedded --group dev --upgrade --output-file requirements.lock pyproject.toml

clean:            ## forget .venv and caches (data directories are left alone)
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
