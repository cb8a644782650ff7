"""Turns and contexts: what a call sends and what follows it, caching, and what happens to a full context.

Field names are the keys of the scenario language; quantities are in base units. A field's annotation says what its
key expects, and the sentence below it what the key means; reference page and JSON Schema are generated from both.
"""

import re
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Final, Self

from simbudget.scenario.amounts import Amount
from simbudget.scenario.blocks import Block, keys_of
from simbudget.scenario.calibration_file import Calibration
from simbudget.scenario.document import Fields, Node, Text
from simbudget.scenario.expectations import Nested, Parsed, choice, fact, time, tokens, yes_or_no
from simbudget.scenario.quantities import Quantity
from simbudget.scenario.reading import Reading, nearest
from simbudget.scenario.turn_profiles import TURN_PROFILES, turn_profiles
from simbudget.units import Dimension


@dataclass(frozen=True)
class WhenFull:
    """What happens to a full context: it is compacted, restarted, or loses its oldest part."""

    how: str
    """`compact`, `restart` or `drop oldest`."""
    to: float = 1.0
    """Share of the limit that is left after `drop oldest`."""

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
        raise ValueError(f"`{text[:40]}` is out of bounds; a share above 0% and below 100% is allowed")
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
    """Larger tool results in the first turns of a context, while an agent looks around.

    The results of turn k (counted from 0, and again after each compaction) are larger by the factor
    1 + (times - 1) exp(-k / turns).
    """

    times: Annotated[Quantity, fact(Dimension.NUMBER, "1", percent=True)]
    """Factor by which the first results are larger."""
    turns: Annotated[Quantity, Amount(Dimension.NUMBER, "4", is_fact=True, low=0.1, high=1e6)]
    """Number of turns after which the excess has fallen to 37 %."""


def _parse_profile(text: str) -> str:
    if text.strip() not in TURN_PROFILES:
        raise ValueError(f"there is no profile `{text[:40]}`; {nearest(text.strip(), TURN_PROFILES)}")
    return text.strip()


LIKE: Final = Parsed(
    _parse_profile,
    schema={"enum": list(TURN_PROFILES)},
    form=", ".join(f"`{name}`" for name in TURN_PROFILES),
)


class Turn(Block):
    """One model call and the tool results that follow it.

    With `like`, the values are those measured on real agents; other keys override them.
    """

    like: Annotated[str | None, LIKE]
    """Reference profile of measured agents whose turns to use; by default none."""
    output_tokens: Annotated[Quantity, tokens("{typical: 350 to 1200, varies: 3x}")]
    """Output of a model call, without thinking."""
    thinking_tokens: Annotated[Quantity, tokens("0")]
    """Thinking tokens, billed and timed like output."""
    tool_result_tokens: Annotated[Quantity, tokens("{typical: 500 to 3000, varies: 4x}")]
    """Tokens that the tools add to the context."""
    tool_time: Annotated[Quantity, time("{typical: 5 s to 30 s, varies: 5x}")]
    """Time that the tools take."""
    opening: Annotated[Opening, Nested(Opening)]
    """Larger tool results at the beginning of a context."""

    @classmethod
    def read(cls, reading: Reading, node: Node | None, name: str, base: Self | None) -> Self:
        """Read a turn; missing keys are taken from a profile or `base`, or have their default."""
        like = node.values.get("like") if isinstance(node, Fields) else None
        if not isinstance(like, Text) or like.text.strip() not in TURN_PROFILES:
            return super().read(reading, node, name, base)
        profile = turn_profiles()[like.text.strip()]
        measured = {f"{name}.{key}": quantity for key, quantity in profile.quantities.items()}
        apart = Reading(reading.folder, calibration=Calibration(measured))
        turn = super().read(reading, node, name, super().read(apart, None, name, None))
        for row in apart.provenance:
            key = row.name.removeprefix(f"{name}.")
            if key.partition(".")[0] not in turn.written:
                source = profile.words(key) if key in profile.quantities else row.source
                reading.provenance.append(replace(row, source=source))
        return turn

    def over(self, base: Self) -> Self:
        """Return the turn with the values of `base` for keys that neither it nor its profile sets."""
        return self if "like" in self.written else super().over(base)

    @property
    def measured(self) -> frozenset[str]:
        """Return the names of the quantities that come from the profile."""
        unwritten = [getattr(self, key) for key in keys_of(Turn) if key not in self.written]
        blocks = [value for value in unwritten if isinstance(value, Block)]
        single = [value for value in unwritten if isinstance(value, Quantity)]
        inner = [quantity for block in blocks for quantity in block.quantities()]
        return frozenset(quantity.name for quantity in [*single, *inner] if self.like is not None)


CACHE_LIFE_S: Final = {"5 min": 300.0, "1 h": 3600.0}
"""Lifetime of each kind of cache since its last use, in seconds.

https://platform.claude.com/docs/en/build-with-claude/prompt-caching
"""


class Context(Block):
    """What a call sends, and what of it is cached."""

    first_prompt_tokens: Annotated[Quantity, tokens("20000")]
    """Tokens that a context begins with: system prompt, tools, task."""
    limit_tokens: Annotated[Quantity, fact(Dimension.NUMBER, "160000")]
    """A context longer than this is compacted before the next call."""
    compacted_to_tokens: Annotated[Quantity, tokens("20000")]
    """Length of the summary written by a compaction."""
    lasts: Annotated[str, choice("think", "cycle", "life", default="cycle")]
    """Lifetime of a context: one `think` step, one cycle, or the agent's life."""
    cache: Annotated[str, choice("off", *CACHE_LIFE_S, default="5 min")]
    """Lifetime of the cache, or `off`."""
    # Within a tool loop, which an agent's turns are, thinking has to be sent back with the tools' results and counts as
    # context. https://platform.claude.com/docs/en/build-with-claude/context-windows (as of 2026-11)
    keeps_thinking: Annotated[bool, yes_or_no("yes")]
    """Whether thinking stays in the context like other output: within a tool loop providers keep and re-send it."""
    shared_prefix_tokens: Annotated[Quantity, tokens("0")]
    """Number of first tokens that all contexts of the group and model share, in one cache."""
    when_full: Annotated[WhenFull, WHEN_FULL]
    """What happens to a context that exceeds the limit."""
    carried_tokens: Annotated[Quantity, tokens("0")]
    """Tokens that a restart of a full context keeps, beside the first prompt."""
    cache_misses: Annotated[Quantity, fact(Dimension.FRACTION, "0%")]
    """Probability that a call misses the cache although the entry has not expired."""
