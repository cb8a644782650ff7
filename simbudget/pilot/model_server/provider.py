"""The provider behind the HTTP interface: which requests it accepts, bills and answers, and how fast."""

import asyncio
import uuid
from dataclasses import dataclass
from typing import Any, Final

from simbudget.engine.laws.calls import back_off_ns
from simbudget.engine.laws.draws import NANOSECOND
from simbudget.engine.lowering.evidence import weigh
from simbudget.pilot.conversation import SUMMARISE
from simbudget.pilot.draws import Draws
from simbudget.pilot.model_server.answers import Size, make_message
from simbudget.pilot.model_server.journal import Journal
from simbudget.pilot.model_server.limits import Limiter
from simbudget.pilot.model_server.prefix_cache import PrefixCache
from simbudget.pilot.model_server.requests import MessageRequest, RequestError
from simbudget.pilot.model_server.researcher import Researcher
from simbudget.pilot.model_server.settings import ModelServerSettings
from simbudget.pilot.model_server.tokens import pieces
from simbudget.scenario.loading import load_scenario
from simbudget.scenario.scenario import Group

_OVERLOADED: Final = 529  # Anthropic's status for a temporary overload
_TOO_MANY: Final = 429


class BusyError(RequestError):
    """A request that should be retried; `retry_after_s` is in real time."""

    def __init__(self, message: str, status: int, kind: str, retry_after_s: float | None) -> None:
        super().__init__(message, status, kind)
        self.retry_after_s = retry_after_s


@dataclass(frozen=True)
class Answer:
    """A message, with the real time until its first token and from the first to the last."""

    message: dict[str, Any]
    first_token_s: float
    writing_s: float


class Provider:
    """One organisation's account with the provider."""

    def __init__(self, settings: ModelServerSettings) -> None:
        """Read the scenario and open the record of billed requests.

        Raises:
            UserError: the scenario is invalid.
        """
        self.settings, self.clock = settings, settings.clock
        self.scenario = weigh(load_scenario(settings.scenario).scenario).scenario
        self.draws = Draws(settings.seed, settings.luck)
        self.journal = Journal(settings.journal)
        self.researcher = Researcher(self.scenario, self.draws, settings.hacks, settings.hack_rate)
        self._limiters = {
            model: Limiter(api.requests_per_min, api.input_tokens_per_min, api.output_tokens_per_min)
            for model, api in [("", self.scenario.api), *self.scenario.api.models.items()]
        }
        """By model; those without limits of their own share the first."""
        self._error_rate = self.draws.value(self.scenario.api.error_rate)
        self._cache = PrefixCache()
        self._attempts: dict[str, int] = {}

    async def answer(self, request: MessageRequest, name: str | None, retries: int) -> Answer:
        """Answer a request, which is billed first.

        Args:
            request: the request.
            name: its idempotency key; None for a random one.
            retries: how often the client has sent it before.

        Raises:
            RequestError: the request is invalid.
            BusyError: the request should be retried later.
        """
        if request.model not in self.scenario.models:
            raise RequestError(f"model: {request.model}", 404, "not_found_error")
        name = name or uuid.uuid4().hex
        known = self.journal.find(name)
        if known is not None:
            if not known:
                raise RequestError("this request was given up and closed", 409, "invalid_request_error")
            return Answer(known, 0.0, 0.0)
        now_s = self.clock.now_s()
        prompt = pieces(request)
        usage, counted = self._cache.look(prompt, now_s)
        del usage
        size, is_named = self._size(request), request.user or "anonymous"
        limiter = self._limiter(request.model)
        self._let_through(limiter, counted, size.output_tokens + size.thinking_tokens, now_s)
        attempt = self._attempts[is_named] = self._attempts.get(is_named, self.journal.count(is_named)) + 1
        first_token_s = self._first_token_s(request.model, is_named, attempt)
        if self.draws.chance("error", is_named, attempt) < self._error_rate:
            await asyncio.sleep(first_token_s)
            raise self._overloaded(retries)
        move = self.researcher.move(request, self._group_number(request))
        message = make_message(move, size, request.model, self._cache.use(prompt, now_s), name)
        self.journal.write(name, is_named, now_s, message)
        speed = self.draws.value(self.scenario.models[request.model].output_speed, is_named, attempt)
        writing_s = message["usage"]["output_tokens"] / speed
        return Answer(message, first_token_s, self.clock.wall_s(writing_s))

    def headers(self, model: str = "") -> dict[str, str]:
        """Return the headers that report the rate limits of a model, or those that models share."""
        return self._limiter(model).headers(self.clock.now_s(), self.clock.time_scale)

    def _limiter(self, model: str) -> Limiter:
        return self._limiters.get(model, self._limiters[""])

    def _let_through(self, limiter: Limiter, input_tokens: int, output_tokens: int, now_s: float) -> None:
        wait_s, limit = limiter.wait_s(input_tokens, output_tokens, now_s)
        if wait_s > 0:
            raise BusyError(
                f"This request would exceed your organization's rate limit of {limit.replace('-', ' ')} per minute",
                _TOO_MANY,
                "rate_limit_error",
                self.clock.wall_s(wait_s),
            )
        limiter.take(input_tokens, output_tokens, now_s)

    def _overloaded(self, retries: int) -> BusyError:
        """Return an overload error; unless in real time, it asks the SDK to back off at the run's pace."""
        back_off_s = back_off_ns(retries + 1) / NANOSECOND
        wait_s = None if self.clock.time_scale == 1.0 else self.clock.wall_s(back_off_s)
        return BusyError("Overloaded", _OVERLOADED, "overloaded_error", wait_s)

    def _first_token_s(self, model: str, user: str, attempt: int) -> float:
        return self.clock.wall_s(self.draws.value(self.scenario.models[model].first_token, user, attempt))

    def _size(self, request: MessageRequest) -> Size:
        """Return the length of the answer: the scenario's, for the kind of request."""
        user = request.user or "anonymous"
        billed = self.journal.count(user)
        group = self._group(request)
        last = request.messages[-1].content
        text = last if isinstance(last, str) else "".join(getattr(block, "text", "") for block in last)
        choice = request.tool_choice.name if request.tool_choice else None
        if SUMMARISE in text:
            return Size(
                self.draws.count(group.context.compacted_to_tokens, user, billed), 0, request.max_tokens
            )
        if choice == "post":
            return Size(
                self.draws.count(self.scenario.forum.post_tokens, user, billed), 0, request.max_tokens
            )
        output = self.draws.count(group.turn.output_tokens, user, billed)
        thinks = request.thinking is not None and request.thinking.type != "disabled"
        thinking = self.draws.count(group.turn.thinking_tokens, user, billed) if thinks else 0
        return Size(output, thinking, request.max_tokens)

    def _group(self, request: MessageRequest) -> Group:
        return self.scenario.fleet[self._group_number(request)]

    def _group_number(self, request: MessageRequest) -> int:
        return self.settings.users.get(request.user, 0)
