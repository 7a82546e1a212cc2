# brainwavlm: `make demo` runs the main job on the embedded data set, `make test` the tests. Each sets up .venv first.

PYTHON ?= python3
VENV := .venv
WORKERS ?= 2
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Modules are compiled when they are first imported: of the 22,000 that come with all packages few ever are. Where the
# environment forbids Python to keep what it compiled, each process would compile them again, for half a minute.
unexport PYTHONDONTWRITEBYTECODE
INSTALL := "$(BIN)/python" -m pip install --quiet --disable-pip-version-check --no-compile --constraint constraints.txt

.PHONY: demo test test-slow lint docs examples bench dist clean setup help
.DEFAULT_GOAL := help

help:
	@echo "make demo       set up, then the whole method on the embedded data set (about five minutes on two idle cores)"
	@echo "make setup      .venv with all that the rest needs; then: source .venv/bin/activate"
	@echo "make test       set up, then the tests"
	@echo "make test-slow  the tests that take minutes, look at pages in a browser or need extra files"
	@echo "make lint       ruff and mypy"
	@echo "make docs       the documentation as a site in site/, from docs/ and examples/"
	@echo "make examples   run the examples and keep their pictures (minutes)"
	@echo "make bench      the measurements behind docs/results/performance.md"
	@echo "make dist       wheel and source distribution in dist/, checked"
	@echo "make clean      remove .venv and everything that was made"

setup: $(READY)

# The stamp is newer than the files that decide what is installed, so a second call installs nothing.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "brainwavlm needs Python 3.11 or newer; found: $$($(PYTHON) --version)."; \
	       echo "Name another one:  make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 2; }
	@echo "Setting up $(VENV) (once; PyTorch is the largest part) ..."
	@$(PYTHON) -m venv "$(VENV)"
	@$(INSTALL) torch
	@$(INSTALL) --editable ".[dev]"
	@touch "$(READY)"

demo: $(READY)
	@"$(BIN)/brainwavlm" demo --output demo-output --replace

# Each worker computes with one thread: two that share two cores with two threads each would wait for one another.
# A file goes to one worker, which makes its fixtures once; in the order of tests/conftest.py, long files first.
test: $(READY)
	@OMP_NUM_THREADS=1 "$(BIN)/python" -m pytest -m "not slow and not browser" -n $(WORKERS) \
	  --dist loadfile --no-loadscope-reorder

test-slow: $(READY)
	@"$(BIN)/python" -m pytest -m "slow or browser"

lint: $(READY)
	@"$(BIN)/ruff" check .
	@"$(BIN)/ruff" format --check .
	@"$(BIN)/mypy"

$(VENV)/.docs: $(READY)
	@$(INSTALL) --editable ".[docs]"
	@touch "$@"

docs: $(VENV)/.docs
	@NO_MKDOCS_2_WARNING=1 "$(BIN)/mkdocs" build --strict --quiet && echo "Open site/index.html"

examples: $(READY)
	@folder=$$(mktemp -d) && here=$$(pwd) && for script in examples/*.py; do \
	  echo $$script; (cd $$folder && "$$here/$(BIN)/python" "$$here/$$script") || exit 1; done \
	  && cp $$folder/*.webp examples/images/ && rm -rf $$folder

RESULTS := benchmarks/results
bench: $(READY)
	@"$(BIN)/python" benchmarks/speed.py --output $(RESULTS)/speed-here.json
	@"$(BIN)/python" benchmarks/where.py --output $(RESULTS)/where.json
	@"$(BIN)/python" benchmarks/ridge.py --output $(RESULTS)/ridge.json
	@"$(BIN)/python" benchmarks/growth.py --output $(RESULTS)/growth.json
	@"$(BIN)/python" benchmarks/significance.py --output $(RESULTS)/significance.json
	@"$(BIN)/python" benchmarks/startup.py --output $(RESULTS)/startup.json
	@"$(BIN)/python" benchmarks/compiled.py --output $(RESULTS)/compiled.json
	@"$(BIN)/python" benchmarks/memory.py tune --stories 14 --output $(RESULTS)/memory-tune-14.json
	@"$(BIN)/python" benchmarks/tables.py

dist: $(READY)
	@rm -rf build dist
	@"$(BIN)/python" -m pip install --quiet --disable-pip-version-check build twine
	@"$(BIN)/python" -m build --outdir dist . >/dev/null
	@"$(BIN)/python" -m twine check --strict dist/*

clean:
	rm -rf "$(VENV)" demo-output site build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis src/*.egg-info
	find src tests tools benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
