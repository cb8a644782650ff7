"""What a call sends and what follows it: turns, contexts, their caches, and what is done when one is full.

Field names are the keys of the scenario language, quantities are in base units. Each annotation says what a key
expects, the sentence under it what the key means; the reference page and the JSON Schema are made from both.
"""

import re
from dataclasses import dataclass
from typing import Annotated, ClassVar, Final

from simbudget.scenario.amounts import Amount
from simbudget.scenario.blocks import Block
from simbudget.scenario.expectations import Nested, Parsed, choice, fact, time, tokens, yes_or_no
from simbudget.scenario.quantities import Quantity
from simbudget.units import Dimension


@dataclass(frozen=True)
class WhenFull:
    """What is done with a full context: it is compacted, restarted, or loses its oldest part."""

    how: str
    """`compact`, `restart` or `drop oldest`."""
    to: float = 1.0
    """Which part of the limit is left after `drop oldest`."""

    is_setting: ClassVar[bool] = True

    def __str__(self) -> str:
        """Return it as a scenario writes it."""
        return f"{self.how} to {self.to!r}" if self.how == "drop oldest" else self.how


def _parse_when_full(text: str) -> WhenFull:
    words_of = " ".join(text.lower().split())
    if words_of in ("compact", "restart"):
        return WhenFull(words_of)
    match = re.fullmatch(r"drop oldest to (.+)", words_of)
    if match is None:
        raise ValueError(f"`{text[:40]}` is not known; write `compact`, `restart` or `drop oldest to 70%`")
    part = Amount(Dimension.FRACTION, exact=True).parse(match[1]).distribution.mean()
    if not 0.0 < part < 1.0:
        raise ValueError(f"`{text[:40]}` makes no sense here; a part above 0% and below 100% is allowed")
    return WhenFull("drop oldest", part)


WHEN_FULL: Final = Parsed(
    _parse_when_full,
    "compact",
    schema={
        "anyOf": [
            {"enum": ["compact", "restart", "drop oldest to 70%"]},
            {"type": "string", "pattern": r"^\s*(compact|restart|drop oldest to [\d.]+ ?%?)\s*$"},
        ]
    },
    form="`compact`, `restart` or `drop oldest to 70%`",
)


class Opening(Block):
    """How much more than later the tools return in a context's first turns, in which an agent looks around.

    The results of its k-th turn, from 0 and anew after a compaction, are 1 + (times - 1) exp(-k / turns) times as
    large.
    """

    times: Annotated[Quantity, fact(Dimension.NUMBER, "1")]
    """How many times as large the first results are."""
    turns: Annotated[Quantity, Amount(Dimension.NUMBER, "4", is_fact=True, low=0.1, high=1e6)]
    """Turns in which the surplus falls to 37 %."""


class Turn(Block):
    """One model call and the tool results that follow it."""

    output_tokens: Annotated[Quantity, tokens("{typical: 350 to 1200, varies: 3x}")]
    """Output of a model call, without its thinking."""
    thinking_tokens: Annotated[Quantity, tokens("0")]
    """Thinking, billed and timed as output."""
    tool_result_tokens: Annotated[Quantity, tokens("{typical: 500 to 3000, varies: 4x}")]
    """Tokens that the tools return into the context."""
    tool_time: Annotated[Quantity, time("{typical: 5 s to 30 s, varies: 5x}")]
    """How long the tools take."""
    opening: Annotated[Opening, Nested(Opening)]
    """Larger tool results at the beginning of a context."""


CACHE_LIFE_S: Final = {"5 min": 300.0, "1 h": 3600.0}
"""How long each kind of cache keeps what was sent, from its last use.

https://platform.claude.com/docs/en/build-with-claude/prompt-caching
"""


class Context(Block):
    """What a call sends, and what of it the cache holds."""

    first_prompt_tokens: Annotated[Quantity, tokens("20000")]
    """Tokens that a context begins with: system prompt, tools, task."""
    limit_tokens: Annotated[Quantity, fact(Dimension.NUMBER, "160000")]
    """A context with more tokens than this is compacted before the next call."""
    compacted_to_tokens: Annotated[Quantity, tokens("20000")]
    """Length of the summary that a compaction writes."""
    lasts: Annotated[str, choice("think", "cycle", "life", default="cycle")]
    """How long a context lasts: one `think` step, one cycle, or the agent's life."""
    cache: Annotated[str, choice("off", *CACHE_LIFE_S, default="5 min")]
    """How long the cache holds a context, or `off`."""
    keeps_thinking: Annotated[bool, yes_or_no("no")]
    """Whether thinking joins the context like other output."""
    shared_prefix_tokens: Annotated[Quantity, tokens("0")]
    """How many of its first tokens all contexts of the group and model have in common, in one cache."""
    when_full: Annotated[WhenFull, WHEN_FULL]
    """What is done with a context that is over the limit."""
    carried_tokens: Annotated[Quantity, tokens("0")]
    """What a restart of a full context carries over, beside its first prompt."""
    cache_misses: Annotated[Quantity, fact(Dimension.FRACTION, "0%")]
    """Probability that a call finds nothing in the cache although it is young."""
