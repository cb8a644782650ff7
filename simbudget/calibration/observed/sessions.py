"""Sessions: a ledger's model calls as arrays, one session per agent and run, with the times between calls.

In ledgers that record contexts, such as a pilot's, a session is one context.
"""

import weakref
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from simbudget.arrays import Flags, Floats, Integers
from simbudget.calibration.observed.spans import covered_s
from simbudget.calibration.observed.steps import (
    STEP_COLUMNS,
    RunWithSteps,
    Steps,
    are_sub_agents,
    contexts_of,
    runs_that_tell,
    without_failed_calls,
)
from simbudget.ledger.costs import counted_usd
from simbudget.ledger.imported import ImportedLedger

_CALL_KINDS: Final = ("call", "post", "poll", "compaction")
_PEOPLE: Final = ("person", "AskUserQuestion", "ExitPlanMode")
"""Names of waits for people."""
_WITH_SUB_AGENTS: Final = frozenset({"claude-code", "claude-results", "codex", "codex-exec", "opencode"})
"""Formats whose runs are one agent each, so that further agents of a run are sub-agents; in others, such as pilots,
agents are peers."""
_KEPT_AFTER_COMPACTION: Final = 0.75
"""A context that shrinks below this fraction was compacted or cleared."""
_SMALLEST_COMPACTED: Final = 30_000
_GROWING: Final = 1 / 3
"""Share of calls with a larger context than the call before; calls that share no context have about a half."""
_SMALLEST_CONTEXT: Final = 500
"""Tokens; no agent has a shorter system prompt."""
_COLUMNS: Final = {
    "uncached_input_tokens": "uncached",
    "cache_write_tokens": "write",
    "cache_read_tokens": "read",
    "output_tokens": "output",
    "thinking_tokens": "thinking",
    "duration_s": "duration_s",
    "started_s": "started_s",
    "list_cost_usd": "list_cost_usd",
    "cache_write_1h_tokens": "write_1h",
}


@dataclass(frozen=True, eq=False)
class Session:
    """The calls of one agent of one run, in order: arrays of the same length, NaN where the log does not say."""

    run: int
    source: str
    project: str
    model: str
    uncached: Floats
    write: Floats
    read: Floats
    output: Floats
    thinking: Floats
    duration_s: Floats
    started_s: Floats
    list_cost_usd: Floats
    write_1h: Floats
    person_s: Floats
    """[calls] seconds of waiting for a person after each call."""
    failures: int = 0
    """Attempts at calls that failed."""
    ended: str = ""
    """The day of its last call."""
    name: str = ""
    """The run's own name; with the agent's number, if it is not the first."""
    task: str = ""
    """The task that the run is an attempt at, where the log names one."""
    steps: Steps | None = None
    """Its steps, if the ledger records cycles and contexts."""
    agent: int = 0
    """The agent's number in its run; for a sub-agent of a ledger with steps, that of its parent."""
    cycle: int = -1
    """The cycle of its first call; -1 if the ledger records none."""
    is_delegated: bool = False
    """Whether it is the context of a sub-agent."""
    service: str = ""
    """The service of most of its calls; empty for the standard service."""
    models: npt.NDArray[np.str_] | None = None
    """[calls] the model of each, where they are of several."""
    counted_usd: Floats | None = None
    """[calls] what each counts as in sums of past costs: reported where the log reports it; None: as by the list."""
    sub_agents_s: Floats | None = None
    """[calls - 1] seconds of each gap during which sub-agents worked; None without sub-agents."""

    def __len__(self) -> int:
        """Return the number of calls."""
        return len(self.read)

    @cached_property
    def context(self) -> Floats:
        """[calls] the tokens that each call sent."""
        return np.nan_to_num(self.uncached) + np.nan_to_num(self.write) + np.nan_to_num(self.read)

    @cached_property
    def gap_s(self) -> Floats:
        """[calls - 1] from the end of each call to the start of the next, people included; at least 0."""
        ends = self.started_s + np.nan_to_num(self.duration_s)
        return np.maximum(self.started_s[1:] - ends[:-1], 0.0)

    @cached_property
    def own_gap_s(self) -> Floats:
        """[calls - 1] the gaps without the time in which sub-agents worked."""
        return self.gap_s if self.sub_agents_s is None else np.maximum(self.gap_s - self.sub_agents_s, 0.0)

    @cached_property
    def compacts(self) -> Flags:
        """[calls - 1] whether the context was compacted or cleared between a call and the next."""
        before, after = self.context[:-1], self.context[1:]
        return (after < _KEPT_AFTER_COMPACTION * before) & (before > _SMALLEST_COMPACTED)

    @cached_property
    def growth(self) -> Floats:
        """[calls - 1] the tokens that joined the context between a call and the next; NaN at a compaction."""
        return np.where(self.compacts, np.nan, np.maximum(np.diff(self.context), 0.0))

    def part(self, first: int, end: int | None = None) -> "Session":
        """Return the session of the calls from `first` to before `end`.

        Args:
            first: number of the first call, from 0.
            end: number of the call after the last; by default that of the end.
        """
        part = self.taken(slice(first, end))
        return replace(part, failures=0, steps=None)

    def taken(self, which: slice | Flags) -> "Session":
        """Return the session of some of its calls; what is known of the whole session stays."""
        arrays = {name: getattr(self, name)[which] for name in (*_COLUMNS.values(), "person_s")}
        models = None if self.models is None else self.models[which]
        counted_usd = None if self.counted_usd is None else self.counted_usd[which]
        sub_agents_s = None
        if self.sub_agents_s is not None:
            sub_agents_s = np.append(self.sub_agents_s, 0.0)[which][:-1]
        return replace(self, **arrays, models=models, counted_usd=counted_usd, sub_agents_s=sub_agents_s)

    @property
    def is_left(self) -> bool:
        """Return whether its agent waited for sub-agents, or worked in another context, before it went on."""
        return self.sub_agents_s is not None or (self.steps is not None and bool(self.steps.is_left.any()))

    @property
    def cost_usd(self) -> Floats:
        """[calls] what each call cost, as `usage` counts it."""
        return self.list_cost_usd if self.counted_usd is None else self.counted_usd

    @property
    def knows_input(self) -> bool:
        """Return whether full context sizes are known: some logs omit tokens read from the cache.

        Where no call names what it read from a cache, the sizes have to grow as an agent's context does.
        """
        if not len(self) or np.median(self.context) < _SMALLEST_CONTEXT:
            return False
        says_read = np.isfinite(self.read).any() or len(self) == 1
        return bool(says_read or (np.diff(self.context) > 0).mean() >= _GROWING)

    @property
    def knows_output(self) -> bool:
        """Return whether output counts are known for nearly all calls."""
        return len(self) > 0 and bool(np.isfinite(self.output).mean() > 0.9)


