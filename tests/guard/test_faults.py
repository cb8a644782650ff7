"""What becomes of a reservation when the provider fails, lies, or is looked at in another way."""

import asyncio
import json
import threading
from pathlib import Path

import anthropic
import httpx2
import pytest

from simbudget.errors import UserError
from simbudget.guard import BudgetGuard, Cap, CapReachedError, StoppedError
from simbudget.ledger.store import LedgerStore
from tests.guard.fake import MODEL, Answer, always, faking, used

CALL = {"model": MODEL, "max_tokens": 1000, "messages": [{"role": "user", "content": "Go on."}]}
"""At worst some 4 cents: 2,000 tokens of input at $10 and 1,000 of output at $25 a million."""


def guarded(folder: Path, cap_usd: float = 5.0, **more: object) -> BudgetGuard:
    return BudgetGuard(folder / "ledger.sqlite", cap_usd, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("status", "stays"),
    [
        *((status, True) for status in (500, 502, 503, 504, 524, 408)),
        *((status, False) for status in (429, 529, 400, 403, 413)),
    ],
)
def test_only_what_the_provider_does_not_bill_is_released(tmp_path: Path, status: int, stays: bool) -> None:
    guard = guarded(tmp_path)
    with faking(always((status, None))) as provider, pytest.raises(anthropic.APIStatusError):
        guard.wrap(provider.client()).messages.create(**CALL)
    assert (guard.spend().open_usd > 0.02) == stays
    assert len(provider.requests) == 1


def test_a_gateway_that_gives_up_on_work_that_is_billed_does_not_get_the_cap_passed(tmp_path: Path) -> None:
    guard = guarded(tmp_path, 0.10)
    with faking(always((504, None))) as provider:
        client = guard.wrap(provider.client().with_options(max_retries=4))
        with pytest.raises(CapReachedError):
            for _ in range(60):
                with pytest.raises(anthropic.APIStatusError):
                    client.messages.create(**CALL)
    assert len(provider.requests) * 0.045 > guard.spend().worst_usd - 0.045
    assert len(provider.requests) <= 2, "at a true cost of $0.045 each that is below the cap of $0.10"


def test_a_stream_is_settled_however_it_is_read(tmp_path: Path) -> None:
    guard = guarded(tmp_path)
    with faking(always(used(100, 200))) as provider:
        client = guard.wrap(provider.client())
        with client.messages.with_streaming_response.create(**CALL, stream=True) as by_lines:
            assert any("message_stop" in line for line in by_lines.iter_lines())
        with client.messages.with_streaming_response.create(**CALL, stream=True) as by_bytes:
            assert sum(map(len, by_bytes.iter_bytes())) > 100
        with client.messages.with_streaming_response.create(**CALL) as read:
            assert json.loads(read.read())["usage"]["output_tokens"] == 200
        raw = client.messages.with_raw_response.create(**CALL)
        assert raw.parse().usage.output_tokens == 200
        with client.messages.stream(**CALL) as stream:
            assert "".join(stream.text_stream) == "fine"

        async def awaited() -> None:
            async with provider.async_client() as plain:
                wrapped = guard.wrap(plain)
                async with wrapped.messages.with_streaming_response.create(**CALL, stream=True) as lines:
                    assert [line async for line in lines.iter_lines()]
                async for _ in await wrapped.messages.create(**CALL, stream=True):
                    pass

        asyncio.run(awaited())
    entries = guard.store.entries()
    assert [entry.outcome for entry in entries] == ["ok"] * 7
    assert guard.spend().settled_usd == pytest.approx(7 * (100 * 5e-6 + 200 * 25e-6))
    assert guard.spend().open_usd == 0


def test_a_stream_that_is_cut_or_left_stays_at_its_worst_case(tmp_path: Path) -> None:
    guard = guarded(tmp_path)
    with faking(always((200, None))) as provider, pytest.raises(httpx2.TransportError):
        for _ in guard.wrap(provider.client()).messages.create(**CALL, stream=True):
            pass
    with faking(always((200, None))) as provider:
        for _ in guard.wrap(provider.client()).messages.create(**CALL, stream=True):
            break
    assert len(guard.store.open_entries(0)) == 2


