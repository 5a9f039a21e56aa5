# `make run` and `make test` do everything on a fresh machine; `make help` lists the rest.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Quiet start-up, and no search for a GPU that serving and tests do not use.
export TF_CPP_MIN_LOG_LEVEL ?= 3
export CUDA_VISIBLE_DEVICES ?= -1

# What `make train` learns from and where the new version goes; FOLDERS, FIT and EXPORT are flags of
# `python -m training`: how to read the sub-folders, the recipe, the calibration.
PHOTOS ?=
RUN ?= runs/latest
MODELS ?= models/us_bills
FOLDERS ?=
FIT ?=
EXPORT ?=
# The gRPC address of a TensorFlow Serving to measure, and flags of `python -m bench`.
TARGET ?=
BENCH ?=

.DEFAULT_GOAL := help
.PHONY: help run test lint train photos bench rollout-demo lock protos

help:  ## list the commands
	@sed -n 's/^\([a-z-]*\):.*## /\1 \t/p' $(MAKEFILE_LIST) | expand -t 14

run: $(VENV)/.run  ## install, start the model server and the front end, print the URL
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/honcho start || test $$? -eq 130  # 130: Ctrl-C

test: $(VENV)/.dev  ## install everything and run all tests
	@$(BIN)/python -m pytest --numprocesses=3 $(TESTS)

lint: $(VENV)/.dev  ## ruff and mypy
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy

train: photos $(VENV)/.training  ## train on PHOTOS=folder and add a version to models/us_bills
	$(BIN)/python -m training fit "$(PHOTOS)" $(FOLDERS) --run "$(RUN)" $(FIT)
	$(BIN)/python -m training export "$(PHOTOS)" $(FOLDERS) --run "$(RUN)" --models "$(MODELS)" $(EXPORT)

photos:
	@test -n "$(PHOTOS)" || { echo "Say which photos: make train PHOTOS=folder (one sub-folder per class)" >&2; exit 2; }

bench: $(VENV)/.bench  ## measure all side by side, write docs/performance.md (TARGET=host:port: TensorFlow Serving too)
	@$(BIN)/python -m bench $(if $(TARGET),--target "$(TARGET)") $(BENCH)

rollout-demo: $(VENV)/.run  ## try, promote, take back and retire a version, on copies
	@$(BIN)/python -m bench.rollout_demo

lock: $(VENV)/.dev  ## renew requirements/*.txt from pyproject.toml
	@.ci/lock $(BIN)/uv

protos: $(VENV)/.dev  ## renew the generated protocol messages
	@$(BIN)/python -m serving.wire.generate

# One stamp per set of packages: a second `make run` installs nothing.
$(VENV)/.%: requirements/%.txt | $(BIN)/python
	@echo "installing the packages of $< into $(VENV) (a few minutes the first time)"
	@$(BIN)/python -m pip install --quiet --require-hashes --requirement $<
	@touch $@

$(BIN)/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if (3, 11) <= v < (3, 14) else f"us-bills needs Python 3.11 to 3.13; {sys.executable} is {v.major}.{v.minor}. Name another: make PYTHON=python3.12 ...")'
	@$(PYTHON) -m venv $(VENV)
