# `make help` lists the targets. Everything runs from .venv, which the first target that needs it makes.

SHELL := /bin/sh
BIN := .venv/bin
export PYTHON
# Where it is set, every process compiles the libraries that it imports anew: seconds for each.
unexport PYTHONDONTWRITEBYTECODE

# Machines without a user's configuration get the same caches as everybody else.
CACHE := $(or $(REFLECT_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/reflect-operator)
export UV_CACHE_DIR := $(CACHE)/uv

# No index, no mirror and no setting of this machine gets into a lock file.
LOCK := $(BIN)/uv pip compile --quiet --no-config --generate-hashes --no-emit-index-url --no-header $(LOCK_FLAGS)
LINUX := --python-platform x86_64-unknown-linux-gnu

.DEFAULT_GOAL := help
.PHONY: help
help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: setup ## A tiny model learns to reflect, here, in minutes; the result is in build/demo/result.json
	@$(BIN)/python examples/countdown/demo.py

.PHONY: test
test: deps-system setup ## Everything this machine can check, and a list of what it left out
	@$(BIN)/python scripts/check.py

.PHONY: setup
setup: ## Make .venv from the lock file; instant when nothing changed
	@sh scripts/deps-system.sh
	@"$$(sh scripts/find-python.sh)" scripts/set_up.py

.PHONY: deps-system
deps-system: ## Install missing system packages where this user can, else list them; look for Go
	@sh scripts/deps-system.sh tests

.PHONY: lint
lint: setup ## Style and import layers
	@$(BIN)/python scripts/check.py lint format layers

.PHONY: format
format: setup ## Rewrite the code in the project's style
	@$(BIN)/ruff check --quiet --fix-only .
	@$(BIN)/ruff format .

.PHONY: types
types: setup ## Strict type check
	@$(BIN)/python scripts/check.py types

.PHONY: crd
crd: setup ## Generate crds/reflectiontrainings.yaml from the types
	@mkdir -p build && $(BIN)/reflect crd > build/crd.yaml && mv build/crd.yaml crds/reflectiontrainings.yaml

.PHONY: docs
docs: setup ## Generate docs/reference/ and parts of the chart from the code
	@$(BIN)/python scripts/docs.py

.PHONY: kustomize
kustomize: deps-system setup ## Render kustomize/base/ from the chart
	@mkdir -p build && $(BIN)/python -m scripts.kustomize > build/operator.yaml && mv build/operator.yaml kustomize/base/operator.yaml

.PHONY: image
image: setup ## The operator's image and an own verifier's as OCI archives in build/images/, without a container engine
	@$(BIN)/python -m scripts.image operator
	@$(BIN)/python -m scripts.image verifier

.PHONY: report-page
report-page: deps-system setup ## Figures and pictures of the page on the report, from the run that make demo left
	@$(BIN)/python scripts/report_page.py

.PHONY: lock
lock: setup ## Compile the lock files anew; LOCK_FLAGS=--upgrade takes newer versions
	$(LOCK) $(LINUX) --python-version 3.11 --override requirements/cpu.overrides \
		--extra operator --extra trainer --extra tracking --extra regression --extra dev pyproject.toml requirements/cpu.in -o requirements/cpu.lock
	$(LOCK) $(LINUX) --python-version 3.12 --override requirements/gpu.overrides \
		--extra trainer --extra tracking --extra regression --extra vllm --extra deepspeed pyproject.toml requirements/gpu.in \
		-o requirements/gpu.lock
	$(LOCK) $(LINUX) --python-version 3.11 --override requirements/cpu.overrides -c requirements/cpu.lock \
		--extra trainer --extra tracking --extra regression pyproject.toml requirements/cpu.in -o requirements/trainer-cpu.lock
	$(LOCK) $(LINUX) --python-version 3.11 -c requirements/cpu.lock pyproject.toml -o requirements/base.lock
	$(LOCK) $(LINUX) --python-version 3.11 -c requirements/cpu.lock --extra operator pyproject.toml -o requirements/operator.lock
	$(LOCK) $(LINUX) --python-version 3.11 -c requirements/cpu.lock requirements/bootstrap.in \
		-o requirements/bootstrap.lock

.PHONY: control-plane
control-plane: deps-system setup ## A real Kubernetes API server on loopback, without nodes, until Ctrl-C
	@$(BIN)/python -m tests.support.control_plane

.PHONY: bench
bench: setup ## Run the benchmarks of bench/, or one: make bench ONLY=name
	@for file in $(if $(ONLY),bench/$(ONLY).py,$(wildcard bench/[a-z]*.py)); do \
		echo "== $$file"; $(BIN)/python "$$file" || exit; done

.PHONY: cluster
cluster: deps-system setup ## A real cluster on this machine, until Ctrl-C; needs root; with two nodes, or NODES=1, 2 or 3
	@$(BIN)/python -m tests.support.nodes $(if $(NODES),--nodes "$(NODES)")

.PHONY: cluster-down
cluster-down: setup ## Stop every such cluster, and clean up after those that were killed
	@$(BIN)/python -m tests.support.nodes --down

.PHONY: soak
soak: deps-system setup ## Long tests that `make test` leaves to this: all, or one: make soak ONLY=name; of ONLY=cluster one row: ROW=name
	@$(BIN)/pytest $(if $(filter cluster,$(ONLY)),tests/cluster,$(if $(ONLY),tests/soak/test_$(ONLY).py,tests/soak tests/cluster)) \
		$(if $(ROW),-k "$(ROW)")

.PHONY: gpu
gpu: setup ## What only a GPU can show, on a machine with one: makes .venv-gpu from requirements/gpu.lock
	@$(BIN)/python scripts/gpu.py

.PHONY: clean
clean: ## Remove what the other targets made, except .venv, .venv-gpu and the cache folder
	rm -rf build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
