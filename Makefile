# DeltaStream. `make` lists the targets; `make run` and `make test` set themselves up.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SERVICES := $(wildcard services/*/requirements.txt)
LOCKS := $(SERVICES) operator/requirements.txt requirements/dev.txt requirements/stores.txt
export DELTASTREAM_HOME ?= $(CURDIR)/.local
export PYTHONPATH := operator
FEEDS ?= k8s/samples/nifty-replay.yaml,k8s/samples/synthetic.yaml

.PHONY: help build run test bench up down logs clean lint lock

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(VENV)/.stamp: $(LOCKS)
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; set PYTHON=/path/to/python3.11" if sys.version_info < (3, 11) else 0)'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --require-hashes --only-binary=:all: --no-deps -r <(sed -n '/^uv==/,/^[a-z]/{/^uv==/p;/^ /p}' requirements/dev.txt)
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes $(LOCKS)
	@touch $@

build: $(VENV)/.stamp ## make the environment (.venv) from the hashed requirements

lock: build ## recompile every requirements.txt against constraints.txt
	PATH="$(CURDIR)/$(BIN):$$PATH" scripts/lock.sh

test: build ## run every test (the README's test command)
	$(BIN)/pytest

PACKAGES := feed_generator worker_enricher storage analytics auth api_gateway socket_gateway logging_service
MYPYPATH := operator:$(subst $() ,:,$(patsubst %/,%,$(dir $(SERVICES))))
lint: build ## ruff, mypy --strict, import-linter, yamllint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	MYPYPATH=$(MYPYPATH) $(BIN)/mypy -p deltastream_operator $(addprefix -p ,$(PACKAGES))
	PYTHONPATH=$(MYPYPATH) $(BIN)/lint-imports --no-cache --config .importlinter | tail -n 5
	PYTHONPATH=operator $(BIN)/lint-imports --no-cache --config operator/.importlinter | tail -n 4
	$(BIN)/yamllint --strict .

clean: ## remove the environment, caches and local state
	rm -rf $(VENV) $(DELTASTREAM_HOME) .pytest_cache .mypy_cache .ruff_cache .hypothesis

bench: build ## throughput, latency and memory of the real pipeline (prints; asserts nothing)
	PYTHONPATH=. $(BIN)/python scripts/bench.py

run: build ## run everything here until Ctrl-C: stores, services and FEEDS
	@exec $(BIN)/python -m deltastream_operator local --feeds "$(FEEDS)"

up: build ## the same in the background; returns once it is ready
	@$(BIN)/python -m deltastream_operator up --feeds "$(FEEDS)"

down: build ## stop what `make up` or `make run` started
	@$(BIN)/python -m deltastream_operator down

logs: ## follow the logs of all processes
	@tail -n 20 -F "$(DELTASTREAM_HOME)"/logs/*.log
