"""Whether the loop closes: pairs of a short pilot and a run four times as long, projection beside truth.

    python benchmarks/pilot_loop.py run /tmp/loop              # ten pairs, some 25 minutes; what is there is kept
    python benchmarks/pilot_loop.py compare /tmp/loop --write  # calibrate, project, and write the table

Each pair is of one seed, so of one system, and of two lucks, so two runs of it. The scenario is what a user would
start from; its assumed numbers are wide, and wrong in places.
"""

import argparse
import csv
import json
import re
import statistics
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

SCENARIO: Final = Path(__file__).parents[1] / "scenarios" / "pilot-laptop.yaml"
PILOT_S: Final = 50
RUN_S: Final = 200
AGENTS: Final = 3
AT_ONCE: Final = 2

FIGURES: Final = {
    "spend": ("spend_usd", lambda run: run["spend_usd"]),
    "spend on tokens": ("spend_by_component_usd.tokens", lambda run: run["billed_usd"]),
    "model calls": ("model_calls", lambda run: run["model_calls"]),
    "tokens written to the cache": ("tokens.cache_write", lambda run: run["tokens"]["cache_write"]),
    "tokens read from the cache": ("tokens.cache_read", lambda run: run["tokens"]["cache_read"]),
    "tokens put out": ("tokens.output", lambda run: run["tokens"]["output"]),
    "experiments": ("experiments", lambda run: run["experiments"]),
    "submissions": ("scorer_calls", lambda run: run["submissions"]),
    "time share: model": ("agent_time_share.model", lambda run: run["agent_time_share"]["model"]),
    "time share: experiment": (
        "agent_time_share.experiment",
        lambda run: run["agent_time_share"]["experiment"],
    ),
    "time share: waiting for GPUs": (
        "agent_time_share.waiting_gpu",
        lambda run: run["agent_time_share"]["waiting_gpu"],
    ),
    "best score": ("research.best_measured_score", lambda run: run["best_score"]),
}
"""What is compared: where a projection has it, and how a run's summary tells it."""


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


def compare(folder: Path, pairs: int) -> list[dict[str, Any]]:
    """Return, for each pair and figure, what was projected (p10, p50, p90) from the pilot, and what came of the run."""
    rows = []
    for seed in range(1, pairs + 1):
        pair = folder / f"pair-{seed}"
        if not (pair / "run.json").exists():
            continue
        run = json.loads((pair / "run.json").read_text("utf-8"))
        for basis in ("calibrated", "assumed"):
            projected = project(pair, basis, run["run_hours"])
            for name, (path, truth) in FIGURES.items():
                found: Any = projected
                for key in path.split("."):
                    found = (found or {}).get(key)
                if found is not None:
                    at = {key: found[key] for key in ("p10", "p50", "p90")}
                    rows.append({"pair": seed, "basis": basis, "figure": name, **at, "truth": truth(run)})
    return rows


def project(pair: Path, basis: str, hours: float) -> dict[str, Any]:
    """Return the projection of a run of so many hours, from the scenario as it is or as calibrated on the pilot."""
    calibrated = pair / "calibrated.yaml"
    if basis == "calibrated" and not calibrated.exists():
        ledger = pair / "pilot" / "ledger.sqlite"
        _simbudget("calibrate", SCENARIO, ledger, "-o", calibrated, "--no-check")
    text = (calibrated if basis == "calibrated" else SCENARIO).read_text("utf-8")
    longer = pair / f"{basis}-longer.yaml"
    text, changed = re.subn(r"stop: \{after: [^,}]*", f"stop: {{after: {hours * 60:.2f} min", text)
    assert changed == 1, "the scenario has no stop.after"
    longer.write_text(text, "utf-8")
    kept = pair / f"{basis}.json"
    if not kept.exists():
        kept.write_text(_simbudget("project", longer, "--replications", "200", "--json"), "utf-8")
    projected: dict[str, Any] = json.loads(kept.read_text("utf-8"))
    return projected


def _simbudget(*arguments: object) -> str:
    command = [sys.executable, "-m", "simbudget", *map(str, arguments)]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    assert made.returncode in {0, 1}, made.stderr
    return made.stdout


def table(rows: list[dict[str, Any]]) -> str:
    """Return the table of a comparison, in Markdown."""
    lines = [
        "| figure | pairs | in the 80 % interval | median error | interval's width | before calibration: in, width |",
        "| --- | --: | --: | --: | --: | --: |",
    ]
    for name in FIGURES:
        cells = []
        for basis in ("calibrated", "assumed"):
            own = [row for row in rows if row["figure"] == name and row["basis"] == basis]
            if not own:
                break
            held = sum(row["p10"] <= row["truth"] <= row["p90"] for row in own)
            error = statistics.median((row["p50"] - row["truth"]) / row["truth"] for row in own)
            width = statistics.median((row["p90"] - row["p10"]) / row["truth"] for row in own)
            cells.append((len(own), held, error, width))
        if len(cells) == 2:
            (count, held, error, width), (_, before, _, before_width) = cells
            lines.append(
                f"| {name} | {count} | {held} of {count} | {error:+.0%} | {width:.0%} | {before}, {before_width:.0%} |"
            )
    return "\n".join(lines)


def main() -> None:
    """Run the pairs, or compare them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["run", "compare"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--write", action="store_true", help="write each pair's figures to pilot_loop.csv")
    options = parser.parse_args()
    if options.what == "run":
        run_pairs(options.folder, options.pairs)
        return
    rows = compare(options.folder, options.pairs)
    print(table(rows))
    if options.write:
        beside = Path(__file__).with_suffix(".csv")
        with beside.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)


if __name__ == "__main__":
    main()
