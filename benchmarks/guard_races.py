"""Races to a cap: 4 processes of 32 threads, some 2,000 calls, of which a quarter fail, are cut, or are billed unseen.

    python -m benchmarks.guard_races [RACES] [--write]

Prints, for each race, what was billed, what the ledger says at worst, and the cap; ends with 1 if a cap was passed.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from simbudget.guard import BudgetGuard
from tests.guard.fake import faking
from tests.guard.racing import Books, race

_CAP_USD = 9.0
"""Some 2,000 calls at a mean of 0.35 cents billed; what is billed unseen stays reserved at 0.75 cents."""


def main() -> None:
    """Race, and report."""
    parser = argparse.ArgumentParser()
    parser.add_argument("races", type=int, nargs="?", default=1)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    passed, lines = 0, []
    for seed in range(options.races):
        books = Books(seed)
        with tempfile.TemporaryDirectory() as folder, faking(books.answer) as provider:
            ledger = Path(folder) / "ledger.sqlite"
            race(ledger, provider.url, _CAP_USD, processes=4, threads=32)
            worst_usd = BudgetGuard(ledger, _CAP_USD).spend().worst_usd
        passed += max(books.billed_usd, worst_usd) > _CAP_USD + 1e-9 or books.billed_usd > worst_usd + 1e-9
        lines.append(
            f"{books.calls:,} calls, {books.hidden} billed unseen: ${books.billed_usd:.4f} billed, "
            f"${worst_usd:.4f} at worst by the ledger, a cap of ${_CAP_USD:.2f}"
        )
        print(lines[-1])
    lines.append(f"The cap was passed {passed} times in {options.races} races.")
    print(lines[-1])
    if options.write:
        table = "\n\n".join(lines)
        Path(__file__).with_suffix(".md").write_text(f"# Races\n\n{(__doc__ or '').strip()}\n\n{table}\n")
    sys.exit(1 if passed else 0)


if __name__ == "__main__":
    main()
