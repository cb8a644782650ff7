"""The answer and the tables of a projection."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from simbudget.numbers import count, hours, percent, rounded, score, usd, usd_exactly
from simbudget.pricing.charge import TOKEN_CLASSES
from simbudget.projection.limits import LimitCheck
from simbudget.projection.research import PriceOfResult, Research
from simbudget.projection.statistics import Spread
from simbudget.projection.summary import NO_BOTTLENECK, Summary
from simbudget.projection.tasks import TaskFigures
from simbudget.results import Cell, Number, Table

Show = Callable[[float | None], str]

WORDS: Final = {
    "scorer_calls": "scorer calls",
    **{name: f"{name.replace('_', ' ')} tokens" for name in TOKEN_CLASSES},
    "used": "GPU-hours used",
    "billed": "GPU-hours billed",
    "gpu": "GPUs",
    "scorer": "scorer",
    "api_requests": "API requests",
    "api_input": "API input tokens",
    "api_output": "API output tokens",
    "plan": "subscription",
    "waiting_gpu": "waiting for GPUs",
    "waiting_scorer": "waiting for the scorer",
    "waiting_api": "waiting for the API",
    "waiting_other": "waiting otherwise",
}
"""Display names of figures whose key is not one."""

_NO_RESULT: Final = "no result"


def words(name: str) -> str:
    """Return the display name of a figure.

    Args:
        name: name of the figure, as in JSON.
    """
    return WORDS.get(name, name.replace("_", " "))


def is_certain(summary: Summary) -> bool:
    """Return whether a single replication suffices, since nothing is random.

    Args:
        summary: the summary of the projection.
    """
    return summary.replications == 1


def answer(summary: Summary) -> str:
    """Return the answer in one line: spend, time, budget, and the price of a result.

    Args:
        summary: the summary of the projection.
    """
    spend = summary.spend_usd
    if is_certain(summary):
        line = f"{usd_exactly(spend.mean)}{_for_tasks(summary)} over {_duration(summary)}"
    else:
        line = f"About {usd(spend.p50)} (80 %: {usd(spend.p10)} to {usd(spend.p90)})"
        line += f"{_for_tasks(summary)} over {_duration(summary)}"
    line += _price_of_a_solved_task(summary)
    line += _budget(summary)
    line += _price_of_a_result(summary.research)
    unmet = sum(not limit.holds for limit in summary.limits)
    if unmet:
        line += f"; {unmet} of {len(summary.limits)} limits not met"
    return f"{line}. (Interrupted.)" if summary.interrupted else f"{line}."


def _duration(summary: Summary) -> str:
    """Return the duration of the agents' run and, if longer, the time until the last review and gate have ended."""
    run, whole = (
        hours(spread.mean if is_certain(summary) else spread.p50)
        for spread in (summary.run_hours, summary.wall_clock_hours)
    )
    return run if run == whole else f"{run} ({whole} with reviews and gates)"


def _for_tasks(summary: Summary) -> str:
    if summary.tasks is None:
        return ""
    return f" for {summary.tasks.count:,} task{'s' if summary.tasks.count > 1 else ''}"


def _price_of_a_solved_task(summary: Summary) -> str:
    """Return the clause on the price of a solved task, and on the share of the most expensive tasks."""
    tasks = summary.tasks
    if tasks is None:
        return ""
    price, solved = tasks.cost_per_solved_usd, f"{_whole(tasks.solved.p50)} are solved"
    if price.estimate is None:
        line = "; no task is solved"
    elif is_certain(summary):
        line = f", {usd(price.estimate)} per solved task ({solved})"
    elif price.p50 is None:
        line = "; in more than half of the worlds no task is solved"
    else:
        line = f", {usd(price.p50)} per solved task (80 %: {usd(price.p10)} to {without_end(price.p90)}; {solved})"
    if tasks.dearest_tenth_share is not None and tasks.count >= _A_TENTH_OF:
        line += f"; the most expensive tenth of the tasks costs {percent(tasks.dearest_tenth_share.p50)}"
    return line


def _whole(number: float) -> str:
    """Format a mean or median count, without decimals unless it is small."""
    return f"{number:,.0f}" if number >= 10.0 else count(number)


_A_TENTH_OF: Final = 10
"""A tenth of fewer tasks is less than one."""


def _budget(summary: Summary) -> str:
    """Return the clause on the budget: the probabilities of staying within it, and of its stopping the agents early."""
    within, stops = summary.probability_within_budget, summary.probability_cut_short
    if within is None:
        return ""
    if is_certain(summary):
        kept = "; within the budget" if within else "; over the budget"
        return f"{kept}, which stops the agents early" if stops else kept
    line = f"; within the budget with probability {percent(within)}"
    return f"{line}, but it stops the agents early with probability {percent(stops)}" if stops else line


