"""What a provider, a clock, a disk or a program does to a guard that is out of the ordinary; and the cap holds."""

import asyncio
import base64
import datetime
import gzip
import json
import os
import sqlite3
import struct
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from simbudget.errors import UserError
from simbudget.guard import BudgetGuard, Cap, CapReachedError, UnboundedCostError
from simbudget.guard import guard as guard_module
from simbudget.guard.bounds import chat_output_tokens, messages_parts
from simbudget.guard.pictures import claude_picture_tokens
from simbudget.pricing import catalogue
from tests.guard.fake import MODEL, always, faking, used
from tests.guard.test_faults import CALL, guarded
from tests.guard.test_proxy import guard as behind_the_proxy


def test_of_two_output_limits_the_larger_counts() -> None:
    both = {"max_completion_tokens": 10, "max_tokens": 100_000}
    assert chat_output_tokens(both) == chat_output_tokens(dict(reversed(both.items()))) == 100_000
    with pytest.raises(UnboundedCostError):
        chat_output_tokens({"max_completion_tokens": 10, "max_tokens": -1})


@pytest.mark.parametrize(
    ("kind", "is_known"),
    [
        ("bash_20250124", True),
        ("text_editor_20250728", True),
        ("memory_20250818", True),
        ("bash_code_execution_20250825", False),
        ("text_editor_code_execution_20250825", False),
        ("computer_", False),
        ("web_search_20250305", False),
    ],
)
def test_a_providers_tool_is_not_taken_for_one_that_the_client_runs(kind: str, is_known: bool) -> None:
    body = {**CALL, "tools": [{"type": kind, "name": "tool"}]}
    if is_known:
        assert messages_parts(body)
    else:
        with pytest.raises(UnboundedCostError, match="costs more than its tokens"):
            messages_parts(body)


@pytest.mark.parametrize("count", [None, -1_000_000, "12", 1.5, True, 10**15])
def test_a_usage_that_cannot_be_is_not_believed(tmp_path: Path, count: object) -> None:
    guard = guarded(tmp_path)
    with faking(always((200, {"input_tokens": count, "output_tokens": 20}))) as provider:
        client = guard.wrap(provider.client())
        client.messages.create(**CALL)
        client.messages.create(
            **{**CALL, "messages": [{"role": "user", "content": "Another."}]}, stream=True
        ).close()
    assert guard.spend().settled_usd == 0.0
    assert guard.spend().open_usd > 2 * 0.025, "both stay at their worst case"


def test_a_jpeg_that_states_no_height_counts_as_the_largest() -> None:
    def jpeg(height: int) -> str:
        frame = b"\xff\xd8\xff\xc0\0\x0b\x08" + struct.pack(">HH", height, 900) + b"\x01\x01\x11\0\xff\xda"
        return base64.b64encode(frame).decode()

    assert claude_picture_tokens(jpeg(0)) == claude_picture_tokens("nothing")
    assert claude_picture_tokens(jpeg(9)) < 100


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ({"run": 5}, "no label 'run'"),
        ({"component": "gpu"}, "no label"),
        ({"agent": "three"}, "whole number"),
    ],
)
def test_no_label_takes_a_call_out_of_its_cap(tmp_path: Path, labels: dict[str, Any], said: str) -> None:
    guard = guarded(tmp_path)
    with pytest.raises(UserError, match=said), guard.labels(**labels):
        pass


def test_labels_follow_a_call_into_a_thread_that_copies_the_context(tmp_path: Path) -> None:
    guard = BudgetGuard(tmp_path / "ledger.sqlite", caps=[Cap("agent", usd=0.05)])
    with faking(always(used(100, 900))) as provider:
        client = guard.wrap(provider.client())

        async def story() -> None:
            with guard.labels(agent=3), pytest.raises(CapReachedError, match="agent 3's cap"):
                for _ in range(5):
                    await asyncio.to_thread(client.messages.create, **CALL)

        asyncio.run(story())


def test_answers_are_sent_back_as_the_sdk_gave_them(tmp_path: Path) -> None:
    guard = guarded(tmp_path)
    with faking(always(used(30, 40))) as provider:
        client = guard.wrap(provider.client())
        answer = client.messages.create(**CALL)
        said = [*CALL["messages"], {"role": "assistant", "content": answer.content}]
        client.messages.create(**{**CALL, "messages": [*said, {"role": "user", "content": "And?"}]})
    assert len(provider.requests) == 2
    assert guard.spend().open_usd == 0.0


def test_an_async_call_that_is_cancelled_stays_at_its_worst_case(tmp_path: Path) -> None:
    guard, hold = guarded(tmp_path), threading.Event()

    def slow(_: int, __: object) -> Any:
        hold.wait(20)
        return used()

    async def story(client: Any) -> None:
        call = asyncio.create_task(client.messages.create(**CALL))
        while not provider.requests:
            await asyncio.sleep(0.01)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await client.close()

    with faking(slow) as provider:
        asyncio.run(story(guard.wrap(provider.async_client())))
        hold.set()
    assert guard.spend().open_usd > 0.02


