"""The seed experiment as it was assumed, and calibrated on real sessions and training times, beside what was published.

    .venv/bin/python benchmarks/seed_calibrated.py SESSIONS BASELINES.csv [--write]

SESSIONS is a folder of Claude Code sessions, BASELINES.csv the published results of the seed's baselines. Calibration
is the documented command, run as a user runs it: on the sessions and the training times, and on either alone, which
says what changes which figure. Writes benchmarks/seed_calibrated.{md,csv,png} with --write.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from simbudget.numbers import usd
from simbudget.projection.run import Options, project
from simbudget.scenario.loading import load_scenario

HERE = Path(__file__).parent
SCENARIO = HERE.parent / "scenarios" / "aar-weak-to-strong.yaml"
REPLICATIONS = 600
COLUMNS = "kind=experiment,run=method,duration_s=training_seconds,score=pgr"
"""Without `ended=cached_at`: when results were cached is no agent's day, and its pauses would be taken for downtime."""
METHODS = ("vanilla_w2s", "train_only_on_confident_labels", "critic")
"""What an experiment of the seed's is: a method trained. Ceilings and weak models were trained once, before; the times
of `ue_zeroshot` are copies of other rows."""
ASSUMED, BOTH, SESSIONS, TIMES = (
    "assumed",
    "calibrated",
    "calibrated on sessions alone",
    "calibrated on times alone",
)
ROWS = {
    "tokens and training compute ($)": 18_000.0,
    "agent-hours": 800.0,
    "of these, per agent-hour ($)": 22.0,
    "tokens ($)": np.nan,
    "GPUs ($)": np.nan,
    "model calls": np.nan,
    "new input tokens (M)": np.nan,
    "cache-read tokens (M)": np.nan,
    "output tokens (M)": np.nan,
    "experiments": np.nan,
    "GPU-hours used": np.nan,
    "ideas scored": np.nan,
}
"""The figures, and what was published of them."""


def figures(scenario: Path) -> pd.DataFrame:
    """Return [replications] the figures of a scenario."""
    frame = project(load_scenario(scenario).scenario, Options(seed=1, replications=REPLICATIONS)).replications
    agents_usd = frame["spend_tokens_usd"] + frame["spend_gpu_usd"]
    return pd.DataFrame(
        {
            "tokens and training compute ($)": agents_usd,
            "agent-hours": frame["agent_hours"],
            "of these, per agent-hour ($)": agents_usd / frame["agent_hours"],
            "tokens ($)": frame["spend_tokens_usd"],
            "GPUs ($)": frame["spend_gpu_usd"],
            "model calls": frame["model_calls"],
            "new input tokens (M)": (frame["tokens_uncached_input"] + frame["tokens_cache_write"]) / 1e6,
            "cache-read tokens (M)": frame["tokens_cache_read"] / 1e6,
            "output tokens (M)": frame["tokens_output"] / 1e6,
            "experiments": frame["experiments"],
            "GPU-hours used": frame["gpu_hours_used"],
            "ideas scored": frame["scorer_calls"],
        }
    )


def calibrated(logs: list[Path], folder: Path, name: str) -> Path:
    """Return the scenario calibrated on logs by the documented command; a second calibration changes no byte."""
    found = []
    for number in (1, 2):
        place = folder / f"{name}{number}"
        place.mkdir()
        command = [
            Path(sys.executable).with_name("simbudget"),
            "calibrate",
            SCENARIO,
            *logs,
            "--columns",
            COLUMNS,
            "--keep",
            "context.limit_tokens",  # the seed's sessions had a million tokens, these had 200,000
            "--no-check",
            "-o",
            place / "calibrated.yaml",
        ]
        subprocess.run(command, check=True, capture_output=True)
        found.append(place / "calibrated.yaml")
    first, second = (
        [path.read_bytes() for path in sorted(file.parent.glob("calibrated*.*"))] for file in found
    )
    if first != second:
        raise SystemExit("calibrating twice gives two results")
    subprocess.run(
        [Path(sys.executable).with_name("simbudget"), "check", found[0]], check=True, capture_output=True
    )
    return found[0]


