"""An agent's context: what its next call sends, how long that is, and what of it the cache shall keep.

Each context begins with a line of its own, so that it begins with an empty cache, as the scenario language has
it: what another context left in the cache is not read.
"""

import json
from dataclasses import dataclass, field
from typing import Any, Final

_BYTES_A_TOKEN: Final = 4
_TTL: Final = {"5 min": "5m", "1 h": "1h"}

Block = dict[str, Any]


@dataclass
class Conversation:
    """A growing context; it is changed only by the agent whose it is."""

    system: str
    tools: list[Block]
    cache: str
    """`off`, `5 min` or `1 h`."""
    messages: list[Block] = field(default_factory=list)
    pending: list[Block] = field(default_factory=list)
    """What the next message to the model will say: results of tools first, then words."""
    tokens_sent: int = 0
    """The prompt of the last call, as the provider counted it."""
    calls: int = 0
    _bytes_since: int = 0

    def say(self, text: str) -> None:
        """Add words to the next message."""
        self._add({"type": "text", "text": text})

    def result(self, use_id: str, text: str, is_error: bool = False) -> None:
        """Add a tool's result to the next message; results stand before words."""
        block: Block = {"type": "tool_result", "tool_use_id": use_id, "content": text}
        if is_error:
            block["is_error"] = True
        results = sum(each["type"] == "tool_result" for each in self.pending)
        self.pending.insert(results, block)
        self._bytes_since += len(text.encode())

    def send(self) -> None:
        """Make what is pending the next message."""
        self.messages.append({"role": "user", "content": self.pending})
        self.pending = []

    def take_back(self) -> None:
        """Make the last message pending again: it was not sent."""
        self.pending = [*self.messages.pop()["content"], *self.pending]

    def answered(self, content: list[Block], prompt_tokens: int) -> None:
        """Add the model's answer to the context."""
        self.messages.append({"role": "assistant", "content": content})
        self.tokens_sent = prompt_tokens
        self._bytes_since = len(json.dumps(content, ensure_ascii=False).encode())
        self.calls += 1

    @property
    def tokens(self) -> int:
        """Return how long the context is: what was counted, and about what has come since."""
        if not self.tokens_sent:
            everything = json.dumps([self.system, self.tools, self.messages], ensure_ascii=False)
            return (len(everything.encode()) + self._bytes_since) // _BYTES_A_TOKEN
        return self.tokens_sent + self._bytes_since // _BYTES_A_TOKEN

    def request(self) -> Block:
        """Return what a call sends: system, tools, messages, with their markers."""
        system: Block = {"type": "text", "text": self.system}
        sent: Block = {"system": [system], "messages": self.messages}
        if self.tools:
            sent["tools"] = self.tools
        if self.cache != "off":
            marker = {"type": "ephemeral", "ttl": _TTL[self.cache]}
            system["cache_control"] = marker
            sent["cache_control"] = marker
        return sent

    def _add(self, block: Block) -> None:
        self.pending.append(block)
        self._bytes_since += len(block["text"].encode())
