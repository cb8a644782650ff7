"""How much memory a projection needs: by replications, and by agents that share one rate limit.

Each figure is the most that a process of its own had resident, less what Python with everything imported and compiled
code loaded has. With --write the table is written beside this file.
"""

import argparse
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from benchmarks.peers.fleet import Fleet
from benchmarks.peers.simbudget_fleet import program
from simbudget.engine import compiled
from simbudget.projection.run import Options, project
from simbudget.scenario.loading import loads_scenario

REPLICATIONS: Final = (1_000, 10_000, 100_000)
AGENTS: Final = (900, 10_000, 20_000, 40_000)

SMALL: Final = """
fleet: [{agents: 2, sandbox: {price: 0.1 $/h}}]
cycle: [think: {turns: 3 to 9}, experiment: {time: 5 min to 20 min}, score, share]
prices: {on: 2026-06-01}
stop: {after: 2 h, budget: $100}
"""


def _most_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0


def _replications(count: int) -> None:
    project(loads_scenario(SMALL).scenario, Options(replications=count))


def _agents(count: int) -> None:
    import numpy as np  # noqa: PLC0415

    one = np.zeros(1, dtype=np.int64)
    compiled.simulate_many(program(Fleet(count, 4.0)), 1, one, one)


def _measure(what: str, count: int) -> tuple[float, float]:
    """Return the extra MB and the seconds of one process that does it."""
    command = [sys.executable, "-m", "benchmarks.memory", "--only", what, "--count", str(count)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return float(printed[0]), float(printed[1])


def _only(what: str, count: int) -> None:
    work = {"replications": _replications, "agents": _agents}[what]
    work(9)
    before_mb, began = _most_mb(), time.perf_counter()
    work(count)
    print(_most_mb() - before_mb, time.perf_counter() - began)


def main() -> None:
    """Measure, and print a table; with --write also into memory.md."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--only", choices=("replications", "agents"))
    parser.add_argument("--count", type=int, default=0)
    options = parser.parse_args()
    if options.only:
        _only(options.only, options.count)
        return
    lines = [
        "# Memory\n",
        "Beyond what a process has that has made a small projection already; compiled engine.\n",
    ]
    for what, counts in (("replications", REPLICATIONS), ("agents", AGENTS)):
        title = (
            "of 2 agents for 2 h" if what == "replications" else "for 4 h, one replication, one rate limit"
        )
        lines += [f"| {what} {title} | MB more | s |", "| --- | --- | --- |"]
        for count in counts:
            more_mb, seconds = _measure(what, count)
            lines.append(f"| {count:,} | {more_mb:.1f} | {seconds:.1f} |")
        lines.append("")
    text = "\n".join(lines)
    print(text)
    if options.write:
        Path(__file__).with_suffix(".md").write_text(text)


if __name__ == "__main__":
    main()
