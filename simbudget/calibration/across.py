"""Some runs from others: a calibration on a part of the runs projects the rest, all together and each by itself."""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from simbudget.calibration.fits import fit_sessions
from simbudget.calibration.forecasts import BOOTSTRAP, STRAIGHT_LINE, Forecast, truths
from simbudget.calibration.new_sessions import MODEL, session_scenario
from simbudget.calibration.sessions import Session
from simbudget.calibration.within import session_samples
from simbudget.projection.run import Options, project

Floats = npt.NDArray[np.float64]

SPLITS: Final = 4
"""So often the runs are parted, each time otherwise."""

_FEWEST_RUNS: Final = 10
_FEWEST_KNOWN: Final = 4
_NEW_RUNS: Final = 15
"""So many single runs are scored in each split."""
_MOST_SESSIONS: Final = 200
"""So many sessions are simulated for a total; with more, their sum is in proportion."""
_TOTAL: Final = "total_"


def across_runs(sessions: Sequence[Session], cut: float, replications: int, seed: int) -> Iterator[Forecast]:
    """Yield the forecasts of the runs that are not known, projected from a share of them that is."""
    for project_name in dict.fromkeys(session.project for session in sessions):
        mine = [session for session in sessions if session.project == project_name]
        if len(mine) < _FEWEST_RUNS:
            continue
        for split in range(SPLITS):
            order = np.random.default_rng([seed, split]).permutation(len(mine))
            count = min(max(_FEWEST_KNOWN, round(cut * len(mine))), len(mine) - 1)
            known, rest = ([mine[k] for k in part] for part in (order[:count], order[count:]))
            yield from _from_known(known, rest, replications, seed, f"split {split + 1}")


def _from_known(
    known: Sequence[Session], rest: Sequence[Session], replications: int, seed: int, split: str
) -> Iterator[Forecast]:
    rng = np.random.default_rng([seed, len(known)])
    fits = list(fit_sessions(known, (MODEL,), replications, False, rng))
    if not {"cycle.think.turns", "turn.tool_result_tokens"} <= {fit.name for fit in fits}:
        return
    options = Options(seed=seed, replications=replications, workers=1)
    one = session_samples(project(session_scenario(known, fits), options).replications)
    simulated = min(len(rest), _MOST_SESSIONS)
    every = session_samples(project(session_scenario(known, fits, simulated), options).replications)
    before, after = [truths(s, 0) for s in known], [truths(s, 0) for s in rest]
    for quantity in ("calls", "input_tokens", "output_tokens", "cost_usd", "model_time_s"):
        values = np.array([truth[quantity] for truth in before if quantity in truth])
        missing = any(quantity not in truth for truth in after)
        if len(values) < len(before) or missing:
            continue
        total = sum(truth[quantity] for truth in after)
        sums = rng.choice(values, (replications, len(rest))).sum(axis=1)
        naive = {STRAIGHT_LINE: np.array([values.mean() * len(rest)]), BOOTSTRAP: sums}
        sample = every[quantity] * (len(rest) / simulated)
        yield _forecast(rest[0], f"{split}: {len(rest)} runs", _TOTAL + quantity, total, sample, naive)
        naive = {STRAIGHT_LINE: np.array([values.mean()]), BOOTSTRAP: values}
        for session, truth in list(zip(rest, after, strict=True))[:_NEW_RUNS]:
            yield _forecast(
                session, f"{split}: {session.name}", quantity, truth[quantity], one[quantity], naive
            )


def _forecast(
    session: Session, run: str, quantity: str, truth: float, sample: Floats, naive: dict[str, Floats]
) -> Forecast:
    return Forecast("runs", session.source, session.project, run, quantity, truth, sample, naive)
