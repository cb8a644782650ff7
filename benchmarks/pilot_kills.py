"""Kills -9 of a pilot's runner, agents, service and model server at random moments; and what the books say then.

    python -m benchmarks.pilot_kills --kills 50 [--seed 1] [--write]

After every five kills the pilot is ended and its books are checked: every billed call is in the ledger, once, nothing
is open, each attempt at a task has ended and was given out once, and the run goes on after each kill. Every other pilot
works through a list of tasks with several jobs at once. With --write, the counts of this seed go into the table and the
page.
"""

import argparse
import random
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Final

import pandas as pd

from tests.pilot.killing import BUSY, KilledPilot
from tests.pilot.provider import FAST

_EACH: Final = 5
"""Kills of one pilot, after which its books are checked."""
_AS_OFTEN: Final = ("runner", "agent", "agent", "service", "model server")
_PARTS: Final = tuple(dict.fromkeys(_AS_OFTEN))
_DID: Final = ("pilots", "calls", "jobs", "attempts at tasks")
_PAGE: Final = Path(__file__).with_suffix(".md")
_TABLE: Final = Path(__file__).with_suffix(".csv")


def kill_and_check(folder: Path, scenario: str, chance: random.Random, killed: Counter[str]) -> Counter[str]:
    """Kill parts of one pilot, check its books, and return what it did.

    Raises:
        AssertionError: the books are wrong, or the pilot stands still.
    """
    pilot = KilledPilot(folder, scenario=scenario)
    pilot.start()
    for _ in range(_EACH):
        pilot.wait_for(1)
        time.sleep(chance.uniform(0.0, 1.0))
        part = chance.choice(_AS_OFTEN)
        pilot.kill(part, chance)
        killed[part] += 1
        if part == "runner":
            pilot.start()
    pilot.wait_for(3)
    summary = pilot.end()
    pilot.check(summary)
    tasks = summary.get("tasks", {})
    did = {
        "calls": summary["model_calls"],
        "jobs": summary["jobs"],
        "attempts at tasks": tasks.get("attempts", 0),
    }
    return Counter({"pilots": 1, **did})


def write(seed: int, counts: Counter[str]) -> None:
    """Put the counts of a seed into the table, and the totals of all seeds into the page."""
    known = pd.read_csv(_TABLE, index_col="seed") if _TABLE.exists() else pd.DataFrame()
    table = pd.concat([known.drop(index=seed, errors="ignore"), pd.DataFrame([counts], index=[seed])])
    table = table.reindex(columns=[*_PARTS, *_DID]).fillna(0).astype(int).sort_index()
    table.to_csv(_TABLE, index_label="seed")
    total = table.sum()
    kills = ", ".join(f"{total[part]} of the {part}" for part in _PARTS)
    said = (
        f"{total[list(_PARTS)].sum()} kills ({kills}) of {total['pilots']} pilots with {total['calls']:,} "
        f"calls, {total['jobs']:,} jobs and {total['attempts at tasks']:,} attempts at tasks: the books agreed every "
        "time, and every run went on."
    )
    _PAGE.write_text(f"# Kills of a pilot\n\n{(__doc__ or '').strip()}\n\n{said} By seed: `{_TABLE.name}`.\n")


def main() -> None:
    """Kill, and report."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    chance = random.Random(options.seed)
    killed: Counter[str] = Counter()
    did: Counter[str] = Counter()
    while killed.total() < options.kills:
        with tempfile.TemporaryDirectory() as folder:
            scenario = BUSY if did["pilots"] % 2 else FAST
            did += kill_and_check(Path(folder), scenario, chance, killed)
        print(f"{killed.total()} kills, {dict(did)}, {dict(killed)}: the books agree", flush=True)
        if options.write:
            write(options.seed, killed + did)


if __name__ == "__main__":
    main()
