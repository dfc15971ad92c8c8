# Two commands for a newcomer: `make demo` and `make test`.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test test-all bench clean

$(READY): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --editable '.[test]'
	touch $(READY)

# Certify Dec-Tiger, check the certificate independently, say what it means.
demo: $(READY)
	$(BIN)/certify threshold dectiger --horizon 2 --method localisation --rtol 1/20 -o dectiger.cert.json
	$(BIN)/certify check dectiger.cert.json --engine stdlib
	$(BIN)/certify show dectiger.cert.json

test: $(READY)
	$(BIN)/python -m pytest -m "not slow" -n 2

test-all: $(READY)
	$(BIN)/python -m pytest -n 2

bench: $(READY)
	for script in benchmarks/*.py; do $(BIN)/python $$script || exit 1; done

clean:
	rm -rf $(VENV) build dist *.egg-info dectiger.cert.json
