"""Kills -9 of programs behind the guard, at random moments of their calls; and what the ledger says then.

    python -m benchmarks.guard_kills [KILLS] [--write]

A program of eight threads calls a provider through a guarded client, streams included, and is killed in the middle; the
next one goes on with the same ledger. After each kill, and in the end: what the ledger has as settled is what the
provider billed, call by call; what the provider billed beyond that is within the reservations that stayed open; and the
cap holds. The status is 1 if anything of that failed.
"""

import argparse
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from simbudget.guard import BudgetGuard
from tests.guard.fake import Answer, faking

_CAP_USD: Final = 25.0
_THREADS: Final = 8
_SAME_USD: Final = 1e-9


class Bills:
    """What a provider billed, by the number of its answer; each takes a moment."""

    def __init__(self, seed: int) -> None:
        self.by_name: dict[str, float] = {}
        self._luck = random.Random(seed)
        self._lock = threading.Lock()

    def answer(self, number: int, _: Mapping[str, Any]) -> Answer:
        """Bill a request and answer it."""
        with self._lock:
            used = {
                "input_tokens": self._luck.randrange(1, 60),
                "output_tokens": self._luck.randrange(1, 301),
            }
            self.by_name[f"msg_{number}"] = used["input_tokens"] * 5e-6 + used["output_tokens"] * 25e-6
            takes_s = self._luck.uniform(0.0, 0.05)
        time.sleep(takes_s)
        return 200, used


def check(ledger: Path, bills: Bills) -> tuple[str, float, float]:
    """Return what is wrong with the books (empty: nothing), what was settled, and what is open at worst."""
    guard = BudgetGuard(ledger, _CAP_USD)
    spend = guard.spend()
    settled = {
        str(name): float(cost)
        for name, cost in guard.store.query("SELECT name, cost_usd FROM entries WHERE outcome = 'ok'")
        if name
    }
    billed_usd = sum(bills.by_name.values())
    wrong = [name for name, cost in settled.items() if abs(bills.by_name.get(name, -1.0) - cost) > _SAME_USD]
    if wrong:
        return f"{len(wrong)} calls are not settled as billed", spend.settled_usd, spend.open_usd
    if billed_usd > spend.worst_usd + _SAME_USD:
        return f"${billed_usd:.6f} billed, ${spend.worst_usd:.6f} at worst", spend.settled_usd, spend.open_usd
    if spend.worst_usd > _CAP_USD + _SAME_USD:
        return f"${spend.worst_usd:.6f} reserved", spend.settled_usd, spend.open_usd
    return "", spend.settled_usd, spend.open_usd


def main() -> None:
    """Kill, check, and report."""
    parser = argparse.ArgumentParser()
    parser.add_argument("kills", type=int, nargs="?", default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    luck, bills, faults, midway = random.Random(options.seed), Bills(options.seed), 0, 0
    settled_usd = open_usd = 0.0
    with tempfile.TemporaryDirectory() as folder, faking(bills.answer) as provider:
        ledger = Path(folder) / "ledger.sqlite"
        command = [sys.executable, "-m", "tests.guard.racing", str(ledger), provider.url, str(_CAP_USD)]
        for number in range(options.kills):
            before = len(bills.by_name)
            with subprocess.Popen([*command, str(_THREADS)]) as program:
                while len(bills.by_name) == before and program.poll() is None:
                    time.sleep(0.002)
                time.sleep(luck.uniform(0.0, 0.3))
                midway += program.poll() is None
                program.kill()
            time.sleep(0.06)  # what the provider is at is billed all the same
            wrong, settled_usd, open_usd = check(ledger, bills)
            if wrong:
                faults += 1
                print(f"kill {number}: {wrong}", file=sys.stderr)
    said = (
        f"{options.kills} kills -9, {midway} of them in the middle of calls: {len(bills.by_name):,} calls billed, "
        f"${sum(bills.by_name.values()):.4f}; the ledger has ${settled_usd:.4f} as settled and ${open_usd:.4f} at "
        f"worst for calls whose end is not known; cap ${_CAP_USD:.2f}; {faults} faults."
    )
    print(said)
    if options.write:
        Path(__file__).with_suffix(".md").write_text(f"# Kills\n\n{(__doc__ or '').strip()}\n\n{said}\n")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
