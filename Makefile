# Two commands for everyone: "make run" and "make test". The rest is for those who work on it.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help run test lint types protos check-protos unit clean

help: ## say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(VENV)/.run ## set up what is missing, start server and bots, show a sample answer
	@exec $(BIN)/python -m bots.supervisor

test: $(VENV)/.test lint types check-protos unit ## set up and run every check

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python protos/check.py

types: $(VENV)/.test
	$(BIN)/mypy

check-protos: $(VENV)/.test
	$(BIN)/python protos/generate.py --check

unit: $(VENV)/.test
	$(BIN)/pytest

protos: $(VENV)/.test ## generate the Python code of the contract anew
	$(BIN)/python protos/generate.py

clean: ## remove what was set up
	rm -rf $(VENV) build .pytest_cache .mypy_cache .ruff_cache

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed: make PYTHON=python3.11 …" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"

# What serving needs: no torch.
$(VENV)/.run: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable ".[server,bots,sample]"
	@touch $@

# What the checks need on top: torch, the other side of each bot, a browser, a database.
$(VENV)/.test: pyproject.toml tests/install_system_packages.sh $(VENV)/.run
	$(BIN)/python -m pip install --quiet --editable ".[server,bots,sample,training]" --group dev
	bash tests/install_system_packages.sh
	@touch $@
