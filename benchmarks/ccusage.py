"""`simbudget usage` beside ccusage, an independent reader of the same logs: tokens by day, model and class.

ccusage (npm) runs offline on a copy of the logs, with days in UTC. Input classes have to be equal to the token on every
day, but for calls across midnight: they count here to the day on which they began, and there to the day of a message's
line. Outputs may differ where Claude Code logged only the placeholder of a stream's beginning: ccusage adds it up, and
here such a count is not known. Where every output is known, outputs have to be equal too. ccusage's `-fast` models are
counted to the model whose fast service they are. Without npx nothing is done.
"""

import argparse
import gzip
import json
import os
import shutil
import subprocess
import tempfile
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any, Final

from simbudget.ledger.costs import days_of
from simbudget.ledger.readers import read_logs
from simbudget.ledger.usage import of_ledger

LOGS: Final = Path(__file__).parents[1] / "tests" / "data" / "logs"
VERSION: Final = "20.0.24"
CLASSES: Final = ("input", "cache writes", "cache reads", "output")
Counts = dict[tuple[str, str], list[int]]
"""Tokens of each class by day and model."""


def unpacked(folder: Path, into: Path) -> Path:
    """Copy all logs of a folder into one, unzipped."""
    into.mkdir(parents=True)
    for path in sorted(folder.rglob("*.jsonl*")):
        name = "_".join(path.relative_to(folder).parts).removesuffix(".gz")
        content = path.read_bytes()
        (into / name).write_bytes(gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content)
    return into


def by_ccusage(tool: str, home: Path) -> Counts:
    """Return what ccusage counts."""
    moved = {"CLAUDE_CONFIG_DIR": str(home), "CODEX_HOME": str(home), "TZ": "UTC"}
    command = ["npx", "--yes", f"ccusage@{VERSION}", tool, "daily", "--offline", "--json"]
    command += ["--breakdown"] if tool == "claude" else []
    done = subprocess.run(command, env={**os.environ, **moved}, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"ccusage failed: {(done.stderr or done.stdout).strip()}")
    found: Counts = {}
    for day in json.loads(done.stdout)["daily"]:
        for model, told in _models(day):
            names = ("inputTokens", "cacheCreationTokens", "cacheReadTokens", "outputTokens")
            key = (day.get("date") or day["period"], model.removesuffix("-fast"))
            known = found.get(key, [0] * len(CLASSES))
            found[key] = [before + int(told.get(name, 0)) for before, name in zip(known, names, strict=True)]
    return found


def _models(day: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    if "modelBreakdowns" in day:
        return [(told["modelName"], told) for told in day["modelBreakdowns"]]
    return list(day["models"].items())


def by_simbudget(folder: Path) -> tuple[Counts, dict[tuple[str, str], int]]:
    """Return what simbudget counts, and of how many calls the output is not known."""
    ledger = read_logs([folder])
    columns = ["uncached_input", "cache_write", "cache_read", "output"]
    found: Counts = {}
    for _, row in of_ledger(ledger, "day").rows.iterrows():
        found[row["day"], row["model"]] = [int(row[column]) for column in columns]
    calls = ledger.entries[(ledger.entries["kind"] == "call") & ledger.entries["output_tokens"].isna()]
    calls = calls[calls["component"] == "tokens"]
    days = days_of(calls, ledger.runs).dt.strftime("%Y-%m-%d")
    return found, dict(Counter(zip(days, calls["model"].astype(str), strict=True)))


def compared(name: str, tool: str, folder: Path) -> tuple[list[str], bool]:
    """Return rows of a table by model, and whether all totals are equal that have to be."""
    with tempfile.TemporaryDirectory() as place:
        within = Path(place) / ("projects/p" if tool == "claude" else "sessions/2026/01/01")
        unpacked(folder, within)
        theirs, (ours, unknown) = by_ccusage(tool, Path(place)), by_simbudget(within)
    days = {key for counts in (ours, theirs) for key, values in counts.items() if any(values)}
    zeros = [0] * len(CLASSES)
    sums: dict[str, list[int]] = defaultdict(lambda: [0] * 10)
    for key in days:
        here, there = ours.get(key, zeros), theirs.get(key, zeros)
        same = here[:3] == there[:3] and (here[3] == there[3] or bool(unknown.get(key)))
        if not same:
            print(f"{name} {key}: here {here}, there {there}, outputs not known {unknown.get(key, 0)}")
        row = sums[key[1]]
        for place_, value in enumerate([*here, *there, unknown.get(key, 0), int(not same)]):
            row[place_] += value
    rows = []
    for model, row in sorted(sums.items()):
        cells = [
            f"{here:,}" if here == there else f"{here:,} / {there:,}"
            for here, there in zip(row[:4], row[4:8], strict=True)
        ]
        many = sum(key[1] == model for key in days)
        rows.append(f"| {name} | {model} | {many} | {row[9]} | {' | '.join(cells)} | {row[8]:,} |")
    return rows, all(row[:3] == row[4:7] and (row[3] == row[7] or row[8]) for row in sums.values())


def main() -> None:
    """Compare, and print a table; exits with 1 if a class differs that has to be equal."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--claude", type=Path, nargs="*", default=[LOGS / "entireio-cli"])
    parser.add_argument("--codex", type=Path, nargs="*", default=[])
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    if shutil.which("npx") is None:
        print("npx is not here: nothing was compared")
        return
    lines = [
        f"| logs | model | days | days that differ | {' | '.join(CLASSES)} | calls whose output is not known |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    is_equal = True
    for tool, folders in (("claude", arguments.claude), ("codex", arguments.codex)):
        for folder in folders:
            rows, same = compared(folder.name, tool, folder)
            lines += rows
            is_equal &= same
    table = "\n".join(lines)
    print(table)
    if arguments.write:
        about = f"{(__doc__ or '').strip()}\n\nOne figure: both the same; two: here / ccusage."
        text = f"# simbudget and ccusage {VERSION}\n\n{about}\n\n{table}\n"
        Path(__file__).with_suffix(".md").write_text(text)
    raise SystemExit(not is_equal)


if __name__ == "__main__":
    main()
