"""A projection as one line that says the answer, and tables that fit a terminal."""

from collections.abc import Iterator
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from simbudget.report.numbers import count, hours, percent, usd, usd_exactly
from simbudget.report.research_tables import price_of_a_result, research_tables
from simbudget.report.table_rows import Summary, add_row, is_certain, new_table

_RESOURCES = {
    "gpu": "GPUs",
    "scorer": "scorer",
    "api_requests": "API requests",
    "api_input": "API input tokens",
    "api_output": "API output tokens",
}
_ACTIVITIES = {
    "waiting_gpu": "waiting for GPUs",
    "waiting_scorer": "waiting for the scorer",
    "waiting_api": "waiting for the API",
    "waiting_other": "waiting otherwise",
}


def answer(summary: Summary) -> str:
    """Return the answer in one line: spend, time, and the probability of staying within the budget."""
    spend, clock = summary["spend_usd"], summary["wall_clock_hours"]
    if is_certain(summary):
        line = f"{usd_exactly(spend['mean'])} over {hours(clock['mean'])}"
    else:
        interval = f"80 %: {usd(spend['p10'])} to {usd(spend['p90'])}"
        line = f"About {usd(spend['p50'])} ({interval}) over {hours(clock['p50'])}"
    within = summary["probability_within_budget"]
    if within is not None and is_certain(summary):
        line += "; within the budget" if within else "; the budget stops it"
    elif within is not None:
        line += f"; within the budget with probability {percent(within)}"
    line += price_of_a_result(summary)
    unmet = sum(not limit["holds"] for limit in summary["limits"])
    if unmet:
        line += f"; {unmet} of {len(summary['limits'])} limits not met"
    return f"{line}. (Interrupted.)" if summary["interrupted"] else f"{line}."


def projection_tables(summary: Summary) -> Iterator[Table]:
    """Yield the tables of a projection: spend, work and time, where time goes, resources, limits."""
    yield _spend(summary)
    yield _work(summary)
    yield _time(summary)
    yield _resources(summary)
    if summary["research"] is not None:
        yield from research_tables(summary)
    if summary["limits"]:
        yield _limits(summary)


def _spend(summary: Summary) -> Table:
    replications, worlds = summary["replications"], summary["worlds"]
    many = "" if is_certain(summary) else f" ({replications:,} replications, {worlds:,} worlds)"
    table = new_table(f"Spend{many}", summary, "component")
    show = (lambda value: usd_exactly(value or 0.0)) if is_certain(summary) else usd
    for component, figure in summary["spend_by_component_usd"].items():
        if figure and figure["mean"]:
            add_row(table, summary, component, figure, show)
    table.add_section()
    add_row(table, summary, "total", summary["spend_usd"], show)
    add_row(table, summary, "per agent-hour", summary["cost_per_agent_hour_usd"], show)
    if summary["overrun_usd"]["mean"]:
        add_row(table, summary, "over the budget", summary["overrun_usd"], show)
    if not is_certain(summary):
        table.caption, table.caption_justify = _monte_carlo(summary), "left"
    return table


def _monte_carlo(summary: Summary) -> str:
    """Return how far the total's figures may be off for want of replications: one standard error each."""
    errors = summary["monte_carlo_error"]["spend_usd"]
    figures = ", ".join(f"{name} ± {usd(errors[name])}" for name in ("p10", "p50", "p90", "mean"))
    return f"Monte-Carlo errors of the total: {figures}"


def _work(summary: Summary) -> Table:
    table = new_table("Work and time", summary, "what")
    add_row(table, summary, "wall clock", summary["wall_clock_hours"], hours)
    gpu_hours, tokens = summary["gpu_hours"], summary["tokens"]
    figures = {
        "agent-hours": summary["agent_hours"],
        **{name.replace("_", " "): summary[name] for name in ("cycles", "experiments", "scorer_calls")},
        "GPU-hours used": gpu_hours["used"],
        "GPU-hours billed": gpu_hours["billed"],
        "model calls": summary["model_calls"],
        **{f"{name.replace('_', ' ')} tokens": figure for name, figure in tokens.items()},
    }
    for name, figure in figures.items():
        if figure and figure["mean"]:
            add_row(table, summary, name, figure, count)
    return table


def _time(summary: Summary) -> Table:
    table = new_table("Where the agents' time goes", summary, "activity")
    for activity, figure in summary["agent_time_share"].items():
        if figure and figure["mean"]:
            add_row(table, summary, _ACTIVITIES.get(activity, activity), figure, percent)
    return table


def _resources(summary: Summary) -> Table:
    bottleneck = summary["bottleneck"]
    named = "nothing is waited for" if bottleneck == "none" else _RESOURCES[bottleneck]
    table = new_table(f"Use of what is limited; bottleneck: {named}", summary, "resource")
    for resource, figure in summary["utilisation"].items():
        if figure is None or not figure["mean"]:
            continue
        add_row(table, summary, _RESOURCES[resource], figure, percent)
    return table


def _limits(summary: Summary) -> Table:
    table = Table(title="Limits", title_justify="left", title_style="bold", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("limit")
    table.add_column("is", justify="right", no_wrap=True)
    table.add_column("met", no_wrap=True)
    for limit in summary["limits"]:
        table.add_row(limit["limit"], limit_value(limit), "yes" if limit["holds"] else "NO")
    return table


def limit_value(limit: dict[str, Any]) -> str:
    """Return the value of a limit in the unit of its figure."""
    figure = limit["limit"].split()[0]
    if limit["value"] is None:
        return "no result"
    if figure.startswith("probability"):
        return percent(limit["value"])
    if figure in ("spend", "overrun", "usage") or figure.startswith("cost_per"):
        return usd(limit["value"]) if limit["value"] < 1000 else f"${limit['value']:,.0f}"
    return hours(limit["value"]) if figure == "wall_clock" else count(limit["value"])
