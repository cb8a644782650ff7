"""The result of reading logs: the answer in a line, tables by format, and the JSON of `simbudget import`."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from simbudget.ledger.imported import NOTHING_ASSUMED, Assumed, Ledger
from simbudget.ledger.readers import stream_logs
from simbudget.ledger.readers.places import Place, usual_places
from simbudget.ledger.summary import Figures, summarise
from simbudget.numbers import NOTHING, count, hours, usd_exactly
from simbudget.pricing.charge import COUNTS, TOKEN_CLASSES
from simbudget.results import Cell, Number, Result, Table

_WORK = {
    "runs": "runs",
    "agents": "agents",
    "calls": "model calls",
    "failed_calls": "failed calls",
    "compactions": "compactions",
    "tool_uses": "tool uses",
    "experiments": "experiments",
    "failed_experiments": "  failed",
    "kept_experiments": "  kept",
    "repeated": "duplicates",
}
_WORDS = {"cache_write": "cache writes", "cache_write_1h": "  for an hour", "cache_read": "cache reads"}
_TOKENS = {
    name: _WORDS.get(name, "  " * (name not in TOKEN_CLASSES) + name.replace("_", " ")) for name in COUNTS
}
_HOURS = {
    "clock": "elapsed",
    "model": "  model calls",
    "tool": "  tools",
    "experiment": "  experiments",
    "score": "  scoring",
    "waiting_for_people": "  waiting for people",
}


@dataclass(frozen=True, eq=False)
class Found(Result):
    """The content of logs of real runs, with the ledger that was read from them."""

    ledger: Ledger
    places: tuple[Place, ...] = ()
    """The places that were searched, if none were given."""

    json_name = "found.json"

    @cached_property
    def summary(self) -> Figures:
        """Return the figures, in total and by format; see `ledger.summary`."""
        return summarise(self.ledger)

    def answer(self) -> str:
        """Return the result in one line."""
        return _answer(self.summary)

    def as_json(self) -> Figures:
        """Return every figure; None if unknown."""
        return self.summary

    def tables(self) -> list[Table]:
        """Return tables of contents by format, tokens, cost, hours, oddities, and what could not be read."""
        places = [_places_table(self.places)] if self.places else []
        return [*places, *_tables(self.summary)]


def find(
    logs: Sequence[Path],
    columns: Mapping[str, str] | None = None,
    begins: Callable[[Path], None] = lambda _: None,
    assumed: Assumed = NOTHING_ASSUMED,
) -> Found:
    """Read logs, by default those in the places where tools keep them; see `readers.stream_logs`."""
    places = () if logs else tuple(usual_places())
    paths = logs or [place.path for place in places if place.files]
    return Found(stream_logs(paths, columns, begins, assumed), places)


def _answer(figures: Figures) -> str:
    """Return the result in one line."""
    cost = figures["cost"]
    parts = [_many(figures["runs"], "run"), _many(figures["calls"], "model call")]
    if figures["experiments"]:
        parts.append(_many(figures["experiments"], "experiment"))
    if figures["calls"]:
        at_least = "at least " if cost["counted_is_lower_bound"] else ""
        counted = f"{at_least}{usd_exactly(cost['counted_usd'])}"
        some = cost["runs_counted"] < figures["runs"]
        parts.append(f"{counted} in {cost['runs_counted']:,} of the runs" if some else counted)
    line = f"Found {', '.join(parts)}"
    unread = figures["unread_lines"]
    return f"{line}; {unread:,} lines or files could not be read." if unread else f"{line}."


def _many(number: int, thing: str) -> str:
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"


def _tables(figures: Figures) -> Iterator[Table]:
    yield _by_source(figures, "What was found", _WORK, "", _whole)
    if figures["calls"]:
        yield _tokens(figures)
    times = _by_source(figures, "Hours", _HOURS, "hours", hours)
    if times.rows:
        yield times
    if figures["calls"]:
        yield _costs(figures)
        yield from _apart(figures["apart"])
    if figures["gaps"]["count"]:
        yield _gaps(figures["gaps"])
    if figures["not_known"] or figures["oddities"]:
        yield _notes(figures)
    if figures["unread"]:
        yield _unread(figures["unread"])


def _places_table(places: Iterable[Place]) -> Table:
    """Return the table of places that were searched, with their number of files."""
    rows = [
        (place.tool, str(place.path), Number(f"{place.files:,}" if place.files else NOTHING, place.files))
        for place in places
    ]
    return Table("Where tools keep their logs", ("tool", "folder", "files"), rows, words=(0, 1))


def _by_source(
    figures: Figures, title: str, names: Mapping[str, str], within: str, show: Callable[[Any], str]
) -> Table:
    """Return a table with a column per format, and one for the total if there are several."""
    sources: list[tuple[Figures, str]] = [
        (source, f"sources.{number}.") for number, source in enumerate(figures["sources"])
    ]
    columns = [*sources, ({**figures, "source": "all"}, "")] if len(sources) > 1 else sources
    rows: list[tuple[Cell, ...]] = []
    for key, name in names.items():
        values = [(column[within] if within else column)[key] for column, _ in columns]
        if any(values):
            inner = f"{within}.{key}" if within else key
            cells = (
                Number(show(value) if value else NOTHING, value, f"{path}{inner}")
                for value, (_, path) in zip(values, columns, strict=True)
            )
            rows.append((name, *cells))
    sides = "", *(column["source"] for column, _ in columns)
    if len(columns) <= _MOST_COLUMNS:
        return Table(title, sides, rows)
    turned = list(zip(sides[1:], *(row[1:] for row in rows), strict=True)) if rows else []
    return Table(title, ("log", *(str(row[0]).strip() for row in rows)), turned)


_MOST_COLUMNS = 4
"""Maximum number of formats side by side; more become rows, as a terminal is longer than it is wide."""


def _whole(value: float) -> str:
    return f"{value:,}" if value < _MILLION else count(value)


_MILLION = 1e6
"""Counts from here on are abbreviated, as in `1.2 M`."""


def _tokens(figures: Figures) -> Table:
    table = _by_source(figures, "Tokens", _TOKENS, "tokens", count)
    unknown = {_TOKENS[name]: many for name, many in figures["tokens_not_known_of_calls"].items() if many}
    if not unknown:
        return table
    listed = "; ".join(f"{name} of {many:,}" for name, many in unknown.items())
    return replace(table, caption=f"Unknown, and not included: calls' {listed}")


def _costs(figures: Figures) -> Table:
    cost, comparisons = figures["cost"], figures["cost_comparisons"]
    notes = list(dict.fromkeys(row["explanation"] for row in comparisons))
    unknown = dict.fromkeys(
        f"Included in neither: {row['cannot_know']}" for row in comparisons if row["cannot_know"]
    )
    rows: list[tuple[Cell, ...]] = []
    for number, row in enumerate(comparisons):
        path = f"cost_comparisons.{number}."
        rows.append(
            (
                row["source"],
                row["model"] or NOTHING,
                Number(f"{row['entries']:,}", row["entries"], f"{path}entries"),
                Number(
                    f"{row['compared']:,}" if row["compared"] else NOTHING, row["compared"], f"{path}compared"
                ),
                _money(row["reported_usd"], f"{path}reported_usd"),
                _money(row["list_usd"], f"{path}list_usd"),
                str(notes.index(row["explanation"]) + 1),
            )
        )
    total = (
        _money(cost["reported_usd"], "cost.reported_usd"),
        _money(cost["by_list_usd"], "cost.by_list_usd"),
    )
    rows.append(("all", "", "", "", *total, ""))
    return Table(
        "Cost: as reported, and by the price list of the day",
        ("log", "model", "entries", "compared", "reported", "by the list", "note"),
        rows,
        caption="\n".join([*(f"{number}: {note}" for number, note in enumerate(notes, 1)), *unknown]),
        words=(0, 1),
        rules=(len(rows) - 1,),
    )


def _apart(apart: Figures) -> Iterator[Table]:
    """Yield a table of charges other than for plain tokens at the standard service, if there are any."""
    rows: list[tuple[Cell, ...]] = []
    for number, row in enumerate(apart["services"]):
        place = f", inference in {row['inference_geo']}" if row["inference_geo"] else ""
        path = f"apart.services.{number}."
        entries = Number(f"{row['entries']:,}", row["entries"], f"{path}entries")
        rows.append((f"{row['service']} service{place}", entries, _money(row["cost_usd"], f"{path}cost_usd")))
    if apart["web_searches"]:
        searches = Number(f"{apart['web_searches']:,}", apart["web_searches"], "apart.web_searches")
        rows.append(("web searches", searches, _money(apart["web_searches_usd"], "apart.web_searches_usd")))
    if rows:
        title = "Of which for other services, places or searches"
        yield Table(title, ("", "entries", "cost"), rows)


def _money(value: float | None, path: str) -> Number:
    return Number(NOTHING if value is None else usd_exactly(value), value, path)


def _gaps(gaps: Figures) -> Table:
    title = f"{gaps['count']:,} gaps of more than {hours(gaps['longer_than_hours'])}, {hours(gaps['hours'])} in total"
    rows = [
        (
            gap["run"],
            Number(hours(gap["after_hours"]), gap["after_hours"], f"gaps.longest.{number}.after_hours"),
            Number(hours(gap["hours"]), gap["hours"], f"gaps.longest.{number}.hours"),
        )
        for number, gap in enumerate(gaps["longest"])
    ]
    return Table(title, ("run", "begins after", "lasts"), rows)


def _notes(figures: Figures) -> Table:
    rows = [
        (note, Number(f"{runs:,}", runs))
        for notes in (figures["not_known"], figures["oddities"])
        for note, runs in notes.items()
    ]
    return Table("Missing or odd in the logs", ("remark", "runs"), rows)


def _unread(unread: list[Figures], most: int = 40) -> Table:
    grouped = list(_grouped(unread))
    rows: list[tuple[Cell, ...]] = [
        (
            row["path"],
            f"{row['line']:,}" if row["line"] else NOTHING,
            row["why"],
            Number(f"{row['count']:,}", row["count"]),
        )
        for row in grouped[:most]
    ]
    if len(grouped) > most:
        rows.append((f"… and {len(grouped) - most:,} more", "", "", ""))
    columns = ("file", "first line", "why", "count")
    return Table("What could not be read", columns, rows, words=(0, 1, 2))


def _grouped(unread: list[Figures], named: int = 5) -> Iterator[Figures]:
    """Yield what could not be read, combining many whole files of a folder with the same reason into one row."""
    folders: dict[tuple[str, str], list[Figures]] = {}
    for row in unread:
        folder = str(Path(row["path"]).parent)
        folders.setdefault((folder, row["why"] if row["line"] == 0 else row["path"]), []).append(row)
    for (folder, _), rows in folders.items():
        if len(rows) <= named or rows[0]["line"]:
            yield from rows
            continue
        names = ", ".join(Path(row["path"]).name for row in rows[:named])
        path = f"{folder}: {names} and {len(rows) - named:,} more"
        yield {"path": path, "line": 0, "why": rows[0]["why"], "count": sum(row["count"] for row in rows)}
