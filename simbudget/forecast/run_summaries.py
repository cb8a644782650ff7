"""Runs that a log only sums up: calls, tokens, cost and time of each as a whole, such as results of `claude -p`.

Such a log tells no calls, so nothing can be simulated call by call: runs yet to come are draws of whole runs, around
a mean that is known as well as the known runs say (see `durations.new_durations`).
"""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from simbudget.calibration.posteriors.durations import new_durations
from simbudget.calibration.posteriors.pooling import log_of
from simbudget.calibration.posteriors.runs_to_come import pool
from simbudget.distributions.posteriors import Posterior
from simbudget.ledger.imported import ImportedLedger

Floats = npt.NDArray[np.float64]

_KIND: Final = "calls"
_SMALLEST: Final = 1e-6
_INPUT: Final = ("uncached_input_tokens", "cache_write_tokens", "cache_read_tokens")


def summed_runs(ledger: ImportedLedger) -> Iterator[tuple[str, str, list[tuple[str, dict[str, float]]]]]:
    """Yield source, project, and name and totals of each run that is summed up, without what the log does not say."""
    entries = ledger.entries
    summed = entries[entries["kind"] == _KIND]
    about = ledger.runs.set_index("run")
    mine = about.loc[sorted(summed["run"].unique())]
    for (source, project), runs in mine.groupby([mine["source"].astype(str), mine["project"].fillna("")]):
        of_runs = summed[summed["run"].isin(runs.index)]
        rows = [(str(runs.at[run, "name"]), _totals(rows)) for run, rows in of_runs.groupby("run")]
        yield str(source), str(project), rows


def _totals(rows: pd.DataFrame) -> dict[str, float]:
    """Return the totals of a run, by the names of a session's quantities."""
    cost = rows["list_cost_usd"].fillna(rows["cost_usd"])
    sums = {
        "calls": rows["calls"],
        "input_tokens": rows[list(_INPUT)].sum(axis=1, min_count=1),
        "output_tokens": rows["output_tokens"],
        "cost_usd": cost,
        "wall_time_s": rows["duration_s"],
    }
    totals = {name: float(values.sum(skipna=False)) for name, values in sums.items() if values.notna().all()}
    return {name: total for name, total in totals.items() if total > 0.0}


def draw_runs(
    known: Sequence[float], count: int, replications: int, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Return [replications] draws of one more run, and of so many together.

    Args:
        known: a total of each known run.
        count: how many runs.
        replications: how many draws.
        rng: what they are made from.
    """
    posterior = _posterior(np.array(known), replications, rng)
    one = posterior.sample(rng.standard_normal((replications, 1)))[:, 0]
    return one, posterior.sample(rng.standard_normal((replications, count))).sum(axis=1)


def _posterior(known: Floats, worlds: int, rng: np.random.Generator) -> Posterior:
    """Return the posterior of a run's total: with its observed distribution, if there are enough runs to show one."""
    runs = list(np.split(known, len(known)))
    found = new_durations(runs, worlds, rng)
    if found is None:
        found = pool([log_of(run, _SMALLEST) for run in runs], worlds, rng)
    return found[0]