_TELLING_ERROR: Final = 0.1
"""If the median is known to within 10 %, the number of replications is not mentioned."""

_TOO_FEW: Final = 10.0
"""Beyond an order of magnitude, the factor to within which a median is known is meaningless."""


def _price_of_a_result(research: Research | None) -> str:
    """Return the clause on the price of a transferable result; empty if nothing is scored."""
    if research is None:
        return ""
    price = research.cost_per_transferable_result_usd
    if price is None:
        return "; without a gate a useful result cannot be priced"
    if price.estimate is None:
        return "; no transferable result is to be expected"
    none = f"none at all with probability {percent(research.probability_of_no_transferable_result)}"
    worlds = price.by_world
    if worlds is None:
        return f"; {usd(price.estimate)} per transferable result on average, {none}"
    if worlds.p50 is None:
        return f"; in more than half of the worlds no transferable result is to be expected, {none}"
    line = (
        f"; a transferable result costs {usd(worlds.p50)} (80 % over worlds: {usd(worlds.p10)} to "
        f"{without_end(worlds.p90)}), {none}"
    )
    factor = math.exp(1.28 * (worlds.error_p50 or 0.0))
    if factor > _TOO_FEW:
        line += " (too few replications to know the median)"
    elif factor > 1.0 + _TELLING_ERROR:
        line += f" (few replications: the median is known to within a factor of {factor:.2g})"
    return line


def without_end(value: float | None) -> str:
    """Return the upper bound of a price's interval as text.

    Args:
        value: the bound, in US dollars; None for an infinite one.
    """
    return "no end" if value is None else usd(value)


def projection_tables(summary: Summary) -> dict[str, Table]:
    """Return the tables of a projection by name: spend, work, time, resources, research and so on.

    Args:
        summary: the summary of the projection.
    """
    tables = {
        "spend": _spend(summary),
        "work": _work(summary),
        "time": _time(summary),
        "resources": _resources(summary),
    }
    research = summary.research
    if research is not None:
        tables["research"] = _research(summary, research)
        price = research.cost_per_transferable_result_usd
        if price is not None:
            tables |= {
                "gates": _gates(research),
                "prices": _prices(research, price),
                "drivers": _drivers(research),
            }
    if summary.tasks is not None:
        tables["tasks"] = _tasks(summary, summary.tasks)
    if summary.limits:
        tables["limits"] = limits_table(summary.limits)
    return {name: table for name, table in tables.items() if table.rows}


class _Rows:
    """The rows of a table of figures: interval and mean, or a single value."""

    def __init__(self, summary: Summary) -> None:
        self.statistics = ("mean",) if is_certain(summary) else ("p10", "p50", "p90", "mean")
        self.rows: list[tuple[Cell, ...]] = []
        self.rules: list[int] = []

    @property
    def columns(self) -> tuple[str, ...]:
        return ("amount",) if self.statistics == ("mean",) else self.statistics

    def add(self, name: str, path: str, figure: Spread | None, show: Show) -> None:
        """Add a figure if it applies; `path` is its path in the JSON."""
        if figure is None:
            return
        cells = (
            Number(show(value), value, f"{path}.{name}")
            for name in self.statistics
            for value in (getattr(figure, name),)
        )
        self.rows.append((name, *cells))

    def add_nonzero(self, name: str, path: str, figure: Spread | None, show: Show) -> None:
        """Add a figure unless it is zero."""
        if figure is not None and figure.mean:
            self.add(name, path, figure, show)

    def add_all(
        self, path: str, figures: Mapping[str, Spread | None], show: Show, label: Callable[[str], str] = words
    ) -> None:
        """Add the figures of a group that are not zero."""
        for name, figure in figures.items():
            self.add_nonzero(label(name), f"{path}.{name}", figure, show)

    def rule(self) -> None:
        """Add a line below the rows so far."""
        self.rules.append(len(self.rows))

    def table(self, title: str, first: str, caption: str = "") -> Table:
        return Table(title, (first, *self.columns), tuple(self.rows), caption, rules=tuple(self.rules))


def _spend(summary: Summary) -> Table:
    certain, rows = is_certain(summary), _Rows(summary)
    show: Show = (lambda value: usd_exactly(value or 0.0)) if certain else usd
    rows.add_all("spend_by_component_usd", summary.spend_by_component_usd, show, str)
    rows.rule()
    rows.add("total", "spend_usd", summary.spend_usd, show)
    rows.add("per agent-hour", "cost_per_agent_hour_usd", summary.cost_per_agent_hour_usd, show)
    rows.add_nonzero("over the budget", "overrun_usd", summary.overrun_usd, show)
    many = "" if certain else f" ({summary.replications:,} replications, {summary.worlds:,} worlds)"
    return rows.table(f"Spend{many}", "component", "" if certain else _monte_carlo(summary))


