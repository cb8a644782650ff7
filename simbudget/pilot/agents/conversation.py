"""An agent's context: what its next call sends, how long that is, and which part the provider should cache.

Every context begins with a line of its own and therefore with an empty cache, as the scenario language specifies: it
reads nothing that another context left in the cache.
"""

import json
from dataclasses import dataclass, field
from typing import Any, Final

_BYTES_A_TOKEN: Final = 4
"""A common rule of thumb for English and code; only used until the provider has counted."""
_TTL: Final = {"5 min": "5m", "1 h": "1h"}

Block = dict[str, Any]


@dataclass
class Conversation:
    """A growing context, changed only by the agent that owns it."""

    system: str
    tools: list[Block]
    cache: str
    """`off`, `5 min` or `1 h`."""
    messages: list[Block] = field(default_factory=list)
    pending: list[Block] = field(default_factory=list)
    """Content of the next message to the model: tool results first, then text."""
    tokens_sent: int = 0
    """Length of the last prompt, as counted by the provider."""
    calls: int = 0
    _bytes_since: int = 0

    def say(self, text: str) -> None:
        """Add text to the next message."""
        self._add({"type": "text", "text": text})

    def result(self, use_id: str, text: str, is_error: bool = False) -> None:
        """Add a tool result to the next message; the API requires results before text."""
        block: Block = {"type": "tool_result", "tool_use_id": use_id, "content": text}
        if is_error:
            block["is_error"] = True
        results = sum(each["type"] == "tool_result" for each in self.pending)
        self.pending.insert(results, block)
        self._bytes_since += len(text.encode())

    def send(self) -> None:
        """Turn the pending content into the next message."""
        self.messages.append({"role": "user", "content": self.pending})
        self.pending = []

    def take_back(self) -> None:
        """Make the last message pending again, as it was not sent."""
        self.pending = [*self.messages.pop()["content"], *self.pending]

    def answered(self, content: list[Block], prompt_tokens: int) -> None:
        """Add the model's answer to the context.

        Args:
            content: the answer's blocks.
            prompt_tokens: length of the prompt, as counted by the provider.
        """
        self.messages.append({"role": "assistant", "content": content})
        self.tokens_sent = prompt_tokens
        self._bytes_since = len(json.dumps(content, ensure_ascii=False).encode())
        self.calls += 1

    @property
    def tokens(self) -> int:
        """Return the context's length: the provider's count plus an estimate of what was added since."""
        if not self.tokens_sent:
            everything = json.dumps([self.system, self.tools, self.messages], ensure_ascii=False)
            return (len(everything.encode()) + self._bytes_since) // _BYTES_A_TOKEN
        return self.tokens_sent + self._bytes_since // _BYTES_A_TOKEN

    def request(self) -> Block:
        """Return the content of a call: system prompt, tools and messages, with their cache markers."""
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
