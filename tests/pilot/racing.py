"""One process that calls a model until the cap stops it: `python -m tests.pilot.racing LEDGER URL CAP MODE`.

`guarded` calls through the guard. `careless` is the wrong twin: it looks at what has been spent, calls, and adds what
the call cost, as a script without reservations does.
"""

import asyncio
import datetime
import sys
from pathlib import Path
from typing import Any

import anthropic

from simbudget.guard import BudgetGuard, CapReachedError
from simbudget.ledger.entry import Entry
from simbudget.ledger.store import LedgerStore
from tests.pilot.provider import MODEL, RATES

CONCURRENT = 4
LONGEST_WAIT = 100
"""So many times in all a caller waits for what others have reserved."""
CALL: dict[str, Any] = {
    "model": MODEL, "max_tokens": 1000, "messages": [{"role": "user", "content": "How many labels are wrong?"}]
}  # fmt: skip


async def guarded(ledger: Path, client: anthropic.AsyncAnthropic, cap_usd: float) -> None:
    """Call until the cap is reached."""
    guard = BudgetGuard(ledger, cap_usd, {MODEL: RATES})
    wrapped = guard.wrap(client)

    async def caller() -> None:
        waits = 0
        while True:
            try:
                await wrapped.messages.create(**CALL)
            except CapReachedError as error:
                waits += 1
                if not error.may_pass or waits > LONGEST_WAIT:  # what a killed process has open stays open
                    return
                await asyncio.sleep(0.02)
            except anthropic.APIStatusError:
                continue

    await asyncio.gather(*(caller() for _ in range(CONCURRENT)))


async def careless(ledger: Path, client: anthropic.AsyncAnthropic, cap_usd: float) -> None:
    """Call until what others and oneself have written down is at the cap."""

    async def caller(store: LedgerStore) -> None:
        while store.spend(0).settled_usd < cap_usd:
            try:
                answer = await client.messages.create(**CALL)
            except anthropic.APIStatusError:
                continue
            cost_usd = answer.usage.output_tokens * 25e-6 + answer.usage.input_tokens * 5e-6
            store.add(Entry(0, 0, -1, -1, -1, "call", 0.0, 0.0, 0.0, component="tokens", cost_usd=cost_usd))

    with LedgerStore(ledger) as store:
        await asyncio.gather(*(caller(store) for _ in range(CONCURRENT)))


def main() -> None:
    """Race."""
    ledger, url, cap_usd, mode = Path(sys.argv[1]), sys.argv[2], float(sys.argv[3]), sys.argv[4]
    client = anthropic.AsyncAnthropic(api_key="none", base_url=url, max_retries=2)
    print("ready", datetime.datetime.now(datetime.UTC), flush=True)
    sys.stdin.readline()
    asyncio.run((guarded if mode == "guarded" else careless)(ledger, client, cap_usd))


if __name__ == "__main__":
    main()
