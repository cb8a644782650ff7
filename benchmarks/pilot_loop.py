"""Does the loop close? Pairs of a short pilot and a run four times as long: what the one projects, and the other.

    python benchmarks/pilot_loop.py run /tmp/loop              # ten pairs, some 25 minutes; what is there is kept
    python benchmarks/pilot_loop.py compare /tmp/loop --write  # calibrate, project, and write the table

Each pair is of one seed, so of one system, and of two lucks, so two runs of it. The scenario is what a user would
start from; its assumed numbers are wide, and wrong in places.
"""

import argparse
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

SCENARIO: Final = Path(__file__).parents[1] / "scenarios" / "pilot-laptop.yaml"
PILOT_S: Final = 50
RUN_S: Final = 200
AGENTS: Final = 3
AT_ONCE: Final = 2


def run_pairs(folder: Path, pairs: int) -> None:
    """Run the pairs that are not there yet, two at a time."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(lambda seed: run_pair(folder / f"pair-{seed}", seed), range(1, pairs + 1)))


def run_pair(folder: Path, seed: int) -> None:
    """Run a pilot, and the longer run of the same system after it."""
    for luck, (name, lasts_s) in enumerate((("pilot", PILOT_S), ("run", RUN_S))):
        out = folder / name
        if (folder / f"{name}.json").exists():
            continue
        command = [sys.executable, "-m", "simbudget", "pilot", str(SCENARIO), "--for", f"{lasts_s} s"]
        command += ["--budget", "$100", "--agents", str(AGENTS), "--seed", str(seed), "--luck", str(luck)]
        made = subprocess.run(
            [*command, "--out", str(out), "--json"], capture_output=True, text=True, check=False
        )
        if made.returncode:
            print(f"{out}: {made.stderr[-500:]}", file=sys.stderr)
            return
        (folder / f"{name}.json").write_text(made.stdout, "utf-8")
        print(f"{out} done", flush=True)


def main() -> None:
    """Run the pairs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["run", "compare"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pairs", type=int, default=10)
    options = parser.parse_args()
    if options.what == "run":
        run_pairs(options.folder, options.pairs)


if __name__ == "__main__":
    main()
