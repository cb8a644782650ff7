"""Sub-agents: what an agent delegates, side by side, to callers with contexts of their own."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import numpy as np
from simpy.events import AllOf, Event
from simpy.exceptions import Interrupt

from simbudget.engine.laws.calls import draw_returned, draw_sub_agents, sub_agent_key
from simbudget.engine.laws.draws import Integers
from simbudget.engine.laws.work import draw_turns
from simbudget.engine.program import StepRow
from simbudget.engine.reference.accounts import BudgetReachedError
from simbudget.engine.reference.calls import Caller, Line, Terms
from simbudget.engine.reference.records import OpenEntry
from simbudget.engine.reference.scheduling import Happens

if TYPE_CHECKING:
    from simbudget.engine.reference.agent import Agent


def delegate(agent: Agent, step: StepRow, work: Integers) -> Happens:
    """Start sub-agents, and go on when the last of them has ended; what they return joins the agent's context.

    Args:
        agent: the agent.
        step: the step's row.
        work: what the laws of work look up for the step.
    """
    site = agent.site
    count = draw_sub_agents(
        site.rows, site.program.table, step.sub_agents, agent.stream, step.work.purpose, agent.cycle
    )
    team = Team(agent, step, work, count)
    if count == 0:
        return
    working = [site.clock.process(sub_agent.works()) for sub_agent in team.sub_agents]
    try:
        yield AllOf(site.clock, working)
    except Interrupt as interrupt:
        team.breaks_up()
        for process in working:
            if process.is_alive:
                process.interrupt(interrupt.cause)
        raise
    agent.line.context.tokens += sum(sub_agent.returned_tokens() for sub_agent in team.sub_agents)


class Team:
    """The sub-agents of one step: the agent does what at least one of them does."""

    def __init__(self, agent: Agent, step: StepRow, work: Integers, count: int) -> None:
        terms = Terms.of(agent.site, agent.group, step)
        self.agent = agent
        self._activities = count * ["waiting_api"]
        self._is_broken_up = False
        self.sub_agents = [SubAgent(self, number, step, work, terms) for number in range(count)]
        agent.delegations += 1

    def does(self, number: int, activity: str) -> None:
        """Switch a sub-agent's activity; none once it has ended.

        Args:
            number: which of the sub-agents it is, from 0.
            activity: one of `ACTIVITIES`; empty: it has ended.
        """
        self._activities[number] = activity
        doing = set(self._activities) - {""}
        if not doing or self._is_broken_up:
            return
        if "model" in doing:
            self.agent.does("model")
        else:
            self.agent.does("waiting_api" if doing == {"waiting_api"} else "tool")

    def breaks_up(self) -> None:
        """Stop showing the sub-agents' activities as the agent's."""
        self._is_broken_up = True


class SubAgent(Caller):
    """One of the sub-agents of a step."""

    def __init__(self, team: Team, number: int, step: StepRow, work: Integers, terms: Terms) -> None:
        agent = team.agent
        self.site, self.number, self.place = agent.site, agent.number, number
        self.sessions, self.usage = agent.sessions, agent.usage
        key = sub_agent_key(agent.stream, agent.delegations, number)
        self.stream = np.array([*agent.stream[:3], key], dtype=np.int64)
        self.line = Line(self, agent.group_number, terms)
        self._team, self._step, self._work = team, step, work
        self._cycle, self._task = agent.cycle, agent.task

    def works(self) -> Generator[Event, Any, None]:
        """Make the turns of the step in a separate context, until all are made or the budget is reached."""
        site = self.site
        self.line.open_context()
        turns = draw_turns(site.rows, site.program.table, self._work, self.stream, 0)
        try:
            for _ in range(turns):
                yield from self.line.turn()
        except BudgetReachedError:  # it ends, and its agent finds out for itself
            pass
        except Interrupt:  # of its agent, which has crashed or ended
            return
        self.does("")

    def returned_tokens(self) -> int:
        """Return what of its work joins the agent's context."""
        site, step = self.site, self._step
        return draw_returned(site.rows, site.program.table, step.returns, self.stream, step.work.purpose, 0)

    def look(self) -> None:
        """Look at the budget and at what limits its agent."""
        self._team.agent.look()

    def does(self, activity: str) -> None:
        """Switch the sub-agent's activity.

        Args:
            activity: one of `ACTIVITIES`; empty: it has ended.
        """
        self._team.does(self.place, activity)

    def entry(self, kind: str, **columns: object) -> OpenEntry:
        """Return the context manager that records what happens within it as one entry of the agent's.

        Args:
            kind: the kind of entry, see `ledger.entry`.
            **columns: further columns of `Entry`, by name.
        """
        context = self.line.context
        place = {"cycle": self._cycle, "session": context.session, "turn": context.turns - 1}
        names = {"name": f"sub-agent {self.place + 1}", "parent": f"agent {self.number}"}
        return self.site.record.entry(self.number, kind, {**place, **names, **self._task, **columns})
