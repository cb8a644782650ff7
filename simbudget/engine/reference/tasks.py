"""The tasks of a run: who is at which, who waits for one, and what comes of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from simpy.events import Event

from simbudget.engine.laws.tasks import (
    NO_TASK,
    all_is_done,
    attempt_solves,
    empty_task_list,
    end_attempt,
    may_be_returned,
    note_money,
    take_task,
)
from simbudget.engine.reference.clock import Happens, Phase
from simbudget.engine.reference.limits import Limits, Usage

if TYPE_CHECKING:
    from simbudget.engine.reference.site import Site


@dataclass(frozen=True)
class Attempt:
    """An attempt at a task that is under way."""

    task: int
    number: int
    """Of the task's attempts, from 0."""
    limits: Limits


class Tasks:
    """The tasks of one run, which agents take one at a time."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._terms = site.program.tasks
        self.are_given = self._terms.total > 0
        self.list = empty_task_list(max(1, self._terms.total))
        self._waiting: dict[int, Event] = {}
        """By the numbers of the agents that wait for a task."""
        self.end_run: Callable[[], None] = lambda: None
        """Ends the run; set by `run`."""

    @property
    def may_become_free(self) -> bool:
        """Return whether a task that somebody is at can be taken again if the attempt does not solve it."""
        return bool(may_be_returned(self.list))

    def take(self, usage: Usage) -> Attempt | None:
        """Begin an attempt at the next task; None if none can be taken now."""
        terms = self._terms
        task = take_task(self.list, terms.attempts, terms.takes_all)
        if task == NO_TASK:
            return None
        quantities = (terms.time, terms.spend, terms.tokens, terms.turns)
        limits = Limits(usage, self._site.rows, quantities, self._site.clock.now)
        return Attempt(task, int(self.list.begun[task]) - 1, limits)

    def wait(self, agent: int) -> Happens:
        """Wait until an attempt has ended, and it is the agent's turn to ask again."""
        self._waiting[agent] = Event(self._site.clock)
        try:
            yield self._waiting[agent]
        finally:
            self._waiting.pop(agent, None)

    def end(self, attempt: Attempt, is_whole: bool) -> None:
        """Note the end of an attempt, which may have solved its task if it is whole, and let others ask anew."""
        site, terms = self._site, self._terms
        key = np.array([site.key.seed, site.key.world, site.key.replication], dtype=np.int64)
        solves = is_whole and attempt_solves(site.rows, terms, key, attempt.task, attempt.number)
        if end_attempt(self.list, terms, attempt.task, solves, attempt.limits.spent_usd):
            note_money(self.list, site.accounts.total_usd())
        for agent, event in self._waiting.items():
            if not event.triggered:
                site.clock.after(0, Phase.ASK, agent, event=event)
        if all_is_done(self.list):
            over = site.clock.after(0, Phase.HORIZON)
            assert over.callbacks is not None
            over.callbacks.append(lambda _: self.end_run())
