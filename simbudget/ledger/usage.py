"""Usage: tokens and cost of logs by day, week, month, project, model, session, agent or task.

    usage([Path("~/.claude/projects").expanduser()], by="month").answer()

Days are in UTC, and a call counts for the day on which it began. Costs are those reported in logs, or else those of the
price list of the day. If a count is unknown, the cost is a lower bound and marked as such.
"""

import datetime
import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, get_args

import numpy as np
import pandas as pd

from simbudget.errors import Problem, UserError, argument
from simbudget.ledger.costs import counted_usd, days_of, is_counted
from simbudget.ledger.frame import TOKEN_COLUMNS
from simbudget.ledger.imported import Ledger
from simbudget.ledger.readers import NOTHING_ASSUMED, Assumed, stream_logs
from simbudget.ledger.readers.places import usual_places
from simbudget.numbers import NOTHING, count, usd_exactly
from simbudget.pricing.charge import PROMPT_CLASSES, TOKEN_CLASSES
from simbudget.results import Cell, Number, Result, Table, as_plain

By = Literal["day", "week", "month", "project", "model", "session", "agent", "task"]
BY: Final[tuple[str, ...]] = get_args(By)
"""Possible groupings of usage."""

_TOKENS: Final = dict(zip(TOKEN_CLASSES, TOKEN_COLUMNS, strict=True))
_WORDS: Final = {"uncached_input": "input", "cache_write": "written", "cache_read": "cached"}
_HEADINGS: Final = [_WORDS.get(name, name.replace("_", " ")) for name in TOKEN_CLASSES]
_SUMS: Final = ("calls", *_TOKENS, "total_tokens", "cost_usd")
_MOST_ROWS: Final = 60
"""Maximum number of rows shown; JSON and CSV contain all."""
_UNDATED: Final = "no date"
_NOT_NAMED: Final = "not named"
_MODELS_SHOWN: Final = 2


@dataclass(frozen=True)
class UsageReport(Result):
    """Usage grouped by one property and by model."""

    by: By
    rows: pd.DataFrame
    """One row per value of `by` and model: `by`'s name, `model`, `calls`, `uncached_input`, `cache_write`,
    `cache_read`, `output`, `total_tokens`, `cost_usd`, and `is_lower_bound` if part of the cost is unknown."""
    runs: int
    """Number of runs with usage."""
    runs_in_logs: int | None = None
    """Number of all runs in the logs, if it is to be said beside."""
    logs: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    json_name = "usage.json"

    def totals(self) -> pd.Series:
        """Return the sums over all rows."""
        return self.rows[list(_SUMS)].sum()

    def groups(self) -> pd.DataFrame:
        """Return one row per value of `by`, over all models; in chronological order, or else by descending cost."""
        grouped = self.rows.groupby(self.by, sort=False)
        frame = grouped[list(_SUMS)].sum()
        frame["is_lower_bound"] = grouped["is_lower_bound"].any()
        frame["models"] = grouped["model"].agg(lambda models: [model for model in models if model])
        if self.by in ("day", "week", "month"):
            return frame.sort_index()
        return frame.sort_values(["cost_usd", "total_tokens"], ascending=False, kind="stable")

    def answer(self) -> str:
        """Return the total cost and number of tokens."""
        total = self.totals()
        bound = "at least " if self.rows["is_lower_bound"].any() else ""
        many = f"{count(total['total_tokens'])} tokens" if total["total_tokens"] else "no known tokens"
        spent = f"{bound}{usd_exactly(float(total['cost_usd']))}"
        of = f"{self.runs:,} {_plural(self.runs, 'run')}"
        if self.runs_in_logs is not None and self.runs_in_logs > self.runs:
            of = f"{self.runs:,} of {self.runs_in_logs:,} {_plural(self.runs_in_logs, 'run')}"
        if bound and not total["cost_usd"]:
            return f"The cost of {many} in {of} is unknown."
        return f"{spent[:1].upper()}{spent[1:]} was spent on {many} in {of}."

    def tables(self) -> list[Table]:
        """Return one table with a row per value of `by` and the total last."""
        groups = self.groups()
        shown = groups.tail(_MOST_ROWS) if self.by in ("day", "week", "month") else groups.head(_MOST_ROWS)
        names = [*(() if self.by == "model" else ("models",)), "calls", *_HEADINGS, "cost"]
        rows = [
            self._row(str(name), row, f"groups.{place}") for place, (name, row) in enumerate(shown.iterrows())
        ]
        total = self.totals().to_dict() | {"is_lower_bound": self.rows["is_lower_bound"].any(), "models": []}
        rows.append(self._row("total", total, "totals"))
        left = len(groups) - len(shown)
        caption = f"{left:,} more {_plural(left, self.by)} in the JSON and the CSV." if left else ""
        words = (0,) if self.by == "model" else (0, 1)
        return [
            Table(
                f"Usage by {self.by}", (self.by, *names), rows, caption, words=words, rules=(len(rows) - 1,)
            )
        ]

    def _row(self, name: str, row: Any, path: str) -> tuple[Cell, ...]:
        models = row["models"]
        names = list(dict.fromkeys(map(_short, models)))
        listed = ", ".join(names[:_MODELS_SHOWN]) + (" …" if len(names) > _MODELS_SHOWN else "")
        cost = float(row["cost_usd"])
        counts = [Number(_count(row[key]), float(row[key]), f"{path}.{key}") for key in ("calls", *_TOKENS)]
        shown = f"≥ {usd_exactly(cost)}" if row["is_lower_bound"] else usd_exactly(cost)
        of_models = () if self.by == "model" else (listed,)
        return (name or _NOT_NAMED, *of_models, *counts, Number(shown, cost, f"{path}.cost_usd"))

    def as_json(self) -> dict[str, Any]:
        """Return totals, groups with their models, and notes."""
        by_model = {str(name): frame for name, frame in self.rows.groupby(self.by, sort=False)}
        groups = [
            {
                self.by: name,
                **{key: as_plain(row[key]) for key in (*_SUMS, "is_lower_bound")},
                "models": [_plain(each) for _, each in by_model[str(name)].iterrows()],
            }
            for name, row in self.groups().iterrows()
        ]
        return {
            "by": self.by,
            "runs": self.runs,
            "totals": {
                **{
                    key: float(value) if key == "cost_usd" else int(value)
                    for key, value in self.totals().items()
                },
                "is_lower_bound": bool(self.rows["is_lower_bound"].any()),
            },
            "groups": groups,
            "notes": list(self.notes),
        }

    def as_csv(self) -> str:
        """Return all rows as CSV."""
        text: str = self.rows.to_csv(index=False, float_format="%.10g", lineterminator="\n")
        return text

    def _write_files(self, folder: Path) -> list[Path]:
        path = folder / "usage.csv"
        path.write_text(self.as_csv(), encoding="utf-8")
        return [path]