_CUT: Final[dict[int, list[Session]]] = {}
"""Cache of sessions by the ledger's id, for the ledger's lifetime; observing, fitting and checking all use it."""


def sessions_of(ledger: ImportedLedger, at_least: int = 1) -> list[Session]:
    """Return the sessions of a ledger that have at least this many calls, in the ledger's order.

    Args:
        ledger: logs of runs; cut into sessions once for its lifetime.
        at_least: fewest calls of a session.
    """
    key = id(ledger)
    if key not in _CUT:
        _CUT[key] = _with_waits_for_sub_agents(list(_sessions(ledger)))
        weakref.finalize(ledger, _CUT.pop, key, None)
    return [session for session in _CUT[key] if len(session) >= at_least]


def _sessions(ledger: ImportedLedger) -> Iterator[Session]:
    entries = ledger.entries
    about = ledger.runs.set_index("run")[["source", "project", "name", "task", "began_at"]]
    facts: dict[int, Any] = dict(zip(ledger.runs["run"].tolist(), about.itertuples(), strict=True))
    relevant = entries[entries["kind"].isin((*_CALL_KINDS, "wait"))]
    telling = _telling(entries)
    keys = relevant[["run", "agent"]].to_numpy(np.int64)
    contexts = np.zeros(len(relevant), dtype=np.int64)
    if telling:
        contexts = contexts_of(relevant).where(relevant["run"].isin(list(telling)), 0).to_numpy(np.int64)
    started_s = relevant["started_s"].to_numpy(np.float64)
    order = np.lexsort((started_s, contexts, keys[:, 1], keys[:, 0]))
    rows = _Rows.of(relevant.iloc[order])
    in_order = relevant[[*STEP_COLUMNS]].iloc[order]
    together = np.column_stack([keys, contexts])[order]
    begins = np.flatnonzero((np.diff(together, axis=0, prepend=together[:1] - 1) != 0).any(axis=1))
    for first, end in pairwise(np.append(begins, len(order))):
        part = slice(int(first), int(end))
        run, agent = int(together[first, 0]), int(together[first, 1])
        answered = first + np.flatnonzero(rows.answered[part])
        if not len(answered):
            continue
        arrays = {name: values[answered] for name, values in rows.values.items()}
        fact = facts[run]
        source = str(fact.source)
        models, with_steps = rows.models[answered], telling.get(run)
        is_delegated = bool(rows.delegated[answered[0]])
        yield Session(
            run=run,
            source=source,
            project=str(fact.project or ""),
            model=_most_frequent(models),
            **arrays,
            person_s=_person_s(rows, part, arrays["started_s"]),
            failures=int(rows.failed[part].sum()),
            ended=_day(fact.began_at, arrays["started_s"]),
            name=str(fact.name) + (f" agent {agent}" if agent else ""),
            task=str(fact.task),
            steps=with_steps.steps_of(in_order.iloc[answered], is_delegated) if with_steps else None,
            agent=agent,
            cycle=int(rows.cycles[answered[0]]),
            is_delegated=is_delegated or (agent > 0 and source in _WITH_SUB_AGENTS),
            service=_most_frequent(rows.services[answered]),
            models=models if len(set(models.tolist())) > 1 else None,
        )


