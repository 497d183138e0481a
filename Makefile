# The two commands of the README. Both work from a fresh clone with Python 3.11+ and nothing else.
PYTHON ?= python3
BIN := .venv/bin
# Processes that share the tests; each takes up to 7 GiB.
WORKERS ?= 2

.PHONY: quickstart test
quickstart: .venv/installed
	$(BIN)/python recipes/quickstart.py

test: .venv/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal --durations=10 $(if $(SLOW),--slow) $(ARGS)

.venv/installed: setup.cfg
	test -x $(BIN)/pip || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

.venv/installed-test: setup.cfg
	test -x $(BIN)/pip || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --editable '.[test]'
	touch $@ .venv/installed
