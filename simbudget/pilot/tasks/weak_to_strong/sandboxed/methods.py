"""Known methods of learning from a weak teacher.

Each is a function of a domain and a seed that returns a class for each test item. Your own methods have the same
shape: `def method(domain, seed, **knobs) -> array`.

A domain has inputs `x`, shape (items, features), with a weak teacher's labels and class probabilities, and test
inputs `x_test` without either. `domain.student(seed)` is a fresh strong model with scikit-learn's
`fit(x, y, sample_weight=…)` and `predict`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.model_selection import KFold
from sklearn.neighbors import NearestNeighbors

Floats = NDArray[np.float64]
Classes = NDArray[np.int64]


@dataclass(frozen=True)
class Domain:
    """An agent's view of a domain: `weak` labels, shape (items,), and `sure` probabilities, shape (items, classes)."""

    name: str
    x: Floats
    weak: Classes
    sure: Floats
    x_test: Floats
    student: Callable[[int], Any]
    extra: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    """Additional data of the items by name: questions and answers, programs and tests; `…_test` for test items."""

    @property
    def classes(self) -> int:
        """Return the number of classes."""
        return self.sure.shape[1]


def fitted(domain: Domain, x: Floats, y: Classes, seed: int, weight: Floats | None = None) -> Any:
    """Return a student trained on `y`; if there is only one class to learn, it always predicts that class."""
    student = domain.student(seed)
    if np.unique(y).size == 1:
        return _Constant(int(y[0]))
    return student.fit(x, y) if weight is None else student.fit(x, y, sample_weight=weight)


@dataclass(frozen=True)
class _Constant:
    value: int

    def predict(self, x: Floats) -> Classes:
        return np.full(len(x), self.value)


def votes(domain: Domain, labels: list[Classes]) -> Floats:
    """Return, for each item, the share of labellings that give each class: shape (items, classes)."""
    return np.mean([np.eye(domain.classes)[one] for one in labels], axis=0)


def plain(domain: Domain, seed: int) -> Classes:
    """Train on the teacher's labels as they are."""
    return fitted(domain, domain.x, domain.weak, seed).predict(domain.x_test)


def confident(domain: Domain, seed: int, keep: float = 0.6) -> Classes:
    """Train only on the examples of each class that the teacher is most confident about."""
    kept = np.zeros(len(domain.x), bool)
    for one in np.unique(domain.weak):
        members = np.flatnonzero(domain.weak == one)
        order = np.argsort(-domain.sure[members, one], kind="stable")
        kept[members[order[: max(1, round(keep * members.size))]]] = True
    return fitted(domain, domain.x[kept], domain.weak[kept], seed).predict(domain.x_test)


def ensemble(domain: Domain, seed: int, members: int = 7, share: float = 0.4) -> Classes:
    """Train several students on random parts of the examples, and let them vote."""
    rng = np.random.default_rng(seed)
    size = max(domain.classes, round(share * len(domain.x)))
    parts = [rng.permutation(len(domain.x))[:size] for _ in range(members)]
    said = [
        fitted(domain, domain.x[p], domain.weak[p], seed + k).predict(domain.x_test)
        for k, p in enumerate(parts)
    ]
    return votes(domain, said).argmax(axis=1)


def smoothing(domain: Domain, seed: int, epsilon: float = 0.2) -> Classes:
    """Smooth the labels: an example also counts for its second class, more so if the teacher is less confident."""
    order = np.argsort(-domain.sure, axis=1, kind="stable")[:, :2]
    softened = (1 - epsilon) * domain.sure + epsilon / domain.classes
    weight = np.take_along_axis(softened, order, axis=1)
    x = np.concatenate([domain.x, domain.x])
    student = fitted(domain, x, order.T.ravel(), seed, np.maximum(weight.T.ravel(), 1e-3))
    return student.predict(domain.x_test)


def features(domain: Domain, seed: int, components: int = 12) -> Classes:
    """Learn features from all inputs without labels (whitened principal components), and train on those."""
    components = min(components, domain.x.shape[1])
    seen = PCA(components, whiten=True, random_state=seed).fit(np.concatenate([domain.x, domain.x_test]))
    return fitted(domain, seen.transform(domain.x), domain.weak, seed).predict(seen.transform(domain.x_test))


def _crossed(domain: Domain, x: Floats, labels: Classes, seed: int, folds: int) -> Classes:
    """Return, for each example, the prediction of a student trained on the other folds."""
    said = labels.copy()
    for rest, fold in KFold(folds, shuffle=True, random_state=seed).split(x):
        said[fold] = fitted(domain, x[rest], labels[rest], seed).predict(x[fold])
    return said


def relabel(domain: Domain, seed: int, rounds: int = 2, folds: int = 2) -> Classes:
    """Repeatedly let students relabel the examples that they were not trained on, then train on the result."""
    labels = domain.weak
    for k in range(rounds):
        labels = _crossed(domain, domain.x, labels, seed + k, folds)
    return fitted(domain, domain.x, labels, seed).predict(domain.x_test)


def agreement(domain: Domain, seed: int, folds: int = 3) -> Classes:
    """Train only on the examples where a student that has not seen them agrees with the teacher."""
    kept = _crossed(domain, domain.x, domain.weak, seed, folds) == domain.weak
    return fitted(domain, domain.x[kept], domain.weak[kept], seed).predict(domain.x_test)


def cotraining(domain: Domain, seed: int, rounds: int = 3, add: float = 0.3) -> Classes:
    """Two students, each seeing one half of the features, relabel a share of the examples for each other."""
    rng = np.random.default_rng(seed)
    views = np.array_split(rng.permutation(domain.x.shape[1]), 2)
    labels = [domain.weak.copy(), domain.weak.copy()]
    for k in range(rounds):
        said = [_crossed(domain, domain.x[:, v], y, seed + k, 2) for v, y in zip(views, labels, strict=True)]
        change = rng.random(len(domain.x)) < add
        labels = [np.where(change, said[1], labels[0]), np.where(change, said[0], labels[1])]
    x, y = np.concatenate([domain.x, domain.x]), np.concatenate(labels)
    return fitted(domain, x, y, seed).predict(domain.x_test)


def neighbours(domain: Domain, seed: int, count: int = 12, rounds: int = 1) -> Classes:
    """Relabel each example by majority among its nearest neighbours, then train on the result."""
    near = (
        NearestNeighbors(n_neighbors=min(count, len(domain.x)))
        .fit(domain.x)
        .kneighbors(return_distance=False)
    )
    shares = domain.sure
    for _ in range(rounds):
        shares = np.eye(domain.classes)[shares.argmax(axis=1)][near].mean(axis=1)
    return fitted(domain, domain.x, shares.argmax(axis=1), seed).predict(domain.x_test)


def clusters(domain: Domain, seed: int, count: int = 40) -> Classes:
    """Cluster all inputs without labels, and give each cluster the class that the teacher finds most likely in it."""
    groups = KMeans(min(count, len(domain.x)), n_init=2, random_state=seed).fit(
        np.concatenate([domain.x, domain.x_test])
    )
    own = groups.labels_[: len(domain.x)]
    shares = np.zeros((groups.n_clusters, domain.classes))
    np.add.at(shares, own, domain.sure)
    return fitted(domain, domain.x, shares[own].argmax(axis=1), seed).predict(domain.x_test)


METHODS: dict[str, Callable[..., Classes]] = {
    method.__name__: method
    for method in (
        plain, confident, ensemble, smoothing, features, relabel, agreement, cotraining, neighbours, clusters
    )
}  # fmt: skip