def _monte_carlo(summary: Summary) -> str:
    """Return the Monte-Carlo standard errors of the total's figures as text."""
    errors = summary.monte_carlo_error.spend_usd
    figures = ", ".join(f"{name} ± {usd(getattr(errors, name))}" for name in ("p10", "p50", "p90", "mean"))
    return f"Monte-Carlo errors of the total: {figures}"


def _work(summary: Summary) -> Table:
    rows = _Rows(summary)
    rows.add("wall clock", "wall_clock_hours", summary.wall_clock_hours, hours)
    if summary.run_hours != summary.wall_clock_hours:
        rows.add("  until the last agent's end", "run_hours", summary.run_hours, hours)
    rows.add_nonzero("agent-hours", "agent_hours", summary.agent_hours, count)
    for name in ("cycles", "experiments"):
        rows.add_nonzero(words(name), name, getattr(summary, name), count)
    if summary.jobs != summary.experiments:
        rows.add("jobs that ended", "jobs", summary.jobs, count)
    rows.add_nonzero("jobs cancelled or cut", "jobs_cancelled", summary.jobs_cancelled, count)
    rows.add_nonzero(words("scorer_calls"), "scorer_calls", summary.scorer_calls, count)
    rows.add_all("gpu_hours", summary.gpu_hours, count)
    rows.add_nonzero("model calls", "model_calls", summary.model_calls, count)
    rows.add_all("tokens", summary.tokens, count)
    return rows.table("Work and time", "what")


def _time(summary: Summary) -> Table:
    rows = _Rows(summary)
    rows.add_all("agent_time_share", summary.agent_time_share, percent)
    return rows.table("Where the agents' time goes", "activity")


def _resources(summary: Summary) -> Table:
    rows, bottleneck = _Rows(summary), summary.bottleneck
    rows.add_all("utilisation", summary.utilisation, percent)
    if len(summary.gpu_pools) > 1:
        for pool, figures in summary.gpu_pools.items():
            name = f"gpu_pools.{pool}.utilisation"
            rows.add_nonzero(f"GPUs of {pool}", name, figures["utilisation"], percent)
    rows.rule()
    rows.add_all("waiting_hours", summary.waiting_hours, hours, lambda name: f"waiting for: {words(name)}")
    named = "none" if bottleneck == NO_BOTTLENECK else _named(bottleneck)
    return rows.table(f"Use of limited resources; bottleneck: {named}", "resource")


def _named(bottleneck: str) -> str:
    """Return the display name of a bottleneck; the name of a pool or model follows that of the resource."""
    resource, _, whose = bottleneck.partition(" ")
    return f"{words(resource)} of {whose}" if whose else words(resource)


def _research(summary: Summary, research: Research) -> Table:
    rows = _Rows(summary)

    def add(label: str, name: str, show: Show, always: bool = True) -> None:
        (rows.add if always else rows.add_nonzero)(label, f"research.{name}", getattr(research, name), show)

    add("submissions", "submissions", count)
    add("distinct methods", "methods", count)
    add("kept: the best score rose", "kept", count)
    add("best measured score", "best_measured_score", score)
    add("  its true quality", "best_measured_true_quality", score)
    add("second-best method", "second_measured_score", score)
    add("best true quality", "best_true_quality", score)
    for name in ("made", "caught", "missed"):
        rows.add(f"hacks {name}", f"research.hacks.{name}", getattr(research.hacks, name), count)
    if research.reviews and research.reviews.mean:
        add("reviews", "reviews", count)
        add("wait for a review", "review_wait_hours", hours)
    add("honest ones blamed", "blamed_honest", count, always=False)
    if (results := research.transferable_results) is not None:
        rows.rule()
        labels = {"true": "transferable results", "found": "  found by the gates"}
        labels |= {"false": "false alarms of the gates", "untried": "not among finalists"}
        for name, label in labels.items():
            rows.add(label, f"research.transferable_results.{name}", getattr(results, name), count)
    return rows.table("Research", "what")


def _tasks(summary: Summary, tasks: TaskFigures) -> Table:
    rows = _Rows(summary)
    rows.add("attempts", "tasks.attempts", tasks.attempts, count)
    rows.add("solved", "tasks.solved", tasks.solved, count)
    rows.add("unsolved", "tasks.unsolved", tasks.unsolved, count)
    rows.add("spend per task", "tasks.spend_per_task_usd", tasks.spend_per_task_usd, usd)
    rows.add("spend per attempt", "tasks.spend_per_attempt_usd", tasks.spend_per_attempt_usd, usd)
    rows.add(
        "share of the most expensive tenth", "tasks.dearest_tenth_share", tasks.dearest_tenth_share, percent
    )
    price = tasks.cost_per_solved_usd
    average = "" if is_certain(summary) else " on average: mean spend over the mean number solved"
    solved = (
        "No task is solved."
        if price.estimate is None
        else f"A solved task costs {usd(price.estimate)}{average}."
    )
    caption = f"{solved} Spend per task, attempt and solved task is all of a run's spend over their number."
    return rows.table(f"Tasks ({tasks.count:,})", "what", caption)


