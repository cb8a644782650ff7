"""An agent's submissions: how an idea is sent to the scorer, and what comes back."""

import asyncio
from typing import Final

from simbudget.pilot.agents.allowance import Allowance
from simbudget.pilot.agents.bench import Bench
from simbudget.pilot.agents.diary import Diary, NeverHappenedError
from simbudget.pilot.agents.laboratory import Idea
from simbudget.pilot.agents.notebook import Notebook
from simbudget.pilot.conversation import record_line
from simbudget.pilot.service.client import RefusedError, SiteClient
from simbudget.pilot.service.messages import Submission

_DIGITS: Final = 4
"""Decimals of the parts of a score that the agent is shown."""


class Submissions:
    """The submissions of one agent."""

    def __init__(
        self, site: SiteClient, bench: Bench, notebook: Notebook, diary: Diary, allowance: Allowance
    ) -> None:
        self._site, self._bench, self._notebook = site, bench, notebook
        self._diary, self._allowance = diary, allowance
        self.has_improved: bool | None = None
        """Whether this cycle's last score beat every score that the agent knew of; None before the first."""
        self.best_of_cycle: float | None = None
        """The best score of this cycle."""

    def begin_cycle(self) -> None:
        """Forget the scores of the last cycle."""
        self.has_improved = self.best_of_cycle = None

    async def send_in(self, idea: Idea | None, price_usd: float) -> tuple[str, bool]:
        """Have an idea scored; return the text for the model and whether it is an error.

        Raises:
            StoppedError: the agent has used what it may use.
            CycleOverError: its attempt at a task has.
        """
        if idea is None or idea.answer is None:
            return "there is no answer to score", True
        if idea.score is not None:
            return f"it has been scored already\n{record_line(idea.record())}", False
        experiment = idea.experiment
        submission = Submission(
            method=experiment.method,
            seed=experiment.seed,
            hyperparameters=experiment.hyperparameters,
            code=await self._bench.code_of(idea),
            answer=idea.answer,
        )
        key = f"score-{self._diary.cycle}-{self._diary.session}-{idea.number}-{self._diary.until_s:.3f}"
        while True:
            self._allowance.look()
            try:
                return await self._scored(idea, submission, key, price_usd), False
            except NeverHappenedError as error:
                assert isinstance(error.__cause__, RefusedError)
                refusal = error.__cause__.refusal
                again_s = refusal.retry_after_s
                if again_s is None:
                    return f"the scorer refused it: {refusal.what}", True
                self._diary.close_gap()
                await asyncio.sleep(again_s)
                self._diary.write("wait", name=refusal.reason)

    async def _scored(self, idea: Idea, submission: Submission, key: str, price_usd: float) -> str:
        """Send a submission, record it, and return the reply to the model."""
        diary = self._diary
        diary.close_gap()
        paid = {"component": "scorer"} if price_usd else {}
        began_s = diary.clock.now_s()
        known = self._notebook.best_score()
        with diary.doing("score", price_usd, name=idea.experiment.method, **paid) as came_to:
            try:
                scored = await self._site.submit(submission, key)
            except RefusedError as refused:
                raise NeverHappenedError from refused
            queued_s = scored.queued_s * diary.clock.time_scale
            took_s = diary.clock.now_s() - began_s
            came_to |= {"score": scored.score, "cost_usd": price_usd, "queued_s": queued_s}
            came_to |= {"started_s": began_s + queued_s, "duration_s": max(0.0, took_s - queued_s)}
        idea.score, idea.submission, idea.parts = scored.score, scored.submission, scored.parts
        self.has_improved = known is None or scored.score > known
        self.best_of_cycle = _larger(scored.score, self.best_of_cycle)
        self._notebook.write(idea.record())
        parts = {name: round(value, _DIGITS) for name, value in idea.parts.items()}
        return "\n".join([f"scored: {parts}", record_line(idea.record())])


def _larger(score: float, other: float | None) -> float:
    return score if other is None else max(score, other)
