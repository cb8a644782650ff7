"""Turns and contexts: what a call sends and what follows it, caching, and what happens to a full context.

A turn profile (`like: claude-code`) holds turns measured on real agents, for users without logs: posterior draws of
each quantity of `turn`. Profiles ship with the package and are fitted by `make profiles`. Their typical values are as
uncertain as projects differ, which is what a project not seen before calls for.

Field names are the keys of the scenario language; quantities are in base units. A field's annotation says what its
key expects, and the sentence below it what the key means; reference page and JSON Schema are generated from both.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.resources import files
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Final, Self

import numpy as np

from simbudget.distributions.posteriors import Posterior, score_grid
from simbudget.scenario.calibration_file import CalibratedQuantity, Calibration, LearntFrom
from simbudget.scenario.language.amounts import Amount
from simbudget.scenario.language.blocks import Block, keys_of
from simbudget.scenario.language.document import Fields, Node, Text
from simbudget.scenario.language.expectations import Nested, Parsed, choice, fact, time, tokens, yes_or_no
from simbudget.scenario.language.quantities import Quantity
from simbudget.scenario.language.reading import Reading, nearest
from simbudget.units import Dimension

FILE: Final = "turn_profiles.json"
TURN_PROFILES: Final = ("claude-code", "codex", "opencode", "autoresearch", "managed-agents")
"""Names of the profiles, listed here so that page and schema need not read the draws."""
_STEP: Final = 8
"""Only every eighth point of a shape ships; it is interpolated linearly between them."""


@dataclass(frozen=True)
class TurnProfile:
    """Measured turns of one kind of agent."""

    name: str
    about: str
    """The kind of work."""
    source: str
    """Where the logs were published."""
    licence: str
    dates: str
    projects: int
    sessions: int
    quantities: Mapping[str, CalibratedQuantity]
    """By key of `turn`, such as `tool_time` and `opening.times`."""

    def words(self, key: str) -> str:
        """Return the origin of one of its quantities, as shown by `check`."""
        evidence = self.quantities[key].evidence
        parts = (
            f"n={evidence.observations:,} from {evidence.runs:,} session{'s' * (evidence.runs != 1)} of "
            f"{self.projects} project{'s' * (self.projects != 1)}",
            self.about,
            self.source,
            self.dates,
        )
        return f"like {self.name} ({', '.join(part for part in parts if part)})"


@lru_cache(maxsize=1)
def turn_profiles() -> Mapping[str, TurnProfile]:
    """Return the bundled profiles by name."""
    content = json.loads(files("simbudget.scenario").joinpath(FILE).read_text(encoding="utf-8"))
    return MappingProxyType({name: _read(name, about) for name, about in content.items()})


def _read(name: str, about: dict[str, Any]) -> TurnProfile:
    quantities = {key: _quantity(name, key, of) for key, of in about["quantities"].items()}
    return TurnProfile(name=name, **{**about, "quantities": MappingProxyType(quantities)})


def _quantity(name: str, key: str, of: Mapping[str, Any]) -> CalibratedQuantity:
    draws = np.array(of["draws"], dtype=np.float64)
    if draws.ndim == 1:
        posterior = Posterior.of_fact(draws)
    else:
        grid = score_grid()
        shape = None if of["shape"] is None else np.interp(grid, grid[::_STEP], of["shape"])
        posterior = Posterior(draws, shape)
    evidence = LearntFrom(of["observations"], of["sessions"], f"profile {name}", of["date"])
    return CalibratedQuantity(key, of["written"], of["family"], posterior, evidence)


def written_profile(profile: TurnProfile, draws: int) -> dict[str, Any]:
    """Return a profile in the form in which it ships.

    Args:
        profile: the fitted profile.
        draws: number of posterior draws to keep, each with three decimals.
    """
    return {
        "about": profile.about,
        "source": profile.source,
        "licence": profile.licence,
        "dates": profile.dates,
        "projects": profile.projects,
        "sessions": profile.sessions,
        "quantities": {key: _thin(quantity, draws) for key, quantity in profile.quantities.items()},
    }


def _thin(quantity: CalibratedQuantity, draws: int) -> dict[str, Any]:
    posterior = quantity.posterior
    kept = posterior.draws[:: max(1, len(posterior.draws) // draws)][:draws]
    numbers = kept[:, 0] if posterior.is_fact else kept
    shape = None if posterior.shape is None else np.round(posterior.shape[::_STEP], 3).tolist()
    return {
        "written": quantity.written,
        "family": quantity.family,
        "observations": quantity.evidence.observations,
        "sessions": quantity.evidence.runs,
        "date": quantity.evidence.date,
        "draws": np.round(numbers, 3).tolist(),
        "shape": shape,
    }


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


KEYS_OF_FULL_CONTEXTS: Final = {
    "carried_tokens": ("restart", "no full context is restarted", "write `when_full: restart`, or remove it"),
    "compacted_to_tokens": ("compact", "no full context is compacted", "remove it"),
}
"""Keys that only one way to deal with full contexts uses: that way, why they have no effect, and what to write."""
