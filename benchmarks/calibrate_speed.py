"""Processor time of `simbudget calibrate`, as a multiple of a pure-Python loop on the same machine.

`python -m benchmarks.calibrate_speed FOLDER-OF-LOGS [--write]`. Processor time is that of the command and everything
that it starts. Runs and loops take turns, since other work on the machine slows both.
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

RUNS = 3
ADDITIONS = 50_000_000
SCENARIO = Path("simbudget/scenario/templates/minimal.yaml")


def loop_seconds() -> float:
    """Return the processor time of the yardstick: additions in a loop."""
    began, total = time.process_time(), 0
    for number in range(ADDITIONS):
        total += number
    return time.process_time() - began


def calibrate_seconds(logs: Path) -> float:
    """Return the processor time of calibrating the smallest scenario on logs, figures and checks included."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "calibrated.yaml"
        command = [
            sys.executable,
            "-m",
            "simbudget",
            "calibrate",
            str(SCENARIO),
            str(logs),
            "-o",
            str(output),
        ]
        # modules compiled to bytecode, as after any installation
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([*command, "--quiet"], check=True, capture_output=True, env=environment)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Measure in turns, and print a table; with --write also into calibrate_speed.md."""
    parser = argparse.ArgumentParser()
    parser.add_argument("logs", type=Path)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    calibrate_seconds(arguments.logs)  # compiled code is on disk
    loops, runs = [], []
    for _ in range(RUNS):
        loops.append(loop_seconds())
        runs.append(calibrate_seconds(arguments.logs))
    ratios = [run / loop for run, loop in zip(runs, loops, strict=True)]
    files = sum(path.is_file() for path in arguments.logs.rglob("*"))
    lines = [
        "| logs | runs | processor time, s | loop, s | ratio, median (range) |",
        "| --- | --- | --- | --- | --- |",
        f"| {arguments.logs.name}, {files:,} files | {RUNS} | {statistics.median(runs):.1f} | "
        f"{statistics.median(loops):.1f} | {statistics.median(ratios):.1f} ({min(ratios):.1f} to {max(ratios):.1f}) |",
    ]
    table = "\n".join(lines)
    print(table)
    if arguments.write:
        head = "# Calibration\n\nProcessor time of `simbudget calibrate` with its checks and figures, beside a loop of "
        head += f"{ADDITIONS // 1_000_000} million additions in Python."
        Path(__file__).with_suffix(".md").write_text(f"{head}\n\n{table}\n")


if __name__ == "__main__":
    main()
