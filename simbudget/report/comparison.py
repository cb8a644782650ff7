"""What a person sees of a comparison: the answer in sentences, tables."""

from collections.abc import Callable, Iterator
from typing import Final

from rich.box import SIMPLE_HEAD
from rich.table import Table

from simbudget.deciding.compare import Against, Comparison
from simbudget.deciding.differences import Difference, RatioDifference
from simbudget.deciding.outcomes import RESULTS, SPEND, Outcome, Unit
from simbudget.numbers import count, hours, percent, rounded, usd
from simbudget.projection.projection import Projection

Show = Callable[[float | None], str]

SHOW: Final[dict[Unit, Show]] = {
    Unit.USD: usd,
    Unit.HOURS: lambda value: _signed(hours, value),
    Unit.SHARE: lambda value: _signed(percent, value),
    Unit.SCORE: lambda value: "–" if value is None else f"{value:.3f}",
    Unit.COUNT: count,
}
"""How each unit is written."""


def _signed(show: Show, value: float | None) -> str:
    return f"-{show(-value)}" if value is not None and value < 0 else show(value)


def plan_table(title: str, first: str) -> Table:
    """Return an empty table in the common style."""
    table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column(first, overflow="fold")
    return table


def comparison_answer(comparison: Comparison) -> str:
    """Return the answer: each alternative against the first, or the best buys."""
    sentences = [_against(against) for against in comparison.against]
    return " ".join([*sentences, *_best_buys(comparison)])


def _against(against: Against) -> str:
    if against.is_same:
        return f"{against.name} and {against.first} are the same in every replication."
    told = [
        _told(outcome, against.differences[outcome])
        for outcome in (SPEND, RESULTS)
        if outcome in against.differences and against.differences[outcome].is_told
    ]
    untold = [
        (outcome, against.differences[outcome])
        for outcome in (SPEND, RESULTS)
        if outcome in against.differences and not against.differences[outcome].is_told
    ]
    sentence = f"{against.name} against {against.first}: {' and '.join(told)}." if told else ""
    return " ".join([sentence, *(_too_few(against, *each) for each in untold)]).strip()


def _told(outcome: Outcome, found: Difference) -> str:
    if found.is_same:
        return f"the same {outcome.label} in every replication"
    show, more = SHOW[outcome.unit], "more" if found.mean > 0 else "less"
    if outcome.unit is Unit.COUNT:
        more = "more" if found.mean > 0 else "fewer"
    ends = sorted((abs(found.low), abs(found.high)))
    what = "" if outcome is SPEND else f" {outcome.label}"
    return f"{show(abs(found.mean))} {more}{what} on average ({show(ends[0])} to {show(ends[1])})"


def _too_few(against: Against, outcome: Outcome, found: Difference) -> str:
    if not found.replications:
        return ""
    enough = f"about {found.needed:,} would do" if found.needed else "no number in reach would do"
    return (
        f"{found.replications:,} replications are too few to tell {against.name} and {against.first} apart by "
        f"{outcome.label}; {enough}, if the difference is what it looks like."
    )


def _best_buys(comparison: Comparison) -> Iterator[str]:
    """Yield which alternative is the best buy from which worth of a result on."""
    curves = comparison.acceptability
    if curves is None:
        return
    buys: list[tuple[float, str]] = []
    for worth, name, told in zip(curves.worths_usd, curves.best, curves.is_told, strict=True):
        label = name if told else _UNTOLD
        if not buys or label != buys[-1][1]:
            buys.append((float(worth), label))
    low, high = usd(float(curves.worths_usd[0])), usd(float(curves.worths_usd[-1]))
    if len(buys) == 1:
        yield f"Best buy where a transferable result is worth {low} to {high}: {buys[0][1]}."
        return
    described = [f"{name} from {usd(worth)}" for worth, name in buys]
    yield f"Best buy by what a transferable result is worth: {', '.join(described)} on, looked at up to {high}."


_UNTOLD: Final = "(the best two are not told apart)"


def comparison_tables(comparison: Comparison) -> Iterator[Table]:
    """Yield the table of the alternatives, and one of each alternative's differences from the first."""
    rests_on = f"({comparison.replications:,} replications each, {comparison.worlds:,} worlds)"
    table = plan_table(f"Alternatives {rests_on}", "what")
    for alternative in comparison.alternatives:
        table.add_column(alternative.name, justify="right", overflow="fold")
    for outcome in comparison.outcomes:
        figures = [_figure(outcome, projection) for projection in comparison.projections]
        table.add_row(outcome.label, *figures)
    if any(against.price_usd for against in comparison.against):
        table.add_row("price per result", *map(_price, comparison.projections))
    table.caption, table.caption_justify = "mean, and p10 to p90", "left"
    yield table
    for against in comparison.against:
        yield _differences(against)


def _figure(outcome: Outcome, projection: Projection) -> str:
    show, column = SHOW[outcome.unit], outcome.column
    frame = projection.replications
    if outcome.unit is Unit.SHARE:
        return show(float((frame[RESULTS.column] > 0).mean()))
    values = frame[column].dropna()
    mean, low, high = float(values.mean()), float(values.quantile(0.1)), float(values.quantile(0.9))
    return show(mean) if low == high == mean else f"{show(mean)}\n{show(low)} to {show(high)}"


def _price(projection: Projection) -> str:
    price = projection.price_of_result
    if price is None or price.estimate is None:
        return "no result"
    return f"{usd(price.estimate)}\n{usd(price.p10)} to {usd(price.p90)}"


def _differences(against: Against) -> Table:
    table = plan_table(f"{against.name} less {against.first}", "what")
    for column in ("mean difference", "95 % Monte-Carlo", "p10 to p90 of runs", "told apart"):
        table.add_column(column, justify="right", overflow="fold")
    for outcome, found in against.differences.items():
        show = SHOW[outcome.unit]
        if outcome.unit is Unit.SHARE:
            show = _points
        runs = "–" if outcome.unit is Unit.SHARE else f"{show(found.p10)} to {show(found.p90)}"
        table.add_row(
            outcome.label, show(found.mean), f"{show(found.low)} to {show(found.high)}", runs, _word(found)
        )
    if against.price_usd is not None:
        table.add_row("price per result", *_price_cells(against.price_usd))
    return table


def _points(value: float | None) -> str:
    return "–" if value is None else f"{rounded(100 * value, 2)} points"


def _word(found: Difference) -> str:
    if found.is_same:
        return "the same"
    if found.is_told:
        return "yes"
    return f"no: needs {found.needed:,}" if found.needed else "no"


def _price_cells(price: RatioDifference) -> tuple[str, str, str, str]:
    shown = [usd(value) if value is not None else "infinite" for value in (price.low, price.high)]
    if price.low is None or price.high is None:
        return usd(price.estimate), " to ".join(shown), "–", "no"
    is_same = price.low == price.high == 0.0
    told = "the same" if is_same else "no" if price.low <= 0.0 <= price.high else "yes"
    return usd(price.estimate), " to ".join(shown), "–", told
