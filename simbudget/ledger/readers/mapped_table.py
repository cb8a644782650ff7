"""Tables of no known format (CSV, TSV, JSON lines), whose columns the user names: `--columns started=ts,input=in`.

Left stands the ledger's column, or a short name for it, right the table's. A duration's name may carry its unit,
`duration_ms=latency`. What is no column of the table is a constant: `kind=experiment`, `model=claude-opus-4-6`.
"""

import difflib
from collections.abc import Mapping
from typing import Any, Final

from simbudget.errors import Problem, UserError, argument, visible
from simbudget.ledger.entry import FLEET, Entry
from simbudget.ledger.readers.files import LogFile
from simbudget.ledger.readers.format import Format
from simbudget.ledger.readers.gathering import Gathering, RunInMaking
from simbudget.ledger.readers.rows import json_rows, table_rows
from simbudget.ledger.readers.values import (
    NOT_KNOWN,
    JsonObject,
    duration_s,
    is_known,
    moment,
    number,
    text,
)
from simbudget.pricing.charge import COUNTS

_COUNTS: Final = {
    **{name.removeprefix("uncached_"): f"{name}_tokens" for name in COUNTS},
    "context": "context_tokens",
    "calls": "calls",
    "gpus": "gpus",
}
_TEXTS: Final = ("run", "task", "agent", "kind", "model", "status", "outcome", "name", "parent", "kept")
_UNITS: Final = {"": 1.0, "_s": 1.0, "_ms": 1e-3, "_min": 60.0, "_h": 3600.0}
_DURATIONS: Final = {
    f"{what}{unit}": size for unit, size in _UNITS.items() for what in ("duration", "queued")
}
_NAMES: Final = {*_COUNTS, *_COUNTS.values(), *_TEXTS, *_DURATIONS, "started", "ended", "cost", "score"}
_KINDS: Final = ("call", "calls", "compaction", "tool", "experiment", "score", "wait", "down", "post", "poll")
_TOKEN_KINDS: Final = {"call", "calls", "compaction", "post", "poll"}
_YES: Final = {"1", "true", "yes", "keep", "kept"}
_MOST: Final = 10**12
_COLUMNS_NAMED: Final = 20
"""Columns that a message lists; tables of trackers have hundreds."""


def mapped_format(columns: Mapping[str, str]) -> Format:
    """Return the format of a table whose columns are named.

    Raises:
        UserError: a name is none of the ledger's, or a kind is none.
    """
    columns = {name.removesuffix("_usd"): source for name, source in columns.items()}
    problems = [_unknown(name) for name in columns if name not in _NAMES]
    if problems:
        raise UserError(*problems)
    mapped = _Mapped(columns)
    return Format("table", "table with named columns", mapped.recognises, mapped.read)


def _unknown(name: str) -> Problem:
    near = difflib.get_close_matches(name, _NAMES, 3) or sorted(_NAMES)
    return Problem(
        f"{argument('columns')}: {name!r} is not a column of a ledger",
        remedy=f"write one of {', '.join(near)}",
    )


def _no_column(file: LogFile, name: str, column: str) -> Problem:
    there = list(dict.fromkeys([*file.header, *(key for line in file.objects[:100] for key in line)]))
    near = difflib.get_close_matches(column, there, 3, 0.5) or there[:_COLUMNS_NAMED]
    remedy = f"write one of {', '.join(map(visible, near))}, or leave {name!r} out"
    return Problem(
        f"{argument('columns')} {name}={column}: {visible(file.path.name)} has no such column", remedy=remedy
    )


