"""A context: what an agent's next call sends, and what of it the provider's cache may hold."""

from dataclasses import dataclass

import numpy as np

from simbudget.engine.laws.calls import NEVER
from simbudget.engine.laws.draws import Integers
from simbudget.engine.program import ContextRow
from simbudget.engine.reference.clients import Client


@dataclass
class Context:
    """A growing context. It is changed only by the agent whose it is."""

    client: Client
    """Who is called with it."""
    row: ContextRow
    number: int
    """Which of its agent's contexts it is, from 0; -1: none has been opened yet."""
    tokens: int = 0
    first_prompt_tokens: int = 0
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

    @property
    def cache_life_ns(self) -> int:
        """Return for how long the cache holds what was sent, or `NO_CACHE`."""
        return self.client.row.cache_life_ns

    def compact(self, summary_tokens: int) -> None:
        """Let nothing be left but the first prompt and a summary, and nothing in the cache."""
        self.tokens = self.first_prompt_tokens + summary_tokens
        self.sent_tokens, self.began_ns, self.results = 0, NEVER, 0

    def cells(self) -> Integers:
        """Return the context as the laws take it: tokens, tokens sent, last call's start, the cache's life."""
        return np.array([self.tokens, self.sent_tokens, self.began_ns, self.cache_life_ns], dtype=np.int64)
