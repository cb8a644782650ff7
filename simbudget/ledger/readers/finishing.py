"""From what was gathered to a ledger: sub-agents to their runs, times from a run's begin, costs, runs' table.

Entries stay where they were gathered and come a batch at a time. What is held of each is its place in the order, 8
bytes, and 36 while that is found out.
"""

import datetime
from collections.abc import Iterator

import numpy as np
import pandas as pd

from simbudget.arrays import Floats, Integers
from simbudget.errors import argument
from simbudget.ledger.costs import days_of, list_costs
from simbudget.ledger.entry import CALLS
from simbudget.ledger.frame import (
    DTYPES,
    TOKEN_COLUMNS,
    with_context_tokens,
)
from simbudget.ledger.imported import (
    NOTHING_ASSUMED,
    RUN_DTYPES,
    Assumed,
    StreamedLedger,
    names_no_model,
)
from simbudget.ledger.readers.columns import Records
from simbudget.ledger.readers.gathering import Gathering, RunInMaking
from simbudget.ledger.readers.joining import Joining
from simbudget.ledger.readers.values import NOT_KNOWN

_NOTED = {
    "output_tokens": "output tokens",
    "uncached_input_tokens": "uncached input tokens",
    "cache_write_tokens": "cache writes",
    "cache_read_tokens": "cache reads",
    "duration_s": "the duration",
    "cost_usd": "the cost",
}
"""What is noted of calls if it is not known."""


def finish(gathering: Gathering, assumed: Assumed = NOTHING_ASSUMED) -> StreamedLedger:
    """Return the ledger of everything that was gathered, which can gather nothing after."""
    records = gathering.sealed()
    joining = Joining(gathering, records)
    finishing = _Finishing(records, joining, assumed)
    runs = finishing.runs.assign(not_known=_with_missing(finishing))
    return StreamedLedger(runs.astype(RUN_DTYPES), gathering.unread, finishing.batches)


class _Finishing:
    """The entries in their order, made anew from the records whenever they are asked for."""

    def __init__(self, records: Records, joining: Joining, assumed: Assumed) -> None:
        self._records, self._joining, self._model = records, joining, assumed.model
        given_s = np.array([run.began_s for run in joining.runs], dtype=np.float64)
        self._began_s = np.where(np.isnan(given_s), joining.first_s, given_s)
        if assumed.on is not None:
            day = datetime.datetime.combine(assumed.on, datetime.time(), datetime.UTC)
            self._began_s = np.where(np.isnan(self._began_s), day.timestamp(), self._began_s)
        self.runs = _runs(joining, self._began_s)
        if assumed.model:
            self.runs["model"] = [
                assumed.model if names_no_model(name) else name for name in self.runs["model"]
            ]
        self._order = self._in_order()
        self.final = {run.number for run in joining.runs if run.is_priced}
        """The runs whose entries' costs stay as they are."""

    def batches(self) -> Iterator[pd.DataFrame]:
        """Yield the entries, sorted by run, and within a run by start."""
        block = self._records.block
        for begin in range(0, max(len(self._order), 1), block):
            records = self._records.take(self._order[begin : begin + block])
            run, agent = self._joining.placed(records)
            started_s = records["started_s"] - self._began_s[run]
            entries = self._records.frame(records).assign(run=run, agent=agent, started_s=started_s)
            if self._model:
                entries = _of_model(entries, self._model)
            yield _priced(entries, self.runs, self.final).astype(DTYPES)

    def _in_order(self) -> Integers:
        """Return the rows in the order of the ledger."""
        run = np.empty(len(self._records), dtype=np.int32)
        started_s = np.empty(len(self._records))
        begin = 0
        for block in self._records.blocks():
            end = begin + len(block)
            run[begin:end] = self._joining.placed(block)[0]
            started_s[begin:end] = block["started_s"] - self._began_s[run[begin:end]]
            begin = end
        return np.lexsort((started_s, run))


def _of_model(entries: pd.DataFrame, model: str) -> pd.DataFrame:
    """Return entries in which calls that name no model are those of one."""
    unnamed = [name for name in entries["model"].cat.categories if names_no_model(name)]
    calls = (entries["component"] == "tokens") & entries["model"].isin(unnamed)
    named = entries["model"].astype(object).mask(calls, model)
    return entries.assign(model=named.astype("category"))


