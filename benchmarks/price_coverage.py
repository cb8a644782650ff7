"""How often the stated price of a result holds the price of a world that it has not seen.

`python -m benchmarks.price_coverage [--worlds 200] [--write]`. Worlds are drawn from the scenario with their own seed.
The true price of a world is the mean spend over the expected results of many runs in it. A projection with another seed
states p10 and p90 over worlds; an honest interval holds four true prices in five, with 400 replications as with 8,000.
Beside it stands a wrong twin: the Monte-Carlo interval of the average price, which narrows with more replications and
is no statement about worlds.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.price_of_a_result import SMALL
from simbudget.engine.compiled.run import simulate_many
from simbudget.engine.lowering import lower
from simbudget.engine.program import Program
from simbudget.engine.totals import totals
from simbudget.numbers import usd
from simbudget.projection.run import Options, project
from simbudget.scenario.loading import loads_scenario
from simbudget.scenario.scenario import Scenario

HERE = Path(__file__).parent
SEED_OF_TRUTH = 4321
RUNS = 400
"""Of each world: the price of one in which results are rare is then known to some 10 %."""
REPLICATIONS = (400, 2000, 8000)
SEEDS = (1, 2, 3, 4, 5)

PAGE = """# Coverage of the price of a result

`python -m benchmarks.price_coverage --write`. {worlds} worlds are drawn from each scenario with their own seed; the
true price of each is mean spend ÷ expected results over {runs} runs. Projections with five other seeds state p10 to
p90 over worlds.

- *Held*: the share of the true prices within p10 to p90, averaged over the seeds, with the smallest and the largest;
  {worlds} worlds alone give the share of a correct interval a standard error of {error:.1f} points.
- *p90 ÷ p10*: the interval's width, the median of the seeds, with the smallest and the largest.
- *Monte-Carlo interval*: the share within the p10 to p90 of the average price, which narrows with more replications
  and is no statement about worlds.

| scenario | replications | held | p10 | p50 | p90 | p90 ÷ p10 | Monte-Carlo interval holds |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
"""


@dataclass(frozen=True)
class Stated:
    """What a projection states: quantiles over worlds, and the Monte-Carlo interval of the average."""

    over_worlds: tuple[float, float, float]
    monte_carlo: tuple[float, float]


def true_prices(program: Program, worlds: int) -> np.ndarray:
    """Return the [worlds] price of a result; infinite where none can be expected."""
    keys = np.repeat(np.arange(worlds), RUNS), np.tile(np.arange(RUNS), worlds)
    found = totals(program, simulate_many(program, SEED_OF_TRUTH, *keys).sums)
    spend, expected = (
        found[name].reshape(worlds, RUNS).mean(axis=1) for name in ("spend_usd", "transferable_expected")
    )
    return np.asarray(np.divide(spend, expected, out=np.full(worlds, np.inf), where=expected > 0))


def stated(scenario: Scenario, replications: int, seed: int) -> Stated:
    """Return what a projection states."""
    price = project(scenario, Options(seed, replications)).price_of_result
    assert price is not None
    assert price.by_world is not None
    quantiles = (price.by_world.p10, price.by_world.p50, price.by_world.p90)
    return Stated(
        tuple(np.inf if each is None else each for each in quantiles),  # type: ignore[arg-type]
        (price.p10 or np.inf, price.p90 or np.inf),
    )


def rows(name: str, text: str, worlds: int) -> list[str]:
    """Return a line for each number of replications."""
    scenario = loads_scenario(text).scenario
    prices = true_prices(lower(scenario), worlds)
    lines = []
    for replications in REPLICATIONS:
        found = [stated(scenario, replications, seed) for seed in SEEDS]
        held = [_share(prices, each.over_worlds[0], each.over_worlds[2]) for each in found]
        of_twin = [_share(prices, *each.monte_carlo) for each in found]
        middle = np.exp(np.log([each.over_worlds for each in found]).mean(axis=0))
        widths = [each.over_worlds[2] / each.over_worlds[0] for each in found]
        lines.append(
            f"| {name} | {replications:,} | {np.mean(held):.0f} % ({min(held):.0f} to {max(held):.0f}) "
            f"| {' | '.join(usd(float(value)) for value in middle)} "
            f"| {np.median(widths):.1f} ({min(widths):.1f} to {max(widths):.1f}) | {np.mean(of_twin):.0f} % |\n"
        )
    return lines


def _share(prices: np.ndarray, low: float, high: float) -> float:
    return 100.0 * float(((prices >= low) & (prices <= high)).mean())


def main() -> None:
    """Print the table, or write it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--worlds", type=int, default=200)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    head = PAGE.format(worlds=options.worlds, runs=RUNS, error=100 * np.sqrt(0.16 / options.worlds))
    page = head + "".join(line for name, text in SMALL.items() for line in rows(name, text, options.worlds))
    if options.write:
        (HERE / "price_coverage.md").write_text(page)
    print(page)


if __name__ == "__main__":
    main()
