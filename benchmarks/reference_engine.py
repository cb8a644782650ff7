"""How many model calls a second the reference engine simulates, beside SimPy with empty processes."""

import argparse
import time
from pathlib import Path

import simpy

from simbudget.engine.lowering import lower
from simbudget.engine.reference import simulate
from simbudget.scenario.loading import load_scenario

SCENARIOS = Path(__file__).parent.parent / "scenarios"
EVENTS = 300_000


def bare_events_per_second() -> float:
    """Return how many timeouts a second SimPy handles in nine processes that do nothing else."""
    environment = simpy.Environment()

    def process() -> simpy.events.ProcessGenerator:
        while True:
            yield environment.timeout(1)

    for _ in range(9):
        environment.process(process())
    began = time.perf_counter()
    environment.run(until=EVENTS / 9)
    return EVENTS / (time.perf_counter() - began)


def main() -> None:
    """Measure, and print a table; with --write also into reference_engine.md."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--write", action="store_true")
    write = parser.parse_args().write
    bare = bare_events_per_second()
    lines = ["| scenario | model calls a run | s a run | calls a second | bare SimPy events for one call |"]
    lines.append("| --- | --- | --- | --- | --- |")
    for path in sorted(SCENARIOS.glob("*.yaml")):
        program = lower(load_scenario(path).scenario)
        simulate(program, replication=0, record=False)  # compiled laws are loaded
        began, calls = time.perf_counter(), 0.0
        for replication in range(1, 4):
            calls += simulate(program, replication=replication, record=False).totals["model_calls"]
        taken = time.perf_counter() - began
        rate = calls / taken
        lines.append(
            f"| {path.stem} | {calls / 3:,.0f} | {taken / 3:.2f} | {rate:,.0f} | {bare / rate:.1f} |"
        )
    table = "\n".join(lines)
    print(table)
    if write:
        basis = f"One core; bare SimPy: {bare:,.0f} events a second in the same process."
        Path(__file__).with_suffix(".md").write_text(f"# Reference engine\n\n{basis}\n\n{table}\n")


if __name__ == "__main__":
    main()
