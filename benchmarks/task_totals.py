"""What a few tasks say of the cost of many: a forecast of the other tasks' total from a twentieth and a fifth of them.

`python -m benchmarks.task_totals DATA [--splits 40] [--write]`, where DATA is the folder with the raw logs:
`elixir-sft` (the steps of 393 tasks), `kaizen` (36 cases of test plans, each run many times) and
`terminal-bench-leaderboard` (trials of three agents, of which only tokens are known: input and output together take the
place of cost). A task is known with all its attempts, or not at all. `simbudget` is `further_runs`, by which `forecast`
projects further runs, here with a task as a run, before any stretching by past cases. Beside it stand the mean times
the number of tasks, and sums of tasks drawn with replacement.
"""

import argparse
import gzip
import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from simbudget.forecast.whole_runs import further_runs

Floats = npt.NDArray[np.float64]

SHARES = {"a twentieth": 0.05, "a fifth": 0.2}
FEWEST_KNOWN = 2
DRAWS = 400
SEED = 5
COVERED = (0.1, 0.9)


def lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the objects of a compressed JSONL file."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        yield from map(json.loads, file)


def elixir(data: Path) -> Iterator[tuple[str, str, float]]:
    """Yield (data set, task, dollars) of the steps of each task."""
    for line in lines(data / "elixir-sft" / "usage.jsonl.gz"):
        yield "elixir-sft", line["id"], float(line.get("cost_usd") or 0.0)


def kaizen(data: Path) -> Iterator[tuple[str, str, float]]:
    """Yield (data set, task, dollars) of the runs of each case."""
    for line in lines(data / "kaizen" / "results.jsonl.gz"):
        found = re.fullmatch(r"experiments/([^/]+)/.*-(ec\d+)\.log", line["file"])
        if found and line.get("total_cost_usd"):
            yield "kaizen", f"{found[1]} {found[2]}", float(line["total_cost_usd"])


def terminal_bench(data: Path) -> Iterator[tuple[str, str, float]]:
    """Yield (agent, task, tokens) of each trial whose tokens are known."""
    for line in lines(data / "terminal-bench-leaderboard" / "trials.jsonl.gz"):
        if line["total_input_tokens"]:
            tokens = line["total_input_tokens"] + (line["total_output_tokens"] or 0)
            agent = line["submission"].partition("_")[2].replace("_", " ")
            yield f"terminal-bench, {agent}", line["task_id"], float(tokens)


READ: tuple[Callable[[Path], Iterator[tuple[str, str, float]]], ...] = (elixir, kaizen, terminal_bench)


def task_totals(data: Path) -> dict[str, Floats]:
    """Return by data set the [tasks] totals of all attempts at each."""
    summed: dict[str, defaultdict[str, float]] = defaultdict(lambda: defaultdict(float))
    for read in READ:
        for name, task, value in read(data):
            summed[name][task] += value
    return {name: np.array([total for total in of.values() if total > 0]) for name, of in summed.items()}


def forecasts(known: Floats, count: int, rng: np.random.Generator) -> dict[str, Floats]:
    """Return draws of the total of `count` further tasks, by method."""
    return {
        "simbudget": further_runs({"cost_usd": known}, count, DRAWS, rng).all["cost_usd"],
        "mean × n": np.array([known.mean() * count]),
        "bootstrap": rng.choice(known, (DRAWS, count)).sum(axis=1),
    }


def measure(data: Path, splits: int) -> pd.DataFrame:
    """Return a row for each data set, share of known tasks, split and method."""
    rows = []
    for name, totals in task_totals(data).items():
        for label, share in SHARES.items():
            known = max(FEWEST_KNOWN, round(share * len(totals)))
            for split in range(splits):
                rng = np.random.default_rng([SEED, split, known])
                order = rng.permutation(len(totals))
                truth = float(totals[order[known:]].sum())
                for method, sample in forecasts(totals[order[:known]], len(totals) - known, rng).items():
                    low, high = np.quantile(sample, COVERED)
                    error = float(np.median(sample) / truth - 1.0)
                    about = {
                        "data": name,
                        "tasks": len(totals),
                        "dearest": totals.max() / totals.sum(),
                        "known": label,
                        "split": split,
                        "method": method,
                    }
                    rows.append(
                        about | {"error": error, "covers": low <= truth <= high, "width": high / low - 1.0}
                    )
    return pd.DataFrame(rows)


def table(found: pd.DataFrame, splits: int) -> str:
    """Return the measurements as Markdown."""
    lines_ = [
        f"{splits} random splits each; 80 % intervals; the error is the median of |forecast ÷ truth − 1|, the width "
        "the median of p90 ÷ p10 − 1. `dearest` is the dearest task's share in the total of all: where it is large, "
        "no method can know of it that has not seen the task.",
        "",
        "| data | tasks | dearest | known | method | error | coverage | width |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for (name, tasks, dearest, known, method), of in found.groupby(
        ["data", "tasks", "dearest", "known", "method"], sort=False
    ):
        covered = "" if method == "mean × n" else f"{of['covers'].mean():.0%}"
        width = "" if method == "mean × n" else f"{of['width'].median():.0%}"
        error = f"{of['error'].abs().median():.0%}"
        lines_.append(
            f"| {name} | {tasks} | {dearest:.0%} | {known} | {method} | {error} | {covered} | {width} |"
        )
    return "\n".join(lines_)


def main() -> None:
    """Measure, and print or write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--splits", type=int, default=40)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    found = measure(options.data, options.splits)
    text = table(found, options.splits)
    print(text)
    if options.write:
        here = Path(__file__)
        title = "# What a few tasks say of the cost of many\n\n"
        here.with_suffix(".md").write_text(f"{title}{text}\n", encoding="utf-8")
        found.to_csv(here.with_suffix(".csv"), index=False, float_format="%.5g", lineterminator="\n")


if __name__ == "__main__":
    main()
