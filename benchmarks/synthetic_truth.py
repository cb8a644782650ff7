"""Synthetic truth: whether 80 % intervals hold what is true in random worlds that were simulated and calibrated on.

`python benchmarks/synthetic_truth.py [--worlds 200] [--first 0] [--write]`. Each world is a random truth: contexts that
differ in level or do not, compact or do not, calls that fail or do not, cycles with an experiment or without. A pilot
of so many cycles is simulated by the compiled engine; a scenario of the same structure but with wrong numbers is
calibrated on its ledger, as `simbudget calibrate` does it; what was learnt is held against the truth: typical values,
scatter, rates, and the totals of more cycles of the same world.
"""

import argparse
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import binomtest, norm

from simbudget.calibration.observed.totals import session_samples
from simbudget.calibration.scenarios.calibrate import calibrate
from simbudget.distributions.posteriors import Posterior, score_grid
from simbudget.engine.compiled import simulate
from simbudget.engine.lowering import lower
from simbudget.ledger.frame import DTYPES
from simbudget.ledger.imported import ImportedLedger, typed_runs
from simbudget.projection.run import Options, project
from simbudget.scenario.calibration_file import CalibratedQuantity, Calibration, LearntFrom
from simbudget.scenario.loading import loads_scenario
from simbudget.scenario.scenario import Scenario

PILOTS = {5: (1, 5), 15: (3, 5), 50: (5, 10)}
"""Cycles of a pilot: its agents, and the cycles of each."""
TO_COME = (2, 10)
DRAWS = 300
OUTPUT, RESULT, TURNS = "turn.output_tokens", "turn.tool_result_tokens", "cycle.think[0].turns"
FIRST, SPEED = "models[m].first_token", "models[m].output_speed"
ERRORS, FAILS = "api.error_rate", "cycle.experiment[0].fails"
ASSUMED = {
    OUTPUT: "300",
    "turn.thinking_tokens": "200",
    RESULT: "700",
    "turn.tool_time": "9 s",
    TURNS: "31",
    "context.first_prompt_tokens": "9000",
    "context.compacted_to_tokens": "7000",
    "models[m].first_token": "2 s",
    "cycle.experiment[0].time": "3000 s",
    ERRORS: "0.1%",
    FAILS: "11%",
}
"""What the scenario says before: wrong numbers, which a calibration replaces."""
TEXT = """
fleet: [{{group: session, agents: {agents}, model: m}}]
cycle: [{{think: {{turns: 31}}}}{experiment}]
turn: {{output_tokens: 300, thinking_tokens: {thinking}, tool_result_tokens: 700, tool_time: 9 s}}
context: {{first_prompt_tokens: 9000, limit_tokens: {limit}, compacted_to_tokens: 7000, lasts: cycle}}
models: {{m: {{first_token: 2 s, output_speed: {speed:.6f} tokens/s}}}}
prices: {{m: {{input: 3 $/Mtok, cache_write: 3.75 $/Mtok, cache_read: 0.3 $/Mtok, output: 15 $/Mtok}}}}
api: {{error_rate: {errors}}}
gpus: {{count: 200, price: 3 $/h, billing: on demand}}
stop: {{after: 3650 days, cycles_per_agent: {cycles}}}
"""
EXPERIMENT = ", {experiment: {gpus: 1, time: 3000 s, fails: 11%}}"


@dataclass(frozen=True)
class World:
    """One truth."""

    varying: dict[str, tuple[float, float, float]]
    """By quantity: median, and standard deviations of the logarithm within a context and between contexts."""
    facts: dict[str, float]
    limit_tokens: int
    speed: float

    def text(self, agents: int, cycles: int) -> str:
        """Return the scenario's text, all its quantities the wrong ones."""
        return TEXT.format(
            agents=agents,
            cycles=cycles,
            experiment=EXPERIMENT if FAILS in self.facts else "",
            thinking="200" if "turn.thinking_tokens" in self.varying else "0",
            limit=self.limit_tokens,
            speed=self.speed,
            errors=ASSUMED[ERRORS] if ERRORS in self.facts else "0%",
        )

    def scenario(self, agents: int, cycles: int) -> Scenario:
        """Return the true scenario."""
        rows = {name: (np.log(t), within, between) for name, (t, within, between) in self.varying.items()}
        rows |= {name: (value, 0.0, 0.0) for name, value in self.facts.items()}
        evidence = LearntFrom(0, 0, "truth", "")
        quantities = {
            name: CalibratedQuantity(
                name, ASSUMED[name], "", Posterior(np.array([row]), is_fact=name in self.facts), evidence
            )
            for name, row in rows.items()
        }
        return loads_scenario(self.text(agents, cycles), "truth", None, Calibration(quantities)).scenario


