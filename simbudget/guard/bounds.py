"""Upper bounds on the tokens of a request, computed locally.

A token of a byte-level vocabulary stands for at least one byte, so a text has at most as many tokens as bytes; an
allowance covers what the provider adds (marks around messages and blocks, instructions for tools). This bound is about
four times too high. It becomes tight for a request that continues an earlier one, as an agent's requests do: the
common beginning counts what the earlier answer reported, and only new messages count their bytes.

Only requests known to be bounded are let through: every key, every kind of tool and every kind of content has to be on
a list here, and anything else is refused by name. A list of dangerous features would miss the provider's next one.
"""

import hashlib
import json
import os
import re
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NoReturn

from simbudget.guard.pictures import claude_picture_tokens, data_of_url, openai_picture_tokens

_FIXED_TOKENS: Final = 2_000
"""For what the provider adds once: instructions for tools (313 to 735 tokens according to its documentation) etc."""
_TOKENS_EACH: Final = 32
"""For the marks around a message and around each of its blocks; measured values are three to ten."""
_TOKENS_OF_A_TOOL: Final = 1_000
"""For a tool defined by the provider; the longest, the text editor, takes 700."""
_TOKENS_PER_SEALED_BYTE: Final = 2
"""Encrypted thinking may have been compressed first, so that one byte of it may stand for more than one token."""
_MOST_TOKENS: Final = 10**9
"""Largest output limit that is taken for one: above any model's, and exact in every later sum."""
_BILLS_MORE: Final = re.compile(
    r"(?<!re)search|sonar|deep-?research|compound|online|audio|realtime|image|tts|transcribe"
)
"""Names of models that search by themselves, or whose output is not text: their tokens are not all that they bill."""
_REMEMBERED: Final = 4_096
"""Maximum number of requests remembered: some hundred bytes each, and more than a fleet has conversations."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_MESSAGES_KEYS: Final = _words(
    "model max_tokens messages system tools tool_choice temperature top_p top_k stop_sequences stream metadata "
    "thinking service_tier output_config output_format cache_control inference_geo speed"
)
_MESSAGE_KEYS: Final = _words("role content output_config clear_at")
_CLIENT_TOOL: Final = re.compile(r"(text_editor|bash|memory|computer)_\d{8}")
"""Types of tools that the client runs, each with its date, and that cost nothing but tokens. A name that only begins
like one of them, such as that of a tool which the provider runs, does not match."""
_CHAT_KEYS: Final = _words(
    "model messages max_tokens max_completion_tokens n temperature top_p stop stream stream_options tools tool_choice "
    "parallel_tool_calls response_format seed frequency_penalty presence_penalty logit_bias logprobs top_logprobs "
    "user metadata store reasoning_effort verbosity service_tier prompt_cache_key safety_identifier modalities "
    "functions function_call"
)
_CHAT_MESSAGE_KEYS: Final = _words(
    "role content name tool_calls tool_call_id function_call refusal annotations reasoning reasoning_content "
    "reasoning_details"
)
_RESPONSES_KEYS: Final = _words(
    "model input instructions max_output_tokens temperature top_p stream stream_options tools tool_choice "
    "parallel_tool_calls text reasoning include store metadata user truncation service_tier prompt_cache_key "
    "safety_identifier top_logprobs max_tool_calls"
)
_OPENAI_TOOLS: Final = frozenset({"function", "custom"})
_OPENAI_TIERS: Final = frozenset({None, "auto", "default", "flex"})
"""`priority` costs more than the price list says."""


class UnboundedCostError(Exception):
    """The maximum cost of a call is unknown, so it is not made; the message says why, and what to do."""


class UnguardedCallError(Exception):
    """A call that the guard cannot bound, such as a batch, and that is therefore not made."""


class _Counted:
    """Upper bound on the tokens of a part of a request, summed up block by block."""

    def __init__(self) -> None:
        self.tokens = 0

    def text(self, value: Any, tokens_per_byte: int = 1) -> None:
        """Add a value, every byte of whose JSON may be a token.

        Raises:
            UnboundedCostError: it cannot be written as JSON.
        """
        self.tokens += tokens_per_byte * len(_as_json(value)) + _TOKENS_EACH


def shown(value: object) -> str:
    """Return a value as an error message shows it: Python refuses to print numbers of thousands of digits."""
    return "too large" if isinstance(value, int) and abs(value) > _MOST_TOKENS else repr(value)[:60]


def _refuse(message: str) -> NoReturn:
    raise UnboundedCostError(message)


def _require_known_keys(body: Mapping[str, Any], known: frozenset[str]) -> None:
    unknown = sorted(key for key, value in body.items() if key not in known and value not in (None, [], {}))
    if unknown:
        _refuse(f"the maximum cost of `{unknown[0]}` is unknown; leave it out")


def _whole_tokens(body: Mapping[str, Any], *keys: str) -> int:
    """Return the output limit of a request: the first of some keys that it has."""
    for key in keys:
        value = body.get(key)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= _MOST_TOKENS:
            _refuse(f"`{key}` is {shown(value)}; set it to a whole number from 1 to {_MOST_TOKENS:,}")
        return int(value)
    return _refuse(f"the request has no `{keys[0]}`, so its output has no bound; set it")


def _list_of_mappings(value: Any, what: str) -> Sequence[Mapping[str, Any]]:
    if value is None:
        return ()
    if not isinstance(value, list | tuple) or not all(isinstance(one, Mapping) for one in value):
        _refuse(f"`{what}` is not a list of objects, so its cost is unknown")
    return value


def require_priced_by_tokens(model: str) -> None:
    """Check that a model bills nothing but the tokens of text.

    Raises:
        UnboundedCostError: it does not, by its name.
    """
    if _BILLS_MORE.search(model.lower()):
        _refuse(
            f"the model {model[:80]!r} bills more than tokens of text, such as searches; take another one"
        )


# The Messages API.


def messages_output_tokens(body: Mapping[str, Any]) -> int:
    """Return the maximum output tokens of a Messages API request.

    Raises:
        UnboundedCostError: the request sets no valid limit.
    """
    return _whole_tokens(body, "max_tokens")


def messages_parts(body: Mapping[str, Any]) -> list[tuple[Any, int]]:
    """Return the parts of a Messages API request, each with an upper bound on its tokens.

    The first part is everything except the messages.

    Raises:
        UnboundedCostError: the request contains something with further or unknown costs.
    """
    _require_known_keys(body, _MESSAGES_KEYS)
    if body.get("speed") not in (None, "standard"):
        _refuse(f"speed {body['speed']!r} is not on the price list; leave out `speed`")
    thinking = body.get("thinking")
    if isinstance(thinking, Mapping) and thinking.get("budget_tokens") is not None:
        budget = _whole_tokens(thinking, "budget_tokens")
        if budget >= messages_output_tokens(body):
            _refuse(
                "with a thinking budget of at least `max_tokens`, thinking between tool calls is not limited by "
                "`max_tokens`; set `budget_tokens` below it"
            )
    counted = _Counted()
    for tool in _list_of_mappings(body.get("tools"), "tools"):
        kind = str(tool.get("type") or "custom")
        if kind != "custom" and not _CLIENT_TOOL.fullmatch(kind):
            _refuse(
                f"the provider's tool {kind!r} costs more than its tokens; leave it out, or let your program run "
                "a tool of its own"
            )
        counted.text(tool)
        counted.tokens += 0 if kind == "custom" else _TOKENS_OF_A_TOOL
    _count_claude(body.get("system"), counted, "system")
    counted.text(
        {key: body.get(key) for key in ("tool_choice", "thinking", "output_config", "output_format")}
    )
    apart = {key: value for key, value in body.items() if key not in ("messages", "max_tokens", "stream")}
    parts: list[tuple[Any, int]] = [(apart, counted.tokens)]
    for message in _list_of_mappings(body.get("messages"), "messages"):
        _require_known_keys(message, _MESSAGE_KEYS)
        counted = _Counted()
        counted.text({key: value for key, value in message.items() if key != "content"})
        _count_claude(message.get("content"), counted, "content")
        parts.append((message, counted.tokens))
    return parts


def _count_claude(content: Any, counted: _Counted, where: str) -> None:
    """Count content of the Messages API: a text, or blocks of known types."""
    if content is None or isinstance(content, str):
        counted.text(content)
        return
    for block in _list_of_mappings(content, where):
        kind = block.get("type")
        plain = {
            key: value for key, value in block.items() if key not in ("source", "content", "cache_control")
        }
        if kind in ("text", "tool_use"):
            counted.text(block)
        elif kind == "tool_result":
            counted.text(plain)
            _count_claude(block.get("content"), counted, "tool_result")
        elif kind == "thinking":
            counted.text(block.get("thinking"))
            counted.text(block.get("signature"), _TOKENS_PER_SEALED_BYTE)
        elif kind == "redacted_thinking":
            counted.text(block.get("data"), _TOKENS_PER_SEALED_BYTE)
        elif kind in ("image", "document"):
            counted.text(plain)
            _count_source(str(kind), block, counted)
        else:
            _refuse(f"the maximum cost of a block of type {kind!r} is unknown; leave it out")


def _count_source(kind: str, block: Mapping[str, Any], counted: _Counted) -> None:
    """Count the content of a picture or document."""
    source = block.get("source")
    source = source if isinstance(source, Mapping) else {}
    form = source.get("type")
    citations = block.get("citations")
    if isinstance(citations, Mapping) and citations.get("enabled"):
        _refuse("citations add an unpublished number of tokens; leave out `citations`")
    if kind == "image" and form == "base64":
        counted.tokens += claude_picture_tokens(str(source.get("data") or ""))
    elif kind == "document" and form == "text":
        counted.text(source)
    elif kind == "document" and form == "content":
        _count_claude(source.get("content"), counted, "document")
    elif kind == "document" and form == "base64":
        _refuse(
            "a PDF counts its text and a picture of each page, and its text is bounded neither by bytes nor by pages; "
            "send its text, or its pages as pictures"
        )
    else:
        _refuse(
            f"a source of type {form!r} is not part of the request, so its tokens have no bound; send its content"
        )


# OpenAI's APIs, which many other servers also speak.


def chat_output_tokens(body: Mapping[str, Any]) -> int:
    """Return the maximum output tokens of a chat completion, over all its answers.

    Raises:
        UnboundedCostError: the request sets no valid limit.
    """
    answers = 1 if body.get("n") is None else _whole_tokens(body, "n")
    names = ("max_completion_tokens", "max_tokens")
    # Servers differ in which of the two they know, so the larger counts.
    given = [name for name in names if body.get(name) is not None] or names[:1]
    return answers * max(_whole_tokens(body, name) for name in given)


def chat_parts(body: Mapping[str, Any]) -> list[tuple[Any, int]]:
    """Return the parts of a chat completion request, each with an upper bound on its tokens.

    Raises:
        UnboundedCostError: the request contains something with further or unknown costs.
    """
    _require_known_keys(body, _CHAT_KEYS)
    if body.get("modalities") not in (None, ["text"]):
        _refuse("audio has its own prices; leave out `modalities`")
    parts = _openai_beginning(body, "messages", "max_tokens", "max_completion_tokens")
    for message in _list_of_mappings(body.get("messages"), "messages"):
        _require_known_keys(message, _CHAT_MESSAGE_KEYS)
        counted = _Counted()
        apart = ("content", "reasoning_details")
        counted.text({key: value for key, value in message.items() if key not in apart})
        counted.text(message.get("reasoning_details"), _TOKENS_PER_SEALED_BYTE)
        _count_openai(message.get("content"), counted)
        parts.append((message, counted.tokens))
    return parts


def responses_output_tokens(body: Mapping[str, Any]) -> int:
    """Return the maximum output tokens of a Responses API request.

    Raises:
        UnboundedCostError: the request sets no valid limit.
    """
    return _whole_tokens(body, "max_output_tokens")


_PLAIN_ITEMS: Final = frozenset({"function_call", "custom_tool_call", "custom_tool_call_output"})


def responses_parts(body: Mapping[str, Any]) -> list[tuple[Any, int]]:
    """Return the parts of a Responses API request, each with an upper bound on its tokens.

    Raises:
        UnboundedCostError: the request contains something with further or unknown costs.
    """
    _require_known_keys(body, _RESPONSES_KEYS)
    parts = _openai_beginning(body, "input", "max_output_tokens")
    given = body.get("input")
    if isinstance(given, str):
        counted = _Counted()
        counted.text(given)
        return [*parts, (given, counted.tokens)]
    for item in _list_of_mappings(given, "input"):
        counted = _Counted()
        kind = item.get("type") or "message"
        plain = {
            key: value for key, value in item.items() if key not in ("content", "output", "encrypted_content")
        }
        counted.text(plain)
        if kind == "message":
            _count_openai(item.get("content"), counted)
        elif kind == "function_call_output":
            _count_openai(item.get("output"), counted)
        elif kind == "reasoning":
            if not item.get("encrypted_content") and not item.get("content"):
                _refuse(
                    "a reasoning item without its content stands for one that the provider has stored, whose tokens "
                    'have no bound; leave it out, or ask for `include: ["reasoning.encrypted_content"]`'
                )
            _count_openai(item.get("content"), counted)
            counted.text(item.get("encrypted_content"), _TOKENS_PER_SEALED_BYTE)
        elif kind in _PLAIN_ITEMS:
            counted.text(item)
        else:
            _refuse(f"the maximum cost of an item of type {kind!r} is unknown; leave it out")
        parts.append((item, counted.tokens))
    return parts


def _openai_beginning(body: Mapping[str, Any], *apart: str) -> list[tuple[Any, int]]:
    """Return everything in a request except its messages, as its first part."""
    if body.get("service_tier") not in _OPENAI_TIERS:
        _refuse(f"service tier {body['service_tier']!r} is not on the price list; leave out `service_tier`")
    for tool in _list_of_mappings(body.get("tools"), "tools"):
        if tool.get("type") not in _OPENAI_TOOLS:
            _refuse(
                f"the provider's tool {tool.get('type')!r} costs more than its tokens; leave it out, or let your "
                "program run a tool of its own"
            )
    beginning = {
        key: value
        for key, value in body.items()
        if key not in (*apart, "stream", "stream_options", "metadata")
    }
    counted = _Counted()
    counted.text(beginning)
    return [(beginning, counted.tokens)]


def _count_openai(content: Any, counted: _Counted) -> None:
    """Count content of OpenAI's APIs: a text, or parts of known types."""
    if content is None or isinstance(content, str):
        counted.text(content)
        return
    for part in _list_of_mappings(content, "content"):
        kind = str(part.get("type"))
        if kind in ("text", "refusal", "input_text", "output_text", "summary_text", "reasoning_text"):
            counted.text(part)
        elif kind in ("image_url", "input_image") and not part.get("file_id"):
            encoded = data_of_url(part.get("image_url") or "")
            tokens = None if encoded is None else openai_picture_tokens(encoded)
            if tokens is None:
                _refuse(
                    "a picture has to be part of the request, as a `data:` URL of a PNG, JPEG or WebP; otherwise its "
                    "tokens have no bound"
                )
            counted.tokens += tokens
        else:
            _refuse(f"the maximum cost of a part of type {kind!r} is unknown; leave it out")


