"""Responses in the provider's format: messages or event streams with usage, and errors."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from simbudget.pilot.model_server.prefix_cache import PromptUsage
from simbudget.pilot.model_server.researcher import Move
from simbudget.pilot.model_server.tokens import BYTES_A_TOKEN, text_tokens
from simbudget.pilot.model_server.words import say

_CHUNK: Final = 160
"""Characters per event of a stream."""


@dataclass(frozen=True)
class Size:
    """Length of an answer: output and thinking tokens wanted, and the maximum of their sum."""

    output_tokens: int
    thinking_tokens: int
    max_tokens: int


def make_message(move: Move, size: Size, model: str, prompt: PromptUsage, name: str) -> dict[str, Any]:
    """Return a message that carries out a move, about as long as wanted and never longer than allowed.

    Args:
        move: text and tool call of the answer.
        size: its length in tokens.
        model: name of the model.
        prompt: usage of the prompt.
        name: name of the request, from which the message's and the tool call's ids are derived.
    """
    content: list[dict[str, Any]] = []
    thinking = min(size.thinking_tokens, size.max_tokens - 1)
    if thinking > 0:
        signature = f"local-{name[:24]}".ljust(BYTES_A_TOKEN * thinking, "=")
        content.append({"type": "thinking", "thinking": "", "signature": signature})
    use: dict[str, Any] | None = None
    use_tokens = 0
    if move.tool is not None:
        use = {"type": "tool_use", "id": f"toolu_{name[:24]}", "name": move.tool, "input": dict(move.input)}
        use_tokens = text_tokens(str(use["id"]) + move.tool + json.dumps(use["input"], ensure_ascii=False))
    text = say(move.thought, size.output_tokens - use_tokens, name)
    allowed = size.max_tokens - thinking
    stop_reason = "tool_use" if use else "end_turn"
    if text_tokens(text) + use_tokens > allowed:  # shorten the text first, then give up the tool call
        text = text.encode()[: 4 * max(1, allowed - use_tokens)].decode(errors="ignore")
        if text_tokens(text) + use_tokens > allowed:
            use, use_tokens = None, 0
            text = text.encode()[: 4 * allowed].decode(errors="ignore")
        stop_reason = "tool_use" if use else "max_tokens"
    content.append({"type": "text", "text": text})
    if use is not None:
        content.append(use)
    return {
        "id": f"msg_{name[:24]}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": content,
        "stop_reason": stop_reason,
        "stop_sequence": None,
        "usage": _usage(prompt, text_tokens(text) + use_tokens + thinking, thinking),
    }


def _usage(prompt: PromptUsage, output_tokens: int, thinking_tokens: int) -> dict[str, Any]:
    return {
        "input_tokens": prompt.uncached,
        "cache_creation_input_tokens": prompt.write_5m + prompt.write_1h,
        "cache_read_input_tokens": prompt.read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": prompt.write_5m,
            "ephemeral_1h_input_tokens": prompt.write_1h,
        },
        "output_tokens": output_tokens,
        "output_tokens_details": {"thinking_tokens": thinking_tokens},
        "service_tier": "standard",
    }


def events(message: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the named events of a message's stream, in the provider's order."""
    usage = message["usage"]
    start = {**message, "content": [], "stop_reason": None, "usage": {**usage, "output_tokens": 1}}
    yield "message_start", {"type": "message_start", "message": start}
    for index, block in enumerate(message["content"]):
        empty, deltas = _block_events(block)
        yield "content_block_start", {"type": "content_block_start", "index": index, "content_block": empty}
        for delta in deltas:
            yield "content_block_delta", {"type": "content_block_delta", "index": index, "delta": delta}
        yield "content_block_stop", {"type": "content_block_stop", "index": index}
    delta = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    said = {key: value for key, value in usage.items() if key not in ("cache_creation", "service_tier")}
    yield "message_delta", {"type": "message_delta", "delta": delta, "usage": said}
    yield "message_stop", {"type": "message_stop"}


def _block_events(block: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return a block's initial state and the deltas that complete it."""
    if block["type"] == "text":
        return {**block, "text": ""}, [
            {"type": "text_delta", "text": part} for part in _chunks(block["text"])
        ]
    if block["type"] == "thinking":
        return {**block, "signature": ""}, [{"type": "signature_delta", "signature": block["signature"]}]
    written = json.dumps(block["input"], ensure_ascii=False)
    parts = [{"type": "input_json_delta", "partial_json": part} for part in ("", *_chunks(written))]
    return {**block, "input": {}}, parts


def _chunks(text: str) -> list[str]:
    return [text[begin : begin + _CHUNK] for begin in range(0, len(text), _CHUNK)]


def error_body(kind: str, message: str, request_id: str) -> dict[str, Any]:
    """Return an error in the provider's format."""
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": request_id}
