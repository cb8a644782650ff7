"""Models that assess submissions: the scorer's judge, and reviewers. Each call stands alone and is seen by no agent."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

import numpy as np

from simbudget.engine.laws.accounts import REVIEW, SCORER
from simbudget.engine.laws.notebook import AUTHOR, NUMBER, SCORE
from simbudget.engine.laws.review import note_review, review_key, takes_for_hack
from simbudget.engine.laws.work import draw_judge_call, draw_judging, judge_key
from simbudget.engine.reference.accounts import BudgetReachedError, Usage
from simbudget.engine.reference.calls import Caller, Line, Terms
from simbudget.engine.reference.records import OpenEntry
from simbudget.engine.reference.scheduling import Happens, Pool, holding

if TYPE_CHECKING:
    from simbudget.engine.reference.agent import Agent
    from simbudget.engine.reference.site import Site


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

        Args:
            submission: the number of the submission among the agent's.

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
        """Note what the judge does: the agent is being scored, or waits for the provider.

        Args:
            activity: one of `ACTIVITIES`.
        """
        self._agent.does("scoring" if activity == "model" else activity)

    def entry(self, kind: str, **columns: object) -> OpenEntry:
        """Return the context manager that records what happens within it as one entry of the agent's.

        Args:
            kind: the kind of entry, see `ledger.entry`.
            **columns: further columns of `Entry`, by name.
        """
        place = {"cycle": self._agent.cycle, "session": -1, "turn": -1, "name": "judge"}
        return self.site.record.entry(self.number, kind, {**place, **self._agent.task, **columns})


def review_by_model(site: Site, submission: int, reviewers: Pool) -> Happens:
    """Let a model review a submission when it is its turn.

    Args:
        site: what the run shares.
        submission: the number of the submission.
        reviewers: the models that may review at the same time.
    """
    yield from Reviewer(site, submission).reviews(reviewers)


class Reviewer(Caller):
    """A model that reviews one submission."""

    component = REVIEW

    def __init__(self, site: Site, submission: int) -> None:
        row, program = site.board.notebook.submissions[submission], site.program
        self.site, self.number = site, int(row[AUTHOR])
        self.sessions, self.usage = count(), Usage(site.clock)  # no agent's own
        run = (site.key.seed, site.key.world, site.key.replication)
        of_author = np.array([*run, program.agent_keys[self.number]], dtype=np.int64)
        self.stream = np.array([*run, review_key(of_author, int(row[NUMBER]))], dtype=np.int64)
        group_number = int(program.agent_groups[self.number])
        of_group = Terms.of(site, program.groups[group_number])
        terms = Terms(site.clients[program.settings.reviewer], of_group.turn, of_group.context)
        self.line = Line(self, group_number, terms)
        self._board, self._submission = site.board, submission

    def reviews(self, reviewers: Pool) -> Happens:
        """Review the submission when it is its turn; the budget may not allow it, and then there is no review.

        Args:
            reviewers: the models that may review at the same time.
        """
        site, settings = self.site, self.site.program.settings
        tokens = draw_judge_call(
            site.rows, site.program.table, settings.review_input, settings.review_output, self.stream, 0
        )
        with holding(reviewers) as turn:
            yield turn
            starts_ns = site.clock.now
            try:
                yield from self.line.call_alone("review", *tokens)
            except BudgetReachedError:
                return
        note_review(self._board.lab, self._board.notebook, self._submission, starts_ns, site.clock.now)
        self._board.is_reviewed(self._submission)

    def look(self) -> None:
        """Look at the budget before a call is made."""
        self.site.accounts.look()

    def does(self, activity: str) -> None:
        """Do nothing: a review takes no agent's time.

        Args:
            activity: one of `ACTIVITIES`.
        """

    def entry(self, kind: str, **columns: object) -> OpenEntry:
        """Return the context manager that records what happens within it as one entry of the author's.

        Args:
            kind: the kind of entry, see `ledger.entry`.
            **columns: further columns of `Entry`, by name.
        """
        found: dict[str, object] = {}
        if "outcome" not in columns:  # the call that succeeds, with which the verdict comes
            board, submission = self._board, self._submission
            blames = takes_for_hack(board.lab, board.notebook, submission)
            score = float(board.notebook.worths[submission, SCORE])
            found = {"score": score, "outcome": "blamed" if blames else "ok"}
        return self.site.record.entry(self.number, kind, {**found, **columns})
