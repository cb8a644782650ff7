"""Ways around a cap that a program, a library or a server may take without anybody's intent; and none passes it."""

import base64
import json
import os
import struct
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import anthropic
import httpx2
import pytest

from simbudget.errors import UserError
from simbudget.guard import BudgetGuard, CapReachedError, UnboundedCostError
from simbudget.guard.answers import CHAT, MESSAGES, RESPONSES, Api, Meter, Reported
from simbudget.guard.bounds import chat_parts, messages_parts, responses_parts
from simbudget.guard.pictures import claude_picture_tokens, picture_size
from tests.guard.fake import MODEL, always, faking, used
from tests.guard.test_faults import CALL, guarded
from tests.guard.test_proxy import guard as behind_the_proxy

Middleware = Callable[[Any, Any], Any]


def again(request: Any, call_next: Any) -> Any:
    """Make the same attempt three times, as a middleware that retries does."""
    return [call_next(request) for _ in range(3)][-1]


DERIVED: dict[str, Callable[[anthropic.Anthropic], anthropic.Anthropic]] = {
    "a middleware that retries": lambda client: client.with_middleware(again),
    "other middlewares instead": lambda client: client.with_options(middleware=[again]),
    "no middlewares": lambda client: client.with_options(middleware=[]),
    "a copy of a copy": lambda client: (
        client.copy(timeout=9).copy(middleware=None).with_options(max_retries=1)
    ),
}


@pytest.mark.parametrize("what", DERIVED)
def test_every_attempt_of_a_client_derived_from_a_guarded_one_is_reserved(tmp_path: Path, what: str) -> None:
    guard = guarded(tmp_path)
    with faking(always(used(100, 200))) as provider:
        client = DERIVED[what](guard.wrap(provider.client()))
        client.messages.create(**CALL)
        client.messages.with_raw_response.create(**CALL)
    assert len(guard.store.entries()) == len(provider.requests) >= 2


def test_a_call_made_in_the_course_of_another_is_reserved_too(tmp_path: Path) -> None:
    guard = guarded(tmp_path)
    with faking(always(used(100, 200))) as provider:
        client = guard.wrap(provider.client())

        def asks_first(request: Any, call_next: Any) -> Any:
            client.messages.create(**CALL)
            return call_next(request)

        client.with_middleware(asks_first).messages.create(**CALL)
    assert len(guard.store.entries()) == len(provider.requests) == 2


def test_the_prices_of_a_clouds_client_are_not_taken_from_the_list(tmp_path: Path) -> None:
    call = {**CALL, "model": "claude-opus-4-5@20251101"}
    rates = {call["model"]: guarded(tmp_path).rates(MODEL)}
    with faking(always(used(100, 200))) as provider:
        cloud = anthropic.AnthropicVertex(
            region="us-east5", project_id="p", access_token="t", base_url=provider.url, max_retries=0
        )
        with pytest.raises(UserError, match="prices of AnthropicVertex depend on its region"):
            guarded(tmp_path).wrap(cloud).messages.create(**call)
        assert provider.requests == []
        priced = guarded(tmp_path, rates=rates)
        priced.wrap(cloud).messages.create(**call)
    assert priced.spend().settled_usd == pytest.approx(100 * 5e-6 + 200 * 25e-6)


def test_a_place_that_the_account_sets_is_reserved_and_billed(tmp_path: Path) -> None:
    worst = {}
    for geo in ("global", None):
        guard = BudgetGuard(tmp_path / f"{geo}.sqlite", 5.0)
        guard.reserve(MESSAGES, {**CALL, "inference_geo": geo})
        worst[geo] = guard.spend().open_usd
    assert worst[None] == pytest.approx(1.1 * worst["global"])
    guard = guarded(tmp_path)
    with faking(always(used(100, 200, inference_geo="us"))) as provider:
        guard.wrap(provider.client()).messages.create(**CALL)
    assert guard.spend().settled_usd == pytest.approx(1.1 * (100 * 5e-6 + 200 * 25e-6))