def usage(
    logs: Sequence[str | Path] | None = None,
    by: By = "day",
    *,
    since: datetime.date | None = None,
    until: datetime.date | None = None,
    assumed: Assumed = NOTHING_ASSUMED,
    begins: Callable[[Path], None] = lambda _: None,
) -> UsageReport:
    """Summarise the usage recorded in logs of any known format.

    Args:
        logs: files, or folders to search for them; by default the places where tools keep their logs.
        by: how to group usage.
        since: first day (UTC) to include; entries without a date are then left out.
        until: last day (UTC) to include.
        assumed: model and date of calls whose logs lack them.
        begins: called with each file before it is read.

    Raises:
        UserError: there are no logs, `by` is not one of `BY`, or the period ends before it begins.
    """
    if by not in BY:
        raise UserError(Problem(f"usage by {by!r}", remedy=f"write one of {', '.join(BY)}"))
    if since and until and until < since:
        raise UserError(
            Problem(f"the period ends on {until}, before it begins ({since})", remedy="swap the dates")
        )
    paths = [Path(log) for log in logs] if logs else [place.path for place in usual_places() if place.files]
    if not paths:
        looked = ", ".join(str(place.path) for place in usual_places())
        raise UserError(Problem(f"there are no logs in {looked}", remedy="give files or folders with logs"))
    ledger = stream_logs(paths, None, begins, assumed)
    return of_ledger(ledger, by, since=since, until=until, logs=[str(path) for path in paths])


def of_ledger(
    ledger: Ledger,
    by: By,
    *,
    since: datetime.date | None = None,
    until: datetime.date | None = None,
    logs: Iterable[str] = (),
) -> UsageReport:
    """Return the usage of a ledger; arguments as for `usage`.

    Args:
        ledger: the ledger.
        by: how to group usage.
        since: first day (UTC) to include.
        until: last day (UTC) to include.
        logs: names of the logs, for the suggested next command.
    """
    parts, undated, seen = [], 0, set()
    for entries in ledger.batches():
        moments = days_of(entries, ledger.runs)
        paid = is_counted(entries).to_numpy()
        if since or until:
            undated += int((paid & moments.isna().to_numpy()).sum())
            paid = paid & _within(moments, since, until)
        seen |= set(entries["run"][paid].unique().tolist())
        parts.append(_sums(entries[paid], moments[paid], ledger.runs, by))
    rows = pd.concat(parts).groupby(_keys(by), sort=True, as_index=False).agg(_AGGREGATED)
    named = list(logs)
    notes = [*_notes(ledger, rows, undated), *_silent_runs(ledger, seen, since or until), _next(rows, named)]
    return UsageReport(by, rows, len(seen), len(ledger.runs), tuple(named), tuple(notes))


_AGGREGATED: Final[dict[str, str]] = {**dict.fromkeys(_SUMS, "sum"), "is_lower_bound": "max"}


def _keys(by: By) -> list[str]:
    return [by] if by == "model" else [by, "model"]


