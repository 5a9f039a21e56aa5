# `make run` and `make test` do everything on a fresh machine; `make help` lists the rest.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export TF_CPP_MIN_LOG_LEVEL ?= 3
# No search for a GPU where none is used; `make train` takes what there is.
run test bench rollout-demo drill: export CUDA_VISIBLE_DEVICES ?= -1

# What `make train` learns from and where the new version goes (models/us_bills if empty); FOLDERS,
# FIT and EXPORT are flags of `python -m training`: how to read the sub-folders, the recipe, the calibration.
PHOTOS ?=
RUN ?= runs/latest
MODELS ?=
FOLDERS ?=
FIT ?=
EXPORT ?=
# What `make teach` and `make drill` teach, and flags of `python -m training teach`. The new version goes beside it,
# unless MODELS says where.
MODEL ?= models/us_bills/1
TEACH ?=
# Flags of `python -m bench.drill`.
DRILL ?=
# The gRPC address of a TensorFlow Serving to measure, and flags of `python -m bench`.
TARGET ?=
BENCH ?=

.DEFAULT_GOAL := help
.PHONY: help run test lint docs train teach photos bench rollout-demo rollout-containers drill lock protos sbom release-check

help:  ## list the commands
	@sed -n 's/^\([a-z-]*\):.*## /\1 \t/p' $(MAKEFILE_LIST) | expand -t 20

run: $(VENV)/.run  ## install, start the model server and the front end, print the URL
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/honcho start || test $$? -eq 130  # 130: Ctrl-C

test: $(VENV)/.dev  ## install everything and run all tests
	@$(BIN)/python -m pytest --numprocesses=3 $(TESTS)

lint: $(VENV)/.dev  ## ruff and mypy
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy

docs: $(VENV)/.docs  ## write the documentation as a site to build/docs; a broken link fails
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet --strict

train: photos $(VENV)/.training  ## train on PHOTOS=folder and add a version to models/us_bills
	$(BIN)/python -m training fit "$(PHOTOS)" $(FOLDERS) --run "$(RUN)" $(FIT)
	$(BIN)/python -m training export "$(PHOTOS)" $(FOLDERS) --run "$(RUN)" $(if $(MODELS),--models "$(MODELS)") $(EXPORT)

teach: photos $(VENV)/.training  ## teach MODEL the PHOTOS of a new design or class, and add the version that knows them
	$(BIN)/python -m training teach "$(PHOTOS)" $(FOLDERS) --model "$(MODEL)" $(if $(MODELS),--models "$(MODELS)") $(TEACH)

photos:
	@test -n "$(PHOTOS)" || { echo "Say which photos: make $(MAKECMDGOALS) PHOTOS=folder (one sub-folder per class)" >&2; exit 2; }

bench: $(VENV)/.bench  ## measure all side by side, write docs/performance.md (TARGET=host:port: TensorFlow Serving too)
	@$(BIN)/python -m bench $(if $(TARGET),--target "$(TARGET)") $(BENCH)

rollout-demo: $(VENV)/.run  ## try, promote, take back and retire a version, on copies
	@$(BIN)/python -m bench.rollout.demo

rollout-containers: $(VENV)/.dev  ## roll a version out over three model servers and two front ends, as containers under load
	@$(BIN)/python -m bench.rollout --containers --servers 3 --front-ends 2 --candidate models/us_bills/2

drill: $(VENV)/.run $(VENV)/.training  ## from a bill that nobody knows (PHOTOS=folder, or drawn) to a version that does, on copies
	@$(BIN)/python -m bench.drill --model "$(MODEL)" $(if $(PHOTOS),--photos "$(PHOTOS)") $(DRILL)

lock: $(VENV)/.dev  ## renew requirements/*.txt from pyproject.toml
	@.ci/lock $(BIN)/uv

protos: $(VENV)/.dev  ## renew the generated protocol messages
	@$(BIN)/python -m serving.wire.generate

sbom: $(VENV)/.dev  ## write a CycloneDX SBOM of each tier's packages to dist/
	@.ci/sbom $(BIN)/python

release-check: $(VENV)/.dev  ## a clean tree, lint, versions that agree, tests, docs, SBOM
	@test -z "$$(git status --porcelain)" || { git status --short >&2; echo "Commit or remove these first." >&2; exit 1; }
	@$(BIN)/python -m pytest --quiet tests/test_release.py
	@$(MAKE) lint docs test sbom

# One stamp per set of packages: a second `make run` installs nothing.
$(VENV)/.%: requirements/%.txt | $(BIN)/python
	@echo "installing the packages of $< into $(VENV) (a few minutes the first time)"
	@$(BIN)/python -m pip install --quiet --only-binary=:all: --require-hashes --requirement $<
	@touch $@

$(BIN)/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if (3, 11) <= v < (3, 14) else f"us-bills needs Python 3.11 to 3.13; {sys.executable} is {v.major}.{v.minor}. Name another: make PYTHON=python3.12 ...")'
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }  # Half of one would look whole.
