"""When to stop: from which hour on another one costs more than it brings."""

import numpy as np

from simbudget.arrays import Floats
from simbudget.engine.laws.tally import LOOKS
from simbudget.engine.totals import result_column
from simbudget.forecast.conditioned import Conditioned, spent_at
from simbudget.forecast.outlook import Worthwhile


def worthwhile(given: Conditioned, worth_usd: float, seed: int, curve: Floats, at_end: Floats) -> Worthwhile:
    """Return from which hour on another hour costs more than it brings, in expectation.

    Where the expected worth of the results so far less the expected spend is highest, over the looks that are left;
    a bootstrap over draws says how well that is known.
    """
    runs, now = given.runs, given.state.elapsed_s / 3600.0
    whole = runs.whole
    results = np.column_stack([whole[result_column(look)].to_numpy() for look in range(LOOKS)])[given.rows]
    looks = runs.hours[-1] * (np.arange(LOOKS) + 1) / LOOKS
    left = looks > now * (1.0 + 1e-6)
    times = np.concatenate([[now], looks[left]])
    brought = np.column_stack(
        [np.apply_along_axis(lambda r: np.interp(now, looks, r), 1, results), results[:, left]]
    )
    spent = np.column_stack([spent_at(curve, runs.hours, hour) for hour in times])
    spent[:, -1] -= at_end  # gates are paid for whenever the run stops
    net = worth_usd * brought - spent
    best = int(net.mean(axis=0).argmax())
    rng = np.random.default_rng([seed, 11])
    resampled = max(2, round(given.like.effective_runs))
    again = [int(net[rng.integers(len(net), size=resampled)].mean(axis=0).argmax()) for _ in range(400)]
    low, high = np.quantile(times[again], (0.1, 0.9))
    hours = max(times[1] - times[0], 1e-9) if len(times) > 1 else 1.0
    step = 1 if len(times) > 1 else 0
    return Worthwhile(
        float(times[best]),
        float(low),
        float(high),
        float((spent[:, step] - spent[:, 0]).mean() / hours),
        float(worth_usd * (brought[:, step] - brought[:, 0]).mean() / hours),
    )