# Bounds that improve with answers.


class PromptBounds:
    """Upper bounds on prompts, tighter for a request that continues one with a known count. Thread-safe."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, int] = OrderedDict()
        self._lock, self._pid = threading.Lock(), os.getpid()

    def _locked(self) -> threading.Lock:
        """Return the lock of this process: in a forked one, the parent's may be held by a thread that is not there."""
        if self._pid != os.getpid():
            self._lock, self._pid = threading.Lock(), os.getpid()
        return self._lock

    def at_most(self, parts: Sequence[tuple[Any, int]]) -> int:
        """Return an upper bound on the tokens of a prompt with these parts."""
        chain = list(_fingerprints(parts))
        with self._locked():
            for length in range(len(chain) - 1, -1, -1):
                known = self._known.get(chain[length])
                if known is not None:
                    return known + sum(tokens for _, tokens in parts[length + 1 :]) + _TOKENS_EACH
        return sum(tokens for _, tokens in parts) + _FIXED_TOKENS

    def learn(self, parts: Sequence[tuple[Any, int]], prompt_tokens: int) -> None:
        """Remember the number of tokens of a prompt with these parts."""
        *_, last = _fingerprints(parts)
        with self._locked():
            self._known[last] = prompt_tokens
            self._known.move_to_end(last)
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)


