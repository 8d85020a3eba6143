# Commands for development. `make` lists the targets. Each target first creates the Python environment that it needs.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN := .venv-run
CLI := .venv-cli
SERVICES := $(wildcard services/*/requirements.txt)
RUN_LOCKS := $(SERVICES) operator/requirements.txt requirements/stores.txt
export DELTASTREAM_HOME ?= $(CURDIR)/.local
export PYTHONPATH := operator
FEEDS ?= k8s/samples/nifty-replay.yaml,k8s/samples/synthetic.yaml

CLUSTER := PYTHONPATH=. $(BIN)/python -m devcluster
NODE := $(CLUSTER).node

.PHONY: help build run test bench memory start stop logs up down smoke node-build node-up node-down node-shell kind-up kind-down clean lint lock

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(BIN)/uv: requirements/dev.txt
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; set PYTHON=/path/to/python3.11" if sys.version_info < (3, 11) else 0)'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --require-hashes --only-binary=:all: --no-deps -r <(sed -n '/^uv==/,/^[a-z]/{/^uv==/p;/^ /p}' requirements/dev.txt)
	@touch $@

# databento-dbn is an extra: `make dbn` marks the environments that have it, so that a later sync keeps it.
DBN_LOCK := services/feed-generator/requirements-dbn.txt
with_dbn = $(if $(wildcard $(1)/.dbn),$(DBN_LOCK))

# The services run in an environment that contains only their own requirements. A missing requirement therefore fails
# in the local run, before an image is built, and no process loads packages that only the tests need.
$(RUN)/.stamp: $(BIN)/uv $(RUN_LOCKS) $(DBN_LOCK)
	@test -x $(RUN)/bin/python || $(BIN)/uv venv --quiet --python $(BIN)/python $(RUN)
	@$(BIN)/uv pip sync --quiet --python $(RUN)/bin/python --require-hashes $(RUN_LOCKS) $(call with_dbn,$(RUN))
	@touch $@

CLI_LOCKS = requirements/cli.txt $(call with_dbn,$(CLI)) $(if $(wildcard $(CLI)/.parquet),requirements/parquet.txt)
$(CLI)/.stamp: $(BIN)/uv requirements/cli.txt requirements/parquet.txt $(DBN_LOCK)
	@test -x $(CLI)/bin/python || $(BIN)/uv venv --quiet --python $(BIN)/python $(CLI)
	@$(BIN)/uv pip sync --quiet --python $(CLI)/bin/python --require-hashes $(CLI_LOCKS)
	@touch $@

DEV_LOCKS := requirements/cli.txt requirements/parquet.txt $(DBN_LOCK) requirements/dev.txt
$(VENV)/.stamp: $(BIN)/uv $(RUN)/.stamp $(CLI)/.stamp $(DEV_LOCKS)
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes $(RUN_LOCKS) $(DEV_LOCKS)
	@touch $@

build: $(VENV)/.stamp ## create the environments: for the services, for bin/deltastream, and for development

.PHONY: cli
cli: $(CLI)/.stamp ## create only the environment of the command line bin/deltastream

.PHONY: parquet
parquet: $(CLI)/.stamp ## add pyarrow (165 MB) to that environment, for recordings and `deltastream export --format parquet`
	@touch $(CLI)/.parquet
	@$(BIN)/uv pip sync --quiet --python $(CLI)/bin/python --require-hashes $(sort $(CLI_LOCKS) requirements/parquet.txt)

.PHONY: dbn
dbn: $(RUN)/.stamp $(CLI)/.stamp ## add databento-dbn, for files of the format dbn in `make run` and `deltastream import`
	@touch $(RUN)/.dbn $(CLI)/.dbn
	@$(BIN)/uv pip sync --quiet --python $(RUN)/bin/python --require-hashes $(RUN_LOCKS) $(DBN_LOCK)
	@$(BIN)/uv pip sync --quiet --python $(CLI)/bin/python --require-hashes $(sort $(CLI_LOCKS) $(DBN_LOCK))

lock: build ## recompile every requirements.txt against constraints.txt
	PATH="$(CURDIR)/$(BIN):$$PATH" scripts/lock.sh

# Two processes: one runs the cluster tests, which mostly wait, the other all the rest (tests/support/folders.py).
test: build ## run every test (the README's test command)
	@$(CLUSTER) prepare
	$(BIN)/pytest --numprocesses=2 --max-worker-restart=0

PACKAGES := chassis feed_generator worker_enricher storage analytics auth api_gateway socket_gateway logging_service
MYPYPATH := operator:services/chassis:$(subst $() ,:,$(patsubst %/,%,$(dir $(SERVICES))))
lint: build ## ruff, mypy --strict, import-linter, yamllint, and tsc for the web page (needs Node.js)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	MYPYPATH=$(MYPYPATH) $(BIN)/mypy -p deltastream_operator -p deltastream_cli $(addprefix -p ,$(PACKAGES))
	MYPYPATH=.:$(MYPYPATH) $(BIN)/mypy -p devcluster -p scripts
	PYTHONPATH=$(MYPYPATH) $(BIN)/lint-imports --no-cache .importlinter | tail -n 5
	PYTHONPATH=operator $(BIN)/lint-imports --no-cache operator/.importlinter | tail -n 4
	PYTHONPATH=operator $(BIN)/lint-imports --no-cache operator/deltastream_cli/.importlinter | tail -n 4
	$(BIN)/yamllint --strict .
	scripts/lint_web.sh

PICTURES := chain-light-1440.png chain-dark-390.png
.PHONY: screenshots
screenshots: build ## draw every view of the web page in Chromium into screenshots/, and renew those of the README
	@SCREENSHOTS="$(CURDIR)/screenshots" $(BIN)/pytest -q tests/browser/test_looks.py -k picture
	@cp $(addprefix screenshots/,$(PICTURES)) docs/images/
	@$(BIN)/python scripts/pack_png.py $(addprefix docs/images/,$(PICTURES))

.PHONY: docs
docs: build ## build the documentation site into site/; it reads and works offline
	@NO_MKDOCS_2_WARNING=1 PYTHONPATH=.:$(MYPYPATH) $(BIN)/python -m mkdocs build --strict --quiet --site-dir "$(or $(SITE),site)"

clean: ## remove the environment, caches and local state
	rm -rf $(VENV) $(RUN) $(CLI) $(DELTASTREAM_HOME) .pytest_cache .mypy_cache .ruff_cache .hypothesis site screenshots

.PHONY: images
images: build ## build the nine images; without docker or podman also the stores' images, into one archive
	@PYTHONPATH=. $(BIN)/python -m devcluster.images build

.PHONY: base
base: build ## render k8s/base, k8s/overlays and the chart's table of values from the chart
	@PYTHONPATH=. $(BIN)/python scripts/render_base.py
	@$(BIN)/python scripts/render_values.py

.PHONY: chassis
chassis: build ## copy the modules of services/chassis into the services that import them
	@$(BIN)/python scripts/copy_chassis.py

bench: build ## measure throughput, latency and memory of the real pipeline (BASE=REV: compare with that commit)
	@PYTHONPATH=. $(BIN)/python scripts/$(if $(BASE),compare.py "$(BASE)",bench.py) $(BENCH_ARGS)

.PHONY: bench-operator
bench-operator: build ## measure an idle operator with 200 feeds, and the time from an edit to the status
	@PYTHONPATH=.:operator $(BIN)/python scripts/bench_operator.py

.PHONY: bench-reads
bench-reads: build ## measure reads/s and CPU per read of the API gateway (BASE_SERVICES=folder: compare)
	@PYTHONPATH=. $(BIN)/python scripts/bench_reads.py $(if $(BASE_SERVICES),--base $(BASE_SERVICES)) $(BENCH_ARGS)

.PHONY: bench-ingest
bench-ingest: build ## measure POST /api/ingest: messages/s, and CPU of gateway and Redis per message
	@PYTHONPATH=. $(BIN)/python scripts/bench_ingest.py $(BENCH_ARGS)

.PHONY: bench-page
bench-page: build ## measure the web page in Chromium: first paint, drawing, and its memory for MINUTES (10)
	@PAGE_SECONDS=$$(( $(or $(MINUTES),10) * 60 )) $(BIN)/pytest -q -s tests/browser/test_figures.py

.PHONY: bench-deribit
bench-deribit: build ## measure the CPU of a generator that takes 5,000 of Deribit's tickers a second
	@PYTHONPATH=. $(BIN)/python scripts/bench_deribit.py $(BENCH_ARGS)

.PHONY: bench-live
bench-live: build ## measure live deliveries/s of the socket gateway, and reads/s of the API gateway
	@PYTHONPATH=. $(BIN)/python scripts/bench_live.py $(BENCH_ARGS)

.PHONY: bench-replay
bench-replay: build ## record an hour of a synthetic market and replay it on one core: how much faster than real time
	@PYTHONPATH=.:operator:services/feed-generator $(BIN)/python scripts/bench_replay.py $(BENCH_ARGS)

run: $(RUN)/.stamp ## run the whole system on this machine until Ctrl-C: stores, services and FEEDS
	@exec $(RUN)/bin/python -m deltastream_operator local --feeds "$(FEEDS)"

start: $(RUN)/.stamp ## start the same system in the background; returns once it is ready
	@$(RUN)/bin/python -m deltastream_operator start --feeds "$(FEEDS)"

stop: $(RUN)/.stamp ## stop what `make start` or `make run` started
	@$(RUN)/bin/python -m deltastream_operator stop

memory: build ## print the memory of the local run's processes (MINUTES=10: repeat for 10 minutes)
	@PYTHONPATH=. $(BIN)/python scripts/memory.py --minutes $(or $(MINUTES),0)

up: build ## install the release with the sample feeds on the cluster; prints its URLs
	@$(CLUSTER) up

down: build ## delete the release, its feeds and its data from the cluster
	@$(CLUSTER) down

smoke: build ## run the smoke tests in the cluster (helm test) and print their logs
	@$(CLUSTER) smoke

node-build: build ## build the one-node Kubernetes into the cache, once (needs Linux, root, Go)
	@$(NODE) build

node-up: build ## start a one-node Kubernetes in its own Linux namespaces; prints its KUBECONFIG
	@$(NODE) up

node-down: build ## stop the one-node Kubernetes and everything on it
	@$(CLUSTER) node-down

node-shell: build ## open a shell on the node
	@$(NODE) shell

kind-up: build ## create a kind cluster with the same images (needs docker or podman, and kind)
	@$(CLUSTER) kind-up

kind-down: build ## delete the kind cluster
	@$(CLUSTER) kind-down

logs: ## follow the logs of all processes
	@tail -n 20 -F "$(DELTASTREAM_HOME)"/logs/*.log
