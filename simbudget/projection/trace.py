"""One replication of a projection in full: ledger, timeline and Gantt chart."""

import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import pandas as pd

from simbudget.engine.lowering import lower
from simbudget.engine.reference import simulate
from simbudget.ledger.entry import FLEET
from simbudget.ledger.frame import TOKEN_COLUMNS
from simbudget.numbers import usd_exactly
from simbudget.projection.schedule import Options, Schedule
from simbudget.projection.tracks import Track, sub_agents_of, tracks
from simbudget.results import Picture, Result, as_plain
from simbudget.scenario.scenario import Scenario


@dataclass(frozen=True)
class Trace(Result):
    """One replication in full."""

    ledger: pd.DataFrame
    """One row per event."""
    agent_names: tuple[str, ...]
    as_csv: bool = False
    """Whether the ledger is written as CSV instead of Parquet."""

    json_name = "trace.json"

    def answer(self) -> str:
        """Return the number of entries and their cost."""
        return f"{len(self.ledger):,} entries, {usd_exactly(float(self.ledger['cost_usd'].sum()))} in all."

    def as_json(self) -> dict[str, Any]:
        """Return the number of entries and their cost by kind."""
        kinds = self.ledger.groupby("kind", observed=True)
        return {
            "entries": len(self.ledger),
            "spend_usd": float(self.ledger["cost_usd"].sum()),
            "entries_by_kind": as_plain(kinds.size().to_dict()),
            "spend_by_kind_usd": as_plain(kinds["cost_usd"].sum().to_dict()),
        }

    def figures(self) -> dict[str, Picture]:
        """Return the Gantt chart."""
        from simbudget.projection.figures import gantt  # noqa: PLC0415  matplotlib is slow to import

        return {"gantt": Picture("What each agent does", partial(gantt, self.ledger, self.agent_names))}

    def _write_files(self, folder: Path) -> list[Path]:
        table = folder / ("ledger.csv" if self.as_csv else "ledger.parquet")
        if self.as_csv:
            self.ledger.to_csv(table, index=False, lineterminator="\n")
        else:
            self.ledger.to_parquet(table, index=False)
        events = folder / "timeline.json"
        events.write_text(json.dumps(timeline(self.ledger, self.agent_names)), encoding="utf-8")
        return [table, events]


def trace(scenario: Scenario, seed: int = 1, replication: int = 0) -> Trace:
    """Return one replication of the projection with this seed.

    Args:
        scenario: what is simulated.
        seed: the projection's.
        replication: which one, from 0.

    Raises:
        UserError: the scenario cannot be simulated.
    """
    program = lower(scenario)
    schedule = Schedule.of(program, Options(seed=seed))
    worlds, replications = schedule.keys_of(range(replication, replication + 1))
    outcome = simulate(program, seed, int(worlds[0]), int(replications[0]))
    assert outcome.ledger is not None
    names = (f"{group.group} {member + 1}" for group in scenario.fleet for member in range(group.agents))
    return Trace(_with_gates_named(outcome.ledger, program.gate_names), tuple(names))


def _with_gates_named(ledger: pd.DataFrame, names: tuple[str, ...]) -> pd.DataFrame:
    """Return a ledger whose tries at gates name their gate."""
    tries = ledger["turn"].where(ledger["kind"] == "gate")
    named = tries.map(dict(enumerate(names))).where(tries.notna(), ledger["name"])
    return ledger.assign(name=pd.Categorical(named.to_list()))


# The timeline is in Google's "Trace Event Format", which https://ui.perfetto.dev opens:
# https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU
_AGENTS: Final = 1
_MONEY: Final = 2
"""Processes of the timeline: agents with their jobs, and the counter of money."""

_BACKGROUND = ("sandbox", "reserved", "staff", "fixed")


