"""How often `watch`'s 80 % intervals hold the truth where the scenario is true: simulated runs, cut and projected on.

Each run is a replication in a world of its own, which the watcher's simulated runs do not share; its ledger is cut at
25, 50 and 75 % of the planned time. If the interval is right, it holds in 80 % of the cases, within what chance
allows. Several minutes of processor time.

Usage: python -m benchmarks.watch_true [--truths 80] [--runs 600 300] [--scenarios NAME ...] [--write]
"""

import argparse
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.watch import CAMPAIGN, CUTS, SESSION
from simbudget.engine.compiled import simulate
from simbudget.engine.lowering import lower
from simbudget.errors import UserError
from simbudget.forecast.outlook import Outlook
from simbudget.forecast.run_state import run_state_of
from simbudget.forecast.watch import Watching, outlook_of, reference_runs_for
from simbudget.ledger.imported import ImportedLedger
from simbudget.scenario.loading import loads_scenario

HERE = Path(__file__).parent
TRUTHS = 2_000_003
RESAMPLES = 1000
SCENARIOS = {
    "a session of two hours": SESSION.format(hours=2.0),
    "a campaign of a day, one agent": CAMPAIGN.format(hours=24.0, agents=1, gpus=1),
    "a campaign of a day, four agents": CAMPAIGN.format(hours=24.0, agents=4, gpus=4),
    "three agents on a laptop": (HERE.parent / "scenarios" / "pilot-laptop.yaml").read_text(encoding="utf-8"),
    "twelve agents, reserved GPUs": (HERE.parent / "scenarios" / "reserved-pool.yaml").read_text(
        encoding="utf-8"
    ),
}
MEASURED = ("a session of two hours", "a campaign of a day, one agent", "three agents on a laptop")
BY = ("scenario", "figure", "simulated", "cut")
FIGURES = ("model_calls", "tokens_cache_read", "tokens_output", "experiments", "spend_usd")


def cases(name: str, truths: int, simulated: Sequence[int]) -> pd.DataFrame:
    """Return a row for each true run of a scenario, number of simulated runs, cut and figure."""
    loaded = loads_scenario(SCENARIOS[name])
    program = replace(lower(loaded.scenario), budget_usd=math.inf, agents_budget_usd=math.inf)
    horizon_s = loaded.scenario.stop.after.exact_value
    watched = {
        (cut, runs): reference_runs_for(loaded, cut * horizon_s, Watching(runs))
        for cut in CUTS
        for runs in simulated
    }
    paid_when_due = loaded.scenario.gpus.bills.use
    nowhere = pd.DataFrame({"run": [0], "began_at": pd.to_datetime([None], utc=True)})
    rows = []
    for world in range(truths):
        run = simulate(program, TRUTHS, world, 0, record=True)
        assert run.ledger is not None
        ledger = ImportedLedger(run.ledger, nowhere)
        for cut in CUTS:
            try:
                state = run_state_of(ledger, cut * horizon_s, paid_when_due)
            except UserError:  # nothing has happened yet
                continue
            for runs in simulated:
                outlook = outlook_of(loaded, state, watched[cut, runs], Watching(runs))
                rows += [
                    {"simulated": runs} | _row(name, world, cut, figure, run.totals[figure], outlook)
                    for figure in FIGURES
                    if figure in outlook.samples and run.totals[figure] > 0
                ]
    return pd.DataFrame(rows)


def _row(name: str, world: int, cut: float, figure: str, truth: float, outlook: Outlook) -> dict[str, object]:
    sample = outlook.samples[figure]
    p10, p50, p90 = np.quantile(sample, (0.1, 0.5, 0.9))
    rank = (np.mean(sample < truth) + np.mean(sample <= truth)) / 2
    return {
        "scenario": name,
        "world": world,
        "cut": cut,
        "figure": figure,
        "truth": truth,
        "p10": p10,
        "p50": p50,
        "p90": p90,
        "rank": rank,
        "surprise": outlook.surprise,
    }


def table(found: pd.DataFrame, by: Sequence[str] = BY) -> str:
    """Return how often the intervals held, as Markdown."""
    lines = [
        f"| {' | '.join(by)} | cases | held | truth below | above | width |",
        f"| {' | '.join('---' for _ in range(len(by) + 5))} |",
    ]
    for key, part in found.groupby(list(by), sort=False):
        held = (part["truth"] >= part["p10"]) & (part["truth"] <= part["p90"])
        low, high = _range(part.assign(held=held))
        below, above = (part["truth"] < part["p10"]).mean(), (part["truth"] > part["p90"]).mean()
        width = ((part["p90"] - part["p10"]) / part["truth"]).median()
        named = dict(zip(by, key, strict=True))
        cells = (
            *(
                f"{value:.0%}" if name == "cut" else str(value).replace("_", " ")
                for name, value in named.items()
            ),
            len(part),
            f"{held.mean():.0%} ({low:.0%} to {high:.0%})",
            f"{below:.0%}",
            f"{above:.0%}",
            f"{width:.1%}",
        )
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines) + "\n"


def _range(part: pd.DataFrame) -> tuple[float, float]:
    """Return 95 % of a bootstrap over true runs of the share held: figures and cuts of one run go together."""
    by_run = part.groupby(["scenario", "world"])["held"].agg(["sum", "size"]).to_numpy(np.float64)
    drawn = by_run[np.random.default_rng(1).integers(len(by_run), size=(RESAMPLES, len(by_run)))].sum(axis=1)
    low, high = np.quantile(drawn[:, 0] / drawn[:, 1], (0.025, 0.975))
    return float(low), float(high)


def page(found: pd.DataFrame) -> None:
    """Write the tables."""
    truths = found.groupby("scenario")["world"].nunique()
    text = (
        "# Watched runs of which the scenario is true\n\n"
        "How often 80 % intervals of what a run will have come to held it, by a forecast at 25, 50 and 75 % of its\n"
        "planned time. In brackets 95 % of a bootstrap over true runs, since figures and cuts of one run go together;\n"
        "`simulated` is `watch --runs`. Made by `python -m benchmarks.watch_true --write` on "
        f"{truths.sum()} true runs\n"
        f"({', '.join(f'{name}: {count}' for name, count in truths.items())}).\n\n"
    )
    money = found[found["figure"] == "spend_usd"]
    parts = (
        "## All scenarios and figures\n",
        table(found, ("simulated",)),
        table(found, ("simulated", "cut")),
        "## By scenario\n",
        table(found, ("scenario", "simulated")),
        "## Spend\n",
        table(money, ("scenario", "simulated", "cut")),
        "## Every figure\n",
        table(found),
    )
    (HERE / "watch_true.md").write_text(text + "\n".join(parts), encoding="utf-8")


def main() -> None:
    """Measure, and print or write the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--truths", type=int, default=80)
    parser.add_argument("--runs", type=int, nargs="+", default=[600, 300], help="as `watch --runs`")
    parser.add_argument("--scenarios", nargs="+", default=list(MEASURED), choices=list(SCENARIOS))
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    parts = []
    for name in arguments.scenarios:
        parts.append(cases(name, arguments.truths, arguments.runs))
        print(table(parts[-1]), flush=True)
    found = pd.concat(parts)
    print(table(found, ("simulated", "cut")))
    if arguments.write:
        page(found)


if __name__ == "__main__":
    main()
