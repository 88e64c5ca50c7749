# Every target does its own set-up: a Python >= 3.11, make and git are enough.
PYTHON ?= $(shell command -v python3.13 >/dev/null 2>&1 && python3.13 -c '' 2>/dev/null && echo python3.13 || echo python3)
VENV   ?= .venv
BIN    := $(VENV)/bin
LOCK_EXTRA ?=

.DEFAULT_GOAL := help

.PHONY: help
help: ## show this list
	@grep -hE '^[a-zA-Z_-]+:.*?## ' $(MAKEFILE_LIST) | sed -E 's/^([a-zA-Z_-]+):.*## /  \1|/' | column -t -s '|'

$(BIN)/.runtime: requirements/runtime.txt pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/runtime.txt
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps -e .
	@touch $@

$(BIN)/.dev: $(BIN)/.runtime requirements/dev.txt
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@

.PHONY: setup
setup: $(BIN)/.dev ## make the development environment

# Each list is locked apart: in one environment the SAM CLI and checkov drag boto3, and each other, to old releases.
define LOCK
	@$(1)/uv pip compile pyproject.toml $(2) --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
		-q $(LOCK_EXTRA) -o requirements/$(3).txt
endef

.PHONY: lock
lock: $(BIN)/.dev ## write the hashed requirement files anew from pyproject.toml (LOCK_EXTRA=--upgrade for newer releases)
	$(call LOCK,$(BIN),,runtime)
	$(call LOCK,$(BIN),--group dev -c requirements/runtime.txt,dev)
	@for group in sam checkov; do $(BIN)/uv pip compile --group $$group --universal --python-version 3.11 --generate-hashes \
		--no-annotate --no-header -q $(LOCK_EXTRA) -o requirements/$$group.txt; done

.PHONY: lock-check
lock-check: $(BIN)/.dev ## fail if the requirement files are not what pyproject.toml asks for
	@cp -r requirements $(VENV)/.requirements-before && $(MAKE) --no-print-directory lock; \
		diff -r $(VENV)/.requirements-before requirements && same=yes; \
		cp $(VENV)/.requirements-before/* requirements/; rm -r $(VENV)/.requirements-before; \
		test "$$same" = yes || { echo "the requirement files have drifted: run make lock and commit them" >&2; exit 1; }

.PHONY: demo
demo: $(BIN)/.runtime ## watch sample alerts reach four pretended vendors, until Ctrl-C (DEMO_FLAGS=--once ends by itself)
	@$(BIN)/tocsin demo $(DEMO_FLAGS)

.PHONY: test
test: $(BIN)/.dev ## run every test whose tools are here, and say what was skipped
	@$(BIN)/python -m pytest -n $(TEST_WORKERS) --dist worksteal -m "not alone" $(TEST_FLAGS)
	@$(BIN)/python -m pytest -m alone $(TEST_FLAGS)

TEST_WORKERS ?= auto
TEST_FLAGS   ?=

.PHONY: lint
lint: $(BIN)/.dev ## style, types, walls between the floors, drift of everything that is generated
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python events/make.py --check
	@$(MAKE) --no-print-directory lock-check

.PHONY: format
format: $(BIN)/.dev ## put the code into its form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: events
events: $(BIN)/.dev ## write the Lambda envelopes under events/ anew from the payloads
	$(BIN)/python events/make.py

.PHONY: bench
bench: $(BIN)/.dev ## measure beside Debian's Alertmanager, as ratios
	@$(BIN)/python -m bench $(BENCH_FLAGS)

include sam.mk
include infra/infra.mk
include infra/helm.mk
