# simbudget's house. `make demo` and `make test` set up what they need in .venv; see README.md.

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DEMO_OUT := simbudget-out

.PHONY: demo test check backtest bench examples format all clean

demo: $(READY)  ## project the seed experiment and show its result
	$(BIN)/simbudget project scenarios/aar-weak-to-strong.yaml --replications 1000 --out $(DEMO_OUT) \
		|| test $$? -eq 1  # 1: a limit of the scenario is not met, which is an answer

test: $(READY)  ## run the tests
	$(BIN)/simbudget project scenarios/autoresearch-one-gpu.yaml --replications 1 --quiet  # compiled once, not by each worker
	$(BIN)/python -m pytest -n auto

check: $(READY)  ## formatting, lint, strict types, layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(READY)  ## measure, beside peers, and write the tables in benchmarks/
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[bench]'
	$(BIN)/python -m benchmarks.start_up --write
	$(BIN)/python -m benchmarks.cold_start --write
	$(BIN)/python -m benchmarks.fleets --write
	$(BIN)/python -m benchmarks.memory --write

backtest: $(READY)  ## backtests on the logs at hand: the track record in docs/ and in the product
	$(BIN)/python benchmarks/known_campaigns.py --write
	$(BIN)/python benchmarks/track_record.py --write

examples: $(READY)  ## make the pictures in plots/ again
	$(BIN)/python scenarios/draw.py

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

all: check test examples bench

clean:
	rm -rf $(VENV) $(DEMO_OUT) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $(READY)
