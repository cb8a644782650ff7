"""What attempts at tasks teach: how likely they solve a task, how much tasks differ in that, and what attempts cost."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from simbudget.calibration.observed.attempts import Attempts, attempts_of
from simbudget.calibration.posteriors.tasks import components_of, solved_by_task
from simbudget.calibration.scenarios.fit import FEWEST, Fit, fit_of_fact
from simbudget.calibration.scenarios.logs import evidence_of_runs
from simbudget.calibration.scenarios.wording import written_fact
from simbudget.distributions.base import NORMAL_P90
from simbudget.ledger.imported import ImportedLedger
from simbudget.numbers import usd_exactly
from simbudget.scenario.calibration_file import LearntFrom
from simbudget.scenario.fleet import Tasks
from simbudget.units import Dimension

SOLVED: Final = "tasks.solved"
DIFFICULTY: Final = "tasks.difficulty"
_SEED: Final = 20_260_311


@dataclass(frozen=True)
class TaskFits:
    """What a ledger's attempts say of a scenario's tasks."""

    fits: tuple[Fit, ...] = ()
    left: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def fit_tasks(ledger: ImportedLedger, tasks: Tasks | None, worlds: int) -> TaskFits:
    """Return the fits of `tasks.solved` and `tasks.difficulty`, and how the cost of attempts varies.

    Attempts tell apart tasks and chance only where tasks have several of known outcome; otherwise the difficulty stays
    as the scenario has it, and `solved` is learnt given its median.

    Args:
        ledger: logs of real runs.
        tasks: the scenario's; without them nothing is learnt.
        worlds: how many joint draws.
    """
    attempts = attempts_of(ledger)
    if tasks is None or not len(attempts):
        return TaskFits()
    notes = tuple(_cost_note(attempts))
    hits, tries = attempts.hits_and_tries()
    if tries.sum() < FEWEST:
        left = (
            f"{SOLVED}: logs name the tasks of {len(attempts):,} attempts, but not whether these solved them"
        )
        return TaskFits(left=(left,), notes=notes)
    known = attempts.run[np.isfinite(attempts.solved)]
    remark = (
        f"{hits.sum():,} of {tries.sum():,} attempts at {len(tries):,} tasks solved theirs, "
        "those broken off counted as unsolved"
    )
    evidence = evidence_of_runs(ledger, known, remark)
    rng = np.random.default_rng(_SEED)
    if (tries > 1).any():
        solved, difficulty = solved_by_task(hits, tries, worlds, rng)
        written = written_fact(difficulty, Dimension.NUMBER)
        return TaskFits(
            (_solved(solved, evidence), fit_of_fact(DIFFICULTY, difficulty, written, evidence)), (), notes
        )
    assumed = tasks.difficulty.distribution.quantile(0.5)
    solved, _ = solved_by_task(hits, tries, worlds, rng, assumed)
    left = (
        f"{DIFFICULTY}: no task has two attempts of known outcome, which it takes to tell differences between tasks "
        f"from chance; {SOLVED} is learnt for a difficulty of {assumed:.3g}"
    )
    return TaskFits((_solved(solved, evidence),), (left,), notes)


def _solved(draws: np.ndarray, evidence: LearntFrom) -> Fit:
    return fit_of_fact(SOLVED, draws, written_fact(draws, Dimension.FRACTION), evidence)


def _cost_note(attempts: Attempts) -> list[str]:
    """Return what attempts cost and how much of the spread is between tasks, if there are a few of known cost."""
    known = attempts.cost_usd > 0
    logs, task = np.log(attempts.cost_usd[known]), attempts.task[known]
    if len(logs) < FEWEST:
        return []
    spread = np.exp(NORMAL_P90 * logs.std(ddof=1))
    words = (
        f"an attempt cost {usd_exactly(float(np.exp(np.median(logs))))} (median; p90/median {spread:.3g}; "
        f"{len(logs):,} attempts at {len(np.unique(task)):,} tasks)"
    )
    components = components_of(logs, task)
    if components is None:
        return [words]
    return [
        f"{words}; {components.share:.0%} of the variance of its logarithm is between tasks, while the scenario "
        "draws the length of each attempt for itself"
    ]
