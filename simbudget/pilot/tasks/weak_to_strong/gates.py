"""The gates of the weak-to-strong task: a held-out domain, and an A/B test in production.

Both run the candidate and the plain method (the control) on data that no agent has seen, in fresh sandboxes and with
the same seeds. `verdicts.py` contains the tests.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from simbudget.pilot.tasks.task import Answer, Experiment, Gate, GateResult, MalformedAnswerError, Trial
from simbudget.pilot.tasks.verdicts import a_b, paired
from simbudget.pilot.tasks.weak_to_strong.domains import HELD_OUT, PRODUCTION, make_domain
from simbudget.pilot.tasks.weak_to_strong.files import COMMAND, domain_file, experiment_files, program_files
from simbudget.pilot.tasks.weak_to_strong.scoring import checked, marks

CONTROL: Final = "plain"


class HeldOutGate(Gate):
    """A paired t-test, over seeds, of the PGR on the held-out domain against the control."""

    name = "held-out domain"
    what = "PGR on a generated domain of three classes, against the plain method, paired by seed"
    smallest_effect = 0.1

    def __init__(self, secret: int, seeds: int = 5) -> None:
        self._secret = secret
        self._seeds = range(seeds)

    def trials(self, candidate: Experiment) -> Sequence[Trial]:
        """Return the candidate's runs, then the control's, one per seed."""
        data = make_domain(HELD_OUT, self._secret)
        files = {**program_files(), f"domains/{HELD_OUT.name}.npz": domain_file(data)}
        return [_trial(files, one, seed) for one in (candidate, Experiment(CONTROL)) for seed in self._seeds]

    def judge(self, answers: Sequence[Answer | None]) -> GateResult:
        """Return the verdict; a trial without an answer counts as a PGR of 0."""
        data = make_domain(HELD_OUT, self._secret)
        own = marks(data)
        said = [_said(answer, data.recipe.name, {data.recipe.name: data}) for answer in answers]
        pgr = np.array([0.0 if one is None else own.pgr(one) for one in said]).reshape(2, -1)
        return paired(self.name, pgr[0] - pgr[1], self.smallest_effect)


class ProductionGate(Gate):
    """An A/B test: each request goes to the candidate's model or to the control's."""

    name = "production"
    what = "A/B test on another data set with a forest as the student, 2,000 requests per arm"
    smallest_effect = 0.03
    """A difference in accuracy."""

    def __init__(self, secret: int) -> None:
        self._secret = secret

    def trials(self, candidate: Experiment) -> Sequence[Trial]:
        """Return the candidate's run and the control's."""
        files = {
            **program_files(),
            f"domains/{PRODUCTION.name}.npz": domain_file(make_domain(PRODUCTION, self._secret)),
        }
        return [_trial(files, one, seed=0) for one in (candidate, Experiment(CONTROL))]

    def judge(self, answers: Sequence[Answer | None]) -> GateResult:
        """Return the verdict; each arm serves half of the requests, assigned at random."""
        data = make_domain(PRODUCTION, self._secret)
        domains = {data.recipe.name: data}
        candidate, control = (_said(answer, data.recipe.name, domains) for answer in answers)
        to_candidate = np.random.default_rng(self._secret).permutation(len(data.labels_test)) % 2 == 0
        right = [
            np.zeros(arm.sum(), bool) if said is None else (said == data.labels_test)[arm]
            for said, arm in ((candidate, to_candidate), (control, ~to_candidate))
        ]
        return a_b(self.name, right[0], right[1], self.smallest_effect)


def _trial(files: Mapping[str, bytes], experiment: Experiment, seed: int) -> Trial:
    """Return one run of an experiment with a seed chosen by the gate."""
    seeded = Experiment(experiment.method, experiment.hyperparameters, seed, experiment.code)
    return Trial({**files, **experiment_files(seeded)}, COMMAND, f"{experiment.method}, seed {seed}")


def _said(answer: Answer | None, name: str, domains: Mapping[str, object]) -> NDArray[np.int64] | None:
    """Return the classes in a trial's answer, or None if the answer is unusable."""
    if answer is None:
        return None
    try:
        return checked(answer, domains)[name]  # type: ignore[arg-type]
    except MalformedAnswerError:
        return None
