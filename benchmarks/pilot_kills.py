"""Kills -9 of a pilot's runner, agents, service and model server at random moments; and what the books say then.

python benchmarks/pilot_kills.py --kills 50
"""

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.pilot.killing import KilledPilot

EACH = 5
"""So many kills a pilot, then its books are checked."""
AS_OFTEN = ("runner", "agent", "agent", "service", "model server")


def main() -> None:
    """Kill, and say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    killed: Counter[str] = Counter()
    calls = 0
    while killed.total() < options.kills:
        with tempfile.TemporaryDirectory() as folder:
            pilot = KilledPilot(Path(folder))
            pilot.start()
            for _ in range(EACH):
                pilot.wait_for(1)
                time.sleep(chance.uniform(0.0, 1.0))
                part = chance.choice(AS_OFTEN)
                pilot.kill(part, chance)
                killed[part] += 1
                if part == "runner":
                    pilot.start()
            pilot.wait_for(3)
            summary = pilot.end()
            pilot.check(summary)
            calls += summary["model_calls"]
        print(f"{killed.total()} kills, {calls} calls, {dict(killed)}: the books agree", flush=True)


if __name__ == "__main__":
    main()
