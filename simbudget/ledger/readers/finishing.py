"""From what was gathered to a ledger: sub-agents to their runs, times from a run's begin, costs, runs' table."""

import numpy as np
import pandas as pd

from simbudget.ledger.costs import days_of, list_costs
from simbudget.ledger.frame import DTYPES, with_context_tokens
from simbudget.ledger.imported import RUN_DTYPES, ImportedLedger
from simbudget.ledger.readers.gathering import Gathering, RunInMaking
from simbudget.ledger.readers.values import NOT_KNOWN

_CLASSES = ("uncached_input_tokens", "cache_write_tokens", "cache_read_tokens", "output_tokens")


def finish(gathering: Gathering) -> ImportedLedger:
    """Return the ledger of everything that was gathered."""
    entries = gathering.columns.frame()
    tops = _join_sub_agents(gathering, entries)
    _number(entries, tops)
    runs = _runs(entries, tops)
    began_s = pd.Series([run.began_s for run in tops], index=[run.number for run in tops])
    final = {run.number for run in tops if run.is_priced}
    entries = _priced(_from_begin(entries, began_s), runs, final)
    _note_missing(entries, runs, final)
    order = np.lexsort((entries["started_s"].to_numpy(), entries["run"].to_numpy()))
    entries = entries.iloc[order].reset_index(drop=True).astype(DTYPES)
    return ImportedLedger(entries, runs.astype(RUN_DTYPES), gathering.unread)


def _join_sub_agents(gathering: Gathering, entries: pd.DataFrame) -> list[RunInMaking]:
    """Give the runs of sub-agents to the run that they are part of; return those that are left."""
    run_of = np.arange(len(gathering.runs))
    first_agent = np.zeros(len(gathering.runs), dtype=np.int64)
    agents = {run.number: len(run.agents) for run in gathering.runs.values()}
    tops = []
    for run in gathering.runs.values():
        top = _top(gathering, run)
        if top is run:
            tops.append(run)
            continue
        run_of[run.number], first_agent[run.number] = top.number, agents[top.number]
        agents[top.number] += len(run.agents)
        for agent in run.agents:
            top.agent(f"{run.name} {agent}")
        top.repeated += run.repeated
        top.missing.update(run.missing)
        top.odd.update(run.odd)
    numbers = entries["run"].to_numpy()
    fleet = entries["agent"] < 0
    entries["agent"] = (entries["agent"] + first_agent[numbers]).mask(fleet, entries["agent"])
    entries["run"] = run_of[numbers]
    return tops


def _top(gathering: Gathering, run: RunInMaking) -> RunInMaking:
    """Return the run that a run is at last part of, as far as the logs tell."""
    seen = {run.number}
    while (above := gathering.runs.get(run.part_of)) is not None and above.number not in seen:
        seen.add(above.number)
        run = above
    return run


def _number(entries: pd.DataFrame, tops: list[RunInMaking]) -> None:
    """Give numbers from 0 to the runs that have entries, or of which something is reported."""
    used = set(entries["run"].unique())
    tops[:] = [run for run in tops if run.number in used or run.reported_cost_usd >= 0]
    number = {run.number: new for new, run in enumerate(tops)}
    entries["run"] = entries["run"].map(number).astype("int64")
    for run in tops:
        run.number = number[run.number]


def _runs(entries: pd.DataFrame, tops: list[RunInMaking]) -> pd.DataFrame:
    """Return the table of runs, but for what their entries lack."""
    by_run = entries.assign(ended_s=entries["started_s"] + entries["duration_s"].fillna(0.0)).groupby("run")
    numbers = [run.number for run in tops]
    given_s = pd.Series([run.began_s for run in tops], index=numbers, dtype=np.float64)
    is_dated = np.array([run.is_dated for run in tops], dtype=bool)
    began_s = given_s.fillna(by_run["started_s"].min().reindex(numbers)).where(is_dated)
    ended_s = by_run["ended_s"].max().reindex(numbers).where(is_dated)
    calls = entries[entries["component"] == "tokens"]
    models = calls.groupby("run")["model"].agg(lambda names: names.value_counts().index[0])
    return pd.DataFrame(
        {
            "run": numbers,
            **{name: [getattr(run, name) for run in tops] for name in ("source", "path", "project", "name")},
            "began_at": _moments(began_s),
            "ended_at": _moments(ended_s),
            "agents": by_run["agent"].nunique().reindex(numbers, fill_value=0).to_numpy(),
            "model": models.astype(str).reindex(numbers, fill_value="").to_numpy(),
            "entries": by_run.size().reindex(numbers, fill_value=0).to_numpy(),
            "repeated": [run.repeated for run in tops],
            "reported_cost_usd": [run.reported_cost_usd for run in tops],
            "reported_turns": pd.array([run.reported_turns for run in tops], dtype="Int64"),
            "api_duration_s": [run.api_duration_s for run in tops],
            "duration_s": [run.duration_s for run in tops],
            "metric": [run.metric for run in tops],
            "better": [run.better for run in tops],
            "not_known": [_missing(run) for run in tops],
            "oddities": [_odd(run) for run in tops],
        }
    )


def _moments(seconds: pd.Series) -> pd.DatetimeIndex:
    """Return moments from seconds since 1970, to the millionth that a float can tell apart."""
    return pd.to_datetime(seconds.to_numpy(), unit="s", utc=True).round("us").as_unit("ns")


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


def _from_begin(entries: pd.DataFrame, began_s: pd.Series) -> pd.DataFrame:
    """Return the entries with times that count from their run's begin."""
    first_s = entries.groupby("run")["started_s"].transform("min")
    begin_s = entries["run"].map(began_s).astype("float64").fillna(first_s)
    return entries.assign(started_s=entries["started_s"] - begin_s)


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
    is_known = entries[list(_CLASSES)].notna().all(axis="columns").to_numpy()
    reported = entries["reported_cost_usd"].to_numpy()
    cost = entries["cost_usd"].to_numpy(copy=True)
    by_list = np.where(is_known, listed, NOT_KNOWN)
    open_ = np.isnan(cost) & paid
    cost[open_] = np.where(np.isnan(reported), by_list, reported)[open_]
    return entries.assign(list_cost_usd=listed, cost_usd=cost)


def _note_missing(entries: pd.DataFrame, runs: pd.DataFrame, final: set[int]) -> None:
    """Add to the table of runs which counts and times are not known of how many calls."""
    calls = entries[(entries["kind"] == "call") & ~entries["run"].isin(final)]
    calls_of = calls.groupby("run").size().to_dict()
    notes = {run: [note] if note else [] for run, note in zip(runs["run"], runs["not_known"], strict=True)}
    for column, what in (
        ("output_tokens", "output tokens"),
        ("uncached_input_tokens", "uncached input tokens"),
        ("cache_write_tokens", "cache writes"),
        ("cache_read_tokens", "cache reads"),
        ("duration_s", "the duration"),
        ("cost_usd", "the cost"),
    ):
        unknown = calls[column].isna().groupby(calls["run"]).sum()
        for run, missing in unknown[unknown > 0].to_dict().items():
            notes[run].append(f"{what} of {missing:,} of {calls_of[run]:,} calls")
    runs["not_known"] = ["; ".join(notes[run]) for run in runs["run"]]
