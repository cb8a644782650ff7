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

from simbudget.calibration.scenarios.calibrate import calibrate
from simbudget.deciding.alternatives import Sample
from simbudget.deciding.changes import Source
from simbudget.deciding.pilots import Pilots
from simbudget.deciding.plan_pilot import LUCK_OF_PILOT, pilot_scenario, plan_pilot
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
turn: {output_tokens: {typical: 200 to 800, varies: 2x}, tool_result_tokens: {typical: 300 to 2000, varies: 3x}, tool_time: 5 s to 20 s}
context: {first_prompt_tokens: 12000, lasts: cycle, cache: 5 min}
models: {m: {first_token: 1 s to 4 s, output_speed: 60 tokens/s}}
prices: {m: {input: 3 $/Mtok, cache_write: 3.75 $/Mtok, cache_read: 0.3 $/Mtok, output: 15 $/Mtok}}
gpus: {count: 4, price: 3 $/h, billing: on demand}
stop: {after: 4 days, cycles_per_agent: 40}
"""
SCENARIOS = {
    "pilot on a laptop": (LAPTOP, ((1, 0.25), (1, 1.0), (3, 4.0))),
    "four agents, tokens only": (TOKENS, ((1, 1.0), (4, 1.0), (4, 6.0))),
    "four agents with experiments": (EXPERIMENTS, ((1, 3.0), (4, 3.0), (4, 12.0))),
}
TRUTHS = 1_000_003
"""The seed of the worlds in which pilots are run; `plan-pilot` has another."""
DRAWS = 300
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


def predictions(replications: int) -> pd.DataFrame:
    """Return what `plan-pilot` says of each pilot."""
    rows = []
    for name, (text, pilots) in SCENARIOS.items():
        source = Source(text, name, Path())
        for size in sorted({agents for agents, _ in pilots}):
            hours = tuple(length for agents, length in pilots if agents == size)
            found = plan_pilot(source, Pilots((size,), hours), Sample(replications))
            rows += [
                {
                    "scenario": name,
                    "agents": size,
                    "hours": pilot.hours,
                    "cost_usd": pilot.cost_usd,
                    "spread_usd": found.spread_usd,
                    "most": found.most,
                    "predicted": pilot.narrowing,
                }
                for pilot in found.pilots
            ]
    return pd.DataFrame(rows)


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


def main() -> None:
    """Measure, and print or write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--worlds", type=int, default=40)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=HERE / "plan_pilot.csv")
    arguments = parser.parse_args()
    predicted = predictions(600)
    print(predicted.to_string(), flush=True)
    predicted.to_csv(arguments.out.with_suffix(".predicted.csv"), index=False)
    with ProcessPoolExecutor(arguments.workers) as workers:
        rows = []
        for row in workers.map(achieved, cases(arguments.first, arguments.worlds)):
            rows.append(row)
            pd.DataFrame(rows).to_csv(arguments.out, index=False, float_format="%.6g", lineterminator="\n")


if __name__ == "__main__":
    main()
