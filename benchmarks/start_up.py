"""How long a user waits before anything happens: `python -m benchmarks.start_up [--runs 5] [--write]`.

Commands are run in turns. Other work on the machine delays them, so that beside the shortest time on the clock stands
the median of processor time, also in loops of 50 million additions, which are measured in the same turns.
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from benchmarks.cold_start import loop_s

ABOUT = (
    "{cores} cores; runs taken in turns in one session; a loop is 50 million additions in pure Python. When it began, "
    "{load:.1f} other processes wanted one of the cores: with more than one, times on the clock are too long."
)
SEED_EXPERIMENT = "scenarios/aar-weak-to-strong.yaml"


class Taken(NamedTuple):
    """What one run of a command took."""

    clock_s: float
    processor_s: float


def taken(*command: str, **environment: str) -> Taken:
    """Return what one run of a command took, and what its own processes took of the processor."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, check=False, capture_output=True, env={**os.environ, **environment})
    assert done.returncode in (0, 1), done.stderr  # 1: a limit of the scenario is not met
    clock_s, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return Taken(clock_s, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def cold(*command: str) -> Taken:
    """Return what a run of a command takes that finds no compiled code on disk."""
    with tempfile.TemporaryDirectory() as folder:
        return taken(*command, NUMBA_CACHE_DIR=folder)


def main() -> None:
    """Measure, alternating, and print a table; with --write also into start_up.md."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=5, help="of each short command")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    simbudget = (sys.executable, "-m", "simbudget")
    project = (*simbudget, "project", SEED_EXPERIMENT, "--quiet", "--replications")
    commands = {
        "python -c pass": (sys.executable, "-c", "pass"),
        "simbudget --help": (*simbudget, "--help"),
        "simbudget check (seed experiment)": (*simbudget, "check", SEED_EXPERIMENT),
        "simbudget project (seed experiment, 2 replications)": (*project, "2"),
    }
    about = ABOUT.format(cores=os.cpu_count(), load=os.getloadavg()[0])
    taken(*project, "2")  # compiled code is on disk
    times: dict[str, list[Taken]] = {name: [] for name in commands}
    loops_s = []
    for _ in range(options.runs):
        loops_s.append(loop_s())
        for name, command in commands.items():
            times[name].append(taken(*command))
    times["the same, 1,000 replications"] = [taken(*project, "1000")]
    times["the same, 2 replications, compiling the engine first"] = [cold(*project, "2")]
    a_loop_s = statistics.median([*loops_s, loop_s()])
    lines = [
        "| command | runs | shortest, s | processor, median s | in loops |",
        "| --- | --: | --: | --: | --: |",
    ]
    for name, runs in times.items():
        median_s = statistics.median(one.processor_s for one in runs)
        shortest_s = min(one.clock_s for one in runs)
        lines.append(
            f"| `{name}` | {len(runs)} | {shortest_s:.3f} | {median_s:.3f} | {median_s / a_loop_s:.2f} |"
        )
    table = "\n".join(lines)
    print(f"{about}\n\n{table}")
    if options.write:
        path = Path(__file__).with_suffix(".md")
        path.write_text(f"# Start-up\n\n{about}\n\n{table}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