def test_a_clock_that_is_set_back_gives_no_negative_time(tmp_path: Path) -> None:
    times = iter([1000.0, *(10.0 for _ in range(20))])
    guard = guarded(tmp_path, clock=lambda: next(times))
    with faking(always(used())) as provider:
        guard.wrap(provider.client()).messages.create(**CALL)
    assert guard.store.query("SELECT duration_s, outcome FROM entries") == [(0.0, "ok")]


def test_a_price_that_changes_while_a_program_runs_is_the_one_of_the_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    today = [datetime.datetime(2026, 6, 1, tzinfo=datetime.UTC)]
    asked: list[datetime.date] = []
    real = catalogue.rates

    def rates(model: str, on: datetime.date) -> Any:
        asked.append(on)
        return real(model, on)

    clock = SimpleNamespace(now=lambda zone: today[0], fromisoformat=datetime.datetime.fromisoformat)
    monkeypatch.setattr(
        guard_module, "datetime", SimpleNamespace(datetime=clock, UTC=datetime.UTC, date=datetime.date)
    )
    monkeypatch.setattr(catalogue, "rates", rates)
    guard = guarded(tmp_path)
    for _ in range(2):
        guard.rates(MODEL)
    today[0] += datetime.timedelta(days=30)
    guard.rates(MODEL)
    assert [day.isoformat() for day in asked] == ["2026-06-01", "2026-07-01"]


def fill_up(guard: BudgetGuard) -> None:
    """Leave no room for the ledger to grow, as a full disk does."""
    (pages,) = guard.store.query("PRAGMA page_count")[0]
    guard.store.query(f"PRAGMA max_page_count = {pages}")
    for size in (2000, 200, 20, 0):
        with pytest.raises(sqlite3.Error):
            while True:
                guard.store.query("INSERT INTO attempts (what) VALUES (?)", ("x" * size,))


def test_with_a_full_disk_no_call_is_made_and_that_is_said(tmp_path: Path) -> None:
    guard = guarded(tmp_path)
    with faking(always(used())) as provider:
        client = guard.wrap(provider.client())
        fill_up(guard)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of calls that still found room, whose end does not
            with pytest.raises(UserError, match=r"cannot be written, so no call is made: .*full"):
                for _ in range(200):
                    client.messages.create(**CALL)
    assert len(provider.requests) == guard.store.query("SELECT count(*) FROM entries")[0][0]


def test_an_answer_is_not_lost_with_a_disk_that_has_become_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    guard = guarded(tmp_path)

    def full(*_: object, **__: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with faking(always(used())) as provider:
        client = guard.wrap(provider.client())
        monkeypatch.setattr(guard.store, "settle", full)
        with pytest.warns(RuntimeWarning, match="stays at its worst case"):
            assert client.messages.create(**CALL).content
    assert guard.spend().open_usd > 0.02


def test_a_forked_process_does_not_wait_for_a_lock_of_its_parents_threads(tmp_path: Path) -> None:
    guard = guarded(tmp_path)
    with guard.bounds._locked(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a fork in a process with threads, which is the point
        child = os.fork()
        if child == 0:
            guard.bounds.at_most(messages_parts(CALL))
            os._exit(0)
        ended = threading.Event()
        threading.Thread(target=lambda: (os.waitpid(child, 0), ended.set()), daemon=True).start()
        waited = ended.wait(10)
    if not waited:
        os.kill(child, 9)
    assert waited


@contextmanager
def compressing() -> Iterator[Any]:
    """Run a gateway that compresses its answers although it was asked not to."""
    body = json.dumps(
        {"id": "msg_1", "type": "message", "role": "assistant", "model": MODEL, "content": [],
         "stop_reason": "end_turn", "stop_sequence": None, "usage": used(100, 200)[1]}
    ).encode()  # fmt: skip

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            packed = gzip.compress(body)
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-encoding", "gzip")
            self.send_header("content-length", str(len(packed)))
            self.end_headers()
            self.wfile.write(packed)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield SimpleNamespace(url=f"http://127.0.0.1:{server.server_port}")
    finally:
        server.shutdown()
        server.server_close()


def test_an_answer_that_is_compressed_all_the_same_is_read_and_settled(tmp_path: Path) -> None:
    program = f'print(post("ANTHROPIC_BASE_URL", "/v1/messages", {CALL!r})[1])'
    with compressing() as gateway:
        done = behind_the_proxy(tmp_path, gateway, program, "--cap", "$1")
    assert json.loads(done.stdout)["usage"]["output_tokens"] == 200, done.stderr
    with BudgetGuard(tmp_path / "spend.sqlite", 1.0).store as store:
        assert store.query("SELECT outcome, output_tokens FROM entries") == [("ok", 200)]
