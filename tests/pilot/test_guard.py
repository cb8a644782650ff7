"""The budget guard: around real clients, over real sockets, in processes that race and are killed."""

import asyncio
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import anthropic
import pytest

from simbudget.errors import UserError
from simbudget.guard import BudgetGuard, CapReachedError, UnboundedCostError, UnguardedCallError
from simbudget.ledger.store import LedgerStore
from tests.pilot.provider import FAST, MODEL, RATES, RunningProvider, providing
from tests.pilot.racing import CALL

CENT = 1e-9


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningProvider]:
    with providing(tmp_path_factory.mktemp("provider")) as running:
        yield running


def guarded(ledger: Path, cap_usd: float = 5.0) -> BudgetGuard:
    return BudgetGuard(ledger, cap_usd, {MODEL: RATES})


def sync_client(provider: RunningProvider, **more: object) -> anthropic.Anthropic:
    return anthropic.Anthropic(api_key="none", base_url=provider.url, **more)  # type: ignore[arg-type]


def test_what_the_ledger_says_is_what_the_provider_billed(provider: RunningProvider, tmp_path: Path) -> None:
    guard = guarded(tmp_path / "ledger.sqlite")
    before = set(provider.billed())
    with sync_client(provider) as plain:
        client = guard.wrap(plain)
        client.messages.create(**CALL)
        with client.messages.stream(**CALL) as stream:
            assert len("".join(stream.text_stream)) > 100
        for _ in client.messages.create(**CALL, stream=True):
            pass

    async def awaited() -> None:
        async with anthropic.AsyncAnthropic(api_key="none", base_url=provider.url) as plain:
            client = guard.wrap(plain)
            await client.messages.create(**CALL)
            async with client.messages.stream(**CALL) as stream:
                await stream.get_final_message()

    asyncio.run(awaited())
    billed = {name: usd for name, usd in provider.billed().items() if name not in before}
    spend = guard.spend()
    assert len(billed) == 5
    assert spend.open_usd == 0
    assert spend.settled_usd == pytest.approx(sum(billed.values()), abs=CENT)
    assert {entry.outcome for entry in guard.store.entries()} == {"ok"}


def test_a_call_that_could_pass_the_cap_is_not_made(provider: RunningProvider, tmp_path: Path) -> None:
    guard = guarded(tmp_path / "ledger.sqlite", cap_usd=0.02)
    before = set(provider.billed())
    with sync_client(provider) as plain, pytest.raises(CapReachedError) as caught:
        guard.wrap(plain).messages.create(**CALL)  # 1,000 tokens of output at $25 a million
    assert caught.value.worst_usd > 0.025
    assert not caught.value.may_pass
    assert set(provider.billed()) == before
    assert guard.store.entries() == []


def test_the_worst_case_is_never_below_what_is_billed(provider: RunningProvider, tmp_path: Path) -> None:
    guard = guarded(tmp_path / "ledger.sqlite")
    tool = {"name": "look", "description": "Look.", "input_schema": {"type": "object", "properties": {}}}
    marker = {"type": "ephemeral", "ttl": "1h"}
    system = [{"type": "text", "text": "Background. " * 800, "cache_control": marker}]
    messages = [{"role": "user", "content": "Ünïcödé 漢字 " * 50}]
    with sync_client(provider) as plain:
        client = guard.wrap(plain)
        for _ in range(3):
            answer = client.messages.create(
                model=MODEL,
                max_tokens=300,
                system=system,
                messages=messages,
                tools=[tool],  # type: ignore[arg-type]
            )
            content = [block.model_dump(exclude_none=True) for block in answer.content]
            messages = [*messages, {"role": "assistant", "content": content}]  # type: ignore[dict-item]
            uses = [block.id for block in answer.content if block.type == "tool_use"]
            results = [{"type": "tool_result", "tool_use_id": use, "content": "fine"} for use in uses]
            messages = [
                *messages,
                {"role": "user", "content": [*results, {"type": "text", "text": "Go on."}]},
            ]  # type: ignore[dict-item]
    rows = guard.store.query("SELECT worst_usd, cost_usd, cache_write_1h_tokens FROM entries ORDER BY id")
    assert all(worst >= cost > 0 for worst, cost, _ in rows)
    assert rows[0][2] > 2000
    assert rows[2][0] < 0.6 * rows[0][0], "what went before is known, so the bound of what follows is tight"


