# setup | check | test | test-long | habits | sim | bench | demo | reference | verifier | clean
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
PLAYERS := tests/web/node_modules/.package-lock.json
PYTEST := PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest
# Once, before each worker would.
COMPILE := $(BIN)/python -m compileall -q -j 2 recorder policies tests/support

.PHONY: setup check test test-long habits sim bench demo reference verifier clean debug

setup: $(STAMP)

$(STAMP): requirements.lock pyproject.toml setup.py recorder/_index.pyx recorder/_index_activity.pxi
	@scripts/debian build
	@echo "setup 1/2: Python packages into $(VENV), once; a minute or two"
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@echo "setup 2/2: the recorder itself, whose index is compiled; half a minute"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $(STAMP)

# The players that Chromium reads our playlists with.
$(PLAYERS): tests/web/package-lock.json
	@scripts/debian test
	npm ci --prefix tests/web --loglevel=error --no-audit --no-fund --ignore-scripts
	touch $@

# The index with every bounds and overflow check on.
debug: setup
	SPANSTORE_DEBUG=1 $(BIN)/python setup.py -q build_ext --inplace --force

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

# Six workers on two cores: most tests wait for real time to pass.
test: setup $(PLAYERS)
	@scripts/debian test
	@$(COMPILE)
	$(PYTEST) -n 6 --dist loadgroup -m "not long" $(ARGS)

# Here each recorder starts by itself, from nothing, and chance has three times as many trials.
test-long: setup $(PLAYERS)
	@scripts/debian test
	@$(COMPILE)
	SPANSTORE_TEST_LONG=1 $(PYTEST) -n 2 --dist loadgroup $(ARGS)

# Every habit of cameras and encoders, in real time, with both ffmpegs: half an hour.
habits: setup
	@scripts/debian test
	SPANSTORE_TEST_LONG=1 $(PYTEST) -n 2 --dist loadgroup tests/habits tests/integration/test_decoding.py $(ARGS)

# The reference county for 120 days, with everything going wrong; SIM_SEED=N tries another.
sim: setup
	$(PYTEST) -n 0 -s -m long tests/sim -k reference $(ARGS)

bench: setup
	@scripts/debian test
	$(BIN)/python -m bench $(ARGS)

# What verifies evidence, as a small package of its own, to be handed over with a bundle.
verifier: setup
	$(BIN)/python scripts/verifier.py dist

demo: setup
	@echo "demo: starting; the first lines come within a few seconds"
	$(BIN)/recorder demo $(ARGS)

# The pages of docs/reference, from the code; a test holds them to it.
reference: setup
	$(BIN)/python scripts/reference.py

clean:
	rm -rf $(VENV) build *.egg-info recorder/_index*.so
