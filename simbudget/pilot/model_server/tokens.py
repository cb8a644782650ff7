"""Counting tokens: a request as the row of pieces that the cache sees, each with its tokens.

A token of this server is four bytes of UTF-8, begun ones counted: near what real vocabularies make of English and
code, and never more tokens than bytes. Pieces stand in the order tools, system, messages, as the provider hashes
them. Thinking that is handed back does not count.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from simbudget.pilot.model_server.requests import (
    CacheControl,
    CountRequest,
    MessageParam,
    TextBlock,
    ThinkingBlock,
    ToolResultBlock,
    ToolUseBlock,
)

_BYTES_A_TOKEN: Final = 4
_EACH_MESSAGE: Final = 4
_WITH_TOOLS: Final = 346
"""What instructions for tools cost a request that has any, as the provider's documentation says for its models."""


@dataclass(frozen=True)
class Piece:
    """A piece of a prompt: its tokens, the fingerprint of all up to its end, and its marker."""

    tokens: int
    fingerprint: str
    marker: CacheControl | None


def text_tokens(text: str) -> int:
    """Return how many tokens a text is."""
    return -(-len(text.encode()) // _BYTES_A_TOKEN)


def block_text(block: Any) -> str:
    """Return what of a block counts, as text."""
    if isinstance(block, TextBlock):
        return block.text
    if isinstance(block, ThinkingBlock):
        return ""
    if isinstance(block, ToolUseBlock):
        return f"{block.id}{block.name}{json.dumps(block.input, ensure_ascii=False)}"
    assert isinstance(block, ToolResultBlock)
    content = block.content
    text = content if isinstance(content, str) else "".join(each.text for each in content)
    return block.tool_use_id + text


def pieces(request: CountRequest) -> list[Piece]:
    """Return the pieces of a request's prompt; the marker of the request as a whole is on the last one."""
    running = hashlib.blake2b(request.model.encode(), digest_size=16)
    found = []
    for text, more, marker in _texts(request):
        running.update(f"\x00{text}".encode())
        found.append(Piece(text_tokens(text) + more, running.hexdigest(), marker))
    if request.cache_control is not None:
        last = found[-1]
        found[-1] = Piece(last.tokens, last.fingerprint, request.cache_control)
    return found


def prompt_tokens(request: CountRequest) -> int:
    """Return how many tokens the prompt of a request is."""
    return sum(piece.tokens for piece in pieces(request))


def _texts(request: CountRequest) -> Iterator[tuple[str, int, CacheControl | None]]:
    """Yield the texts of a prompt, the tokens that come on top, and their markers."""
    for index, tool in enumerate(request.tools):
        text = json.dumps([tool.name, tool.description, tool.input_schema], ensure_ascii=False)
        yield text, _WITH_TOOLS if index == 0 else 0, tool.cache_control
    system = request.system
    if isinstance(system, str):
        yield system, 0, None
    else:
        for block in system:
            yield block.text, 0, block.cache_control
    for message in request.messages:
        yield from _message_texts(message)


def _message_texts(message: MessageParam) -> Iterator[tuple[str, int, CacheControl | None]]:
    if isinstance(message.content, str):
        yield f"{message.role}:{message.content}", _EACH_MESSAGE, None
        return
    for index, block in enumerate(message.content):
        marker = None if isinstance(block, ThinkingBlock) else block.cache_control
        head = f"{message.role}:" if index == 0 else ""
        yield head + block_text(block), _EACH_MESSAGE if index == 0 else 0, marker
