"""How long `simbudget --help` takes, beside a Python that does nothing, in the same session."""

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

RUNS = 15


def seconds(*command: str) -> float:
    """Return the wall-clock time of one run of a command."""
    began = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - began


def main() -> None:
    """Measure, alternating, and print a table; with --write also into start_up.md."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--write", action="store_true")
    write = parser.parse_args().write
    commands = {
        "python -c pass": (sys.executable, "-c", "pass"),
        "simbudget --help": (sys.executable, "-m", "simbudget", "--help"),
        "simbudget check (seed experiment)": (
            sys.executable,
            "-m",
            "simbudget",
            "check",
            "scenarios/aar-weak-to-strong.yaml",
        ),
    }
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(RUNS):
        for name, command in commands.items():
            times[name].append(seconds(*command))
    base = statistics.median(times["python -c pass"])
    lines = ["| command | median s | slowest s | × python |", "| --- | --- | --- | --- |"]
    for name, taken in times.items():
        median = statistics.median(taken)
        lines.append(f"| `{name}` | {median:.3f} | {max(taken):.3f} | {median / base:.1f} |")
    table = "\n".join(lines)
    print(table)
    if write:
        path = Path(__file__).with_suffix(".md")
        path.write_text(f"# Start-up\n\nMedians of {RUNS} runs, taken in turns in one session.\n\n{table}\n")


if __name__ == "__main__":
    main()
