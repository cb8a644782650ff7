"""The head of a report: the answer in a sentence, the interval that it lies in, and the few figures asked for first."""

from dataclasses import dataclass
from typing import Any

from simbudget.projection.projection import Projection
from simbudget.report.html.figures import Cell, cell
from simbudget.report.numbers import hours, percent, usd, usd_exactly
from simbudget.report.table_rows import is_certain


@dataclass(frozen=True)
class Ruler:
    """Spend on a scale from nothing: positions are parts of its length, from 0 to 100."""

    low: float
    middle: float
    high: float
    budget: float | None
    budget_text: str


@dataclass(frozen=True)
class KeyFact:
    """One figure that is asked for first."""

    label: str
    cell: Cell
    beside: str
    """What has to be said with it, such as its interval."""


@dataclass(frozen=True)
class Headline:
    """The head of a report."""

    spend: Cell
    is_about: bool
    """Whether the spend is the middle of many runs, and not certain."""
    low: Cell
    high: Cell
    over: Cell
    ruler: Ruler
    facts: tuple[KeyFact, ...]


def headline(projection: Projection) -> Headline:
    """Return the head of a projection's report."""
    summary = projection.summary
    certain = is_certain(summary)
    statistic = "mean" if certain else "p50"
    return Headline(
        spend=cell(summary, f"spend_usd.{statistic}", (lambda v: usd_exactly(v or 0.0)) if certain else usd),
        is_about=not certain,
        low=cell(summary, "spend_usd.p10", usd),
        high=cell(summary, "spend_usd.p90", usd),
        over=cell(summary, f"wall_clock_hours.{statistic}", hours),
        ruler=_ruler(summary, projection.scenario.stop.budget),
        facts=tuple(_facts(summary, projection.scenario.stop.budget)),
    )


def _ruler(summary: dict[str, Any], budget: float | None) -> Ruler:
    spend = summary["spend_usd"]
    end = 1.12 * max(spend["p90"], budget or 0.0) or 1.0
    places = {name: 100.0 * spend[name] / end for name in ("p10", "p50", "p90")}
    at = None if budget is None else 100.0 * budget / end
    return Ruler(places["p10"], places["p50"], places["p90"], at, "" if budget is None else usd(budget))


def _facts(summary: dict[str, Any], budget: float | None) -> list[KeyFact]:
    facts, research = [], summary["research"]
    if budget is not None:
        within = cell(summary, "probability_within_budget", percent)
        facts.append(KeyFact("chance to stay within budget", within, f"the budget is {usd(budget)}"))
    price = research and research["cost_per_transferable_result_usd"]
    if price:
        estimate = cell(summary, "research.cost_per_transferable_result_usd.estimate", _price)
        interval = f"80 %: {_price(price['p10'])} to {_price(price['p90'])}"
        facts.append(KeyFact("per transferable result", estimate, interval))
        none = cell(summary, "research.probability_of_no_transferable_result", percent)
        facts.append(KeyFact("chance of no transferable result", none, "in the whole run"))
    hourly = summary["cost_per_agent_hour_usd"]
    if hourly is not None:
        facts.append(
            KeyFact(
                "per agent-hour", cell(summary, "cost_per_agent_hour_usd.mean", usd), _interval(hourly, usd)
            )
        )
    return facts


def _price(value: float | None) -> str:
    return "no end" if value is None else usd(value)


def _interval(figure: dict[str, float], show: Any) -> str:
    if figure["p10"] == figure["p90"]:
        return "on average"
    return f"80 %: {show(figure['p10'])} to {show(figure['p90'])}"
