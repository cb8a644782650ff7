"""Whether pilots do what `plan-pilot` promises: recommended, simulated as truths, calibrated on, projected again.

For each scenario and pilot, `plan-pilot` says how much narrower the projected spend would get. Then, in worlds that it
has not seen: the pilot is simulated and its ledger written as `simbudget trace` writes it, read as `calibrate` reads
it, the scenario is calibrated on it by the product's own path and projected anew. Its interval is held against a run
in the same world with other luck. Narrowing is 1 - (spread after) / (spread before); the spread after is the root of
the mean over worlds of the variance that the new projection states (what it claims), or of the squared distance from
its mean to the run (what it knows).

Usage: python -m benchmarks.plan_pilot [--worlds 40] [--first 0] [--workers 2] [--write]
"""

import argparse
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from scipy.stats import binomtest

from simbudget.calibration.scenarios.calibrate import calibrate
from simbudget.deciding.alternatives import Sample
from simbudget.deciding.changes import Source
from simbudget.deciding.pilots import Pilots
from simbudget.deciding.plan_pilot import LUCK_OF_PILOT, pilot_scenario, plan_pilot
from simbudget.drawing import entitle, new_figure
from simbudget.engine import compiled
from simbudget.engine.lowering import lower
from simbudget.errors import UserError
from simbudget.ledger.readers import read_logs
from simbudget.projection.run import Options, project

HERE = Path(__file__).parent
LAPTOP = (HERE.parent / "scenarios" / "pilot-laptop.yaml").read_text(encoding="utf-8")
TOKENS = """
fleet: [{agents: 4, model: m}]
cycle: [{think: {turns: {typical: 10 to 60, varies: 1.8x}}}]
turn:
  output_tokens: {typical: 100 to 1500, varies: 3x}
  tool_result_tokens: {typical: 200 to 5000, varies: 4x}
  tool_time: {typical: 1 s to 60 s, varies: 4x}
context: {first_prompt_tokens: 12000, limit_tokens: 160000, compacted_to_tokens: 12000, lasts: cycle, cache: 5 min}
models: {m: {first_token: {typical: 1 s to 6 s, varies: 1.6x}, output_speed: {unknown: 25 to 120 tokens/s}}}
prices: {m: {input: 3 $/Mtok, cache_write: 3.75 $/Mtok, cache_read: 0.3 $/Mtok, output: 15 $/Mtok}}
stop: {after: 24 h}
"""
EXPERIMENTS = """
fleet: [{agents: 4, model: m}]
cycle:
  - think: {turns: {typical: 5 to 20, varies: 1.6x}}
  - experiment: {gpus: 1, time: {typical: 10 min to 2 h, varies: 2x}, fails: {unknown: 2% to 25%}}
turn:
  output_tokens: {typical: 200 to 800, varies: 2x}
  tool_result_tokens: {typical: 300 to 2000, varies: 3x}
  tool_time: 5 s to 20 s
context: {first_prompt_tokens: 12000, lasts: cycle, cache: 5 min}
models: {m: {first_token: 1 s to 4 s, output_speed: 60 tokens/s}}
prices: {m: {input: 3 $/Mtok, cache_write: 3.75 $/Mtok, cache_read: 0.3 $/Mtok, output: 15 $/Mtok}}
gpus: {count: 4, price: 3 $/h, billing: on demand}
stop: {after: 4 days, cycles_per_agent: 40}
"""
SCENARIOS = {
    "pilot on a laptop": (LAPTOP, ((1, 0.25), (1, 1.0))),
    "four agents, tokens only": (TOKENS, ((1, 0.25), (1, 1.0))),
    "four agents with experiments": (EXPERIMENTS, ((1, 3.0), (4, 12.0))),
}
TRUTHS = 1_000_003
"""The seed of the worlds in which pilots are run; `plan-pilot` has another."""
DRAWS = 300
REHEARSALS = 8
RUNS = 4
"""In each world, for the truth."""


@dataclass(frozen=True)
class Case:
    """A pilot of a scenario in one world."""

    scenario: str
    agents: int
    hours: float
    world: int

    @property
    def source(self) -> Source:
        """Return the scenario's text."""
        return Source(SCENARIOS[self.scenario][0], self.scenario, Path())


