# make demo   set up, train on the embedded corpus, show, export
# make test   set up, run all tests in two processes
# make lint   set up, check format, style and types
# make docs   set up, write the documentation to docs/build
# make jax    set up JAX beside it, run the tests of the layers on it
# make torch  the same on torch

PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

.PHONY: demo test lint docs jax torch

demo: $(VENV)/installed
	$(BIN)/python -m recipes.translation.demo

# The longest files first, so that both processes end together.
test: $(VENV)/installed
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder tests/recipes tests

lint: $(VENV)/installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

docs: $(VENV)/installed
	$(BIN)/python -m pip install --quiet -e ".[translation,test,docs]"
	$(BIN)/python -m sphinx -W --keep-going -q docs docs/build

# Some minutes each, and large packages: not for every push.
jax torch: %: $(VENV)-%/installed
	KERAS_BACKEND=$* $(VENV)-$*/bin/python -m pytest -n 2 -m any_backend tests/kattention

$(VENV)-%/installed: setup.cfg pyproject.toml
	$(PYTHON) -m venv $(VENV)-$*
	$(VENV)-$*/bin/python -m pip install --quiet -e . $* pytest pytest-xdist hypothesis
	touch $@

$(VENV)/installed: setup.cfg pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -e ".[translation,test]"
	touch $@
