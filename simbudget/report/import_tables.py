"""What was found in logs, as one line and as tables that fit a terminal."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from simbudget.ledger.readers.places import Place
from simbudget.numbers import NOTHING, count, hours, usd_exactly

Figures = dict[str, Any]

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
    "repeated": "left out: told twice",
}
_TOKENS = {
    "uncached_input": "uncached input",
    "cache_write": "cache writes",
    "cache_write_1h": "  for an hour",
    "cache_read": "cache reads",
    "output": "output",
    "thinking": "  thinking",
}
_HOURS = {
    "clock": "on the clock",
    "model": "  model calls",
    "tool": "  tools",
    "experiment": "  experiments",
    "score": "  scoring",
    "waiting_for_people": "  waiting for people",
}


def found(figures: Figures) -> str:
    """Return the answer in one line."""
    cost = figures["cost"]
    parts = [_many(figures["runs"], "run"), _many(figures["calls"], "model call")]
    if figures["experiments"]:
        parts.append(_many(figures["experiments"], "experiment"))
    if figures["calls"]:
        at_least = "at least " if cost["entries_without_cost"] else ""
        known = max(cost["ledger_usd"], cost["by_list_usd"] or 0.0) if at_least else cost["ledger_usd"]
        parts.append(f"{at_least}{usd_exactly(known)}")
    line = f"Found {', '.join(parts)}"
    unread = figures["unread_lines"]
    return f"{line}; {unread:,} lines or files could not be read." if unread else f"{line}."


def _many(number: int, thing: str) -> str:
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"


def import_tables(figures: Figures) -> Iterator[Table]:
    """Yield the tables: what was found by format, tokens, cost, hours, what was odd, what could not be read."""
    yield _by_source(figures, "What was found", _WORK, "", _whole)
    if figures["calls"]:
        yield _tokens(figures)
    times = _by_source(figures, "Hours", _HOURS, "hours", hours)
    if times.row_count:
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


def places_table(places: Iterable[Place]) -> Table:
    """Return where logs were looked for, and how many files there are."""
    table = _table("Where tools keep their logs", "tool", "folder")
    table.columns[0].no_wrap = True
    table.columns[1].overflow = "fold"
    table.add_column("files", justify="right")
    for place in places:
        table.add_row(place.tool, str(place.path), f"{place.files:,}" if place.files else NOTHING)
    return table


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _columns(figures: Figures) -> list[Figures]:
    """Return what has a column: each format, and all together if there are several."""
    sources: list[Figures] = figures["sources"]
    return [*sources, {**figures, "source": "all"}] if len(sources) > 1 else sources


def _by_source(figures: Figures, title: str, rows: dict[str, str], within: str, show: Any) -> Table:
    table = _table(title, "what")
    columns = _columns(figures)
    for column in columns:
        table.add_column(column["source"], justify="right", overflow="fold")
    for key, name in rows.items():
        values = [(column[within] if within else column)[key] for column in columns]
        if any(values):
            table.add_row(name, *(show(value) if value else NOTHING for value in values))
    return table


def _whole(value: float) -> str:
    return f"{value:,}" if value < 1e6 else count(value)


def _tokens(figures: Figures) -> Table:
    table = _by_source(figures, "Tokens", _TOKENS, "tokens", count)
    unknown = {_TOKENS[name]: many for name, many in figures["tokens_not_known_of_calls"].items() if many}
    if unknown:
        listed = "; ".join(f"{name} of {many:,}" for name, many in unknown.items())
        table.caption = f"Not known, and not in these sums: calls' {listed}"
        table.caption_justify = "left"
    return table


def _costs(figures: Figures) -> Table:
    cost, rows = figures["cost"], figures["cost_comparisons"]
    table = _table("Cost: as reported, and by the price list of the day", "log", "model")
    for column in ("entries", "compared", "reported", "by the list", "note"):
        table.add_column(column, justify="right", no_wrap=True)
    notes = list(dict.fromkeys(row["explanation"] for row in rows))
    unknown = dict.fromkeys(f"Not in either: {row['cannot_know']}" for row in rows if row["cannot_know"])
    for row in rows:
        money = (_money(row["reported_usd"]), _money(row["list_usd"]))
        note = str(notes.index(row["explanation"]) + 1)
        entries = (f"{row['entries']:,}", f"{row['compared']:,}" if row["compared"] else NOTHING)
        table.add_row(row["source"], row["model"] or NOTHING, *entries, *money, note)
    table.add_section()
    table.add_row("all", "", "", "", _money(cost["reported_usd"]), _money(cost["by_list_usd"]), "")
    numbered = (f"{number}: {note}" for number, note in enumerate(notes, 1))
    table.caption = "\n".join([*numbered, *unknown])
    table.caption_justify = "left"
    return table


def _apart(apart: Figures) -> Iterator[Table]:
    """Yield what was paid for beside plain tokens by the standard service, if anything was."""
    if not apart["services"] and not apart["web_searches"]:
        return
    table = _table("Of this, by other services, elsewhere, or for searches", "what")
    for column in ("entries", "cost"):
        table.add_column(column, justify="right", no_wrap=True)
    for row in apart["services"]:
        place = f", inference in {row['inference_geo']}" if row["inference_geo"] else ""
        table.add_row(f"{row['service']} service{place}", f"{row['entries']:,}", _money(row["cost_usd"]))
    if apart["web_searches"]:
        searches = f"{apart['web_searches']:,}"
        table.add_row("web searches", searches, _money(apart["web_searches_usd"]))
    yield table


def _money(value: float | None) -> str:
    return NOTHING if value is None else usd_exactly(value)


def _gaps(gaps: Figures) -> Table:
    title = f"{gaps['count']:,} gaps of more than {hours(gaps['longer_than_hours'])}, {hours(gaps['hours'])} in all"
    table = _table(title, "run")
    for column in ("begins after", "lasts"):
        table.add_column(column, justify="right", no_wrap=True)
    for gap in gaps["longest"]:
        table.add_row(gap["run"], hours(gap["after_hours"]), hours(gap["hours"]))
    return table


def _notes(figures: Figures) -> Table:
    table = _table("What the logs do not say, and what is odd in them", "what")
    table.add_column("runs", justify="right")
    for notes in (figures["not_known"], figures["oddities"]):
        for note, runs in notes.items():
            table.add_row(note, f"{runs:,}")
    return table


def _unread(unread: list[Figures], most: int = 40) -> Table:
    table = _table("What could not be read", "file", "first line", "why")
    table.add_column("count", justify="right")
    rows = list(_grouped(unread))
    for row in rows[:most]:
        table.add_row(
            row["path"], f"{row['line']:,}" if row["line"] else NOTHING, row["why"], f"{row['count']:,}"
        )
    if len(rows) > most:
        table.add_row(f"… and {len(rows) - most:,} more", "", "", "")
    return table


def _grouped(unread: list[Figures], named: int = 5) -> Iterator[Figures]:
    """Yield what could not be read; many whole files of one folder, unread for one reason, as one row with names."""
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
