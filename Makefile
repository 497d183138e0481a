# The commands of the README. They work from a fresh clone with Python 3.11 to 3.13, its venv module and nothing else.
# An existing .venv keeps its Python: remove it before naming another one, as in `make test PYTHON=python3.13`.
PYTHON ?= python3
BIN := .venv/bin
# Processes that share the tests; two and what they start take less than 6 GiB together.
WORKERS ?= 2

.PHONY: quickstart test test-processors test-installed
quickstart: .venv/installed
	$(BIN)/python recipes/quickstart.py

test: .venv/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal --durations=10 $(if $(SLOW),--slow) $(ARGS)

test-processors: .venv/installed-test
	$(BIN)/python tests/processors.py -n $(WORKERS) --dist worksteal $(ARGS)

test-installed:
	PYTHON=$(PYTHON) tests/installed.sh

.venv/installed: setup.cfg
	test -x $(BIN)/pip || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

.venv/installed-test: setup.cfg
	test -x $(BIN)/pip || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --editable '.[test]'
	touch $@ .venv/installed