def _within(moments: pd.Series, since: datetime.date | None, until: datetime.date | None) -> Any:
    """Return a mask of the times within the given days."""
    chosen = moments.notna().to_numpy()
    if since:
        chosen = chosen & (moments >= pd.Timestamp(since, tz="UTC").tz_convert(moments.dt.tz)).to_numpy()
    if until:
        after = pd.Timestamp(until, tz="UTC") + pd.Timedelta(days=1)
        chosen = chosen & (moments < after.tz_convert(moments.dt.tz)).to_numpy()
    return chosen


def _sums(entries: pd.DataFrame, moments: pd.Series, runs: pd.DataFrame, by: By) -> pd.DataFrame:
    """Return the usage of entries by one property and by model."""
    is_call = (entries["kind"] == "call") & (entries["outcome"] != "failed")
    tokens = {name: entries[column].fillna(0).astype("int64") for name, column in _TOKENS.items()}
    prompt = entries["context_tokens"].fillna(0).astype("int64")
    classes = sum(tokens[name] for name in PROMPT_CLASSES)
    frame = pd.DataFrame(
        {
            by: _key(entries, moments, runs, by).to_numpy(),
            "model": entries["model"].astype(str).to_numpy(),
            "calls": (is_call + entries["calls"].where(entries["kind"] == "calls").fillna(0).astype("int64")),
            **tokens,
            # some logs report only the length of the whole prompt
            "total_tokens": np.maximum(classes, prompt) + tokens["output"],
            "cost_usd": counted_usd(entries).fillna(0.0).to_numpy(),
            "is_lower_bound": entries["cost_usd"].isna().to_numpy(),
        }
    )
    return frame.groupby(_keys(by), as_index=False).agg(_AGGREGATED)


def _key(entries: pd.DataFrame, moments: pd.Series, runs: pd.DataFrame, by: By) -> pd.Series:
    """Return the group of each entry."""
    if by == "model":
        return entries["model"].astype(str).replace("", _NOT_NAMED)
    if by in ("day", "week", "month"):
        return _period(moments, by)
    about = runs.set_index("run").reindex(entries["run"])
    if by == "project":
        return about["project"].replace("", _NOT_NAMED)
    if by == "task":
        return about["task"].where(about["task"] != "", about["name"])
    if by == "agent":
        named = [
            name if agent <= 0 else f"{name} · agent {agent}"
            for name, agent in zip(about["name"], entries["agent"], strict=True)
        ]
        return pd.Series(named, index=entries.index, dtype=object)
    return about["name"]


def _period(moments: pd.Series, by: By) -> pd.Series:
    """Return the day, the Monday of the week, or the month of times."""
    days: Any = moments.dt.normalize()
    if by == "week":
        days = days - pd.to_timedelta(days.dt.dayofweek, unit="D")
    named: pd.Series = days.dt.strftime("%Y-%m" if by == "month" else "%Y-%m-%d").fillna(_UNDATED)
    return named


def _notes(ledger: Ledger, rows: pd.DataFrame, undated: int) -> Iterable[str]:
    if (rows["is_lower_bound"] & (rows["model"] == "")).any():
        yield f"some calls name no model; {argument('model', 'NAME')} prices them"
    if rows["is_lower_bound"].any():
        yield "costs with ≥ are lower bounds: some counts, models or prices are unknown (see simbudget import)"
    if undated:
        yield f"{undated:,} entries without a date were left out; {argument('on')} gives them one"
    unread = sum(each.count for each in ledger.unread)
    if unread:
        yield f"{unread:,} {_plural(unread, 'line')} or files could not be read; simbudget import lists them"


def _silent_runs(ledger: Ledger, seen: set[int], is_filtered: object) -> Iterable[str]:
    """Yield a note on runs without usage; if days are chosen, runs of other days are no surprise."""
    silent = len(ledger.runs) - len(seen)
    if silent and not is_filtered:
        has = "run in the logs has" if silent == 1 else "runs in the logs have"
        yield f"{silent:,} {has} no model calls and no known cost"


def _next(rows: pd.DataFrame, logs: Sequence[str]) -> str:
    """Return what to do next: runs without calls and costs are nothing to forecast from."""
    named = " ".join(logs) or "LOG"
    if rows.empty:
        return f"these logs hold neither model calls nor costs; simbudget import {named} shows what they hold"
    return f"next: simbudget forecast {named}, or simbudget init --from {named}"


def _plural(number: float, thing: str) -> str:
    return thing if number == 1 else f"{thing}s"


def _short(model: str) -> str:
    """Return a model's name without provider, family and date, to fit a column."""
    return re.sub(r"^(.*/)?(claude-)?(.+?)(-20\d{6})?$", r"\3", model)


def _count(value: float) -> str:
    """Format a count for a terminal's column; JSON and CSV contain all digits."""
    if not value:
        return NOTHING
    return f"{int(value):,}" if value < 1e5 else count(value)


def _plain(row: pd.Series) -> dict[str, Any]:
    kept = ("model", *_SUMS, "is_lower_bound")
    return {
        name: as_plain(value) if not (isinstance(value, float) and math.isnan(value)) else None
        for name, value in row.items()
        if name in kept
    }