def timeline(ledger: pd.DataFrame, agent_names: tuple[str, ...]) -> dict[str, Any]:
    """Return the trace: threads for each agent, its sub-agents and its jobs, and the money spent so far.

    Times are microseconds. What costs money by merely being there (sandboxes, pools, pay) shows in the counter.

    Args:
        ledger: the entries of one replication.
        agent_names: names of the agents, by number.
    """
    threads = _Threads(ledger, agent_names)
    rows: list[dict[str, Any]] = ledger.assign(sub_agent=sub_agents_of(ledger)).to_dict("records")  # type: ignore[assignment]
    shown = [row for row in rows if row["kind"] not in _BACKGROUND and row["agent"] != FLEET]
    spans = [_complete(row, threads.of(row)) for row in shown]
    processes = [_named("process_name", _AGENTS, 0, "agents"), _named("process_name", _MONEY, 0, "money")]
    events = [*processes, *threads.named(), *spans, *_spending(ledger)]
    return {"displayTimeUnit": "ms", "traceEvents": events}


def _named(what: str, process: int, thread: int, name: str) -> dict[str, Any]:
    return {"name": what, "ph": "M", "pid": process, "tid": thread, "args": {"name": name}}


class _Threads:
    """The threads of the timeline: one per agent, per sub-agent, and per job that the agent runs at one time.

    Spans of one thread must not overlap in part, so a job has the first thread that is free when it starts.
    """

    def __init__(self, ledger: pd.DataFrame, agent_names: tuple[str, ...]) -> None:
        shown = tracks(ledger, len(agent_names))
        self._names = [track.label(agent_names) for track in shown]
        self._agents = [track.agent for track in shown]
        self._of_track = {track: thread for thread, track in enumerate(shown)}
        self._agent_names = agent_names
        self._of_jobs: dict[int, list[int]] = {agent: [] for agent in range(len(agent_names))}
        self._free_s: dict[int, float] = {}

    def of(self, row: dict[str, Any]) -> int:
        """Return the thread of an entry; jobs come in the order of their starts."""
        if row["kind"] != "experiment":
            return self._of_track[Track(row["agent"], row["sub_agent"])]
        agent, starts_s = row["agent"], row["started_s"]
        threads = self._of_jobs[agent]
        free = [thread for thread in threads if self._free_s[thread] <= starts_s]
        thread = free[0] if free else self._new(agent)
        self._free_s[thread] = starts_s + row["duration_s"]
        return thread

    def _new(self, agent: int) -> int:
        """Return a new thread for jobs of an agent."""
        thread, threads = len(self._names), self._of_jobs[agent]
        threads.append(thread)
        self._names.append(
            f"{self._agent_names[agent]}: jobs" + (f" ({len(threads)})" if len(threads) > 1 else "")
        )
        self._agents.append(agent)
        return thread

    def named(self) -> list[dict[str, Any]]:
        """Return the names and the order of all threads: by agent, its jobs last."""
        in_order = sorted(range(len(self._names)), key=lambda thread: (self._agents[thread], thread))
        names = [_named("thread_name", _AGENTS, thread, name) for thread, name in enumerate(self._names)]
        places = [
            {
                "name": "thread_sort_index",
                "ph": "M",
                "pid": _AGENTS,
                "tid": thread,
                "args": {"sort_index": place},
            }
            for place, thread in enumerate(in_order)
        ]
        return [*names, *places]


def _complete(row: dict[str, Any], thread: int) -> dict[str, Any]:
    names = ("cycle", "session", "turn", "queued_s", "model", "gpus", "name", "parent", "cost_usd", "outcome")
    shown = {name: row[name] for name in (*names, *TOKEN_COLUMNS) if row[name] not in ("", 0)}
    return {
        "name": row["kind"] if row["outcome"] == "ok" else f"{row['kind']} ({row['outcome']})",
        "cat": row["kind"],
        "ph": "X",
        "ts": row["started_s"] * 1e6,
        "dur": row["duration_s"] * 1e6,
        "pid": _AGENTS,
        "tid": thread,
        "args": shown,
    }


def _spending(ledger: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the counter of spend: a call counts at its start, accrued costs at their end."""
    paid = ledger[ledger["cost_usd"] > 0]
    accrues = paid["component"].isin(["gpu", "sandbox", "staff"])
    at = paid["started_s"] + paid["duration_s"].where(accrues, 0.0)
    spent = paid.assign(at=at).sort_values("at", kind="stable")
    total = spent["cost_usd"].cumsum()
    return [
        {"name": "spent", "ph": "C", "ts": ts * 1e6, "pid": _MONEY, "args": {"usd": round(usd, 6)}}
        for ts, usd in zip(spent["at"], total, strict=True)
    ]
