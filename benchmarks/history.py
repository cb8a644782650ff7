"""What was measured, commit by commit: `python -m benchmarks.history` adds the tables' present figures to history.csv.

A row is a date, a commit, a benchmark, a case, a figure's name and its value. Seconds depend on the machine and on what
else it does; ratios to a yardstick of the same run (`in loops`) can be compared across rows.
"""

import csv
import datetime
import subprocess
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
HISTORY = HERE / "history.csv"
COLUMNS = ("date", "commit", "benchmark", "case", "figure", "value")
TABLES = ("start_up", "cold_start", "memory", "import_logs", "fleets")


def figures(page: Path) -> Iterator[tuple[str, str, float]]:
    """Yield case, figure and value of every number in the tables of a Markdown page."""
    heads: list[str] = []
    for line in page.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip().strip("`") for cell in line.strip().strip("|").split("|")]
        if not line.startswith("|"):
            heads = []
        elif not heads:
            heads = cells
        elif set(line) - set("|-: "):
            for head, cell in zip(heads[1:], cells[1:], strict=False):
                try:
                    yield cells[0], head, float(cell.replace(",", ""))
                except ValueError:  # words, or more than one number
                    continue


def main() -> None:
    """Add a row for each figure, unless this commit has its rows."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=HERE, capture_output=True, text=True, check=True
    ).stdout.strip()
    rows = []
    if HISTORY.exists():
        with HISTORY.open(encoding="utf-8", newline="") as file:
            rows = [row for row in csv.DictReader(file) if row["commit"] != commit]
    today = datetime.date.today().isoformat()
    for name in TABLES:
        page = HERE / f"{name}.md"
        for case, figure, value in figures(page) if page.exists() else ():
            measured = (today, commit, name, case, figure, f"{value:g}")
            rows.append(dict(zip(COLUMNS, measured, strict=True)))
    with HISTORY.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
