"""The usage reported in an answer of each API, read from a body or a stream as it passes.

A `Meter` is fed the bytes of an answer and reports its usage once. Nothing is held back or changed, so it works alike
for a client that reads events, lines or bytes, and for a proxy that passes them on.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from simbudget.guard import bounds
from simbudget.guard.usage import usage_of
from simbudget.pricing.charge import Usage

_LONGEST_BODY_BYTES: Final = 64 * 1024 * 1024
"""Larger bodies are not kept to look for a usage; their reservation stays open. Answers have some megabytes at most."""
_SIGNIFICANT: Final = frozenset({"message_start", "message_delta", "message_stop"})


@dataclass(frozen=True)
class Reported:
    """What an answer reports: its usage, its id, and anything billed that the guard cannot price."""

    usage: Usage
    name: str
    surprise: str = ""
    place: str = ""
    """Where the call was served, if that is reported (`inference_geo`)."""


@dataclass(frozen=True)
class Api:
    """One API of a model: how requests are bounded, and where answers report their usage."""

    path: str
    """The end of its URL."""
    parts: Callable[[Mapping[str, Any]], list[tuple[Any, int]]]
    output_tokens: Callable[[Mapping[str, Any]], int]
    read: Callable[[Mapping[str, Any]], Reported | None]
    """Returns what a complete answer reports; None if it is not an answer."""
    take: Callable[[Mapping[str, Any], dict[str, Any]], Reported | None]
    """Takes an event of a stream; returns what was reported once that is final."""
    finish: Callable[[Mapping[str, Any]], Reported | None] = lambda _: None
    """Returns what the events of a stream reported that ends with no event of its own; None if it may be cut."""


class Meter:
    """Watches an answer pass, and calls `found` once with what it reports."""

    def __init__(self, api: Api, streams: bool, found: Callable[[Reported], None]) -> None:
        self._api, self._streams, self._found = api, streams, found
        self._rest = bytearray()
        self._seen: dict[str, Any] = {}
        self._is_done = False

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        if self._is_done or len(self._rest) > _LONGEST_BODY_BYTES:
            return
        self._rest += data
        if not self._streams:
            return
        *lines, rest = self._rest.split(b"\n")
        self._rest = bytearray(rest)
        for line in lines:
            self._line(line)

    def end(self) -> None:
        """Handle the end of the answer; a body that is not a stream is parsed now."""
        if self._is_done:
            return
        if self._streams:
            self._line(self._rest)
            self._report(self._api.finish(self._seen))
        elif (body := _object(self._rest)) is not None:
            self._report(self._api.read(body))

    def _line(self, line: bytes | bytearray) -> None:
        if not line.startswith(b"data:") or self._is_done:
            return
        if line[5:].strip() == b"[DONE]":
            self._seen["has ended"] = True
            self._report(self._api.finish(self._seen))
        elif (event := _object(line[5:])) is not None:
            self._report(self._api.take(event, self._seen))

    def _report(self, reported: Reported | None) -> None:
        if reported is not None and not self._is_done:
            self._is_done = True
            self._found(reported)


def _object(data: bytes | bytearray) -> dict[str, Any] | None:
    """Parse a JSON object; None for anything else."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _count(usage: Mapping[str, Any], name: str) -> int:
    """Return a count from a usage; 0 if it is missing or invalid."""
    value = usage.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def _are_counts(usage: Mapping[str, Any], *needed: str) -> bool:
    """Return whether a usage has the counts that are needed, and no count in it is anything but a whole number.

    A usage that is not understood is not believed: the reservation then stays at its worst case.
    """
    counts = [usage.get(name) for name in needed]
    counts += [value for name, value in usage.items() if name.endswith("_tokens") and value is not None]
    return all(
        isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _MOST_COUNT
        for value in counts
    )


_MOST_COUNT: Final = 10**12
"""Far above any answer's tokens, and exact as a double."""


# The Messages API.


