"""The data of the weak-to-strong task: items, labels and weak teachers of each domain.

Everything follows from a secret seed, so that an agent's files do not reveal which items are test items or what was
generated. Every domain has five teachers, each a weak model trained on 200 labelled examples of its own and on only a
third of the features.

Nine teachers are trained per domain, and the five nearest to their median accuracy are kept, which limits the
differences between seeds.

digits     scikit-learn's handwritten digits (UCI, CC BY 4.0); the teachers are linear and see the left third
sums       candidate answers to questions, right or wrong; generated clusters; the teachers are small trees.
           As in mathematics with a sampled model, the most common answer to a question is mostly right
programs   small programs, right or wrong, with test cases; generated clusters; the teachers are small trees
proofs     held out: three classes
requests   production: five classes, many more items, and another strong student (a forest)
"""

import json
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from simbudget.arrays import Floats

Classes = NDArray[np.int64]

TEACHERS: Final = 5
TRAINED: Final = 9
"""Number of teachers trained, of which the `TEACHERS` nearest to the median accuracy are kept."""
TAUGHT: Final = 200
"""Labelled examples that a teacher is trained on."""


@dataclass(frozen=True)
class Recipe:
    """How a domain is made. Generated ones have Gaussian clusters of width `spread` around standard normal centres."""

    name: str
    classes: int
    test_items: int
    items: int = 1200
    clusters: int = 0
    """Clusters per class; 0 for data that are not generated."""
    spread: float = 0.0
    features: int = 24
    student: str = "kernel machine"


BENCHMARK: Final = (
    Recipe("digits", classes=10, test_items=450, items=947),
    Recipe("sums", classes=2, test_items=600, clusters=9, spread=0.8),
    Recipe("programs", classes=2, test_items=600, clusters=12, spread=0.9),
)
HELD_OUT: Final = Recipe("proofs", classes=3, test_items=600, clusters=4, spread=0.9)
PRODUCTION: Final = Recipe("requests", classes=5, test_items=4000, clusters=3, spread=0.9, student="trees")


@dataclass(frozen=True)
class Data:
    """A domain with its secrets: `labels` and `labels_test` stay with the scorer."""

    recipe: Recipe
    x: Floats
    labels: Classes
    x_test: Floats
    labels_test: Classes
    weak: NDArray[np.uint8]
    """Labels by the teachers, shape (teachers, items)."""
    sure: NDArray[np.float16]
    """Class probabilities by the teachers, shape (teachers, items, classes)."""
    weak_accuracy: float
    """Mean accuracy of the teachers on the test items."""
    extra: dict[str, NDArray[Any]] = field(default_factory=dict)

    def public(self) -> dict[str, NDArray[Any]]:
        """Return the arrays that an agent sees."""
        student = np.array(self.recipe.student)
        own: dict[str, NDArray[Any]] = {
            "x": self.x,
            "x_test": self.x_test,
            "weak": self.weak,
            "sure": self.sure,
        }
        return {**own, "student": student, **self.extra}


def make_domain(recipe: Recipe, secret: int) -> Data:
    """Generate a domain's data."""
    rng = np.random.default_rng([secret, *recipe.name.encode()])
    x, y = _drawn(recipe, rng) if recipe.clusters else _digits(rng)
    seen = _view(recipe)
    order = np.arange(len(y))
    test, pool, taught = np.split(order, [recipe.test_items, recipe.test_items + recipe.items])
    lessons = [rng.permutation(taught)[:TAUGHT] for _ in range(TRAINED)]
    trained = [_teacher(recipe).fit(x[lesson][:, seen], y[lesson]) for lesson in lessons]
    accuracies = np.array([teacher.score(x[test][:, seen], y[test]) for teacher in trained])
    kept = np.argsort(np.abs(accuracies - np.median(accuracies)), kind="stable")[:TEACHERS]
    teachers = [trained[one] for one in kept]
    sure = np.stack([_probabilities(teacher, x[pool][:, seen], recipe.classes) for teacher in teachers])
    return Data(
        recipe=recipe,
        x=x[pool],
        labels=y[pool],
        x_test=x[test],
        labels_test=y[test],
        weak=sure.argmax(axis=2).astype(np.uint8),
        sure=sure.astype(np.float16),
        weak_accuracy=float(accuracies[kept].mean()),
        extra=_extra(recipe, y[pool], y[test], rng),
    )