def _fingerprints(parts: Sequence[tuple[Any, int]]) -> Iterator[str]:
    """Yield a fingerprint of a request up to each of its parts, without cache markers, which move between requests."""
    running = hashlib.sha256()
    for part, _ in parts:
        text = _as_json(_without_markers(part))
        running.update(len(text).to_bytes(8, "little"))
        running.update(text)
        yield running.hexdigest()


_HOLD_BLOCKS: Final = frozenset({"content", "system", "tools", "source"})
"""Where a cache marker can be. Elsewhere, as in the input of a tool, the same key is program text and counts."""


def _without_markers(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {
            key: _without_markers(each) if key in _HOLD_BLOCKS else each
            for key, each in value.items()
            if key != "cache_control"
        }
    if isinstance(value, list | tuple):
        return [_without_markers(each) for each in value]
    return value


def _as_json(value: Any) -> bytes:
    """Return a value as JSON; lone surrogates, which are not characters, still count their bytes.

    Raises:
        UnboundedCostError: it cannot be written as JSON, or is nested too deeply.
    """
    try:
        text = json.dumps(value, sort_keys=True, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError) as error:
        _refuse(f"the request cannot be written as JSON ({str(error)[:80]}), so its cost is unknown")
    return text.encode("utf-8", "surrogatepass")
