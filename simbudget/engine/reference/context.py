"""A context: what an agent's next call sends, and what of it the provider's cache may hold."""

from dataclasses import dataclass

import numpy as np

from simbudget.engine.laws.calls import NEVER
from simbudget.engine.laws.draws import Integers
from simbudget.engine.program import ContextRow


@dataclass
class Context:
    """A growing context. It is changed only by the agent whose it is."""

    row: ContextRow
    cache_life_ns: int
    """For how long the cache holds what was sent, or `NO_CACHE`."""
    number: int = -1
    """Which of its caller's contexts it is, from 0; -1: none has been opened yet."""
    session: int = -1
    """Which of its agent's contexts it is, from 0, those of its sub-agents included."""
    tokens: int = 0
    first_prompt_tokens: int = 0
    shared_prefix_tokens: int = 0
    """How many of its first tokens it has in common with others of its group and model."""
    sent_tokens: int = 0
    """What the last call sent, all of which the cache holds while it lives."""
    began_ns: int = NEVER
    """When the last call began."""
    turns: int = 0
    results: int = 0
    """How many turns' tool results have joined it since it began, or was compacted."""
    opened_with_tokens: int = 0

    @property
    def is_used(self) -> bool:
        """Return whether a call has been made, or anything has joined the first prompt."""
        return self.turns > 0 or self.tokens != self.opened_with_tokens

    def empty(self, tokens: int, results: int) -> None:
        """Reduce the context to `tokens` that the cache does not hold; tool results count from `results` on."""
        self.tokens, self.results = tokens, results
        self.sent_tokens, self.began_ns = 0, NEVER

    def cells(self) -> Integers:
        """Return the context as the laws take it: tokens, tokens sent, last call's start, the cache's life."""
        return np.array([self.tokens, self.sent_tokens, self.began_ns, self.cache_life_ns], dtype=np.int64)