def random_world(rng: np.random.Generator) -> World:
    """Return a random truth."""
    ends = {
        OUTPUT: (100, 1000),
        "turn.thinking_tokens": (50, 500),
        RESULT: (200, 2000),
        "turn.tool_time": (1, 20),
        FIRST: (1, 5),
    }
    if rng.random() < 0.5:
        del ends["turn.thinking_tokens"]
    differ = rng.random() < 0.5
    varying = {
        name: (_between(rng, *span), rng.uniform(0.2, 1.1), rng.uniform(0.1, 0.6) if differ else 0.0)
        for name, span in ends.items()
    }
    varying[FIRST] = (*varying[FIRST][:2], 0.0)  # the engine gives contexts no level of it
    varying[TURNS] = (_between(rng, 15, 60), rng.uniform(0.2, 0.8), 0.0)
    varying["context.first_prompt_tokens"] = (_between(rng, 5e3, 4e4), rng.uniform(0.02, 0.3), 0.0)
    limit = 900_000
    if rng.random() < 0.5:
        growth = varying[OUTPUT][0] + varying[RESULT][0]
        first = varying["context.first_prompt_tokens"][0]
        limit = int(max(2.5 * first + rng.uniform(0.3, 1.0) * growth * varying[TURNS][0], 60_000))
        varying["context.compacted_to_tokens"] = (0.15 * limit, rng.uniform(0.1, 0.5), 0.0)
    facts = {}
    if rng.random() < 0.5:
        facts[ERRORS] = _between(rng, 0.005, 0.05)
    if rng.random() < 0.5:
        facts[FAILS] = rng.uniform(0.05, 0.4)
        varying["cycle.experiment[0].time"] = (_between(rng, 300, 10_000), rng.uniform(0.2, 0.9), 0.0)
    return World(varying, facts, limit, float(rng.uniform(30, 90)))