def _drawn(recipe: Recipe, rng: np.random.Generator) -> tuple[Floats, Classes]:
    """Return generated items, shape (items, features), and their classes, shape (items,)."""
    size = recipe.test_items + recipe.items + TRAINED * TAUGHT
    centres = rng.normal(size=(recipe.classes * recipe.clusters, recipe.features))
    cluster = rng.integers(len(centres), size=size)
    x = centres[cluster] + recipe.spread * rng.normal(size=(size, recipe.features))
    return x.round(3), cluster % recipe.classes


def _digits(rng: np.random.Generator) -> tuple[Floats, Classes]:
    """Return the digits in a secret order."""
    x, y = load_digits(return_X_y=True)
    order = rng.permutation(len(y))
    return x[order], y[order].astype(np.int64)


def _view(recipe: Recipe) -> NDArray[np.bool_]:
    """Return a mask of the features that the teachers see."""
    if recipe.clusters:
        return np.arange(recipe.features) < recipe.features // 3
    return np.tile(np.arange(8) < 3, 8)  # the left three columns of each row of pixels


def _teacher(recipe: Recipe) -> Any:
    """Return an untrained teacher."""
    if recipe.clusters:
        return DecisionTreeClassifier(max_depth=6, min_samples_leaf=2, random_state=0)
    return make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=300))


def _probabilities(teacher: Any, x: Floats, classes: int) -> Floats:
    """Return a teacher's class probabilities, shape (items, classes), with 0 for classes that it never saw."""
    full = np.zeros((len(x), classes))
    full[:, teacher.classes_] = teacher.predict_proba(x)
    return full


def _extra(
    recipe: Recipe, labels: Classes, labels_test: Classes, rng: np.random.Generator
) -> dict[str, NDArray[Any]]:
    """Return the additional data of a domain's items."""
    makers = {"sums": _answers, "programs": _programs}
    if recipe.name not in makers:
        return {}
    make = makers[recipe.name]
    of_items = make(labels, rng)
    of_tests = {f"{name}_test": values for name, values in make(labels_test, rng).items()}
    return {**of_items, **of_tests}


def _answers(labels: Classes, rng: np.random.Generator, candidates: int = 8) -> dict[str, NDArray[Any]]:
    """Return each candidate's question and answer; wrong answers to a question often share the same mistake."""
    questions = np.arange(len(labels)) // candidates
    right = rng.integers(10, 1000, size=questions[-1] + 1)[questions]
    mistake = right + rng.integers(1, 10, size=questions[-1] + 1)[questions]
    scattered = right + rng.integers(10, 60, size=len(labels))
    wrong = np.where(rng.random(len(labels)) < 0.35, mistake, scattered)
    return {"questions": questions, "answers": np.where(labels == 1, right, wrong)}


def _programs(labels: Classes, rng: np.random.Generator) -> dict[str, NDArray[Any]]:
    """Return each item's program, correct or not as labelled, and test cases that show which."""
    programs, tests = [], []
    for label in labels:
        factor, shift = int(rng.integers(2, 10)), int(rng.integers(1, 20))
        slip = 0 if label else int(rng.choice([-2, -1, 1, 2]))
        programs.append(f"def f(a, b):\n    total = a * {factor}\n    return total + b - {shift + slip}\n")
        pairs = rng.integers(-20, 20, size=(3, 2)).tolist()
        tests.append(
            json.dumps([{"arguments": [a, b], "expected": a * factor + b - shift} for a, b in pairs])
        )
    return {"programs": np.array(programs), "tests": np.array(tests)}
