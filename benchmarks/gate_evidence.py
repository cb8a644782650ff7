"""What gates and reviews teach: whether the price of a transferable result, after a calibration, holds the true one.

`python benchmarks/gate_evidence.py [--worlds 100] [--runs 4] [--write]`. Each world is a draw of all that the scenario
does not know. So many runs of that world are traced; the scenario is calibrated on their ledgers, as `simbudget
calibrate` does it; the truth is 300 further runs of the same world. The price of a result, world by world as `project`
tells it (here from 400 worlds of four runs), is held against it before and after.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from simbudget.calibration.scenarios.calibrate import calibrate
from simbudget.engine.compiled.run import simulate, simulate_many
from simbudget.engine.laws.draws import draw_world
from simbudget.engine.lowering import lower
from simbudget.engine.program import Program
from simbudget.engine.totals import totals
from simbudget.ledger.frame import DTYPES
from simbudget.ledger.imported import ImportedLedger, typed_runs
from simbudget.projection.economics import prices_over_worlds
from simbudget.scenario.loading import loads_scenario
from simbudget.scenario.scenario import Scenario

TEXT = """
fleet: [{group: g, agents: 4, model: m}]
cycle: [{think: {turns: 2}}, {score: {}}, {share: {}}]
turn: {output_tokens: 400, tool_result_tokens: 900, tool_time: {typical: 30 min, varies: 2x}}
context: {first_prompt_tokens: 5000, limit_tokens: 900000}
forum: {post_tokens: 300}
models: {m: {first_token: 2 s, output_speed: 60 tokens/s}}
prices: {m: {input: 3 $/Mtok, cache_write: 3.75 $/Mtok, cache_read: 0.3 $/Mtok, output: 15 $/Mtok}}
scorer: {noise: 0.03, time: {typical: 1 min, varies: 2x}}
review: {people: 2, hours: always, time: 10 min to 40 min, price: 90 $/h, of: all}
research:
  explores: {unknown: 20% to 50%}
  follows: {unknown: 30% to 80%}
  ideas: {unknown: 3 to 30}
  first_quality: 0.0 to 0.45
  refines: {unknown: 10% to 30%}
  gain: 0.05 to 0.35
  transfers: {unknown: 1% to 20%}
  real_share: {unknown: 5% to 60%}
  hacks: {unknown: 0.3% to 3%}
  caught: {unknown: 70% to 99%}
  blames: {unknown: 0.2% to 3%}
  finalists: 3
gates:
  - {name: held-out domain, keeps: 30% to 80%, smallest_effect: 0.10, noise: 0.03, price: 40 $/try, time: 4 h}
  - {name: production trial, keeps: 0% to 60%, smallest_effect: 0.05, noise: 0.03, price: 2500 $/try, time: 3 h}
