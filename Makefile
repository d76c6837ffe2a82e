# Every target that needs the helm-repro command depends on setup, so a fresh checkout works with one.
LEADERBOARD ?= smoke
MODELS_TO_RUN ?= $(if $(filter smoke,$(LEADERBOARD)),simple/model1)
ENGINE ?= auto
STAGES ?= run,summarize
PYTHON ?= python3
PUBLISH ?= 127.0.0.1:8000
# GPU=1: the leaderboard's gpu flavour.
FLAVOUR := $(if $(filter-out 0,$(GPU)),--gpu)
export MODELS_TO_RUN

REPRO := .venv/bin/helm-repro
.DEFAULT_GOAL := help

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: setup
setup: .venv/.complete ## Create .venv with the helm-repro command in it

.venv/.complete: pyproject.toml
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet uv
	.venv/bin/uv pip install --quiet --python .venv/bin/python --editable '.[dev]'
	@touch $@

.PHONY: run
run: setup ## Run LEADERBOARD (smoke) with MODELS_TO_RUN and print its scores
	@$(REPRO) run $(LEADERBOARD) --engine $(ENGINE) --stages $(STAGES) $(FLAVOUR)
	@echo "To open the leaderboard: make serve$(if $(filter-out smoke,$(LEADERBOARD)), LEADERBOARD=$(LEADERBOARD))"

.PHONY: serve
serve: setup ## Show HELM's page for the suite at http://localhost:8000
	@$(REPRO) serve $(LEADERBOARD) --engine $(ENGINE) --publish $(PUBLISH) $(if $(SUITE_NAME),--suite $(SUITE_NAME))

.PHONY: image
image: setup ## Build the image helm-repro:LEADERBOARD (GPU=1: helm-repro:LEADERBOARD-gpu)
	$(REPRO) image $(LEADERBOARD) $(FLAVOUR)

.PHONY: images
images: setup ## Build the images of all leaderboards
	$(REPRO) image --all

.PHONY: base-image
base-image: setup ## Make a base image from Debian, for machines that reach no image registry
	$(REPRO) base-image

.PHONY: lock
lock: setup ## Resolve ENVIRONMENT's dependencies anew (CONSTRAINTS: HELM's freeze of that version)
	$(REPRO) lock $(ENVIRONMENT) --constraints $(CONSTRAINTS)

.PHONY: test
test: setup ## Lint, types and all tests
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/pytest

.PHONY: bench
bench: setup ## Measure against plain HELM and a plain image, and write docs/benchmarks (an hour; needs Docker)
	.venv/bin/python -m benchmarks
	.venv/bin/python -m benchmarks.cold_start

.PHONY: clean
clean: ## Remove caches and environments, not results
	rm -rf .venv .cache build
