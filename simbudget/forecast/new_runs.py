"""Some runs from others: a calibration on a part of the runs projects the rest, all together and each by itself."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from simbudget.calibration.observed.sessions import Session
from simbudget.calibration.observed.totals import session_samples, truths
from simbudget.calibration.scenarios.new_sessions import MODEL, session_scenario
from simbudget.calibration.scenarios.session_fits import fit_sessions
from simbudget.forecast.cases import BOOTSTRAP, STRAIGHT_LINE, Case
from simbudget.forecast.run_summaries import draw_runs, summed_runs
from simbudget.ledger.imported import ImportedLedger
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


def across_runs(sessions: Sequence[Session], cut: float, replications: int, seed: int) -> Iterator[Case]:
    """Yield the forecasts of the runs that are not known, projected from a share of them that is."""
    for project_name in dict.fromkeys(session.project for session in sessions):
        mine = [session for session in sessions if session.project == project_name]
        if len(mine) < _FEWEST_RUNS:
            continue
        for split, known, rest in _splits(len(mine), cut, seed):
            of_known, of_rest = [mine[k] for k in known], [mine[k] for k in rest]
            yield from _from_known(of_known, of_rest, replications, seed, split)


def _splits(count: int, cut: float, seed: int) -> Iterator[tuple[str, list[int], list[int]]]:
    """Yield a name, which of so many runs are known, and which are not."""
    for split in range(SPLITS):
        order = np.random.default_rng([seed, split]).permutation(count).tolist()
        known = min(max(_FEWEST_KNOWN, round(cut * count)), count - 1)
        yield f"split {split + 1}", order[:known], order[known:]


def across_summed_runs(ledger: ImportedLedger, cut: float, replications: int, seed: int) -> Iterator[Case]:
    """Yield the same of runs of which the log tells sums only."""
    for source, project_name, runs in summed_runs(ledger):
        if len(runs) < _FEWEST_RUNS:
            continue
        for split, known, rest in _splits(len(runs), cut, seed):
            for quantity in ("calls", "input_tokens", "output_tokens", "cost_usd", "wall_time_s"):
                before = [runs[k][1][quantity] for k in known if quantity in runs[k][1]]
                after = [(runs[k][0], runs[k][1][quantity]) for k in rest if quantity in runs[k][1]]
                if len(before) < _FEWEST_KNOWN or not after or min(before) == max(before):
                    continue
                rng = np.random.default_rng([seed, len(known), len(before)])
                one, every = draw_runs(before, len(after), replications, rng)
                where = _Case(source, project_name, split, quantity)
                yield from _scored(where, np.array(before), after, one, every, rng)


@dataclass(frozen=True)
class _Case:
    """What is forecast of which split of which project's runs."""

    source: str
    project: str
    split: str
    quantity: str


def _scored(
    case: _Case,
    before: Floats,
    after: Sequence[tuple[str, float]],
    one: Floats,
    every: Floats,
    rng: np.random.Generator,
) -> Iterator[Case]:
    """Yield the forecasts of a quantity: of all runs that are not known together, and of some of them.

    Args:
        case: which.
        before: of the known runs.
        after: names of the others, and what came true of them.
        one: [replications] of a single run.
        every: [replications] of all of `after` together.
        rng: what naive samples are drawn from.
    """

    def forecast(run: str, quantity: str, truth: float, sample: Floats, naive: dict[str, Floats]) -> Case:
        name = f"{case.split}: {run}"
        return Case("runs", case.source, case.project, name, quantity, truth, sample, naive)

    sums = rng.choice(before, (len(every), len(after))).sum(axis=1)
    naive = {STRAIGHT_LINE: np.array([before.mean() * len(after)]), BOOTSTRAP: sums}
    total = sum(truth for _, truth in after)
    yield forecast(f"{len(after)} runs", _TOTAL + case.quantity, total, every, naive)
    naive = {STRAIGHT_LINE: np.array([before.mean()]), BOOTSTRAP: before}
    for name, truth in after[:_NEW_RUNS]:
        yield forecast(name, case.quantity, truth, one, naive)


def _from_known(
    known: Sequence[Session], rest: Sequence[Session], replications: int, seed: int, split: str
) -> Iterator[Case]:
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
        named = [(session.name, truth[quantity]) for session, truth in zip(rest, after, strict=True)]
        case = _Case(rest[0].source, rest[0].project, split, quantity)
        yield from _scored(case, values, named, one[quantity], every[quantity] * (len(rest) / simulated), rng)
