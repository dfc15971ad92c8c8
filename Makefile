# `make demo` and `make test` are all that a newcomer needs; `make check` is what `make test` does first.
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
CHECKED := certify proofs benchmarks examples tests docs/site

# The newest interpreter that runs: python3.14 … python3.11, or a python3 that is at least 3.11.
find = $(shell for p in python3.14 python3.13 python3.12 python3.11 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
PYTHON ?= $(find)
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check --no-input

.PHONY: demo docs test check test-all test-versions quick bench mutate changelog clean

$(READY): pyproject.toml
	@test -n "$(PYTHON)" || { echo "certify needs Python 3.11 or newer and found none: install it, or name it with 'make PYTHON=/path/to/python3'" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { echo "$(PYTHON) is no Python 3.11 or newer: install one, or name another with 'make PYTHON=/path/to/python3'" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "$(PYTHON) cannot make virtual environments: install its venv module (Debian and Ubuntu: 'apt install python3-venv')" >&2; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || { echo "setting up $(VENV) with $(PYTHON) (once)"; $(PYTHON) -m venv --clear $(VENV); }
	@$(PIP) install --editable '.[test]' 2>$(VENV)/pip.log || { tail -n 3 $(VENV)/pip.log >&2; echo "the dependencies could not be installed: check the network (pip must reach its index), then run make again; all of pip's words are in $(VENV)/pip.log" >&2; exit 1; }
	@touch $(READY)

# Certify Dec-Tiger, check the certificate independently, say what it means.
demo: $(READY)
	$(BIN)/certify threshold dectiger --horizon 2 --method localisation --rtol 1/20 -o dectiger.cert.json
	$(BIN)/certify check dectiger.cert.json --engine stdlib
	$(BIN)/certify show dectiger.cert.json

test: check
	$(BIN)/python -m pytest -m "not slow" -n 2

test-all: check
	$(BIN)/python -m pytest -n 2

# Style, types, dead code; imports, citations and docstrings are tests too (tests/test_*.py) and run in seconds.
check: $(READY)
	$(BIN)/ruff check $(CHECKED)
	$(BIN)/ruff format --check $(CHECKED)
	$(BIN)/mypy
	$(BIN)/vulture
	$(BIN)/python -m pytest tests/test_architecture.py tests/test_citations.py

# A quick subset under every supported Python that this machine has, each in an environment of its own.
VERSIONS := 3.11 3.12 3.13 3.14
test-versions:
	@for v in $(VERSIONS); do \
		if python$$v -c '' 2>/dev/null; then \
			$(MAKE) --no-print-directory VENV=.venv-$$v PYTHON=python$$v quick || exit 1; \
		else echo "python$$v: not on this machine, skipped"; fi; done

quick: $(READY)
	@$(BIN)/python --version
	$(BIN)/python -m pytest -m "not slow" -n 2 tests/games tests/cli tests/bounds tests/test_architecture.py

# The documentation site, strictly: build/site/html/index.html.
docs: $(VENV)/.docs
	$(BIN)/python docs/site/build.py

$(VENV)/.docs: $(READY)
	@$(PIP) install --editable '.[docs]'
	@touch $@

bench: $(READY)
	for script in benchmarks/*.py; do $(BIN)/python $$script || exit 1; done

# Small changes of the checker that no certificate file notices (tests/mutants.md): SAMPLE of each module, 0 for all.
SAMPLE := 20
MODULES :=
mutate: $(READY)
	$(BIN)/python tests/mutation.py --sample $(SAMPLE) $(MODULES)

# The fragments in docs/changes as bullets for CHANGELOG.md.
changelog:
	@for f in docs/changes/*.md; do case $$f in */README.md) ;; *) sed '1s/^/- /; 2,$$s/^/  /' $$f ;; esac; done

clean:
	rm -rf $(VENV) $(VENV)-3.* build dist *.egg-info dectiger.cert.json .mypy_cache .ruff_cache .pytest_cache