def methods_alone(baselines: Path, folder: Path) -> Path:
    """Return a table of the trainings of methods, as the seed's experiments are."""
    table = pd.read_csv(baselines)
    kept = table["method"].isin(METHODS) & table["training_seconds_trustworthy"].astype(bool)
    path = folder / "trainings.csv"
    table[kept].to_csv(path, index=False)
    return path


def all_figures(sessions: Path, baselines: Path) -> dict[str, pd.DataFrame]:
    """Return the figures of each variant."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        times = methods_alone(baselines, folder)
        scenarios = {
            ASSUMED: SCENARIO,
            BOTH: calibrated([sessions, times], folder, "both"),
            SESSIONS: calibrated([sessions], folder, "sessions"),
            TIMES: calibrated([times], folder, "times"),
        }
        return {name: figures(path) for name, path in scenarios.items()}


def table(found: dict[str, pd.DataFrame]) -> Iterator[str]:
    """Yield the lines of the table: median and 80 % interval of each figure in each variant."""
    yield "| figure | published | " + " | ".join(found) + " |"
    yield "| --- |" + " ---: |" * (len(found) + 1)
    for row, published in ROWS.items():
        cells = []
        for frame in found.values():
            low, middle, high = np.quantile(frame[row], (0.1, 0.5, 0.9))
            cells.append(f"{_said(row, middle)} ({_said(row, low)} – {_said(row, high)})")
        said = "–" if np.isnan(published) else _said(row, published)
        yield f"| {row} | {said} | " + " | ".join(cells) + " |"


def _said(row: str, value: float) -> str:
    return usd(value) if "$" in row else f"{float(f'{value:.3g}'):,.10g}"


def draw(found: dict[str, pd.DataFrame], path: Path) -> None:
    """Draw medians and 80 % intervals of what was published, and of the same in each variant."""
    import matplotlib as mpl  # noqa: PLC0415

    mpl.use("Agg")
    import matplotlib.pyplot as plt  # noqa: PLC0415

    rows = [row for row, published in ROWS.items() if not np.isnan(published)]
    figure, axes = plt.subplots(1, len(rows), figsize=(12, 3.2), sharey=True, layout="constrained")
    names = list(found)[::-1]
    for axis, row in zip(axes, rows, strict=True):
        for height, name in enumerate(names):
            low, middle, high = np.quantile(found[name][row], (0.1, 0.5, 0.9))
            axis.plot([low, high], [height, height], color="0.45", linewidth=3, solid_capstyle="butt")
            axis.plot(middle, height, "o", color="black", markersize=6)
        axis.axvline(ROWS[row], color="#b2182b", linestyle="--", label="published")
        axis.set_xlabel(row)
        axis.set_xlim(left=0)
        axis.xaxis.set_major_formatter(mpl.ticker.StrMethodFormatter("{x:,.0f}"))
    axes[0].set_yticks(range(len(names)), names)
    axes[0].legend(loc="center left", frameon=False)
    figure.suptitle(f"The seed experiment: median and middle 80 % of {REPLICATIONS} simulated runs")
    figure.savefig(path, dpi=130)


def main() -> None:
    """Measure, and print or write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sessions", type=Path)
    parser.add_argument("baselines", type=Path)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    found = all_figures(arguments.sessions, arguments.baselines)
    lines = list(table(found))
    print("\n".join(lines))
    if arguments.write:
        page = HERE / "seed_calibrated.md"
        words = (
            page.read_text(encoding="utf-8").partition("<!-- words -->") if page.exists() else ("", "", "")
        )
        head = ["# The seed experiment, calibrated", "", *lines, "", "![picture](seed_calibrated.png)", ""]
        page.write_text("\n".join(head) + "\n<!-- words -->" + words[2], encoding="utf-8")
        parts = [frame.quantile([0.1, 0.5, 0.9]).assign(variant=name) for name, frame in found.items()]
        pd.concat(parts).rename_axis("quantile").round(4).to_csv(
            HERE / "seed_calibrated.csv", lineterminator="\n"
        )
        draw(found, HERE / "seed_calibrated.png")


if __name__ == "__main__":
    main()
