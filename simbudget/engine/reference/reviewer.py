"""Reviews by a model: one call for each submission, a limited number at a time; no agent waits for them."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

import numpy as np

from simbudget.engine.laws.notebook import AUTHOR, NUMBER, SCORE
from simbudget.engine.laws.review import note_review, review_key, takes_for_hack
from simbudget.engine.laws.work import draw_judge_call
from simbudget.engine.reference.accounts import BudgetReachedError
from simbudget.engine.reference.calls import Caller, Line, Terms
from simbudget.engine.reference.clock import Happens
from simbudget.engine.reference.limits import Usage
from simbudget.engine.reference.pool import Pool, holding
from simbudget.engine.reference.record import EntryInTheMaking
from simbudget.ledger.entry import COMPONENTS

if TYPE_CHECKING:
    from simbudget.engine.reference.site import Site


def review_by_model(site: Site, submission: int, reviewers: Pool) -> Happens:
    """Let a model review a submission when it is its turn."""
    yield from Reviewer(site, submission).reviews(reviewers)


class Reviewer(Caller):
    """A model that reviews one submission."""

    component = COMPONENTS.index("review")

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
        """Review the submission when it is its turn; the budget may not allow it, and then there is no review."""
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
        """Note nothing: a review is no agent's time."""

    def entry(self, kind: str, **columns: object) -> EntryInTheMaking:
        """Return the context manager that records what happens within it as one entry of the author's."""
        found: dict[str, object] = {}
        if "outcome" not in columns:  # the call that succeeds, with which the verdict comes
            board, submission = self._board, self._submission
            blames = takes_for_hack(board.lab, board.notebook, submission)
            score = float(board.notebook.worths[submission, SCORE])
            found = {"score": score, "outcome": "blamed" if blames else "ok"}
        return self.site.record.entry(self.number, kind, {**found, **columns})