def test_what_has_no_bound_is_not_made(provider: RunningProvider, tmp_path: Path) -> None:
    guard = guarded(tmp_path / "ledger.sqlite")
    with sync_client(provider) as plain:
        client = guard.wrap(plain)
        with pytest.raises(UnguardedCallError, match="not guarded"):
            client.messages.batches.create(requests=[])
        with pytest.raises(UnboundedCostError, match="web_search"):
            client.messages.create(**CALL, tools=[{"type": "web_search_20250305", "name": "web_search"}])
        picture = {"type": "image", "source": {"type": "url", "url": "http://127.0.0.1/x.png"}}
        with pytest.raises(UnboundedCostError, match="url"):
            client.messages.create(**{**CALL, "messages": [{"role": "user", "content": [picture]}]})
        with pytest.raises(UserError, match="no-such-model"):
            client.messages.create(**{**CALL, "model": "no-such-model"})
        counted = client.messages.count_tokens(model=MODEL, messages=CALL["messages"])
    assert counted.input_tokens > 0
    assert guard.store.entries() == []


def test_a_broken_connection_stays_at_its_worst_case_and_a_refused_one_costs_nothing(tmp_path: Path) -> None:
    with providing(tmp_path) as provider:
        guard = guarded(tmp_path / "ledger.sqlite")
        slow = {**CALL, "max_tokens": 900}
        with sync_client(provider, max_retries=0) as plain:
            client = guard.wrap(plain)
            killer = threading.Timer(0.015, provider.process.kill)
            killer.start()
            with pytest.raises(anthropic.APIConnectionError):
                while True:
                    client.messages.create(**slow)
            killer.join()
        opened = guard.store.open_entries(0)
        with sync_client(provider, max_retries=0) as plain, pytest.raises(anthropic.APIConnectionError):
            guard.wrap(plain).messages.create(**slow)  # nobody listens any more
        assert len(guard.store.open_entries(0)) == len(opened) <= 1
        spend = guard.spend()
        assert spend.worst_usd >= sum(provider.billed().values()) - CENT


def race(folder: Path, provider: RunningProvider, mode: str, kills: int = 0, processes: int = 4) -> Path:
    """Let processes race to a cap; kills some on the way. Returns the ledger."""
    ledger = folder / f"{mode}.sqlite"
    LedgerStore(ledger).close()
    command = [sys.executable, "-m", "tests.pilot.racing", str(ledger), provider.url, str(CAP_USD), mode]
    racers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(processes)
    ]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline().startswith("ready")
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    with LedgerStore(ledger) as store:
        for killed in racers[:kills]:
            made = len(store.entries())
            while len(store.entries()) < made + 10 and racers[-1].poll() is None:
                time.sleep(0.005)
            killed.send_signal(signal.SIGKILL)
    for racer in racers:
        racer.communicate(timeout=300)
    return ledger


CAP_USD = 0.30


def test_however_many_processes_race_under_errors_and_kills_the_cap_is_never_passed(tmp_path: Path) -> None:
    scenario = FAST + "api: {error_rate: 20%}\n"
    with providing(tmp_path, scenario) as provider:
        ledger = race(tmp_path, provider, "guarded", kills=2)
        with LedgerStore(ledger) as store:
            billed, spend = provider.billed(), store.spend(0)
            rows = store.query("SELECT request_id, cost_usd, outcome FROM entries WHERE cost_usd > 0")
        settled = {name: cost for name, cost, outcome in rows if outcome == "ok"}
        opened = {name for name, _, outcome in rows if outcome == "open"}
        assert spend.worst_usd <= CAP_USD
        assert spend.worst_usd > 0.7 * CAP_USD, "it was raced to the cap"
        assert sum(billed.values()) <= spend.worst_usd + CENT
        assert set(settled) <= set(billed), "nothing is recorded that was not billed"
        assert set(billed) <= set(settled) | opened, "nothing that was billed is missing"
        assert all(settled[name] == pytest.approx(billed[name], abs=CENT) for name in settled)


def test_without_reservations_the_same_race_passes_the_cap(tmp_path: Path) -> None:
    with providing(tmp_path, FAST + "api: {error_rate: 20%}\n") as provider:
        race(tmp_path, provider, "careless")
        assert sum(provider.billed().values()) > CAP_USD
