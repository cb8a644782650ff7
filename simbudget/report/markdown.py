"""The report as Markdown for a pull request: a scenario's projection, and the effect of a change on cost and yield.

GitHub limits a comment to 65,536 characters; longer tables are cut, with a note.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from simbudget import __version__
from simbudget.deciding.compare import Against, Comparison
from simbudget.deciding.differences import Difference
from simbudget.deciding.outcomes import Outcome, Unit
from simbudget.numbers import NOTHING, count, hours, usd
from simbudget.projection.limits import LimitCheck
from simbudget.projection.projection import Projection
from simbudget.projection.tables import limit_value, projection_tables
from simbudget.results import Table, sentence
from simbudget.scenario.language.reading import Provenance

MOST_CHARACTERS: Final = 60_000
"""Below GitHub's limit, with room for what a bot may add."""

_MOST_CHANGES: Final = 60
"""Changed values that are listed, so that the comment stays below the 65,536 characters that GitHub accepts."""
_SPECIAL: Final = re.compile(r"([\\`*_{}\[\]<>#|~@&])")


def plain(text: str) -> str:
    """Escape text for Markdown: no markup, no mentions, no table delimiters, on one line."""
    return _SPECIAL.sub(lambda found: f"&#{ord(found.group(1))};", " ".join(text.split())[:200])


def _code(text: str) -> str:
    return f"<code>{plain(text)}</code>"


def projection_markdown(projection: Projection, provenance: Sequence[Provenance], command: str) -> str:
    """Return a projection's report as Markdown."""
    summary = projection.summary
    tables = projection_tables(summary)
    parts = [f"### {plain(summary.scenario)}", projection.answer(), *_limits(summary.limits)]
    parts += [table_markdown(tables[name]) for name in ("spend", "research") if name in tables]
    folded = "\n\n".join(table_markdown(tables[name]) for name in ("work", "time") if name in tables)
    parts.append(_folded("Time and work", folded))
    parts += [f"> {plain(sentence(note))}" for note in projection.notes]
    written = [row for row in provenance if not row.is_default]
    rows = [f"| {_code(row.name)} | {_code(row.text)} | {row.kind} |" for row in written]
    parts.append(
        _folded(
            f"What was assumed ({len(written)} values)",
            _fitting("| quantity | value | kind |\n| --- | --- | --- |", rows),
        )
    )
    return _ended(parts, projection, command)


def change_markdown(
    comparison: Comparison, before: Sequence[Provenance], after: Sequence[Provenance], command: str
) -> str:
    """Return the effect of a change from the first alternative to the second, as Markdown.

    Args:
        comparison: comparison of the scenario before with the scenario after the change.
        before: origins of the values before.
        after: origins of the values after.
        command: the command that reproduces the report.
    """
    old, new = comparison.projections
    against = comparison.against[0]
    parts = [f"### {plain(new.summary.scenario)}: effect of this change", _sentence(against)]
    parts.append(_differences(comparison, against))
    parts.append(
        "<sub>Both versions were run in the same worlds with common random numbers, so the difference is due to the "
        "change. Its 95 % interval is the precision of the mean difference over these runs; p10 to p90 is its range "
        "from run to run.</sub>"
    )
    parts += _limits(new.summary.limits, old.summary.limits)
    changes = changed_values(before, after)
    rows = [f"| {_code(name)} | {_value(a)} | {_value(b)} |" for name, a, b in changes]
    parts.append(_fitting("| changed | before | now |\n| --- | --- | --- |", rows[:_MOST_CHANGES], len(rows)))
    parts.append(
        _folded(
            "The new projection",
            f"{new.answer()}\n\n{table_markdown(projection_tables(new.summary)['spend'])}",
        )
    )
    parts += [f"> {plain(sentence(note))}" for note in new.notes]
    return _ended([part for part in parts if part], new, command)


def changed_values(
    before: Sequence[Provenance], after: Sequence[Provenance]
) -> list[tuple[str, str | None, str | None]]:
    """Return the values that differ: name, text before and text after; None where there is none."""
    old, new = ({row.name: row.text for row in rows} for rows in (before, after))
    names = [*old, *(name for name in new if name not in old)]
    return [(name, old.get(name), new.get(name)) for name in names if old.get(name) != new.get(name)]


def _value(text: str | None) -> str:
    return NOTHING if text is None else _code(text)


def _sentence(against: Against) -> str:
    if against.is_same:
        return "**The same in every simulated run**: this change affects neither cost nor yield."
    spend = next(found for outcome, found in against.differences.items() if outcome.name == "spend_usd")
    if spend.is_same:
        return "**Costs the same in every simulated run.**"
    if not spend.is_significant:
        more = "" if spend.needed is None else f"; about {spend.needed:,} replications would show one"
        return f"**No difference in cost is detectable** with {spend.replications:,} replications{more}."
    way = "more expensive" if spend.mean > 0 else "cheaper"
    low, high = sorted((abs(spend.low), abs(spend.high)))
    return f"**{usd(abs(spend.mean))} {way}** on average (95 %: {usd(low)} to {usd(high)})."


