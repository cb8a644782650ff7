"""The local model server, as the SDK's own client sees it over a real socket."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic
import httpx2
import pytest

from simbudget.pilot.model_server.limits import Limiter
from tests.pilot.provider import FAST, MODEL, RunningProvider, providing

TOOL = {
    "name": "next_step",
    "description": "End the step.",
    "input_schema": {"type": "object", "properties": {}},
}
MARKER = {"type": "ephemeral", "ttl": "1h"}
"""An hour of the run is a minute, which a busy machine may need between two calls."""
LONG = [{"type": "text", "text": "What every context begins with. " * 400, "cache_control": MARKER}]


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningProvider]:
    with providing(tmp_path_factory.mktemp("provider")) as running:
        yield running


def client(provider: RunningProvider, **more: Any) -> anthropic.Anthropic:
    return anthropic.Anthropic(api_key="none", base_url=provider.url, **more)


def asking(text: str, **more: Any) -> dict[str, Any]:
    return {"model": MODEL, "max_tokens": 500, "messages": [{"role": "user", "content": text}], **more}


def test_a_prefix_is_written_once_and_read_after_and_the_count_is_that_of_the_bill(
    provider: RunningProvider,
) -> None:
    with client(provider) as sdk:
        call = asking("First.", system=LONG)
        first = sdk.messages.create(**call).usage
        second = sdk.messages.create(**asking("Second.", system=LONG)).usage
        counted = sdk.messages.count_tokens(model=MODEL, messages=call["messages"], system=LONG).input_tokens  # type: ignore[arg-type]
    written = first.cache_creation_input_tokens or 0
    assert written > 1024
    assert first.cache_read_input_tokens == 0
    assert (second.cache_read_input_tokens, second.cache_creation_input_tokens) == (written, 0)
    assert first.input_tokens + written == counted


def test_a_forced_tool_is_used_and_a_stream_says_what_a_message_says(provider: RunningProvider) -> None:
    with client(provider) as sdk:
        call = asking("Go on.", tools=[TOOL], tool_choice={"type": "tool", "name": "next_step"})
        answer = sdk.messages.create(**call)
        assert answer.stop_reason == "tool_use"
        assert [block.name for block in answer.content if block.type == "tool_use"] == ["next_step"]
        with sdk.messages.stream(**call) as stream:
            streamed = stream.get_final_message()
    assert [block.type for block in streamed.content] == [block.type for block in answer.content]
    assert streamed.usage.output_tokens == pytest.approx(answer.usage.output_tokens, abs=3)
    assert streamed.usage.input_tokens == answer.usage.input_tokens


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"messages": []}, "messages"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"temperatur": 1}, "temperatur"),
        ({"messages": [{"role": "assistant", "content": "I begin."}]}, "user"),
        (
            {"messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "x"}]}]},
            "tool_use",
        ),
    ],
)
def test_what_the_real_api_refuses_is_refused(
    provider: RunningProvider, wrong: dict[str, Any], said: str
) -> None:
    headers = {"x-api-key": "none", "anthropic-version": "2023-06-01"}
    answer = httpx2.post(f"{provider.url}/v1/messages", json={**asking("Hello."), **wrong}, headers=headers)
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert said in answer.json()["error"]["message"]


def test_an_unknown_model_and_a_missing_key_are_errors_of_their_own_kind(provider: RunningProvider) -> None:
    with client(provider) as sdk, pytest.raises(anthropic.NotFoundError):
        sdk.messages.create(**{**asking("Hello."), "model": "no-such-model"})
    assert httpx2.post(f"{provider.url}/v1/messages", json=asking("Hello.")).status_code == 401


def test_whoever_is_refused_has_no_request_left_at_any_moment() -> None:
    limiter = Limiter(2.0, None, None)
    for _ in range(2):
        limiter.take(1, 1, 0.0)
    for now_s in range(61):
        waits_s, _ = limiter.wait_s(1, 1, float(now_s))
        left = int(limiter.headers(float(now_s), 30.0)["anthropic-ratelimit-requests-remaining"])
        assert (left == 0) == (waits_s > 0.0), now_s


def test_too_many_requests_get_429_with_its_headers_and_the_sdk_waits_as_it_is_told(tmp_path: Path) -> None:
    with providing(tmp_path, FAST + "api: {requests_per_min: 2}\n", time_scale=30.0) as provider:
        with client(provider, max_retries=0) as sdk, pytest.raises(anthropic.RateLimitError) as caught:
            for _ in range(8):
                sdk.messages.create(**asking("Hello."))
        headers = caught.value.response.headers
        assert float(headers["retry-after"]) >= 1
        assert headers["anthropic-ratelimit-requests-limit"] == "2"
        assert headers["anthropic-ratelimit-requests-remaining"] == "0"
        with client(provider, max_retries=4) as sdk:
            assert sdk.messages.create(**asking("Hello.")).content


def test_an_attempt_that_comes_again_under_its_name_is_billed_once(provider: RunningProvider) -> None:
    before = set(provider.billed())
    with client(provider) as sdk:
        named = {"extra_headers": {"Idempotency-Key": "the same"}}
        answers = [sdk.messages.create(**asking("Hello."), **named).id for _ in range(2)]
    assert answers[0] == answers[1]
    assert set(provider.billed()) - before == {"the same"}
    closed = httpx2.post(f"{provider.url}/simbudget/requests/never came/settle").json()
    assert closed["billed"] is False
    with client(provider, max_retries=0) as sdk, pytest.raises(anthropic.ConflictError):
        sdk.messages.create(**asking("Hello."), extra_headers={"Idempotency-Key": "never came"})


def test_thinking_that_is_sent_back_counts_as_long_as_it_was(tmp_path: Path) -> None:
    thinks = FAST.replace("turn: {", "turn: {thinking_tokens: 200, ")
    with providing(tmp_path, thinks) as running, client(running) as sdk:
        call = asking("Go on.", thinking={"type": "adaptive"}, max_tokens=2000)
        answer = sdk.messages.create(**call)
        sent_back = [block.model_dump(exclude_none=True) for block in answer.content]
        without = [block for block in sent_back if block["type"] != "thinking"]
        counted = []
        for content in (sent_back, without):
            messages = [
                *call["messages"],
                {"role": "assistant", "content": content},
                {"role": "user", "content": "And?"},
            ]
            counted.append(sdk.messages.count_tokens(model=MODEL, messages=messages).input_tokens)  # type: ignore[arg-type]
    assert counted[0] - counted[1] == pytest.approx(200, abs=5)