def predicted(pilot: tuple[str, int, float]) -> dict[str, object]:
    """Return what `plan-pilot` says of a pilot: at best, and rehearsed."""
    name, size, hours = pilot
    looked_at = Pilots((size,), (hours,), REHEARSALS)
    found = plan_pilot(Source(SCENARIOS[name][0], name, Path()), looked_at, Sample(600))
    says = found.pilots[0]
    return {
        "scenario": name,
        "agents": size,
        "hours": hours,
        "cost_usd": says.cost_usd,
        "spread_usd": found.spread_usd,
        "width_usd": width_now(name),
        "at_best": says.narrowing,
        "rehearsed": says.rehearsed,
    }


def width_now(name: str) -> float:
    """Return the width of the interval of the run's spend, p10 to p90, before any pilot."""
    scenario = Source(SCENARIOS[name][0], name, Path()).load().scenario
    low, high = np.quantile(
        project(scenario, Options(replications=1000, workers=1)).replications["spend_usd"], (0.1, 0.9)
    )
    return float(high - low)


def achieved(case: Case) -> dict[str, object]:
    """Return what a pilot in one world came to."""
    row = {"scenario": case.scenario, "agents": case.agents, "hours": case.hours, "world": case.world}
    loaded = case.source.load()
    world = np.full(RUNS, case.world)
    truths = compiled.simulate_many(lower(loaded.scenario), TRUTHS, world, np.arange(RUNS)).sums[:, 0]
    row |= {"truth": truths[0], "truth_mean": truths.mean()}
    pilot = pilot_scenario(case.source, case.agents, case.hours)
    entries = compiled.simulate(lower(pilot), TRUTHS, case.world, LUCK_OF_PILOT, record=True).ledger
    assert entries is not None
    with tempfile.TemporaryDirectory() as folder:
        entries.to_parquet(Path(folder) / "ledger.parquet", index=False)  # as `trace` does
        ledger = read_logs([Path(folder)])
    try:
        learnt = calibrate(loaded, case.source.text, ledger, "draws.parquet")
    except UserError:  # a pilot that shows nothing
        scenario, changed = loaded.scenario, ""
    else:
        scenario, changed = learnt.after.scenario, " ".join(change.name for change in learnt.changes)
    spends = project(scenario, Options(seed=5, replications=DRAWS, workers=1)).replications["spend_usd"]
    p10, p50, p90 = np.quantile(spends, (0.1, 0.5, 0.9))
    row |= {"mean": spends.mean(), "variance": spends.var(), "p10": p10, "p50": p50, "p90": p90}
    return {**row, "changed": changed}


def cases(first: int, worlds: int) -> Iterator[Case]:
    """Yield every pilot in every world."""
    for world in range(first, first + worlds):
        for name, (_, pilots) in SCENARIOS.items():
            for agents, hours in pilots:
                yield Case(name, agents, hours, world)


def table(says: pd.DataFrame, found: pd.DataFrame) -> pd.DataFrame:
    """Return promised and achieved narrowing of each pilot."""
    rows = []
    for (name, agents, hours), part in found.groupby(["scenario", "agents", "hours"], sort=False):
        of_pilot = says["scenario"].eq(name) & says["agents"].eq(agents) & says["hours"].eq(hours)
        said = says[of_pilot].iloc[0]
        now = said["width_usd"]
        widths = part["p90"] - part["p10"]
        drawn = np.random.default_rng(1).integers(0, len(part), (2000, len(part)))
        narrower = 1.0 - widths.to_numpy()[drawn].mean(axis=1) / now
        held = (part["truth"] >= part["p10"]) & (part["truth"] <= part["p90"])
        rows.append(
            {
                "scenario": name,
                "pilot": f"{agents} agent{'s' * (agents != 1)}, {hours:g} h",
                "cost_usd": said["cost_usd"],
                "at_best": said["at_best"],
                "rehearsed": said["rehearsed"],
                "worlds": len(part),
                "narrower": 1.0 - widths.mean() / now,
                "low": np.quantile(narrower, 0.05),
                "high": np.quantile(narrower, 0.95),
                "nearer": 1.0
                - float(np.sqrt(((part["mean"] - part["truth"]) ** 2).mean())) / said["spread_usd"],
                "held": int(held.sum()),
            }
        )
    return pd.DataFrame(rows)


