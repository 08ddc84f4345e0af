# Needs Python 3.11+, git and make; everything else is installed into .venv. Without make: see README, "Install".
PYTHON ?= python3
BIN := .venv/bin
JOBS ?= 2
# Tests start Python hundreds of times: compiled modules are kept, whatever the shell says.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help setup demo test check bench docs clean

help:
	@echo "make setup   install onsei into .venv"
	@echo "make demo    train a small model of each system on this machine, then open runs/demo/report.html"
	@echo "make test    run the tests"
	@echo "make check   lint and type check"
	@echo "make bench   measure speed and quality (long); results in benchmarks/results"
	@echo "make docs    write the reference pages, run the lessons and draw their pictures"

setup:
	@$(PYTHON) scripts/setup.py

demo:
	@$(PYTHON) scripts/setup.py demo
	@$(BIN)/onsei demo

# Each process takes one stretch of the files, then what others have left: what a file prepares is prepared once.
test:
	@$(PYTHON) scripts/setup.py test
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) --dist worksteal

check:
	@$(PYTHON) scripts/setup.py dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench:
	@$(PYTHON) scripts/setup.py test
	$(BIN)/python benchmarks/all.py

docs:
	@$(PYTHON) scripts/setup.py
	$(BIN)/python scripts/reference.py
	$(BIN)/python scripts/lessons.py

clean:
	rm -rf .venv runs build dist .pytest_cache .mypy_cache .ruff_cache