_SHOW: Final[dict[Unit, Callable[[float | None], str]]] = {
    Unit.USD: usd,
    Unit.HOURS: hours,
    Unit.COUNT: count,
    Unit.SCORE: lambda value: NOTHING if value is None else f"{value:.2f}",
    Unit.SHARE: lambda value: NOTHING if value is None else f"{value * 100:.1f} %",
}


def _signed(value: float, unit: Unit) -> str:
    if value != value:  # noqa: PLR0124  NaN
        return NOTHING
    shown = _SHOW[unit](abs(value))
    return shown if value == 0 else f"{'+' if value > 0 else '−'}{shown}"


def _differences(comparison: Comparison, against: Against) -> str:
    lines = [
        "| | before | now | difference | 95 % | p10 to p90 |",
        "| --- | ---: | ---: | ---: | --- | --- |",
    ]
    old, new = (projection.replications for projection in comparison.projections)
    for outcome, found in against.differences.items():
        show = _SHOW[outcome.unit]
        means = [
            float(
                (frame["transferable_true"] > 0).mean()
                if outcome.unit is Unit.SHARE
                else frame[outcome.column].mean()
            )
            for frame in (old, new)
        ]
        lines.append(f"| {outcome.label} | {show(means[0])} | {show(means[1])} | {_cells(outcome, found)} |")
    price = against.price_usd
    if price is not None:
        values = [
            _price(None if found is None else found.estimate)
            for projection in comparison.projections
            for found in (projection.price_of_result,)
        ]
        change = _end(price.estimate)
        span = f"{_end(price.low)} to {_end(price.high)}"
        lines.append(f"| cost per transferable result | {values[0]} | {values[1]} | {change} | {span} | |")
    return "\n".join(lines)


def _price(value: float | None) -> str:
    return "no result" if value is None else usd(value)


def _end(value: float | None) -> str:
    return "no end" if value is None or value != value else _signed(value, Unit.USD)  # noqa: PLR0124  NaN


def _cells(outcome: Outcome, found: Difference) -> str:
    if found.is_same:
        return "none | – | –"
    remark = "" if found.is_significant else " (not significant)"
    interval = f"{_signed(found.low, outcome.unit)} to {_signed(found.high, outcome.unit)}{remark}"
    spread = f"{_signed(found.p10, outcome.unit)} to {_signed(found.p90, outcome.unit)}"
    return f"**{_signed(found.mean, outcome.unit)}** | {interval} | {spread}"


def _limits(limits: Sequence[LimitCheck], before: Sequence[LimitCheck] = ()) -> Iterator[str]:
    """Yield the limits as a list, noting where the verdict has changed."""
    if not limits:
        return
    was = {limit.limit: limit.holds for limit in before}
    lines = []
    for limit in limits:
        mark, verdict = ("✅", "met") if limit.holds else ("❌", "not met")
        change = "" if was.get(limit.limit, limit.holds) == limit.holds else ", which is new"
        lines.append(f"- {mark} {_code(limit.limit)}: {verdict}{change}; it is {limit_value(limit)}")
    yield "\n".join(lines)


def table_markdown(table: Table) -> str:
    """Return a table as Markdown, with the title as the heading of the first column."""
    sides = ["---" if place in table.words else "---:" for place in range(len(table.columns))]
    head = [table.title, *table.columns[1:]]
    lines = [head, sides, *([plain(cell) for cell in row] for row in table.texts())]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _fitting(head: str, rows: Sequence[str], of: int | None = None) -> str:
    """Return a table with as many rows as there is room for; empty without rows."""
    if not rows:
        return ""
    room, kept = MOST_CHARACTERS // 2, []
    for row in rows:
        room -= len(row) + 1
        if room < 0:
            break
        kept.append(row)
    left = (of or len(rows)) - len(kept)
    more = f"\n\n… and {left:,} more" if left else ""
    return "\n".join([head, *kept]) + more


def _folded(title: str, content: str) -> str:
    return f"<details><summary>{title}</summary>\n\n{content}\n\n</details>" if content else ""


def _ended(parts: Sequence[str], projection: Projection, command: str) -> str:
    summary = projection.summary
    end = (
        f"<sub>simbudget {__version__}, {summary.replications:,} replications in {summary.worlds:,} worlds, seed "
        f"{summary.seed}: {_code(command)}</sub>"
    )
    return "\n\n".join([*(part for part in parts if part), end]) + "\n"
