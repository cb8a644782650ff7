"""The interactive charts of a report, each as a specification that `page.js` draws, with its data as a table.

The data are exactly those of the figures in `projection.figures`; only the drawing differs.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from simbudget.numbers import count, hours, percent, usd
from simbudget.projection.figures import (
    ACTIVITY_COLOURS,
    COMPONENT_COLOURS,
    acceptability_curve,
    agent_time,
    components,
    cost_effectiveness,
    results_over_time,
    spend_over_time,
    within_budget,
)
from simbudget.projection.projection import Projection

_MOST_ROWS: Final = 200
"""Maximum number of rows of a chart's table and of points in a cloud; more cannot be read or distinguished."""


@dataclass(frozen=True)
class Chart:
    """One chart: its place, a description in words, the specification for `page.js`, and its data."""

    id: str
    title: str
    words: str
    """One sentence that describes what the chart shows, also for those who cannot see it."""
    rests_on: str
    spec: dict[str, Any]
    """The specification that `page.js` draws; its format is documented there."""
    data: pd.DataFrame
    units: dict[str, str]
    """Unit of each column of `data`: `usd`, `hours`, `percent`, `count` or `text`."""
    is_wide: bool = False


def charts(projection: Projection) -> dict[str, Chart]:
    """Return the charts of a projection by id."""
    return {chart.id: chart for chart in _charts(projection)}


def _charts(projection: Projection) -> Iterator[Chart]:
    yield _spend_over_time(projection)
    yield _within_budget(projection)
    yield _components(projection)
    yield _agent_time(projection)
    if projection.prices_results:
        yield _results_over_time(projection)
        yield _cost_effectiveness(projection)
        yield _acceptability(projection)


def thinned(data: pd.DataFrame, most: int = _MOST_ROWS) -> pd.DataFrame:
    """Reduce a table to at most `most` evenly spaced rows, keeping the first and the last."""
    if len(data) <= most:
        return data
    return data.iloc[np.unique(np.linspace(0, len(data) - 1, most).round().astype(int))]


def _axis(label: str, unit: str, **more: object) -> dict[str, Any]:
    return {"label": label, "unit": unit, **more}


def _numbers(values: "pd.Series[float]") -> list[float]:
    return [float(value) for value in values]


def _spend_over_time(projection: Projection) -> Chart:
    data, budget = spend_over_time(projection)[1], projection.scenario.stop.budget
    last = data.iloc[-1]
    words = (
        f"The median run spends {usd(last['p50_usd'])} by {hours(last['hours'])}; "
        f"80 % of runs end between {usd(last['p10_usd'])} and {usd(last['p90_usd'])}."
    )
    bands = [
        {"name": name, "low": _numbers(data[low]), "high": _numbers(data[high]), "opacity": opacity}
        for name, low, high, opacity in (
            ("p10 to p90", "p10_usd", "p90_usd", 0.18),
            ("p25 to p75", "p25_usd", "p75_usd", 0.28),
        )
    ]
    spec = {
        "kind": "lines",
        "x": _axis("time since the start", "hours", max=float(last["hours"])),
        "y": _axis("spent so far", "usd"),
        "at": _numbers(data["hours"]),
        "bands": [] if projection.is_certain else bands,
        "lines": [{"name": "median", "y": _numbers(data["p50_usd"])}],
        "marks": [{"axis": "y", "value": budget, "name": f"budget {usd(budget)}"}] if budget else [],
        "zoom": True,
    }
    units = {"hours": "hours"} | {name: "usd" for name in data.columns if name != "hours"}
    rests_on = projection.rests_on(single=True)
    return Chart("spend-over-time", "Spend over time", words, rests_on, spec, data, units, is_wide=True)


def _within_budget(projection: Projection) -> Chart:
    data = thinned(within_budget(projection)[1])
    budget, summary = projection.scenario.stop.budget, projection.summary
    spend = summary.spend_usd
    words = f"Half of the runs spend at most {usd(spend.p50)}, 90 % at most {usd(spend.p90)}."
    if budget is not None:
        within = percent(summary.probability_within_budget)
        words = f"The budget of {usd(budget)} is kept with probability {within}. {words}"
    spec = {
        "kind": "lines",
        "x": _axis("spend", "usd"),
        "y": _axis("probability of spending at most this", "percent", max=1.0),
        "at": _numbers(data["budget_usd"]),
        "bands": [],
        "lines": [
            {"name": "probability of staying within", "y": _numbers(data["probability"]), "step": True}
        ],
        "marks": [{"axis": "x", "value": budget, "name": f"budget {usd(budget)}"}] if budget else [],
        "zoom": True,
    }
    units = {"budget_usd": "usd", "probability": "percent"}
    rests_on = projection.rests_on(single=True)
    return Chart("within-budget", "How likely any budget is kept", words, rests_on, spec, data, units)


def _bars(
    projection: Projection, data: pd.DataFrame, colours: dict[str, str], unit: str, label: str
) -> dict[str, Any]:
    return {
        "kind": "bars",
        "x": _axis(f"{label}: mean, and p10 to p90", unit),
        "rows": [
            {
                "name": str(row[0]).replace("_", " "),
                "colour": colours[str(row[0])],
                **{statistic: float(row[list(data.columns).index(statistic)]) for statistic in _STATISTICS},
            }
            for row in data.itertuples(index=False, name=None)
        ],
        "interval": not projection.is_certain,
    }


_STATISTICS: Final = ("mean", "p10", "p50", "p90")