def _most_frequent(words: npt.NDArray[np.str_]) -> str:
    names, counts = np.unique(words, return_counts=True)
    return str(names[counts.argmax()])


def _with_waits_for_sub_agents(sessions: list[Session]) -> list[Session]:
    """Return sessions that know which part of their gaps their run's sub-agents worked in.

    Ledgers with steps have entries for tools instead, so that nothing has to be taken from a gap.
    """
    spans: dict[int, list[tuple[float, float]]] = {}
    for session in sessions:
        if session.is_delegated and session.steps is None and np.isfinite(session.started_s).all():
            ends_s = session.started_s + np.nan_to_num(session.duration_s)
            spans.setdefault(session.run, []).append((float(session.started_s[0]), float(ends_s.max())))
    return [
        replace(session, sub_agents_s=_covered_s(session, spans[session.run]))
        if session.run in spans and not session.is_delegated and len(session) > 1
        else session
        for session in sessions
    ]


def _covered_s(session: Session, spans: list[tuple[float, float]]) -> Floats:
    """Return [calls - 1] the seconds of each gap that lie in the union of spans."""
    opens_s = session.started_s[:-1] + np.nan_to_num(session.duration_s[:-1])
    return covered_s(opens_s, np.maximum(session.started_s[1:], opens_s), spans)


def _telling(entries: pd.DataFrame) -> dict[int, RunWithSteps]:
    """Return the runs that record steps, by their numbers."""
    return {
        run: RunWithSteps(without_failed_calls(entries[entries["run"] == run]))
        for run in runs_that_tell(entries)
    }


@dataclass(frozen=True, eq=False)
class _Rows:
    """Calls and waits as arrays of one length, in the order of sessions."""

    values: dict[str, Floats]
    """By the names of a session's arrays."""
    models: npt.NDArray[np.str_]
    failed: Flags
    """Calls that failed."""
    answered: Flags
    """Calls that succeeded and sent tokens."""
    for_people: Flags
    """Waits for people."""
    delegated: Flags
    """Calls of sub-agents, in ledgers that record whose they are."""
    cycles: Integers
    services: npt.NDArray[np.str_]

    @classmethod
    def of(cls, rows: pd.DataFrame) -> "_Rows":
        """Return the rows of a ledger's entries, all calls or waits."""
        values = {
            name: rows[column].to_numpy(np.float64, na_value=np.nan) for column, name in _COLUMNS.items()
        }
        list_cost, known = values["list_cost_usd"], rows["cost_usd"].to_numpy(np.float64)
        # what the ledger says that a call cost counts where no list has its price
        values["list_cost_usd"] = np.where(np.isfinite(list_cost) | ~(known > 0), list_cost, known)
        values["counted_usd"] = counted_usd(rows).to_numpy(np.float64, na_value=np.nan)
        is_wait = rows["kind"].eq("wait").to_numpy()
        failed = ~is_wait & rows["outcome"].astype(str).eq("failed").to_numpy()
        sent = sum(np.nan_to_num(values[name]) for name in ("uncached", "write", "read"))
        for_people = is_wait & rows["name"].astype(str).isin(_PEOPLE).to_numpy()
        models = rows["model"].astype(str).to_numpy(np.str_)
        return cls(
            values,
            models,
            failed,
            ~is_wait & ~failed & (np.asarray(sent) > 0),
            for_people,
            are_sub_agents(rows),
            rows["cycle"].fillna(-1).to_numpy(np.int64),
            rows["service"].astype(object).fillna("").to_numpy(np.str_),
        )


def _person_s(rows: _Rows, part: slice, started_s: Floats) -> Floats:
    """Return [calls] seconds of waiting for a person between the start of each call and of the next."""
    waits = rows.for_people[part]
    person_s = np.zeros(len(started_s))
    if waits.any():
        at = np.searchsorted(started_s, rows.values["started_s"][part][waits], side="right") - 1
        np.add.at(person_s, np.maximum(at, 0), np.nan_to_num(rows.values["duration_s"][part][waits]))
    return person_s


def _day(began: Any, started_s: Floats) -> str:
    """Return the day of a session's last call; empty if the log has no dates."""
    if pd.isna(began) or not np.isfinite(started_s).any():
        return ""
    return str((began + pd.Timedelta(seconds=float(np.nanmax(started_s)))).date())
