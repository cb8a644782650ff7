"""Writing: a projection's and a trace's files, into a folder of the user's."""

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from simbudget.projection.projection import Projection
from simbudget.projection.run import trace
from simbudget.report.figures.acceptability import acceptability_curve
from simbudget.report.figures.agent_time import agent_time
from simbudget.report.figures.components import components
from simbudget.report.figures.cost_effectiveness import cost_effectiveness
from simbudget.report.figures.gantt import gantt
from simbudget.report.figures.results_over_time import results_over_time
from simbudget.report.figures.spend_over_time import spend_over_time
from simbudget.report.figures.style import write_picture
from simbudget.report.figures.within_budget import within_budget
from simbudget.report.timeline import timeline
from simbudget.scenario.model import Scenario

_PICTURES = {
    "spend-over-time": spend_over_time,
    "within-budget": within_budget,
    "components": components,
    "agent-time": agent_time,
}

_PICTURES_OF_RESULTS = {
    "cost-effectiveness": cost_effectiveness,
    "acceptability": acceptability_curve,
    "results-over-time": results_over_time,
}


def agent_names(scenario: Scenario) -> list[str]:
    """Return the name of each agent: its group's and its number in it."""
    return [f"{group.group} {member + 1}" for group in scenario.fleet for member in range(group.agents)]


def pictures_of(projection: Projection) -> dict[str, Callable[[Projection], tuple[Figure, pd.DataFrame]]]:
    """Return what draws each picture of a projection, by name."""
    prices = projection.summary["research"] is not None and projection.scenario.gates
    return _PICTURES | (_PICTURES_OF_RESULTS if prices else {})


def write_pictures(projection: Projection, folder: Path) -> list[Path]:
    """Write every picture of a projection, each with its data; return what was written."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, draw in pictures_of(projection).items():
        written += write_picture(*draw(projection), folder, name)
    ledger = trace(projection.scenario, projection.seed)
    return written + write_picture(*gantt(ledger, agent_names(projection.scenario)), folder, "gantt")


def write_projection(projection: Projection, folder: Path) -> list[Path]:
    """Write a projection's summary, replications and pictures; return what was written."""
    written = write_pictures(projection, folder)
    summary, replications = folder / "summary.json", folder / "replications.parquet"
    summary.write_text(json.dumps(projection.summary, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    projection.replications.to_parquet(replications, index=False)
    return [summary, replications, *written]


def write_trace(ledger: pd.DataFrame, scenario: Scenario, folder: Path, suffix: str) -> list[Path]:
    """Write a ledger as Parquet or CSV, its timeline and its Gantt picture; return what was written."""
    folder.mkdir(parents=True, exist_ok=True)
    table, trace_events = folder / f"ledger.{suffix}", folder / "timeline.json"
    if suffix == "csv":
        ledger.to_csv(table, index=False, lineterminator="\n")
    else:
        ledger.to_parquet(table, index=False)
    names = agent_names(scenario)
    trace_events.write_text(json.dumps(timeline(ledger, names)), encoding="utf-8")
    return [table, trace_events, *write_picture(*gantt(ledger, names), folder, "gantt")]
