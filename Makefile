# Hedgerow: `make` prints this help.
#
# Settings, passed on to the command line: CORPUS=folder OUTPUTS=folder WORKERS=n ENGINE=local|ray

CORPUS  ?= corpus
OUTPUTS ?= outputs
WORKERS ?= 1
ENGINE  ?= local
DATA    ?= ../shared
SIZE    ?= full

FLAGS = --corpus '$(CORPUS)' --outputs '$(OUTPUTS)' --workers '$(WORKERS)'
BIN   = .venv/bin
STAGES = documents sentences annotations entities cues certainty claims statements evidence

.DEFAULT_GOAL := help
.PHONY: help run $(STAGES) test soak fuzz bench profile lint audit wheel train evaluate docs lock clean

help: ## print this help
	@awk -F ':.*## ' '/^[a-z$$][^:]*:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile
	@echo "  make STAGE       one stage and those before it: $(STAGES)"
	@echo "Settings: CORPUS=$(CORPUS) OUTPUTS=$(OUTPUTS) WORKERS=$(WORKERS) ENGINE=$(ENGINE) DATA=$(DATA)"

run: $(BIN)/.run ## set up, then bring outputs/latest up to date with corpus/
	@$(BIN)/hedgerow run $(FLAGS) --engine '$(ENGINE)'

$(STAGES): $(BIN)/.run
	@$(BIN)/hedgerow $@ $(FLAGS)

test: $(BIN)/.dev ## set up, then run the tests
	@$(BIN)/python -m pytest -q -m 'not soak'

soak: $(BIN)/.dev ## long crash and load runs
	@$(BIN)/python -m pytest -q -m soak --timeout 7200

bench: $(BIN)/.dev ## every goal of speed and scale as a ratio; SIZE=small takes minutes
	@DATA='$(DATA)' $(BIN)/python -m tests.benchmarks.bench $(SIZE) $(ROWS)

profile: $(BIN)/.dev ## where the time goes, stage by stage
	@$(BIN)/python -m tests.benchmarks.profile

fuzz: $(BIN)/.dev ## fuzz the readers: MINUTES each, READERS="html docx", inputs and findings in FUZZ
	@FUZZ_EXAMPLES=$(EXAMPLES) $(BIN)/python -m pytest -q tests/test_fuzz.py -m 'soak or not soak' --timeout 7200
	@$(BIN)/python -m tests.fuzz --minutes $(MINUTES) --jobs $(JOBS) --out '$(FUZZ)' $(READERS)
MINUTES  ?= 20
JOBS     ?= 2
READERS  ?=
EXAMPLES ?= 1000
FUZZ     ?= $(or $(TMPDIR),/tmp)/hedgerow-fuzz

lint: $(BIN)/.dev ## ruff, mypy and import contracts
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports

audit: $(BIN)/.dev ## look the locked packages up among known vulnerabilities; needs the network
	@$(BIN)/python -m pip_audit --strict --disable-pip --require-hashes $(foreach f,$(sort $(wildcard requirements/*.txt)),-r '$(f)')

wheel: $(BIN)/.dev ## build the wheel and try it in an empty environment
	@BIN='$(abspath $(BIN))' bash tests/try_wheel.sh

train: $(BIN)/.dev ## train models/hedgerow_en on the corpora in DATA
	@$(BIN)/python models/training/train.py --data '$(DATA)' --out models/hedgerow_en
	@$(BIN)/python models/training/units.py --data '$(DATA)' --out models/hedgerow_en
	@$(BIN)/python models/training/arguments.py '$(DATA)/gold' models/hedgerow_en pipeline/hedgerow/nlp/data
	@$(BIN)/python models/training/effects.py '$(DATA)/data/certainty/evidence_inference' pipeline/hedgerow/nlp/data

evaluate: $(BIN)/.dev ## print every figure of the model card, from DATA
	@$(BIN)/python models/training/evaluate_heads.py --data '$(DATA)'
	@$(BIN)/python models/training/evaluate_linking.py --data '$(DATA)'
	@$(BIN)/python models/training/evaluate_splitting.py --data '$(DATA)'
	@$(BIN)/hedgerow evaluate $(foreach f,$(sort $(wildcard $(DATA)/gold/*.dev.jsonl)),--gold '$(f)')

docs: $(BIN)/.run ## rewrite docs/tables.md from the schemas
	@$(BIN)/hedgerow schema --markdown > docs/tables.md

lock: $(BIN)/.dev ## rewrite requirements/*.txt from pyproject.toml
	@$(BIN)/python -m pip install --quiet uv
	@$(BIN)/uv pip compile $(LOCK) --extra build -o requirements/run.txt pyproject.toml
	@$(BIN)/uv pip compile $(LOCK) --extra build --extra dev -c requirements/run.txt -o requirements/dev.txt pyproject.toml
LOCK = --quiet --universal --python-version 3.10 --generate-hashes --no-annotate --no-header --no-emit-index-url

clean: ## remove the environment and all outputs
	@rm -rf .venv build dist outputs/latest outputs/lock* outputs/snapshots outputs/work

# The set-up: a virtual environment with the locked packages, then the checkout itself.
PYTHON ?= $(firstword $(foreach p,python3.12 python3.11 python3.10 python3 python,$(shell \
	$(p) -c 'import sys, venv, ensurepip; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))' \
	2>/dev/null && echo $(p))))

$(BIN)/.python:
	@test -n "$(PYTHON)" || { echo "make: found no Python 3.10, 3.11 or 3.12 with venv and pip;" \
		"install one (Debian: apt-get install python3 python3-venv), or name it: make PYTHON=…" >&2; exit 2; }
	@echo "Setting up .venv with $$($(PYTHON) --version) …"
	@$(PYTHON) -m venv --clear .venv && touch $@

$(BIN)/.run: requirements/run.txt pyproject.toml | $(BIN)/.python
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(BIN)/.dev: requirements/dev.txt $(BIN)/.run
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@
