"""The board: what has been submitted, scored, reviewed and tried at gates in one run, and what that costs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from simpy.events import AllOf, Process

from simbudget.engine.laws.accounts import GATES, REVIEW, is_reached
from simbudget.engine.laws.gates import (
    FOR_EVER_NS,
    PRICE,
    appears,
    find_finalists,
    gates_begin_ns,
    is_admitted,
    rank_finalists,
    try_at_gate,
)
from simbudget.engine.laws.notebook import (
    AUTHOR,
    BLAMED,
    IMPROVED_NS,
    IS_ASKED,
    IS_LATE,
    LEADS,
    NOBODY,
    REVIEW_STARTS_NS,
    REVIEWED_NS,
    SCORE,
    SCORED_NS,
    SUBMISSIONS,
    best_known,
    empty_notebook,
    learn,
    report,
    with_room,
)
from simbudget.engine.laws.research import submit
from simbudget.engine.laws.review import LEADERS, is_chosen, review, review_cost_usd
from simbudget.engine.program import NONE
from simbudget.engine.reference.scheduling import Happens, Phase, Pool

if TYPE_CHECKING:
    from simbudget.engine.reference.site import Site

_ROOM = 64
"""Number of submissions that there is room for at the start; the room doubles when it is full."""


class Board:
    """The board of one run, and its consequences for money and for the end of the run."""

    def __init__(self, site: Site) -> None:
        program = site.program
        self._site = site
        self.is_on = bool(program.research.is_on)
        key = site.key
        self.lab = program.lab(site.rows, key.seed, key.world, key.replication)
        self.notebook = empty_notebook(
            program.agent_directions, program.direction_keys, program.reviewers, _ROOM
        )
        self.concluded_ns = 0
        """When the last review and the last try at a gate have ended."""
        self._reviewers = Pool(site.clock, program.reviewers)
        self._reviews: list[Process] = []
        """Reviews by a model that are not over."""
        self._awaiting_gates: set[int] = set()
        """Finalists that are tried at the gates as soon as their reviews are over."""
        self.review_by_model: Callable[[int, Pool], Happens] | None = None
        """Reviews a submission by a model; set by `run`."""
        self.end_run: Callable[[], None] = lambda: None
        """Ends the run; set by `run`."""

    def begin(self) -> None:
        """Let the run end when nothing improves for too long from its start on."""
        if self.is_on and self._site.program.settings.no_improvement_ns:
            self._await_improvement()

    def best_known(self, agent: int) -> int:
        """Return the best submission that an agent knows of and that stands, or NOBODY.

        Args:
            agent: the number of the agent.
        """
        return best_known(self.notebook, agent, self._site.clock.now) if self.is_on else NOBODY

    def submit(self, agent: int, number: int, asked_ns: int, parent: int | None) -> tuple[float, bool | None]:
        """Score an agent's submission that was made at `asked_ns`, and do what follows from it.

        Args:
            agent: the number of the agent.
            number: the number of the submission among the agent's.
            asked_ns: when it was submitted, in nanoseconds.
            parent: the submission that the idea builds on; None: the best that the agent knows of.

        Returns:
            The score, and whether it beats all that the agent knew of; NaN and None where nothing is scored.
        """
        if not self.is_on:
            return float("nan"), None
        lab, now_ns = self.lab, self._site.clock.now
        self.notebook = notebook = with_room(self.notebook)
        if parent is None:
            parent = best_known(notebook, agent, now_ns)
        # As the agent knew it when it submitted: what has been struck since was still a bar to beat.
        bar = best_known(notebook, agent, asked_ns)
        submission = submit(lab, notebook, agent, number, parent, now_ns)
        is_finalist = appears(lab, notebook, submission)
        to_review = is_chosen(lab, notebook, submission) or (
            is_finalist and lab.research.review_of == LEADERS
        )
        if is_finalist:
            self._awaiting_gates.add(submission)
        if to_review and self._is_reviewed_by_model:
            self._ask_for_review(submission)
        else:
            if to_review:
                review(lab, notebook, submission, now_ns)
                self._pay_review(submission)
            self.is_reviewed(submission)
        row = notebook.submissions[submission]
        score = float(notebook.worths[submission, SCORE])
        self._stop(score, bool(row[LEADS]))
        return score, bar == NOBODY or score > float(notebook.worths[bar, SCORE])

    def is_reviewed(self, submission: int) -> None:
        """Try a finalist at the gates now that its review is over, if it is to be tried as it appears.

        Args:
            submission: the number of the submission.
        """
        row = self.notebook.submissions[submission]
        self.concluded_ns = max(self.concluded_ns, int(row[REVIEWED_NS]))
        if submission in self._awaiting_gates and not row[BLAMED]:
            self._try([submission], max(self._site.clock.now, int(row[REVIEWED_NS])))
        self._awaiting_gates.discard(submission)

    @property
    def _is_reviewed_by_model(self) -> bool:
        return self._site.program.settings.reviewer != NONE

    def _ask_for_review(self, submission: int) -> None:
        """Let a model review a submission in its turn."""
        assert self.review_by_model is not None
        self._reviews.append(self._site.clock.process(self.review_by_model(submission, self._reviewers)))
        self.notebook.submissions[submission, IS_ASKED] = 1

    def _await_reviews(self) -> None:
        """Run the clock until every review by a model is over, including those of finalists that had none."""
        clock, lab = self._site.clock, self.lab
        while True:
            if self._reviews:
                clock.run(until=AllOf(clock, self._reviews))
                self._reviews.clear()
            if len(lab.gates) and lab.research.review_of == LEADERS:
                ranked = rank_finalists(lab, self.notebook, FOR_EVER_NS, FOR_EVER_NS)
                for submission in map(int, self.notebook.ranking[:ranked]):
                    if not self.notebook.submissions[submission, IS_ASKED]:
                        self.notebook.submissions[submission, IS_LATE] = 1
                        self._ask_for_review(submission)
            if not self._reviews:
                return

    def report(self, agent: int) -> int:
        """Return the submission that an agent's post reports, or NOBODY.

        Args:
            agent: the number of the agent.
        """
        return report(self.notebook, agent) if self.is_on else NOBODY

    def learn(self, agent: int, submissions: list[int]) -> None:
        """Let an agent remember the submissions reported by the posts that it has read.

        Args:
            agent: the number of the agent.
            submissions: what the posts that it has read report.
        """
        if self.is_on:
            for submission in submissions:
                learn(self.notebook, agent, submission, self._site.clock.now)

    def conclude(self) -> None:
        """Review the finalists of a run that has ended, and try at the gates those that have not been."""
        if not self.is_on:
            return
        ended_ns = self._site.clock.now
        if self._is_reviewed_by_model:
            self._await_reviews()
            count = rank_finalists(self.lab, self.notebook, FOR_EVER_NS, FOR_EVER_NS)
        elif len(self.lab.gates):
            count = find_finalists(self.lab, self.notebook, ended_ns)
            for submission in range(self.notebook.counts[SUBMISSIONS]):
                if self.notebook.submissions[submission, IS_LATE]:
                    self._pay_review(submission)
        else:
            return
        chosen = [int(submission) for submission in self.notebook.ranking[:count]]
        self._try(chosen, gates_begin_ns(self.notebook, ended_ns))

    def _stop(self, score: float, leads: bool) -> None:
        """End the run if the target is reached; wait for the next improvement if this was one."""
        if score >= self._site.program.target_score:
            self._at_horizon(0, lambda: True)
        elif leads and self._site.program.settings.no_improvement_ns:
            self._await_improvement()

    def _await_improvement(self) -> None:
        # The check compares with the time of this improvement, so a later one makes it void.
        since_ns = self._site.clock.now
        wait_ns = self._site.program.settings.no_improvement_ns
        self._at_horizon(wait_ns, lambda: bool(self.notebook.counts[IMPROVED_NS] == since_ns))

    def _at_horizon(self, wait_ns: int, still: Callable[[], bool]) -> None:
        """End the run after a while, if something is still so."""
        event = self._site.clock.after(wait_ns, Phase.HORIZON)
        assert event.callbacks is not None
        event.callbacks.append(lambda _: self.end_run() if still() else None)

    def _pay_review(self, submission: int) -> None:
        site, row = self._site, self.notebook.submissions[submission]
        starts_ns, ends_ns = int(row[REVIEW_STARTS_NS]), int(row[REVIEWED_NS])
        cost_usd = review_cost_usd(self.lab, self.notebook, submission) * site.charged[REVIEW]
        site.accounts.pay_for_time(REVIEW, cost_usd, starts_ns, ends_ns)
        self.concluded_ns = max(self.concluded_ns, ends_ns)
        columns = {
            "queued_ns": starts_ns - int(row[SCORED_NS]),
            "score": float(self.notebook.worths[submission, SCORE]),
            "outcome": "blamed" if row[BLAMED] else "ok",
            **({"component": "review", "cost_usd": cost_usd} if cost_usd else {}),
        }
        site.record.add(int(row[AUTHOR]), "review", starts_ns, ends_ns, columns)

    def _try(self, chosen: list[int], starts_ns: int) -> None:
        """Try submissions at gate after gate, side by side at each, as far as the budget goes."""
        site, lab = self._site, self.lab
        for gate in range(len(lab.gates)):
            ends_ns = starts_ns
            for submission in chosen:
                if is_reached(site.program.budget_usd, site.accounts.spent_usd):
                    return
                if is_admitted(lab, self.notebook, submission, gate):
                    ends_ns = max(ends_ns, starts_ns + self._try_at(submission, gate, starts_ns))
            starts_ns = ends_ns

    def _try_at(self, submission: int, gate: int, starts_ns: int) -> int:
        """Try a submission at a gate, and return how long that takes."""
        site = self._site
        price_usd = site.fact(int(self.lab.gates[gate, PRICE])) * site.charged[GATES]
        measured, duration_ns, passes = try_at_gate(self.lab, self.notebook, submission, gate)
        site.accounts.pay_at(GATES, price_usd, starts_ns)
        self.concluded_ns = max(self.concluded_ns, starts_ns + duration_ns)
        columns = {
            "turn": gate,
            "score": measured,
            "outcome": "ok" if passes else "failed",
            **({"component": "gates", "cost_usd": price_usd} if price_usd else {}),
        }
        author = int(self.notebook.submissions[submission, AUTHOR])
        site.record.add(author, "gate", starts_ns, starts_ns + duration_ns, columns)
        return duration_ns
