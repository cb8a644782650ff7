"""How long a user waits before anything happens, beside a Python that does nothing, in the same session."""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RUNS = 15
SEED_EXPERIMENT = "scenarios/aar-weak-to-strong.yaml"


def seconds(*command: str, **environment: str) -> float:
    """Return the wall-clock time of one run of a command."""
    began = time.perf_counter()
    done = subprocess.run(command, check=False, capture_output=True, env={**os.environ, **environment})
    assert done.returncode in (0, 1), done.stderr  # 1: a limit of the scenario is not met
    return time.perf_counter() - began


def cold_seconds(*command: str) -> float:
    """Return the time of a command that finds no compiled code on disk."""
    with tempfile.TemporaryDirectory() as folder:
        return seconds(*command, NUMBA_CACHE_DIR=folder)


def main() -> None:
    """Measure, alternating, and print a table; with --write also into start_up.md."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--write", action="store_true")
    write = parser.parse_args().write
    simbudget = (sys.executable, "-m", "simbudget")
    project = (*simbudget, "project", SEED_EXPERIMENT, "--quiet", "--replications")
    commands = {
        "python -c pass": (sys.executable, "-c", "pass"),
        "simbudget --help": (*simbudget, "--help"),
        "simbudget check (seed experiment)": (*simbudget, "check", SEED_EXPERIMENT),
        "simbudget project (seed experiment, 1 replication)": (*project, "1"),
    }
    seconds(*project, "1")  # compiled code is on disk
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(RUNS):
        for name, command in commands.items():
            times[name].append(seconds(*command))
    times["the same, 1,000 replications"] = [seconds(*project, "1000") for _ in range(3)]
    times["the same, 1 replication, compiling the engine first"] = [cold_seconds(*project, "1")]
    base = statistics.median(times["python -c pass"])
    lines = ["| command | runs | median s | slowest s | × python |", "| --- | --- | --- | --- | --- |"]
    for name, taken in times.items():
        median = statistics.median(taken)
        lines.append(f"| `{name}` | {len(taken)} | {median:.3f} | {max(taken):.3f} | {median / base:.1f} |")
    table = "\n".join(lines)
    print(table)
    if write:
        path = Path(__file__).with_suffix(".md")
        path.write_text(f"# Start-up\n\nMedians of runs taken in turns in one session.\n\n{table}\n")


if __name__ == "__main__":
    main()
