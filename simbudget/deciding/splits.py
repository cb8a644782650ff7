"""Variance decomposition of an outcome: the share of each unknown, of chance, and the unattributed remainder."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from simbudget.arrays import Floats, Integers
from simbudget.deciding.alternatives import Alternative
from simbudget.deciding.differences import by_world
from simbudget.deciding.emulator import Emulator, fit
from simbudget.deciding.outcomes import Outcome, counts_results
from simbudget.projection.economics import decompose
from simbudget.projection.unknowns import Unknowns

LOW: Final = 0.1
HIGH: Final = 0.9
"""Ranks of an unknown at which the mean outcome is reported."""

FEWEST_WORLDS: Final = 10
"""An emulator fitted to fewer worlds shows nothing but chance."""

_ROUNDING: Final = 1e-9
"""Relative tolerance for equality: rounding errors of sums in another order."""


@dataclass(frozen=True)
class Driver:
    """The influence of one unknown on one outcome."""

    unknown: str
    written: str
    first_order: float
    """The share of the variance of runs that it explains alone."""
    total: float
    """The share that it explains alone and through interactions."""
    error: float
    """The standard error of `total`."""
    at_low: float
    """The mean outcome with the unknown at its p10, averaged over all others."""
    at_high: float
    """The same at its p90."""


@dataclass(frozen=True)
class Split:
    """The variance decomposition of one outcome."""

    outcome: Outcome
    mean: float
    drivers: tuple[Driver, ...]
    """The strongest first."""
    luck: float
    """The share between runs in the same world, which no prior evidence can remove."""
    unattributed: float
    """The unattributed share between worlds: influences too weak to detect, or interactions of three or more."""
    hidden: float
    """With this number of worlds, an unknown that explains a smaller share may be missed."""


def fitted_to(plan: Alternative, outcome: Outcome, frame: pd.DataFrame, uniforms: Floats) -> Emulator | None:
    """Return the emulator of an outcome; None if it does not apply or is constant.

    Args:
        plan: the simulated plan.
        outcome: the outcome to emulate.
        frame: the plan's replications.
        uniforms: [worlds, unknowns] ranks of the unknowns, worlds in ascending order.
    """
    if outcome.of_results and not counts_results(plan.scenario):
        return None
    of_worlds = means(frame, outcome)
    known = ~np.isnan(of_worlds)
    if known.sum() < FEWEST_WORLDS or np.ptp(of_worlds[known]) <= _ROUNDING * np.abs(of_worlds[known]).max():
        return None
    return fit(uniforms[known], of_worlds[known])


def means(frame: pd.DataFrame, outcome: Outcome) -> Floats:
    """Return the [worlds] mean outcome of each world's replications.

    Args:
        frame: replications with their `world`.
        outcome: the outcome that is averaged.
    """
    return by_world(frame[outcome.of_means].to_numpy(), frame["world"].to_numpy())


def split_of(outcome: Outcome, frame: pd.DataFrame, emulator: Emulator, unknowns: Unknowns) -> Split:
    """Return the variance decomposition of an outcome.

    Args:
        outcome: the outcome.
        frame: replications; worlds with two of them show the variance due to chance.
        emulator: fitted to the means of the worlds.
        unknowns: those of the worlds.
    """
    values, worlds = frame[outcome.of_means].to_numpy(), frame["world"].to_numpy()
    known = ~np.isnan(values)
    values, worlds = values[known], worlds[known]
    within = _within(frame[outcome.column].to_numpy()[known], worlds)
    _, sizes = np.unique(worlds, return_counts=True)
    # Luck that the means of worlds still have; some have more runs than others.
    in_means = _within(values, worlds) * float((1.0 / sizes).mean())
    between = max(0.0, emulator.variance - in_means)  # an estimate, which chance may take below nothing
    total = between + within
    # The emulator knows means of worlds; its shares are of their variance, and are restated as shares of all of it.
    scale = min(1.0, emulator.variance / total) if total > 0.0 else 0.0
    first, everything, errors = emulator.first_order(), emulator.total(), emulator.errors()
    drivers = [
        Driver(
            name,
            unknowns.texts[place],
            float(scale * first[place]),
            float(scale * everything[place]),
            float(scale * errors[place]),
            emulator.main_effect(place, LOW),
            emulator.main_effect(place, HIGH),
        )
        for place, name in enumerate(unknowns.names)
    ]
    drivers.sort(key=lambda driver: -driver.total)
    luck = within / total if total > 0.0 else 0.0
    unattributed = (emulator.residual_variance - in_means) / total if total > 0.0 else 0.0
    return Split(
        outcome,
        float(values.mean()),
        tuple(drivers),
        luck,
        max(0.0, unattributed),
        scale * emulator.hidden,
    )


def _within(values: Floats, worlds: Integers) -> float:
    """Return the variance between runs in the same world; 0 if no world has two."""
    parts = decompose(values, worlds)
    return parts.within if parts else 0.0


def as_json(split: Split) -> dict[str, Any]:
    """Return everything as plain values."""
    return {
        "mean": split.mean,
        "luck": split.luck,
        "unattributed": split.unattributed,
        "hidden_below": split.hidden,
        "drivers": [
            {
                "unknown": driver.unknown,
                "written": driver.written,
                "first_order": driver.first_order,
                "total": driver.total,
                "error": driver.error,
                "at_p10": driver.at_low,
                "at_p90": driver.at_high,
            }
            for driver in split.drivers
        ],
    }
