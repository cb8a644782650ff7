"""The reference profiles: fitted to runs of real agents, and how well each forecasts a group that was left out.

`python -m benchmarks.reference_profiles [--data FOLDER] --write`, or `make profiles`; `--score` leaves each group
(a project or repository) out in turn and forecasts its runs, beside the empirical distribution of the same phase.
"""

import argparse
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from simbudget.forecast.hierarchy import Hierarchy, fit_hierarchy
from simbudget.forecast.profiles import FILE, MODEL, PHASE, Profile, written
from simbudget.forecast.whole_runs import run_totals
from simbudget.ledger.readers import read_logs

Floats = npt.NDArray[np.float64]

ROOT = Path(__file__).parent.parent
DATA = ROOT.parent / "shared" / "data" / "raw"
TARGET = ROOT / "simbudget" / "forecast" / FILE
SHIPPED = 160
"""Draws of each posterior: the error of a p90 is then a seventh of the scatter."""
QUANTITIES = ("cost_usd", "input_tokens", "output_tokens", "calls", "wall_time_s")
AGENTS = {
    "claude-code": (
        "entireio-cli",
        "pup-mcp",
        "agentv-claude",
        "superpowers-f4",
        "blackgirlbytes-token-costs",
    ),
    "codex": ("agentv-codex",),
    "opencode": ("nimbus-opencode",),
    "autoresearch": ("dhruv-parameter-golf-pi",),
}
"""Sessions of coding agents, by client; each folder is a project."""
ABOUT = {
    "claude-code": "Claude Code sessions in software projects, attended by people",
    "codex": "Codex sessions in a software project",
    "opencode": "OpenCode sessions in a software project",
    "autoresearch": "sessions of one autoresearch campaign (Pi)",
}


def main() -> None:
    """Fit, score, and print or write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--write", action="store_true", help="write the profiles that ship")
    parser.add_argument("--score", action="store_true", help="leave each group out in turn, and score")
    arguments = parser.parse_args()
    tables = {**_research_agents(arguments.data), **_sessions(arguments.data)}
    if arguments.score:
        for name, runs in tables.items():
            for quantity in QUANTITIES:
                _score(name, quantity, runs)
    if arguments.write:
        found = {name: written(_profile(name, runs), SHIPPED) for name, runs in tables.items()}
        TARGET.write_text(json.dumps(found, separators=(",", ":")) + "\n", encoding="utf-8")
        print(f"{TARGET.relative_to(ROOT)}: {len(found)} profiles, {TARGET.stat().st_size / 1e3:.0f} kB")


def _research_agents(data: Path) -> dict[str, pd.DataFrame]:
    """Return the runs of autonomous research agents, by tool."""
    runs = pd.read_csv(data / "research-agents" / "runs.csv")
    classes = ["uncached", "cache_write_5m", "cache_write_1h", "cache_read"]
    runs["input_tokens"] = runs[classes].sum(axis=1)
    runs = runs[runs["input_tokens"] > 0]  # some runs are a "success" without a token
    runs["model"] = [re.sub(r"\[1m\]|-\d{8}", "", str(model)) for model in runs["main_model"]]
    runs = runs.drop(columns="calls").rename(
        columns={"output": "output_tokens", "turns": "calls", "duration_s": "wall_time_s"}
    )
    columns = [*QUANTITIES, PHASE, MODEL, "group", "date"]
    found = {}
    for tool, of_tool in runs.groupby("tool"):
        name = "research-agents" if tool == "claude" else f"research-agents-{tool}"
        table = of_tool[columns].copy()
        if tool != "claude":  # one turn is recorded for the whole run, and no time or cost
            table[["calls", "cost_usd"]] = np.nan
        found[name] = table
    return found


def _sessions(data: Path) -> dict[str, pd.DataFrame]:
    found = {}
    for name, folders in AGENTS.items():
        tables = []
        for folder in folders:
            ledger = read_logs([data / folder])
            totals = run_totals(ledger)
            dated = totals["began_at"].dt.strftime("%Y-%m").fillna("")
            tables.append(
                totals.assign(group=folder, date=dated, model="", phase="")[[*QUANTITIES, "group", "date"]]
            )
        found[name] = pd.concat(tables, ignore_index=True)
    return found


def _fitted(runs: pd.DataFrame, quantity: str) -> Hierarchy | None:
    known = runs[(runs[quantity] > 0) & np.isfinite(runs[quantity].astype(float))]
    if len(known) < 4:
        return None
    labels = {label: known[label].astype(str).tolist() for label in (PHASE, MODEL) if label in known}
    totals = known[quantity].to_numpy(np.float64)
    return fit_hierarchy(totals, labels, known["group"].astype(str).tolist(), np.random.default_rng(1))


def _profile(name: str, runs: pd.DataFrame) -> Profile:
    quantities = {q: one for q in QUANTITIES if (one := _fitted(runs, q)) is not None}
    dates = sorted(str(date).strip("~")[:7] for date in runs["date"] if str(date) not in {"", "nan"})
    research = name.startswith("research-agents")
    about = ABOUT.get(name, "autonomous research agents: an idea's resources, experiments and paper")
    source = (
        "public repositories, no licence stated: aggregates only" if research else ", ".join(AGENTS[name])
    )
    return Profile(
        name=name,
        about=about,
        source=source,
        dates=f"{dates[0]} to {dates[-1]}" if dates else "",
        runs=len(runs),
        groups=runs["group"].nunique(),
        phases=_counts(runs, PHASE),
        models=_counts(runs, MODEL),
        quantities=quantities,
    )


def _counts(runs: pd.DataFrame, label: str) -> dict[str, int]:
    return {str(k): int(v) for k, v in runs[label].value_counts().items()} if label in runs else {}


def _score(name: str, quantity: str, runs: pd.DataFrame) -> None:
    """Print raw coverage and CRPS of runs whose group was left out."""
    known = runs[runs[quantity] > 0]
    if len(known) < 10 or known["group"].nunique() < 3:
        return
    rows = []
    for group in known["group"].unique():
        fitted = _fitted(known[known["group"] != group], quantity)
        if fitted is None:
            continue
        for row in known[known["group"] == group].to_dict("records"):
            labels: dict[str, str] = {label: str(row[label]) for label in (PHASE, MODEL) if label in row}
            draws = fitted.draws(labels, 4, np.random.default_rng(2)).ravel()
            like = known[known["group"] != group]
            like = like[like[PHASE] == row[PHASE]] if PHASE in like else like
            truth = float(row[quantity])
            low, high = np.quantile(draws, (0.1, 0.9))
            rows.append((low <= truth <= high, _crps(draws, truth), _crps(like[quantity].to_numpy(), truth)))
    held, ours, empirical = np.array(rows, dtype=np.float64).T
    print(
        f"{name:24} {quantity:14} {len(rows):4} runs: held {held.mean():.0%}, "
        f"CRPS {ours.mean() / empirical.mean():.2f} of the empirical distribution's",
        flush=True,
    )


def _crps(sample: Any, truth: float) -> float:
    values = np.sort(sample[np.isfinite(sample)])
    count = len(values)
    if not count:
        return float("nan")
    ranks = 2 * np.arange(1, count + 1) - count - 1
    return float(np.abs(values - truth).mean() - (ranks * values).sum() / count**2)


if __name__ == "__main__":
    main()
