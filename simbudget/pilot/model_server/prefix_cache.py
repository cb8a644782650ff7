"""The provider's prompt cache: prefixes of prompts, kept for a while after their last use.

https://platform.claude.com/docs/en/build-with-claude/prompt-caching: a cached prefix ends at a marker. A request reads
the longest cached prefix that ends at one of its markers or at most 20 blocks before one. The part from there to its
last marker is written to the cache, and the remainder is paid in full. Prefixes below a minimum length are not
cached.
"""

from dataclasses import dataclass, field
from typing import Final

from simbudget.pilot.model_server.tokens import Piece
from simbudget.scenario.context import CACHE_LIFE_S

LOOKBACK: Final = 20
"""Blocks before a marker in which a cached prefix is found (documentation above)."""
SMALLEST_TOKENS: Final = 1024
"""Minimum length of a cached prefix for most models (documentation above)."""
_LIFE_S: Final = {"5m": CACHE_LIFE_S["5 min"], "1h": CACHE_LIFE_S["1 h"]}
_TIDY_EVERY: Final = 500
"""Requests between two removals of expired prefixes, which bounds memory at little cost."""


@dataclass(frozen=True)
class PromptUsage:
    """A prompt's tokens by price class: uncached, written to the cache, and read from it."""

    uncached: int
    write_5m: int
    write_1h: int
    read: int


@dataclass
class PrefixCache:
    """The cached prefixes by fingerprint, each with its expiry and its lifetime after a use."""

    _until_s: dict[str, tuple[float, float]] = field(default_factory=dict)
    _requests: int = 0

    def use(self, prompt: list[Piece], now_s: float) -> PromptUsage:
        """Return how a prompt is billed, and cache what its markers ask for."""
        usage, _ = self.look(prompt, now_s)
        self._tidy(now_s)
        marked = [(index, piece) for index, piece in enumerate(prompt) if piece.marker]
        totals = _totals(prompt)
        kept = self._longest(prompt, now_s)
        if kept is not None:
            fingerprint = prompt[kept].fingerprint
            life_s = self._until_s[fingerprint][1]
            self._until_s[fingerprint] = (now_s + life_s, life_s)
        for index, piece in marked:
            assert piece.marker is not None
            if totals[index] >= SMALLEST_TOKENS:
                life_s = _LIFE_S[piece.marker.ttl]
                self._until_s[piece.fingerprint] = (now_s + life_s, life_s)
        return usage

    def look(self, prompt: list[Piece], now_s: float) -> tuple[PromptUsage, int]:
        """Return how a prompt would be billed now, and the tokens that count against the input limit."""
        totals = _totals(prompt)
        marked = [
            index for index, piece in enumerate(prompt) if piece.marker and totals[index] >= SMALLEST_TOKENS
        ]
        if not marked:
            return PromptUsage(totals[-1], 0, 0, 0), totals[-1]
        kept = self._longest(prompt, now_s)
        read = totals[kept] if kept is not None else 0
        written = {"5m": 0, "1h": 0}
        from_tokens = read
        for index in marked:
            marker = prompt[index].marker
            assert marker is not None
            if totals[index] > from_tokens:
                written[marker.ttl] += totals[index] - from_tokens
                from_tokens = totals[index]
        usage = PromptUsage(totals[-1] - from_tokens, written["5m"], written["1h"], read)
        return usage, usage.uncached + usage.write_5m + usage.write_1h

    def _longest(self, prompt: list[Piece], now_s: float) -> int | None:
        """Return the end of the longest cached prefix within reach of a marker, or None."""
        seen: set[int] = set()
        for index in (index for index, piece in enumerate(prompt) if piece.marker):
            seen.update(range(max(0, index - LOOKBACK), index + 1))
        for index in sorted(seen, reverse=True):
            if self._until_s.get(prompt[index].fingerprint, (0.0, 0.0))[0] >= now_s:
                return index
        return None

    def _tidy(self, now_s: float) -> None:
        self._requests += 1
        if self._requests % _TIDY_EVERY == 0:
            self._until_s = {name: kept for name, kept in self._until_s.items() if kept[0] >= now_s}


def _totals(prompt: list[Piece]) -> list[int]:
    """Return the tokens of the prompt up to the end of each piece."""
    totals, total = [], 0
    for piece in prompt:
        total += piece.tokens
        totals.append(total)
    return totals