def _between(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def pilot(world: World, cycles: int, seed: int) -> ImportedLedger:
    """Return the ledger of a pilot of so many cycles."""
    program = lower(world.scenario(*PILOTS[cycles]))
    entries = simulate(program, seed, 0, 0).ledger
    assert entries is not None
    texts = dict.fromkeys(("path", "model", "metric", "better", "not_known", "oddities", "name"), "")
    began = pd.Timestamp("2026-01-01", tz="UTC")
    columns = {**texts, "run": 0, "source": "simulated", "project": "truth", "began_at": began, "agents": 1}
    return ImportedLedger(entries.assign(run=0).astype(DTYPES), typed_runs(pd.DataFrame(columns, index=[0])))


def rank(sample: np.ndarray, truth: float) -> float:
    """Return which part of a sample lies below a truth; ties count half."""
    return float((np.mean(sample < truth) + np.mean(sample <= truth)) / 2)


def one(number: int) -> list[tuple[str, int, int, float]]:
    """Return what one world says: of each quantity its name, the world, the pilot's cycles, and the truth's rank."""
    rng = np.random.default_rng([7, number])
    world = random_world(rng)
    cycles = list(PILOTS)[number % len(PILOTS)]
    options = Options(seed=100_000 + number, replications=1, workers=1)
    truth = samples(world.scenario(*TO_COME), options)
    text = world.text(*TO_COME)
    learnt = calibrate(loads_scenario(text), text, pilot(world, cycles, number + 1), "draws.parquet")
    found = list(_quantities(world, learnt.calibration.quantities))
    drawn = samples(learnt.after.scenario, Options(seed=1, replications=DRAWS, workers=1))
    found += [
        (f"total {name}", rank(drawn[name], float(truth[name][0]))) for name in truth if truth[name][0] > 0
    ]
    return [(name, number, cycles, value) for name, value in found]


def samples(scenario: Scenario, options: Options) -> dict[str, np.ndarray]:
    """Return the totals of a scenario's replications."""
    replications = project(scenario, options).replications
    found = session_samples(replications)
    return found | {"gpu_hours": replications["gpu_hours_used"].to_numpy(np.float64)}


def _quantities(world: World, learnt: dict[str, CalibratedQuantity]) -> Iterator[tuple[str, float]]:
    """Yield the ranks of what is true of single quantities."""
    for name, value in world.facts.items():
        if name in learnt:
            yield name, rank(learnt[name].posterior.draws[:, 0], value)
    yield SPEED, rank(learnt[SPEED].posterior.draws[:, 0], world.speed)
    for name, (median, within, between) in world.varying.items():
        if name not in learnt or ("turn.thinking_tokens" in world.varying and name in (OUTPUT, RESULT)):
            continue  # a ledger does not tell thinking from other output
        posterior = learnt[name].posterior
        table = posterior.shape
        middle = 0.0 if table is None else float(table[len(table) // 2])
        draws = posterior.draws
        yield name, rank(np.exp(draws[:, 0] + draws[:, 1] * middle), median)
        scatter = draws[:, 1] * _spread(table)
        yield f"scatter of {name}", rank(np.hypot(scatter, draws[:, 2]), float(np.hypot(within, between)))


def _spread(shape: np.ndarray | None) -> float:
    """Return the standard deviation of a shape's logarithms of draws, one a normal score."""
    if shape is None:
        return 1.0
    scores = norm.ppf((np.arange(2000) + 0.5) / 2000)
    return float(np.interp(scores, score_grid(), shape).std())


def table(ranks: pd.DataFrame, worlds: int) -> str:
    """Return the page."""
    lines = [
        "# Synthetic truth",
        "",
        f"How often 80 % intervals held the truth, over {worlds} random worlds and pilots of "
        f"{', '.join(map(str, PILOTS))} cycles; in brackets the exact 95 % range of the binomial share. `below` and",
        "`above`: how often the truth lay below and above. Made by `python benchmarks/synthetic_truth.py --write`.",
        "",
        "| quantity | cases | held | below | above | " + " | ".join(f"{n} cycles" for n in PILOTS) + " |",
        "| --- |" + " ---: |" * (len(PILOTS) + 4),
    ]
    for quantity, part in ranks.groupby("quantity", sort=False):
        lines.append(f"| {quantity} | " + " | ".join(_cells(part)) + " |")
    for label, is_total in (("all typical values, scatters and rates", False), ("all totals", True)):
        part = ranks[ranks["quantity"].str.startswith("total") == is_total]
        lines.append(f"| **{label}** | " + " | ".join(_cells(part, ranged=False)) + " |")
    return "\n".join(lines) + "\n"


def _cells(part: pd.DataFrame, ranged: bool = True) -> Iterator[str]:
    inside = part["rank"].between(0.1, 0.9)
    yield str(len(part))
    span = ""
    if ranged:
        exact = binomtest(int(inside.sum()), len(part)).proportion_ci(0.95, "exact")
        span = f" ({exact.low:.0%}–{exact.high:.0%})".replace("%–", "–")
    yield f"{inside.mean():.0%}{span}"
    yield f"{(part['rank'] < 0.1).mean():.0%}"
    yield f"{(part['rank'] > 0.9).mean():.0%}"
    for cycles in PILOTS:
        of_length = inside[part["cycles"] == cycles]
        yield f"{of_length.mean():.0%}" if len(of_length) else "–"


def main() -> None:
    """Measure, and print or write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--worlds", type=int, default=200)
    parser.add_argument("--first", type=int, default=0, help="the first world's number")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    numbers = range(arguments.first, arguments.first + arguments.worlds)
    with ProcessPoolExecutor(arguments.workers) as workers:
        rows = [row for of_world in workers.map(one, numbers, chunksize=4) for row in of_world]
    ranks = pd.DataFrame(rows, columns=["quantity", "world", "cycles", "rank"])
    text = table(ranks, arguments.worlds)
    if arguments.write:
        Path(__file__).with_suffix(".md").write_text(text, encoding="utf-8")
        ranks.round(4).to_csv(Path(__file__).with_suffix(".csv"), index=False, lineterminator="\n")
    print(text)


if __name__ == "__main__":
    main()
