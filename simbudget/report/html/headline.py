"""The head of a report: the answer in a sentence, its interval, and the key figures."""

from collections.abc import Callable
from dataclasses import dataclass

from simbudget.numbers import hours, percent, usd, usd_exactly
from simbudget.projection.projection import Projection
from simbudget.projection.statistics import Spread
from simbudget.projection.summary import Summary
from simbudget.projection.tables import without_end
from simbudget.results import Number

Show = Callable[[float | None], str]


@dataclass(frozen=True)
class Ruler:
    """Spend on a scale that starts at zero: positions are percentages of its length."""

    low: float
    middle: float
    high: float
    budget: float | None
    budget_text: str


@dataclass(frozen=True)
class KeyFact:
    """A key figure."""

    label: str
    cell: Number
    beside: str
    """Text to show with it, such as its interval."""


@dataclass(frozen=True)
class Headline:
    """The head of a report."""

    spend: Number
    is_about: bool
    """Whether the spend is the median of many runs rather than certain."""
    low: Number
    high: Number
    over: Number
    ruler: Ruler
    facts: tuple[KeyFact, ...]


def headline(projection: Projection) -> Headline:
    """Return the head of a projection's report."""
    summary, certain = projection.summary, projection.is_certain
    statistic = "mean" if certain else "p50"
    spend, clock = summary.spend_usd, summary.wall_clock_hours
    exact: Show = (lambda value: usd_exactly(value or 0.0)) if certain else usd
    return Headline(
        spend=_number(f"spend_usd.{statistic}", getattr(spend, statistic), exact),
        is_about=not certain,
        low=_number("spend_usd.p10", spend.p10, usd),
        high=_number("spend_usd.p90", spend.p90, usd),
        over=_number(f"wall_clock_hours.{statistic}", getattr(clock, statistic), hours),
        ruler=_ruler(summary, projection.scenario.stop.budget),
        facts=tuple(_facts(summary, projection.scenario.stop.budget)),
    )


def _ruler(summary: Summary, budget: float | None) -> Ruler:
    spend = summary.spend_usd
    end = 1.12 * max(spend.p90, budget or 0.0) or 1.0  # some room to the right of the last mark
    places = {name: 100.0 * getattr(spend, name) / end for name in ("p10", "p50", "p90")}
    at = None if budget is None else 100.0 * budget / end
    return Ruler(places["p10"], places["p50"], places["p90"], at, "" if budget is None else usd(budget))


def _facts(summary: Summary, budget: float | None) -> list[KeyFact]:
    facts, research = [], summary.research
    if budget is not None:
        within = _number("probability_within_budget", summary.probability_within_budget, percent)
        facts.append(KeyFact("chance to stay within budget", within, f"the budget is {usd(budget)}"))
    if research is not None and (price := research.cost_per_transferable_result_usd) is not None:
        path, worlds = "research.cost_per_transferable_result_usd", price.by_world
        if worlds is None:
            number, beside = _number(f"{path}.estimate", price.estimate, without_end), "on average"
        else:
            number = _number(f"{path}.by_world.p50", worlds.p50, without_end)
            beside = f"80 %: {without_end(worlds.p10)} to {without_end(worlds.p90)}"
        facts.append(KeyFact("per transferable result", number, beside))
        name = "probability_of_no_transferable_result"
        none = _number(f"research.{name}", getattr(research, name), percent)
        facts.append(KeyFact("chance of no transferable result", none, "in the whole run"))
    hourly = summary.cost_per_agent_hour_usd
    if hourly is not None:
        mean = _number("cost_per_agent_hour_usd.mean", hourly.mean, usd)
        facts.append(KeyFact("per agent-hour", mean, _interval(hourly, usd)))
    return facts


def _number(path: str, value: float | None, show: Show) -> Number:
    return Number(show(value), value, path)


def _interval(figure: Spread, show: Show) -> str:
    if figure.p10 == figure.p90:
        return "on average"
    return f"80 %: {show(figure.p10)} to {show(figure.p90)}"
