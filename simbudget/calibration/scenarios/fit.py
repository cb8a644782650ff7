"""The fit of one quantity of a scenario: posterior draws, text in the scenario, and evidence."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from simbudget.arrays import Floats
from simbudget.calibration.posteriors.rates import pooled_rate
from simbudget.calibration.posteriors.shapes import Shape
from simbudget.calibration.scenarios.wording import written_fact, written_varying
from simbudget.distributions.posteriors import Posterior
from simbudget.scenario.calibration_file import CalibratedQuantity, LearntFrom
from simbudget.units import Dimension

FEWEST: Final = 3
"""Fewest values for learning a quantity."""


@dataclass(frozen=True)
class Fit:
    """The fit of one quantity."""

    name: str
    quantity: CalibratedQuantity | None
    """None for quantities without draws."""
    written: str
    evidence: LearntFrom
    log_scores: dict[str, float] = field(default_factory=dict)
    """Families' leave-one-run-out log scores."""
    observed: Floats = field(default_factory=lambda: np.zeros(0), repr=False, compare=False)
    """The observed values; for a rate, those of the runs."""
    rate: float = float("nan")
    """For a rate: the rate over all runs."""
    levels: Mapping[int, float] = field(default_factory=dict, repr=False, compare=False)
    """Mean logarithm by run, for quantities that vary within runs."""

    def redrawn(self, posterior: Posterior, dimension: Dimension) -> "Fit":
        """Return the fit with other draws.

        Args:
            posterior: the other draws.
            dimension: for its units.
        """
        assert self.quantity is not None
        written = written_varying(posterior, dimension)
        return replace(
            self, written=written, quantity=replace(self.quantity, posterior=posterior, written=written)
        )


def fit_of_varying(
    name: str,
    dimension: Dimension,
    learnt: tuple[Posterior, Shape],
    evidence: LearntFrom,
    observed: Floats | None = None,
) -> Fit:
    """Return the fit of a quantity that varies between draws, from its posterior, shape and observed values.

    Args:
        name: of the quantity in the scenario.
        dimension: for its units.
        learnt: posterior and shape.
        evidence: what it was learnt from.
        observed: [values] that it was learnt from.
    """
    posterior, shape = learnt
    written = written_varying(posterior, dimension)
    quantity = CalibratedQuantity(name, written, shape.family, posterior, evidence)
    values = np.zeros(0) if observed is None else observed
    return Fit(name, quantity, written, evidence, shape.log_scores, values)


def fit_of_fact(name: str, values: Floats, written: str, evidence: LearntFrom, family: str = "fact") -> Fit:
    """Return the fit of a constant quantity from [worlds] draws and its text in the scenario.

    Args:
        name: of the quantity in the scenario.
        values: [worlds] draws.
        written: its text.
        evidence: what it was learnt from.
        family: what the table of changes calls it.
    """
    quantity = CalibratedQuantity(name, written, family, Posterior.of_fact(values), evidence)
    return Fit(name, quantity, written, evidence)


def fit_of_setting(name: str, value: float, written: str, evidence: LearntFrom, worlds: int) -> Fit:
    """Return the fit of an exactly known quantity.

    Args:
        name: of the quantity in the scenario.
        value: the number.
        written: its text.
        evidence: what it was learnt from.
        worlds: number of joint draws.
    """
    return fit_of_fact(name, np.full(worlds, value), written, evidence, "exact")


def fit_as_text(name: str, written: str, evidence: LearntFrom) -> Fit:
    """Return the fit of a setting, such as a model or `yes`, which has no draws.

    Args:
        name: of the quantity in the scenario.
        written: its text.
        evidence: what it was learnt from.
    """
    return Fit(name, None, written, evidence)


def fit_of_rate(
    name: str, hits: Floats, tries: Floats, evidence: LearntFrom, worlds: int, rng: np.random.Generator
) -> Fit:
    """Return the fit of a failure rate, with partial pooling of runs.

    Args:
        name: of the quantity in the scenario.
        hits: [runs] how often it happened.
        tries: [runs] how often it could have.
        evidence: what it was learnt from.
        worlds: number of joint draws.
        rng: what the draws are made from.
    """
    draws = pooled_rate(hits, tries, worlds, rng)
    fit = fit_of_fact(name, draws, written_fact(draws, Dimension.FRACTION), evidence)
    rate = float(hits.sum() / max(tries.sum(), 1))
    return replace(fit, observed=hits / np.maximum(tries, 1), rate=rate)
