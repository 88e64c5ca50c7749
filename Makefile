# Every target does its own set-up: a Python >= 3.11, make and git are enough.
PYTHON ?= $(shell command -v python3.13 >/dev/null 2>&1 && python3.13 -c '' 2>/dev/null && echo python3.13 || echo python3)
VENV   ?= .venv
BIN    := $(VENV)/bin
UV      = $(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-annotate --no-header -q
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

.PHONY: lock
lock: $(BIN)/.dev ## write the hashed requirement files anew from pyproject.toml (LOCK_EXTRA=--upgrade for newer releases)
	$(UV) $(LOCK_EXTRA) -o requirements/runtime.txt
	$(UV) $(LOCK_EXTRA) --group dev -c requirements/runtime.txt -o requirements/dev.txt
	$(BIN)/uv pip compile pyproject.toml --only-group sam --universal --python-version 3.11 --generate-hashes --no-annotate --no-header -q $(LOCK_EXTRA) -o requirements/sam.txt
	$(BIN)/uv pip compile pyproject.toml --only-group checkov --universal --python-version 3.11 --generate-hashes --no-annotate --no-header -q $(LOCK_EXTRA) -o requirements/checkov.txt