def test_a_call_that_was_served_fast_stops_what_follows(tmp_path: Path) -> None:
    guard = guarded(tmp_path)
    with faking(always(used(100, 200, speed="fast"))) as provider:
        client = guard.wrap(provider.client())
        client.messages.create(**CALL)
        with pytest.raises(UnboundedCostError, match="speed 'fast'"):
            client.messages.create(**CALL)


def asking(**more: Any) -> dict[str, Any]:
    return {**CALL, **more}


UNBOUNDED: dict[str, tuple[Callable[..., Any], Mapping[str, Any]]] = {
    "a thinking budget beyond the output limit": (
        messages_parts,
        asking(thinking={"type": "enabled", "budget_tokens": 1000}),
    ),
    "a key of a message that nobody knows": (
        messages_parts,
        asking(messages=[{"role": "user", "content": "x", "file_ids": ["file_1"]}]),
    ),
    "what is not JSON": (messages_parts, asking(system=[{"type": "text", "text": "x", "more": object()}])),
    "pictures beside a message": (
        chat_parts,
        {"messages": [{"role": "user", "content": "x", "images": ["http://127.0.0.1/x.png"]}]},
    ),
    "reasoning that the provider has stored": (
        responses_parts,
        {"input": [{"type": "reasoning", "id": "rs_1", "summary": []}]},
    ),
}


@pytest.mark.parametrize("what", UNBOUNDED)
def test_a_request_that_may_cost_more_than_it_shows_is_refused(what: str) -> None:
    parts, body = UNBOUNDED[what]
    with pytest.raises(UnboundedCostError):
        parts(body)


def test_requests_that_differ_from_those_in_what_makes_them_unbounded_are_let_through() -> None:
    assert messages_parts(asking(thinking={"type": "enabled", "budget_tokens": 999}))
    assert responses_parts({"input": [{"type": "reasoning", "id": "rs_1", "encrypted_content": "abc"}]})
    assert chat_parts({"messages": [{"role": "assistant", "content": "x", "reasoning_content": "y"}]})


@pytest.mark.parametrize(
    ("model", "is_taken"),
    [
        ("gpt-4o-search-preview", False),
        ("sonar-pro", False),
        ("o3-deep-research", False),
        ("gpt-4o-audio-preview", False),
        ("gemini-2.5-flash-image", False),
        ("gpt-5", True),
        ("openrouter/nousresearch/hermes-4-405b", True),
        (MODEL, True),
    ],
)
def test_a_model_that_bills_more_than_tokens_of_text_is_refused(
    tmp_path: Path, model: str, is_taken: bool
) -> None:
    guard = guarded(tmp_path)
    guard.rates(model)  # all of them are on the price list
    body = {"model": model, "max_tokens": 5, "messages": [{"role": "user", "content": "x"}]}
    if is_taken:
        guard.reserve(CHAT, body)
    else:
        with pytest.raises(UnboundedCostError, match="bills more than tokens of text"):
            guard.reserve(CHAT, body)


def test_an_absurd_output_limit_is_one_short_message(tmp_path: Path) -> None:
    guard = BudgetGuard(tmp_path / "ledger.sqlite", 1e300)
    for tokens in (10**400, 2**70, -(10**5000), float("nan"), "x" * 1_000_000):
        with pytest.raises(UnboundedCostError, match="whole number") as caught:
            guard.reserve(MESSAGES, {**CALL, "max_tokens": tokens})
        assert len(str(caught.value)) < 200


@pytest.mark.parametrize("labels", [{"agent": 2**70}, {"cycle": "x"}, {"turn": 1.5}, {"task": 5}])
def test_a_label_that_the_ledger_cannot_hold_is_one_short_message(
    tmp_path: Path, labels: dict[str, Any]
) -> None:
    with pytest.raises(UserError, match="the label") as caught, guarded(tmp_path).labels(**labels):
        pass
    assert len(str(caught.value)) < 200


