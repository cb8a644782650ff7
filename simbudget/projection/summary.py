"""The summary of a projection: what `project --json` prints."""

from typing import Any, Final

import numpy as np

from simbudget.ledger.entry import ACTIVITIES, COMPONENTS
from simbudget.projection.engines import FOR_OWN_STEPS
from simbudget.projection.limits import check_limits
from simbudget.projection.months import DEAREST_MONTH, check_spend_cap
from simbudget.projection.projection import Projection
from simbudget.projection.research import notes_on_research, summarise_research
from simbudget.projection.sketches import ACCURACY
from simbudget.projection.statistics import STATISTICS, Figures
from simbudget.scenario.model import OwnStep, Scenario

Layout = dict[str, "str | Layout"]

RESOURCES: Final = ("gpu", "scorer", "api_requests", "api_input", "api_output")

LAYOUT: Final[Layout] = {
    "spend_usd": "spend_usd",
    "spend_by_component_usd": {name: f"spend_{name}_usd" for name in COMPONENTS},
    "agent_hours": "agent_hours",
    "cost_per_agent_hour_usd": "cost_per_agent_hour_usd",
    "wall_clock_hours": "wall_clock_hours",
    "overrun_usd": "overrun_usd",
    "model_calls": "model_calls",
    "tokens": {name: f"tokens_{name}" for name in ("uncached_input", "cache_write", "cache_read", "output")},
    "gpu_hours": {"used": "gpu_hours_used", "billed": "gpu_hours_billed"},
    "experiments": "experiments",
    "scorer_calls": "scorer_calls",
    "cycles": "cycles",
    "agent_time_share": {name: f"share_{name}" for name in ACTIVITIES},
    "utilisation": {name: f"utilisation_{name}" for name in RESOURCES},
}
"""Where each figure of the summary comes from: its keys, and the column of the replications."""

NO_BOTTLENECK: Final = "none"

_NEGLIGIBLE_WAITING: Final = 0.005
"""Waiting less than this part of the agents' hours is no bottleneck."""

_SAME_HOURS: Final = 1e-6


def summarise(projection: Projection, interrupted: bool) -> dict[str, Any]:
    """Return the summary of a projection: figures over worlds and replications, and their Monte-Carlo errors."""
    scenario, figures = projection.scenario, projection.figures
    errors = _by_column(figures.columns, figures.errors)
    within, within_error = _within_budget(projection)
    research = summarise_research(projection)
    summary: dict[str, Any] = {
        "scenario": scenario.name,
        "seed": projection.seed,
        "engine": projection.engine,
        "worlds": projection.worlds,
        "replications": figures.replications,
        "simulated_hours": float(projection.bin_edges_hours[-1]),
        **_lay_out(LAYOUT, _by_column(figures.columns, figures.statistics)),
        "probability_within_budget": within,
        "bottleneck": _bottleneck(figures),
        "research": research,
    }
    cap, cap_notes = check_spend_cap(scenario, figures.value(DEAREST_MONTH, "p90"))
    notes = [*_notes_on_reserve(projection), *notes_on_research(projection), *cap_notes]
    if has_own_steps(scenario):
        notes.append(
            f"steps written in Python run on the {FOR_OWN_STEPS} engine, which is some hundred times slower"
        )
    if figures.replications > len(projection.replications):
        notes.append(
            f"quantiles over {figures.replications:,} replications are within {100 * ACCURACY:g} % (DDSketch); "
            "research, spend over time, the budget's curve and replications.parquet rest on the first "
            f"{len(projection.replications):,}"
        )
    return {
        **summary,
        "limits": [*check_limits(scenario.limits, figures, research), *cap],
        "monte_carlo_error": {**_lay_out(LAYOUT, errors), "probability_within_budget": within_error},
        "prices_on": scenario.prices.on.isoformat(),
        "interrupted": interrupted,
        "notes": notes,
    }


def _by_column(columns: tuple[str, ...], values: np.ndarray) -> dict[str, dict[str, float | None]]:
    """Return the statistics of each column by name; None where there is no number."""
    return {
        column: {
            name: None if np.isnan(value) else float(value)
            for name, value in zip(STATISTICS, values[:, index], strict=True)
        }
        for index, column in enumerate(columns)
    }


def _lay_out(layout: Layout, figures: dict[str, dict[str, float | None]]) -> dict[str, Any]:
    """Return the figures in their places; None for one that does not apply."""
    placed: dict[str, Any] = {}
    for key, column in layout.items():
        if isinstance(column, dict):
            placed[key] = _lay_out(column, figures)
        else:
            applies = figures[column]["mean"] is not None
            placed[key] = figures[column] if applies else None
    return placed


def _within_budget(projection: Projection) -> tuple[float | None, float | None]:
    """Return the probability of a spend of at most the budget, and its Monte-Carlo error; None without one."""
    if projection.scenario.stop.budget is None:
        return None, None
    figures = projection.figures
    error = figures.within_budget_error
    return figures.within_budget, None if np.isnan(error) else error


def _notes_on_reserve(projection: Projection) -> list[str]:
    """Return how often the agents' part of the budget stopped them, which a kept budget does not show."""
    stop, runs = projection.scenario.stop, projection.replications
    if stop.budget is None or not stop.reserve:
        return []
    agents_part_usd = stop.budget - stop.reserve
    ended_early = runs["wall_clock_hours"] < projection.bin_edges_hours[-1] - _SAME_HOURS
    stopped = ended_early & (runs["spend_usd"] - runs["spend_gates_usd"] >= agents_part_usd)
    if not stopped.any():
        return []
    part = f"the agents' part of the budget, ${agents_part_usd:,.0f}"
    return [f"{part}, stops them before the planned end with probability {100 * stopped.mean():.0f} %"]


def _bottleneck(figures: Figures) -> str:
    """Return the resource for which the agents wait longest, over all replications."""
    waiting = {name: figures.value(f"queued_{name}_hours") for name in RESOURCES}
    worst = max(waiting, key=lambda name: waiting[name])
    negligible = waiting[worst] <= _NEGLIGIBLE_WAITING * figures.value("agent_hours")
    return NO_BOTTLENECK if negligible else worst


def has_own_steps(scenario: Scenario) -> bool:
    """Return whether any group's cycle has a step that its user wrote in Python."""
    return any(isinstance(step, OwnStep) for group in scenario.fleet for step in group.cycle)