stop: {after: 36 h}
"""
FACTS = ("transfers", "real_share", "hacks", "caught", "blames")
PRICE = "price of a result, world by world"
SEED = 11
TRUTH_RUNS, WORLDS, RUNS = 300, 400, 4
DEAREST_USD = 1e7
"""What a result costs in a world that hardly has any."""


def played(
    program: Program, seed: int, worlds: np.ndarray, runs: int, first: int = 0
) -> dict[str, np.ndarray]:
    """Return what runs of worlds come to, a world's after another's."""
    keys = np.repeat(worlds, runs), np.tile(np.arange(first, first + runs), len(worlds))
    return totals(program, simulate_many(program, seed, *keys).sums)


def true_prices(program: Program, worlds: np.ndarray, runs: int) -> np.ndarray:
    """Return [worlds] expected spend over expected results."""
    of = played(program, SEED, worlds, runs, first=1000)
    spend, results = (
        of[name].reshape(len(worlds), runs).mean(axis=1) for name in ("spend_usd", "transferable_expected")
    )
    return np.minimum(spend / np.maximum(results, 1e-9), DEAREST_USD)


def facts(program: Program, worlds: np.ndarray, seed: int) -> pd.DataFrame:
    """Return what is true in worlds."""
    rows, found = program.rows.copy(), []
    for world in worlds:
        stream = np.array([seed, world, 0], dtype=np.int64)
        draw_world(
            rows, program.rows, program.table, program.kinds, program.spreads, program.purposes, stream
        )
        found.append([rows[getattr(program.research, name), 1] for name in FACTS])
    return pd.DataFrame(found, columns=list(FACTS))


def ledger(program: Program, world: int, runs: int) -> ImportedLedger:
    """Return the ledger of runs of one world."""
    frames = []
    for run in range(runs):
        traced = simulate(program, SEED, world, run).ledger
        assert traced is not None
        frames.append(traced.assign(run=run))
    entries = pd.concat(frames, ignore_index=True).astype(DTYPES)
    about = pd.DataFrame({"run": range(runs), "source": "simulated", "agents": 4})
    return ImportedLedger(entries, typed_runs(about))


def knows(scenario: Scenario) -> dict[str, np.ndarray]:
    """Return p10, p50 and p90 of each thing, as a scenario has it."""
    program, worlds = lower(scenario), np.arange(WORLDS)
    sample = facts(program, worlds, 5)
    known = {name: np.quantile(sample[name], (0.1, 0.5, 0.9)) for name in FACTS}
    of = played(program, 5, worlds, RUNS)
    prices = prices_over_worlds(of["spend_usd"], of["transferable_expected"], np.repeat(worlds, RUNS))
    assert prices is not None
    known[PRICE] = np.array([prices.p10, prices.p50, prices.p90])
    return known


def rows(quantiles: np.ndarray, truth: float) -> dict[str, float]:
    """Return whether the middle 80 % hold the truth, the median's error and the width, in logarithms."""
    low, middle, high = np.log(np.clip(quantiles, 1e-9, DEAREST_USD))
    return {
        "held": float(low <= np.log(truth) <= high),
        "error": abs(middle - np.log(truth)),
        "width": high - low,
    }


def measure(worlds: int, runs: int) -> pd.DataFrame:
    """Return for each world and quantity how it stood before and after the calibration."""
    before = loads_scenario(TEXT)
    program = lower(before.scenario)
    truth = facts(program, np.arange(worlds), SEED)
    truth[PRICE] = true_prices(program, np.arange(worlds), TRUTH_RUNS)
    assumed, found = knows(before.scenario), []
    for world in range(worlds):
        after = calibrate(before, TEXT, ledger(program, world, runs), "c.parquet").after
        learnt = knows(after.scenario)
        for name in (*FACTS, PRICE):
            for side, known in (("before", assumed), ("after", learnt)):
                row = rows(known[name], truth[name][world])
                found.append({"world": world, "quantity": name, "side": side, **row})
    return pd.DataFrame(found)


def table(found: pd.DataFrame, runs: int) -> str:
    """Return the table in Markdown."""
    worlds = found["world"].nunique()
    lines = [
        f"{worlds} worlds, {runs} runs of each (12 tries at each of two gates, some hundreds of reviews).",
        "",
        "| quantity | held before | after (90 %) | median's error before | after | width before | after |",
        "| --- | --: | --: | --: | --: | --: | --: |",
    ]
    for name in (*FACTS, PRICE):
        own = found[found["quantity"] == name]
        before, after = (own[own["side"] == side] for side in ("before", "after"))
        sure = binomtest(int(after["held"].sum()), len(after)).proportion_ci(0.9)
        error, width = (
            [f"{np.exp(side[key].mean()):.2f}×" for side in (before, after)] for key in ("error", "width")
        )
        held = f"{before['held'].mean():.0%} | {after['held'].mean():.0%} ({sure.low:.0%}–{sure.high:.0%})"
        lines.append(f"| {name} | {held} | {' | '.join(error)} | {' | '.join(width)} |")
    return "\n".join(lines)


def main() -> None:
    """Measure, and print or write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--worlds", type=int, default=100)
    parser.add_argument("--runs", type=int, default=4)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    found = measure(options.worlds, options.runs)
    text = table(found, options.runs)
    print(text)
    if options.write:
        here = Path(__file__)
        title = "# What gates and reviews teach\n\n"
        here.with_suffix(".md").write_text(f"{title}{text}\n", encoding="utf-8")
        found.to_csv(here.with_suffix(".csv"), index=False, float_format="%.5g", lineterminator="\n")


if __name__ == "__main__":
    main()
