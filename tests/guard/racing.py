"""A race to a cap against a provider that fails in every way: `python -m tests.guard.racing LEDGER URL CAP THREADS`."""

import random
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anthropic
import httpx2

from simbudget.guard import BudgetGuard, CapReachedError
from tests.guard.fake import MODEL, Answer

CALL: dict[str, Any] = {
    "model": MODEL,
    "max_tokens": 300,
    "messages": [{"role": "user", "content": "Go on."}],
}
_WAITS = 40
"""How often a caller waits for what others have reserved before it gives up."""


class Books:
    """What a provider bills: for 3 in 20 calls without an answer that says so."""

    def __init__(self, seed: int) -> None:
        self.billed_usd = 0.0
        self.calls = self.hidden = 0
        self._luck = random.Random(seed)
        self._lock = threading.Lock()

    def answer(self, _: int, body: Mapping[str, Any]) -> Answer:
        """Answer a request, and bill it if it was worked on."""
        with self._lock:
            self.calls += 1
            luck = self._luck.random()
            if luck < 0.10:
                return (429, None) if luck < 0.05 else (529, None)
            usage = {
                "input_tokens": self._luck.randrange(1, 60),
                "output_tokens": self._luck.randrange(1, 301),
            }
            self.billed_usd += usage["input_tokens"] * 5e-6 + usage["output_tokens"] * 25e-6
            if luck < 0.25:
                self.hidden += 1
                return (self._luck.choice((500, 502, 504, 524)), None) if luck < 0.18 else (200, None)
            return 200, usage


def race(ledger: Path, url: str, cap_usd: float, processes: int, threads: int) -> None:
    """Let processes of threads call until the cap stops them."""
    command = [sys.executable, "-m", "tests.guard.racing", str(ledger), url, str(cap_usd), str(threads)]
    racers = [subprocess.Popen(command) for _ in range(processes)]
    for racer in racers:
        assert racer.wait(timeout=900) == 0


def main() -> None:
    """Call from many threads until the cap stops each."""
    ledger, url, cap_usd, threads = Path(sys.argv[1]), sys.argv[2], float(sys.argv[3]), int(sys.argv[4])
    guard = BudgetGuard(ledger, cap_usd)
    client = guard.wrap(anthropic.Anthropic(api_key="none", base_url=url, max_retries=1))

    def calls(number: int) -> None:
        waits = 0
        streams = number % 2 == 0
        while True:
            try:
                if streams:
                    for _ in client.messages.create(**CALL, stream=True):
                        pass
                else:
                    client.messages.create(**CALL)
            except CapReachedError as error:
                waits += 1
                if not error.may_pass or waits > _WAITS:
                    return
                threading.Event().wait(0.02)
            except (anthropic.APIError, httpx2.TransportError):
                continue

    running = [threading.Thread(target=calls, args=(number,)) for number in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()


if __name__ == "__main__":
    main()