def _components(projection: Projection) -> Chart:
    data = components(projection)[1]
    dearest = data.iloc[int(data["mean"].to_numpy().argmax())] if len(data) else None
    words = "Nothing is spent."
    if dearest is not None:
        part = dearest["mean"] / data["mean"].sum()
        mean = f"{usd(dearest['mean'])} on average, {percent(part)} of the total"
        words = f"The largest component is {dearest['component']}: {mean}."
    spec = _bars(projection, data, COMPONENT_COLOURS, "usd", "spend")
    units = {"component": "text", **dict.fromkeys(_STATISTICS, "usd")}
    return Chart("components", "What it is spent on", words, projection.rests_on(), spec, data, units)


def _agent_time(projection: Projection) -> Chart:
    data = agent_time(projection)[1]
    first = data.iloc[int(data["mean"].to_numpy().argmax())] if len(data) else None
    words = "No time passes."
    if first is not None:
        activity = first["activity"].replace("_", " ")
        words = f"The largest share of agents' time, {percent(first['mean'])} on average, is {activity}."
    spec = _bars(projection, data, ACTIVITY_COLOURS, "percent", "share of the agents' time")
    units = {"activity": "text", **dict.fromkeys(_STATISTICS, "percent")}
    return Chart("agent-time", "Where the agents' time goes", words, projection.rests_on(), spec, data, units)


def _results_over_time(projection: Projection) -> Chart:
    data = results_over_time(projection)[1]
    last = data.iloc[-1]
    words = (
        f"After {hours(last['hours'])} and {usd(last['spend_usd'])}, including gates, {count(last['results'])} "
        "transferable results are expected; where the curve flattens, the next result becomes expensive."
    )
    low, high = ([0.0, *_numbers(data[name])] for name in ("results_p10", "results_p90"))
    band = {"name": "p10 to p90 over worlds", "low": low, "high": high, "opacity": 0.18}
    spec = {
        "kind": "lines",
        "x": _axis("mean spend, had it stopped then and tried its finalists", "usd"),
        "y": _axis("expected transferable results", "count"),
        "at": [0.0, *_numbers(data["spend_usd"])],
        "notes": ["the start", *(f"after {hours(value)}" for value in data["hours"])],
        "bands": [band],
        "lines": [{"name": "had it stopped then", "y": [0.0, *_numbers(data["results"])], "points": True}],
        "marks": [],
        "zoom": False,
    }
    units = {"hours": "hours", "spend_usd": "usd"} | dict.fromkeys(
        ("results", "results_p10", "results_p90"), "count"
    )
    rests_on = projection.rests_on(single=True)
    return Chart("results-over-time", "What more spending brings", words, rests_on, spec, data, units)


def _cost_effectiveness(projection: Projection) -> Chart:
    data = cost_effectiveness(projection)[1]
    results, spend = float(data["results"].mean()), float(data["spend_usd"].mean())
    none = percent(float((data["results"] == 0).mean()))
    words = (
        f"On average a run spends {usd(spend)} and yields {count(results)} transferable results; {none} of the runs "
        "yield none."
    )
    shown = data.iloc[:_CLOUD]
    beside = np.random.default_rng(0).uniform(-0.3, 0.3, len(shown))
    spec = {
        "kind": "cloud",
        "x": _axis("transferable results of a run", "count"),
        "y": _axis("spend", "usd"),
        "points": [
            [float(x) + float(d), float(y), int(x), int(world)]
            for world, y, x, d in zip(
                shown["world"], shown["spend_usd"], shown["results"], beside, strict=True
            )
        ],
        "mean": [results, spend],
        "slope": spend / results if results > 0 else None,
    }
    runs = data.groupby("results")["spend_usd"]
    table = pd.DataFrame(
        {
            "runs": runs.size(),
            "mean_usd": runs.mean(),
            "p10_usd": runs.quantile(0.1),
            "p90_usd": runs.quantile(0.9),
        }
    ).reset_index()
    units = {name: "usd" if name.endswith("usd") else "count" for name in table.columns}
    rests_on = projection.rests_on(single=True)
    if len(shown) < len(data):
        rests_on += f"; the first {len(shown):,} are drawn"
    return Chart("cost-effectiveness", "Cost-effectiveness plane", words, rests_on, spec, table, units)


_CLOUD: Final = 2_000
"""Maximum number of runs drawn as points, which a browser draws without delay."""


def _acceptability(projection: Projection) -> Chart:
    data = acceptability_curve(projection)[1]
    half = data[data["a_run_pays"] >= 0.5]
    words = (
        f"One run is more likely than not to pay off once a result is worth {usd(half['worth_usd'].iloc[0])}."
        if len(half)
        else f"Up to a worth of {usd(data['worth_usd'].iloc[-1])} per result, a run is unlikely to pay off."
    )
    lines: list[dict[str, Any]] = [{"name": "one run pays", "y": _numbers(data["a_run_pays"])}]
    if "pays_in_the_long_run" in data:
        lines.append(
            {
                "name": "such runs pay in the long run",
                "y": _numbers(data["pays_in_the_long_run"]),
                "dash": True,
                "colour": "budget",
            }
        )
    spec = {
        "kind": "lines",
        "x": _axis("worth of a transferable result", "usd", log=True),
        "y": _axis("probability that the plan pays", "percent", max=1.0),
        "at": _numbers(data["worth_usd"]),
        "bands": [],
        "lines": lines,
        "marks": [],
        "zoom": False,
    }
    units = {"worth_usd": "usd", "a_run_pays": "percent", "pays_in_the_long_run": "percent"}
    rests_on = projection.rests_on(single=True)
    return Chart("acceptability", "At what worth it pays", words, rests_on, spec, data, units)