class _Mapped:
    """A table whose columns are named."""

    def __init__(self, columns: Mapping[str, str]) -> None:
        self._columns = columns

    def recognises(self, file: LogFile) -> bool:
        return len(self._named(file)) > 0

    def read(self, file: LogFile, gathering: Gathering) -> None:
        named = self._named(file)
        constants = {name: value for name, value in self._columns.items() if name not in named}
        kind = constants.get("kind", "call")
        if kind not in _KINDS:
            remedy = f"name a column of the table, or one of {', '.join(_KINDS)}"
            raise UserError(
                Problem(f"{argument('columns')}: {kind!r} is neither a column nor a kind", remedy=remedy)
            )
        for name, value in constants.items():
            if name not in _TEXTS and not (is_known(number(value)) or is_known(moment(value))):
                raise UserError(_no_column(file, name, value))
        rows = json_rows(file, gathering) if file.objects else table_rows(file, gathering)
        for line, row in rows:
            values = {**constants, **{name: row.get(source) for name, source in named.items()}}
            task = text(values.get("task"))
            name = text(values.get("run")) or task
            run = gathering.run(f"table {file.path} {name}", "table", file.path, name or file.path.name)
            run.task = run.task or task
            _add(gathering, run, values, line)

    def _named(self, file: LogFile) -> dict[str, str]:
        """Return which names stand for columns that the file has."""
        known = set(file.header) | {name for line in file.objects[:100] for name in line}
        return {name: source for name, source in self._columns.items() if source in known}


def _add(gathering: Gathering, run: RunInMaking, values: JsonObject, line: int) -> None:
    kind = text(values.get("kind")) or "call"
    if kind not in _KINDS:
        run.odd[f"kinds that a ledger does not have, such as {kind!r} in line {line:,}, taken as calls"] += 1
        kind = "call"
    agent = run.agent(text(values.get("agent"))) if values.get("agent") != str(FLEET) else FLEET
    started_s, lasted_s = _times(values)
    is_paid = kind in _TOKEN_KINDS
    cost_usd = run.dollars(values.get("cost"))
    component = "tokens" if is_paid else "gpu" if kind == "experiment" else ""
    turn = run.last_turns[agent] if kind == "call" else -1
    run.last_turns[agent] += kind == "call"
    gathering.add(
        Entry(
            run.number,
            agent,
            -1,
            0,
            turn,
            kind,
            started_s,
            lasted_s,
            _duration(values, "queued", 0.0),
            component=component,
            cost_usd=NOT_KNOWN if component and not is_known(cost_usd) else cost_usd if component else 0.0,
            reported_cost_usd=cost_usd,
            score=number(values.get("score")),
            source="table",
            outcome=text(values.get("outcome")) or "ok",
            kept=text(values["kept"]).lower() in _YES if values.get("kept") is not None else None,
            **_words(values),
            **_counts(run, values, is_paid=is_paid),
        )
    )


def _words(values: JsonObject) -> dict[str, Any]:
    return {name: text(values.get(name)) for name in ("model", "status", "name", "parent")}


def _counts(run: RunInMaking, values: JsonObject, *, is_paid: bool) -> dict[str, Any]:
    """Return the counts by the ledger's names; of a call none is known that has no column."""
    found: dict[str, Any] = {}
    for short, name in _COUNTS.items():
        value = values.get(short, values.get(name))
        if value not in (None, ""):
            found[name] = run.count(value, _MOST)
        elif is_paid and name not in ("gpus", "calls"):
            found[name] = None
    return found


def _times(values: JsonObject) -> tuple[float, float]:
    started_s, ended_s = moment(values.get("started")), moment(values.get("ended"))
    lasted_s = _duration(values, "duration", NOT_KNOWN)
    if not is_known(lasted_s) and ended_s >= started_s:
        lasted_s = ended_s - started_s
    if not is_known(started_s):
        started_s = ended_s - lasted_s if is_known(lasted_s) else ended_s
    return started_s, lasted_s


def _duration(values: JsonObject, what: str, otherwise: float) -> float:
    for name, unit_s in _DURATIONS.items():
        if name.startswith(what) and values.get(name) not in (None, ""):
            return duration_s(values[name], unit_s)
    return otherwise
