"""A fuzzer over what simbudget reads: scenarios, ledgers and the sites of pilots, mutated, and read in this process.

    python -m benchmarks.fuzz_inputs [INPUTS] [SEED]

An input may be read, or refused with a UserError of plain lines. Anything else is a bug: it is printed with its seed,
and the status is 1. Logs have a fuzzer of their own, `fuzz_logs.py`.
"""

import random
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Final

from simbudget.errors import UserError
from simbudget.ledger.entry import Entry
from simbudget.ledger.readers import read_logs
from simbudget.ledger.store import LedgerStore
from simbudget.pilot.review.queue import case_of, open_store, review, source_of
from simbudget.scenario.loading import load_scenario
from tests.security.test_strangers import mutated, pilot_folder

_SCENARIOS: Final = Path(__file__).parent.parent / "scenarios"
_WORDS: Final = (
    *("1e308", "-1", "0", "nan", "1 to 0", "$5", "5 years", "&a", "*a", "!!python/object:os.system", "{", "["),
    *("]: ", "null", "|", "'", '"', "\t", "\x00", "\u202e", "python: {file: ../x.py, function: f}", "%", "2x"),
    *("agents: 99999999", "---\n"),
)  # fmt: skip


def scenarios(folder: Path) -> tuple[list[bytes], Callable[[Path], None]]:
    """Return the bundled scenarios, and how they are read; `folder` is not needed."""
    return [path.read_bytes() for path in sorted(_SCENARIOS.glob("*.yaml"))], lambda path: void(
        load_scenario(path)
    )


def ledgers(folder: Path) -> tuple[list[bytes], Callable[[Path], None]]:
    """Return a small ledger, and how it is read."""
    with LedgerStore(folder / "ledger.sqlite") as store:
        for number in range(20):
            entry = Entry(
                0, 0, number, 0, number, "call", number, 1.0, 0.0, model="claude-opus-4-6", component="tokens"
            )
            store.add(entry._replace(output_tokens=5, cost_usd=0.1, source="guard"))
    return [(folder / "ledger.sqlite").read_bytes()], lambda path: void(read_logs((path,)))


def sites(folder: Path) -> tuple[list[bytes], Callable[[Path], None]]:
    """Return the database of a pilot's service, and how a reviewer reads it."""

    def read(path: Path) -> None:
        store = open_store(path)
        try:
            for case in review(store).cases[:2]:
                source_of(store, case_of(review(store), case.row.number))
        finally:
            store.close()

    return [(pilot_folder(folder) / "site.sqlite").read_bytes()], read


def void(_: object) -> None:
    """Drop a value."""


def spoilt(content: bytes, luck: random.Random) -> bytes:
    """Return a text with lines taken out, doubled, indented anew or with strange words in them."""
    lines = content.decode().splitlines()
    for _ in range(luck.choice((1, 1, 2, 6))):
        at = luck.randrange(len(lines))
        kind = luck.random()
        if kind < 0.2:
            del lines[at]
        elif kind < 0.35:
            lines.insert(at, luck.choice(lines))
        elif kind < 0.5:
            lines[at] = " " * luck.randrange(8) + lines[at].lstrip()
        else:
            words = lines[at].split(" ")
            words[luck.randrange(len(words))] = luck.choice(_WORDS)
            lines[at] = " ".join(words)
        if not lines:
            break
    return "\n".join(lines).encode("utf-8", "surrogatepass")


def main() -> None:
    """Fuzz, and report."""
    inputs = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    began, wrong, refused = time.monotonic(), 0, 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        kinds = {"scenario": scenarios(folder), "ledger": ledgers(folder), "site": sites(folder)}
        for number in range(inputs):
            luck = random.Random(seed * 1_000_003 + number)
            kind = luck.choice(list(kinds))
            wholes, read = kinds[kind]
            whole = luck.choice(wholes)
            is_text = kind == "scenario" and luck.random() < 0.8
            path = folder / ("input.yaml" if kind == "scenario" else "input.sqlite")
            for old in folder.glob("input.*"):
                old.unlink()
            path.write_bytes(spoilt(whole, luck) if is_text else mutated(whole, luck))
            try:
                read(path)
            except UserError as error:
                refused += 1
                if not all("\n" not in str(problem) for problem in error.problems):
                    wrong += 1
                    print(f"input {number} of seed {seed}, a {kind}: a problem of several lines: {error}")
            except Exception:
                wrong += 1
                print(f"input {number} of seed {seed}, a {kind}:\n{traceback.format_exc(limit=-3)}")
    took_s = time.monotonic() - began
    print(f"{inputs:,} inputs in {took_s:.0f} s: {refused:,} refused, {wrong} bugs")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
