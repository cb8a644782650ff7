"""What `simbudget sensitivity` costs in its default: processor time, and its ratio to a loop in pure Python.

`python -m benchmarks.sensitivity [--write]`. The yardstick is 50 million additions in pure Python, measured before and
after each command on the same machine, since seconds differ from machine to machine and with its load. The engine is
compiled beforehand. Processor time is that of the command with all its threads and children.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
from pathlib import Path

from benchmarks.cold_start import loop_s

HERE = Path(__file__).resolve().parent
SCENARIOS = ("aar-weak-to-strong", "aar-better-evaluation", "two-people-known-methods")

PAGE = """# The cost of `simbudget sensitivity`

`python -m benchmarks.sensitivity --write`. Processor time of the command in its default, with all its threads; a
loop is 50 million additions in pure Python, on the same machine before and after. The engine is compiled beforehand.

| scenario | replications of the plan | choices | of all choices together | processor time, s | loops |
| --- | ---: | ---: | ---: | ---: | ---: |
"""


def processor_s(command: list[str]) -> tuple[float, str]:
    """Return the processor time of a command with its children, and what it printed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    printed = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ).stdout
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, printed


def row(name: str) -> str:
    """Return the line of a scenario."""
    simbudget = [str(Path(sys.executable).parent / "simbudget")]
    scenario = str(HERE.parent / "scenarios" / f"{name}.yaml")
    processor_s([*simbudget, "project", scenario, "--replications", "2", "--quiet"])  # compiles
    before = loop_s()
    taken_s, printed = processor_s([*simbudget, "sensitivity", scenario, "--json"])
    loop = (before + loop_s()) / 2.0
    found = json.loads(printed)
    of_choices = sum(each["replications"] for each in found["choices"])
    return (
        f"| {name} | {found['replications']:,} | {len(found['choices'])} | {of_choices:,} | {taken_s:.1f} "
        f"| {taken_s / loop:.2f} |\n"
    )


def main() -> None:
    """Print the table, or write it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    page = PAGE + "".join(map(row, SCENARIOS))
    if options.write:
        (HERE / "sensitivity.md").write_text(page)
    print(page)


if __name__ == "__main__":
    main()
