"""What one more run will come to, by kind: a hierarchical model of the logarithms of whole runs' totals.

The logarithm of a total is a common level, plus an effect of each of the run's labels (phase, model, …), plus an effect
of its group (repository, project), plus what is left. Effects of a label are normal around nothing, with a spread of
their own that is learnt; so a label seen twice is drawn towards the others, a label never seen is as uncertain as
labels differ, and a run of a group that nobody has seen is as uncertain as groups differ. What is left is Student's t.
Fitted by Gibbs sampling (Gelman et al., Bayesian Data Analysis, 3rd edition, sections 11.6 and 15.6; the t as a scale
mixture of normals, section 17.2).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from simbudget.arrays import Floats, Integers

GROUP: Final = "group"
"""The label of what runs of one piece of work share."""
_SWEEPS: Final = 1200
_BURN_IN: Final = 200
"""Draws settle within some fifty sweeps; tried with three starts."""
_THIN: Final = 5
_FREEDOM: Final = 8.0
"""Of the t: totals of runs now and then lie three deviations out."""
_LABEL_SPREAD: Final = 0.3
"""Before any run was seen, two values of a label differ by a factor of about 1.35."""
_GROUP_SPREAD: Final = 0.2
_LEFT_OVER: Final = 0.6
"""Standard deviation of the logarithm within a phase and model, over projects that were looked at: 0.3 to 0.65."""
_PRIOR_WORTH: Final = 3.0
"""What is assumed of a spread counts as this many values."""
_LEVEL_SPREAD: Final = 10.0
"""The common level is as good as unknown."""


@dataclass(frozen=True, eq=False)
class Hierarchy:
    """Joint posterior draws of the model for one quantity."""

    level: Floats
    """[draws]"""
    effects: dict[str, dict[str, Floats]]
    """By label and value: [draws]."""
    spreads: dict[str, Floats]
    """By label, `group` among them: [draws] standard deviations of effects."""
    left_over: Floats
    """[draws] the scale of the t of what is left of a run."""
    runs: int

    def draws(
        self, labels: Mapping[str, str], runs: int, rng: np.random.Generator, one_group: bool = False
    ) -> Floats:
        """Return [draws, runs] totals of future runs.

        Args:
            labels: what is known of them; a label left out, or a value never seen, is drawn anew for each draw.
            runs: how many.
            rng: what varies is drawn with it.
            one_group: whether all runs belong to one group, and not each to one of its own.
        """
        count = len(self.level)
        location = self.level + sum(self._effect(label, labels.get(label, ""), rng) for label in self.effects)
        groups = rng.standard_normal((count, 1 if one_group else runs)) * self.spreads[GROUP][:, None]
        left = self.left_over[:, None] * rng.standard_t(_FREEDOM, (count, runs))
        return np.asarray(np.exp(location[:, None] + groups + left))

    def draws_of_ideas(
        self, parts: Sequence[Mapping[str, str]], ideas: int, rng: np.random.Generator
    ) -> Floats:
        """Return [draws, parts] what several ideas come to, each in a group of its own that all its parts share.

        Args:
            parts: the labels of each part of the work on an idea, such as its phases.
            ideas: how many.
            rng: what varies is drawn with it.
        """
        count = len(self.level)
        groups = rng.standard_normal((count, ideas)) * self.spreads[GROUP][:, None]
        found = np.empty((count, len(parts)))
        for column, labels in enumerate(parts):
            location = self.level + sum(
                self._effect(label, labels.get(label, ""), rng) for label in self.effects
            )
            left = self.left_over[:, None] * rng.standard_t(_FREEDOM, (count, ideas))
            found[:, column] = np.exp(location[:, None] + groups + left).sum(axis=1)
        return found

    def _effect(self, label: str, value: str, rng: np.random.Generator) -> Floats:
        """Return [draws] a label's effect; of a value never seen, a new one for each draw."""
        known = self.effects[label].get(value)
        if known is not None:
            return known
        return np.asarray(self.spreads[label] * rng.standard_normal(len(self.level)))


