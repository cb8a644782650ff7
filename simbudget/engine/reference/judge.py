"""The judge of an agent's submissions: a model that scores each with calls of its own, one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from simbudget.engine.laws.work import draw_judge_call, draw_judging, judge_key
from simbudget.engine.reference.calls import Caller, Line, Terms
from simbudget.engine.reference.clock import Happens
from simbudget.engine.reference.record import EntryInTheMaking
from simbudget.engine.reference.site import SCORER

if TYPE_CHECKING:
    from simbudget.engine.reference.agent import Agent


class Judge(Caller):
    """The judge of one agent's submissions; while it is at work the agent waits for the score."""

    component = SCORER

    def __init__(self, agent: Agent) -> None:
        site = agent.site
        self.site, self.number = site, agent.number
        self.sessions, self.usage = agent.sessions, agent.usage
        self.stream = np.array([*agent.stream[:3], judge_key(agent.stream)], dtype=np.int64)
        of_group = Terms.of(site, agent.group)
        terms = Terms(site.clients[site.program.settings.judge], of_group.turn, of_group.context)
        self.line = Line(self, agent.group_number, terms)
        self._agent = agent
        self._calls = 0

    def judges(self, submission: int) -> Happens:
        """Make the calls for one submission.

        Raises:
            BudgetReachedError: the budget does not allow one of them.
        """
        site, settings = self.site, self.site.program.settings
        rows, table = site.rows, site.program.table
        for _ in range(draw_judging(rows, table, settings.judge_calls, self.stream, submission)):
            input_tokens, output_tokens = draw_judge_call(
                rows, table, settings.judge_input, settings.judge_output, self.stream, self._calls
            )
            self._calls += 1
            yield from self.line.call_alone("judge", input_tokens, output_tokens)

    def look(self) -> None:
        """Look at what limits the agent before a call is made."""
        self._agent.look()

    def does(self, activity: str) -> None:
        """Note what the judge does: the agent is being scored, or waits for the provider."""
        self._agent.does("scoring" if activity == "model" else activity)

    def entry(self, kind: str, **columns: object) -> EntryInTheMaking:
        """Return the context manager that records what happens within it as one entry of the agent's."""
        place = {"cycle": self._agent.cycle, "session": -1, "turn": -1, "name": "judge"}
        return self.site.record.entry(self.number, kind, {**place, **self._agent.task, **columns})
