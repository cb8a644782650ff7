"""A context: what an agent's next call sends, and what of it the provider's cache may hold."""

from dataclasses import dataclass

import numpy as np

from simbudget.engine.laws.calls import NEVER
from simbudget.engine.laws.draws import Integers


@dataclass
class Context:
    """A growing context. It is changed only by the agent whose it is."""

    tokens: int
    first_prompt_tokens: int
    cache_life_ns: int
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

    def cells(self) -> Integers:
        """Return the context as the laws take it: tokens, tokens sent, last call's start, the cache's life."""
        return np.array([self.tokens, self.sent_tokens, self.began_ns, self.cache_life_ns], dtype=np.int64)
