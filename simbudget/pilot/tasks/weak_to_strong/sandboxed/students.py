"""The strong students by name; each takes a seed."""

from collections.abc import Callable
from typing import Any

from sklearn.ensemble import ExtraTreesClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC


class Scaled(Pipeline):  # type: ignore[misc]  # scikit-learn has no types
    """A kernel machine on standardised features that accepts sample weights."""

    def fit(self, x: Any, y: Any, sample_weight: Any = None) -> "Scaled":
        """Fit the pipeline, passing the weights on to the kernel machine."""
        super().fit(x, y, **({} if sample_weight is None else {"machine__sample_weight": sample_weight}))
        return self


def kernel_machine(seed: int) -> Any:
    """Return the strong student of the benchmark."""
    return Scaled([("scale", StandardScaler()), ("machine", SVC(C=1.0, random_state=seed))])


def trees(seed: int) -> Any:
    """Return the other strong student, a forest."""
    return ExtraTreesClassifier(100, min_samples_leaf=3, n_jobs=1, random_state=seed)


STUDENTS: dict[str, Callable[[int], Any]] = {"kernel machine": kernel_machine, "trees": trees}
