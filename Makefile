# The suite's commands. `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= python3.13
VENV := .venv
TOOLS := $(VENV)/tools/.installed
ENGINE := $(VENV)/engine/.installed
FUNCTIONS := $(VENV)/functions/.installed
BENCH_ENV := $(VENV)/bench/.installed
UV := $(VENV)/uv/bin/uv
PY := $(VENV)/tools/bin/python
# The SAM CLI looks for python3.13 on PATH, and must never reach a real account from a local target.
export PATH := $(CURDIR)/$(VENV)/tools/bin:$(PATH)
export SAM_CLI_TELEMETRY := 0
export PYTHONDONTWRITEBYTECODE := 1

.PHONY: help
help: ## This list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# ---- set-up: one virtual environment for tools and tests, one for the engine, one that is as bare as Lambda's Python
$(VENV)/uv/.installed: requirements/uv.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 13))' 2>/dev/null || { echo "Python 3.13 is needed: 'apt install python3.13', 'brew install python@3.13', 'pyenv install 3.13' or 'uv python install 3.13'; then 'make PYTHON=/path/to/python3.13 ...' if it is not on PATH"; exit 1; }
	@echo "setting up $(VENV) (once)"
	@$(PYTHON) -m venv --clear $(VENV)/uv
	@$(VENV)/uv/bin/pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

$(VENV)/%/.installed: requirements/%.txt $(VENV)/uv/.installed
	@$(PYTHON) -m venv --clear $(if $(filter tools,$*),,--without-pip) $(VENV)/$*
	@$(UV) pip install --quiet --no-config --require-hashes --python $(VENV)/$*/bin/python -r $<
	@touch $@

.PHONY: setup
setup: $(TOOLS) $(ENGINE) $(FUNCTIONS) ## Create the virtual environments (the other targets do it by themselves)

LOCKED := uv tools engine functions bench
.PHONY: lock
lock: $(VENV)/uv/.installed ## Renew the hash-locked requirements (UPGRADE=--upgrade takes newer releases)
	@for list in $(LOCKED:%=requirements/%) layers/shared/requirements layers/imaging/requirements; do \
	  $(UV) pip compile --quiet --universal --python-version 3.13 --generate-hashes --no-header \
	    --no-emit-index-url --no-emit-find-links $(UPGRADE) $$list.in -o $$list.txt; done