def _runs(joining: Joining, began_s: Floats) -> pd.DataFrame:
    """Return the table of runs, but for what their entries lack; [runs] when each began."""
    runs = joining.runs
    is_dated = np.array([run.is_dated for run in runs], dtype=bool)
    return pd.DataFrame(
        {
            "run": np.arange(len(runs)),
            **{
                name: [getattr(run, name) for run in runs]
                for name in ("source", "path", "project", "name", "task")
            },
            "began_at": _moments(np.where(is_dated, began_s, NOT_KNOWN)),
            "ended_at": _moments(np.where(is_dated, joining.last_s, NOT_KNOWN)),
            "agents": joining.agents,
            "model": joining.models,
            "entries": joining.entries,
            "repeated": [run.repeated for run in runs],
            "reported_cost_usd": [run.reported_cost_usd for run in runs],
            "reported_turns": pd.array([run.reported_turns for run in runs], dtype="Int64"),
            "api_duration_s": [run.api_duration_s for run in runs],
            "duration_s": [run.duration_s for run in runs],
            "metric": [run.metric for run in runs],
            "better": [run.better for run in runs],
            "not_known": [_missing(run) for run in runs],
            "oddities": [_odd(run) for run in runs],
        }
    )


def _moments(seconds: Floats) -> pd.DatetimeIndex:
    """Return moments from seconds since 1970, to the millionth that a float can tell apart."""
    return pd.to_datetime(seconds, unit="s", utc=True).round("us").as_unit("ns")


def _missing(run: RunInMaking) -> str:
    """Return what a reader noted that its log does not say."""
    missing = [run.notes] if run.notes else []
    missing += [f"{what} ({many:,})" if many > 1 else what for what, many in run.missing.items()]
    untold = run.named_agents - run.agents.keys()
    if untold:
        missing.append(f"calls of {len(untold):,} sub-agents, whose logs are not here")
    return "; ".join(missing)


def _odd(run: RunInMaking) -> str:
    """Return what was odd in a run's log, and how often."""
    odd = [run.odd_notes] if run.odd_notes else []
    return "; ".join(odd + [f"{what} ({many:,} times)" for what, many in run.odd.items()])


def _priced(entries: pd.DataFrame, runs: pd.DataFrame, final: set[int]) -> pd.DataFrame:
    """Return the entries with their cost by the list, and their cost: as reported, else by the list.

    Those of the runs that are final keep what they have, and simulated ones have no day.
    """
    entries = with_context_tokens(entries)
    is_tokens = ((entries["component"] == "tokens") & (entries["source"] != "simulated")).to_numpy()
    paid = is_tokens & ~entries["run"].isin(final).to_numpy()
    listed = entries["list_cost_usd"].to_numpy(copy=True)
    unlisted = is_tokens & np.isnan(listed)
    calls = entries[unlisted]
    listed[unlisted] = list_costs(calls, days_of(calls, runs)).to_numpy()
    is_known = entries[list(TOKEN_COLUMNS)].notna().all(axis="columns").to_numpy()
    reported = entries["reported_cost_usd"].to_numpy()
    cost = entries["cost_usd"].to_numpy(copy=True)
    by_list = np.where(is_known, listed, NOT_KNOWN)
    open_ = np.isnan(cost) & paid
    cost[open_] = np.where(np.isnan(reported), by_list, reported)[open_]
    return entries.assign(list_cost_usd=listed, cost_usd=cost)


def _with_missing(finishing: _Finishing) -> list[str]:
    """Return what is not known of each run, with which counts and times are missing of how many calls."""
    many = len(finishing.runs)
    calls_of = np.zeros(many, dtype=np.int64)
    missing = {column: np.zeros(many, dtype=np.int64) for column in _NOTED}
    is_unnamed, is_undated = np.zeros(many, dtype=bool), np.zeros(many, dtype=bool)
    no_date = finishing.runs["began_at"].isna().to_numpy()
    for entries in finishing.batches():
        read = entries[entries["kind"].isin(("call", CALLS)) & ~entries["run"].isin(finishing.final)]
        paid = read[read["component"] == "tokens"]
        unnamed = [model for model in paid["model"].cat.categories if names_no_model(model)]
        is_unnamed[paid["run"][paid["model"].isin(unnamed)]] = True
        is_undated[paid["run"][no_date[paid["run"]]]] = True
        calls = read[read["kind"] == "call"]
        calls_of += np.bincount(calls["run"], minlength=many)
        for column in _NOTED:
            missing[column] += np.bincount(calls["run"][calls[column].isna()], minlength=many)
    noted = []
    for run, note in enumerate(finishing.runs["not_known"]):
        notes = [note] if note else []
        if is_unnamed[run]:
            notes.append(f"the model, which {argument('model')} names")
        if is_undated[run]:
            notes.append(f"the date, which {argument('on')} names")
        for column, what in _NOTED.items():
            if missing[column][run]:
                notes.append(f"{what} of {missing[column][run]:,} of {calls_of[run]:,} calls")
        noted.append("; ".join(notes))
    return noted
