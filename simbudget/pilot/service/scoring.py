"""The scoring server: quotas and cool-downs, the queue for its servers, and the rounding of scores."""

import asyncio
import hashlib
import math
import time
from collections import defaultdict

from simbudget.pilot.sandbox.slots import SlotPool
from simbudget.pilot.service.messages import Refusal, Scored, Standing, Submission
from simbudget.pilot.service.refusals import RefusedRequest
from simbudget.pilot.service.settings import ServiceSettings
from simbudget.pilot.service.store import Store, SubmissionRow
from simbudget.pilot.tasks.task import MalformedAnswerError, Score, Scorer

_TOO_MANY = 429
_MALFORMED = 422
_CONFLICT = 409
_NOT_FOUND = 404


def digest(request: str) -> str:
    """Return the hash by which a repeated request is recognised."""
    return hashlib.sha256(request.encode()).hexdigest()


def replied(store: Store, agent: int, key: str, request: str) -> str | None:
    """Return the reply already given to a key, or None.

    Args:
        store: the service's storage.
        agent: the agent that sent the request.
        key: its idempotency key.
        request: the request, as JSON.

    Raises:
        RefusedRequest: the key was used for another request.
    """
    found = store.reply_to(agent, key)
    if found is None:
        return None
    if found[0] != digest(request):
        what = f"the key {key!r} belongs to another request; use a new key for a new request"
        raise RefusedRequest(_CONFLICT, Refusal(reason="key used for something else", what=what))
    return found[1]


class ScoringServer:
    """Scores submissions. An agent's submissions are handled one at a time, so that none exceeds the quota."""

    def __init__(self, settings: ServiceSettings, store: Store, scorer: Scorer) -> None:
        self._settings = settings
        self._store = store
        self._scorer = scorer
        self._servers = SlotPool(settings.servers)
        self._turns: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._first_start_s = store.first_start_s()

    async def submit(self, agent: int, submission: Submission, key: str) -> str:
        """Score a submission, and return the reply as JSON.

        Raises:
            RefusedRequest: the submission is not allowed or malformed; nothing was changed.
        """
        request = submission.model_dump_json()
        async with self._turns[agent]:
            known = replied(self._store, agent, key, request)
            if known is not None:
                return known
            self._check(agent, submission)
            score, queued_s, scoring_s = await self._score(submission)
            return self._keep(agent, submission, (key, request), score, (queued_s, scoring_s))

    def _check(self, agent: int, submission: Submission) -> None:
        """Raise RefusedRequest if the agent may not submit this now."""
        if self._store.source(submission.code) is None:
            what = f"the code store has no {submission.code}; store the source before submitting"
            raise RefusedRequest(_NOT_FOUND, Refusal(reason="no such code", what=what))
        now = time.time()
        left, wait_s = self._left(agent, now), self._cool_down_left_s(agent, now)
        if left == 0:
            what = f"all {self._settings.quota} submissions of this period have been used"
            raise RefusedRequest(
                _TOO_MANY,
                Refusal(reason="quota used up", what=what, retry_after_s=self._next_period_s(now)),
            )
        if wait_s > 0:
            what = f"the next submission is allowed in {wait_s:.3g} s"
            raise RefusedRequest(_TOO_MANY, Refusal(reason="cool-down", what=what, retry_after_s=wait_s))

    async def _score(self, submission: Submission) -> tuple[Score, float, float]:
        """Return the score, the waiting time and the scoring time, in seconds."""
        async with self._servers.hold() as queued_s:
            began = time.monotonic()
            try:
                score = await asyncio.to_thread(self._scorer.score, submission.answer)
            except MalformedAnswerError as error:
                raise RefusedRequest(_MALFORMED, Refusal(reason="malformed", what=str(error))) from error
            await asyncio.sleep(max(0.0, self._settings.scoring_s - (time.monotonic() - began)))
            return score, queued_s, time.monotonic() - began

    def _keep(
        self,
        agent: int,
        submission: Submission,
        keyed: tuple[str, str],
        score: Score,
        times_s: tuple[float, float],
    ) -> str:
        """Store the submission and the reply in one transaction; return the reply."""
        now, (key, request) = time.time(), keyed
        digits = self._settings.digits
        with self._store.change():
            number = self._store.next_submission()
            self._store.add_submission(
                SubmissionRow(
                    number=number,
                    agent=agent,
                    submitted_at_s=now,
                    method=submission.method,
                    seed=submission.seed,
                    hyperparameters=submission.hyperparameters,
                    code=submission.code,
                    answer=submission.answer,
                    score=score.value,
                    parts=score.parts,
                    shown_score=round(score.value, digits),
                    majority_share=self._scorer.majority_share(submission.answer),
                )
            )
            reply = Scored(
                submission=number,
                score=round(score.value, digits),
                parts={name: round(part, digits) for name, part in score.parts.items()},
                queued_s=times_s[0],
                scoring_s=times_s[1],
                left_in_quota=self._left(agent, now),
                next_allowed_s=self._next_allowed_s(agent, now),
            ).model_dump_json()
            self._store.keep_reply(agent, key, digest(request), reply)
        return reply

    def standing(self, agent: int) -> Standing:
        """Return the record of an agent."""
        now = time.time()
        return Standing(
            agent=agent,
            submissions=self._store.count_since(agent, 0.0),
            left_in_quota=self._left(agent, now),
            next_allowed_s=self._next_allowed_s(agent, now),
            best_score=self._store.best_shown(agent),
        )

    def _left(self, agent: int, now_s: float) -> int | None:
        """Return the number of submissions that an agent has left in this period."""
        if self._settings.quota is None:
            return None
        period_s = self._settings.quota_period_s
        began_s = self._first_start_s + math.floor((now_s - self._first_start_s) / period_s) * period_s
        return max(0, self._settings.quota - self._store.count_since(agent, began_s))

    def _next_period_s(self, now_s: float) -> float:
        """Return the seconds until the next period of the quota begins."""
        return self._settings.quota_period_s - (now_s - self._first_start_s) % self._settings.quota_period_s

    def _cool_down_left_s(self, agent: int, now_s: float) -> float:
        """Return the seconds left of an agent's cool-down."""
        last_s = self._store.last_submission_s(agent)
        return 0.0 if last_s is None else max(0.0, self._settings.cool_down_s - (now_s - last_s))

    def _next_allowed_s(self, agent: int, now_s: float) -> float:
        """Return the seconds until an agent may submit again."""
        wait_s = self._cool_down_left_s(agent, now_s)
        return max(wait_s, self._next_period_s(now_s)) if self._left(agent, now_s) == 0 else wait_s
