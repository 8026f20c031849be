# Everything a newcomer types. Each target sets up what it needs in .venv; nothing is installed anywhere else.
#
#   make demo       train real models in a temporary repository and look at the runs
#   make test       ruff, mypy --strict, and the tests that take seconds
#   make test-slow  the tests that take minutes
#   make bench      the measured targets, as a table
#   make bench-full the same, with searches over 100,000 runs
#   make docs       write docs/cli.md and the man pages anew
#   make clean      remove .venv and what the tools left behind

VENV ?= .venv
# Processes that share the tests.
JOBS ?= 2
BIN := $(VENV)/bin
# Python 3.11 or newer; say `make PYTHON=/path/to/python …` to choose another than the first one found.
PYTHON ?=
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check
SOURCES_OF_METADATA := pyproject.toml gittrack/_version.py

.DEFAULT_GOAL := help
.PHONY: help demo test test-slow lint format bench bench-full docs clean

help:
	@sed -n 's/^#   //p' Makefile

demo: $(VENV)/.ready-demo
	@$(BIN)/python demo/run.py

test: lint
	@$(BIN)/python -m pytest -q -m "not slow" -n $(JOBS) --dist loadfile

test-slow: $(VENV)/.ready-test
	@$(BIN)/python -m pytest -q -m slow

lint: $(VENV)/.ready-test
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy --strict

format: $(VENV)/.ready-test
	@$(BIN)/ruff check --quiet --fix .
	@$(BIN)/ruff format --quiet .

bench: $(VENV)/.ready-test
	@$(BIN)/python -m benchmarks

bench-full: $(VENV)/.ready-test
	@$(BIN)/python -m benchmarks --full

docs: $(VENV)/.ready-demo
	@$(BIN)/python tools/make_docs.py

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist

# One stamp for each set of extras: installing again waits until the metadata changes.
$(VENV)/.ready-%: $(SOURCES_OF_METADATA) | $(BIN)/python
	@echo "installing gittrack[$*] into $(VENV) …" >&2
	@$(PIP_INSTALL) --editable '.[$*]'
	@touch $@

$(BIN)/python:
	@python=''; \
	for candidate in $(PYTHON) python3.11 python3 python3.12 python3.13 python3.14 python; do \
	    if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
	        python="$$candidate"; break; \
	    fi; \
	done; \
	if [ -z "$$python" ]; then \
	    echo "error: no Python 3.11 or newer was found" >&2; \
	    echo "hint: install one, or say which: make PYTHON=/path/to/python" >&2; exit 1; \
	fi; \
	if ! "$$python" -m venv $(VENV) >&2; then \
	    rm -rf $(VENV); \
	    echo "error: '$$python -m venv' failed" >&2; \
	    echo "hint: on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; \
	fi
