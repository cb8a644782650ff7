"""Writing what decisions rest on: pictures with their data, and everything as JSON, into a folder of the user's."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from simbudget.deciding.compare import Comparison
from simbudget.deciding.pilots import PilotPlan
from simbudget.deciding.pilots import as_json as pilots_as_json
from simbudget.deciding.plan import Plan, written_plan
from simbudget.deciding.plan import as_json as plan_as_json
from simbudget.deciding.sensitivity import Sensitivity, as_json
from simbudget.drawing import write_picture
from simbudget.report.figures.comparison import best_buy, cost_against_results, spend_compared
from simbudget.report.figures.frontier import plan_frontier
from simbudget.report.figures.pilots import pilots
from simbudget.report.figures.tornado import tornado, tornado_of_choices


def write_json(content: dict[str, Any], path: Path) -> Path:
    """Write plain values as JSON; return the path."""
    path.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    return path


def _pictures(drawn: dict[str, Callable[[], tuple[Figure, pd.DataFrame]]], folder: Path) -> list[Path]:
    written = []
    for name, draw in drawn.items():
        written += write_picture(*draw(), folder, name)
    return written


def write_comparison(comparison: Comparison, folder: Path) -> list[Path]:
    """Write a comparison; return what was written."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn: dict[str, Callable[[], tuple[Figure, pd.DataFrame]]] = {
        "spend-compared": partial(spend_compared, comparison)
    }
    if comparison.acceptability is not None:
        drawn["cost-against-results"] = partial(cost_against_results, comparison)
        drawn["best-buy"] = partial(best_buy, comparison)
    return [write_json(comparison.as_json(), folder / "comparison.json"), *_pictures(drawn, folder)]


def write_sensitivity(found: Sensitivity, folder: Path) -> list[Path]:
    """Write a sensitivity analysis; return what was written."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn: dict[str, Callable[[], tuple[Figure, pd.DataFrame]]] = {}
    for split in found.splits:
        name = split.outcome.name.replace("_", "-")
        drawn[f"tornado-{name}"] = partial(tornado, split, found)
        if any(split.outcome in against.differences for against in found.choices):
            drawn[f"choices-{name}"] = partial(tornado_of_choices, found.choices, split.outcome, split.mean)
    return [write_json(as_json(found), folder / "sensitivity.json"), *_pictures(drawn, folder)]


def write_plan(found: Plan, folder: Path) -> list[Path]:
    """Write a search for the best plan, and the chosen plan as a scenario; return what was written."""
    folder.mkdir(parents=True, exist_ok=True)
    scenario = folder / "plan.yaml"
    scenario.write_text(written_plan(found), encoding="utf-8")
    picture = _pictures({"frontier": partial(plan_frontier, found)}, folder)
    return [scenario, write_json(plan_as_json(found), folder / "plan.json"), *picture]


def write_pilots(found: PilotPlan, folder: Path) -> list[Path]:
    """Write what pilots would tell; return what was written."""
    folder.mkdir(parents=True, exist_ok=True)
    picture = _pictures({"pilots": partial(pilots, found)}, folder)
    return [write_json(pilots_as_json(found), folder / "pilots.json"), *picture]