def png(*sizes: tuple[int, int]) -> str:
    headers = b"".join(
        b"\0\0\0\x0dIHDR" + struct.pack(">II", *size) + b"\x08\2\0\0\0" + b"crc " for size in sizes
    )
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + headers).decode()


def test_a_picture_that_states_two_sizes_counts_as_the_larger() -> None:
    assert picture_size(png((1, 1), (1000, 900))) == (1000, 900)
    assert claude_picture_tokens(png((1, 1), (9000, 9000))) == claude_picture_tokens("nothing")
    assert claude_picture_tokens(png((1, 1))) < 5

    def jpeg(between: bytes) -> str:
        frames = [
            b"\xff\xc0\0\x0b\x08" + struct.pack(">HH", *size) + b"\x01\x01\x11\0"
            for size in ((9, 9), (2000, 2000))
        ]
        return base64.b64encode(b"\xff\xd8" + frames[0] + between + frames[1] + b"\xff\xda").decode()

    assert picture_size(jpeg(b"")) == (2000, 2000)
    assert picture_size(jpeg(b"junk")) is None, "which counts as the largest"


# What errors say.


def answering(status: int, body: bytes) -> Any:
    """Return an HTTP client whose every request gets the same answer."""
    return anthropic.DefaultHttpxClient(
        transport=httpx2.MockTransport(lambda _: httpx2.Response(status, content=body))
    )


FILTERED = b'{"type":"error","error":{"message":"Output blocked by content filtering policy"}}'


@pytest.mark.parametrize(
    ("status", "body", "stays"),
    [
        *((status, b"{}", True) for status in (424, 444, 460, 499, 307)),
        *((status, b"{}", False) for status in (400, 401, 404, 413, 422, 429)),
        (400, FILTERED, True),
        (400, b'{"error": {"code": "content_filter"}}', True),
    ],
)
def test_only_what_is_turned_away_before_any_work_is_released(
    tmp_path: Path, status: int, body: bytes, stays: bool
) -> None:
    guard = guarded(tmp_path)
    client = anthropic.Anthropic(
        api_key="none", base_url="http://127.0.0.1:9", max_retries=0, http_client=answering(status, body)
    )
    with pytest.raises(anthropic.APIStatusError):
        guard.wrap(client).messages.create(**CALL)
    assert (guard.spend().open_usd > 0.02) == stays


# What streams report.


def event(data: Mapping[str, Any] | str) -> bytes:
    return f"data: {data if isinstance(data, str) else json.dumps(data)}\n\n".encode()


def chunk(usage: object, reason: str | None = None) -> bytes:
    return event({"id": "c", "choices": [{"index": 0, "delta": {}, "finish_reason": reason}], "usage": usage})


def counted(output: int, **more: Any) -> dict[str, Any]:
    return {"prompt_tokens": 10, "completion_tokens": output, **more}


def message_events() -> list[bytes]:
    return [
        event({"type": "message_start", "message": {"id": "m", "usage": used(10, 1)[1]}}),
        event({"type": "content_block_start", "index": 0}),
        event({"type": "message_delta", "usage": {"output_tokens": 300}}),
        event({"type": "message_stop"}),
    ]


STREAMS: dict[str, tuple[Api, Sequence[bytes], int]] = {
    "messages": (MESSAGES, message_events(), 4),
    "a usage with every chunk": (
        CHAT,
        [chunk(counted(1)), chunk(counted(2)), chunk(counted(300), "stop"), event("[DONE]")],
        4,
    ),
    "a usage after all chunks": (
        CHAT,
        [chunk(None), chunk(None, "stop"), event({"id": "c", "choices": [], "usage": counted(300)}), event("[DONE]")],
        4,
    ),
    "a usage from the beginning": (
        RESPONSES,
        [
            event({"type": "response.created", "response": {"usage": {"input_tokens": 0, "output_tokens": 0}}}),
            event({"type": "response.in_progress", "response": {"usage": {"input_tokens": 10, "output_tokens": 1}}}),
            event({"type": "response.completed", "response": {"usage": {"input_tokens": 10, "output_tokens": 300}}}),
        ],
        3,
    ),
}  # fmt: skip


