"""What logs hold: runs, calls, tokens by class, cost, hours, gaps, and what is unknown.

`summarise` adds up a ledger; `Found` is the result of reading logs, with the answer in a line, tables by format, and
the JSON of `simbudget import`.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from simbudget.ledger.cost_check import CostCheck
from simbudget.ledger.costs import counted_usd, is_counted
from simbudget.ledger.imported import NOTHING_ASSUMED, Assumed, Ledger
from simbudget.ledger.readers import stream_logs
from simbudget.ledger.readers.places import Place, usual_places
from simbudget.numbers import NOTHING, count, hours, usd_exactly
from simbudget.pricing.charge import COUNTS, TOKEN_CLASSES
from simbudget.results import Cell, Number, Result, Table

Figures = dict[str, Any]
"""Figures by name, as plain values for JSON."""


@dataclass(frozen=True, eq=False)
class Found(Result):
    """The content of logs of real runs, with the ledger that was read from them."""

    ledger: Ledger
    places: tuple[Place, ...] = ()
    """The places that were searched, if none were given."""

    json_name = "found.json"

    @cached_property
    def summary(self) -> Figures:
        """Return the figures, in total and by format."""
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
    """Read logs, by default those in the places where tools keep them; see `readers.stream_logs`.

    Args:
        logs: files, or folders to search for them; empty for the places where tools keep their logs.
        columns: for tables of unknown formats, the column of the table by the ledger's name.
        begins: called with each file before it is read.
        assumed: model and date of calls whose logs lack them.

    Raises:
        UserError: a path does not exist, no file is a log, or `columns` names what a ledger does not have.
    """
    places = () if logs else tuple(usual_places())
    paths = logs or [place.path for place in places if place.files]
    return Found(stream_logs(paths, columns, begins, assumed), places)


# Figures.

_LONG_GAP_H: Final = 1.0
"""Length from which a stretch without entries counts as a gap, in hours: longer than nearly all calls and tools."""
_SHOWN_GAPS: Final = 5
"""Number of gaps listed."""

_CALL_KINDS: Final = ("call", "calls", "compaction", "post", "poll")
_HOURS_OF: Final = {
    "model": _CALL_KINDS,
    "tool": ("tool",),
    "experiment": ("experiment",),
    "score": ("score",),
    "waiting_for_people": ("wait",),
}
_EVENTS: Final = (
    "calls",
    "failed_calls",
    "compactions",
    "tool_uses",
    "experiments",
    "failed_experiments",
    "kept_experiments",
)


def summarise(ledger: Ledger) -> Figures:
    """Return the figures of a ledger, in total and by format, as plain values for JSON (None if unknown).

    Args:
        ledger: the ledger, whose entries are read once, in batches.
    """
    runs, gaps, costs = ledger.runs, _Gaps(), CostCheck(ledger.runs)
    tallies = []
    for entries in ledger.batches():
        tallies.append(_tally(entries))
        gaps.add(entries)
        costs.add(entries)
    by_run = pd.concat(tallies).groupby(level=0).sum().reindex(runs["run"], fill_value=0)
    sources = [
        {"source": str(source), **_figures(by_run.loc[of_source["run"]], of_source)}
        for source, of_source in runs.groupby("source", observed=True)
    ]
    return {
        **_figures(by_run, runs),
        "sources": sources,
        "apart": costs.apart.figures(),
        "cost_comparisons": [_plain(asdict(each)) for each in costs.comparisons()],
        "gaps": gaps.figures(runs),
        "not_known": _runs_by_note(runs["not_known"]),
        "oddities": _runs_by_note(runs["oddities"]),
        "unread": [asdict(each) for each in ledger.unread],
        "unread_lines": sum(each.count for each in ledger.unread),
    }


def _tally(entries: pd.DataFrame) -> pd.DataFrame:
    """Return the contributions of entries to the figures of their runs, one row per run, additive over batches."""
    kind = entries["kind"].astype(object)
    is_call, is_failed = kind == "call", entries["outcome"] == "failed"
    is_experiment, is_paid = kind == "experiment", entries["component"] == "tokens"
    work = is_paid & kind.isin(_CALL_KINDS)
    columns: dict[str, Any] = {
        "calls": (is_call & ~is_failed) + entries["calls"].where(kind == "calls").fillna(0).astype("int64"),
        "failed_calls": is_call & is_failed,
        "compactions": kind == "compaction",
        "tool_uses": kind == "tool",
        "experiments": is_experiment,
        "failed_experiments": is_experiment & is_failed,
        "kept_experiments": is_experiment & entries["kept"].fillna(False),
        **{f"tokens {name}": entries[f"{name}_tokens"].fillna(0) for name in COUNTS},
        **{f"not known {name}": work & entries[f"{name}_tokens"].isna() for name in TOKEN_CLASSES},
        **{f"{what}_s": entries["duration_s"].where(kind.isin(kinds)) for what, kinds in _HOURS_OF.items()},
        "without_cost": is_paid & entries["cost_usd"].isna(),
    }
    for name in ("reported_cost_usd", "list_cost_usd", "cost_usd"):
        paid = entries[name].where(is_paid)
        columns |= {name: paid, f"{name} known": paid.notna()}
    counts = is_counted(entries)
    columns |= {
        "counted_usd": counted_usd(entries).where(counts),
        "counted": counts,
        "lower_bounds": counts & entries["cost_usd"].isna(),
    }
    columns["without_price"] = is_paid & entries["list_cost_usd"].isna()
    return pd.DataFrame(columns).astype(_ADDED).groupby(entries["run"]).sum()


_ADDED: Final = {
    **dict.fromkeys(_EVENTS, "int64"),
    **{f"tokens {name}": "int64" for name in COUNTS},
    **{f"not known {name}": "int64" for name in TOKEN_CLASSES},
    **{f"{what}_s": "float64" for what in _HOURS_OF},
    **dict.fromkeys(("without_cost", "without_price", "counted", "lower_bounds"), "int64"),
    **dict.fromkeys(("reported_cost_usd", "list_cost_usd", "cost_usd", "counted_usd"), "float64"),
    **{f"{name} known": "int64" for name in ("reported_cost_usd", "list_cost_usd", "cost_usd")},
}
"""Types of the additive contributions."""


def _figures(by_run: pd.DataFrame, runs: pd.DataFrame) -> Figures:
    """Return the combined figures of runs from those of each run."""
    total = by_run.sum()
    return _plain(
        {
            "runs": len(runs),
            "agents": int(runs["agents"].sum()),
            "began_at": _iso(runs["began_at"].min()),
            "ended_at": _iso(runs["ended_at"].max()),
            **{name: int(by_run[name].sum()) for name in _EVENTS},
            "repeated": int(runs["repeated"].sum()),
            "tokens": {name: int(by_run[f"tokens {name}"].sum()) for name in COUNTS},
            "tokens_not_known_of_calls": {name: int(total[f"not known {name}"]) for name in TOKEN_CLASSES},
            "cost": _cost(by_run, runs),
            "hours": _hours(by_run, runs),
        }
    )


def _cost(by_run: pd.DataFrame, runs: pd.DataFrame) -> Figures:
    """Return the cost as reported, by the list, as entered in the ledger, and as `usage` counts it."""
    of_entries = by_run["reported_cost_usd"].where(by_run["reported_cost_usd known"] > 0).to_numpy()
    of_runs = np.where(np.isnan(of_entries), runs["reported_cost_usd"].to_numpy(), of_entries)
    return {
        "reported_usd": float(np.nansum(of_runs)) if np.isfinite(of_runs).any() else None,
        "runs_that_report": int(np.isfinite(of_runs).sum()),
        "by_list_usd": float(by_run["list_cost_usd"].sum()) if by_run["list_cost_usd known"].any() else None,
        "ledger_usd": float(by_run["cost_usd"].sum()),
        "counted_usd": float(by_run["counted_usd"].sum()),
        "counted_is_lower_bound": bool(by_run["lower_bounds"].any()),
        "runs_counted": int((by_run["counted"] > 0).sum()),
        "entries_without_cost": int(by_run["without_cost"].sum()),
        "entries_without_price": int(by_run["without_price"].sum()),
    }


def _hours(by_run: pd.DataFrame, runs: pd.DataFrame) -> Figures:
    """Return elapsed hours of the runs, and hours of agents by activity."""
    clock = (runs["ended_at"] - runs["began_at"]).dt.total_seconds()
    return {
        "clock": float(clock.sum() / 3600),
        **{what: float(by_run[f"{what}_s"].sum() / 3600) for what in _HOURS_OF},
    }


def _runs_by_note(column: pd.Series) -> dict[str, int]:
    """Return the number of runs with each note, ignoring the numbers in notes."""
    counts: Counter[str] = Counter()
    for notes in column[column != ""]:
        for note in str(notes).split("; "):
            words = [word for word in note.split() if not any(letter.isdigit() for letter in word)]
            counts[" ".join(words).replace(" of of calls", "").replace(" times)", "")] += 1
    return dict(counts.most_common())


def _iso(moment: Any) -> str | None:
    return None if pd.isna(moment) else str(moment.isoformat())


def _plain(figures: Figures) -> Figures:
    """Replace NaN by None, as JSON has no NaN."""
    return {
        name: None if isinstance(value, float) and math.isnan(value) else value
        for name, value in figures.items()
    }


class _Gaps:
    """The gaps of a ledger whose entries arrive in order, in batches: long stretches in which nothing was recorded."""

    def __init__(self) -> None:
        self._long: list[pd.DataFrame] = []
        self._before: pd.DataFrame | None = None
        """The last entry so far, with the latest end of its run's entries."""

    def add(self, entries: pd.DataFrame) -> None:
        """Look for gaps before each of the next entries."""
        timed = entries.loc[entries["started_s"].notna(), ["run", "started_s", "duration_s"]]
        timed = timed.assign(ended_s=timed["started_s"] + timed.pop("duration_s").fillna(0.0))
        if self._before is not None:
            timed = pd.concat([self._before, timed], ignore_index=True)
        timed["ended_s"] = timed.groupby("run")["ended_s"].cummax()
        before_s = timed.groupby("run")["ended_s"].shift()
        lasts_h = (timed["started_s"] - before_s) / 3600
        gaps = pd.DataFrame({"run": timed["run"], "after_h": before_s / 3600, "lasts_h": lasts_h})
        self._long.append(gaps[lasts_h > _LONG_GAP_H])
        self._before = timed.tail(1)

    def figures(self, runs: pd.DataFrame) -> dict[str, Any]:
        """Return the number and total duration of gaps, and the longest ones."""
        long = pd.concat(self._long).sort_values("lasts_h", ascending=False)
        names = dict(zip(runs["run"], runs["name"], strict=True))
        longest = long.head(_SHOWN_GAPS).itertuples(index=False)
        return {
            "longer_than_hours": _LONG_GAP_H,
            "count": len(long),
            "hours": float(long["lasts_h"].sum()),
            "longest": [
                {"run": names[gap.run], "after_hours": gap.after_h, "hours": gap.lasts_h} for gap in longest
            ],
        }


# Tables.

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
