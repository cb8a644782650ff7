"""What a request can count at most: pictures by their pixels, and nothing that is not known to be bounded."""

import base64
import json
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from simbudget.guard import BudgetGuard, CapReachedError, UnboundedCostError
from simbudget.guard.bounds import (
    PromptBounds,
    chat_output_tokens,
    chat_parts,
    messages_parts,
    responses_parts,
)
from simbudget.guard.pictures import claude_picture_tokens, openai_picture_tokens, picture_size
from tests.guard.fake import MODEL, always, faking, used


def png(width: int, height: int) -> str:
    """Return a black picture in base64; of a thousand pixels square it has some hundred bytes, compressed."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = zlib.compress(b"\0" * ((width // 8 + 2) * height), 9)
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    file = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    return base64.b64encode(file).decode()


def picture(data: str) -> dict[str, Any]:
    return {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}}


def asking(*blocks: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    message = {"role": "user", "content": [*blocks, {"type": "text", "text": "What is it?"}]}
    return {"model": MODEL, "max_tokens": 10, "messages": [message], **more}


def at_most(body: Mapping[str, Any]) -> int:
    return PromptBounds().at_most(messages_parts(body))


MEASURED = {
    (256, 256): 177, (512, 512): 438, (768, 768): 861, (1024, 1024): 1446, (1920, 1080): 2768,
    (2560, 1440): 3069, (4032, 3024): 4005,
}  # fmt: skip
"""What models with the largest pictures were seen to count, some 77 tokens of text included, by width and height."""


@pytest.mark.parametrize("size", MEASURED)
def test_a_picture_is_bounded_by_its_pixels_and_the_bound_is_not_far_off(size: tuple[int, int]) -> None:
    bound = claude_picture_tokens(png(*size))
    assert picture_size(png(*size)) == size
    assert MEASURED[size] - 77 <= bound <= 1.8 * MEASURED[size]


def test_pictures_of_few_bytes_and_many_pixels_do_not_pass_the_cap(tmp_path: Path) -> None:
    body = asking(*[picture(png(1092, 1092))] * 90)
    bound_by_bytes = len(json.dumps(body)) * 10e-6
    with faking(always(used(90 * 1590, 10))) as provider:
        guard = BudgetGuard(tmp_path / "ledger.sqlite", 0.50)
        client = guard.wrap(provider.client())
        with pytest.raises(CapReachedError):
            client.messages.create(**body)
        assert provider.requests == []
        assert bound_by_bytes < 0.50, "a bound of one token a byte would have let it through"
        assert provider.client().messages.create(**body).usage.input_tokens * 5e-6 > 0.50


def test_what_is_no_picture_counts_as_the_largest() -> None:
    for data in ("", "AAAA", base64.b64encode(b"GIF89a\1\0\1\0").decode(), png(1, 1)[:20], "%%%"):
        assert claude_picture_tokens(data) >= 4784
        assert openai_picture_tokens(data) is None


def test_jpeg_and_webp_say_how_large_they_are() -> None:
    frame = (
        b"\xff\xd8\xff\xe0\0\4ab\xff\xc2\0\x0b\x08" + struct.pack(">HH", 700, 900) + b"\x01\x01\x11\0\xff\xda"
    )
    assert picture_size(base64.b64encode(frame).decode()) == (900, 700)
    canvas = (
        b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + (899).to_bytes(3, "little") + (699).to_bytes(3, "little")
    )
    assert picture_size(base64.b64encode(canvas).decode()) == (900, 700)


UNBOUNDED = {
    "a PDF": asking({"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": ""}}),
    "a picture elsewhere": asking({"type": "image", "source": {"type": "url", "url": "http://127.0.0.1/x.png"}}),
    "a file of the provider": asking({"type": "document", "source": {"type": "file", "file_id": "file_1"}}),
    "a picture within a tool's result": asking(
        {
            "type": "tool_result",
            "tool_use_id": "a",
            "content": [{"type": "image", "source": {"type": "file", "file_id": "file_1"}}],
        }
    ),
    "citations": asking(
        {
            "type": "document",
            "citations": {"enabled": True},
            "source": {"type": "text", "media_type": "text/plain", "data": "a. b. c."},
        }
    ),
    "a block that nobody knows": asking({"type": "hologram", "data": "x"}),
    "a container's upload": asking({"type": "container_upload", "file_id": "file_1"}),
    "a key that nobody knows": asking(hologram=True),
    "web search": asking(tools=[{"type": "web_search_20250305", "name": "web_search"}]),
    "code execution": asking(tools=[{"type": "code_execution_20250825", "name": "code_execution"}]),
    "an MCP server": asking(mcp_servers=[{"type": "url", "url": "http://127.0.0.1", "name": "x"}]),
    "fast mode": asking(speed="fast"),
    "compaction by the provider": asking(context_management={"edits": [{"type": "compact_20260112"}]}),
    "content that is no list": asking() | {"messages": [{"role": "user", "content": {"type": "text"}}]},
}  # fmt: skip


@pytest.mark.parametrize("what", UNBOUNDED)
def test_what_is_not_known_to_be_bounded_is_refused(what: str) -> None:
    with pytest.raises(UnboundedCostError):
        messages_parts(UNBOUNDED[what])
    messages_parts(asking())  # the same without it is let through


@pytest.mark.parametrize("tokens", [-5, 0, True, 1.5, None])
def test_an_output_without_a_bound_or_below_one_is_refused(tmp_path: Path, tokens: object) -> None:
    guard = BudgetGuard(tmp_path / "ledger.sqlite", 0.50)
    with faking(always(used())) as provider, pytest.raises(UnboundedCostError, match="max_tokens"):
        guard.wrap(provider.client()).messages.create(**(asking() | {"max_tokens": tokens}), timeout=9)
    assert provider.requests == []
    assert guard.spend().worst_usd == 0


def test_what_extra_body_adds_counts_too(tmp_path: Path) -> None:
    guard = BudgetGuard(tmp_path / "ledger.sqlite", 0.50)
    with faking(always(used())) as provider, pytest.raises(CapReachedError):
        guard.wrap(provider.client()).messages.create(**asking(), extra_body={"max_tokens": 100_000})
    assert provider.requests == []


def test_a_bound_that_was_learnt_counts_what_a_tool_is_given_under_the_name_of_a_marker() -> None:
    def using(value: object) -> dict[str, Any]:
        use = {"type": "tool_use", "id": "a", "name": "t", "input": {"cache_control": value}}
        return {"model": MODEL, "max_tokens": 1, "messages": [{"role": "assistant", "content": [use]}]}

    bounds = PromptBounds()
    bounds.learn(messages_parts(using("")), 50)
    assert bounds.at_most(messages_parts(using(""))) < 100
    assert bounds.at_most(messages_parts(using("word " * 20_000))) > 20_000


OPENAI_UNBOUNDED = {
    "a picture elsewhere": {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://127.0.0.1/x"}}]}]},
    "sound": {"messages": [], "modalities": ["text", "audio"]},
    "a file": {"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "x"}}]}]},
    "the priority tier": {"messages": [], "service_tier": "priority"},
    "a predicted output": {"messages": [], "prediction": {"type": "content", "content": "x"}},
    "web search": {"messages": [], "web_search_options": {"search_context_size": "low"}},
}  # fmt: skip


@pytest.mark.parametrize("what", OPENAI_UNBOUNDED)
def test_what_is_not_known_to_be_bounded_is_refused_for_chat_completions(what: str) -> None:
    with pytest.raises(UnboundedCostError):
        chat_parts({"model": "gpt-5", "max_tokens": 5, **OPENAI_UNBOUNDED[what]})


def test_several_answers_of_a_chat_completion_count_each() -> None:
    assert chat_output_tokens({"n": 3, "max_completion_tokens": 100}) == 300


@pytest.mark.parametrize(
    "more", [{"previous_response_id": "r"}, {"background": True}, {"prompt": {"id": "p"}}]
)
def test_a_response_whose_prompt_is_elsewhere_is_refused(more: Mapping[str, Any]) -> None:
    responses_parts({"model": "gpt-5", "input": "x"})
    with pytest.raises(UnboundedCostError):
        responses_parts({"model": "gpt-5", "input": "x", **more})
