"""How well the next days' spend is forecast: every day from a part of the log on, beside simple methods.

`python -m benchmarks.days LOGS... [--from 0.25]`, each argument one project. CRPS is that of the sum of the next 3, 7
and 14 days, as a mean over the days from which they are forecast; cases overlap, so that few weeks stand behind many.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scoringrules import crps_ensemble

from simbudget.forecast.daily import FEWEST_DAYS, DailySpend, daily_spend, next_days
from simbudget.ledger.readers import read_logs

AHEAD = (3, 7, 14)
DRAWS = 600
FEWEST = 10


def cases(name: str, past: DailySpend, first: float) -> Iterator[dict[str, Any]]:
    """Yield each forecast and its scores.

    Args:
        name: of the project.
        past: what each of its days cost.
        first: the part of the days that the first forecast rests on.
    """
    count = len(past.usd)
    for day in range(max(FEWEST_DAYS, int(first * count)), count):
        known = past.until(day)
        for ahead in AHEAD:
            if day + ahead > count or not known.usd.any():
                continue
            rng = np.random.default_rng([1, day, ahead])
            truth = float(past.usd[day : day + ahead].sum())
            sample = next_days(known, ahead, DRAWS, rng).sum(axis=1)
            at_random = rng.choice(known.usd, (DRAWS, ahead)).sum(axis=1)
            low, high = np.quantile(sample, (0.1, 0.9))
            yield {
                "project": name,
                "ahead": ahead,
                "held": low <= truth <= high,
                "crps": float(crps_ensemble(truth, sample, backend="numpy")),
                "last week": abs(known.usd[-7:].mean() * ahead - truth),
                "seasonal naive": abs(float(np.resize(known.usd[-7:], ahead).sum()) - truth),
                "mean": abs(known.usd.mean() * ahead - truth),
                "days at random": float(crps_ensemble(truth, at_random, backend="numpy")),
            }


def main() -> None:
    """Measure, and print a table by project and one over all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("logs", type=Path, nargs="+")
    parser.add_argument("--from", dest="first", type=float, default=0.25)
    arguments = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for folder in arguments.logs:
        past = daily_spend(read_logs([folder]))
        if past is not None and len(past.usd) >= FEWEST:
            rows += cases(folder.name, past, arguments.first)
    found = pd.DataFrame(rows)
    by_project = found.groupby(["project", "ahead"])
    means = by_project.mean()
    for other in ("last week", "seasonal naive", "mean", "days at random"):
        means[other] = means["crps"] / means[other]
    print(means.drop(columns="crps").assign(cases=by_project.size()).round(2).to_string())
    print(means.groupby("ahead").mean().drop(columns="crps").round(2).to_string())
    print(f"held {found['held'].mean():.0%} of {len(found)} cases")


if __name__ == "__main__":
    main()