def fit_hierarchy(
    totals: Floats, labels: Mapping[str, Sequence[str]], groups: Sequence[str], rng: np.random.Generator
) -> Hierarchy:
    """Return the posterior of the model.

    Args:
        totals: [runs] a quantity's totals, all positive.
        labels: by name, [runs] values.
        groups: [runs] what each run belongs to.
        rng: what the sampler draws with.

    Raises:
        ValueError: there is no run, or one of them came to nothing.
    """
    if not len(totals) or (totals <= 0).any():
        raise ValueError("a hierarchy is fitted to positive totals")
    y = np.log(totals)
    columns = {**labels, GROUP: groups}
    values, member = {}, {}
    for label, column in columns.items():
        values[label], member[label] = np.unique(np.asarray(column, dtype=str), return_inverse=True)
    state = _State.started(y, {label: len(found) for label, found in values.items()})
    kept: list[_State] = []
    for sweep in range(_SWEEPS + _BURN_IN):
        state = state.swept(y, member, rng)
        if sweep >= _BURN_IN and sweep % _THIN == 0:
            kept.append(state)
    effects = {
        label: {
            str(value): np.array([one.effects[label][k] for one in kept])
            for k, value in enumerate(values[label])
        }
        for label in labels
    }
    spreads = {label: np.array([one.spreads[label] for one in kept]) for label in columns}
    return Hierarchy(
        np.array([one.level for one in kept]),
        effects,
        spreads,
        np.array([one.left_over for one in kept]),
        len(y),
    )


@dataclass(frozen=True, eq=False)
class _State:
    """One draw of everything."""

    level: float
    effects: dict[str, Floats]
    spreads: dict[str, float]
    left_over: float
    weights: Floats
    """[runs] precisions of what is left of each, relative to others': the t as a mixture of normals."""

    @classmethod
    def started(cls, y: Floats, counts: Mapping[str, int]) -> "_State":
        """Return where the sampler starts."""
        spreads = {label: _GROUP_SPREAD if label == GROUP else _LABEL_SPREAD for label in counts}
        effects = {label: np.zeros(count) for label, count in counts.items()}
        return cls(float(y.mean()), effects, spreads, _LEFT_OVER, np.ones(len(y)))

    def swept(self, y: Floats, member: Mapping[str, Integers], rng: np.random.Generator) -> "_State":
        """Return the next draw: everything in turn, given all the rest."""
        effects, spreads = dict(self.effects), dict(self.spreads)
        precision = self.weights / self.left_over**2
        fitted = sum((effects[label][member[label]] for label in effects), np.zeros(len(y)))
        total = precision.sum() + 1.0 / _LEVEL_SPREAD**2
        level = float((precision @ (y - fitted)) / total + rng.standard_normal() / np.sqrt(total))
        for label, at in member.items():
            others = fitted - effects[label][at]
            weight = np.bincount(at, precision, len(effects[label])) + 1.0 / spreads[label] ** 2
            pull = np.bincount(at, precision * (y - level - others), len(effects[label]))
            effects[label] = pull / weight + rng.standard_normal(len(weight)) / np.sqrt(weight)
            fitted = others + effects[label][at]
            usual = _GROUP_SPREAD if label == GROUP else _LABEL_SPREAD
            spreads[label] = _spread(effects[label], usual, rng)
        left = y - level - fitted
        shape = (_FREEDOM + 1.0) / 2.0
        weights = rng.gamma(shape, 2.0 / (_FREEDOM + (left / self.left_over) ** 2))
        left_over = _spread(left * np.sqrt(weights), _LEFT_OVER, rng)
        return _State(level, effects, spreads, left_over, weights)


def _spread(values: Floats, usual: float, rng: np.random.Generator) -> float:
    """Return a draw of a standard deviation, of which so much was assumed: a scaled inverse chi-squared variance."""
    freedom = _PRIOR_WORTH + len(values)
    return float(np.sqrt((_PRIOR_WORTH * usual**2 + (values**2).sum()) / rng.chisquare(freedom)))
