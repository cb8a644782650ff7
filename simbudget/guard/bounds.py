"""How many tokens a request can count at most, without asking anybody.

A token of a byte-level vocabulary stands for at least one byte, so a text has at most as many tokens as it has
bytes; what the provider adds (marks around messages and blocks, the instructions for tools) gets an allowance.
That bound is some four times too high. It becomes tight where a request goes on from an earlier one, as an
agent's does: then the beginning counts what the earlier answer reported, and only the rest counts its bytes.
"""

import hashlib
import json
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final

_FIXED_TOKENS: Final = 2_000
"""For what the provider adds once: instructions for tools (313 to 530 tokens in its documentation) and the like."""
_TOKENS_EACH: Final = 32
"""For the marks around a message and each of its blocks."""
_REMEMBERED: Final = 4_096
"""So many requests are remembered."""

_PRICED_BY_TOKENS: Final = frozenset({"function", "custom", "", "text_editor", "bash", "memory", "computer"})
"""The beginnings of types of tools that the client runs, and that cost nothing but tokens."""


class UnboundedCostError(Exception):
    """What a call can cost at most is not known, so it is not made; says why, and what to do."""


def check_is_bounded(body: Mapping[str, Any]) -> None:
    """Raise UnboundedCostError if something other than the tokens of the request could cost money."""
    if not isinstance(body.get("max_tokens"), int):
        raise UnboundedCostError("the request has no `max_tokens`, so its output has no bound; set it")
    if body.get("speed") not in (None, "standard"):
        raise UnboundedCostError(f"speed {body['speed']!r} is not on the price list; leave `speed` out")
    for tool in body.get("tools") or ():
        kind = str(tool.get("type") or "")
        if not any(
            kind == known or kind.startswith(f"{known}_") for known in _PRICED_BY_TOKENS if known or not kind
        ):
            raise UnboundedCostError(
                f"the provider's tool {kind!r} is billed beyond the tokens of the request; leave it out, or let "
                "your program run a tool of its own"
            )
    for key in ("container", "mcp_servers", "fallbacks", "context_management"):
        if body.get(key):
            raise UnboundedCostError(f"`{key}` is billed beyond the tokens of the request; leave it out")
    elsewhere = _source_elsewhere(body.get("messages")) or _source_elsewhere(body.get("system"))
    if elsewhere:
        raise UnboundedCostError(
            f"a source of type {elsewhere!r} is not in the request, so its tokens have no bound; send its content"
        )


def _source_elsewhere(value: Any) -> str | None:
    """Return the type of the first source of a picture or document that is not in the request itself."""
    if isinstance(value, Mapping):
        source = value.get("source")
        if isinstance(source, Mapping) and source.get("type") in ("url", "file"):
            return str(source["type"])
        value = list(value.values())
    if isinstance(value, list | tuple):
        return next((found for each in value if (found := _source_elsewhere(each))), None)
    return None


class PromptBounds:
    """Bounds of requests' prompts, tighter where a request goes on from one whose count is known."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, int] = OrderedDict()

    def at_most(self, body: Mapping[str, Any]) -> int:
        """Return the most tokens that the prompt of a request can count."""
        chain, sizes = _fingerprints(body)
        for length in range(len(chain) - 1, -1, -1):
            known = self._known.get(chain[length])
            if known is not None:
                return known + sum(sizes[length + 1 :]) + _TOKENS_EACH
        return sum(sizes) + _FIXED_TOKENS

    def learn(self, body: Mapping[str, Any], prompt_tokens: int) -> None:
        """Remember how many tokens the prompt of a request counted."""
        chain, _ = _fingerprints(body)
        self._known[chain[-1]] = prompt_tokens
        self._known.move_to_end(chain[-1])
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)


def _fingerprints(body: Mapping[str, Any]) -> tuple[list[str], list[int]]:
    """Return a fingerprint of the request up to each message, and the bound of what each adds.

    The first is of all that is not a message; markers of the cache are left out, since they move.
    """
    rest = {key: value for key, value in body.items() if key not in ("messages", "max_tokens", "stream")}
    parts = [rest, *(body.get("messages") or ())]
    running, chain, sizes = hashlib.sha256(), [], []
    for part in parts:
        text = json.dumps(_without_markers(part), sort_keys=True, ensure_ascii=False, default=str).encode()
        running.update(len(text).to_bytes(8, "little"))
        running.update(text)
        chain.append(running.hexdigest())
        content = part.get("content") if isinstance(part, Mapping) else None
        blocks = len(content) if isinstance(content, list) else 1
        sizes.append(len(text) + _TOKENS_EACH * (1 + blocks))
    return chain, sizes


def _without_markers(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_markers(each) for key, each in value.items() if key != "cache_control"}
    if isinstance(value, list | tuple):
        return [_without_markers(each) for each in value]
    return value