def settled(api: Api, data: Sequence[bytes], ends: bool = False) -> list[Reported]:
    found: list[Reported] = []
    meter = Meter(api, streams=True, found=found.append)
    for piece in data:
        meter.feed(piece)
    if ends:
        meter.end()
    return found


@pytest.mark.parametrize("what", STREAMS)
def test_a_stream_is_settled_by_its_last_usage_and_not_if_it_is_cut_before(what: str) -> None:
    api, events, needed = STREAMS[what]
    whole = b"".join(events)
    for cut in range(0, len(whole), 7):
        assert [one.usage.output for one in settled(api, [whole[:cut]])] in ([], [300])
    for kept in range(needed):
        assert settled(api, events[:kept]) == []
    (reported,) = settled(api, events)
    assert (reported.usage.uncached_input, reported.usage.output) == (10, 300)


def test_a_stream_without_a_mark_at_its_end_is_settled_once_it_has_ended() -> None:
    _, events, _ = STREAMS["a usage with every chunk"]
    assert [one.usage.output for one in settled(CHAT, events[:3], ends=True)] == [300]
    assert settled(CHAT, events[:2], ends=True) == [], "cut, although the connection was closed in order"


def test_reasoning_and_cache_writes_beside_the_counts_are_billed() -> None:
    usage = counted(20, total_tokens=530, prompt_tokens_details={"cached_tokens": 2, "cache_write_tokens": 5})
    reported = CHAT.read({"id": "c", "usage": usage})
    assert reported is not None
    assert (reported.usage.output, reported.usage.prompt) == (520, 10)
    assert (reported.usage.cache_read, reported.usage.cache_write) == (2, 5)


# Processes.


def test_a_forked_process_in_another_folder_shares_the_ledger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    guard = BudgetGuard(Path("ledger.sqlite"), 0.08)
    guard.reserve(MESSAGES, CALL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a fork in a process with threads
        child = os.fork()
    if child == 0:
        os.chdir("elsewhere")
        try:
            guard.reserve(MESSAGES, CALL)
        except CapReachedError:
            os._exit(0)
        os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_the_proxy_answers_a_request_that_nobody_would_send(tmp_path: Path) -> None:
    program = """
        import urllib.request
        def raw(data):
            url = os.environ["ANTHROPIC_BASE_URL"] + "/v1/messages"
            headers = {"content-type": "application/json", "x-simbudget-agent": "9" * 40}
            request = urllib.request.Request(url, data, headers)
            try:
                return urllib.request.urlopen(request).status
            except urllib.error.HTTPError as error:
                return error.code, json.loads(error.read())["error"]["message"][:60]
        head = b'{"model": "MODEL", "max_tokens": 5, '
        for data in (
            b"[" * 100_000,
            head + b'"messages": ' + b"[" * 400 + b"]" * 400 + b"}",
            head + b'"metadata": ' + b'{"a":' * 900 + b"1" + b"}" * 900 + b', "messages": []}',
            head.replace(b"5", b"1" * 5000) + b'"messages": []}',
            head.replace(b"5", b"1" * 400) + b'"messages": []}',
            b'{"max_tokens": 5, "max_tokens": 999999999, "model": "MODEL", "messages": []}',
            b"\\xff\\xfe{}", b"null", b"",
        ):
            print(raw(data))
        """.replace("MODEL", MODEL)  # fmt: skip
    with faking(always(used(100, 200))) as provider:
        done = behind_the_proxy(tmp_path, provider, program, "--cap", "$1")
    said = done.stdout.splitlines()
    assert len(said) == 9, done.stderr
    assert all(line.startswith(("(400", "(402", "200")) for line in said), said
    assert len(provider.requests) == sum(line == "200" for line in said)