def as_markdown(found: pd.DataFrame) -> str:
    """Return the page."""
    lines = [
        "# Pilots as planned, and as they came out",
        "",
        f"`plan-pilot` (seed 1, 600 replications, {REHEARSALS} rehearsals) and what `calibrate` achieved on pilots",
        "simulated in other worlds. *At best*: narrower spread by what a record could tell beside the scenario's own",
        "ranges. *Rehearsed*: what `plan-pilot` counts on. *Achieved*: by how much the mean interval (p10 to p90) of",
        "the new projection was narrower; in brackets 90 % of a bootstrap over worlds. *Nearer*: by how much the root",
        "mean squared distance of its mean from the true run was smaller than the spread before. *Held*: how often its",
        "80 % interval held a run in the same world with other luck.",
        "Made by `python -m benchmarks.plan_pilot --write`.",
        "",
        "| scenario | pilot | costs | at best | rehearsed | worlds | achieved | nearer | held |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for _, row in found.iterrows():
        exact = binomtest(int(row["held"]), int(row["worlds"])).proportion_ci(0.95, "exact")
        cells = (
            row["scenario"],
            row["pilot"],
            f"${row['cost_usd']:.3g}",
            f"{row['at_best']:.0%}",
            f"{row['rehearsed']:.0%}",
            row["worlds"],
            f"{row['narrower']:.0%} ({row['low']:.0%} to {row['high']:.0%})",
            f"{row['nearer']:.0%}",
            f"{row['held'] / row['worlds']:.0%} ({exact.low:.0%} to {exact.high:.0%})",
        )
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines) + "\n"


def picture(found: pd.DataFrame) -> Figure:
    """Return promised against achieved narrowing."""
    figure, axes = new_figure()
    axes.plot([-0.1, 1], [-0.1, 1], color="#777777", lw=1.0, ls=":")
    spans = [found["narrower"] - found["low"], found["high"] - found["narrower"]]
    axes.errorbar(
        found["rehearsed"],
        found["narrower"],
        yerr=spans,
        fmt="o",
        label="rehearsed: what plan-pilot counts on",
    )
    axes.plot(
        found["at_best"],
        found["narrower"],
        "x",
        color="#777777",
        label="at best, by what the record could tell",
    )
    axes.set(
        xlabel="narrowing said by plan-pilot",
        ylabel="narrowing achieved by calibrate",
        xlim=(-0.1, 1),
        ylim=(-0.1, 1),
    )
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1.0))
    axes.legend(frameon=False, loc="upper left")
    entitle(
        axes,
        "Pilots: what is said and what comes out",
        f"{found['worlds'].min()} to {found['worlds'].max()} worlds a pilot; bars: 90 % of a bootstrap over worlds",
    )
    return figure


def main() -> None:
    """Measure, and print or write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--worlds", type=int, default=32)
    parser.add_argument(
        "--first", type=int, default=0, help="the first world; those before it are taken from the last time"
    )
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--write", action="store_true", help="the page and its picture")
    arguments = parser.parse_args()
    kept, planned = HERE / "plan_pilot.csv", HERE / "plan_pilot.planned.csv"
    rows = pd.read_csv(kept).query(f"world < {arguments.first}").to_dict("records") if arguments.first else []
    with ProcessPoolExecutor(arguments.workers) as workers:
        every = [(name, *pilot) for name, (_, pilots) in SCENARIOS.items() for pilot in pilots]
        if not arguments.first:
            says = pd.DataFrame(workers.map(predicted, every))
            says.to_csv(planned, index=False, float_format="%.6g", lineterminator="\n")
        for row in workers.map(achieved, cases(arguments.first, arguments.worlds)):
            rows.append(row)
            pd.DataFrame(rows).to_csv(kept, index=False, float_format="%.6g", lineterminator="\n")
    found = table(pd.read_csv(planned), pd.DataFrame(rows))
    text = as_markdown(found)
    print(text)
    if arguments.write:
        (HERE / "plan_pilot.md").write_text(text, encoding="utf-8")
        picture(found).savefig(HERE / "plan_pilot.png", dpi=120)


if __name__ == "__main__":
    main()
