"""Sessions: a ledger's model calls as arrays, one session an agent of a run, with what lies between the calls.

Where a ledger tells contexts, as a pilot's does, a session is one context.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from simbudget.calibration.observed.steps import (
    Steps,
    contexts_of,
    steps_of,
    tells_steps,
    without_failed_calls,
)
from simbudget.ledger.imported import ImportedLedger

Floats = npt.NDArray[np.float64]

_CALL_KINDS: Final = ("call", "post", "poll", "compaction")
_PEOPLE: Final = ("person", "AskUserQuestion", "ExitPlanMode")
"""Names of waits in which a person was waited for."""
_KEPT_AFTER_COMPACTION: Final = 0.75
"""A context that falls below this part of what it was has been compacted, or cleared."""
_SMALLEST_COMPACTED: Final = 30_000
_SMALLEST_CONTEXT: Final = 500
"""No agent's system prompt is shorter than this."""
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
    """[calls] how long a person was waited for after each call."""
    failures: int = 0
    """Attempts at calls that failed."""
    ended: str = ""
    """The day of its last call."""
    name: str = ""
    """The run's own name; with the agent's number, if it is not the first."""
    steps: Steps | None = None
    """What a ledger says that tells cycles and contexts."""

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
    def compacts(self) -> npt.NDArray[np.bool_]:
        """[calls - 1] whether the context was compacted or cleared between a call and the next."""
        before, after = self.context[:-1], self.context[1:]
        return (after < _KEPT_AFTER_COMPACTION * before) & (before > _SMALLEST_COMPACTED)

    @cached_property
    def growth(self) -> Floats:
        """[calls - 1] the tokens that joined the context between a call and the next; NaN at a compaction."""
        return np.where(self.compacts, np.nan, np.maximum(np.diff(self.context), 0.0))

    def part(self, first: int, end: int | None = None) -> "Session":
        """Return the session of the calls from `first` to before `end`."""
        arrays = {name: getattr(self, name)[first:end] for name in (*_COLUMNS.values(), "person_s")}
        return Session(
            self.run, self.source, self.project, self.model, **arrays, ended=self.ended, name=self.name
        )

    @property
    def knows_input(self) -> bool:
        """Return whether whole contexts are known: some logs leave out what came from the cache."""
        return len(self) > 0 and bool(np.median(self.context) >= _SMALLEST_CONTEXT)

    @property
    def knows_output(self) -> bool:
        """Return whether output counts are known for nearly all calls."""
        return len(self) > 0 and bool(np.isfinite(self.output).mean() > 0.9)


def sessions_of(ledger: ImportedLedger, at_least: int = 1) -> list[Session]:
    """Return the sessions of a ledger that have so many calls, in its order."""
    return [session for session in _sessions(ledger) if len(session) >= at_least]


def _sessions(ledger: ImportedLedger) -> Iterator[Session]:
    entries = ledger.entries
    runs = ledger.runs.set_index("run")
    relevant = entries[entries["kind"].isin((*_CALL_KINDS, "wait"))]
    telling: dict[Any, pd.DataFrame] = {
        run: without_failed_calls(of_run) for run, of_run in entries.groupby("run") if tells_steps(of_run)
    }
    contexts = contexts_of(relevant).where(relevant["run"].isin(list(telling)), 0)
    keys: Any
    for keys, of_agent in relevant.groupby(["run", "agent", contexts], sort=True):
        run, agent, _ = keys
        calls = of_agent[of_agent["kind"].isin(_CALL_KINDS)].sort_values("started_s", kind="stable")
        failed = calls["outcome"].astype(str) == "failed"
        answered = calls[~failed]
        sent = answered[["uncached_input_tokens", "cache_write_tokens", "cache_read_tokens"]].fillna(0)
        answered = answered[sent.sum(axis=1) > 0]
        if answered.empty:
            continue
        number = int(run)
        about: Any = runs.loc[number]
        arrays = {
            name: answered[column].to_numpy(np.float64, na_value=np.nan) for column, name in _COLUMNS.items()
        }
        arrays["list_cost_usd"] = _cost(answered, arrays["list_cost_usd"])
        yield Session(
            run=number,
            source=str(about["source"]),
            project=str(about["project"] or ""),
            model=str(answered["model"].mode().iat[0]),
            **arrays,
            person_s=_person_s(of_agent, arrays["started_s"]),
            failures=int(failed.sum()),
            ended=_day(about, arrays["started_s"]),
            name=str(about["name"]) + (f" agent {agent}" if agent else ""),
            steps=_steps(answered, telling.get(run), agent),
        )


def _cost(answered: pd.DataFrame, list_cost_usd: Floats) -> Floats:
    """Return [calls] what each cost by the price list, or what the ledger says it cost where no price is known."""
    known = answered["cost_usd"].to_numpy(np.float64)
    return np.where(np.isfinite(list_cost_usd) | ~(known > 0), list_cost_usd, known)


def _steps(calls: pd.DataFrame, of_run: pd.DataFrame | None, agent: object) -> Steps | None:
    return None if of_run is None else steps_of(calls, of_run[of_run["agent"] == agent], of_run)


def _person_s(of_agent: pd.DataFrame, started_s: Floats) -> Floats:
    """Return [calls] how long a person was waited for between each call's start and the next one's."""
    waits = of_agent[(of_agent["kind"] == "wait") & of_agent["name"].astype(str).isin(_PEOPLE)]
    person_s = np.zeros(len(started_s))
    if len(waits):
        at = np.searchsorted(started_s, waits["started_s"].to_numpy(), side="right") - 1
        np.add.at(person_s, np.maximum(at, 0), np.nan_to_num(waits["duration_s"].to_numpy()))
    return person_s


def _day(about: pd.Series, started_s: Floats) -> str:
    """Return the day of a session's last call; empty if the log has no dates."""
    began = about["began_at"]
    if pd.isna(began) or not np.isfinite(started_s).any():
        return ""
    return str((began + pd.Timedelta(seconds=float(np.nanmax(started_s)))).date())
