"""What a projection says of research, as tables: scores, hacks, results, gates, and the price of a result."""

from collections.abc import Iterator
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from simbudget.report.numbers import NOTHING, count, hours, percent, rounded, usd
from simbudget.report.table_rows import Summary, add_row, new_table

_NEVER = "no result"


def price_of_a_result(summary: Summary) -> str:
    """Return the clause of the answer that says what a transferable result costs; nothing where that is not asked."""
    research = summary["research"]
    if research is None:
        return ""
    price = research["cost_per_transferable_result_usd"]
    if price is None:
        return "; without a gate a useful result cannot be priced"
    none = percent(research["probability_of_no_transferable_result"])
    if price["estimate"] is None:
        return "; no transferable result in any replication"
    interval = f"80 %: {usd(price['p10'])} to {_price(price['p90'])}"
    return f"; {usd(price['estimate'])} per transferable result ({interval}), none at all with probability {none}"


def _price(value: float | None) -> str:
    return "no end" if value is None else usd(value)


def research_tables(summary: Summary) -> Iterator[Table]:
    """Yield the tables of a projection's research."""
    research = summary["research"]
    yield _scores(summary, research)
    if research["cost_per_transferable_result_usd"] is not None:
        yield _gates(research)
        yield _prices(research)


def _scores(summary: Summary, research: dict[str, Any]) -> Table:
    table = new_table("Research", summary, "what")
    add_row(table, summary, "submissions", research["submissions"], count)
    add_row(table, summary, "distinct methods", research["methods"], count)
    add_row(table, summary, "best measured score", research["best_measured_score"], _score)
    add_row(table, summary, "  its true quality", research["best_measured_true_quality"], _score)
    add_row(table, summary, "second-best method", research["second_measured_score"], _score)
    add_row(table, summary, "best true quality", research["best_true_quality"], _score)
    for name, figure in research["hacks"].items():
        add_row(table, summary, f"hacks {name}", figure, count)
    if research["reviews"]["mean"]:
        add_row(table, summary, "reviews", research["reviews"], count)
        add_row(table, summary, "wait for a review", research["review_wait_hours"], hours)
    if research["blamed_honest"]["mean"]:
        add_row(table, summary, "honest ones blamed", research["blamed_honest"], count)
    results = research["transferable_results"]
    if results is not None:
        table.add_section()
        names = {"true": "transferable results", "found": "  of them found", "false": "false alarms"}
        names |= {"untried": "not among finalists"}
        for name, label in names.items():
            add_row(table, summary, label, results[name], count)
    return table


def _score(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.2f}"


def _gates(research: dict[str, Any]) -> Table:
    table = Table(
        title="Gates: how likely each passes a method of",
        title_justify="left",
        title_style="bold",
        box=SIMPLE_HEAD,
        pad_edge=False,
    )
    table.add_column("gate")
    for column in ("no effect", "smallest", "twice it", "a try", "takes"):
        table.add_column(column, justify="right")
    for gate in research["gates"]:
        powers = (
            gate["false_alarm"],
            gate["power_at_smallest_effect"],
            gate["power_at_twice_smallest_effect"],
        )
        name = f"{gate['name']} (smallest effect {rounded(gate['smallest_effect'], 2)})"
        table.add_row(name, *map(percent, powers), usd(gate["price_usd"]), hours(gate["hours"]))
    return table


def _prices(research: dict[str, Any]) -> Table:
    table = Table(
        title="What a transferable result costs",
        title_justify="left",
        title_style="bold",
        box=SIMPLE_HEAD,
        pad_edge=False,
        caption=_words(research),
        caption_justify="left",
    )
    table.add_column("expected spend ÷ expected results")
    for column in ("p10", "estimate", "p90"):
        table.add_column(column, justify="right", no_wrap=True)
    price, found = research["cost_per_transferable_result_usd"], research["cost_per_result_found_usd"]
    for name, figure in (("a result", price), ("a result that the gates find", found)):
        table.add_row(name, *(_per_result(figure[column]) for column in ("p10", "estimate", "p90")))
    if price["by_world"] is not None:
        worlds = (_per_result(price["by_world"][column]) for column in ("p10", "p50", "p90"))
        table.add_row("a result, world by world", *worlds)
    last = research["last_day"]
    table.add_row(
        f"a result of the last {hours(last['hours'])}", "", _per_result(last["cost_per_result_usd"]), ""
    )
    return table


def _per_result(value: float | None) -> str:
    return _NEVER if value is None else usd(value)


def _words(research: dict[str, Any]) -> str:
    any_result = percent(research["probability_of_any_transferable_result"])
    words = f"At least one result with probability {any_result}."
    share = research["prior_share"]
    if share is not None:
        words += (
            f" {percent(share)} of the variance of their number comes from what is unknown, the rest is luck."
        )
    return words
