"""What the first projection on a machine costs: processor time, memory and files of machine code.

Processor time is given as a multiple of a loop of 50 million additions in pure Python, run in the same process before
and after, since seconds differ from machine to machine. With `--against COMMIT` an earlier state of this repository is
measured as well.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parents[1]
SCENARIO = "scenarios/aar-weak-to-strong.yaml"
ADDITIONS = 50_000_000
STEADY_RUNS = 200
ROUNDS = 5


def loop_s() -> float:
    """Return the processor time of the yardstick, from a fifth of it."""
    began, total = time.process_time(), 0
    for number in range(ADDITIONS // 5):
        total += number
    return 5.0 * (time.process_time() - began)


def measure() -> dict[str, float]:
    """Return what the first projection of this process's simbudget costs; NUMBA_CACHE_DIR is an empty folder."""
    import numpy as np  # noqa: PLC0415  all that is imported counts, so that it is imported here

    yardstick = [loop_s()]
    began = time.process_time()
    from simbudget.engine import compiled  # noqa: PLC0415
    from simbudget.engine.lowering import lower  # noqa: PLC0415
    from simbudget.scenario.loading import load_scenario  # noqa: PLC0415

    program = lower(load_scenario(SCENARIO).scenario)
    compiled.simulate_many(program, 1, np.arange(1), np.arange(1))
    first_s = time.process_time() - began
    yardstick.append(loop_s())
    files = [file for file in Path(os.environ["NUMBA_CACHE_DIR"]).rglob("*") if file.is_file()]
    runs, steady_s = np.arange(STEADY_RUNS), []
    for _ in range(ROUNDS):
        began = time.process_time()
        compiled.simulate_many(program, 1, runs, runs)
        steady_s.append(time.process_time() - began)
        yardstick.append(loop_s())
    return {
        "first_s": first_s,
        "first_loops": first_s / (sum(yardstick[:2]) / 2),
        "files": len(files),
        "folder_mb": sum(file.stat().st_size for file in files) / 1e6,
        "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "steady_loops": min(steady_s) / min(yardstick),
    }


def measured(tree: Path) -> dict[str, float]:
    """Return what `measure` gives for the simbudget of a tree, in a fresh process with no machine code on disk."""
    with tempfile.TemporaryDirectory() as folder:
        own = {**os.environ, "NUMBA_CACHE_DIR": folder, "PYTHONPATH": str(tree)}
        command = [sys.executable, str(Path(__file__).resolve()), "--here"]
        done = subprocess.run(command, cwd=tree, env=own, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))


def main() -> None:
    """Measure, and print a table; with --write also into cold_start.md."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--here", action="store_true", help="measure in this process, and print JSON")
    parser.add_argument("--against", metavar="COMMIT", help="measure this commit as well")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    if options.here:
        print(json.dumps(measure()))
        return
    rows = []
    if options.against:
        with tempfile.TemporaryDirectory() as folder:
            tree = Path(folder) / "tree"
            subprocess.run(
                ["git", "worktree", "add", "--detach", tree, options.against], cwd=HERE, check=True
            )
            rows.append((f"at {options.against}", measured(tree)))
            subprocess.run(["git", "worktree", "remove", "--force", tree], cwd=HERE, check=True)
    rows.append(("this tree", measured(HERE)))
    table = "\n".join(
        [
            "| | first projection, s of processor | in loops | files | MB on disk | MB of memory "
            f"| {STEADY_RUNS} runs after that, in loops |",
            "| --- | --- | --- | --- | --- | --- | --- |",
            *(
                f"| {name} | {row['first_s']:.1f} | {row['first_loops']:.1f} | {row['files']:.0f} "
                f"| {row['folder_mb']:.1f} | {row['memory_mb']:.0f} | {row['steady_loops']:.3f} |"
                for name, row in rows
            ),
        ]
    )
    print(table)
    if options.write:
        text = (
            "# The first projection on a machine\n\nA loop is 50 million additions in pure Python, "
            f"in the same process. The scenario is `{SCENARIO}`.\n\n{table}\n"
        )
        Path(__file__).with_suffix(".md").write_text(text)


if __name__ == "__main__":
    main()
