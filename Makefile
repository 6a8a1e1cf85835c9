# setup | check | test | test-long | bench | demo | clean
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready

.PHONY: setup check test test-long bench demo clean debug

setup: $(STAMP)

$(STAMP): requirements.lock pyproject.toml setup.py recorder/_index.pyx
	@scripts/debian build
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	$(BIN)/python setup.py -q build_ext --inplace
	touch $(STAMP)

# The index with every bounds and overflow check on.
debug: setup
	SPANSTORE_DEBUG=1 $(BIN)/python setup.py -q build_ext --inplace --force

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

test: setup
	@scripts/debian test
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m "not long" $(ARGS)

test-long: setup
	@scripts/debian test
	$(BIN)/python -m pytest -n 2 --dist loadgroup $(ARGS)

bench: setup
	@scripts/debian test
	$(BIN)/python -m bench $(ARGS)

demo: setup
	$(BIN)/recorder demo $(ARGS)

clean:
	rm -rf $(VENV) build *.egg-info recorder/_index*.so