def test_one_guard_serves_many_threads(tmp_path: Path) -> None:
    guard = guarded(tmp_path)
    failed: list[BaseException] = []
    with faking(always(used(100, 200))) as provider:
        client = guard.wrap(provider.client())

        def calls() -> None:
            try:
                for _ in range(5):
                    client.messages.create(**CALL)
            except BaseException as error:
                failed.append(error)

        threads = [threading.Thread(target=calls) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert failed == []
    assert guard.spend().settled_usd == pytest.approx(80 * (100 * 5e-6 + 200 * 25e-6))


def test_a_client_that_is_wrapped_twice_counts_once_and_two_ledgers_count_each(tmp_path: Path) -> None:
    guard, other = guarded(tmp_path), BudgetGuard(tmp_path / "other.sqlite", 5.0)
    again = guarded(tmp_path)
    with faking(always(used(100, 200))) as provider:
        guard.wrap(again.wrap(guard.wrap(provider.client()))).messages.create(**CALL)
        other.wrap(guard.wrap(provider.client())).messages.create(**CALL)
    assert len(guard.store.entries()) == 2
    assert len(other.store.entries()) == 1


@pytest.mark.parametrize("cap", ["5", "five", True, float("nan"), float("inf"), 0, -1, None])
def test_a_cap_that_is_no_amount_is_one_clear_message(tmp_path: Path, cap: object) -> None:
    with pytest.raises(UserError, match="cap") as caught:
        BudgetGuard(tmp_path / "ledger.sqlite", cap)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "ledger.sqlite").exists()


def test_a_ledger_that_cannot_be_opened_is_one_clear_message(tmp_path: Path) -> None:
    (tmp_path / "text").write_text(
        "no database, whatever its name says, and long enough to be taken for one" * 20
    )
    for path in (tmp_path, tmp_path / "none" / "ledger.sqlite", tmp_path / "text", tmp_path / "text" / "x"):
        with pytest.raises(UserError, match="ledger") as caught:
            BudgetGuard(path, 5.0)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("per", ["agent", "task", "day", "run"])
def test_each_cap_holds_for_what_it_is_of(tmp_path: Path, per: str) -> None:
    guard = BudgetGuard(tmp_path / "ledger.sqlite", 5.0, caps=[Cap(per, usd=0.06)])  # type: ignore[arg-type]

    def calls(**labels: object) -> int:
        made = 0
        with guard.labels(**labels), pytest.raises(CapReachedError, match="cap"):
            while True:
                guard.wrap(provider.client()).messages.create(**CALL)
                made += 1
        return made

    with faking(always(used(100, 900))) as provider:
        assert calls(agent=1, task="a") == 2
        assert calls(agent=2, task="a") == (2 if per == "agent" else 0)
        assert calls(agent=1, task="b") == (2 if per == "task" else 0)


def test_a_cap_in_tokens_holds(tmp_path: Path) -> None:
    guard = BudgetGuard(tmp_path / "ledger.sqlite", caps=[Cap(tokens=5_000)])
    with faking(always(used(100, 900))) as provider, pytest.raises(CapReachedError, match="tokens"):
        for _ in range(20):
            guard.wrap(provider.client()).messages.create(**CALL)
    assert 2_000 <= guard.spend().settled_tokens <= 5_000


def test_more_than_the_worst_case_is_recorded_and_stops_what_follows(tmp_path: Path) -> None:
    guard, other = guarded(tmp_path), guarded(tmp_path)
    answers: list[Answer] = [used(10, 1500), used(10, 20)]
    with faking(lambda number, _: answers[number]) as provider:
        guard.wrap(provider.client()).messages.create(**CALL)
        assert guard.spend().settled_usd == pytest.approx(10 * 5e-6 + 1500 * 25e-6)
        for one in (guard, other):
            with pytest.raises(
                StoppedError, match=r"1,500 output tokens were returned where 1,000 were allowed"
            ):
                one.wrap(provider.client()).messages.create(**CALL)
        assert len(provider.requests) == 1
        other.resume()
        guard.wrap(provider.client()).messages.create(**CALL)


def test_what_the_provider_bills_beyond_tokens_stops_what_follows(tmp_path: Path) -> None:
    guard = guarded(tmp_path)
    with faking(always(used(10, 20, server_tool_use={"web_search_requests": 2}))) as provider:
        client = guard.wrap(provider.client())
        client.messages.create(**CALL)
        with pytest.raises(StoppedError, match="web_search"):
            client.messages.create(**CALL)


def test_a_ledger_of_an_earlier_version_is_taken_up(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    with LedgerStore(path) as store:
        for name in ("worst_tokens", "task", "day"):
            store._opened.execute(f"ALTER TABLE entries DROP COLUMN {name}")
    guard = BudgetGuard(path, caps=[Cap("day", usd=0.06)])
    with faking(always(used(100, 900))) as provider:
        guard.wrap(provider.client()).messages.create(**CALL)
    assert guard.spend().settled_usd > 0
