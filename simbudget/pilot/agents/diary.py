"""An agent's diary: every activity is written to the ledger when it begins and when it ends, without gaps.

Time between two recorded activities is work with tools. It gets an entry of kind `tool`, so that an agent's entries
add up to its life.
"""

import asyncio
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from simbudget.ledger.entry import Entry
from simbudget.ledger.store import Intent, LedgerStore
from simbudget.pilot.clock import RunClock
from simbudget.pilot.task_list import TaskAttempt

_SHORTEST_S: Final = 1e-6
"""Gaps below a microsecond are the time it takes to write an entry."""


class NeverHappenedError(Exception):
    """An activity that had begun did not take place, such as a submission that was refused."""


class Diary:
    """The diary of one agent, with its current cycle, session and turn."""

    def __init__(self, store: LedgerStore, run: int, agent: int, clock: RunClock, source: str) -> None:
        self.store, self.clock = store, clock
        self._common = {"run": run, "agent": agent, "source": source}
        self.cycle = self.session = self.turn = -1
        self.attempt: TaskAttempt | None = None
        """The attempt at a task that the agent makes, if there is a list of tasks."""
        self.until_s = clock.now_s()
        """End of the time that is accounted for, in seconds of the run."""
        self.tools_used: list[str] = []

    @property
    def place(self) -> dict[str, int]:
        """Return the current cycle, session and turn, and the task and attempt if there are tasks."""
        at = self.attempt
        task = {} if at is None else {"task_number": at.task, "attempt": at.attempt}
        return {"cycle": self.cycle, "session": self.session, "turn": self.turn, **task}

    def note_end(self, ended_s: float) -> None:
        """Mark the time up to a moment as accounted for by an entry that was written elsewhere."""
        self.until_s = ended_s

    def close_gap(self) -> None:
        """Record the time since the last entry as work with tools."""
        now_s = self.clock.now_s()
        if now_s - self.until_s > _SHORTEST_S:
            name = self.tools_used[0] if len(self.tools_used) == 1 else ""
            self.store.add(self._entry("tool", self.until_s, now_s - self.until_s, name=name))
        self.tools_used = []
        self.until_s = now_s

    def write(self, kind: str, **columns: Any) -> None:
        """Record an activity that lasted from the end of the last entry until now."""
        now_s = self.clock.now_s()
        self.store.add(self._entry(kind, self.until_s, now_s - self.until_s, **columns))
        self.until_s = now_s

    def note(self, kind: str, **columns: Any) -> None:
        """Record something that took no time of its own, such as a wait that ended without being served."""
        self.store.add(self._entry(kind, self.clock.now_s(), 0.0, **columns))

    @contextmanager
    def doing(self, kind: str, worst_usd: float = 0.0, **columns: Any) -> Iterator[dict[str, Any]]:
        """Record the beginning of an activity and, when the block is left, its end; yields columns to fill in.

        Several activities may be recorded side by side. `queued_s` among the columns is waiting time just before the
        activity. If the block is left by a cancellation the outcome is `cut`, by an error `failed`; after
        NeverHappenedError there is no entry.
        """
        began_s = self.clock.now_s()
        entry = self._entry(kind, began_s, 0.0, **columns)
        key = self.store.open(Intent(entry, uuid.uuid4().hex, worst_usd))
        came_to: dict[str, Any] = {"cost_usd": 0.0}
        try:
            yield came_to
        except asyncio.CancelledError:
            came_to["outcome"] = "cut"
            raise
        except NeverHappenedError:
            self.store.discard(key)
            raise
        except BaseException:
            came_to.setdefault("outcome", "failed")
            raise
        finally:
            self.until_s = self.clock.now_s()
            self.store.settle(key, **{"duration_s": self.until_s - began_s, **came_to})

    def _entry(self, kind: str, started_s: float, duration_s: float, **columns: Any) -> Entry:
        stated = {"queued_s": 0.0, **self._common, **self.place, **columns}
        return Entry(kind=kind, started_s=started_s, duration_s=duration_s, **stated)
