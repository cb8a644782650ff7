"""The scorer of the weak-to-strong task: performance gap recovered, PGR = (student - weak) / (ceiling - weak).

`weak` and `ceiling` of a domain are fixed, as in the seed experiment: the mean accuracy of its teachers, and of
students trained on the true labels. The score is the mean PGR over the benchmark's domains.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simbudget.pilot.tasks.task import Answer, MalformedAnswerError, Score, Scorer
from simbudget.pilot.tasks.weak_to_strong.domains import Data
from simbudget.pilot.tasks.weak_to_strong.sandboxed.students import STUDENTS

CEILING_SEEDS = 3
"""Students averaged for the ceiling, to reduce the noise of a single one."""
POOL_SHARE = 0.8  # as in sandboxed/run.py


@dataclass(frozen=True)
class Marks:
    """A domain's two reference accuracies, with its labels."""

    data: Data
    ceiling: float

    def pgr(self, said: NDArray[np.int64]) -> float:
        """Return the PGR of predicted classes of the test items, shape (test items,)."""
        weak = self.data.weak_accuracy
        return (float((said == self.data.labels_test).mean()) - weak) / (self.ceiling - weak)


def marks(data: Data) -> Marks:
    """Compute a domain's reference accuracies; trains the students whose accuracy is the ceiling."""
    accuracies = []
    for seed in range(CEILING_SEEDS):
        pool = np.random.default_rng(seed).permutation(len(data.x))[: round(POOL_SHARE * len(data.x))]
        student = STUDENTS[data.recipe.student](seed).fit(data.x[pool], data.labels[pool])
        accuracies.append(student.score(data.x_test, data.labels_test))
    return Marks(data, float(np.mean(accuracies)))


class PgrScorer(Scorer):
    """Holds the labels of the benchmark's test items."""

    def __init__(self, domains: Mapping[str, Data]) -> None:
        self._marks = {name: marks(data) for name, data in domains.items()}

    def score(self, answer: Answer) -> Score:
        """Return the mean PGR over the domains, and the PGR of each."""
        said = checked(answer, {name: one.data for name, one in self._marks.items()})
        parts = {name: one.pgr(said[name]) for name, one in self._marks.items()}
        return Score(float(np.mean(list(parts.values()))), parts)

    def majority_share(self, answer: Answer) -> Mapping[str, float]:
        """Return the share of items for which the answer is that the most common candidate is the right one."""
        shares = {}
        said = checked(answer, {name: one.data for name, one in self._marks.items()})
        for name, one in self._marks.items():
            if "answers_test" in one.data.extra:
                common = most_common(one.data.extra["questions_test"], one.data.extra["answers_test"])
                shares[name] = float((said[name] == common).mean())
        return shares


def most_common(questions: NDArray[np.int64], answers: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return 1 for items that carry their question's most common answer; ties go to the smallest answer."""
    said = np.zeros(len(answers), np.int64)
    for question in np.unique(questions):
        members = questions == question
        values, counts = np.unique(answers[members], return_counts=True)
        said[members] = answers[members] == values[counts.argmax()]
    return said


def checked(answer: Answer, domains: Mapping[str, Data]) -> dict[str, NDArray[np.int64]]:
    """Validate an answer and convert it to arrays by domain, each of shape (test items,).

    Raises:
        MalformedAnswerError: the answer has the wrong shape.
    """
    if set(answer) != set(domains):
        wanted, got = ", ".join(sorted(domains)), ", ".join(sorted(map(str, answer)))
        raise MalformedAnswerError(f"the answer is for {got or 'nothing'}; it has to be for {wanted}")
    return {name: _checked_domain(name, answer[name], data) for name, data in domains.items()}


def _checked_domain(name: str, said: object, data: Data) -> NDArray[np.int64]:
    """Validate the answer for one domain."""
    size, classes = len(data.labels_test), data.recipe.classes
    if not isinstance(said, list | tuple) or len(said) != size:
        found = f"{len(said)} items" if isinstance(said, list | tuple) else type(said).__name__
        raise MalformedAnswerError(f"{name}: found {found}; it has to be a list of {size} classes")
    if not all(isinstance(one, int) and not isinstance(one, bool) and 0 <= one < classes for one in said):
        raise MalformedAnswerError(f"{name}: every class has to be a whole number from 0 to {classes - 1}")
    return np.array(said, np.int64)
