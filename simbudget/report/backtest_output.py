"""Writing a backtest: its scores, its cases and the reliability picture, into a folder of the user's."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from simbudget.drawing import write_picture
from simbudget.forecast.backtest import Backtest
from simbudget.report.backtest_tables import LABELS
from simbudget.report.figures.reliability import reliability


def write_backtest(found: Backtest, scores: dict[str, Any], folder: Path) -> list[Path]:
    """Write what a backtest found; return what was written."""
    folder.mkdir(parents=True, exist_ok=True)
    summary, cases = folder / "scores.json", folder / "cases.csv"
    summary.write_text(json.dumps(scores, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    cases_table(found).to_csv(cases, index=False, float_format="%.6g", lineterminator="\n")
    runs = len({(f.project, f.run) for f in found.forecasts})
    picture = reliability(positions_of(found), f"{len(found.forecasts):,} cases of {runs:,} runs")
    return [summary, cases, *write_picture(*picture, folder, "reliability")]


def positions_of(found: Backtest) -> dict[str, list[float]]:
    """Return, by quantity, the part of each forecast that lies below the truth."""
    positions: dict[str, list[float]] = {}
    for forecast in found.forecasts:
        name = LABELS.get(forecast.quantity, forecast.quantity)
        positions.setdefault(name, []).append(float(np.mean(forecast.sample <= forecast.truth)))
    return positions


def cases_table(found: Backtest) -> pd.DataFrame:
    """Return a row for each case: the truth, and the forecast's quantiles before and after stretching."""
    rows = []
    for wide, raw in zip(found.forecasts, found.raw, strict=True):
        row: dict[str, str | float] = {
            "source": wide.source,
            "project": wide.project,
            "run": wide.run,
            "quantity": wide.quantity,
        }
        row |= {"truth": wide.truth}
        for name, forecast in (("", wide), ("raw_", raw)):
            for level, value in zip((10, 50, 90), np.quantile(forecast.sample, (0.1, 0.5, 0.9)), strict=True):
                row[f"{name}p{level}"] = float(value)
        row |= {f"naive_{method}": float(np.median(s)) for method, s in wide.naive.items()}
        rows.append(row)
    return pd.DataFrame(rows)