def _gates(research: Research) -> Table:
    def cells(index: int) -> Iterator[Cell]:
        gate = research.gates[index]
        yield f"{gate.name} (smallest effect {rounded(gate.smallest_effect, 2)})"
        shows = {
            "false_alarm": percent,
            "power_at_smallest_effect": percent,
            "power_at_twice_smallest_effect": percent,
            "price_usd": usd,
            "hours": hours,
        }
        for name, show in shows.items():
            value = getattr(gate, name)
            yield Number(show(value), value, f"research.gates.{index}.{name}")

    rows = [tuple(cells(index)) for index in range(len(research.gates))]
    columns = ("gate", "no effect", "smallest", "twice it", "a try", "takes")
    return Table("Gates: how likely each passes a method of", columns, rows)


def _prices(research: Research, price: PriceOfResult) -> Table:
    def cell(path: str, value: float | None) -> Number:
        return Number(_NO_RESULT if value is None else usd(value), value, f"research.{path}")

    def row(name: str, path: str, figure: object, statistics: Sequence[str]) -> tuple[Cell, ...]:
        return name, *(cell(f"{path}.{each}", getattr(figure, each)) for each in statistics)

    path, quantiles = "cost_per_transferable_result_usd", ("p10", "p50", "p90")
    rows: list[tuple[Cell, ...]] = []
    if price.by_world is not None:
        rows.append(("world by world", *row("", f"{path}.by_world", price.by_world, quantiles)[1:], ""))
    for name, where, figure in (
        ("on average over worlds", path, price),
        ("of those that the gates find", "cost_per_result_found_usd", research.cost_per_result_found_usd),
    ):
        low, mean, high = row(name, where, figure, ("p10", "estimate", "p90"))[1:]
        rows.append((name, low, "", high, mean))
    if (last := research.last_day) is not None:
        marginal = cell("last_day.cost_per_result_usd", last.cost_per_result_usd)
        rows.append((f"of the last {hours(last.hours)}", "", "", "", marginal))
    caption = (
        "World by world: the range over worlds. On average: mean spend ÷ mean results, with its Monte-Carlo interval, "
        "which more replications narrow. "
        f"At least one result with probability {percent(research.probability_of_any_transferable_result)}."
    )
    if research.prior_share is not None:
        share = percent(research.prior_share)
        caption += f" {share} of the variance of their number comes from unknowns; the rest is chance."
    columns = ("a transferable result costs", "p10", "p50", "p90", "mean")
    return Table("What a transferable result costs", columns, rows, caption)


def _drivers(research: Research) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (
            driver.name,
            driver.written,
            *(
                Number(usd(value), value, f"research.price_drivers.{index}.{name}")
                for name in ("price_at_p10_usd", "price_at_p90_usd")
                for value in (getattr(driver, name),)
            ),
        )
        for index, driver in enumerate(research.price_drivers)
    ]
    caption = (
        "Mean spend ÷ mean results in the fifth of the worlds in which the assumption is lowest, and highest."
    )
    columns = ("assumption", "written", "where it is low", "where it is high")
    return Table("What moves the price of a result most", columns, rows, caption, words=(0, 1))


def limits_table(limits: Sequence[LimitCheck]) -> Table:
    """Return the table of a scenario's limits with the projected values, and whether they are met.

    Args:
        limits: the limits, each with its projected value.
    """
    rows: list[tuple[Cell, ...]] = [
        (
            limit.limit,
            Number(limit_value(limit), limit.value, f"limits.{index}.value"),
            "yes" if limit.holds else "NO",
        )
        for index, limit in enumerate(limits)
    ]
    return Table("Limits", ("limit", "is", "met"), rows, words=(0, 2))


def limit_value(limit: LimitCheck) -> str:
    """Return the value of a limit in the unit of its figure.

    Args:
        limit: the limit, with its projected value.
    """
    figure = limit.limit.split()[0]
    if limit.value is None:
        return _NO_RESULT
    if figure.startswith("probability"):
        return percent(limit.value)
    if figure in ("spend", "overrun", "usage", "tasks.spend_per_task") or "cost_per" in figure:
        return usd(limit.value) if limit.value < 1000 else f"${limit.value:,.0f}"
    return hours(limit.value) if figure == "wall_clock" else count(limit.value)