def _messages_read(body: Mapping[str, Any]) -> Reported | None:
    usage = body.get("usage")
    if not isinstance(usage, Mapping) or not _are_counts(usage, "input_tokens", "output_tokens"):
        return None
    served = usage.get("server_tool_use")
    ran = sorted(name for name in served if _count(served, name)) if isinstance(served, Mapping) else []
    surprise = f"the provider ran and bills {ran[0].removesuffix('_requests')}" if ran else ""
    if usage.get("speed") not in (None, "standard"):
        surprise = f"the provider served it at the speed {usage['speed']!r}"
    place = usage.get("inference_geo")
    return Reported(
        usage_of(usage), str(body.get("id") or ""), surprise, place if isinstance(place, str) else ""
    )


def _messages_take(event: Mapping[str, Any], seen: dict[str, Any]) -> Reported | None:
    """Merge the events of a stream: the first has the prompt's counts, later ones the output so far."""
    kind = event.get("type")
    if kind not in _SIGNIFICANT:
        return None
    message = event.get("message") if kind == "message_start" else event
    if isinstance(message, Mapping):
        seen["id"] = message.get("id") or seen.get("id")
        usage = message.get("usage")
        if isinstance(usage, Mapping):
            known = seen.setdefault("usage", {})
            known.update({name: value for name, value in usage.items() if value is not None})
    return _messages_read(seen) if kind == "message_stop" else None


# OpenAI's APIs.


def _chat_read(body: Mapping[str, Any]) -> Reported | None:
    return _openai_reported(body, "prompt_tokens", "completion_tokens")


def _chat_take(event: Mapping[str, Any], seen: dict[str, Any]) -> Reported | None:
    """Remember a usage: some servers report one with every chunk, and only the last of them counts everything."""
    if isinstance(event.get("usage"), Mapping):
        seen["last"] = event
    choices = event.get("choices")
    for one in choices if isinstance(choices, list) else ():
        if isinstance(one, Mapping) and one.get("finish_reason"):
            seen["has ended"] = True
    return None


def _chat_finish(seen: Mapping[str, Any]) -> Reported | None:
    return _chat_read(seen["last"]) if "last" in seen and seen.get("has ended") else None


def _responses_read(body: Mapping[str, Any]) -> Reported | None:
    return _openai_reported(body, "input_tokens", "output_tokens")


_LAST_EVENTS: Final = frozenset({"response.completed", "response.incomplete", "response.failed"})


def _responses_take(event: Mapping[str, Any], seen: dict[str, Any]) -> Reported | None:
    response = event.get("response") if event.get("type") in _LAST_EVENTS else None
    return _responses_read(response) if isinstance(response, Mapping) else None


def _openai_reported(body: Mapping[str, Any], prompt: str, output: str) -> Reported | None:
    """Return what an answer of OpenAI's APIs reports; prompt counts include cached tokens.

    Some servers leave reasoning out of the output count, but not out of the total, which they bill.
    """
    usage = body.get("usage")
    if not isinstance(usage, Mapping) or not _are_counts(usage, prompt, output):
        return None
    of_prompt = usage.get(f"{prompt}_details")
    of_output = usage.get(f"{output}_details")
    cached = _count(of_prompt, "cached_tokens") if isinstance(of_prompt, Mapping) else 0
    thinking = _count(of_output, "reasoning_tokens") if isinstance(of_output, Mapping) else None
    written = _count(of_prompt, "cache_write_tokens") if isinstance(of_prompt, Mapping) else 0
    counted = Usage(
        uncached_input=max(0, _count(usage, prompt) - cached - written),
        cache_write_1h=written,  # for how long is not reported
        cache_read=cached,
        output=max(_count(usage, output), _count(usage, "total_tokens") - _count(usage, prompt)),
        thinking=thinking,
    )
    tier = body.get("service_tier")
    surprise = f"the provider served it at the tier {tier!r}" if tier == "priority" else ""
    return Reported(counted, str(body.get("id") or ""), surprise)


MESSAGES: Final = Api(
    "/v1/messages", bounds.messages_parts, bounds.messages_output_tokens, _messages_read, _messages_take
)
CHAT: Final = Api(
    "/chat/completions",
    bounds.chat_parts,
    bounds.chat_output_tokens,
    _chat_read,
    _chat_take,
    _chat_finish,
)
RESPONSES: Final = Api(
    "/responses", bounds.responses_parts, bounds.responses_output_tokens, _responses_read, _responses_take
)
