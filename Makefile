# skaudio's chores. `make` alone lists them. Every target sets up what it needs on first use.

VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

# The interpreter that creates the environment; PYTHON=/path/to/python3 chooses another one.
PYTHON ?=
# How pytest runs. One torch thread per worker: workers and threads would compete for the cores.
PYTEST_ARGS ?= -n auto --maxprocesses=4
OMP_NUM_THREADS ?= 1
PYTEST = OMP_NUM_THREADS=$(OMP_NUM_THREADS) $(BIN)/python -m pytest

.DEFAULT_GOAL := help
.PHONY: help venv demo test-fast test test-all test-lowest fuzz lint format types doctest docs bench clean distclean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

venv: $(STAMP) ## Create the environment (.venv), or bring it up to date

demo: $(STAMP) ## Cross-validate spoken digits by speaker; pictures go to demo_output/
	$(BIN)/python examples/plot_1_spoken_digits.py --output demo_output

test-fast: $(STAMP) ## Run the tests that take two minutes together: every package, not every case
	$(PYTEST) -m "not slow and not exhaustive" $(PYTEST_ARGS)

test: $(STAMP) ## Run the tests (PYTEST_ARGS="-k mfcc" runs some of them)
	$(PYTEST) -m "not exhaustive" $(PYTEST_ARGS)

test-all: $(STAMP) ## Run the tests, those included that repeat others at length
	$(PYTEST) $(PYTEST_ARGS)

LOWEST := .venv-lowest
test-lowest: $(STAMP) ## Run the fast tests with the lowest versions of all dependencies (in .venv-lowest)
	$(BIN)/python -m venv $(LOWEST)
	$(BIN)/python tools/lowest_versions.py > $(LOWEST)/lowest.txt
	$(LOWEST)/bin/python -m pip install --quiet -c $(LOWEST)/lowest.txt -e '.[test]'
	OMP_NUM_THREADS=1 $(LOWEST)/bin/python -m pytest -m "not slow and not exhaustive" $(PYTEST_ARGS)

fuzz: $(STAMP) ## Read thousands of damaged files (FUZZ_ARGS="20000 1": runs of each kind, seed)
	@for script in benchmarks/fuzz_*.py; do \
	  echo "== $$script"; $(BIN)/python "$$script" $(FUZZ_ARGS) || exit 1; \
	done

lint: $(STAMP) ## Check format and lint rules
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m ruff check .

format: $(STAMP) ## Format the code, mend what can be mended
	$(BIN)/python -m ruff check --fix .
	$(BIN)/python -m ruff format .

types: $(STAMP) ## Check the types of the package
	$(BIN)/python -m mypy

# Pages with examples; those of the gallery are run by `make docs`.
PAGES = docs/index.rst docs/faq.rst docs/start docs/concepts docs/guide
doctest: $(STAMP) ## Run the examples in the docstrings and in the documentation
	$(BIN)/python -m pytest --doctest-modules --doctest-glob='*.rst' skaudio $(PAGES)

docs: $(STAMP) ## Build the documentation, examples included: docs/_build/html/index.html
	$(BIN)/python -m sphinx -b html -W --keep-going docs docs/_build/html
	$(BIN)/python tools/check_links.py docs/_build/html

bench: $(STAMP) ## Run the benchmarks
	@found=0; for script in benchmarks/bench_*.py; do \
	  [ -f "$$script" ] || continue; \
	  found=1; echo "== $$script"; $(BIN)/python "$$script" || exit 1; \
	done; [ $$found = 1 ] || echo "benchmarks/ holds no bench_*.py yet"

clean: ## Remove what the other targets made, except the environment
	rm -rf demo_output docs/_build docs/auto_examples docs/generated docs/pictures docs/sg_execution_times.rst
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +

distclean: clean ## Remove the environment as well
	rm -rf $(VENV)

# An environment that is missing, or whose Python has gone, is created; one older than the
# constraints is brought up to date. The stamp comes last, so an interrupted set-up starts again.
$(STAMP): pyproject.toml constraints.txt
	@python='$(PYTHON)'; \
	for candidate in python3 python3.13 python3.12 python3.11 python3.14 python; do \
	  [ -z "$$python" ] || break; \
	  if "$$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' \
	      >/dev/null 2>&1; then python=$$candidate; fi; \
	done; \
	if [ -z "$$python" ]; then \
	  echo "skaudio needs Python 3.11 to 3.14, and none was found on the PATH (python3 here:" \
	    "$$(python3 --version 2>&1 || true)). If it is elsewhere: make PYTHON=/path/to/python3" >&2; \
	  exit 1; \
	fi; \
	if ! "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	  echo "skaudio needs Python 3.11 or newer; PYTHON=$$python is:" \
	    "$$("$$python" --version 2>&1 || true)" >&2; \
	  exit 1; \
	fi; \
	if ! "$$python" -c 'import ensurepip, venv' 2>/dev/null; then \
	  echo "$$python cannot create virtual environments: its module ensurepip is missing." \
	    "On Debian and Ubuntu: sudo apt install python3-venv" >&2; \
	  exit 1; \
	fi; \
	if ! $(BIN)/python -m pip --version >/dev/null 2>&1; then \
	  echo "Creating $(VENV) with $$("$$python" --version 2>&1)"; \
	  "$$python" -m venv --clear '$(VENV)' || exit 1; \
	fi
	@echo "Installing skaudio and its tools from constraints.txt (the first time takes some minutes)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	  -c constraints.txt -e '.[dev]'
	@touch $(STAMP)
