# simbudget's house. `make demo` and `make test` set up what they need in .venv; see README.md and CONTRIBUTING.md.

# Any Python from 3.11 on: the newest of those that the pinned versions are tested with, or PYTHON=... of your choice.
PYTHON ?= $(shell for name in python3.11 python3.12 python3.13 python3 python; do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$name && break; done)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DEMO_OUT := simbudget-out
WHEELS := dist

.PHONY: demo test test-fast check wheel backtest profiles bench docs fuzz examples format all clean

demo: $(READY)  ## project the seed experiment and show its result
	$(BIN)/simbudget project aar-weak-to-strong --replications 1000 --out $(DEMO_OUT) \
		|| test $$? -eq 1  # 1: a limit of the scenario is not met, which is an answer

test: $(READY)  ## run the tests
	$(BIN)/simbudget project autoresearch-one-gpu --replications 1 --quiet  # compiled once, not by each worker
	$(BIN)/python -m pytest -n auto

test-fast: $(READY)  ## the tests that need no compiled engine: an answer in about a minute
	$(BIN)/python -m pytest -m fast

check: $(READY)  ## formatting, lint, strict types, layers and circles
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

wheel: $(READY)  ## build the wheel, and try it on every Python from 3.11 to 3.13 that is there
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir $(WHEELS) .
	.ci/try-wheel $(WHEELS)

bench: $(READY)  ## measure, beside peers, and write the tables in benchmarks/
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[bench]'
	$(BIN)/python -m benchmarks.start_up --write
	$(BIN)/python -m benchmarks.cold_start --write
	$(BIN)/python -m benchmarks.fleets --write
	$(BIN)/python -m benchmarks.memory --write
	$(BIN)/python -m benchmarks.ccusage
	$(BIN)/python -m benchmarks.history

fuzz: $(READY)  ## 20,000 mutated scenarios, ledgers and sites, and as many damaged logs: each is read, or refused in a line; races to a cap, and 200 kills
	$(BIN)/python -m benchmarks.fuzz_inputs 20000
	$(BIN)/python -m benchmarks.fuzz_logs --files 20000 --write
	$(BIN)/python -m benchmarks.guard_races 1 --write
	$(BIN)/python -m benchmarks.guard_kills 100 --write
	$(BIN)/python -m benchmarks.pilot_kills --kills 100 --write

backtest: $(READY)  ## backtests on the logs at hand: the track record in docs/ and in the product
	$(BIN)/python benchmarks/known_campaigns.py --write
	$(BIN)/python benchmarks/track_record.py --write

profiles: $(READY)  ## reference profiles of real agents' runs, as the product ships them
	$(BIN)/python -m benchmarks.reference_profiles --write

docs: $(READY)  ## write the language's reference page anew from its annotations
	$(BIN)/python -m simbudget.scenario.reference docs/language.md

examples: $(READY)  ## make the pictures in plots/ again
	$(BIN)/python scenarios/draw.py

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

all: check test wheel examples bench

clean:
	rm -rf $(VENV) $(DEMO_OUT) $(WHEELS) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

$(READY): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "simbudget needs Python 3.11 or later; say which with make PYTHON=..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $(READY)
