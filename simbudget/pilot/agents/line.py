"""An agent's calls to its model, through the budget guard, each repeated until it is answered."""

import asyncio
import time
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from typing import Any, Final, cast

import anthropic
from anthropic.types import Message

from simbudget.guard import BudgetGuard, UnboundedCostError
from simbudget.ledger.store import CapReachedError
from simbudget.pilot.agents.allowance import StoppedError
from simbudget.pilot.agents.conversation import Block, Conversation
from simbudget.pilot.agents.diary import Diary
from simbudget.pilot.agents.settings import AgentSettings
from simbudget.pilot.draws import Draws
from simbudget.pilot.rates import called_as
from simbudget.scenario.language.quantities import Quantity
from simbudget.scenario.scenario import Group, Scenario

_WAITS_FOR_OTHERS_S: Final = 0.25
"""Real time between two attempts while other agents' reservations have yet to be settled."""
_GIVES_UP_AFTER: Final = 20
"""Consecutive failures, each after all retries of the SDK, after which the provider counts as gone."""
_GRACE_S: Final = 120.0
"""Real time that a call in flight gets to finish when its agent is stopped, and that a call waits for budget which
other calls may release."""
_SMALLEST_OUTPUT: Final = 1024
"""Room for a tool call, however short the scenario's answers are."""
_LARGEST_OUTPUT: Final = 16_000
"""Above some 21,000 the SDK insists on streaming."""


class Line:
    """The connection of one agent to its model."""

    def __init__(self, settings: AgentSettings, scenario: Scenario, diary: Diary, guard: BudgetGuard) -> None:
        self._settings, self._diary, self._guard = settings, diary, guard
        self._api = scenario.api
        self._group: Group = scenario.fleet[settings.group]
        self._draws = Draws(settings.seed, settings.luck)
        self._given_up = 0
        self._most_tokens = {
            "call": _most(self._group.turn.output_tokens, self._group.turn.thinking_tokens),
            "post": _most(scenario.forum.post_tokens),
            "compaction": _most(self._group.context.compacted_to_tokens),
        }
        self.thinks = not self._group.turn.thinking_tokens.surely_zero
        client = anthropic.AsyncAnthropic(
            api_key=settings.api_key, base_url=settings.base_url, max_retries=self._api.retries
        )
        self._client = guard.wrap(client)

    async def call(self, kind: str, conversation: Conversation, choice: Block | None = None) -> Message:
        """Send the pending content, add the answer to the conversation and return it.

        Args:
            kind: the ledger's kind of call: `call`, `post` or `compaction`.
            conversation: the context, whose pending content is sent.
            choice: the API's `tool_choice`.

        Raises:
            StoppedError: the budget does not allow the call, or the provider refuses it permanently.
        """
        conversation.send()
        self._diary.close_gap()
        self._diary.turn = conversation.calls
        asked_s = self._diary.clock.now_s()
        waits_until = time.monotonic() + _GRACE_S
        failures = 0
        while True:
            try:
                with self._guard.labels(
                    asked_s=asked_s, when_settled=self._diary.note_end, **self._labels(kind)
                ):
                    message = await _to_its_end(self._create(kind, conversation.request(), choice))
                break
            except CapReachedError as error:
                if not error.may_pass or time.monotonic() > waits_until:
                    conversation.take_back()
                    raise StoppedError("budget") from None
                await asyncio.sleep(_WAITS_FOR_OTHERS_S)
                self._diary.write("wait", name="budget")
                asked_s = self._diary.clock.now_s()
            except UnboundedCostError as error:
                conversation.take_back()
                raise StoppedError(f"the guard: {error}") from None
            except asyncio.CancelledError:
                self._diary.until_s = self._diary.clock.now_s()  # the call has been awaited and has an entry
                raise
            except anthropic.APIError as error:
                failures += 1
                await self._give_up(error, failures)
        usage = message.usage
        prompt = (
            usage.input_tokens
            + (usage.cache_creation_input_tokens or 0)
            + (usage.cache_read_input_tokens or 0)
        )
        conversation.answered([_param(block) for block in message.content], prompt)
        return message

    def _labels(self, kind: str) -> dict[str, Any]:
        return {
            "agent": self._settings.agent,
            "kind": kind,
            "source": self._settings.source,
            **self._diary.place,
        }

    async def _create(self, kind: str, request: Mapping[str, Any], choice: Block | None) -> Message:
        more: dict[str, Any] = {}
        if choice is not None and request.get("tools"):
            # Thinking does not combine with a forced tool.
            more["tool_choice"] = {"type": "auto"} if self.thinks and choice["type"] != "none" else choice
        if self.thinks and kind == "call":
            more["thinking"] = {"type": "adaptive"}
        answer = await self._client.messages.create(
            model=called_as(str(self._group.model), self._settings.live),
            max_tokens=self._most_tokens[kind],
            metadata={"user_id": f"agent-{self._settings.agent}"},
            **request,
            **more,
        )
        return cast(Message, answer)

    async def _give_up(self, error: anthropic.APIError, failures: int) -> None:
        """Wait before the call is repeated.

        Raises:
            StoppedError: repeating it would be pointless.
        """
        status = getattr(error, "status_code", None)
        if isinstance(error, anthropic.APIStatusError):
            is_for_now = status in (408, 409, 429) or error.status_code >= 500
            if not is_for_now or "enforced_spend_limit_reached" in str(error):
                raise StoppedError(f"the provider refuses: {error.message}") from None
        if failures >= _GIVES_UP_AFTER:
            raise StoppedError(f"the provider does not answer: {error.message}") from None
        self._given_up += 1
        waits_s = self._draws.value(self._api.gives_up_for, self._settings.agent, self._given_up)
        await asyncio.sleep(self._diary.clock.wall_s(waits_s))


async def _to_its_end(call: Coroutine[Any, Any, Message]) -> Message:
    """Await a call even if the agent is stopped meanwhile, since a call in flight is billed anyway."""
    under_way = asyncio.create_task(call)
    try:
        return await asyncio.shield(under_way)
    except asyncio.CancelledError:
        with suppress(Exception):
            await asyncio.wait_for(under_way, _GRACE_S)
        raise


def _most(*quantities: Quantity) -> int:
    """Return an output limit that the sum of some quantities almost never exceeds, within the API's bounds."""
    most = 0.0
    for quantity in quantities:
        spread = (quantity.spread or 1.0) ** 2
        most += min(quantity.high, quantity.distribution.quantile(0.99) * spread)
    return int(min(max(most, _SMALLEST_OUTPUT), _LARGEST_OUTPUT))


def _param(block: Any) -> Block:
    """Convert a block of an answer to the form in which it is sent back."""
    known: Block = block.model_dump(exclude_none=True)
    return known
