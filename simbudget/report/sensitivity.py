"""What a person sees of a sensitivity analysis: what moves the outcomes, in words and in ranked tables."""

from collections.abc import Iterator
from typing import Final

from rich.table import Table

from simbudget.deciding.differences import Difference
from simbudget.deciding.outcomes import RESULTS, SPEND
from simbudget.deciding.sensitivity import Information, Sensitivity
from simbudget.deciding.splits import Driver, Split
from simbudget.numbers import percent, usd
from simbudget.report.comparison import SHOW, plan_table

_ROWS: Final = 8
"""Rows of a ranked table."""

_IN_WORDS: Final = 3
_MOSTLY: Final = 0.5
"""What explains less than this part of its share alone acts with others: its own low and high say little."""


def sensitivity_answer(found: Sensitivity) -> str:
    """Return the answer in words: what moves spend and results, and what would be worth knowing."""
    sentences = [
        _in_words(split)
        for split in found.splits
        if split.outcome.name in ("spend_usd", "transferable_results")
    ]
    if found.information is not None:
        sentences.append(_worth_knowing(found.information))
    return " ".join(sentences) or "Nothing is unknown in this scenario, so no unknown moves it."


def _seen(split: Split) -> list[Driver]:
    return [driver for driver in split.drivers if driver.total > 0.0]


def _in_words(split: Split) -> str:
    seen, show = _seen(split), SHOW[split.outcome.unit]
    if not seen:
        return f"No unknown is seen to move {split.outcome.label}; {percent(split.luck)} of its variance is luck."
    named = [
        f"{driver.unknown} ({_share(driver)} of its variance: {show(driver.at_low)} at its p10, "
        f"{show(driver.at_high)} at its p90)"
        for driver in seen[:_IN_WORDS]
    ]
    rest = f"; {percent(split.luck)} is luck" if split.luck >= 0.005 else ""
    label = split.outcome.label[0].upper() + split.outcome.label[1:]
    return f"{label} moves most with {', then '.join(named)}{rest}."


def _share(driver: Driver) -> str:
    """Return what a driver explains, and how little of it alone, where it acts mostly together with others."""
    alone = f", {percent(driver.first_order)} alone," if driver.first_order < _MOSTLY * driver.total else ""
    return f"{percent(driver.total)}{alone}"


def _worth_knowing(information: Information) -> str:
    at = f"With a transferable result worth {usd(information.worth_usd)} the best plan is: {information.best}"
    worth = [(name, value) for name, value in information.of_each.items() if value.usd > 2 * value.error_usd]
    if not worth:
        return f"{at}; knowing any one unknown beforehand would not be seen to change that."
    named = [f"{name} {usd(value.usd)}" for name, value in worth[:_IN_WORDS]]
    return f"{at}. Knowing beforehand is worth: {', '.join(named)}; knowing all {usd(information.of_all.usd)} at most."


def sensitivity_tables(found: Sensitivity) -> Iterator[Table]:
    """Yield a ranked table an outcome, of the price of a result, of the value of knowing, and of the choices."""
    for split in found.splits:
        yield _drivers(split, found)
    if found.prices:
        yield _prices(found)
    if found.information is not None:
        yield _information(found.information)
    if found.choices:
        yield _choices(found)


def _drivers(split: Split, found: Sensitivity) -> Table:
    show = SHOW[split.outcome.unit]
    rests_on = f"{len(found.projection.replications):,} replications, {found.worlds:,} worlds"
    table = plan_table(f"What moves {split.outcome.label}: mean {show(split.mean)} ({rests_on})", "unknown")
    for column in ("share of variance", "alone", "at its p10", "at its p90"):
        table.add_column(column, justify="right", overflow="fold")
    for driver in _seen(split)[:_ROWS]:
        share = f"{percent(driver.total)} ± {percent(driver.error)}"
        cells = (percent(driver.first_order), show(driver.at_low), show(driver.at_high))
        table.add_row(driver.unknown, share, *cells)
    if split.luck > 0.0:
        table.add_row("luck within a world", percent(split.luck), "", "", "")
    if split.unattributed > 0.0:
        table.add_row("not attributed", percent(split.unattributed), "", "", "")
    unseen = len(split.drivers) - len(_seen(split))
    if unseen:
        table.caption = f"{unseen} more: each less than about {percent(split.hidden)}, or nothing"
        table.caption_justify = "left"
    return table


def _prices(found: Sensitivity) -> Table:
    table = plan_table("What moves the price of a transferable result (mean spend / mean results)", "unknown")
    for column in ("at its p10", "at its p90"):
        table.add_column(column, justify="right")
    for move in found.prices[:_ROWS]:
        ends = (
            usd(value) if value < float("inf") else "no result"
            for value in (move.at_low_usd, move.at_high_usd)
        )
        table.add_row(move.unknown, *ends)
    return table


def _information(information: Information) -> Table:
    title = f"Expected value of perfect information, a result being worth {usd(information.worth_usd)}"
    table = plan_table(title, "to know")
    table.add_column("is worth at most", justify="right")
    for name, value in list(information.of_each.items())[:_ROWS]:
        if value.usd > 0.0:
            table.add_row(name, f"{usd(value.usd)} ± {usd(value.error_usd)}")
    table.add_row("all unknowns", f"{usd(information.of_all.usd)} ± {usd(information.of_all.error_usd)}")
    table.caption = f"before deciding between: {', '.join(information.plans)}"
    table.caption_justify = "left"
    return table


def _choices(found: Sensitivity) -> Table:
    with_results = any(RESULTS in against.differences for against in found.choices)
    table = plan_table("One choice otherwise: mean differences, with 95 % Monte-Carlo intervals", "change")
    columns = (SPEND, RESULTS) if with_results else (SPEND,)
    for outcome in columns:
        table.add_column(outcome.label, justify="right", overflow="fold")
    ranked = sorted(found.choices, key=lambda against: -abs(against.differences[SPEND].mean))
    for against in ranked:
        table.add_row(
            against.name, *(_cell(outcome.unit, against.differences.get(outcome)) for outcome in columns)
        )
    return table


def _cell(unit: object, found: Difference | None) -> str:
    show = SHOW[SPEND.unit] if unit is SPEND.unit else SHOW[RESULTS.unit]
    if found is None or found.is_same:
        return "the same" if found else "–"
    cell = f"{show(found.mean)} ({show(found.low)} to {show(found.high)})"
    return cell if found.is_told else f"{cell}?"
