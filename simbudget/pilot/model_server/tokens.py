"""Token counts: a request as the sequence of pieces that the cache sees, each with its number of tokens.

This server counts four bytes of UTF-8 as a token, rounded up: close to real vocabularies for English and code, and
never more tokens than bytes. Pieces are in the order tools, system, messages, in which the provider hashes them.
Thinking that is sent back counts as its signature, which is as long as the thinking was: within a tool loop the
provider keeps it in the context.
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

BYTES_A_TOKEN: Final = 4
_EACH_MESSAGE: Final = 4
"""Tokens that mark the beginning and the role of a message, of the size usual in chat templates."""
_WITH_TOOLS: Final = 346
"""Tokens of the hidden instructions for tool use, as documented by the provider."""


@dataclass(frozen=True)
class Piece:
    """A piece of a prompt: its tokens, the fingerprint of the prompt up to its end, and its cache marker."""

    tokens: int
    fingerprint: str
    marker: CacheControl | None


def text_tokens(text: str) -> int:
    """Count the tokens of a text."""
    return -(-len(text.encode()) // BYTES_A_TOKEN)


def block_text(block: Any) -> str:
    """Return the text of a block that counts as input."""
    if isinstance(block, TextBlock):
        return block.text
    if isinstance(block, ThinkingBlock):
        return block.thinking + block.signature
    if isinstance(block, ToolUseBlock):
        return f"{block.id}{block.name}{json.dumps(block.input, ensure_ascii=False)}"
    assert isinstance(block, ToolResultBlock)
    content = block.content
    text = content if isinstance(content, str) else "".join(each.text for each in content)
    return block.tool_use_id + text


def pieces(request: CountRequest) -> list[Piece]:
    """Return the pieces of a request's prompt; a marker on the request as a whole is put on the last piece."""
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
    """Count the tokens of a request's prompt."""
    return sum(piece.tokens for piece in pieces(request))


def _texts(request: CountRequest) -> Iterator[tuple[str, int, CacheControl | None]]:
    """Yield each text of a prompt with its additional tokens and its marker."""
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
