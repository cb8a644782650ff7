"""What an outlook says: whether the run is on track in one sentence, tables, and JSON."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from simbudget.numbers import count, hours, percent, rounded, usd
from simbudget.projection.limits import LimitCheck
from simbudget.projection.tables import limit_value
from simbudget.results import Table

if TYPE_CHECKING:
    from simbudget.forecast.outlook import Outlook, Worthwhile

_MOST_LEARNT = 5
_WORTH_TELLING = 0.05
_CERTAIN = 0.005
"""An interval narrower than this part of its middle is not told."""


def verdict(outlook: "Outlook") -> str:
    """Return whether the run is on track, in one sentence."""
    spent, ends = outlook.spent_usd, outlook.spend_usd
    so_far = f"{_about(spent)} spent after {hours(outlook.elapsed_hours)}, {_pace(outlook)}"
    rest = (
        f"the planned end at {hours(outlook.ends_hours)} would come to {usd(ends['p50'])} ({_interval(ends)})"
    )
    before = outlook.spend_before_usd
    if ends["p50"] > before["p90"]:
        rest += f", more than the {usd(before['p10'])} to {usd(before['p90'])} projected before the run"
    track = "On track" if outlook.is_on_track else "Off track"
    return f"{track}: {so_far}; {rest}{_budget(outlook)}{_limits(outlook)}."


def _about(figure: dict[str, float]) -> str:
    certain = figure["p90"] - figure["p10"] <= _CERTAIN * figure["p50"]
    return usd(figure["p50"]) if certain else f"about {usd(figure['p50'])}"


def _interval(figure: dict[str, float]) -> str:
    return f"80 %: {usd(figure['p10'])} to {usd(figure['p90'])}"


def _pace(outlook: "Outlook") -> str:
    expected, spent = outlook.expected_by_now_usd, outlook.spent_usd["p50"]
    if spent > expected["p90"]:
        return f"more than the {usd(expected['p10'])} to {usd(expected['p90'])} that were projected"
    if spent < expected["p10"]:
        return f"less than the {usd(expected['p10'])} to {usd(expected['p90'])} that were projected"
    return "as projected"


def _budget(outlook: "Outlook") -> str:
    if outlook.budget_usd is None or outlook.within_budget is None:
        return ""
    budget = usd(outlook.budget_usd)
    if outlook.spent_usd["p50"] >= outlook.budget_usd:
        return f"; the budget of {budget} is spent"
    met = outlook.budget_met_hours
    words = f"; within the budget of {budget} with probability {percent(outlook.within_budget)}"
    if met is not None and met["p50"] is not None:
        words += f", which it otherwise reaches after about {hours(met['p50'])} ({_hours_interval(met)})"
    return words


def _hours_interval(met: dict[str, float | None]) -> str:
    early, late = met["p10"], met["p90"]
    assert early is not None
    return f"80 %: {hours(early)} to {hours(late) if late is not None else 'never'}"


def _limits(outlook: "Outlook") -> str:
    unmet = sum(not limit["holds"] for limit in outlook.limits)
    return f"; {unmet} of {len(outlook.limits)} limits not met" if unmet else ""


def worthwhile_words(found: "Worthwhile", outlook: "Outlook") -> str:
    """Return in one sentence until when the run is worth its price."""
    hour = (
        f"the next hour costs {usd(found.next_hour_costs_usd)} and brings {usd(found.next_hour_brings_usd)}"
    )
    interval = f"80 %: {hours(found.p10)} to {hours(found.p90)}"
    if found.stop_at_hours <= outlook.elapsed_hours:
        return f"Already now {hour}: stop ({interval})."
    if found.stop_at_hours >= outlook.ends_hours:
        return (
            f"Until the planned end each hour is expected to bring more than it costs ({interval}); {hour}."
        )
    return f"After about {hours(found.stop_at_hours)} ({interval}) an hour costs more than it brings; {hour}."


def outlook_tables(outlook: "Outlook") -> Iterator[Table]:
    """Yield the tables of an outlook: the planned end, what was learnt, limits."""
    yield _planned_end(outlook)
    learnt = [each for each in outlook.learnt if each.narrower >= _WORTH_TELLING][:_MOST_LEARNT]
    if learnt:
        rows = [
            (
                each.name,
                *(f"{rounded(q[0])} to {rounded(q[2])}" for q in (each.before, each.after)),
                percent(each.narrower),
            )
            for each in learnt
        ]
        yield Table("Learnt so far", ("unknown", "before (p10 to p90)", "now", "narrower by"), rows)
    if outlook.limits:
        checks = [LimitCheck(**limit) for limit in outlook.limits]
        limits = [(each.limit, limit_value(each), "yes" if each.holds else "NO") for each in checks]
        yield Table("Limits", ("limit", "would be", "met"), limits, words=(0, 2))


def _planned_end(outlook: "Outlook") -> Table:
    levels = ("p10", "p50", "p90")
    spends = {
        **outlook.by_component_usd,
        "total": outlook.spend_usd,
        "  before the run": outlook.spend_before_usd,
    }
    rows = [(name, *(usd(figure[key]) for key in levels)) for name, figure in spends.items()]
    for name, figure in outlook.counts.items():
        label = name.replace("_", " ").replace("gpu hours", "GPU-hours")
        rows.append((label, *(count(figure[key]) for key in levels)))
    rules = (len(outlook.by_component_usd), len(spends))
    return Table("At the planned end", ("figure", *levels), rows, rules=rules)


def outlook_json(outlook: "Outlook") -> dict[str, Any]:
    """Return an outlook as plain values: what `watch --json` prints."""
    state = outlook.state
    return {
        "on_track": outlook.is_on_track,
        "verdict": verdict(outlook),
        "elapsed_hours": outlook.elapsed_hours,
        "planned_end_hours": outlook.ends_hours,
        "last_entry_at": None if state.last_at is None else state.last_at.isoformat(),
        "observed": dict(state.so_far),
        "spent_usd": outlook.spent_usd,
        "expected_by_now_usd": outlook.expected_by_now_usd,
        "spend_usd": outlook.spend_usd,
        "spend_before_usd": outlook.spend_before_usd,
        "spend_by_component_usd": outlook.by_component_usd,
        **outlook.counts,
        "budget_usd": outlook.budget_usd,
        "probability_within_budget": outlook.within_budget,
        "budget_met_hours": outlook.budget_met_hours,
        "limits": outlook.limits,
        "learnt": [asdict(each) for each in outlook.learnt],
        "worthwhile": None if outlook.worthwhile is None else asdict(outlook.worthwhile),
        "surprise": outlook.surprise,
        "spend_over_time_usd": outlook.curve,
        "notes": list(outlook.notes),
    }
